# SPDX-License-Identifier: Apache-2.0
"""What `ouro doctor` finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """`WARN` works, but not as it should or not for long."""

    OK = "ok"
    WARN = "warning"
    FAIL = "fault"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `mend` is a sentence that says what to do, empty when nothing is to be done."""

    check: str
    state: State
    found: str
    mend: str = ""
