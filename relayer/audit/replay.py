# SPDX-License-Identifier: AGPL-3.0-only
"""Does the matching core, told the same, come to the same results?

An audit runs each segment with the core version that wrote it. This program has one of them; of segments by another it
says so and proves the rest.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ouro import addresses
from relayer.audit.report import Report
from relayer.audit.source import ReadGroup
from relayer.core import CORE_VERSION, Core, CoreConfig, InputRefusedError
from relayer.core.inputs import AnyCancel, Input, Place
from relayer.core.outputs import Output
from relayer.journal import Snapshots
from relayer.journal.format import Mark, SegmentHeader
from relayer.journal.snapshots import SnapshotDamagedError

Cores = dict[int, type[Core]]
CORES: Cores = {CORE_VERSION: Core}


class Replay:
    """A core that follows the journal for as long as it can."""

    def __init__(self, report: Report, cores: Cores, snapshots: Snapshots | None) -> None:
        """`snapshots` are for a journal whose beginning is gone: the core starts from the first that is in it."""
        self._report = report
        self._cores = cores
        self._snapshots = {} if snapshots is None else {each.mark: each for each in snapshots.all()}
        self._folder = snapshots
        self._version = 0
        self._diverged = False
        self.core: Core | None = None
        self.groups = 0
        self.stopped = ""
        """Why the core does not follow, and since when; empty while it does."""

    def begin(self, header: SegmentHeader, config: CoreConfig | None, *, is_new: bool) -> None:
        """Goes on to the next segment; `config` is None when it cannot be read."""
        version = header.identity.core_version
        known = self._cores.get(version)
        if known is None or config is None:
            known_ones = ", ".join(map(str, self._cores))
            self._stop(f"records from {header.first_seq} on: core version {version}, this program has {known_ones}")
        elif header.first_seq == 1:
            self.core = known(config)
        elif self.core is None:
            if not self._snapshots:
                self._stop(f"records from {header.first_seq} on: the state before them is not known (see --snapshots)")
        elif is_new:
            self._continue(header, known, config)
        self._version = version

    def adopt(self, mark: Mark, header: SegmentHeader, config: CoreConfig | None) -> None:
        """Starts from a snapshot of the state at `mark`, if nothing is replayed yet and there is one."""
        found = self._snapshots.get(mark) if self.core is None and not self.stopped else None
        known = self._cores.get(header.identity.core_version)
        if found is None or known is None or config is None or self._folder is None:
            return
        try:
            self.core = known.restore(config, self._folder.load(found))
        except (SnapshotDamagedError, ValueError):
            return
        self._version = header.identity.core_version
        self._report.unproven.append(f"the state after record {mark.seq}, which is taken from a snapshot")

    def _continue(self, header: SegmentHeader, known: type[Core], config: CoreConfig) -> None:
        """Under another identity the core starts anew from the state that it had."""
        assert self.core is not None
        if header.identity.core_version != self._version:
            self._stop(f"records from {header.first_seq} on: another core version begins with a state of its own")
            return
        found = self.core.state_hash()
        if found != header.snapshot:
            self._report.wrong(
                header.first_seq,
                "does the segment start from the state that the one before it left?",
                f"state 0x{found.hex()}",
                f"0x{header.snapshot.hex()}",
            )
        self.core = known.restore(config, self.core.dump())

    def apply(self, seq: int, item: Input) -> Sequence[Output]:
        """What the core says to one input; nothing when it does not follow."""
        core = self.core
        if core is None:
            return ()
        self._may_sign(core, seq, item)
        try:
            return core.apply(item)
        except InputRefusedError as error:
            found = str(error)
        except Exception as error:  # noqa: BLE001  (a journal that somebody made up may break anything)
            found = repr(error)
        follows = "an input that follows from those before it"
        self._report.wrong(seq, "can the core take it?", follows, found, kind=kind_of(item))
        self._stop(f"records from {seq} on: the core cannot take that one")
        return ()

    def _may_sign(self, core: Core, seq: int, item: Input) -> None:
        """The relayer asks this before it writes a command down."""
        if isinstance(item, Place):
            account = addresses.checksum(item.terms[:20])
        elif isinstance(item, AnyCancel):
            account = item.account
        else:
            return
        if not core.may_sign(account, item.signer):
            expected = f"{account} or a session key of it"
            self._report.wrong(seq, "may its signer speak for the account?", expected, item.signer, kind=kind_of(item))

    def end(self, group: ReadGroup) -> None:
        """Compares the state after a group."""
        if self.core is None or self._diverged:
            return
        if self.core.trail_hash() != group.state_hash:
            self._report.wrong(
                group.first_seq,
                "do the same inputs give the same results?",
                f"results 0x{self.core.trail_hash().hex()}",
                f"0x{group.state_hash.hex()}",
                last=group.last_seq,
            )
            # The hash runs through everything: from here on it can only differ.
            self._diverged = True
        self.groups += 1

    def hidden(self, seq: int) -> None:
        """A record that is not shown: nothing after it can be replayed."""
        if self.core is not None:
            self._stop(f"records from {seq} on: that one is an open conditional order, of which only the hash is shown")

    def _stop(self, reason: str) -> None:
        self.core = None
        if not self.stopped:
            self.stopped = reason


def config_of(header: SegmentHeader) -> CoreConfig | None:
    """The configuration in a segment's header; None when this program does not know its form."""
    try:
        return msgspec.json.decode(header.identity.config, type=CoreConfig)
    except (msgspec.DecodeError, ValueError):
        return None


def kind_of(item: Input) -> str:
    """The record's tag."""
    return str(type(item).__struct_config__.tag)
