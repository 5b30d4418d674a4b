# SPDX-License-Identifier: AGPL-3.0-only
"""The core compiled with mypyc is the same core: the same tests pass on it, and the same days give the same hashes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import compile_core

ROOT = Path(__file__).resolve().parents[3]
BUILT = ROOT / ".build" / "compiled-for-tests"
TESTS = ["tests/unit/relayer_core", "tests/unit/ouro", "tests/reference"]
FILES = "import sys; from importlib import import_module as load; print(*[load(n).__file__ for n in sys.argv[1:]])"

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(os.environ.get("OURO_CORE")), reason="this is the run on the compiled core"),
]


@pytest.fixture(scope="module")
def compiled() -> Path:
    """The folder with the compiled core; skips where there is no compiler, unless told that there must be one."""
    try:
        compile_core.build(BUILT, level="1")
    except compile_core.NoCompilerError as error:
        if os.environ.get("OURO_MUST_COMPILE"):
            raise
        pytest.skip(str(error))
    except subprocess.CalledProcessError as error:
        pytest.fail(f"the core does not compile with mypyc:\n{error.stdout[-4_000:]}")
    return BUILT


def run(arguments: list[str], path: list[Path], **env: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path)), "PYTHONSAFEPATH": "1"} | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-8_000:]
    return done.stdout


def test_every_module_of_the_core_is_an_extension(compiled: Path) -> None:
    """But for those whose records and exceptions cannot be native."""
    names = [module.removesuffix(".py").replace("/", ".") for module in compile_core.modules()]
    assert len(names) > 20
    told = run(["-c", FILES, *names], [compiled])
    assert all(file.endswith((".so", ".pyd")) and str(compiled) in file for file in told.split())


def test_the_same_tests_pass_on_it(compiled: Path) -> None:
    said = run(
        ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", f"pythonpath={compiled} .", *TESTS],
        [compiled, ROOT],
        OURO_CORE=str(compiled),
    )
    assert " passed" in said


@pytest.mark.parametrize("day", ["7", "8", "9"])
def test_a_day_gives_the_same_hashes_whatever_runs_it(compiled: Path, day: str) -> None:
    """In a process each, under several hash seeds."""
    said = {
        run(["-m", "tests.unit.relayer_core.scenario", day, "200"], path, PYTHONHASHSEED=seed)
        for path in ([ROOT], [compiled, ROOT])
        for seed in ("0", "1", "4242")
    }
    assert len(said) == 1
    assert said != {""}
