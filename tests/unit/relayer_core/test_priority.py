# SPDX-License-Identifier: AGPL-3.0-only
"""Price-time priority against a slow, obvious book that sorts all it has before each order."""

from dataclasses import dataclass, field
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relayer.core.outputs import FillOutput
from tests.unit.relayer_core.exchange_model import BTC_PRICE, Venue

OWNERS = ("maker", "taker", "other")
MODES = ("CANCEL_TAKER", "CANCEL_MAKER", "CANCEL_BOTH", "DECREMENT")
TICK = 100


@dataclass
class Resting:
    """An order of the slow book."""

    id: str
    owner: str
    side: str
    price: int
    lots: int
    arrived: int


@dataclass
class SlowBook:
    """Orders in one list; fills as (taker, maker, price, lots)."""

    orders: list[Resting] = field(default_factory=list)
    fills: list[tuple[str, str, int, int]] = field(default_factory=list)
    arrivals: int = 0

    def queue(self, side: str) -> list[Resting]:
        """One side, the first to trade first."""
        sign = 1 if side == "SELL" else -1
        return sorted((o for o in self.orders if o.side == side), key=lambda o: (sign * o.price, o.arrived))

    def crossing(self, side: str, price: int) -> list[Resting]:
        """What an order would meet, in order."""
        if side == "BUY":
            return [order for order in self.queue("SELL") if order.price <= price]
        return [order for order in self.queue("BUY") if order.price >= price]

    def place(self, order: Resting, kind: str, mode: str) -> None:
        """Trades as much as it may, and keeps the rest if it is GTT."""
        met = self.crossing(order.side, order.price)
        if kind == "FOK" and not self._is_fillable(order, met, mode):
            return
        stopped = False
        for maker in met:
            if not order.lots or stopped:
                break
            lots = min(order.lots, maker.lots)
            if maker.owner != order.owner:
                self.fills.append((order.id, maker.id, maker.price, lots))
                order.lots -= lots
                maker.lots -= lots
            elif mode == "DECREMENT":
                order.lots -= lots
                maker.lots -= lots
            else:
                stopped = mode != "CANCEL_MAKER"
                maker.lots = maker.lots if mode == "CANCEL_TAKER" else 0
        self.orders = [each for each in self.orders if each.lots]
        if order.lots and not stopped and kind == "GTT":
            self.arrivals += 1
            order.arrived = self.arrivals
            self.orders.append(order)

    @staticmethod
    def _is_fillable(order: Resting, met: list[Resting], mode: str) -> bool:
        room = 0
        for maker in met:
            if maker.owner != order.owner:
                room += maker.lots
            elif mode != "CANCEL_MAKER":
                break
            if room >= order.lots:
                return True
        return False

    def depth(self, side: str) -> list[tuple[int, int]]:
        """(price, lots), best first."""
        levels: dict[int, int] = {}
        for order in self.queue(side):
            levels[order.price] = levels.get(order.price, 0) + order.lots
        return list(levels.items())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32).map(Random), st.integers(40, 120))
def test_orders_trade_by_price_then_by_arrival(rng: Random, steps: int) -> None:
    """Few prices and lots, so that queues get long and orders meet."""
    venue, slow = Venue(max_unsettled_fills=10_000, min_notional=0), SlowBook()
    for owner in OWNERS:
        venue.deposit(owner, 1_000_000)
    for _ in range(steps):
        if slow.orders and rng.random() < 0.2:
            gone = slow.orders.pop(rng.randrange(len(slow.orders)))
            assert venue.cancel(gone.owner, gone.id).ok
        else:
            owner, side, lots = rng.choice(OWNERS), rng.choice(["BUY", "SELL"]), rng.randrange(1, 10)
            kind, mode = rng.choice(["GTT", "GTT", "GTT", "GTT", "IOC", "FOK"]), rng.choice(MODES)
            if kind == "FOK" and mode == "DECREMENT":
                mode = "CANCEL_TAKER"  # whether lots taken off count as filled is another test's business
            # Buyers bid mostly below, sellers ask mostly above the middle.
            away = rng.randrange(-2, 5)
            price = BTC_PRICE + TICK * (away if side == "SELL" else -away)
            ack = venue.place(owner, side, lots, price, time_in_force=kind, self_trade=mode)
            assert ack.ok, ack
            slow.place(Resting(ack.order_id, owner, side, price, lots, 0), kind, mode)
        bids, asks = venue.levels()
        assert (bids, asks) == (slow.depth("BUY"), slow.depth("SELL"))
        assert not bids or not asks or bids[0][0] < asks[0][0]
    fills = [output for output in venue.outputs if isinstance(output, FillOutput)]
    assert [(fill.taker_order_id, fill.maker_order_id, fill.price, fill.size) for fill in fills] == slow.fills
