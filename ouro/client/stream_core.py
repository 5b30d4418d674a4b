# SPDX-License-Identifier: Apache-2.0
"""The stream's protocol without the socket: what to send, what frames mean, how a book follows its updates."""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, TypeAlias

import msgspec

from ouro.client.errors import StreamGapError
from ouro.client.models import Book, Level

Kind: TypeAlias = Literal["connected", "subscribed", "resumed", "update", "unsubscribed", "error"]

BOOK = "v4_orderbook"
ACCOUNTS = ("v4_subaccounts", "v4_parent_subaccounts")
"""Channels that take the owner's proof, and go on where a connection was lost."""

_CHECKED = 10

_KINDS: Mapping[str, Kind] = {
    "connected": "connected",
    "subscribed": "subscribed",
    "channel_data": "update",
    "channel_batch_data": "update",
    "unsubscribed": "unsubscribed",
    "error": "error",
}


@dataclass(frozen=True)
class StreamEvent:
    """One thing the stream said.

    `kind` is `connected` (a new connection), `subscribed` (`contents` is the snapshot, the body of the matching REST
    read), `resumed` (after a lost connection: what was missed follows as updates, nothing twice), `update` (`contents`
    is one change), `unsubscribed` or `error` (`contents["message"]`). `id` is the ticker, `ticker/resolution` or
    `address/subaccount`; "" for channels without one.
    """

    kind: Kind
    channel: str = ""
    id: str = ""
    contents: Any = None


@dataclass
class _Subscription:
    """What is asked for, and how far it was heard: on account channels the next connection goes on there."""

    channel: str
    subject: str
    batched: bool = False
    auth: Callable[[], str] | None = None
    epoch: str = ""
    seq: int = -1
    proof: str = ""
    book: LocalBook | None = None

    def frame(self) -> str:
        wanted: dict[str, Any] = {"batched": True} if self.batched else {}
        self.proof = self.auth() if self.auth is not None else ""
        if self.proof:
            wanted["auth"] = self.proof
        if self.epoch:
            wanted |= {"epoch": self.epoch, "fromSeq": self.seq}
        return _frame("subscribe", self.channel, self.subject, **wanted)

    def heard(self, event: StreamEvent) -> None:
        """Remember how far this message brings us. Raises `StreamGapError` when a book lacks something."""
        contents = event.contents
        if self.channel in ACCOUNTS and isinstance(contents, dict) and contents.get("epoch"):
            self.epoch, self.seq = str(contents["epoch"]), int(contents["seq"])
        elif self.channel == BOOK:
            if self.book is None or event.kind == "subscribed":
                self.book = LocalBook(self.subject)
            self.book.apply(event)
            self.book.check()


@dataclass
class StreamCore:
    """Subscriptions wanted, and the message counter of the present connection. `to_send` are frames that what was
    received calls for.
    """

    subscriptions: dict[tuple[str, str], _Subscription] = field(default_factory=dict)
    to_send: list[str] = field(default_factory=list)
    _last_message_id: int = -1

    def subscribe(
        self, channel: str, subject: str = "", *, batched: bool = False, auth: Callable[[], str] | None = None
    ) -> str:
        """Remember a subscription (for reconnects too) and return the frame that asks for it."""
        wanted = self.subscriptions[channel, subject] = _Subscription(channel, subject, batched, auth)
        return wanted.frame()

    def unsubscribe(self, channel: str, subject: str = "") -> str:
        self.subscriptions.pop((channel, subject), None)
        return _frame("unsubscribe", channel, subject)

    def opening_frames(self) -> list[str]:
        """What to send on a new connection; forgets the old one's counter."""
        self._last_message_id = -1
        self.to_send.clear()
        return [wanted.frame() for wanted in self.subscriptions.values()]

    def receive(self, frame: str | bytes) -> Iterator[StreamEvent]:
        """The events of one server frame. Raises `StreamGapError` when the frame before it was lost, or a book is not
        what the server's is.
        """
        message = msgspec.json.decode(frame)
        number = int(message["message_id"])
        if number != self._last_message_id + 1:
            raise StreamGapError(f"the stream skipped from message {self._last_message_id} to {number}")
        self._last_message_id = number
        kind = _KINDS.get(message["type"])
        if kind is None:
            return
        channel, subject = message.get("channel") or "", str(message.get("id") or "")
        contents = message if kind in ("connected", "error") else message.get("contents")
        if kind == "subscribed" and isinstance(contents, dict) and contents.get("resumed"):
            kind = "resumed"
        several = message["type"] == "channel_batch_data"
        wanted = self.subscriptions.get((channel, subject))
        if kind == "error" and wanted is not None and message.get("errorCode") == "read_proof_expired":
            # It ended with its proof: with another one it goes on.
            before, frame = wanted.proof, wanted.frame()
            if wanted.proof != before:
                self.to_send.append(frame)
        for part in contents if several else (contents,):
            event = StreamEvent(kind, channel, subject, part)
            if wanted is not None and kind in ("subscribed", "resumed", "update"):
                wanted.heard(event)
            yield event


class LocalBook:
    """One market's book, kept by feeding it the events of its `v4_orderbook` subscription."""

    def __init__(self, market: str) -> None:
        self.market = market
        self._bids: dict[Decimal, Decimal] = {}
        self._asks: dict[Decimal, Decimal] = {}
        self._seq: int | None = None
        self._gap = ""
        self._checksum: int | None = None

    def apply(self, event: StreamEvent) -> bool:
        """Take in an event; False when it is not about this book."""
        if event.channel != BOOK or event.id != self.market or event.kind not in ("subscribed", "update"):
            return False
        if event.kind == "subscribed":
            self._bids.clear()
            self._asks.clear()
            self._gap = ""
        elif self._seq is not None and int(event.contents.get("prevSeq", self._seq)) != self._seq:
            self._gap = f"change {event.contents['prevSeq']} is missing: the book is at {self._seq}"
        self._seq = int(event.contents["seq"]) if "seq" in event.contents else None
        self._checksum = event.contents.get("checksum")
        for levels, side in ((event.contents.get("bids"), self._bids), (event.contents.get("asks"), self._asks)):
            for level in levels or ():
                _set_level(side, level)
        return True

    def check(self) -> None:
        """Raises `StreamGapError` when a change is missing, or the best levels are not those of the server: then the
        book is to be taken from a new snapshot. A stream does it for its own subscriptions.
        """
        if self._gap:
            raise StreamGapError(f"{self.market}: {self._gap}")
        if self._checksum is not None and self._checksum != self.checksum():
            raise StreamGapError(f"{self.market}: the book differs from the exchange's at change {self._seq}")

    def checksum(self) -> int:
        """CRC-32 of the ten best bids, then asks, as `price:size` joined by `|`."""
        best = [*heapq.nlargest(_CHECKED, self._bids.items()), *heapq.nsmallest(_CHECKED, self._asks.items())]
        return zlib.crc32("|".join(f"{price:f}:{size:f}" for price, size in best).encode())

    def book(self, depth: int = 100) -> Book:
        """The best `depth` levels of each side, best first."""
        bids = sorted(self._bids.items(), reverse=True)[:depth]
        asks = sorted(self._asks.items())[:depth]
        return Book(tuple(Level(*level) for level in bids), tuple(Level(*level) for level in asks))


def stream_url(base_url: str) -> str:
    """The stream's address next to the front door at `base_url` (http becomes ws, https becomes wss)."""
    return "ws" + base_url.rstrip("/").removeprefix("http") + "/v4/ws"


def backoff(attempt: int) -> float:
    """Seconds to wait before reconnect number `attempt` (from 0): 0.5, 1, 2, ... at most 10."""
    return min(10.0, 0.5 * (1 << min(attempt, 10)))


def _frame(kind: str, channel: str, subject: str, **wanted: Any) -> str:
    message = {"type": kind, "channel": channel, **({"id": subject} if subject else {}), **wanted}
    return msgspec.json.encode(message).decode()


def _set_level(side: dict[Decimal, Decimal], level: Any) -> None:
    # Snapshots write {"price", "size"}, updates [price, size]; sizes are absolute and "0" deletes.
    price, size = (level["price"], level["size"]) if isinstance(level, dict) else level[:2]
    if Decimal(size):
        side[Decimal(price)] = Decimal(size)
    else:
        side.pop(Decimal(price), None)
