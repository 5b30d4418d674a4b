# SPDX-License-Identifier: AGPL-3.0-only
"""Every source file says under which licence it is: the SDK Apache-2.0, all else AGPL-3.0-only."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SUFFIXES = {".py", ".vy", ".vyi", ".ts", ".tsx", ".mjs", ".js", ".css"}


def sources() -> list[Path]:
    """Source files of the folders that hold code."""
    folders = ("ouro", "relayer", "indexer", "keeper", "stack", "contracts", "scripts", "bench", "tests")
    folders += ("web/src", "web/test", "web/tools", "web/public")
    built = ROOT / "indexer" / "app"
    found = [path for name in folders for path in sorted((ROOT / name).rglob("*")) if path.suffix in SUFFIXES]
    return [path for path in found if built not in path.parents]


def expected(path: Path) -> str:
    return "Apache-2.0" if path.relative_to(ROOT).parts[0] == "ouro" else "AGPL-3.0-only"


def test_every_source_file_names_its_licence() -> None:
    wrong = []
    for path in sources():
        head = path.read_text().splitlines()[:3]
        if path.stat().st_size and not any(f"SPDX-License-Identifier: {expected(path)}" in line for line in head):
            wrong.append(str(path.relative_to(ROOT)))
    assert wrong == []


@pytest.mark.parametrize(
    ("path", "title"),
    [("LICENSE", "GNU AFFERO GENERAL PUBLIC LICENSE"), ("ouro/LICENSE", "Apache License")],
)
def test_the_licence_texts_are_here(path: str, title: str) -> None:
    text = (ROOT / path).read_text()
    assert text.lstrip().startswith(title)
    assert len(text) > 10_000


def test_the_continuous_integration_script_can_run() -> None:
    subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")], check=True)
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
