# SPDX-License-Identifier: AGPL-3.0-only
"""What an audit found: what is proven, what is not, and what is wrong."""

from __future__ import annotations

import msgspec

MOST_FINDINGS = 1_000


class Finding(msgspec.Struct, frozen=True, rename="camel"):
    """Something that cannot be: in record `first`, or in one of `first` to `last` when nothing says in which.

    `check` is the question that was asked, `kind` the record's kind (empty for a range).
    """

    first: int
    last: int
    check: str
    kind: str
    expected: str
    found: str

    def sentence(self) -> str:
        """For people."""
        one = self.first == self.last
        where = f"record {self.first}" if one else f"one of the records {self.first} to {self.last}"
        kind = f" ({self.kind})" if self.kind and one else ""
        return f"{where}{kind}: {self.check}: expected {self.expected}; found {self.found}"


class Report:
    """Filled in while an audit runs."""

    def __init__(self) -> None:
        self.records = 0
        self.groups = 0
        self.first_seq = 0
        self.about = ""
        self.proven: list[str] = []
        self.unproven: list[str] = []
        self.findings: list[Finding] = []
        self.proven_up_to = 0
        """The last record that an anchor or a receipt, outside the operator's hands, vouches for."""

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    @property
    def first_wrong(self) -> Finding | None:
        """The finding that puts the first wrong record earliest; of several the one that points to the fewest."""
        return min(self.findings, key=_earliest, default=None)

    def wrong(self, first: int, check: str, expected: str, found: str, *, last: int = 0, kind: str = "") -> None:
        """Notes a finding; from some number on only counted by what stands there already."""
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(Finding(first, max(first, last), check, kind, expected, found))

    def wrong_since_proven(self, last: int, check: str, expected: str, found: str) -> None:
        """Something up to record `last` is wrong, behind what an anchor or a receipt vouched for."""
        self.wrong(min(self.proven_up_to + 1, last), check, expected, found, last=last)

    def vouched(self, seq: int) -> None:
        """Everything up to `seq` is what somebody else has a word for."""
        self.proven_up_to = max(self.proven_up_to, seq)

    def text(self) -> str:
        """The whole report for people."""
        lines = [f"journal     {self.about}"]
        lines += _block("proven", self.proven if self.passed else [])
        lines += _block("not proven", self.unproven)
        first = self.first_wrong
        if first is None:
            lines.append("nothing is wrong with what could be checked")
            return "\n".join(lines)
        lines += _block("WRONG", [first.sentence()])
        others = sorted((each for each in self.findings if each is not first), key=_earliest)
        lines += _block("also", [each.sentence() for each in others[:9]])
        if len(others) > 9:
            lines.append(f"            and {len(others) - 9} more; most follow from the first")
        return "\n".join(lines)

    def json(self) -> bytes:
        """The whole report for programs."""
        return msgspec.json.encode(
            {
                "passed": self.passed,
                "journal": self.about,
                "firstSeq": self.first_seq,
                "records": self.records,
                "groups": self.groups,
                "provenUpTo": self.proven_up_to,
                "proven": self.proven if self.passed else [],
                "notProven": self.unproven,
                "firstWrong": self.first_wrong,
                "findings": self.findings,
            }
        )


def _earliest(finding: Finding) -> tuple[int, int]:
    return finding.last, -finding.first


def _block(title: str, lines: list[str]) -> list[str]:
    return [f"{title if at == 0 else '':<12}{line}" for at, line in enumerate(lines)]
