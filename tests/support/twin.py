# SPDX-License-Identifier: AGPL-3.0-only
"""Contracts and reference model side by side: every action goes to both, and both must agree to the unit.

An action returns True when it took effect. It raises `AssertionError` when one side does it and the other refuses, or
when they disagree on what happened.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from tests.reference.account import Health
from tests.reference.exact import HOUR, SCALE
from tests.reference.exchange import (
    AccountKey,
    Exchange,
    Executed,
    Fault,
    RefusedError,
    Takeover,
)
from tests.reference.market import SETTLED, Terms
from tests.support.abi import Log, RevertError
from tests.support.build import storage_slot
from tests.support.chain import Contract, Receipt, deploy
from tests.support.system import BTC, ETH, Listing
from tests.support.wire import Fill, PositionWord, Signed, SlotWord, signed_field
from tests.support.world import PRICE, World

PLENTY = 10**22
ACCOUNT_WORDS = storage_slot("Exchange", "accounts", "words")
POSITION_WORDS = storage_slot("Exchange", "accounts", "positions")
SLOT_WORDS = storage_slot("Exchange", "orders", "slot_words")
MARKET_INDICES = storage_slot("Exchange", "markets", "indices")
MARKET_ACTIVITY = storage_slot("Exchange", "markets", "activity")
INSURANCE = storage_slot("Exchange", "markets", "insurance")
TAKINGS = storage_slot("Exchange", "markets", "takings")
BALANCES = storage_slot("TestUSDC", "erc20", "balanceOf")


@lru_cache(maxsize=4_096)
def mapping_slot(mapping: int, key: int) -> int:
    """Where a Vyper mapping keeps an entry."""
    return int.from_bytes(keccak(mapping.to_bytes(32, "big") + key.to_bytes(32, "big")), "big")


@dataclass
class Tally:
    """How much of what was tried took effect."""

    done: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    calls: int = 0
    """Transactions that were sent, and how many of them reverted."""
    reverted: int = 0

    def count(self, action: str, took_effect: bool) -> bool:
        into = self.done if took_effect else self.refused
        into[action] = into.get(action, 0) + 1
        return took_effect

    def share(self) -> float:
        """Of the calls, those that took effect."""
        return 1 - self.reverted / self.calls if self.calls else 1.0

    def add(self, other: "Tally") -> None:
        for mine, theirs in ((self.done, other.done), (self.refused, other.refused), (self.reasons, other.reasons)):
            for name, number in theirs.items():
                mine[name] = mine.get(name, 0) + number
        self.calls += other.calls
        self.reverted += other.reverted


def terms_of(listing: Listing, state: int = 1) -> Terms:
    return Terms(
        listing.id,
        listing.ticker,
        listing.size_decimals,
        6 - listing.size_decimals,
        listing.tick,
        listing.imf,
        listing.mmf,
        listing.band,
        listing.max_open_interest,
        listing.max_price_age,
        listing.liquidation_floor,
        state,
    )


class Twin:
    """The accounts that are compared are those ever used here."""

    def __init__(
        self, listings: tuple[Listing, ...] = (BTC, ETH), tally: Tally | None = None, *, may_lose_prices: bool = False
    ) -> None:
        self.world = World(listings, funds=0)
        self.double: Contract | None = self._change_oracle(listings) if may_lose_prices else None
        self.listings = {listing.id: listing for listing in listings}
        self.model = Exchange(self.world.now)
        self.tally = tally if tally is not None else Tally()
        self.takeovers: list[Takeover] = []
        self._nonce = 0
        self._funded: set[str] = set()
        self._seen = 0
        self._count_calls()
        start = self.world.evm.now
        for listing in listings:
            self.model.list_market(terms_of(listing))
            self.model.push(listing.id, PRICE.get(listing.id, 1_000_000), start)
            self._same_listing_time(listing.id)

    def _same_listing_time(self, market: int) -> None:
        """The contracts were listed a moment before the first price: funding starts there."""
        start = self.world.exchange.call.market_indices(market)[2]
        funding = self.model.markets[market].funding
        self.model.markets[market].funding = replace(funding, hour=start // HOUR)

    def _count_calls(self) -> None:
        transact, tally = self.world.evm.transact, self.tally

        def counted(*args: Any, **options: Any) -> Receipt:
            tally.calls += 1
            try:
                return transact(*args, **options)
            except RevertError:
                tally.reverted += 1
                raise

        self.world.evm.transact = counted  # type: ignore[method-assign]

    # Time and prices

    def warp(self, seconds: int) -> None:
        self.world.warp(seconds)
        self.model.now = self.world.now

    def _change_oracle(self, listings: tuple[Listing, ...]) -> Contract:
        double = deploy(self.world.evm, self.world.operator, "OracleDouble")
        self.world.announced("set_oracle", double.address)
        for listing in listings:
            price = PRICE.get(listing.id, 1_000_000)
            double.send(self.world.operator).set_price(listing.id, price, self.world.now)
        return double

    def lose_price(self, market: int, mode: int) -> bool:
        """Until the next push: the oracle reverts (1), burns its gas (2), or answers too little (3)."""
        assert self.double is not None
        self.double.send(self.world.operator).set_mode(market, mode)
        self.model.markets[market].lose_price()
        return self.tally.count("lose price", took_effect=True)

    def push(self, market: int, price: int) -> bool:
        if self.double is None:
            self.world.push({market: price})
        else:
            self.world.warp(1)
            self.double.send(self.world.operator).set_mode(market, 0)
            self.double.send(self.world.operator).set_price(market, price, self.world.now)
        self.model.now = self.world.now
        self.model.push(market, price, self.world.now)
        return self.tally.count("push", took_effect=True)

    def poke(self, market: int) -> bool:
        anyone = self.world.maker.address
        return self._both(
            "poke",
            lambda: self.world.exchange.send(anyone).poke(market),
            lambda: self.model.poke(market),
        )

    # Custody

    def deposit(self, key: LocalAccount, amount: int, subaccount: int = 0) -> bool:
        self._fill_purse(key)
        self.world.vault.send(key.address).deposit(key.address, subaccount, amount)
        self.model.deposit((key.address, subaccount), amount)
        return self.tally.count("deposit", took_effect=True)

    def _fill_purse(self, key: LocalAccount) -> None:
        """Tokens for everything that is to come."""
        if key.address not in self._funded:
            self._funded.add(key.address)
            self.world.usdc.send(key.address).mint(key.address, PLENTY)
            self.world.usdc.send(key.address).approve(self.world.vault.address, PLENTY)

    def withdraw(self, key: LocalAccount, amount: int, subaccount: int = 0) -> bool:
        self._nonce += 1
        fields = {"subaccount": subaccount, "nonce": self._nonce}
        return self._both(
            "withdraw",
            lambda: self.world.withdraw(key, amount, **fields),
            lambda: self.model.withdraw((key.address, subaccount), amount),
        )

    def withdraw_slowly(self, key: LocalAccount, amount: int, subaccount: int = 0) -> bool:
        """Request, wait, execute: pays what is withdrawable then, if less."""
        vault = self.world.vault
        vault.send(key.address).request_withdrawal(subaccount, amount, key.address)
        number = vault.call.next_id() - 1
        self.warp(self.world.system.withdrawal_delay)
        account = (key.address, subaccount)
        due = min(amount, self.model.withdrawable(account))
        # less than was asked for is only the owner's to take
        caller = self.world.operator if due == amount else key.address
        return self._both(
            "withdraw slowly",
            lambda: vault.send(caller).execute_withdrawal(number),
            lambda: self.model.withdraw(account, due),
        )

    def donate(self, key: LocalAccount, amount: int) -> bool:
        self._fill_purse(key)
        return self._both(
            "donate",
            lambda: self.world.vault.send(key.address).donate(amount),
            lambda: self.model.donate_insurance(amount),
        )

    # Rules

    def set_market(self, listing: Listing, state: int = 1) -> bool:
        governance = self.world.exchange.send(self.world.governance)

        def model() -> None:
            market = self.model.markets[listing.id]
            if state == 1 != market.terms.state and not market.is_fresh(self.model.now):
                raise RefusedError("stale price")
            scale = {"scale_from": market.terms.scale_from, "scale_to": market.terms.scale_to}
            market.terms = replace(terms_of(listing, state), **scale)

        return self._both("set market", lambda: governance.set_market(listing.id, *listing.parameters(), state), model)

    # Cancels

    def cancel_slot(self, key: LocalAccount, slot: int) -> bool:
        return self._both(
            "cancel slot",
            lambda: self.world.exchange.send(key.address).cancel_slot(slot),
            lambda: self.model.cancel_slot(key.address, slot),
        )

    def cancel_all(self, key: LocalAccount, subaccount: int = 0) -> bool:
        return self._both(
            "cancel all",
            lambda: self.world.exchange.send(key.address).cancel_all(subaccount),
            lambda: self.model.cancel_all((key.address, subaccount)),
        )

    # Trading

    def settle(self, orders: Sequence[Signed], fills: Sequence[Fill]) -> list[Executed | set[Fault]]:
        """The model's outcomes, after the contract's events were held against them."""
        fees = self.model.fees
        hours = self._hours()
        outcomes = self.model.settle(orders, fills)
        logs = self.world.settle(list(orders), list(fills))
        self._check_opened_hours(hours, logs)
        verdicts = [log for log in logs if log.name in ("Fill", "FillRejected")]
        assert len(verdicts) == len(fills)
        _check_groups(fills, verdicts)
        _check_referrals(outcomes, logs)
        for fill, outcome, log in zip(fills, outcomes, verdicts, strict=True):
            settled = log.name == "Fill"
            self.tally.count("fill", settled)
            if isinstance(outcome, Executed):
                assert settled, f"the contract rejects fill {fill}: {log.args}"
                _check_fill(orders, outcome, log)
            else:
                assert not settled, f"the contract settles {fill} despite {outcome}"
                assert (log.fault_class, log.reason, log.order_id) in outcome, f"{log.args} is not of {outcome}"
                self.tally.reasons[log.reason] = self.tally.reasons.get(log.reason, 0) + 1
        [batch] = [log for log in logs if log.name == "BatchSettled"]
        settled_count = sum(isinstance(outcome, Executed) for outcome in outcomes)
        assert (batch.settled, batch.rejected) == (settled_count, len(fills) - settled_count)
        assert batch.fees == self.model.fees - fees
        return outcomes

    def liquidate(
        self,
        account: tuple[LocalAccount, int],
        liquidator: tuple[LocalAccount, int],
        market: int,
        size: int,
    ) -> Takeover | None:
        """None when both refuse."""
        key: AccountKey = (account[0].address, account[1])
        taker: AccountKey = (liquidator[0].address, liquidator[1])
        happened: list[Any] = []

        def contract() -> None:
            sender = self.world.exchange.send(liquidator[0].address)
            happened.append(sender.liquidate(*key, market, size, liquidator[1]).named("Liquidated")[0])

        def model() -> None:
            happened.append(self.model.liquidate(key, market, size, taker))

        if not self._both("liquidate", contract, model):
            return None
        takeover, log = happened
        assert isinstance(takeover, Takeover)
        assert (log.size, log.price, log.insurance_fee, log.covered) == (
            takeover.size,
            takeover.price,
            takeover.insurance,
            takeover.covered,
        )
        for word, position in (
            (log.position, takeover.position),
            (log.liquidator_position, takeover.liquidator_position),
        ):
            assert PositionWord.unpack(word) == PositionWord(position.size, position.q, position.one_shot)
        self.takeovers.append(takeover)
        return takeover

    def _both(self, action: str, contract: Callable[[], object], model: Callable[[], object]) -> bool:
        expected = actual = ""
        try:
            model()
        except RefusedError as error:
            expected = str(error)
        try:
            contract()
        except RevertError as error:
            actual = error.reason
        assert bool(expected) == bool(actual), f"{action}: model says {expected!r}, contract says {actual!r}"
        return self.tally.count(action, not actual)

    def _hours(self) -> dict[int, int]:
        return {id_: market.funding.hour for id_, market in self.model.markets.items()}

    def _check_opened_hours(self, before: dict[int, int], logs: Iterable[Log]) -> None:
        """An hour that is opened says so, once."""
        said = {
            log.market: (log.g_long, log.g_short, log.rate, log.index_price, log.at)
            for log in logs
            if log.name == "FundingAccrued"
        }
        expected = {}
        for id_, market in self.model.markets.items():
            funding = market.funding
            if funding.hour != before[id_]:
                start = funding.hour * HOUR
                expected[id_] = (funding.g_long, funding.g_short, funding.rate, market.price, start)
        assert said == expected, f"{said} is not {expected}"

    # What must hold after every action

    def check(self, *, thoroughly: bool = True) -> None:
        """Contract state equals the model's (I15), and the invariants that need nothing but the state.

        What the contract says of an account's health follows from that state: it is asked of one account only, unless
        `thoroughly`.
        """
        keys = list(self.model.accounts)
        for key in keys:
            self._check_account(key)
        self._seen += 1
        for key in keys if thoroughly or not keys else [keys[self._seen % len(keys)]]:
            self._check_health(key)
        self._check_markets()
        self._check_money()

    def _check_account(self, key: AccountKey) -> None:
        """Word by word, from storage."""
        account, number = self.model.accounts[key], int(key[0], 16) << 16 | key[1]
        word = self._stored(ACCOUNT_WORDS, number)
        assert self.cash_of(key) == account.cash, key
        instruments = [word >> 48 + 16 * place & 0xFFFF for place in range(8)]
        assert sorted(filter(None, instruments)) == sorted(account.open_markets()), key
        for market, position in account.positions.items():
            found = PositionWord.unpack(self._stored(POSITION_WORDS, number << 16 | market))
            assert found == PositionWord(position.size, position.q, position.one_shot), f"{key} in {market}"

    def cash_of(self, key: AccountKey) -> int:
        """By storage."""
        return signed_field(self._stored(ACCOUNT_WORDS, int(key[0], 16) << 16 | key[1]), 176, 80)

    def slot_of(self, signer: str, slot: int) -> SlotWord:
        """By storage."""
        return SlotWord.unpack(self._stored(SLOT_WORDS, int(signer, 16) << 16 | slot))

    def _stored(self, mapping: int, key: int) -> int:
        return self.world.evm.storage(self.world.exchange.address, mapping_slot(mapping, key))

    def _check_health(self, key: AccountKey) -> None:
        said, expected = self.read_health(*key), self.model.health(key)
        assert said == expected, f"{key}: {said} is not {expected}"
        assert self.world.exchange.call.withdrawable(*key) == self.model.withdrawable(key), key

    def read_health(self, owner: str, subaccount: int) -> Health:
        """The contract's own view."""
        equity, initial, maintenance, stale = self.world.exchange.call.margin_of(owner, subaccount)
        assert initial % SCALE == 0
        assert maintenance % SCALE == 0
        return Health(Fraction(equity, SCALE), initial // SCALE, maintenance // SCALE, stale)

    def _check_markets(self) -> None:
        for id_, market in self.model.markets.items():
            funding = market.funding
            indices = (funding.g_long, funding.g_short, funding.slope, funding.rate)
            assert self.indices_of(id_) == indices, f"indices of market {id_}"
            word = self._stored(MARKET_ACTIVITY, id_)
            sums = signed_field(word, 128, 80), word >> 64 & 2**64 - 1, word >> 41 & 2**23 - 1
            assert sums == (funding.premium, funding.volume, funding.hour), f"funding of market {id_}"
            assert word >> 208 == market.open_interest, f"open interest of market {id_}"
            sizes = [account.position(id_).size for account in self.model.accounts.values()]
            # I2: one side's lots are the other's, until a settled market closes them one by one
            assert sum(sizes) == 0 or market.terms.state == SETTLED
            assert sum(size for size in sizes if size > 0) == market.open_interest

    def indices_of(self, market: int) -> tuple[int, int, int, int]:
        """Index of longs and of shorts at the start of the market's hour, slope and rate, by storage."""
        word = self._stored(MARKET_INDICES, market)
        fields = (160, 96), (64, 96), (16, 48), (0, 16)
        g_long, g_short, slope, rate = (signed_field(word, shift, bits) for shift, bits in fields)
        return g_long, g_short, slope, rate

    def hour_of(self, market: int) -> int:
        """The hour that a market is in, by storage."""
        return self._stored(MARKET_ACTIVITY, market) >> 41 & 2**23 - 1

    def insurance(self) -> int:
        """By storage."""
        return self.world.evm.storage(self.world.exchange.address, INSURANCE)

    def _check_money(self) -> None:
        model, evm = self.model, self.world.evm
        takings = evm.storage(self.world.exchange.address, TAKINGS)
        assert (takings >> 40, takings & 2**40 - 1) == (model.fees, model.last_batch)
        assert self.insurance() == model.insurance
        balance = evm.storage(self.world.usdc.address, mapping_slot(BALANCES, int(self.world.vault.address, 16)))
        assert balance == model.vault
        # I1, I3, I4: what the vault holds is what it owes plus the dust of roundings, which is its own
        assert balance * SCALE - model.claims() == model.dust
        assert model.dust >= 0
        assert model.insurance >= 0  # I7


def _check_fill(orders: Sequence[Signed], outcome: Executed, log: Log) -> None:
    fill = outcome.fill
    taker, maker = orders[fill.taker], orders[fill.maker]
    assert (log.taker, log.maker) == (taker.order.account, maker.order.account)
    assert (log.taker_order, log.maker_order) == (taker.id, maker.id)
    for word, position in ((log.taker_position, outcome.taker), (log.maker_position, outcome.maker)):
        assert PositionWord.unpack(word) == PositionWord(position.size, position.q, position.one_shot)
    detail = log.detail
    assert (detail >> 192, detail >> 144 & (1 << 48) - 1, detail >> 96 & (1 << 48) - 1) == (
        fill.fill_id,
        fill.price,
        fill.size,
    )
    assert detail >> 80 & 0xFFFF == taker.words[0] >> 64 & 0xFFFF
    assert (detail >> 64 & 0xFFFF, detail >> 48 & 0xFFFF) == (taker.order.subaccount, maker.order.subaccount)
    assert (signed_field(detail, 32, 16), signed_field(detail, 16, 16)) == (fill.taker_fee, fill.maker_fee)
    assert detail & 0xFFFF == taker.order.is_sell | fill.flags & 2


def _check_groups(fills: Sequence[Fill], verdicts: Sequence[Log]) -> None:
    """A group settles whole or is skipped whole, and then one of its fills says why."""
    group: list[str] = []
    for place, (fill, verdict) in enumerate(zip(fills, verdicts, strict=True)):
        group.append("" if verdict.name == "Fill" else verdict.reason)
        if not fill.flags & 1 or place == len(fills) - 1:
            reasons = [reason for reason in group if reason not in ("", "group failed")]
            assert len(reasons) == bool(any(group)), group
            assert all(group) or not any(group), group
            group = []


def _check_referrals(outcomes: Sequence[Executed | set[Fault]], logs: Iterable[Log]) -> None:
    accrued = [part for outcome in outcomes if isinstance(outcome, Executed) for part in outcome.referrals]
    assert [(log.number, log.amount) for log in logs if log.name == "ReferralAccrued"] == accrued
