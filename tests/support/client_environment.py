# SPDX-License-Identifier: AGPL-3.0-only
"""Environments for other projects' clients, each from a lock of its own: their pins fit neither ours nor
each other's."""

from pathlib import Path

from stack.bootstrap import fingerprint, make_environment, read_stamp, uv_command, write_stamp
from tests.support.build import ROOT


def python_with(name: str) -> Path:
    """The interpreter of the environment that `requirements/<name>.txt` describes; it finds this checkout's packages.

    Made in `.cache/clients/<name>` when there is none, or the lock has changed.
    """
    home = ROOT / ".cache" / "clients" / name
    lock = ROOT / "requirements" / f"{name}.txt"
    if read_stamp(str(home)) != fingerprint(str(lock)):
        home.parent.mkdir(parents=True, exist_ok=True)
        make_environment(uv_command(), str(home), str(lock))
        [packages] = home.glob("lib/python3.*/site-packages")
        (packages / "ouro.pth").write_text(f"{ROOT}\n")
        write_stamp(str(home), fingerprint(str(lock)))
    return home / "bin" / "python"
