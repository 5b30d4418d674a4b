# SPDX-License-Identifier: AGPL-3.0-only
"""The tables of docs/clients.md: made of what the clients' methods did, and compared with what the page says.

OURO_WRITE_TABLES=1 writes them anew instead.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Any

from tests.support.build import ROOT

PAGE = ROOT / "docs" / "clients.md"


def table(lines: Iterable[dict[str, Any]]) -> str:
    """One row a method, by name."""
    outcomes = {line["method"]: _outcome(line) for line in lines if "method" in line}
    rows = [f"| `{method}` | {outcomes[method]} |" for method in sorted(outcomes)]
    return "\n".join(["| method | |", "|---|---|", *rows])


def _outcome(line: dict[str, Any]) -> str:
    if "error" not in line:
        return "works"
    status = re.search(r"\b(404|400|500)\b", line["error"])
    return f"no: {status[1]}" if status else f"no: {line['error'].partition(':')[0]}"


def check_table(client: str, lines: Iterable[dict[str, Any]]) -> None:
    """The page's table of a client is what just happened."""
    begin, end = f"<!-- {client} -->\n\n", f"\n\n<!-- end of {client} -->"
    text = PAGE.read_text()
    assert text.count(begin) == text.count(end) == 1
    before, _, rest = text.partition(begin)
    written, _, after = rest.partition(end)
    made = table(lines)
    if os.environ.get("OURO_WRITE_TABLES"):
        PAGE.write_text(before + begin + made + end + after)
    else:
        assert made == written
