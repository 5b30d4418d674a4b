# SPDX-License-Identifier: AGPL-3.0-only
"""The Backstop's books to the unit: every price and every view equals a plain model's after every action."""

from dataclasses import dataclass
from random import Random

import pytest

from tests.support.backstop import COOLDOWN, PERIOD, SHARE, House
from tests.support.wire import wallet
from tests.support.world import USDC

PEOPLE = [wallet(f"provider {letter}") for letter in "abc"]
SCALE = 2**32
VIRTUAL_SHARES, VIRTUAL_ASSETS = 10**12, 1


def up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


@dataclass
class Books:
    """What is booked: cash, shares, and income of which `amount` had not streamed in at `since`. Times in 2^-32 s."""

    house: House
    booked: int = 0
    shares: int = 0
    amount: int = 0
    since: int = 0
    ends: int = 0

    @property
    def at(self) -> int:
        return self.house.evm.now * SCALE

    def seen(self) -> tuple[int, int, int]:
        """Cash, what of it is locked, and until when."""
        cash, locked, ends = self.house.cash, 0, self.ends
        remaining = max(ends - self.at, 0)
        if remaining:
            locked = up(self.amount * remaining, ends - self.since)
        if cash > self.booked:
            income = cash - self.booked
            ends = self.at + up(locked * remaining + income * PERIOD * SCALE, locked + income)
            locked += income
        elif cash < self.booked:
            locked = max(locked - (self.booked - cash), 0)
        return cash, locked, ends

    def sync(self) -> None:
        cash, locked, ends = self.seen()
        if cash != self.booked:
            self.booked, self.amount, self.since, self.ends = cash, locked, self.at, ends

    def joined(self, assets: int, shares: int) -> None:
        """Before it is done: after a sync, and the stream grows by what the newcomer pays for of it."""
        self.sync()
        cash, locked, ends = self.seen()
        self.booked, self.amount = cash + assets, locked + assets * locked // (cash + VIRTUAL_ASSETS)
        self.since, self.ends = self.at, ends
        self.shares += shares

    def left(self, assets: int, shares: int) -> None:
        self.sync()
        self.booked -= assets
        self.shares -= shares

    def prices(self, assets: int, shares: int) -> dict[str, int]:
        """What the views must say of so many assets and shares."""
        cash, locked, _ = self.seen()
        supply, free = self.shares + VIRTUAL_SHARES, cash - locked + VIRTUAL_ASSETS
        most = min(2**78 - 1 - cash, (2**160 - self.shares) * (cash + VIRTUAL_ASSETS) // supply)
        return {
            "previewDeposit": assets * supply // (cash + VIRTUAL_ASSETS),
            "previewMint": up(shares * (cash + VIRTUAL_ASSETS), supply),
            "previewRedeem": shares * free // supply,
            "convertToAssets": shares * free // supply,
            "previewWithdraw": up(assets * supply, free),
            "convertToShares": assets * supply // free,
            "maxDeposit": most,
            "maxMint": most * supply // (cash + VIRTUAL_ASSETS),
        }


def check(books: Books, random: Random) -> None:
    call = books.house.call
    cash, locked, ends = books.seen()
    assert call.locked_income() == (locked, up(ends, SCALE))
    assert call.totalAssets() == cash - locked
    assert call.totalSupply() == books.shares
    assets = random.choice([1, 2, 3, random.randrange(1, 10**6 * USDC)])
    shares = random.choice([1, SHARE - 1, SHARE, SHARE + 1, random.randrange(1, 10**12 * SHARE)])
    said = books.prices(assets, shares)
    for name, value in said.items():
        argument = PEOPLE[0].address if name.startswith("max") else shares if name in TAKE_SHARES else assets
        assert getattr(call, name)(argument) == value, name


# a stream of the largest shows each 2^32nd of a second of it
SIZES = (20, 10**4, 10**4 * USDC, 10**13 * USDC)
TAKE_SHARES = ("previewMint", "previewRedeem", "convertToAssets")


@pytest.mark.parametrize("seed", range(12))
def test_the_books_equal_a_model_of_them(seed: int) -> None:
    random = Random(seed)
    house = House()
    house.vault.send(house.world.governance).set_outflow_limits(2**63, 10**6, 2**63, 10**6)
    books = Books(house)
    size = SIZES[seed % len(SIZES)]

    def amount() -> int:
        return random.randrange(1, size)

    def join() -> None:
        assets = amount()
        shares = books.prices(assets, 0)["previewDeposit"]
        if shares:
            house.give(who, assets)
            books.joined(assets, shares)
            house.backstop.send(who.address).deposit(assets, who.address)

    def mint() -> None:
        shares = random.randrange(1, size * SHARE)
        assets = books.prices(0, shares)["previewMint"]
        house.give(who, assets)
        books.joined(assets, shares)
        house.backstop.send(who.address).mint(shares, who.address)
        assert house.world.balance(who.address) == 0

    def leave() -> None:
        shares = random.randrange(house.shares(who) + 1)
        if shares:
            house.request(who, shares)
            house.evm.warp(COOLDOWN)
            assets = books.prices(0, shares)["previewRedeem"]
            if assets:
                books.left(assets, shares)
                house.backstop.send(who.address).redeem(shares, house.world.governance, who.address)
            else:
                house.backstop.send(who.address).cancel_redeem(house.call.redeem_requests(who.address)[0][0])

    def withdraw() -> None:
        shares = house.shares(who)
        if not shares:
            return
        house.request(who, shares)
        house.evm.warp(COOLDOWN)
        most = house.call.maxWithdraw(who.address)
        assert most == books.prices(0, shares)["previewRedeem"]
        if most:
            assets = random.randrange(1, most + 1)
            paid = books.prices(assets, 0)["previewWithdraw"]
            books.left(assets, paid)
            house.backstop.send(who.address).withdraw(assets, house.world.governance, who.address)
        for entry in house.call.redeem_requests(who.address):
            house.backstop.send(who.address).cancel_redeem(entry[0])

    def sync() -> None:
        books.sync()
        house.sync()

    def lose() -> None:
        if house.cash > 1:
            house.lose(random.randrange(1, min(house.cash // 2, 10**6 * USDC) + 1))

    actions = [join, mint, leave, withdraw, sync, lose, lambda: house.income(amount())]
    actions += [lambda: house.evm.warp(random.randrange(1, PERIOD // 2)), sync, lambda: house.income(amount())]
    for number in range(50):
        who = random.choice(PEOPLE)
        if house.call.maxDeposit(who.address) == 0 and books.shares:
            break  # ruined: another test's subject
        (join if number < 2 else random.choice(actions))()
        check(books, random)
    assert number > 5
