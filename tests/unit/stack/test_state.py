# SPDX-License-Identifier: AGPL-3.0-only
"""What `.ouro` may be continued from, and what is refused with the way out."""

from pathlib import Path

import pytest

from stack.state import StateFolder
from stack.supervisor import StackError


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("contracts/Exchange.vy", "contracts/modules/units.vy", "scripts/deploy.py"):
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "project"


@pytest.fixture
def folder(tmp_path: Path, project: Path) -> StateFolder:
    """The state of a stack that was deployed and stopped."""
    folder = StateFolder(tmp_path / "state", project)
    folder.chain.write_text("{}")
    folder.deployment.write_text("{}")
    folder.remember((7, "0xaa"))
    return folder


def test_a_kept_state_is_continued(folder: StateFolder) -> None:
    folder.check_files()
    folder.check_chain((7, "0xaa"))
    assert folder.deployed
    assert folder.seen() == (7, "0xaa")


def test_a_first_start_that_was_interrupted_is_begun_anew(tmp_path: Path, project: Path) -> None:
    folder = StateFolder(tmp_path / "state", project)
    folder.chain.write_text("{}")
    folder.deployment.write_text("{}")
    folder.check_files()
    assert not folder.deployed
    assert not folder.chain.exists()
    assert not folder.deployment.exists()


@pytest.mark.parametrize("block", [None, (7, "0xbb"), (6, "0xaa")])
def test_another_chain_is_refused(folder: StateFolder, block: tuple[int, str] | None) -> None:
    with pytest.raises(StackError, match="make clean"):
        folder.check_chain(block)


@pytest.mark.parametrize("name", ["anvil.json", "deployment.json"])
def test_a_missing_file_is_named(folder: StateFolder, name: str) -> None:
    (folder.path / name).unlink()
    with pytest.raises(StackError, match=f"{name} is missing.*make clean"):
        folder.check_files()


def test_changed_contracts_need_a_new_chain(folder: StateFolder, project: Path) -> None:
    (project / "contracts" / "modules" / "units.vy").write_text("changed")
    with pytest.raises(StackError, match=r"contracts have changed.*make clean"):
        folder.check_files()


def test_one_stack_per_folder(folder: StateFolder, project: Path) -> None:
    folder.lock()
    with pytest.raises(StackError, match=r"already runs .* \(process \d+\)"):
        StateFolder(folder.path, project).lock()
    folder.unlock()
    again = StateFolder(folder.path, project)
    again.lock()
    again.unlock()
