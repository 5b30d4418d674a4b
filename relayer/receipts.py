# SPDX-License-Identifier: AGPL-3.0-only
"""Signs the journal's head once per group, and gives receipts for the newest records.

The signature is made in the journal's writer thread, after the group is on disk and before anybody hears of it: the
next group gathers meanwhile, so that under load one signature serves hundreds of orders.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

from coincurve import PrivateKey

from ouro import eip712
from ouro.eip712 import Domain
from ouro.merkle import Tree
from ouro.receipts import Receipt
from relayer.journal import SealedGroup
from relayer.logs import logger

log = logger("receipts")

KEPT_RECORDS = 16_384


class HeadSigner(Protocol):
    """Whoever signs heads: fast enough for every group, so a key of this process, or of a device next to it."""

    @property
    def address(self) -> str:
        """Checksummed; what `/v4/config` announces."""

    def sign(self, digest: bytes) -> bytes:
        """r ‖ s ‖ v, 65 bytes. Called from the writer thread; may raise, then there are no receipts for that group."""


class LocalHeadSigner:
    """A key in memory."""

    def __init__(self, key: bytes) -> None:
        """`key` has 32 bytes; raises ValueError when it is no key."""
        self._key = PrivateKey(key)
        self._address = eip712.recover(bytes(32), self.sign(bytes(32)))

    @property
    def address(self) -> str:
        """Checksummed."""
        return self._address

    def sign(self, digest: bytes) -> bytes:
        """r ‖ s ‖ v, 65 bytes."""
        recoverable = self._key.sign_recoverable(digest, hasher=None)
        return recoverable[:64] + bytes((27 + recoverable[64],))


class _Signed:
    """A group on disk whose head is signed."""

    def __init__(self, group: SealedGroup, records: Sequence[bytes], signature: bytes) -> None:
        self.group = group
        self.records = records
        self.signature = signature

    @cached_property
    def tree(self) -> Tree:
        return Tree(self.group.leaves)


class Receipts:
    """The newest signed groups; written by the writer thread, read by the event loop."""

    def __init__(self, domain: Domain, signer: HeadSigner, *, kept_records: int = KEPT_RECORDS) -> None:
        self._domain = domain
        self._signer = signer
        self._kept_records = kept_records
        self._lock = threading.Lock()
        self._groups: list[_Signed] = []
        self._first_seqs: list[int] = []
        self._records = 0

    @property
    def signer(self) -> str:
        """The address whose signature receipts carry."""
        return self._signer.address

    def seal(self, group: SealedGroup, records: Sequence[bytes]) -> None:
        """Signs the head after a group that is on disk. A signer that fails costs its receipts, nothing else."""
        try:
            signature = self._signer.sign(eip712.head_digest(self._domain, group.last_seq, group.head))
        except Exception as error:  # noqa: BLE001  (the journal must go on whatever a signer does)
            log.error("head_not_signed", seq=group.last_seq, error=repr(error))
            return
        with self._lock:
            self._groups.append(_Signed(group, records, signature))
            self._first_seqs.append(group.first_seq)
            self._records += group.count
            # A quarter more than wanted, to trim seldom.
            if self._records > self._kept_records + self._kept_records // 4:
                self._trim()

    def of(self, seq: int) -> Receipt | None:
        """The receipt for a record with the record itself; None when it is not among the newest."""
        with self._lock:
            at = bisect_right(self._first_seqs, seq) - 1
            if at < 0 or seq > self._groups[at].group.last_seq:
                return None
            signed = self._groups[at]
        group = signed.group
        index = seq - group.first_seq
        return Receipt(
            seq=seq,
            leaf=group.leaves[index],
            first_seq=group.first_seq,
            count=group.count,
            path=signed.tree.path(index),
            state_hash=group.state_hash,
            before=group.before,
            signature=signed.signature,
            record=signed.records[index],
        )

    def _trim(self) -> None:
        dropped = 0
        while self._records > self._kept_records and dropped < len(self._groups) - 1:
            self._records -= self._groups[dropped].group.count
            dropped += 1
        del self._groups[:dropped]
        del self._first_seqs[:dropped]
