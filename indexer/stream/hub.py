# SPDX-License-Identifier: AGPL-3.0-only
"""Who listens to what, and how an update reaches them. Lives on the event loop."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from indexer import metrics
from indexer.reads.owners import Reader
from indexer.stream.filters import TradeFilter
from indexer.stream.keys import VERSIONS, Key, account_of_key

QUEUE_LIMIT = 2_000
"""Messages that may wait for a client that reads slowly, before it is cut off."""
QUEUE_BYTES = 16 << 20
"""And how large they may be together."""
BATCH_LIMIT = 200
"""Updates in one batch; more of them go out before their time."""

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True)
class Stamp:
    """When something was said: after change `at` of a source. A snapshot knows how far each source was."""

    source: Literal["chain", "outbox", "book"]
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
    `filter` leaves out trades that are not wanted; `reader` has proven that the account is his, with `auth`. A snapshot
    in the making is `stale` when changes happened that no update tells of; `seen` is how far each source was in it.
    """

    batched: bool
    waiting: list[Update] | None = field(default_factory=list)
    batch: list[msgspec.Raw] = field(default_factory=list)
    filter: TradeFilter | None = None
    reader: Reader | None = None
    auth: str | None = None
    stale: bool = False
    seen: Mapping[str, int] = field(default_factory=dict)


class Session:
    """One connection: its counter, its subscriptions, and what waits to be sent."""

    def __init__(self, renew: Callable[[Key], None] = lambda _: None) -> None:
        """`renew` is asked to make another snapshot for a subscription."""
        self.id = str(uuid.uuid4())
        self.renew = renew
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
            if len(subscription.waiting) < QUEUE_LIMIT:
                subscription.waiting.append(update)
            else:
                # Too much happened while the snapshot was made: another one, without what waited.
                subscription.waiting.clear()
                subscription.stale = True
            return
        if update.stamp.at <= subscription.seen.get(update.stamp.source, -1):
            return
        if subscription.reader is not None and update.owners_contents is not None:
            contents = msgspec.Raw(_encoder.encode(update.owners_contents))
        elif update.contents is None:
            return
        if subscription.filter is not None:
            told = update.contents
            wanted = subscription.filter.update(msgspec.json.decode(told) if isinstance(told, msgspec.Raw) else told)
            if wanted is None:
                return
            contents = msgspec.Raw(_encoder.encode(wanted))
        if subscription.batched:
            subscription.batch.append(contents)
            if len(subscription.batch) >= BATCH_LIMIT:
                self.flush()
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
        self._accounts: dict[tuple[str, str, int], set[Key]] = {}
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

    def subscribe(
        self,
        session: Session,
        key: Key,
        *,
        batched: bool,
        wanted: TradeFilter | None = None,
        auth: str | None = None,
    ) -> None:
        """Begin to collect updates; they wait until `started`. Of trades a filter says which are `wanted`."""
        session.subscriptions[key] = Subscription(batched, filter=wanted, auth=auth)
        self._listeners.setdefault(key, set()).add(session)
        account = account_of_key(key)
        if account is not None:
            self._accounts.setdefault(account, set()).add(key)

    def started(
        self,
        session: Session,
        key: Key,
        contents: Any,
        positions: Mapping[str, int],
        reader: Reader | None = None,
        replay: Sequence[Update] = (),
    ) -> None:
        """The snapshot is here: send it, then the `replay`, then what happened after both. `positions` is how far each
        source was; `reader` is who has proven that the account is his.
        """
        subscription = session.subscriptions.get(key)
        if subscription is None:
            return
        subscription.reader = reader
        if subscription.filter is not None:
            contents = subscription.filter.snapshot(contents)
        session.say("subscribed", *key, contents=contents)
        waiting, subscription.waiting, subscription.seen = subscription.waiting or [], None, {}
        for update in replay:
            session.deliver(key, update, msgspec.Raw(_encoder.encode(update.contents)))
        subscription.seen = positions
        for update in waiting:
            session.deliver(key, update, msgspec.Raw(_encoder.encode(update.contents)))

    def renew(self, *channels: str) -> None:
        """Everybody who listens to these channels begins anew, with a snapshot: something changed that no update tells
        of.
        """
        for session in list(self._sessions):
            for key, subscription in list(session.subscriptions.items()):
                if key[0] not in channels:
                    continue
                subscription.batch.clear()
                if subscription.waiting is None:
                    subscription.waiting = []
                    metrics.renewed.inc()
                    session.renew(key)
                else:
                    subscription.waiting.clear()
                    subscription.stale = True

    def unsubscribe(self, session: Session, key: Key) -> None:
        session.subscriptions.pop(key, None)
        listeners = self._listeners.get(key)
        if listeners is not None:
            listeners.discard(session)
            if not listeners:
                del self._listeners[key]
                self._forget(key)

    def _forget(self, key: Key) -> None:
        account = account_of_key(key)
        if account is not None and account in self._accounts:
            self._accounts[account].discard(key)
            if not self._accounts[account]:
                del self._accounts[account]

    def readers(self) -> list[tuple[Session, Key, Reader]]:
        """The subscriptions of those who have proven that an account is theirs."""
        return [
            (session, key, subscription.reader)
            for session in self._sessions
            for key, subscription in session.subscriptions.items()
            if subscription.reader is not None
        ]

    def lapse(self, session: Session, key: Key, message: str, code: str) -> None:
        """A proof holds no longer: say so, and end the subscription that it was for."""
        if key in session.subscriptions:
            self.unsubscribe(session, key)
            session.say("error", *key, message=message, errorCode=code)

    def owners(self) -> frozenset[str]:
        """Whose accounts somebody listens to."""
        return frozenset(owner for _, owner, _ in self._accounts)

    def keys_of(self, channel: str, owner: str, number: int) -> list[Key]:
        """Under which keys somebody listens to an account: as clients wrote its id."""
        return list(self._accounts.get((channel, owner, number), ()))

    def listened_to(self, key: Key) -> bool:
        return key in self._listeners

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
