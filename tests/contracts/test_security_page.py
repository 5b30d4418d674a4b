# SPDX-License-Identifier: AGPL-3.0-only
"""docs/security.md says only what is so: every case has a test or a reason why not, every file it names exists."""

import json
import re

from tests.support.build import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text()
ON_CHAIN = range(1, 84)


def _sources(*folders: str) -> str:
    return "\n".join(path.read_text() for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))


def test_every_attack_case_has_a_test_or_a_reason() -> None:
    tested = {int(number) for number in re.findall(r"def test_(\d\d)_", _sources("tests/attacks", "tests/contracts"))}
    excused = {int(number) for number in re.findall(r"^\| (\d\d) ", PAGE, re.MULTILINE)}
    assert not tested & excused
    assert tested | excused >= set(ON_CHAIN), f"no test and no reason: {set(ON_CHAIN) - tested - excused}"


def test_every_invariant_is_checked() -> None:
    checked = set(re.findall(r"\bI(\d+)\b", _sources("tests/invariant")))
    assert checked >= {str(number) for number in range(1, 17)}


def test_every_file_it_names_is_there() -> None:
    named = re.findall(r"`((?:tests|docs|bench)/[\w./-]+)`", PAGE)
    assert len(named) > 30
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_test_it_names_is_there() -> None:
    named = re.findall(r"`((?:tests|web)/[\w./-]+)::([^`]+)`", PAGE)
    assert len(named) > 25
    missing = []
    for path, name in named:
        text = (ROOT / path).read_text() if (ROOT / path).exists() else ""
        if (f"def {name}(" if path.endswith(".py") else f'describe("{name}"') not in text:
            missing.append(f"{path}::{name}")
    assert missing == []


def test_its_figures_are_those_of_the_results() -> None:
    coverage, mutation = (
        json.loads((ROOT / "bench" / "results" / f"{name}.json").read_text()) for name in ("coverage", "mutation")
    )
    assert f"{coverage['percent']:g} % of the {coverage['lines']:,} statements" in PAGE
    assert f"{mutation['score_percent']} % of {mutation['mutants']:,} drawn at random" in PAGE
