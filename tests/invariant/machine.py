# SPDX-License-Identifier: AGPL-3.0-only
"""Everything users, operator, oracle and governance can do, in any order, on contracts and model at once."""

from dataclasses import dataclass, replace
from fractions import Fraction

from eth_account.signers.local import LocalAccount
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.reference.exchange import Executed
from tests.support.system import BTC, ETH
from tests.support.twin import Tally, Twin
from tests.support.wire import Fill, Order, Signed, SlotWord, wallet
from tests.support.world import PRICE, USDC

OWNERS = [wallet(f"trader {number}") for number in range(4)]
ACCOUNTS = [(owner, subaccount) for owner in OWNERS for subaccount in (0, 1)]
LIQUIDATOR = (wallet("liquidator"), 0)
LISTINGS = (BTC, ETH)
TICKERS = {listing.id: listing.ticker for listing in LISTINGS}
FLAWS = (
    "reduce-only taker",
    "reduce-only maker",
    "post-only taker",
    "wrong signer",
    "expired",
    "limit",
    "fee cap",
    "off tick",
    "old slot",
    "doubled slot",
    "same side",
    "flags",
    "overfill",
    "trigger",
    "replayed fill",
)


@dataclass(frozen=True)
class Plan:
    """One fill to try. `share` is the part (percent) of the affordable size, `edge` the distance from index in ppm."""

    taker: int
    maker: int
    market: int
    sells: bool
    share: int
    edge: int
    taker_fee: int
    maker_fee: int
    kind: str
    resting: bool
    flaw: str


PLANS = st.builds(
    Plan,
    taker=st.integers(0, len(ACCOUNTS) - 1),
    maker=st.integers(0, len(ACCOUNTS) - 1),
    market=st.sampled_from([1, 1, 2]),
    sells=st.booleans(),
    share=st.one_of(st.integers(1, 40), st.integers(60, 98), st.sampled_from([99, 100, 110])),
    edge=st.one_of(st.just(0), st.integers(-3_000, 3_000), st.integers(-3_000, 3_000), st.integers(-101_000, 101_000)),
    taker_fee=st.sampled_from([350, 350, 200, 0, 1_000]),
    maker_fee=st.sampled_from([0, 0, 150, -100]),
    kind=st.sampled_from(["GTT", "GTT", "IOC", "FOK"]),
    resting=st.booleans(),
    flaw=st.sampled_from(("",) * 2 * len(FLAWS) + FLAWS),
)


class ExchangeMachine(RuleBasedStateMachine):
    """`tally` is shared by all runs of a profile."""

    tally = Tally()

    def __init__(self) -> None:
        super().__init__()
        self.twin = Twin(LISTINGS, self.tally, may_lose_prices=True)
        self.prices = dict(PRICE)
        self.resting: list[tuple[int, Signed]] = []
        self.last_fill: tuple[list[Signed], Fill] | None = None
        self.generation = 0
        self.fill_id = 0
        self.crowd = 1  # more than one fill in a batch shares the margin that there is
        self.seen_indices = {listing.id: 0 for listing in LISTINGS}

    @initialize(amounts=st.lists(st.integers(50, 5_000), min_size=len(ACCOUNTS), max_size=len(ACCOUNTS)))
    def begin(self, amounts: list[int]) -> None:
        for (owner, subaccount), amount in zip(ACCOUNTS, amounts, strict=True):
            self.twin.deposit(owner, amount * USDC, subaccount)
        self.twin.deposit(LIQUIDATOR[0], 1_000_000 * USDC)

    # Money

    @rule(
        who=st.sampled_from(ACCOUNTS),
        what=st.sampled_from(["deposit", "donate", "withdraw", "withdraw", "withdraw slowly"]),
        amount=st.integers(1, 2_000 * USDC),
        share=st.sampled_from([1, 50, 100, 100, 101]),
    )
    def move_money(self, who: tuple[LocalAccount, int], what: str, amount: int, share: int) -> None:
        """A withdrawal is of `share` percent of what is free; 101 asks for one unit more."""
        owner, subaccount = who
        before = self.strangers_cash(who)
        free = self.twin.model.withdrawable((owner.address, subaccount))
        wanted = free * share // 100 if share <= 100 else free + 1
        if what == "deposit":
            self.twin.deposit(owner, amount, subaccount)
        elif what == "donate":
            self.twin.donate(owner, amount // 100 + 1)
        elif wanted:
            way = self.twin.withdraw if what == "withdraw" else self.twin.withdraw_slowly
            if way(owner, wanted, subaccount):
                health = self.twin.read_health(owner.address, subaccount)
                assert health.equity >= health.initial  # I8
        assert self.strangers_cash(who) == before  # I12

    def strangers_cash(self, but: tuple[LocalAccount, int]) -> list[int]:
        call = self.twin.world.exchange.call
        return [call.cash(owner.address, sub) for owner, sub in ACCOUNTS if (owner, sub) != but]

    # Prices and time

    @rule(market=st.sampled_from([1, 1, 2]), move=st.one_of(st.integers(-10_000, 10_000), st.integers(-90_000, 90_000)))
    def drift(self, market: int, move: int) -> None:
        self.move_price(market, move)

    def move_price(self, market: int, move: int) -> None:
        self.prices[market] = max(100, self.prices[market] * (1_000_000 + move) // 1_000_000)
        self.twin.push(market, self.prices[market])

    @rule(
        seconds=st.one_of(st.integers(1, 90), st.integers(100, 4_000), st.integers(3_000, 20_000)),
        refresh=st.sampled_from([(1, 2), (1, 2), (1, 2), (1,), (2,), ()]),
        poke=st.sampled_from([(), (), (1,), (2,)]),
    )
    def pass_time(self, seconds: int, refresh: tuple[int, ...], poke: tuple[int, ...]) -> None:
        self.twin.warp(seconds)
        for market in refresh:
            self.twin.push(market, self.prices[market])
        for market in poke:
            self.twin.poke(market)

    @rule(market=st.sampled_from([1, 2]), mode=st.sampled_from([1, 3]), plan=PLANS, seconds=st.integers(0, 4_000))
    def lose_price(self, market: int, mode: int, plan: Plan, seconds: int) -> None:
        """The oracle fails for one market; trading goes on where it can."""
        self.twin.lose_price(market, mode)
        self.try_fills([replace(plan, market=market), replace(plan, market=3 - market)])
        self.twin.warp(seconds)

    # Rules

    @rule(
        market=st.sampled_from([1, 2]), state=st.sampled_from([2, 3]), imf=st.sampled_from([50_000, 80_000]), plan=PLANS
    )
    def govern(self, market: int, state: int, imf: int, plan: Plan) -> None:
        """A spell in another state, with a fill tried meanwhile, and perhaps another margin afterwards."""
        listing = replace(LISTINGS[market - 1], imf=imf)
        self.twin.set_market(listing, state)
        self.try_fills([replace(plan, market=market)])
        if not self.twin.set_market(listing):
            self.twin.push(market, self.prices[market])
            self.twin.set_market(listing)

    # Cancels

    @rule(who=st.sampled_from(ACCOUNTS), slot=st.integers(0, 6))
    def cancel(self, who: tuple[LocalAccount, int], slot: int) -> None:
        if slot > 3:
            self.twin.cancel_all(*who)
        else:
            self.twin.cancel_slot(who[0], slot)

    # Trading

    @rule(plans=st.lists(PLANS, min_size=1, max_size=5))
    def trade_whatever_the_prices(self, plans: list[Plan]) -> None:
        self.try_fills(plans)

    @rule(plans=st.lists(PLANS, min_size=1, max_size=5))
    def trade(self, plans: list[Plan]) -> None:
        self.refresh()
        self.try_fills(plans)

    @rule(plans=st.lists(PLANS.map(lambda plan: replace(plan, flaw="", edge=0)), min_size=1, max_size=5))
    def trade_well(self, plans: list[Plan]) -> None:
        self.refresh()
        self.try_fills(plans)

    def refresh(self) -> None:
        for market in self.prices:
            if not self.twin.model.markets[market].is_fresh(self.twin.world.now + 1):
                self.twin.push(market, self.prices[market])

    def try_fills(self, plans: list[Plan]) -> None:
        orders: list[Signed] = []
        fills: list[Fill] = []
        self.crowd = 1 if len(plans) == 1 else 2
        for plan in plans:
            self.add_fill(plan, orders, fills)
        once = self.accounts_used_once(orders, fills)
        before = {key: self.twin.read_health(*key) for key in once}
        outcomes = self.twin.settle(orders, fills)
        for key, index in once.items():
            if isinstance(outcomes[index], Executed):
                assert self.twin.read_health(*key).allows(before[key])  # I8
        for signed in orders:
            if not signed.order.is_one_shot:
                slot = SlotWord.unpack(self.twin.world.exchange.call.slot(signed.signer, signed.order.slot))
                if slot.tag == int.from_bytes(signed.id, "big") & (1 << 88) - 1:
                    assert slot.filled <= signed.order.size  # I5

    def add_fill(self, plan: Plan, orders: list[Signed], fills: list[Fill]) -> None:
        maker = plan.maker if plan.maker != plan.taker else (plan.maker + 1) % len(ACCOUNTS)
        index = self.prices[plan.market]
        price = max(1, index * (1_000_000 + plan.edge) // 1_000_000 // 100) * 100 + (plan.flaw == "off tick")
        affordable = min(self.affordable(plan.taker, plan), self.affordable(maker, plan))
        lots = max(1, affordable * plan.share // 100 // self.crowd)
        taker_order = self.taker_order(plan, price, lots)
        maker_order = self.maker_order(plan, maker, price, lots)
        if plan.flaw == "replayed fill" and self.last_fill is not None:
            offset = len(orders)
            pair, fill = self.last_fill
            orders += pair
            fills.append(Fill(fill.fill_id, fill.price, fill.size, offset, offset + 1, fill.taker_fee, fill.maker_fee))
            return
        self.fill_id += 1
        size = lots + 1 if plan.flaw == "overfill" else lots
        flags = 4 if plan.flaw == "flags" else 0
        at = len(orders)
        orders += [taker_order, maker_order]
        fills.append(Fill(self.fill_id, price, size, at, at + 1, plan.taker_fee, plan.maker_fee, flags))
        self.last_fill = ([taker_order, maker_order], fills[-1])

    def affordable(self, account: int, plan: Plan) -> int:
        """Lots that free collateral, or closing the position, allows; roughly."""
        owner, subaccount = ACCOUNTS[account]
        model, market = self.twin.model, self.twin.model.markets[plan.market]
        health = model.health((owner.address, subaccount))
        held = abs(model.accounts[owner.address, subaccount].position(plan.market).size)
        per_lot = Fraction(market.price * market.terms.imf, 1_000_000)
        return held + (max(0, int((health.equity - health.initial) / per_lot)) if per_lot else 0)

    def base_order(self, plan: Plan, account: int, *, sells: bool, price: int, lots: int) -> Order:
        owner, subaccount = ACCOUNTS[account]
        now = self.twin.world.now
        self.generation = max(self.generation + 1, now * 1000)
        return Order(
            market=TICKERS[plan.market],
            side="SELL" if sells else "BUY",
            size=lots,
            limit_price=price,
            account=owner.address,
            subaccount=subaccount,
            generation=self.generation,
            expiry=now + 86_400,
            slot=1 + self.generation % 3,
        )

    def taker_order(self, plan: Plan, price: int, lots: int) -> Signed:
        order = self.base_order(plan, plan.taker, sells=plan.sells, price=price, lots=lots)
        if plan.kind != "GTT":
            order = order.but(time_in_force=plan.kind, slot=0)
        owner = ACCOUNTS[plan.taker][0]
        if plan.flaw == "reduce-only taker":
            order = order.but(reduce_only=True)
        elif plan.flaw == "post-only taker":
            order = order.but(post_only=True)
        elif plan.flaw == "expired":
            order = order.but(expiry=self.twin.world.now - 1)
        elif plan.flaw == "limit":
            order = order.but(limit_price=price + (1 if plan.sells else -1))
        elif plan.flaw == "fee cap":
            order = order.but(max_fee_ppm=max(0, plan.taker_fee - 1))
        elif plan.flaw == "trigger":
            order = order.but(trigger="AT_OR_ABOVE", trigger_price=price)
        elif plan.flaw == "wrong signer":
            owner = OWNERS[(OWNERS.index(owner) + 1) % len(OWNERS)]
        return self.twin.world.sign(owner, order)

    def maker_order(self, plan: Plan, maker: int, price: int, lots: int) -> Signed:
        """A fresh order for twice the size, or one that rested since an earlier fill of this account."""
        if plan.resting:
            for account, signed in reversed(self.resting[-12:]):
                order = signed.order
                if account == maker and order.market == TICKERS[plan.market] and order.is_sell != plan.sells:
                    return signed
        sells = plan.sells if plan.flaw == "same side" else not plan.sells
        order = self.base_order(plan, maker, sells=sells, price=price, lots=2 * lots)
        if plan.flaw == "reduce-only maker":
            order = order.but(reduce_only=True)
        elif plan.flaw == "old slot":
            order = order.but(generation=order.generation - 50_000)
        elif plan.flaw == "doubled slot" and self.resting:
            other = self.resting[-1][1].order
            order = order.but(generation=other.generation, slot=other.slot)
        else:
            order = order.but(post_only=self.generation % 2 == 0)
        signed = self.twin.world.sign(ACCOUNTS[maker][0], order)
        self.resting.append((maker, signed))
        return signed

    def accounts_used_once(self, orders: list[Signed], fills: list[Fill]) -> dict[tuple[str, int], int]:
        """Accounts that only one fill of the batch concerns, with that fill's place."""
        found: dict[tuple[str, int], list[int]] = {}
        for place, fill in enumerate(fills):
            for index in (fill.taker, fill.maker):
                order = orders[index].order
                found.setdefault((order.account, order.subaccount), []).append(place)
        return {key: places[0] for key, places in found.items() if len(places) == 1}

    # Liquidation

    @rule(
        pick=st.integers(0, 100),
        liquidator=st.sampled_from(ACCOUNTS),
        size=st.sampled_from([1, 50, 10**6, 10**9]),
    )
    def liquidate_anyone(self, pick: int, liquidator: tuple[LocalAccount, int], size: int) -> None:
        """Refused unless it is due (I9), and unless the liquidator can afford it."""
        legs = self.legs(only_due=False)
        if legs:
            account, market = legs[pick % len(legs)]
            self.liquidate(account, market, liquidator, size)

    @rule(
        market=st.sampled_from([1, 1, 2]),
        move=st.integers(10_000, 120_000),
        up=st.booleans(),
        size=st.sampled_from([30, 500, 10**9, 10**9]),
        liquidator=st.sampled_from([LIQUIDATOR, LIQUIDATOR, *ACCOUNTS]),
        fund=st.integers(0, 50 * USDC),
    )
    def crash(
        self, market: int, move: int, up: bool, size: int, liquidator: tuple[LocalAccount, int], fund: int
    ) -> None:
        """The price jumps, and whatever is due in that market is taken over."""
        if fund % 2:
            self.twin.donate(LIQUIDATOR[0], fund)
        self.refresh()
        self.move_price(market, move if up else -move)
        for account, leg in self.legs(only_due=True):
            self.liquidate(account, leg, liquidator, size)

    def liquidate(
        self, account: tuple[LocalAccount, int], market: int, liquidator: tuple[LocalAccount, int], size: int
    ) -> None:
        flat = self.flat_accounts()
        takeover = self.twin.liquidate(account, liquidator, market, size)
        if takeover is None:
            return
        before, after = takeover.before, takeover.after
        assert before.equity < before.maintenance  # I9
        if before.equity > 0:
            assert after.equity >= 0  # never past bankruptcy
            assert after.equity * before.maintenance >= before.equity * after.maintenance  # I10
            assert takeover.covered == 0
        else:
            assert takeover.insurance == 0
            assert takeover.spread == 0 or self.twin.model.insurance == 0  # I7
        for key, cash in flat.items():
            if key != (liquidator[0].address, liquidator[1]):
                assert self.twin.world.exchange.call.cash(*key) == cash  # I11

    def legs(self, *, only_due: bool) -> list[tuple[tuple[LocalAccount, int], int]]:
        found = []
        for owner, subaccount in ACCOUNTS:
            key = owner.address, subaccount
            health = self.twin.model.health(key)
            if health.equity < health.maintenance or not only_due:
                found += [((owner, subaccount), market) for market in self.twin.model.accounts[key].open_markets()]
        return found

    def flat_accounts(self) -> dict[tuple[str, int], int]:
        call, accounts = self.twin.world.exchange.call, self.twin.model.accounts
        return {key: call.cash(*key) for key, account in accounts.items() if not account.open_markets()}

    # After every action

    @invariant()
    def agrees(self) -> None:
        """I1, I2, I3, I7, I15."""
        self.twin.check()

    @invariant()
    def time_of_indices_only_advances(self) -> None:
        """I6, with the journal head."""
        call = self.twin.world.exchange.call
        for market, seen in self.seen_indices.items():
            last = call.market_indices(market)[2]
            assert last >= seen
            self.seen_indices[market] = last
        assert call.heads(self.twin.world.operator) == self.twin.world.system.head
