# SPDX-License-Identifier: AGPL-3.0-only
"""A core that follows a journal, whoever writes it: restarts, followers and audits see the same states by this code."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256

import msgspec

from relayer.core import CORE_VERSION, Core, CoreConfig, inputs
from relayer.core.inputs import Input
from relayer.core.outputs import Output
from relayer.journal import (
    Group,
    Identity,
    JournalDivergedError,
    JournalMismatchError,
    SegmentHeader,
    Snapshot,
    SnapshotDamagedError,
    Snapshots,
    identity_hash,
)

Told = Callable[[Input, list[Output]], None]


class Replica:
    """A core, the identity of the journal that it follows, and where it stands in it."""

    def __init__(self, identity: Identity, core: Core | None = None) -> None:
        """Raises JournalMismatchError when this program's core is not the one of the journal."""
        _check_version(identity)
        self.identity = identity
        self.core = core or Core(config_of(identity))

    @classmethod
    def load(cls, identity: Identity, snapshots: Snapshots, snapshot: Snapshot) -> Replica:
        """The state of a snapshot. Raises SnapshotDamagedError, JournalMismatchError."""
        _check_version(identity)
        state = snapshots.load(snapshot)
        try:
            with without_collector():
                core = Core.restore(config_of(identity), state)
        except ValueError as error:
            raise SnapshotDamagedError(f"{snapshot.name}: {error}") from error
        if (core.input_seq, core.trail_hash()) != (snapshot.seq, snapshot.trail):
            raise SnapshotDamagedError(f"{snapshot.name}: the state is not the one that its header tells of")
        return cls(identity, core)

    def follow(self, item: SegmentHeader | Group, told: Told = lambda _input, _outputs: None) -> int:
        """Takes the next item of a journal; answers the number of its records. `told` hears each input and what came
        of it.

        Raises JournalDivergedError, at the group after which the state is not the recorded one, and
        JournalMismatchError at a segment of another core version.
        """
        if isinstance(item, SegmentHeader):
            self._begin(item)
            return 0
        core = self.core
        for record in item.records:
            known = inputs.decode(record)
            told(known, core.apply(known))
        if core.trail_hash() != item.state_hash:
            raise JournalDivergedError(item.last_seq)
        return len(item.records)

    def _begin(self, header: SegmentHeader) -> None:
        if header.identity == self.identity:
            return
        _check_version(header.identity)
        if header.first_seq > 1:
            state = self.core.dump()
            if sha256(state).digest() != header.snapshot:
                raise JournalDivergedError(header.first_seq - 1)
            self.core = Core.restore(config_of(header.identity), state)
        else:
            self.core = Core(config_of(header.identity))
        self.identity = header.identity

    def snapshot(self, head: bytes) -> tuple[Snapshot, bytes]:
        """A snapshot of where it stands; `head` is the journal's there."""
        with without_collector():
            state = self.core.dump()
        return snapshot_of(self.core, self.identity, head, state), state


def snapshot_of(core: Core, identity: Identity, head: bytes, state: bytes) -> Snapshot:
    """What the snapshot of a core's `state` says of itself."""
    return Snapshot(
        core_version=CORE_VERSION,
        identity=identity_hash(identity),
        seq=core.input_seq,
        head=head,
        trail=core.trail_hash(),
        event_seq=core.seq,
        state_hash=sha256(state).digest(),
        state_bytes=len(state),
    )


def config_of(identity: Identity) -> CoreConfig:
    """The core's configuration under which a journal was written."""
    return msgspec.json.decode(identity.config, type=CoreConfig)


@contextmanager
def without_collector() -> Iterator[None]:
    """Millions of objects come to stay: looking through them for garbage would take most of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _check_version(identity: Identity) -> None:
    if identity.core_version != CORE_VERSION:
        raise JournalMismatchError(
            f"the journal was written by core version {identity.core_version}, this program has {CORE_VERSION}: run "
            "`ouro relayer snapshot` with the version that wrote it, then start this one"
        )
