# SPDX-License-Identifier: AGPL-3.0-only
"""A plain install is the SDK and the trader's command line, with none of the services' packages.

The wheel is built and put into an empty environment together with exactly the packages that its metadata asks for,
linked from this one, so the test needs no network.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("ouro", "relayer", "indexer", "keeper", "stack")


def requirements(found: Distribution, extras: frozenset[str]) -> Iterator[Requirement]:
    """What a distribution needs here, with some of its extras."""
    for text in found.requires or ():
        requirement = Requirement(text)
        wanted = extras or frozenset({""})
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in wanted):
            yield requirement


def closure(name: str) -> set[str]:
    """Names of everything that a plain install of `name` brings."""
    seen: set[tuple[str, frozenset[str]]] = set()
    queue = [(name, frozenset[str]())]
    while queue:
        entry = queue.pop()
        if entry in seen:
            continue
        seen.add(entry)
        queue += [(r.name.lower(), frozenset(r.extras)) for r in requirements(distribution(entry[0]), entry[1])]
    return {found for found, _ in seen}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    vendored = Path(sysconfig.get_paths()["purelib"]) / "setuptools" / "_vendor"
    code = f"from setuptools import build_meta; build_meta.build_wheel({str(target)!r})"
    subprocess.run(
        [sys.executable, "-c", code],
        cwd=source,
        env={**os.environ, "PYTHONPATH": str(vendored)},
        check=True,
        capture_output=True,
    )
    [built] = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def plain(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the wheel and its plain dependencies."""
    home = tmp_path_factory.mktemp("plain")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    packages = home / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    for name in closure("ouro") - {"ouro"}:
        found = distribution(name)
        for top in {file.parts[0] for file in found.files or () if file.parts[0] != ".."} - {"__pycache__"}:
            link = packages / top
            if not link.exists():
                link.symlink_to(Path(str(found.locate_file(top))))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    return home / "bin" / "python"


def run(python: Path, code: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([python, "-I", "-c", code], capture_output=True, text=True)


def test_the_sdk_imports_and_signs(plain: Path) -> None:
    code = (
        "import ouro.client, ouro.cli.main, ouro.abi, ouro.eip712, ouro.orders, ouro.codec, ouro.events\n"
        "import ouro.ledger, ouro.maths.margin, ouro.deployment\n"
        "from eth_account import Account\n"
        "print(len(ouro.abi.load('Exchange')) > 10, Account.from_key('0x' + '11' * 32).address)"
    )
    done = run(plain, code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True", "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"]


def test_services_packages_are_not_there(plain: Path) -> None:
    for name in ("fastapi", "sqlalchemy", "uvicorn", "ape", "vyper"):
        done = run(plain, f"import {name}")
        assert "ModuleNotFoundError" in done.stderr, name


def test_the_command_line_says_what_a_service_command_needs(plain: Path) -> None:
    start = "import sys; from ouro.cli.main import app; sys.argv = ['ouro', *{arguments}]; app()"
    shown = run(plain, start.format(arguments=["--help"]))
    assert shown.returncode == 0, shown.stderr
    assert "positions" in shown.stdout
    refused = run(plain, start.format(arguments=["indexer", "run"]))
    assert refused.returncode == 2
    assert "ouro[services]" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_wheel_holds_abis_and_app_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {"ouro/abi/Exchange.json", "ouro/abi/Vault.json", "ouro/abi/PushedOracle.json"} <= set(names)
    assert {"indexer/app/index.html", "indexer/app/index.html.br"} <= set(names)
    assert any(name.startswith("indexer/app/assets/") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "scripts/", "bench/"))]
    assert any(name.endswith("licenses/ouro/LICENSE") for name in names)
