# SPDX-License-Identifier: AGPL-3.0-only
"""Matching speed: the whole core and its book alone, interpreted and compiled, beside other order books, in one run.

    python -m bench.matching                       # writes bench/results/matching.json; about ten minutes
    python -m bench.matching --operations 50000 --rounds 1 --no-write

Every engine gets the same operations (`bench/workload.py`), in a process of its own that counts processor time. "Core"
is `Core.apply` with everything on: unpacking the signed words, every rule, slots, idempotency, margin with
reservations before each order, the contract's predicate for both sides of each fill, self-trade prevention, public
records and their rolling hash. "Book" is what the others are: an order book with fills as events, and no money.

The references are put into environments of their own under `.build/bench`: PyPI's matching-engine (needs Python 3.12),
and Liquibook (C++, its headers from the PyPI package of that name, compiled with -O3). One that cannot be had is named.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from bench import workload
from scripts import compile_core

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / ".build" / "bench"
COMPILED = ROOT / ".build" / "compiled-for-bench"
RESULT = ROOT / "bench" / "results" / "matching.json"
PEERS = ROOT / "bench" / "peers"
CORE_SHARE = 5
"""The core gets the first fifth of the stream: it is slower, and keeps more."""


class UnavailableError(Exception):
    """A reference that cannot be had here; the message says why."""


def environment(name: str, requirement: str) -> Path:
    """A virtual environment with nothing but one package and what it needs."""
    folder = WORK / name
    if not (folder / "ready").exists():
        python = next(filter(_is_312, ("python3.12", "python3", sys.executable)), None)
        if python is None:
            raise UnavailableError(f"{requirement} needs Python 3.12 on PATH")
        shutil.rmtree(folder, ignore_errors=True)
        try:
            subprocess.run([python, "-m", "venv", str(folder)], check=True, capture_output=True)
            install = [str(folder / "bin" / "pip"), "install", "-q", requirement]
            subprocess.run(install, check=True, capture_output=True)
        except subprocess.CalledProcessError as error:
            raise UnavailableError(f"{requirement} cannot be installed: {error.stderr.decode()[-200:]}") from error
        (folder / "ready").touch()
    return folder


def _is_312(python: str) -> bool:
    check = "import sys; sys.exit(sys.version_info[:2] != (3, 12))"
    return (
        shutil.which(python) is not None and subprocess.run([python, "-c", check], capture_output=True).returncode == 0
    )


def matching_engine() -> list[str]:
    """The command that measures PyPI's matching-engine."""
    folder = environment("matching-engine", "matching-engine==0.1.1")
    return [str(folder / "bin" / "python"), str(PEERS / "pypi_engine.py")]


def liquibook() -> list[str]:
    """The command that measures Liquibook."""
    folder = environment("liquibook", "liquibook==2.0.1")
    headers = next(folder.glob("lib/*/site-packages/include/liquibook"), None)
    if headers is None:
        raise UnavailableError("the package liquibook brought no headers")
    program = folder / "bench"
    command = ["g++", "-O3", "-std=c++17", f"-I{headers}", "-o", str(program), str(PEERS / "liquibook.cpp")]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise UnavailableError(f"liquibook was not compiled: {error}") from error
    return [str(program)]


def ours(what: str, path: Path) -> tuple[list[str], dict[str, str]]:
    """The command that measures ours, with the packages found at `path`."""
    return [sys.executable, "-m", "bench.matching_worker", what], {"PYTHONPATH": str(path), "PYTHONSAFEPATH": "1"}


def engines() -> tuple[dict[str, tuple[list[str], dict[str, str]]], dict[str, str]]:
    """Commands by name, and why others are missing."""
    found = {f"{what}, interpreted": ours(what, ROOT) for what in ("core", "book")}
    missing: dict[str, str] = {}
    try:
        compile_core.build(COMPILED, level="3", bench=True)
        found |= {f"{what}, compiled": ours(what, COMPILED) for what in ("core", "book")}
    except compile_core.NoCompilerError as error:
        missing["compiled"] = str(error)
    for name, peer in (("PyPI matching-engine 0.1.1", matching_engine), ("Liquibook 2.0.1 (C++)", liquibook)):
        try:
            found[name] = (peer(), {})
        except UnavailableError as error:
            missing[name] = str(error)
    return found, missing


def run(command: list[str], extra_env: dict[str, str], stream: Path) -> dict[str, float]:
    """One measurement."""
    done = subprocess.run(
        [*command, str(stream)], env=os.environ | extra_env, check=True, capture_output=True, text=True
    )
    return dict(json.loads(done.stdout))


def measure(count: int, rounds: int) -> dict[str, object]:
    """Every engine on every shape, best of `rounds`, taking turns. The core is measured on the steady shape only."""
    WORK.mkdir(parents=True, exist_ok=True)
    found, missing = engines()
    result: dict[str, object] = {
        "operations": count,
        "operations_of_the_core": count // CORE_SHARE,
        "rounds": rounds,
        "unit": "operations per second of processor time",
        "python": platform.python_version(),
        "missing": missing,
    }
    for shape in workload.SHAPES:
        made = workload.operations(count, shape)
        stream, part = WORK / f"{shape}.txt", WORK / f"{shape}-core.txt"
        workload.write(made, stream)
        workload.write(made[: count // CORE_SHARE], part)
        best: dict[str, dict[str, float]] = {}
        for _ in range(rounds):
            for name, (command, env) in found.items():
                if name.startswith("core") and shape != "steady":
                    continue
                once = run(command, env, part if name.startswith("core") else stream)
                if name not in best or once["per_second"] > best[name]["per_second"]:
                    best[name] = once
        result[shape] = {
            name: {"per_second": round(each["per_second"]), "fills": each["fills"]} for name, each in best.items()
        }
    memory = WORK / "growing-core.txt"
    result["bytes_per_resting_order"] = {
        name: round(run(*ours("memory", path), memory)["bytes_per_order"])
        for name, path in (("interpreted", ROOT), ("compiled", COMPILED))
        if path.exists()
    }
    return result


def show(result: dict[str, object]) -> None:
    """Tables with ratios to each reference."""
    for shape in workload.SHAPES:
        rows = result[shape]
        assert isinstance(rows, dict)
        peers = [name for name in rows if not name.startswith(("core", "book"))]
        sys.stdout.write(
            f"\n{shape}, {result['operations']} operations" + "".join(f" | x {peer}" for peer in peers) + "\n"
        )
        for name, row in rows.items():
            ratios = "".join(f" | {row['per_second'] / rows[peer]['per_second']:8.2f}" for peer in peers)
            sys.stdout.write(f"  {name:28} {row['per_second']:12,}/s, {row['fills']:8} fills{ratios}\n")
    sys.stdout.write(f"\nbytes per resting order: {result['bytes_per_resting_order']}\n")
    if result["missing"]:
        sys.stdout.write(f"not measured: {result['missing']}\n")


def main() -> None:
    """Measures, shows, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--no-write", action="store_true", help="leave bench/results/matching.json as it is")
    options = parser.parse_args()
    result = measure(options.operations, options.rounds)
    show(result)
    if not options.no_write:
        RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
