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


@pytest.mark.timeout(900)
def test_every_command_of_the_page_works(tmp_path: Path) -> None:
    folder = copy_to(tmp_path / "checkout")
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) > 8
    port = str(free_port())
    commands = "\n".join(["set -euo pipefail", "trap 'kill $ANVIL || true' ERR", *blocks]).replace("8545", port)
    done = subprocess.run(
        ["bash", "-c", commands], cwd=folder, env=environment(), capture_output=True, text=True, timeout=880
    )
    printed = done.stdout + done.stderr
    assert done.returncode == 0, printed
    assert printed.count("verified: ") == 2
    assert "has no right left" in printed
    assert "Traceback" not in printed
