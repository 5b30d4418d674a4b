# SPDX-License-Identifier: AGPL-3.0-only
"""docs/deploying.md from its first command to its last, in a checkout of its own."""

import re
import subprocess
from pathlib import Path

import pytest

from stack.node import free_port
from tests.integration.deploying.checkout import copy_to, environment
from tests.support.build import ROOT

PAGE = ROOT / "docs" / "deploying.md"
# the timelock's delay passes on the chain's clock, not on ours
PASS_TIME = (
    "import httpx, sys; "
    'body = {"jsonrpc": "2.0", "id": 1, "method": "evm_increaseTime", "params": [11]}; '
    "httpx.post(sys.argv[1], json=body).raise_for_status()"
)


@pytest.mark.timeout(900)
def test_every_command_of_the_page_works(tmp_path: Path) -> None:
    folder = copy_to(tmp_path / "checkout")
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) > 8
    port = str(free_port())
    commands = "\n".join(["set -euo pipefail", "trap 'kill $ANVIL || true' ERR", *blocks]).replace("8545", port)
    assert commands.count("\nsleep 11\n") == 4
    commands = commands.replace("\nsleep 11\n", f"\npython -c '{PASS_TIME}' http://127.0.0.1:{port}\n")
    done = subprocess.run(
        ["bash", "-c", commands], cwd=folder, env=environment(), capture_output=True, text=True, timeout=880
    )
    printed = done.stdout + done.stderr
    assert done.returncode == 0, printed
    assert printed.count("verified: ") == 2
    assert "has no right left" in printed
    assert "Traceback" not in printed
