# SPDX-License-Identifier: AGPL-3.0-only
"""What makes an order valid, and what remembers how much of it is filled (protocol section 3)."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.support.wire import Order, Signed

MAX_LIFE_S = 90 * 86_400
MAX_AHEAD_S = 10
MAX_SIZE = 2**46
MAX_PRICE = 2**40
MAX_REVISION = 65_535
NO_ORDER = b"\xff" * 32
"""Stands in a slot for the order that a cancel killed for good."""


def static_faults(signed: Signed, now: int) -> Iterator[str]:
    """Why the order could not trade now, whatever its slot and account say."""
    order = signed.order
    if order.trigger == "NONE":
        if order.trigger_price:
            yield "bad trigger"
    elif not 0 < order.trigger_price <= MAX_PRICE:
        yield "bad trigger"
    if not 0 < order.size <= MAX_SIZE:
        yield "bad size"
    if not 0 < order.limit_price <= MAX_PRICE:
        yield "bad price"
    if now > order.expiry:
        yield "expired"
    if order.expiry * 1000 > order.generation + MAX_LIFE_S * 1000:
        yield "expiry too far"
    if order.generation > (now + MAX_AHEAD_S) * 1000:
        yield "signed in the future"
    if order.is_one_shot and (order.slot or order.revision):
        yield "one-shot with slot"
    if order.is_one_shot and order.post_only:
        yield "post-only one-shot"


@dataclass
class Stamps:
    """Every on-chain cancel of one slot or account. None is ever forgotten here."""

    stamps: list[int] = field(default_factory=list)

    def in_force(self, now: int, window: int) -> list[int]:
        return [stamp for stamp in self.stamps if now >= stamp - MAX_AHEAD_S + window]

    def add(self, now: int, window: int) -> int:
        """The new stamp; `ValueError` while one is pending."""
        if len(self.in_force(now, window)) != len(self.stamps):
            raise ValueError("cancel pending")
        self.stamps.append(now + MAX_AHEAD_S)
        return self.stamps[-1]

    def kills(self, generation: int, now: int, window: int) -> bool:
        return any(generation <= stamp * 1000 for stamp in self.in_force(now, window))


@dataclass(frozen=True)
class Slot:
    """The newest order of a slot and how much of its generation is filled."""

    generation: int = 0
    revision: int = 0
    filled: int = 0
    id: bytes = b""

    def faults(self, signed: Signed, lots: int) -> Iterator[str]:
        order = signed.order
        filled = 0
        if order.generation < self.generation:
            yield "stale generation"
        elif order.generation == self.generation:
            filled = self.filled
            if order.revision < self.revision:
                yield "stale revision"
            elif order.revision == self.revision and signed.id != self.id:
                yield "slot taken"
        if filled + lots > order.size:
            yield "overfilled"

    def filled_by(self, signed: Signed, lots: int) -> "Slot":
        order = signed.order
        before = self.filled if order.generation == self.generation else 0
        return Slot(order.generation, order.revision, before + lots, signed.id)


def is_triggered(order: Order, index: int) -> bool:
    """At this index price."""
    if order.trigger == "AT_OR_ABOVE":
        return index >= order.trigger_price
    return order.trigger == "NONE" or index <= order.trigger_price


def price_is_past_limit(order: Order, price: int) -> bool:
    return price < order.limit_price if order.is_sell else price > order.limit_price
