# SPDX-License-Identifier: AGPL-3.0-only
"""The set-up's decisions, with small stand-ins for what a machine may have on its PATH."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stack import bootstrap

ROOT = Path(__file__).resolve().parents[2]


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH that holds nothing yet, and empty folders for what the set-up makes."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(bootstrap, "TOOLS", str(tmp_path / "tools"))
    monkeypatch.setattr(bootstrap, "VENV", str(tmp_path / "venv"))
    return tmp_path


def test_without_a_fitting_python_it_says_which_and_how(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "SUPPORTED", ((3, 99),))
    executable(machine / "bin" / "python3.99", "exit 127")  # a version manager's shim without the version
    with pytest.raises(bootstrap.SetupError, match=r"(?s)needs Python 3\.11 or 3\.12.*make PYTHON="):
        bootstrap.ensure_python()


def test_it_goes_on_with_a_fitting_python_on_path(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executable(machine / "bin" / "python3.99", "echo 3.99")
    monkeypatch.setattr(bootstrap, "SUPPORTED", ((3, 99),))
    started: list[str] = []
    monkeypatch.setattr(os, "execv", lambda path, _: started.append(path))
    with pytest.raises(bootstrap.SetupError):  # a real execv does not return
        bootstrap.ensure_python()
    assert started == [str(machine / "bin" / "python3.99")]


def test_an_anvil_on_path_is_linked_instead_of_fetched(machine: Path) -> None:
    own = executable(machine / "bin" / "anvil", "echo 'anvil Version: 1.2.3-stable'")
    bootstrap.install_anvil()
    assert (machine / "tools" / "bin" / "anvil").readlink() == own


def test_an_anvil_that_is_too_old_or_broken_is_passed_over(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executable(machine / "bin" / "anvil", "echo 'anvil 0.2.0 (abc)'")
    executable(machine / "more" / "anvil", "exit 1")
    monkeypatch.setenv("PATH", f"{machine / 'bin'}:{machine / 'more'}")
    executable(machine / "more" / "npm", "exit 9")
    with pytest.raises(bootstrap.SetupError, match=r"exit 9.*@foundry-rs/anvil-"):
        bootstrap.install_anvil()


@pytest.mark.parametrize(
    ("printed", "version"),
    [("anvil Version: 1.7.1", "1.7.1"), ("anvil 0.2.0 (abc 2024)", "0.2.0"), ("", None)],
)
def test_the_version_is_read_from_either_form(machine: Path, printed: str, version: str | None) -> None:
    assert bootstrap.anvil_version(str(executable(machine / "bin" / "anvil", f"echo '{printed}'"))) == version


def test_a_changed_binary_is_refused(machine: Path) -> None:
    binary = executable(machine / "anvil", "echo not anvil")
    with pytest.raises(bootstrap.SetupError, match="not the expected one"):
        bootstrap.check_anvil_digest(str(binary), "linux-amd64")
    bootstrap.check_anvil_digest(str(binary), "darwin-arm64")  # npm's own integrity check has to do there


def test_an_environment_of_another_place_is_not_used(machine: Path) -> None:
    home = machine / "venv"
    major, minor = sys.version_info[:2]
    executable(home / "bin" / "python", f"echo {major}.{minor}")
    assert bootstrap.reusable(str(home))
    (home / "bin" / "ouro").write_text("#!/elsewhere/.venv/bin/python\n")
    assert not bootstrap.reusable(str(home))
    (home / "bin" / "ouro").write_text(f"#!{home}/bin/python\n")
    assert bootstrap.reusable(str(home))
    executable(home / "bin" / "python", "echo 3.9")
    assert not bootstrap.reusable(str(home))


def test_its_own_folders_do_not_count_as_the_machines(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executable(machine / "venv" / "bin" / "uv", "exit 0")
    monkeypatch.setenv("PATH", f"{machine / 'venv' / 'bin'}:{machine / 'bin'}")
    assert bootstrap.find_all("uv") == []


def test_it_needs_no_package() -> None:
    """It runs where nothing is installed."""
    code = "import sys; sys.path.insert(0, 'stack'); import bootstrap; print(bootstrap.ANVIL_VERSION)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == bootstrap.ANVIL_VERSION
