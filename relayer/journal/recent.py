# SPDX-License-Identifier: AGPL-3.0-only
"""The newest groups on disk, without their records: enough to prove any record that was just acknowledged."""

from __future__ import annotations

import threading
from bisect import bisect_right
from itertools import accumulate

from relayer.journal.format import SealedGroup

KEPT_RECORDS = 65_536


class RecentGroups:
    """A bounded table, written by the writer thread and read by any. Older groups are read from their segment."""

    def __init__(self, kept_records: int = KEPT_RECORDS) -> None:
        self._kept_records = kept_records
        self._lock = threading.Lock()
        self._groups: list[SealedGroup] = []
        self._first_seqs: list[int] = []
        self._records = 0

    def add(self, group: SealedGroup) -> None:
        """Takes the next group; drops the oldest ones beyond the bound (and a quarter more, to do so seldom)."""
        with self._lock:
            self._groups.append(group)
            self._first_seqs.append(group.first_seq)
            self._records += group.count
            if self._records > self._kept_records + self._kept_records // 4:
                self._trim()

    def find(self, seq: int) -> SealedGroup | None:
        """The group of a record; None when it is not among the newest."""
        with self._lock:
            at = bisect_right(self._first_seqs, seq) - 1
            if at < 0 or seq > self._groups[at].last_seq:
                return None
            return self._groups[at]

    def _trim(self) -> None:
        totals = accumulate(group.count for group in self._groups)
        extra = self._records - self._kept_records
        dropped = min(sum(1 for total in totals if total <= extra), len(self._groups) - 1)
        self._records -= sum(group.count for group in self._groups[:dropped])
        del self._groups[:dropped]
        del self._first_seqs[:dropped]
