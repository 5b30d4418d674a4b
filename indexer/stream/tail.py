# SPDX-License-Identifier: AGPL-3.0-only
"""Follow the outbox, wherever it is written: letters become updates for whoever listens to this process."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Engine

from indexer import metrics
from indexer.api.params import MAX_PARENT
from indexer.store import outbox
from indexer.store.outbox import PUBLIC, Head, Letter
from indexer.stream.hub import Hub, Stamp, Update
from indexer.stream.keys import FROM_OUTBOX, PARENTS, SUBACCOUNTS, Key

_PAGE = 500
_RENEW_S = 1.0
"""While epoch follows epoch, as in a backfill, listeners begin anew once in this time."""


class _Public(msgspec.Struct):
    updates: list[tuple[str, str, msgspec.Raw]]


_public = msgspec.json.Decoder(_Public)


@dataclass(frozen=True)
class _Read:
    head: Head
    letters: Sequence[Letter]


class Tail:
    """One process's place in the outbox. `poke` after a local commit spares waiting for the next poll."""

    def __init__(self, engine: Engine, hub: Hub, poll_s: float) -> None:
        self._engine = engine
        self._hub = hub
        self._poll_s = poll_s
        self._at = Head("", 0, 0)
        self._poked = asyncio.Event()
        self._renewed_s = 0.0
        self._crowded = False

    async def open(self) -> None:
        """Begin at the newest letter."""
        self._at = await asyncio.to_thread(self._head)

    def poke(self) -> None:
        """There may be something new; call on the event loop."""
        self._poked.set()

    async def run(self, well: Callable[[], None]) -> None:
        """Follow until cancelled; `well` hears of each look. Raises what the database raises, to be called again."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._poked.wait(), self._poll_s)
            self._poked.clear()
            while await self.step():
                pass
            well()

    async def step(self) -> bool:
        """Pass on what is new. Returns whether there is more."""
        # Who comes while letters are read, again and again, must not keep them from those who are there.
        owners = None if self._crowded else self._hub.owners()
        found = await asyncio.to_thread(self._read, owners)
        metrics.outbox_seq.set(found.head.seq)
        if found.head.epoch != self._at.epoch:
            now = time.monotonic()
            if now - self._renewed_s < _RENEW_S:
                return False
            self._renewed_s, self._at = now, found.head
            self._hub.renew(*FROM_OUTBOX)
            return False
        if owners is not None and self._hub.owners() - owners:
            # Somebody came meanwhile, whose letters were not asked for and may be missing in his snapshot. Next time
            # everybody's are read.
            self._crowded = True
            return True
        self._crowded = False
        if self._at.seq < found.head.pruned:
            # Too late: letters are gone before they were read.
            self._at = found.head
            self._hub.renew(*FROM_OUTBOX)
            return False
        for letter in found.letters:
            self._hub.publish(self._updates(letter))
        more = len(found.letters) == _PAGE
        self._at = Head(found.head.epoch, found.letters[-1].seq if more else found.head.seq, 0)
        metrics.outbox_sent.set(self._at.seq)
        return more

    def _updates(self, letter: Letter) -> Iterable[Update]:
        if letter.owner == PUBLIC:
            return _of_public(letter)
        keys = self._hub.keys_of(SUBACCOUNTS, letter.owner, letter.subaccount)
        keys += self._hub.keys_of(PARENTS, letter.owner, letter.subaccount % MAX_PARENT)
        return of_letter(letter, keys)

    def _head(self) -> Head:
        with self._engine.begin() as connection:
            return outbox.head(connection)

    def _read(self, owners: Collection[str] | None) -> _Read:
        """What is new to these owners and to the public; to everybody where there are none."""
        with self._engine.begin() as connection:
            head = outbox.head(connection)
            if head.epoch != self._at.epoch or head.seq == self._at.seq:
                return _Read(head, ())
            asked = None if owners is None else [PUBLIC, *owners]
            return _Read(head, outbox.after(connection, self._at.seq, asked, _PAGE))


def of_letter(letter: Letter, keys: Iterable[Key]) -> list[Update]:
    """An account's letter, as updates for those who listen under these keys."""
    stamp, extra = Stamp("outbox", letter.seq), {"subaccountNumber": letter.subaccount}
    body = letter.body
    public, owners = body.contents or None, body.owners or None
    return [Update(channel, id_, public, stamp, extra, owners) for channel, id_ in keys]


def _of_public(letter: Letter) -> list[Update]:
    stamp = Stamp("outbox", letter.seq)
    found: Any = _public.decode(letter.body.contents)
    return [Update(channel, id_, contents, stamp) for channel, id_, contents in found.updates]
