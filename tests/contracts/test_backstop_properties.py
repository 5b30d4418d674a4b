# SPDX-License-Identifier: AGPL-3.0-only
"""What holds for the Backstop whatever its providers and its fate do, in any order."""

from fractions import Fraction

from eth_account.signers.local import LocalAccount
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.support.backstop import COOLDOWN, HOUR, PERIOD, SHARE, WINDOW, House
from tests.support.wire import wallet
from tests.support.world import USDC

PEOPLE = [wallet(f"provider {letter}") for letter in "abc"]
VIRTUAL = 10**12
people = st.sampled_from(PEOPLE)
amounts = st.one_of(st.integers(1, 10), st.integers(1, 10**6 * USDC))
parts = st.integers(1, 1_000)  # of a thousand


class BackstopMachine(RuleBasedStateMachine):
    """Everybody's cost and takings are booked here; prices are compared as fractions."""

    @initialize(first=amounts)
    def start(self, first: int) -> None:
        self.house = House()
        self.paid_in = self.paid_out = self.earned = self.lost = 0
        self.house.join(PEOPLE[0], first)
        self.paid_in += first
        self.prices = self.two_prices()

    def two_prices(self) -> tuple[Fraction, Fraction]:
        """Of leaving and of joining."""
        supply = self.house.call.totalSupply() + VIRTUAL
        return Fraction(self.house.assets + 1, supply), Fraction(self.house.cash + 1, supply)

    def ruined(self) -> bool:
        return bool(self.house.call.maxDeposit(PEOPLE[0].address) == 0)

    @rule(who=people, amount=amounts)
    def join(self, who: LocalAccount, amount: int) -> None:
        if self.ruined():
            return
        house = self.house
        expected = house.call.previewDeposit(amount)
        assert expected <= house.call.convertToShares(amount)
        if expected == 0:
            return
        assert house.join(who, amount) == expected
        assert house.call.convertToAssets(expected) <= amount
        self.paid_in += amount

    @rule(who=people, shares=st.integers(1, 10**6 * USDC * SHARE))
    def mint(self, who: LocalAccount, shares: int) -> None:
        house = self.house
        cost = house.call.previewMint(shares)
        if self.ruined() or cost > 10**12 * USDC:
            return
        house.give(who, cost)
        house.backstop.send(who.address).mint(shares, who.address)
        self.paid_in += cost

    @rule(who=people, part=parts)
    def request(self, who: LocalAccount, part: int) -> None:
        shares = self.house.shares(who) * part // 1_000
        waiting = self.house.call.redeem_requests(who.address)
        if shares and len(waiting) < 8:
            self.house.request(who, shares)

    @rule(who=people, part=parts)
    def redeem(self, who: LocalAccount, part: int) -> None:
        house = self.house
        shares = house.call.maxRedeem(who.address) * part // 1_000
        expected = house.call.previewRedeem(shares)
        assert expected == house.call.convertToAssets(shares)
        if expected:
            assert house.redeem(who, shares) == expected
            self.paid_out += expected

    @rule(who=people, part=parts)
    def withdraw(self, who: LocalAccount, part: int) -> None:
        house = self.house
        amount = house.call.maxWithdraw(who.address) * part // 1_000
        if amount:
            price = house.call.previewWithdraw(amount)
            assert price - 1 <= house.call.convertToShares(amount) <= price
            before = house.call.totalSupply()
            house.backstop.send(who.address).withdraw(amount, who.address, who.address)
            assert before - house.call.totalSupply() == price
            self.paid_out += amount

    @rule(who=people)
    def cancel(self, who: LocalAccount) -> None:
        for id_, _, _ in self.house.call.redeem_requests(who.address)[:1]:
            self.house.backstop.send(who.address).cancel_redeem(id_)

    @rule(who=people, to=people, part=parts)
    def transfer(self, who: LocalAccount, to: LocalAccount, part: int) -> None:
        self.house.backstop.send(who.address).transfer(to.address, self.house.shares(who) * part // 1_000)

    @rule(amount=amounts)
    def income(self, amount: int) -> None:
        self.house.income(amount)
        self.earned += amount

    @precondition(lambda self: self.house.cash > 0)
    @rule(part=parts)
    def lose(self, part: int) -> None:
        hole = max(1, self.house.cash * part // 1_000)
        self.house.lose(hole)
        self.lost += hole
        self.prices = (Fraction(0), Fraction(0))

    @rule()
    def sync(self) -> None:
        before = self.house.assets, self.house.locked
        self.house.sync()
        assert (self.house.assets, self.house.locked) == before  # all of it was in the views already

    @rule(seconds=st.one_of(st.integers(1, PERIOD), st.sampled_from([HOUR, PERIOD, COOLDOWN, COOLDOWN + WINDOW])))
    def wait(self, seconds: int) -> None:
        self.house.evm.warp(seconds)

    @invariant()
    def a_share_is_worth_less_only_by_a_loss(self) -> None:
        prices = self.two_prices()
        assert prices[0] >= self.prices[0]
        assert prices[1] >= self.prices[1]
        assert prices[1] >= prices[0]
        self.prices = prices

    @invariant()
    def everything_is_accounted_for(self) -> None:
        house = self.house
        assert house.cash == self.paid_in + self.earned - self.lost - self.paid_out
        assert house.cash == house.assets + house.locked
        assert house.locked <= self.earned + self.paid_in
        held = [house.shares(who) for who in PEOPLE]
        waiting = [sum(entry[1] for entry in house.call.redeem_requests(who.address)) for who in PEOPLE]
        assert sum(waiting) == house.call.balanceOf(house.address)
        assert sum(held) + sum(waiting) == house.call.totalSupply()
        assert sum(house.call.convertToAssets(shares) for shares in held + waiting) <= house.assets


def test_machine() -> None:
    profile = settings(max_examples=25, stateful_step_count=30, deadline=None,
                       suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])  # fmt: skip
    run_state_machine_as_test(BackstopMachine, settings=profile)


@settings(max_examples=25, deadline=None)
@given(
    stakes=st.lists(amounts, min_size=3, max_size=3),
    earned=st.integers(0, 10**5 * USDC),
    lost=st.integers(0, 1_000),
    order=st.permutations(range(3)),
)
def test_everybody_leaves_in_any_order_with_the_same_share(
    stakes: list[int], earned: int, lost: int, order: list[int]
) -> None:
    """A run: first or last, nobody gets more than his part, nor less than that by more than some units."""
    house = House()
    for who, stake in zip(PEOPLE, stakes, strict=True):
        house.join(who, stake)
    if earned:
        house.settled_income(earned)
    if hole := house.cash * lost // 1_000:
        house.lose(hole)
    assets, supply = house.cash, house.call.totalSupply()
    fair = [Fraction(assets * house.shares(who), supply) for who in PEOPLE]
    for who in PEOPLE:
        house.request(who)
    house.evm.warp(COOLDOWN)
    crumbs = Fraction(assets * VIRTUAL, supply) + 3  # what nobody owns, and a unit of rounding each
    for place in order:
        who = PEOPLE[place]
        if house.call.maxRedeem(who.address):
            house.redeem(who)
        paid = house.world.balance(who.address)
        assert fair[place] - crumbs <= paid <= fair[place] + 3  # what others round down stays
    assert 0 <= house.cash <= 3 * crumbs


@settings(max_examples=40, deadline=None)
@given(gifts=st.lists(st.tuples(st.integers(1, 100 * USDC), st.integers(0, 4 * HOUR)), min_size=1, max_size=8))
def test_gifts_stream_in_as_their_weights_say(gifts: list[tuple[int, int]]) -> None:
    """Against exact fractions: what is locked, and until when."""
    house = House()
    house.join(PEOPLE[0], USDC)
    locked, ends = Fraction(0), Fraction(0)
    for amount, pause in gifts:
        house.income(amount)
        house.sync()
        remaining = max(ends - house.world.now, 0) if locked else Fraction(0)
        ends = house.world.now + (locked * remaining + amount * PERIOD) / (locked + amount)
        locked += amount
        assert abs(house.locked - locked) <= len(gifts)
        assert abs(house.call.locked_income()[1] - ends) <= 1 + Fraction(len(gifts) * PERIOD) / locked
        assert house.call.locked_income()[1] <= house.world.now + PERIOD
        start = house.world.now
        house.evm.warp(pause)
        locked *= max(ends - house.world.now, 0) / (ends - start)
        assert abs(house.locked - locked) <= len(gifts) + 1
