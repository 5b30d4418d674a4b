# SPDX-License-Identifier: AGPL-3.0-only
"""Compile the matching core with mypyc into `.build/compiled`, out of the source tree.

The folder holds copies of `ouro` and `relayer` with the extension modules beside their sources. Put it first on
`PYTHONPATH` and the same program runs on the compiled core; without it everything runs interpreted, as ever.
Needs a C compiler and Python's headers. Runs again for nothing: a stamp says what the folder was made from.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / ".build" / "compiled"
PACKAGES = ("ouro", "relayer")

VOCABULARY = ("ouro/markets.py", "ouro/maths/fees.py", "ouro/maths/funding.py", "ouro/maths/margin.py", "ouro/units.py")
"""What the core calls in `ouro`, where it gains."""
RECORDS = re.compile(r"^class \w+\((msgspec\.Struct|Exception|\w*Error)\b", re.MULTILINE)
"""A native class can be neither a msgspec record nor an exception, and would lose what makes a record frozen."""
INTERPRETED = {"__init__.py", "columns.py", "native.py", "snapshot.py", "snapshot_chain.py"}
"""Further modules of the core that would gain nothing."""

SETUP = """
import sys
from mypyc.build import mypycify
from setuptools import setup

level, *modules = sys.argv[1:]
sys.argv = ["setup.py", "build_ext", "--inplace", "--parallel", "2"]
extensions = mypycify(
    ["--config-file=", "--ignore-missing-imports", *modules], opt_level=level, debug_level="0", multi_file=True
)
setup(name="ouro-compiled", packages=[], ext_modules=extensions)
"""


class NoCompilerError(Exception):
    """This machine cannot compile; the message says what it lacks."""


def modules() -> list[str]:
    """Paths, from the root, of what is compiled: all of the core that can be, and what it calls in `ouro`."""
    core = (path for path in sorted((ROOT / "relayer" / "core").glob("*.py")) if path.name not in INTERPRETED)
    return [f"relayer/core/{path.name}" for path in core if not RECORDS.search(path.read_text())] + [*VOCABULARY]


def check_compiler() -> None:
    """Raises `NoCompilerError` unless extension modules can be built here."""
    command = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(command) is None:
        raise NoCompilerError(
            f"there is no C compiler ({command}): install one (Debian: apt-get install gcc libc6-dev python3-dev)"
        )
    header = Path(sysconfig.get_path("include")) / "Python.h"
    if not header.exists():
        raise NoCompilerError(f"{header} is missing: install Python's headers (Debian: apt-get install python3-dev)")


def fingerprint(level: str, packages: Iterable[str]) -> str:
    """What a build depends on: sources, this script, compiler options, mypy and Python."""
    digest = hashlib.sha256(f"{level} {version('mypy')} {sys.version}".encode())
    sources = [path for package in packages for path in (ROOT / package).rglob("*") if _is_source(path)]
    for path in [Path(__file__), *sorted(sources)]:
        digest.update(f"{path.name} {path.stat().st_size} ".encode() + path.read_bytes())
    return digest.hexdigest()


def build(target: Path = TARGET, level: str = "2", bench: bool = False) -> bool:
    """Makes the folder (with `bench`: and the bench of the book), or says False when it is there already.

    Raises `NoCompilerError`, and `subprocess.CalledProcessError` (with what the compilers said) when some code cannot
    be compiled.
    """
    check_compiler()
    packages = (*PACKAGES, "bench") if bench else PACKAGES
    wanted = fingerprint(level, packages)
    stamp = target / "stamp"
    if stamp.exists() and stamp.read_text() == wanted:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as work:
        made = Path(work) / "made"
        for package in packages:
            shutil.copytree(ROOT / package, made / package, ignore=shutil.ignore_patterns("__pycache__"))
        subprocess.run(
            [sys.executable, "-c", SETUP, level, *modules(), *(["bench/lone_book.py"] if bench else [])],
            cwd=made,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        shutil.rmtree(made / "build")
        (made / "stamp").write_text(wanted)
        if target.exists():
            target.rename(Path(work) / "old")
        made.rename(target)
    return True


def _is_source(path: Path) -> bool:
    return path.is_file() and not {"__pycache__", "results"} & {*path.parts}


def main() -> int:
    """Builds and says where."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", type=Path, default=TARGET, help="where to build (default: .build/compiled)")
    parser.add_argument("--level", default="2", choices=["0", "1", "2", "3"], help="optimisation of the C compiler")
    options = parser.parse_args()
    try:
        fresh = build(options.target.resolve(), options.level)
    except NoCompilerError as error:
        sys.stderr.write(f"The core was not compiled: {error}\n")
        return 1
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"{error.stdout[-4_000:]}\nThe core was not compiled: see above what could not be.\n")
        return 1
    sys.stdout.write(f"{'Compiled into' if fresh else 'Up to date:'} {options.target}\n")
    sys.stdout.write(f"To run on it:  PYTHONPATH={options.target} ouro up\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
