# SPDX-License-Identifier: AGPL-3.0-only
"""Who listens to what, and how an update reaches them. Lives on the event loop."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from indexer import metrics
from indexer.reads.owners import Reader
from indexer.stream.filters import TradeFilter

Key = tuple[str, str]
"""Channel and id; the id is empty for channels without one."""

VERSIONS: Mapping[str, str] = {
    "v4_markets": "1.0.0",
    "v4_orderbook": "1.0.0",
    "v4_trades": "2.1.0",
    "v4_candles": "1.0.0",
    "v4_subaccounts": "3.0.0",
    "v4_parent_subaccounts": "3.0.0",
    "v4_block_height": "1.0.0",
}

QUEUE_LIMIT = 2_000
"""Messages that may wait for a client that reads slowly, before it is cut off."""
QUEUE_BYTES = 16 << 20
"""And how large they may be together."""

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True)
class Stamp:
    """When something was said: after change `at` of a source. A snapshot knows how far each source was."""

    source: Literal["chain", "relayer", "book"]
    at: int


@dataclass(frozen=True)
class Update:
    """One message for everyone who listens to a channel and id. Who has proven to be the account's owner gets
    `owners_contents` in place of `contents`, if there are any; where `contents` are None the others get nothing.
    """

    channel: str
    id: str
    contents: Any
    stamp: Stamp
    extra: Mapping[str, Any] = field(default_factory=dict)
    owners_contents: Any = None


@dataclass
class Subscription:
    """One client's interest. Until the snapshot is there updates wait in `waiting`; batched ones collect in `batch`.
    `filter` leaves out trades that are not wanted; `reader` has proven that the account is his.
    """

    batched: bool
    waiting: list[Update] | None = field(default_factory=list)
    batch: list[msgspec.Raw] = field(default_factory=list)
    filter: TradeFilter | None = None
    reader: Reader | None = None


class Session:
    """One connection: its counter, its subscriptions, and what waits to be sent."""

    def __init__(self) -> None:
        self.id = str(uuid.uuid4())
        self.subscriptions: dict[Key, Subscription] = {}
        self.outgoing: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE_LIMIT)
        self.too_slow = False
        self._counter = 0
        self._waiting_bytes = 0

    def say(self, kind: str, channel: str = "", id_: str | int = "", **more: Any) -> None:
        """Queue one message; numbers it. A full queue ends the connection, since a gap could not be told otherwise."""
        if self.too_slow:
            return
        message: dict[str, Any] = {"type": kind, "connection_id": self.id, "message_id": self._counter}
        if channel:
            message["channel"] = channel
        if id_ != "":
            message["id"] = id_
        frame = _encoder.encode(message | more)
        if self.outgoing.full() or (self._waiting_bytes and self._waiting_bytes + len(frame) > QUEUE_BYTES):
            self.too_slow = True
            metrics.dropped.inc()
            return
        self.outgoing.put_nowait(frame)
        self._waiting_bytes += len(frame)
        self._counter += 1

    async def next_frame(self) -> bytes | None:
        """What is to be sent next; None ends the connection."""
        frame = await self.outgoing.get()
        self._waiting_bytes -= len(frame or b"")
        return frame

    def deliver(self, key: Key, update: Update, contents: msgspec.Raw) -> None:
        """An update for a subscription of this session."""
        subscription = self.subscriptions[key]
        if subscription.waiting is not None:
            subscription.waiting.append(update)
            return
        if subscription.reader is not None and update.owners_contents is not None:
            contents = msgspec.Raw(_encoder.encode(update.owners_contents))
        elif update.contents is None:
            return
        if subscription.filter is not None:
            wanted = subscription.filter.update(update.contents)
            if wanted is None:
                return
            contents = msgspec.Raw(_encoder.encode(wanted))
        if subscription.batched:
            subscription.batch.append(contents)
        else:
            self.say("channel_data", *key, version=VERSIONS[key[0]], contents=contents, **update.extra)

    def flush(self) -> None:
        """Send what batched subscriptions collected."""
        for key, subscription in self.subscriptions.items():
            if subscription.batch:
                batch, subscription.batch = subscription.batch, []
                self.say("channel_batch_data", *key, version=VERSIONS[key[0]], contents=batch)

    def close(self) -> None:
        """Let the sender end, with whatever is queued before."""
        self.too_slow = self.too_slow or self.outgoing.full()
        if not self.outgoing.full():
            self.outgoing.put_nowait(None)


class Hub:
    """Sessions by what they listen to."""

    def __init__(self) -> None:
        self._listeners: dict[Key, set[Session]] = {}
        self._sessions: set[Session] = set()

    def join(self, session: Session) -> None:
        self._sessions.add(session)
        metrics.sockets.set(len(self._sessions))

    def leave(self, session: Session) -> None:
        """Forget a session and its subscriptions."""
        for key in list(session.subscriptions):
            self.unsubscribe(session, key)
        self._sessions.discard(session)
        metrics.sockets.set(len(self._sessions))

    def subscribe(self, session: Session, key: Key, *, batched: bool, wanted: TradeFilter | None = None) -> None:
        """Begin to collect updates; they wait until `started`. Of trades a filter says which are `wanted`."""
        session.subscriptions[key] = Subscription(batched, filter=wanted)
        self._listeners.setdefault(key, set()).add(session)

    def started(
        self,
        session: Session,
        key: Key,
        contents: Any,
        positions: Mapping[str, int],
        reader: Reader | None = None,
    ) -> None:
        """The snapshot is here: send it, then what happened after it. `positions` is how far each source was; `reader`
        is who has proven that the account is his.
        """
        subscription = session.subscriptions.get(key)
        if subscription is None:
            return
        subscription.reader = reader
        if subscription.filter is not None:
            contents = subscription.filter.snapshot(contents)
        session.say("subscribed", *key, contents=contents)
        waiting, subscription.waiting = subscription.waiting or [], None
        for update in waiting:
            if update.stamp.at > positions.get(update.stamp.source, -1):
                session.deliver(key, update, msgspec.Raw(_encoder.encode(update.contents)))

    def unsubscribe(self, session: Session, key: Key) -> None:
        session.subscriptions.pop(key, None)
        listeners = self._listeners.get(key)
        if listeners is not None:
            listeners.discard(session)
            if not listeners:
                del self._listeners[key]

    def readers(self) -> list[tuple[Session, Key, Reader]]:
        """The subscriptions of those who have proven that an account is theirs."""
        return [
            (session, key, subscription.reader)
            for session in self._sessions
            for key, subscription in session.subscriptions.items()
            if subscription.reader is not None
        ]

    def lapse(self, session: Session, key: Key, message: str) -> None:
        """A proof holds no longer: say so, and end the subscription that it was for."""
        if key in session.subscriptions:
            self.unsubscribe(session, key)
            session.say("error", *key, message=message)

    def wanted(self, channel: str) -> frozenset[str]:
        """The ids of a channel that somebody listens to. Safe from any thread."""
        return frozenset(id_ for name, id_ in list(self._listeners) if name == channel)

    def publish(self, updates: Iterable[Update]) -> None:
        """Hand updates to whoever listens."""
        for update in updates:
            key = (update.channel, update.id)
            listeners = self._listeners.get(key)
            if listeners:
                contents = msgspec.Raw(_encoder.encode(update.contents))
                for session in listeners:
                    session.deliver(key, update, contents)

    def flush(self) -> None:
        """Send the batches; called every 250 ms."""
        for session in self._sessions:
            session.flush()

    def close(self) -> None:
        """End every connection."""
        for session in self._sessions:
            session.close()
