# SPDX-License-Identifier: AGPL-3.0-only
"""The locks: exact, hashed, free of addresses, and complete for what pyproject.toml asks."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def entries(lock: Path) -> list[str]:
    """Each locked requirement as one logical line."""
    text = re.sub(r"\s*\\\n\s*", " ", lock.read_text())
    return [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]


def pins(lock: Path) -> dict[str, str]:
    """Name to version of a lock."""
    found: dict[str, str] = {}
    for entry in entries(lock):
        requirement = Requirement(entry.split(" --hash", 1)[0])
        [pin] = requirement.specifier
        assert pin.operator == "=="
        found[str(canonicalize_name(requirement.name))] = pin.version
    return found


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_entry_is_pinned_and_hashed(lock: Path) -> None:
    assert entries(lock)
    for entry in entries(lock):
        assert re.fullmatch(r"[a-zA-Z0-9._-]+(\[[a-z,]+\])?==\S+( ; .*?)?( --hash=sha256:[0-9a-f]{64})+", entry), entry


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_no_address_and_no_path_of_a_machine(lock: Path) -> None:
    assert not re.search(r"https?://|file:|--index|--find-links|-r /|@ ", lock.read_text())


def required(*groups: list[str]) -> list[Requirement]:
    return [Requirement(text) for group in groups for text in group]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (
            "dev.txt",
            required(
                PROJECT["project"]["dependencies"],
                PROJECT["project"]["optional-dependencies"]["services"],
                PROJECT["project"]["optional-dependencies"]["deploy"],
                PROJECT["dependency-groups"]["dev"],
            ),
        ),
        (
            "services.txt",
            required(PROJECT["project"]["dependencies"], PROJECT["project"]["optional-dependencies"]["services"]),
        ),
    ],
)
def test_the_lock_fulfils_the_project(name: str, wanted: list[Requirement]) -> None:
    locked = pins(ROOT / "requirements" / name)
    for requirement in wanted:
        version = locked[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version, prereleases=True), f"{requirement}: {version}"


def test_services_run_on_the_versions_that_are_tested() -> None:
    tested = pins(ROOT / "requirements" / "dev.txt")
    assert {name: tested[name] for name in pins(ROOT / "requirements" / "services.txt")} == pins(
        ROOT / "requirements" / "services.txt"
    )
