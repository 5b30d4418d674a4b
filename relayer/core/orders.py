# SPDX-License-Identifier: AGPL-3.0-only
"""An order as the core holds it, and its place in a queue of the book."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from ouro.codec import PackedOrder
from ouro.orders import Order, TimeInForce, Trigger
from relayer.core.native import mypyc_attr
from relayer.core.outputs import OrderState
from relayer.core.waiting import Stage

if TYPE_CHECKING:
    from relayer.core.accounts import AccountEntry
    from relayer.core.book import Level
    from relayer.core.inputs import Place
    from relayer.core.venue import Venue


class Status(StrEnum):
    """Where an order stands."""

    UNTRIGGERED = "UNTRIGGERED"
    OPEN = "OPEN"
    FILLED = "FILLED"
    CANCELED = "CANCELED"


class Lineage:
    """The revisions of one order: the newest of them, and how many of their fills are not final."""

    __slots__ = ("live_fills", "newest")

    def __init__(self, first: LiveOrder) -> None:
        self.newest = first
        self.live_fills = first.live_fills


@mypyc_attr(allow_interpreted_subclasses=True)
class LiveOrder:
    """One accepted order. Sizes in lots, price in micro-USDC per lot.

    `filled` is the sum of its fills and those of earlier revisions that were not rejected. `withheld` lots are out
    without a fill: a DECREMENT took them off, or a reduce-only order had them beyond the position. `placed` numbers
    acceptances. `lineage` ties the revisions of an order that was amended to one another. While it rests, `level` is
    its price level, `before`/`after` its neighbours in the queue and `resting` what it offers there.

    `stage` is what an order with conditions waits for, `watch_above` and `watch_price` the index price it is filed
    under. `parent_met`: its parent has ended with something filled. `amend_waits`: it is an amend that was not carried
    out yet. `trails`: an amend in waiting moves its trigger. `hidden`: it was never live, nobody needs to know of it.
    """

    __slots__ = (
        "account",
        "after",
        "amend_waits",
        "arm_price",
        "before",
        "client_id",
        "expiry",
        "fill_or_kill",
        "filled",
        "first_answer",
        "generation",
        "hidden",
        "id",
        "immediate",
        "level",
        "limit_price",
        "lineage",
        "live_fills",
        "max_fee_ppm",
        "not_before_ms",
        "oco",
        "one_shot",
        "parent",
        "parent_met",
        "placed",
        "post_only",
        "reason",
        "reduce_only",
        "referrer",
        "replaces",
        "resting",
        "revision",
        "self_trade",
        "sell",
        "signer",
        "size",
        "slot",
        "stage",
        "status",
        "time_in_force",
        "trails",
        "trigger",
        "trigger_price",
        "venue",
        "watch_above",
        "watch_price",
        "withheld",
        "words",
    )

    def __init__(self, item: Place, order: Order, account: AccountEntry, venue: Venue) -> None:
        # First what the book works with: a compiled order has its attributes in this order, these on one cache line.
        self.level: Level | None = None
        self.before: LiveOrder | None = None
        self.after: LiveOrder | None = None
        self.resting = 0
        self.sell = order.is_sell
        self.one_shot = order.is_one_shot
        self.limit_price = order.limit_price
        self.account = account
        self.size = order.size
        self.id = item.order_id
        self.client_id = item.client_id
        self.venue = venue
        self.time_in_force = order.time_in_force.value
        self.fill_or_kill = order.time_in_force is TimeInForce.FOK
        self.post_only = order.post_only
        self.reduce_only = order.reduce_only
        self.trigger = order.trigger.value
        self.trigger_price = order.trigger_price
        self.max_fee_ppm = order.max_fee_ppm
        self.self_trade = order.self_trade
        self.referrer = order.referrer
        self.expiry = order.expiry
        self.generation = order.generation
        self.slot = order.slot
        self.revision = order.revision
        self.signer = item.signer
        self.words = item.terms + item.amounts + item.r + item.vs
        self.replaces = item.replaces
        self.immediate = item.immediate
        self.not_before_ms = item.not_before_ms
        self.parent = item.parent
        self.oco = item.oco
        self.arm_price = item.arm_price
        self.filled = 0
        self.withheld = 0
        self.live_fills = 0
        self.lineage: Lineage | None = None
        self.status = Status.OPEN
        self.stage = Stage.NONE
        self.watch_above = False
        self.watch_price = 0
        self.parent_met = False
        self.amend_waits = False
        self.trails = False
        self.hidden = False
        self.reason = ""
        self.placed = 0
        self.first_answer: tuple[str, int, str] = ("", 0, "")

    @property
    def remaining(self) -> int:
        """Lots neither filled nor withheld; 0 when a reorg brought back more than there was room for."""
        return max(0, self.size - self.filled - self.withheld)

    @property
    def packed(self) -> PackedOrder:
        """The order and its signature as a batch carries them."""
        words = self.words
        terms, amounts, r, vs = (int.from_bytes(words[at : at + 32]) for at in (0, 32, 64, 96))
        return terms, amounts, r, vs

    @property
    def is_live(self) -> bool:
        """In the book, on its way there, or waiting for its conditions."""
        return self.status is Status.OPEN or self.status is Status.UNTRIGGERED

    @property
    def is_conditional(self) -> bool:
        """Whether anything must come true before it may enter the book."""
        return bool(self.trigger_price or self.not_before_ms or self.parent or self.arm_price)

    def is_triggered(self, index_price: int) -> bool:
        """Whether its signed trigger holds at that index price; the contract asks the same when a fill settles."""
        if not self.trigger_price:
            return True
        if self.trigger == Trigger.AT_OR_ABOVE:
            return index_price >= self.trigger_price
        return index_price <= self.trigger_price

    @property
    def must_leave(self) -> bool:
        """Whether the trigger of an order that rests holds no more: it matches nothing, and leaves the book soon."""
        return self.trigger_price != 0 and not self.is_triggered(self.venue.index_price)

    @property
    def awaited_price(self) -> tuple[bool, int]:
        """The index price that it waits for, and whether from below: an amend's arm price, else its trigger. Without
        either, one that is always reached.
        """
        if self.amend_waits:
            return (self.sell, self.arm_price) if self.arm_price else (True, 0)
        return (self.trigger == Trigger.AT_OR_ABOVE, self.trigger_price) if self.trigger_price else (True, 0)

    @property
    def kind(self) -> str:
        """The name of its type, by which people know it."""
        if self.arm_price or self.trails:
            return "TRAILING_STOP"
        if self.trigger_price:
            # A stop gets out (or in) when the price runs against the position, a take-profit when it runs with it.
            is_stop = self.sell == (self.trigger == Trigger.AT_OR_BELOW)
            if self.immediate:
                return "STOP_MARKET" if is_stop else "TAKE_PROFIT_MARKET"
            return "STOP_LIMIT" if is_stop else "TAKE_PROFIT"
        if self.not_before_ms:
            return "TWAP_SUBORDER"
        return "MARKET" if self.immediate else "LIMIT"

    @property
    def newest(self) -> LiveOrder:
        """Its newest revision: itself unless it was replaced."""
        return self if self.lineage is None else self.lineage.newest

    @property
    def has_live_fills(self) -> bool:
        """Whether a fill may still come undone that would change it."""
        lineage = self.lineage
        return self.live_fills > 0 or (lineage is not None and lineage.newest is self and lineage.live_fills > 0)

    def count_live(self, fills: int) -> None:
        """Counts fills that are not final, or (negative) no more of them."""
        self.live_fills += fills
        if self.lineage is not None:
            self.lineage.live_fills += fills

    def succeed(self, old: LiveOrder) -> None:
        """Becomes the newest revision."""
        lineage = old.lineage
        if lineage is None:
            lineage = old.lineage = Lineage(old)
        lineage.newest = self
        self.lineage = lineage

    @property
    def by_key(self) -> bool:
        """Signed by a session key, not by the owner."""
        return self.signer != self.account.owner

    @property
    def hex_id(self) -> str:
        """The id as people see it."""
        return "0x" + self.id.hex()

    def state(self) -> OrderState:
        """What the event log says about it."""
        return OrderState(
            id=self.hex_id,
            client_id=self.client_id,
            account=self.account.owner,
            subaccount=self.account.subaccount,
            market=self.venue.ticker,
            side="SELL" if self.sell else "BUY",
            size=self.size,
            limit_price=self.limit_price,
            time_in_force=self.time_in_force,
            post_only=self.post_only,
            reduce_only=self.reduce_only,
            expiry=self.expiry,
            generation=self.generation,
            slot=self.slot,
            revision=self.revision,
            signer=self.signer,
            filled=self.filled,
            status=self.status.value,
            reason=self.reason,
            type=self.kind,
            self_trade=self.self_trade.value,
            trigger=self.trigger,
            trigger_price=self.trigger_price,
            immediate=self.immediate,
            not_before=self.not_before_ms,
            parent=_hex(self.parent),
            oco=self.oco,
            arm_price=self.arm_price,
            replaces=_hex(self.replaces),
            referrer=self.referrer,
            max_fee_ppm=self.max_fee_ppm,
            withheld=self.withheld,
            private=self.hidden,
        )


def _hex(order_id: bytes) -> str:
    return "0x" + order_id.hex() if order_id else ""
