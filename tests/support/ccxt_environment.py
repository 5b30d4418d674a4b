# SPDX-License-Identifier: AGPL-3.0-only
"""An environment of its own for ccxt, from a lock of its own: its pins need not fit ours."""

from pathlib import Path

from stack.bootstrap import fingerprint, make_environment, read_stamp, uv_command, write_stamp
from tests.support.build import ROOT

HOME = ROOT / ".cache" / "ccxt"
LOCK = ROOT / "requirements" / "ccxt.txt"


def python_with_ccxt() -> Path:
    """Its interpreter, which finds this checkout's `ouro`. Made when there is none, or the lock has changed."""
    if read_stamp(str(HOME)) != fingerprint(str(LOCK)):
        make_environment(uv_command(), str(HOME), str(LOCK))
        [packages] = HOME.glob("lib/python3.*/site-packages")
        (packages / "ouro.pth").write_text(f"{ROOT}\n")
        write_stamp(str(HOME), fingerprint(str(LOCK)))
    return HOME / "bin" / "python"
