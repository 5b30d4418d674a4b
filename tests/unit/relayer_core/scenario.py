# SPDX-License-Identifier: AGPL-3.0-only
"""Random trading days: orders of every kind, cancels, price moves; batches that land, fail, drop, are reorged."""

import sys
from random import Random
from typing import Any

from relayer.core.inputs import BatchBuilt
from tests.unit.relayer_core.exchange_model import BTC_PRICE, ETH_PRICE, EXCHANGE, Venue, address

ROLES = ("maker", "taker", "other", "poor")
MODES = ("CANCEL_TAKER", "CANCEL_MAKER", "CANCEL_BOTH", "DECREMENT")
TIERS = [400 << 16 | 50, 200 << 32 | 300 << 16, 2_000 << 32 | 200 << 16 | 0xFFFF & -30]
BASE = {1: BTC_PRICE, 2: ETH_PRICE}


class Day:
    """Drives a venue step by step from one source of chance."""

    def __init__(self, rng: Random, *, calm: bool = False) -> None:
        self.rng = rng
        self.calm = calm
        self.venue = Venue(max_unsettled_fills=60)
        for role in ROLES:
            self.venue.deposit(role, 300 if role == "poor" else 20_000)
        if rng.random() < 0.5:
            self.venue.log(EXCHANGE, "FeeTiersSet", tiers=TIERS)
            self.venue.mine()
        self.safe_height = len(self.venue.blocks)
        self.open_ids: list[tuple[str, str]] = []

    def step(self) -> None:
        """One thing happens."""
        kinds = ["place"] * 12 + ["wait"] * 4 + ["trail"] + ["amend"] * 5 + ["cancel"] * 3 + ["settle"] * 3
        kinds += ["tick", "block", "cancel_named", "cancel_all", "after"]
        if not self.calm:
            kinds += ["price", "reject", "drop", "reorg", "withdraw", "reserve"]
        getattr(self, f"_{self.rng.choice(kinds)}")()

    def settle_all(self) -> None:
        """Lands everything that waits."""
        while self.venue.core.next_batch() is not None:
            self.venue.settle()

    def _place(self) -> None:
        rng = self.rng
        market = rng.choice([1, 1, 2])
        price = BASE[market] + 100 * rng.randrange(-12, 13)
        kind = rng.choice(["GTT", "GTT", "GTT", "IOC", "FOK"])
        role = rng.choice(ROLES)
        fields = {
            "market": market,
            "time_in_force": kind,
            "post_only": kind == "GTT" and rng.random() < 0.3,
            "reduce_only": rng.random() < 0.15,
            "self_trade": rng.choice(MODES),
            "referrer": rng.choice([0, 0, 5]),
            "client_id": str(rng.randrange(60)) if rng.random() < 0.3 else "",
        }
        if kind == "GTT" and rng.random() < 0.2:
            fields["slot"] = rng.randrange(1, 5)
        ack = self.venue.place(
            role, rng.choice(["BUY", "SELL"]), rng.choice([1, 7, 40, 900, 30_000, 90_000]), price, **fields
        )
        if ack.ok:
            self.open_ids.append((role, ack.order_id))

    def _wait(self) -> None:
        """An order with conditions: some hold at once, some soon, some never."""
        rng, venue = self.rng, self.venue
        market = rng.choice([1, 1, 2])
        base = BASE[market]
        price = base + 100 * rng.randrange(-12, 13)
        role, side = rng.choice(ROLES), rng.choice(["BUY", "SELL"])
        fields: dict[str, Any] = {
            "market": market,
            "reduce_only": rng.random() < 0.4,
            "immediate": rng.random() < 0.4,
            "oco": rng.choice(["", "", "a", "b"]),
        }
        if rng.random() < 0.7:
            fields["trigger"] = rng.choice(["AT_OR_ABOVE", "AT_OR_BELOW"])
            fields["trigger_price"] = base + 100 * rng.randrange(-30, 31)
        if rng.random() < 0.4:
            fields["not_before_ms"] = venue.now_ms + rng.choice([1, 500, 3_000, 20_000])
        if self.open_ids and rng.random() < 0.4:
            role, parent = rng.choice(self.open_ids)
            known = venue.core.order(bytes.fromhex(parent[2:]))
            if known is not None:
                side = "BUY" if known.side == "SELL" else "SELL"
                fields |= {"parent": bytes.fromhex(parent[2:]), "reduce_only": True}
                fields["market"] = 1 if known.market == "BTC-USD" else 2
        ack = venue.place(role, side, rng.choice([1, 7, 40, 900, 30_000]), price, **fields)
        if ack.ok:
            self.open_ids.append((role, ack.order_id))

    def _cancel(self) -> None:
        if self.open_ids:
            self.venue.cancel(*self.rng.choice(self.open_ids))

    def _amend(self) -> None:
        """The next revision of some order: other prices and sizes, and what else may change; some are refused."""
        rng = self.rng
        known = self.open_ids[-30:]
        if rng.random() < 0.8:
            known = [each for each in known if self._is_open(each[1])]
        if not known:
            return
        role, order_id = rng.choice(known)
        order = self.venue.signed[bytes.fromhex(order_id[2:])].order
        changes: dict[str, object] = {
            "limit_price": order.limit_price + 100 * rng.choice([0, 0, -3, -1, 1, 3]),
            "size": rng.choice([order.size, order.size, order.size // 2, order.size - 1, order.size + 5, 900]),
        }
        if rng.random() < 0.3:
            changes["post_only"] = not order.post_only
        if rng.random() < 0.1:
            changes["reduce_only"] = not order.reduce_only
        if rng.random() < 0.1:
            changes["self_trade"] = rng.choice(MODES)
        ack = self.venue.amend(
            order_id,
            client_id=str(rng.randrange(60)) if rng.random() < 0.2 else "",
            expected_filled=rng.choice([-1, -1, 0]),
            **changes,
        )
        if ack.ok:
            self.open_ids.append((role, ack.order_id))

    def _trail(self) -> None:
        """A stop with amends in waiting, some of which the index price may reach."""
        rng, venue = self.rng, self.venue
        market, side = rng.choice([1, 1, 2]), rng.choice(["BUY", "SELL"])
        base, ahead = BASE[market], 1 if side == "SELL" else -1
        role, step = rng.choice(ROLES), 100 * rng.randrange(1, 12)
        ack = venue.place(
            role,
            side,
            rng.choice([7, 40, 900]),
            base - ahead * 3_000,
            market=market,
            trigger="AT_OR_BELOW" if side == "SELL" else "AT_OR_ABOVE",
            trigger_price=base - ahead * rng.choice([-500, 500, 2_000]),
            reduce_only=rng.random() < 0.5,
            immediate=rng.random() < 0.5,
        )
        for number in range(1, rng.randrange(2, 6)):
            if not ack.ok:
                return
            self.open_ids.append((role, ack.order_id))
            order = venue.signed[bytes.fromhex(ack.order_id[2:])].order
            arm = base + ahead * number * step
            ack = venue.amend(ack.order_id, arm_price=arm, trigger_price=order.trigger_price + ahead * step)

    def _is_open(self, order_id: str) -> bool:
        state = self.venue.core.order(bytes.fromhex(order_id[2:]))
        return state is not None and state.status in ("OPEN", "UNTRIGGERED")

    def _cancel_named(self) -> None:
        self.venue.cancel_by_client_id(self.rng.choice(ROLES), str(self.rng.randrange(60)))

    def _cancel_all(self) -> None:
        if self.rng.random() < 0.2:
            self.venue.cancel_all(self.rng.choice(ROLES))

    def _after(self) -> None:
        self.venue.cancel_all_after(self.rng.choice(ROLES), self.rng.choice([0, 1, 5]))

    def _tick(self) -> None:
        self.venue.tick(self.rng.choice([1, 900, 4_000]))
        self._fresh()

    def _block(self) -> None:
        self._fresh()

    def _fresh(self) -> None:
        """Prices stay fresh, and every so often what lies behind becomes final."""
        for market in BASE:
            price = self.venue.model.markets[market].price
            self.venue.push(market, price)
        final = len(self.venue.blocks) - 2 if self.rng.random() < 0.3 else 0
        if final > self.safe_height:
            self.safe_height = final
        self.venue.mine(final=max(0, final))

    def _price(self) -> None:
        market = self.rng.choice([1, 2])
        self.venue.push(market, BASE[market] + 100 * self.rng.randrange(-40, 41))
        self.venue.mine()

    def _settle(self) -> None:
        if self.venue.core.next_batch() is not None:
            self.venue.settle()

    def _reject(self) -> None:
        """A batch of which a part fails for some reason."""
        if self.venue.core.next_batch() is None:
            return
        built = self.venue.build()
        fills, orders = self.venue.fills, self.venue.orders
        bad = self.rng.randrange(len(fills))
        kept = [fill for index, fill in enumerate(fills) if index != bad]
        side = self.rng.choice([fills[bad].taker, fills[bad].maker])
        fault = self.rng.choice([1, 2, 3])
        self.venue.reject(fills[bad].fill_id, fault, "for the test", orders[side].id if fault < 3 else bytes(32))
        if kept:
            self.venue.land(built, fills=kept)
        else:
            self.venue.batch_settled(built, 0, 1)
        self.venue.mine()

    def _drop(self) -> None:
        if self.venue.core.next_batch() is not None:
            built = self.venue.build()
            if self.rng.random() < 0.5:
                bumped = BatchBuilt(built.batch_no, built.nonce, built.fill_ids, built.prev, built.next, b"bumped")
                self.venue.apply(bumped)
            self.venue.drop_batch(built.batch_no)

    def _reorg(self) -> None:
        """Blocks go; the batches in them land again, in order, in one new block."""
        venue = self.venue
        height = max(self.safe_height, len(venue.blocks) - self.rng.randrange(1, 4))
        if height >= len(venue.blocks) or height < 1:
            return
        lost = venue.blocks[height:]
        venue.revert(height)
        venue.logs = []
        for block in lost:
            venue.logs.extend(block.logs)
        venue.model = venue.lost_state()
        venue.mine()

    def _withdraw(self) -> None:
        role = self.rng.choice(ROLES)
        can = self.venue.core.withdrawable(address(role), 0) // 10**6
        settled = self.venue.model.withdrawable((address(role), 0)) // 10**6
        amount = min(can, settled) // 50
        if amount:
            self.venue.withdraw_on_chain(role, amount)

    def _reserve(self) -> None:
        self.venue.reserve(self.rng.choice(ROLES), self.rng.randrange(1, 50), nonce=self.rng.randrange(1, 10**6))


def main(seed: int, steps: int) -> str:
    """A whole day; the hashes that must not depend on the process."""
    day = Day(Random(seed))
    for _ in range(steps):
        day.step()
    core = day.venue.core
    return f"{core.state_hash().hex()} {core.trail_hash().hex()} {core.seq}"


if __name__ == "__main__":
    sys.stdout.write(main(int(sys.argv[1]), int(sys.argv[2])))
