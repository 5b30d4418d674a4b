# SPDX-License-Identifier: AGPL-3.0-only
"""Matched fills on their way to finality, and the batches that carry them."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from enum import StrEnum

from ouro.codec import GROUPED, FillWord
from ouro.units import MAX_BATCH_FILLS, MAX_BATCH_ORDERS
from relayer.core.native import mypyc_attr
from relayer.core.orders import LiveOrder
from relayer.core.outputs import NextBatch
from relayer.core.venue import Venue


class FillStatus(StrEnum):
    """matched -> submitted -> confirmed -> final, or rejected; all but final can be turned back by a reorg."""

    MATCHED = "matched"
    SUBMITTED = "submitted"
    CONFIRMED = "confirmed"
    FINAL = "final"
    REJECTED = "rejected"


@mypyc_attr(allow_interpreted_subclasses=True)
class MatchedFill:
    """One match. `block` is where the chain confirmed or rejected it (0: not yet).

    `retry` marks a rejection that waits for finality to be tried again: it still counts as unsettled.
    """

    __slots__ = (
        "attempts",
        "block",
        "id",
        "maker",
        "maker_fee_ppm",
        "matched_ms",
        "open_interest_delta",
        "price",
        "reason",
        "retry",
        "size",
        "status",
        "taker",
        "taker_fee_ppm",
        "transaction_hash",
        "venue",
    )

    def __init__(
        self,
        *,
        fill_id: int,
        venue: Venue,
        price: int,
        size: int,
        taker: LiveOrder,
        maker: LiveOrder,
        taker_fee_ppm: int,
        maker_fee_ppm: int,
        matched_ms: int,
        open_interest_delta: int,
    ) -> None:
        self.id = fill_id
        self.venue = venue
        self.price = price
        self.size = size
        self.taker = taker
        self.maker = maker
        self.taker_fee_ppm = taker_fee_ppm
        self.maker_fee_ppm = maker_fee_ppm
        self.matched_ms = matched_ms
        self.open_interest_delta = open_interest_delta
        self.status = FillStatus.MATCHED
        self.reason = ""
        self.transaction_hash = ""
        self.block = 0
        self.attempts = 0
        self.retry = False


@mypyc_attr(allow_interpreted_subclasses=True)
class Batch:
    """A batch that was built and not dropped. `block` is where its BatchSettled event is, 0 while it is pending."""

    __slots__ = ("block", "fill_ids", "next", "nonce", "number", "prev", "raw_txs")

    def __init__(self, number: int, nonce: int, fill_ids: tuple[int, ...], prev: bytes, next_head: bytes) -> None:
        self.number = number
        self.nonce = nonce
        self.fill_ids = fill_ids
        self.prev = prev
        self.next = next_head
        self.raw_txs: list[bytes] = []
        self.block = 0

    @property
    def is_pending(self) -> bool:
        """Signed, and not in any block that counts."""
        return not self.block


class FillQueue:
    """The fills that wait to be put into a batch, by id."""

    __slots__ = ("_fills",)

    def __init__(self) -> None:
        self._fills: list[MatchedFill] = []

    def __len__(self) -> int:
        return len(self._fills)

    def __iter__(self) -> Iterator[MatchedFill]:
        return iter(self._fills)

    def add(self, fill: MatchedFill) -> None:
        """Puts a fill at its place by id: a new one at the end, one that came back before the newer ones."""
        insort(self._fills, fill, key=lambda other: other.id)

    def remove(self, fill: MatchedFill) -> None:
        """Takes one out."""
        self._fills.remove(fill)

    def next_batch(self, most_fills: int = MAX_BATCH_FILLS) -> NextBatch | None:
        """The first fills that fit into one batch, in order of their ids; None when nothing waits. No more than
        `most_fills`, unless the first of them must stay together with more.

        A one-shot taker's fills follow one another and are taken all or none: the contract accepts them in one batch
        only, and those of a fill-or-kill order in one group.
        """
        orders: dict[bytes, int] = {}
        packed: list[LiveOrder] = []
        fills: list[FillWord] = []
        at = 0
        waiting = self._fills
        while at < len(waiting):
            end = at + 1
            taker = waiting[at].taker
            if taker.one_shot:
                while end < len(waiting) and waiting[end].taker is taker:
                    end += 1
            group = waiting[at:end]
            is_joined = taker.fill_or_kill and len(group) > 1
            if len(fills) + len(group) > (most_fills if fills else MAX_BATCH_FILLS):
                break
            fresh = {order.id: order for fill in group for order in (fill.taker, fill.maker) if order.id not in orders}
            if len(orders) + len(fresh) > MAX_BATCH_ORDERS:
                break
            for order in fresh.values():
                orders[order.id] = len(packed)
                packed.append(order)
            fills.extend(
                FillWord(
                    fill_id=fill.id,
                    price=fill.price,
                    size=fill.size,
                    taker=orders[fill.taker.id],
                    maker=orders[fill.maker.id],
                    taker_fee_ppm=fill.taker_fee_ppm,
                    maker_fee_ppm=fill.maker_fee_ppm,
                    flags=GROUPED if is_joined and fill is not group[-1] else 0,
                )
                for fill in group
            )
            at = end
        if not fills:
            return None
        return NextBatch(
            orders=tuple(order.packed for order in packed),
            fills=tuple(fills),
            oldest_ms=min(fill.matched_ms for fill in waiting[: len(fills)]),
        )
