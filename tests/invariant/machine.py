# SPDX-License-Identifier: AGPL-3.0-only
"""Everything users, operator, oracle and governance can do, in any order, on contracts and model at once."""

import random
from dataclasses import replace
from fractions import Fraction

from eth_account.signers.local import LocalAccount
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.invariant.actions import WholeTwin, signed_by_nobody
from tests.invariant.intruders import PRIVILEGED, intrude
from tests.invariant.plans import (
    ACCOUNTS,
    AMOUNTS,
    LIQUIDATOR,
    OWNERS,
    PATRON,
    PLANS,
    SESSION_KEYS,
    SOUND,
    Plan,
)
from tests.reference import liquidation
from tests.reference.account import Health
from tests.reference.exact import PPM, up
from tests.reference.exchange import AccountKey, Executed, HandedOver
from tests.reference.exits import INSOLVENT_FIRST, NOTICE, WAIT
from tests.reference.market import SETTLED
from tests.reference.orders import price_is_past_limit
from tests.reference.sessions import Key
from tests.reference.settlement import account_of, market_of
from tests.support.system import BTC, ETH
from tests.support.twin import Tally
from tests.support.wire import Fill, Order, Signed
from tests.support.world import PRICE, USDC

LISTINGS = (BTC, ETH)
TICKERS = {listing.id: listing.ticker for listing in LISTINGS}
Holder = tuple[LocalAccount, int]


class ExchangeMachine(RuleBasedStateMachine):
    """`tally` is shared by all runs of a profile."""

    tally = Tally()

    def __init__(self) -> None:
        super().__init__()
        self.twin = WholeTwin(LISTINGS, self.tally, may_lose_prices=True)
        self.model = self.twin.model
        self.prices = dict(PRICE)
        self.resting: list[tuple[int, Signed]] = []
        self.last_fill: tuple[list[Signed], list[Fill]] | None = None
        self.generation = 0
        self.nonce = 0
        self.fill_id = 0
        self.crowd = 1  # more than one fill in a batch shares the margin that there is
        self.seen = {market: (self.twin.hour_of(market), self.twin.indices_of(market)) for market in TICKERS}
        self.numbers = random.Random(0)

    @initialize(
        amounts=st.lists(st.integers(50, 5_000), min_size=len(ACCOUNTS), max_size=len(ACCOUNTS)),
        backstop=st.sampled_from([None, 0, 5, 500]),
        share=st.sampled_from([0, 100_000, 500_000]),
        number=st.integers(0, 2**16),
    )
    def begin(self, amounts: list[int], backstop: int | None, share: int, number: int) -> None:
        for (owner, subaccount), amount in zip(ACCOUNTS, amounts, strict=True):
            self.twin.deposit(owner, amount * USDC, subaccount)
        self.twin.deposit(LIQUIDATOR[0], 300_000 * USDC)
        if backstop is not None:
            self.twin.name_backstop()
            if backstop:
                self.twin.fund_backstop(PATRON, backstop * USDC)
        if share:
            self.twin.set_referrer_share(share)
            self.twin.register_referrer(OWNERS[0], 1)
        self.numbers = random.Random(number)

    # Money

    @rule(
        who=st.sampled_from(ACCOUNTS),
        what=st.sampled_from(["deposit", "donate", "fund backstop", "withdraw", "withdraw", "withdraw slowly"]),
        amount=AMOUNTS,
        share=st.sampled_from([1, 50, 100, 100, 101]),
    )
    def move_money(self, who: Holder, what: str, amount: int, share: int) -> None:
        """A withdrawal is of `share` percent of what is free; 101 asks for one unit more."""
        owner, subaccount = who
        before = self.cash_but(key_of(who))
        free = self.model.withdrawable((owner.address, subaccount))
        wanted = free * share // 100 if share <= 100 else free + 1
        if what == "deposit":
            self.twin.deposit(owner, amount, subaccount)
        elif what == "donate":
            self.twin.donate(owner, amount // 100 + 1)
        elif what == "fund backstop":
            if self.model.backstop:
                self.twin.fund_backstop(PATRON, amount // 100 + 1)
        elif wanted:
            way = self.twin.withdraw if what == "withdraw" else self.twin.withdraw_slowly
            if way(owner, wanted, subaccount):
                health = self.twin.read_health(owner.address, subaccount)
                assert health.equity >= health.initial  # I8
        assert self.cash_but(key_of(who)) == before  # I12

    def cash_but(self, key: AccountKey) -> list[int]:
        """The contract's word for what the others have."""
        return [self.twin.cash_of(key_of(holder)) for holder in ACCOUNTS if key_of(holder) != key]

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
        market=st.sampled_from([1, 2]),
        what=st.sampled_from(["reduce-only", "halt", "margin", "scale", "scale", "share"]),
        number=st.integers(0, 3),
        plan=PLANS,
    )
    def govern(self, market: int, what: str, number: int, plan: Plan) -> None:
        """A spell under another rule, with a fill tried meanwhile; scales and shares stay."""
        listing = LISTINGS[market - 1]
        if what == "scale":
            self.twin.set_margin_scale(market, *((0, 0), (1, 3), (0, 40), (5, 2_000))[number])
        elif what == "share":
            self.twin.set_referrer_share((0, 100_000, 333_333, 500_000)[number])
        elif what == "margin":
            self.twin.set_market(replace(listing, imf=(50_000, 80_000)[number % 2]))
        else:
            self.twin.set_market(listing, 2 if what == "reduce-only" else 3)
        self.refresh()
        self.try_fills([replace(plan, market=market)])
        if what in ("reduce-only", "halt"):
            self.twin.set_market(listing)

    @rule(who=st.sampled_from(OWNERS), place=st.integers(0, len(PRIVILEGED) - 1))
    def try_what_is_not_allowed(self, who: LocalAccount, place: int) -> None:
        intrude(self.twin, who.address, PRIVILEGED[place])  # I16

    # Cancels and keys

    @rule(who=st.sampled_from(ACCOUNTS), slot=st.integers(0, 6))
    def cancel(self, who: Holder, slot: int) -> None:
        if slot > 3:
            self.twin.cancel_all(*who)
        else:
            self.twin.cancel_slot(who[0], slot)

    @rule(
        owner=st.sampled_from(OWNERS),
        key=st.sampled_from(SESSION_KEYS),
        markets=st.sampled_from([(), (), (1,), (2,), (1, 2), (2, 1, 1, 2)]),
        budget=st.sampled_from([0, 10**9, 10**12, 2**64 - 1]),
        life=st.sampled_from([60, 86_400, 365 * 86_400, 365 * 86_400 + 1]),
        signed=st.booleans(),
    )
    def register_key(
        self, owner: LocalAccount, key: LocalAccount, markets: tuple[int, ...], budget: int, life: int, signed: bool
    ) -> None:
        self.nonce += 1
        terms = Key(self.twin.world.now + life, budget, markets)
        self.twin.register_key(owner, key, terms, self.nonce, signed=signed)

    @rule(owner=st.sampled_from(OWNERS), key=st.sampled_from(SESSION_KEYS), by_key=st.booleans())
    def revoke_key(self, owner: LocalAccount, key: LocalAccount, by_key: bool) -> None:
        if (owner.address, key.address) in self.model.keys.keys:
            self.twin.revoke_key(owner.address, key.address, key.address if by_key else owner.address)

    @rule(number=st.integers(1, 3), who=st.sampled_from(ACCOUNTS))
    def claim_or_register(self, number: int, who: Holder) -> None:
        if self.model.referrers.accrued.get(number):
            self.twin.claim_referral(number)
        elif number > len(self.model.referrers.payees):
            self.twin.register_referrer(*who)

    # Trading

    @rule(plans=st.lists(PLANS, min_size=1, max_size=5))
    def trade_whatever_the_prices(self, plans: list[Plan]) -> None:
        self.try_fills(plans)

    @rule(plan=PLANS, share=st.sampled_from([90, 95, 98, 99]))
    def lever_up(self, plan: Plan, share: int) -> None:
        self.refresh()
        self.try_fills([replace(plan, **SOUND, share=share, makers=1, kind="IOC", by_key=False)])

    @rule(plans=st.lists(PLANS, min_size=1, max_size=5))
    def trade(self, plans: list[Plan]) -> None:
        self.refresh()
        self.try_fills(plans)

    @rule(plans=st.lists(PLANS.map(lambda plan: replace(plan, **SOUND)), min_size=1, max_size=5))
    def trade_well(self, plans: list[Plan]) -> None:
        self.refresh()
        self.try_fills(plans)

    def refresh(self) -> None:
        for market in self.prices:
            if not self.model.markets[market].is_fresh(self.twin.world.now + 1):
                self.twin.push(market, self.prices[market])

    def try_fills(self, plans: list[Plan]) -> None:
        orders: list[Signed] = []
        fills: list[Fill] = []
        self.crowd = sum(plan.makers for plan in plans)
        for plan in plans:
            self.add_fills(plan, orders, fills)
        self.settle(orders, fills)

    def settle(self, orders: list[Signed], fills: list[Fill]) -> None:
        once = dict(list(accounts_used_once(orders, fills).items())[-1:])
        before = {key: self.twin.read_health(*key) for key in once}
        wealth, interests, held = self.wealth(), self.interests(), self.held()
        outcomes = self.twin.settle(orders, fills)
        assert self.wealth() <= wealth  # I14: at one price and time nobody gains but from others
        for key, index in once.items():
            if isinstance(outcomes[index], Executed):
                market = market_of(orders[fills[index].taker])
                reached = interest_reached(held[market], orders, fills, outcomes, index)
                assert self.health_at(key, interests | {market: reached}).allows(before[key])  # I8
        for fill, outcome in zip(fills, outcomes, strict=True):
            if isinstance(outcome, Executed):
                self.check_signatures_kept(orders[fill.taker], fill, fill.taker_fee)
                self.check_signatures_kept(orders[fill.maker], fill, fill.maker_fee)

    def interests(self) -> dict[int, int]:
        return {id_: market.open_interest for id_, market in self.model.markets.items()}

    def held(self) -> dict[int, dict[AccountKey, int]]:
        """Signed lots by market and account."""
        return {
            id_: {key: account.position(id_).size for key, account in self.model.accounts.items()}
            for id_ in self.model.markets
        }

    def health_at(self, key: AccountKey, interests: dict[int, int]) -> Health:
        """As the contract has it now, but with initial margin as these open interests scale it."""
        health = self.twin.read_health(*key)
        held = {id_: self.model.accounts[key].position(id_).size for id_ in interests}
        initial = 0
        for id_, lots in held.items():
            market = self.model.markets[id_]
            imf = market.terms.scaled_imf(interests[id_] * market.price)
            initial += up(abs(lots) * market.price * imf, PPM)
        return replace(health, initial=initial)

    def wealth(self) -> Fraction:
        """Of all traders and referrers together."""
        everyone = sum(self.model.health(key).equity for key in self.model.accounts if key[0] != self.model.backstop)
        return Fraction(everyone) + sum(self.model.referrers.accrued.values())

    def check_signatures_kept(self, signed: Signed, fill: Fill, rate: int) -> None:
        """I5, by the contract's own slot."""
        order = signed.order
        assert fill.price >= order.limit_price if order.is_sell else fill.price <= order.limit_price
        assert rate <= order.max_fee_ppm
        if not order.is_one_shot:
            slot = self.twin.slot_of(signed.signer, order.slot)
            assert slot.tag != int.from_bytes(signed.id, "big") & (1 << 88) - 1 or slot.filled <= order.size

    def add_fills(self, plan: Plan, orders: list[Signed], fills: list[Fill]) -> None:
        """A taker's order and those of its makers, one fill each."""
        at = len(orders)
        if plan.flaw == "replayed fill" and self.last_fill is not None:
            again, last = self.last_fill
            orders += again
            fills += [replace(fill, taker=fill.taker + at, maker=fill.maker + at) for fill in last]
            return
        makers = [(plan.maker + 3 * number) % len(ACCOUNTS) for number in range(plan.makers)]
        makers = [maker if maker != plan.taker else (maker + 1) % len(ACCOUNTS) for maker in makers]
        index = self.prices[plan.market]
        price = max(1, index * (1_000_000 + plan.edge) // 1_000_000 // 100) * 100 + (plan.flaw == "off tick")
        affordable = min(self.affordable(account, plan.market) for account in {plan.taker, *makers})
        lots = max(1, affordable * plan.share // 100 // self.crowd)
        pair = [self.taker_order(plan, price, lots * len(makers))]
        words: list[Fill] = []
        for number, maker in enumerate(makers):
            self.fill_id += 1
            pair.append(self.maker_order(plan, maker, price, lots))
            is_last = number == len(makers) - 1
            flags = 0 if is_last and plan.flaw != "torn group" else 1
            flags = {"flags": 4, "no liquidation": 2}.get(plan.flaw, flags)
            size = lots + 1 if plan.flaw == "overfill" else lots
            taker = 1 if plan.flaw == "two takers" and number == 1 else 0
            words.append(Fill(self.fill_id, price, size, taker, number + 1, plan.taker_fee, plan.maker_fee, flags))
        self.last_fill = pair, words
        orders += pair
        fills += [replace(word, taker=word.taker + at, maker=word.maker + at) for word in words]

    def affordable(self, account: int, market_id: int) -> int:
        """Lots that free collateral, or closing the position, allows; roughly."""
        key, market = key_of(ACCOUNTS[account]), self.model.markets[market_id]
        health = self.model.health(key)
        held = abs(self.model.accounts[key].position(market_id).size)
        per_lot = market.price * market.imf
        return held + (max(0, int((health.equity - health.initial) * 1_000_000 // per_lot)) if per_lot else 0)

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
            referrer=plan.referrer,
        )

    def taker_order(self, plan: Plan, price: int, lots: int) -> Signed:
        order = self.base_order(plan, plan.taker, sells=plan.sells, price=price, lots=lots)
        index = self.prices[plan.market]
        if plan.kind != "GTT":
            order = order.but(time_in_force=plan.kind, slot=0)
        trigger = "AT_OR_ABOVE" if plan.lucky % 2 else "AT_OR_BELOW"
        if plan.lucky > 5:
            order = order.but(trigger=trigger, trigger_price=index)
        signer = self.signer(plan, ACCOUNTS[plan.taker][0])
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
        elif plan.flaw == "not triggered":
            order = order.but(trigger=trigger, trigger_price=index + (1 if plan.lucky % 2 else -1))
        elif plan.flaw == "bad trigger":
            price_without = {"trigger": "NONE", "trigger_price": 1}
            order = order.but(**(price_without if plan.lucky % 2 else {"trigger": trigger, "trigger_price": 0}))
        elif plan.flaw == "short of all":
            order = order.but(size=lots + 1)
        elif plan.flaw == "wrong signer":
            signer = OWNERS[(OWNERS.index(ACCOUNTS[plan.taker][0]) + 1) % len(OWNERS)]
        return self.twin.world.sign(signer, order)

    def signer(self, plan: Plan, owner: LocalAccount) -> LocalAccount:
        """The owner, or some session key of his, alive or not."""
        if plan.by_key:
            known = [key for key in SESSION_KEYS if (owner.address, key.address) in self.model.keys.keys]
            alive = [key for key in known if self.may_sign(owner.address, key.address, plan.market)]
            keys = known if plan.lucky == 0 else alive
            if keys:
                return keys[plan.lucky % len(keys)]
        return owner

    def may_sign(self, owner: str, key: str, market: int) -> bool:
        return not any(self.model.keys.faults(owner, key, market, 10**9, self.twin.world.now))

    def maker_order(self, plan: Plan, maker: int, price: int, lots: int) -> Signed:
        """A fresh order for twice the size, or one that rested since an earlier fill of this account."""
        if plan.resting:
            for account, signed in reversed(self.resting[-12:]):
                order = signed.order
                fits = plan.lucky == 0 or not price_is_past_limit(order, price)
                if account == maker and order.market == TICKERS[plan.market] and order.is_sell != plan.sells and fits:
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
        signed = self.twin.world.sign(self.signer(plan, ACCOUNTS[maker][0]), order)
        self.resting.append((maker, signed))
        return signed

    # Liquidation

    @rule(
        pick=st.integers(0, 100),
        liquidator=st.sampled_from(ACCOUNTS),
        size=st.sampled_from([1, 50, 10**6, 10**9]),
    )
    def liquidate_anyone(self, pick: int, liquidator: Holder, size: int) -> None:
        """Refused unless it is due (I9), and unless the liquidator can afford it."""
        legs = self.legs(only_due=pick % 4 > 0)
        if legs:
            account, market = legs[pick % len(legs)]
            self.liquidate(account, market, liquidator, size)

    @rule(
        market=st.sampled_from([1, 1, 2]),
        move=st.one_of(st.integers(10_000, 70_000), st.integers(40_000, 250_000)),
        up=st.booleans(),
        ways=st.lists(st.sampled_from(["liquidator", "trader", "book", "deleverage"]), min_size=1, max_size=3),
        size=st.sampled_from([30, 500, 10**9, 10**9]),
        fund=st.integers(0, 50 * USDC),
    )
    def crash(self, market: int, move: int, up: bool, ways: list[str], size: int, fund: int) -> None:
        """The price jumps, and whatever is due is closed, in one way or another."""
        if fund % 2:
            self.twin.donate(LIQUIDATOR[0], fund)
        self.refresh()
        self.move_price(market, move if up else -move)
        for way in ways:
            for account, leg in self.legs(only_due=True):
                if way == "book":
                    self.liquidate_on_the_book(account, leg, size)
                elif way == "deleverage":
                    self.deleverage(account, leg, size)
                else:
                    self.liquidate(account, leg, LIQUIDATOR if way == "liquidator" else self.some_account(), size)

    def some_account(self) -> Holder:
        return self.numbers.choice(ACCOUNTS)

    def liquidate(self, account: Holder, market: int, liquidator: Holder, size: int) -> None:
        flat, wealth, reserves = self.flat_accounts(), self.wealth(), self.reserves()
        takeover = self.twin.liquidate(account, liquidator, market, size)
        if takeover is None:
            return
        before, after = takeover.before, takeover.after
        assert before.equity < before.maintenance  # I9
        assert self.wealth() <= wealth + reserves - self.reserves()  # I14
        if before.equity > 0:
            assert after.equity >= 0  # never past bankruptcy
            # a position that closes leaves the fraction of a micro-USDC behind
            whole = after.equity + (takeover.position.size == 0)
            assert whole * before.maintenance >= before.equity * after.maintenance  # I10
            assert takeover.covered == 0
        else:
            assert takeover.insurance == 0
            assert takeover.spread == 0 or self.reserves() == 0  # I7
        self.check_flat(flat, but=key_of(liquidator))

    def liquidate_on_the_book(self, account: Holder, market_id: int, size: int) -> None:
        """A fill against whoever stands on the other side, at the worst price or a better one."""
        key, market = key_of(account), self.model.markets[market_id]
        health, held = self.model.health(key), self.model.accounts[key].position(market_id).size
        if not market.is_fresh(self.twin.world.now) or held == 0 or market.terms.state == SETTLED:
            return
        maker = self.numbers.randrange(len(ACCOUNTS))
        if ACCOUNTS[maker] == account:
            return
        price, most = market.price, abs(held)
        if 0 < health.equity < health.maintenance:
            terms = liquidation.terms(health, market, held, self.model.unscaled_initial(key))
            better, most = self.numbers.choice([0, 0, 100, 1_000, -100]), terms.max_size
            limit = terms.price(market, held) + (better if held > 0 else -better)
            price = -(-limit // 100) * 100 if held > 0 else limit // 100 * 100
        lots = min(size, most) + (self.numbers.random() < 0.1)
        plan = Plan(0, maker, market_id, held > 0, 0, 0, 0, 0, "IOC", False, 1, 0, False, 0, "")
        order = self.base_order(plan, ACCOUNTS.index(account), sells=held > 0, price=price, lots=lots)
        taker = self.twin.world.sign(PATRON, order.but(time_in_force="IOC", slot=0, max_fee_ppm=0))
        orders = [signed_by_nobody(taker), self.maker_order(plan, maker, price, lots)]
        self.fill_id += 1
        self.settle_on_the_book(orders, Fill(self.fill_id, price, lots, 0, 1, flags=2), key)

    def settle_on_the_book(self, orders: list[Signed], fill: Fill, key: AccountKey) -> None:
        before, flat = self.twin.read_health(*key), self.flat_accounts()
        wealth = self.wealth()
        [outcome] = self.twin.settle(orders, [fill])
        self.tally.count("liquidate on the book", isinstance(outcome, Executed))
        if isinstance(outcome, Executed):
            after = self.twin.read_health(*key)
            assert 0 < before.equity < before.maintenance  # I9
            assert after.equity >= 0
            closed = self.model.accounts[key].position(market_of(orders[0])).size == 0
            assert (after.equity + closed) * before.maintenance >= before.equity * after.maintenance  # I10
            assert self.wealth() <= wealth  # I14
            self.check_flat(flat, but=(orders[1].order.account, orders[1].order.subaccount))

    def deleverage(self, account: Holder, market: int, size: int) -> None:
        flat, reserves = self.flat_accounts(), self.reserves()
        others = self.others_in(market, but=key_of(account))
        handed = self.twin.deleverage(key_of(account), market, others, [size] * len(others))
        if handed is None:
            return
        self.check_handed_over(handed, market)
        assert handed.paid.insurance + handed.paid.backstop == reserves  # I7: to their end
        assert self.reserves() == handed.surplus
        self.check_flat(flat)

    def check_handed_over(self, handed: HandedOver, market: int) -> None:
        for key, lots, position in handed.parts:
            before = position.size - lots
            assert before * lots < 0  # it closed what was opposite
            assert position.size * before >= 0  # and flipped nobody
            assert self.twin.read_health(*key) == self.model.health(key)
        assert market in self.model.markets

    def others_in(self, market: int, but: AccountKey) -> list[AccountKey]:
        """Whoever has a position there, and perhaps somebody who has none, in any order."""
        found = [key for key, account in self.model.accounts.items() if account.position(market).size and key != but]
        self.numbers.shuffle(found)
        return found[: self.numbers.choice([1, 2, 16, 16])]

    def legs(self, *, only_due: bool) -> list[tuple[Holder, int]]:
        found = []
        for holder in ACCOUNTS:
            health = self.model.health(key_of(holder))
            if health.equity < health.maintenance or not only_due:
                found += [(holder, market) for market in self.model.accounts[key_of(holder)].open_markets()]
        return found

    def reserves(self) -> int:
        backstop = self.twin.cash_of((self.model.backstop, 0)) if self.model.backstop else 0
        return self.twin.insurance() + backstop

    def flat_accounts(self) -> dict[AccountKey, int]:
        accounts = self.model.accounts.items()
        return {
            key: self.twin.cash_of(key)
            for key, account in accounts
            if not account.open_markets() and key[0] != self.model.backstop
        }

    def check_flat(self, flat: dict[AccountKey, int], but: AccountKey | None = None) -> None:
        """I11: who has no position loses nothing."""
        for key, cash in flat.items():
            assert key == but or self.twin.cash_of(key) == cash

    # Closes on request

    @rule(
        pick=st.integers(0, 100),
        share=st.sampled_from([1, 50, 100]),
        wait=st.sampled_from([60, WAIT - 120, WAIT, WAIT, WAIT + 1_800, WAIT + 3_600]),
        move=st.integers(-20_000, 20_000),
    )
    def close_without_the_operator(self, pick: int, share: int, wait: int, move: int) -> None:
        legs = self.legs(only_due=False)
        if not legs:
            return
        (owner, subaccount), market = legs[pick % len(legs)]
        key = owner.address, subaccount
        size = max(1, abs(self.model.accounts[key].position(market).size) * share // 100)
        self.twin.request_close(owner, subaccount, market, size)
        self.twin.warp(wait)
        for other in self.prices:
            if pick % 5 or other != market:
                self.move_price(other, move)
        flat, before = self.flat_accounts(), self.wealth()
        others = self.others_in(market, but=key)
        closed = self.twin.execute_close(key, market, others, [size] * len(others))
        if closed is not None:
            self.check_handed_over(closed, market)
            self.check_flat(flat)
            assert self.wealth() <= before  # I14

    # After every action

    @invariant()
    def agrees(self) -> None:
        """I1, I2, I3, I4, I7, I15."""
        self.twin.check(thoroughly=False)

    @invariant()
    def indices_stand(self) -> None:
        """I6: hours only advance, and within one only a loss step moves an index; the journal head is the last one."""
        for market, (hour, indices) in self.seen.items():
            now = self.twin.hour_of(market), self.twin.indices_of(market)
            assert now[0] >= hour
            if now[0] == hour and self.model.markets[market].terms.state != SETTLED:
                assert now[1][0] >= indices[0]
                assert now[1][1] <= indices[1]
                assert now[1][2:] == indices[2:]
            self.seen[market] = now
        assert self.twin.world.exchange.call.heads(self.twin.world.operator) == self.twin.world.system.head

    # The end

    def teardown(self) -> None:
        """I13: markets end, and all get out, in any order."""
        if self.twin.tally.calls and self.numbers.random() < 0.5:
            self.twin.check()
            for market in self.prices:
                self.wind_up(market)
            self.leave()

    def wind_up(self, market: int) -> None:
        keys = list(self.model.accounts)
        by_governance = self.numbers.random() < 0.7
        if not by_governance:
            self.twin.warp(self.numbers.choice([3_600, 72 * 3_600]))
        if not self.twin.begin_settling(market, by_governance=by_governance):
            self.twin.begin_settling(market, by_governance=True)
        self.twin.warp(NOTICE - 5)
        self.twin.fix_settlement(market)
        if self.numbers.random() < 0.8:
            for other in self.prices:
                self.move_price(other, self.numbers.randrange(-60_000, 60_000))
            self.twin.warp(10)
            self.move_price(market, self.numbers.randrange(-60_000, 60_000))
        else:
            self.twin.warp(24 * 3_600 + 10)
        assert self.twin.fix_settlement(market)
        self.twin.check()
        insolvent = True
        while insolvent:  # a loss that is spread may make others insolvent
            self.numbers.shuffle(keys)
            insolvent = bool(self.twin.settle_positions(market, keys))
        self.twin.check()
        self.twin.warp(INSOLVENT_FIRST)
        self.numbers.shuffle(keys)
        for start in range(0, len(keys), 4):
            flat = self.flat_accounts()
            self.twin.settle_positions(market, keys[start : start + 4])
            self.check_flat(flat)
        self.twin.check()
        assert not any(account.position(market).size for account in self.model.accounts.values())

    def leave(self) -> None:
        keys = [key for key in self.model.accounts if key[0] != self.model.backstop]
        for key in keys:
            if self.model.accounts[key].cash < 0:
                self.twin.cover_debt(key)
        for number in self.model.referrers.accrued:
            self.twin.claim_referral(number)
        wallets = {owner.address: owner for owner in [*OWNERS, LIQUIDATOR[0]]}
        debts = -sum(min(0, account.cash) for account in self.model.accounts.values())
        self.numbers.shuffle(keys)
        unpaid = 0
        for owner, subaccount in keys:
            cash = self.model.accounts[owner, subaccount].cash
            if cash > self.model.vault:
                unpaid += cash
            elif cash > 0:
                assert self.twin.withdraw(wallets[owner], cash, subaccount)
        # what nobody could pay for an insolvent account is missing at the end, and nothing else
        assert unpaid == 0 or self.model.vault + debts >= unpaid
        self.twin.check()
        self.tally.count("leave unpaid in part" if unpaid else "leave", took_effect=True)
        self.tally.count("leave beside a debt" if debts else "leave without debts", took_effect=True)


def key_of(holder: Holder) -> AccountKey:
    return holder[0].address, holder[1]


def accounts_used_once(orders: list[Signed], fills: list[Fill]) -> dict[AccountKey, int]:
    """Accounts that only one fill of the batch concerns, with that fill's place."""
    found: dict[AccountKey, list[int]] = {}
    for place, fill in enumerate(fills):
        for index in (fill.taker, fill.maker):
            order = orders[index].order
            found.setdefault((order.account, order.subaccount), []).append(place)
    return {key: places[0] for key, places in found.items() if len(places) == 1}


def interest_reached(
    held: dict[AccountKey, int], orders: list[Signed], fills: list[Fill], outcomes: list[object], index: int
) -> int:
    """What scales margin in the market of an executed fill: open interest after the fills before its group, and all
    lots of the group. `held` are the signed lots before the batch.
    """
    first, last = index, index
    while first and fills[first - 1].flags & 1:
        first -= 1
    while fills[last].flags & 1:
        last += 1
    market, lots = market_of(orders[fills[index].taker]), dict(held)
    for fill, outcome in zip(fills[:first], outcomes, strict=False):
        taker, maker = orders[fill.taker], orders[fill.maker]
        if isinstance(outcome, Executed) and market_of(taker) == market:
            signed = -fill.size if taker.order.is_sell else fill.size
            lots[account_of(taker)] = lots.get(account_of(taker), 0) + signed
            lots[account_of(maker)] = lots.get(account_of(maker), 0) - signed
    return sum(max(0, size) for size in lots.values()) + sum(fill.size for fill in fills[first : last + 1])
