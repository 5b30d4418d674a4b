# SPDX-License-Identifier: AGPL-3.0-only
"""docs/deploying.md from its first command to its last, in a checkout of its own."""

import re
import subprocess
from pathlib import Path

import pytest

from stack.ports import free_port
from tests.integration.deploying.checkout import copy_to, environment
from tests.support.build import ROOT

PAGE = ROOT / "docs" / "deploying.md"
# Where the page sleeps until anvil listens or the timelock's delay is over, the test waits for the one and lets the
# other pass on the chain's clock.
LISTENS = (
    "until python -c 'import socket; socket.create_connection((\"127.0.0.1\", 8545))' 2> /dev/null; do sleep 0.2; done"
)
DELAY_PASSES = """python -c 'import httpx; httpx.post("http://127.0.0.1:8545", json={
    "jsonrpc": "2.0", "id": 1, "method": "evm_increaseTime", "params": [11]}).raise_for_status()'"""


@pytest.mark.timeout(900)
def test_every_command_of_the_page_works(tmp_path: Path) -> None:
    folder = copy_to(tmp_path / "checkout")
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) > 8
    port = str(free_port())
    page = "\n".join(blocks)
    for slept, instead, times in (("sleep 3", LISTENS, 1), ("sleep 11", DELAY_PASSES, 4)):
        assert page.count(f"\n{slept}\n") == times
        page = page.replace(f"\n{slept}\n", f"\n{instead}\n")
    commands = "\n".join(["set -euo pipefail", "trap 'kill $ANVIL || true' ERR", page]).replace("8545", port)
    done = subprocess.run(
        ["bash", "-c", commands], cwd=folder, env=environment(), capture_output=True, text=True, timeout=880
    )
    printed = done.stdout + done.stderr
    assert done.returncode == 0, printed
    assert printed.count("verified: ") == 2
    assert "has no right left" in printed
    assert "Traceback" not in printed
