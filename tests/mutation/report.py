# SPDX-License-Identifier: AGPL-3.0-only
"""What a campaign found: the score, the survivors, and the page on which each survivor is explained by hand."""

import difflib
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.mutation.campaign import Result
from tests.mutation.mutants import Verdict
from tests.mutation.operators import Mutant

Pairs = list[tuple[Mutant, Result]]
HEAD = """# Mutants that no test kills

Each entry is a small error that was put into a contract without any test noticing (see [testing.md](testing.md)). What
follows the difference is written by hand and says why that is no gap: the change is equivalent (nothing anyone can
observe differs), or it is a gap that is accepted, and why. An entry without it has yet to be judged.

`make mutation` adds what is new, keeps what is written, and drops what is killed by now.
"""
UNJUDGED = "Not judged yet."


def score(pairs: Iterable[tuple[Mutant, Result]]) -> dict[str, Any]:
    """Of those that count; the percentage rounded down, so that 100 means all."""
    verdicts = Counter(result.verdict for _, result in pairs if result.verdict.counts)
    counted = sum(verdicts.values())
    noticed = sum(number for verdict, number in verdicts.items() if verdict.is_noticed)
    return {
        "mutants": counted,
        "killed": verdicts[Verdict.KILLED],
        "timed_out": verdicts[Verdict.TIMED_OUT],
        "survived": verdicts[Verdict.SURVIVED],
        "uncovered": verdicts[Verdict.UNCOVERED],
        "score_percent": noticed * 10_000 // counted / 100 if counted else None,
    }


def grouped(pairs: Pairs, key: str) -> dict[str, dict[str, Any]]:
    names = sorted({getattr(mutant, key) for mutant, result in pairs if result.verdict.counts})
    return {name: score(pair for pair in pairs if getattr(pair[0], key) == name) for name in names}


def survivors(pairs: Pairs) -> list[Mutant]:
    alive = [mutant for mutant, result in pairs if result.verdict in (Verdict.SURVIVED, Verdict.UNCOVERED)]
    return sorted(alive, key=lambda mutant: (mutant.file, mutant.start, mutant.new))


def difference(mutant: Mutant, source: bytes) -> str:
    """The lines that change, without the unchanged around them."""
    before, after = (text.decode().splitlines() for text in (source, mutant.applied(source)))
    lines = list(difflib.unified_diff(before, after, lineterm="", n=0))[3:]
    return "\n".join(lines)


def result(pairs: Pairs, sources: dict[str, bytes], seed: int, sample: int | None, possible: int) -> dict[str, Any]:
    """What is committed."""
    discarded = Counter(str(result.verdict) for _, result in pairs if not result.verdict.counts)
    return {
        "seed": seed,
        "sample": sample,
        "possible_mutants": possible,
        **score(pairs),
        "discarded": dict(sorted(discarded.items())),
        "files": grouped(pairs, "file"),
        "operators": grouped(pairs, "operator"),
        "survivors": [
            {
                "id": mutant.id,
                "place": f"{mutant.file}:{mutant.line}",
                "function": mutant.function,
                "operator": mutant.operator,
                "difference": difference(mutant, sources[mutant.file]).splitlines(),
            }
            for mutant in survivors(pairs)
        ],
    }


def table(pairs: Pairs) -> str:
    groups = grouped(pairs, "file") | {"all": score(pairs)}
    width = max(len(name) for name in groups)
    rows = [f"{'file':<{width}}  mutants  killed  survived  score"]
    for name, entry in groups.items():
        noticed, alive = entry["killed"] + entry["timed_out"], entry["survived"] + entry["uncovered"]
        rows.append(f"{name:<{width}}  {entry['mutants']:7}  {noticed:6}  {alive:8}  {entry['score_percent']} %")
    return "\n".join(rows)


def costs(pairs: Pairs) -> str:
    """Where the time went."""
    done = [result for _, result in pairs if result.verdict is not Verdict.TIMED_OUT]
    tested = [result for result in done if result.tests]
    build = sum(result.compile_ms for result in done) / max(1, len(done)) / 1000
    test = sum(result.test_ms for result in tested) / max(1, len(tested)) / 1000
    return f"on average {build:.1f} s to compile a mutant and {test:.1f} s to test one that has other code"


# The page of survivors


def heading(mutant: Mutant) -> str:
    """Of an entry: the line may move without the entry's becoming another."""
    return f"## `{mutant.file}`, `{mutant.function}`: {mutant.operator}"


def explanations(page: str) -> dict[tuple[str, str], str]:
    """What is written by hand, by heading and difference without line numbers."""
    found = {}
    for entry in re.split(r"(?m)^(?=## )", page)[1:]:
        match = re.fullmatch(r"(## [^\n]*)\n.*?```diff\n(.*?)\n```\n(.*)", entry, re.DOTALL)
        if match is not None:
            text = match[3].strip()
            found[match[1], match[2]] = "" if text == UNJUDGED else text
    return found


def page(alive: list[Mutant], sources: dict[str, bytes], old: str, tried: set[str]) -> tuple[str, int]:
    """The new page and how many entries are without an explanation.

    Entries of mutants that were not in this campaign (`tried` holds the headings and differences that were) stay.
    """
    known = explanations(old)
    kept: dict[tuple[str, str], tuple[str, str]] = {}
    lines = {match[1]: match[2] for match in re.finditer(r"(?m)^(## [^\n]*)\n+(Line \d+)", old)}
    for (title, change), text in known.items():
        if f"{title}\n{change}" not in tried:
            kept[title, change] = (lines.get(title, ""), text)
    for mutant in alive:
        key = heading(mutant), _change(mutant, sources)
        kept[key] = (f"Line {mutant.line}", known.get(key, ""))
    entries = [
        f"{title}\n\n{line}\n\n```diff\n{change}\n```\n\n{text or UNJUDGED}\n"
        for (title, change), (line, text) in sorted(kept.items())
    ]
    unjudged = sum(not text for _, text in kept.values())
    return "\n".join([HEAD, *entries]), unjudged


def _change(mutant: Mutant, sources: dict[str, bytes]) -> str:
    lines = difference(mutant, sources[mutant.file]).splitlines()
    return "\n".join(line for line in lines if not line.startswith("@@"))


def identity(mutant: Mutant, sources: dict[str, bytes]) -> str:
    return f"{heading(mutant)}\n{_change(mutant, sources)}"


def write_page(path: Path, pairs: Pairs, sources: dict[str, bytes]) -> int:
    """How many survivors are without an explanation."""
    tried = {identity(mutant, sources) for mutant, _ in pairs}
    old = path.read_text() if path.exists() else ""
    text, unjudged = page(survivors(pairs), sources, old, tried)
    path.write_text(text)
    return unjudged
