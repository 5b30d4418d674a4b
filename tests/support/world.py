# SPDX-License-Identifier: AGPL-3.0-only
"""A deployed exchange on an in-process chain, with wallets by role and short ways to say what happens there."""

from dataclasses import dataclass
from typing import Any

from eth_account.signers.local import LocalAccount

from tests.support.abi import Log
from tests.support.chain import deploy
from tests.support.evm import Evm
from tests.support.system import BTC, ETH, Keys, Listing, System, deploy_system
from tests.support.wire import (
    SESSION_KEY_TYPE,
    WITHDRAWAL_TYPE,
    Domain,
    Fill,
    Order,
    PositionWord,
    Signed,
    SlotWord,
    sign,
    sign_order,
    wallet,
)

USDC = 10**6
NOTICE = 14 * 86_400
PRICE = {1: 2_300_000, 2: 1_600_000}  # 23,000 USD per BTC, 1,600 USD per ETH
KEYS = Keys(wallet("governance"), wallet("operator"), wallet("price signer"), wallet("guardian"))


@dataclass(frozen=True)
class Rejection:
    """A `FillRejected`, readable."""

    fill_id: int
    order: bytes
    fault_class: int
    reason: str


class World:
    """`maker` and `taker` are wallets that start with 100,000 USDC each, at fresh prices."""

    def __init__(
        self, listings: tuple[Listing, ...] = (BTC, ETH), *, funds: int = 100_000 * USDC, **options: Any
    ) -> None:
        self.evm = Evm()
        self.system: System = deploy_system(self.evm, KEYS, listings, **options)
        self.exchange, self.vault = self.system.exchange, self.system.vault
        self.oracle, self.usdc = self.system.oracle, self.system.usdc
        self.maker, self.taker = wallet("maker"), wallet("taker")
        self.operator = KEYS.operator.address
        self.governance = KEYS.governance.address
        self._tickers = {listing.ticker: listing.id for listing in listings}
        self._generation = 0
        self._fill_id = 0
        self.push({listing.id: PRICE.get(listing.id, 1_000_000) for listing in listings})
        for account in (self.maker, self.taker):
            if funds:
                self.system.fund(account.address, funds)

    @property
    def now(self) -> int:
        return self.evm.now

    @property
    def domain(self) -> Domain:
        return self.system.domain

    @property
    def desk_address(self) -> str:
        return self.system.desk.address

    def warp(self, seconds: int) -> None:
        self.evm.warp(seconds)

    def push(self, prices: dict[int, int], published_at: int | None = None) -> None:
        """New index prices. A second one in the same second would not be newer, so time moves on first."""
        self.evm.warp(1)
        self.system.push(prices, published_at)

    def announced(self, name: str, *arguments: Any) -> None:
        """A call of governance that needs notice: announced, waited for, made. Prices are stale then."""
        governance = self.exchange.send(self.governance)
        governance.announce(self.exchange.data(name, *arguments))
        self.warp(NOTICE)
        getattr(governance, name)(*arguments)

    # Orders and fills

    def order(self, key: LocalAccount, side: str, **fields: Any) -> Order:
        """A good GTT order for 100 lots with the price as its limit, signed now: each one newer than the one before."""
        ticker = fields.get("market", "BTC-USD")
        self._generation = max(self._generation + 1, self.now * 1000)
        base: dict[str, Any] = {
            "market": ticker,
            "side": side,
            "size": 100,
            "limit_price": PRICE.get(self._tickers.get(ticker, 0), 1_000_000),
            "account": key.address,
            "generation": self._generation,
            "expiry": self.now + 3_600,
        }
        if fields.get("time_in_force", "GTT") != "GTT":
            base["slot"] = 0
        return Order(**(base | fields))

    def sign(
        self, key: LocalAccount, order: Order, *, market: int | None = None, domain: Domain | None = None
    ) -> Signed:
        id_ = self._tickers.get(order.market, 0) if market is None else market
        return sign_order(key, domain or self.domain, order, id_)

    def signed(self, key: LocalAccount, side: str, **fields: Any) -> Signed:
        return self.sign(key, self.order(key, side, **fields))

    def fill(self, price: int = PRICE[1], size: int = 10, taker: int = 0, maker: int = 1, **fields: Any) -> Fill:
        """With a fill id of its own."""
        self._fill_id += 1
        return Fill(self._fill_id, price, size, taker, maker, **fields)

    def settle(self, orders: list[Signed], fills: list[Fill]) -> list[Log]:
        return self.system.settle(orders, fills)

    # Session keys

    def session_key(self, account: str, key: str, **fields: Any) -> tuple[Any, ...]:
        """Of `register_session_key`, without a signature: any market, a million USDC, a day, the next nonce."""
        base = {
            "account": account,
            "key": key,
            "markets": [],
            "budget": 10**6 * USDC,
            "expiry": self.now + 86_400,
            "nonce": self.exchange.call.session_nonce(account) + 1,
        }
        return tuple((base | fields).values())

    def sign_session_key(self, key: LocalAccount, arguments: tuple[Any, ...], domain: Domain | None = None) -> bytes:
        names = ("account", "key", "markets", "budget", "expiry", "nonce")
        tickers = {id_: ticker for ticker, id_ in self._tickers.items()}
        message = dict(zip(names, arguments, strict=True))
        message["markets"] = [tickers[id_] for id_ in message["markets"]]
        return sign(key, domain or self.domain, SESSION_KEY_TYPE, message).bytes65

    def register_key(self, owner: LocalAccount, key: LocalAccount, **fields: Any) -> Log:
        """By the owner's own transaction."""
        arguments = self.session_key(owner.address, key.address, **fields)
        [log] = self.exchange.send(owner.address).register_session_key(*arguments, b"").logs
        return log

    def trade(
        self,
        taker: LocalAccount,
        maker: LocalAccount,
        lots: int,
        price: int | None = None,
        market: str = "BTC-USD",
        *,
        taker_subaccount: int = 0,
        maker_subaccount: int = 0,
        taker_fee: int = 0,
        maker_fee: int = 0,
    ) -> list[Log]:
        """The taker buys (sells when `lots` is negative) from the maker; it must settle."""
        at = PRICE[self._tickers[market]] if price is None else price
        sides = ("BUY", "SELL") if lots > 0 else ("SELL", "BUY")
        fields: dict[str, Any] = {"market": market, "limit_price": at, "size": abs(lots)}
        orders = [
            self.signed(taker, sides[0], subaccount=taker_subaccount, slot=1, **fields),
            self.signed(maker, sides[1], subaccount=maker_subaccount, slot=2, **fields),
        ]
        logs = self.settle(orders, [self.fill(at, abs(lots), taker_fee=taker_fee, maker_fee=maker_fee)])
        assert not rejections(logs), rejections(logs)
        return logs

    # What the contracts say

    def cash(self, key: LocalAccount, subaccount: int = 0) -> int:
        return int(self.exchange.call.cash(key.address, subaccount))

    def position(self, key: LocalAccount, market: int = 1, subaccount: int = 0) -> PositionWord:
        return PositionWord.unpack(self.exchange.call.position(key.address, subaccount, market))

    def slot(self, key: LocalAccount, number: int = 1) -> SlotWord:
        return SlotWord.unpack(self.exchange.call.slot(key.address, number))

    def equity(self, key: LocalAccount, subaccount: int = 0) -> int:
        """Scaled."""
        return int(self.exchange.call.margin_of(key.address, subaccount)[0])

    def dust(self, accounts: list[tuple[str, int]]) -> int:
        """What the vault holds beyond all claims, scaled, if only `accounts` have any. Never negative: I1, I3."""
        owed = sum(self.exchange.call.margin_of(owner, subaccount)[0] for owner, subaccount in accounts)
        owed += (self.exchange.call.insurance() + self.exchange.call.fees()) << 32
        return (self.balance(self.vault.address) << 32) - int(owed)

    def withdrawable(self, key: LocalAccount, subaccount: int = 0) -> int:
        return int(self.exchange.call.withdrawable(key.address, subaccount))

    def balance(self, address: str) -> int:
        return int(self.usdc.call.balanceOf(address))

    # Custody

    def name_backstop(self, cash: int) -> str:
        """A contract as the backstop, with `cash` in its account 0. It cannot act, only pay."""
        backstop = deploy(self.evm, self.governance, "Relayed")
        self.exchange.send(self.governance).set_backstop(backstop.address)
        payer = wallet("backstop's payer").address
        if cash:
            self.usdc.send(payer).mint(payer, cash)
            self.usdc.send(payer).approve(self.vault.address, cash)
            self.vault.send(payer).deposit(backstop.address, 0, cash)
        return backstop.address

    def withdrawal(self, key: LocalAccount, amount: int, **fields: Any) -> tuple[Any, ...]:
        """The message of an instant withdrawal, in the order of its fields."""
        message = {
            "account": key.address,
            "subaccount": 0,
            "amount": amount,
            "to": key.address,
            "nonce": 1,
            "deadline": self.now + 60,
        }
        return tuple((message | fields).values())

    def sign_withdrawal(self, key: LocalAccount, message: tuple[Any, ...], domain: Domain | None = None) -> bytes:
        names = ("account", "subaccount", "amount", "to", "nonce", "deadline")
        fields = dict(zip(names, message, strict=True))
        return sign(key, domain or self.system.vault_domain, WITHDRAWAL_TYPE, fields).bytes65

    def withdraw(self, key: LocalAccount, amount: int, **fields: Any) -> None:
        """At once, with the operator's co-signature."""
        message = self.withdrawal(key, amount, **fields)
        signatures = self.sign_withdrawal(key, message), self.sign_withdrawal(KEYS.operator, message)
        self.vault.send(key.address).withdraw_signed(message, *signatures)


def account_key(key: LocalAccount, subaccount: int = 0) -> int:
    """An account as calls that take several name it."""
    return int(key.address, 16) << 16 | subaccount


def rejections(logs: list[Log]) -> list[Rejection]:
    """Every `FillRejected` of a receipt, in order."""
    return [
        Rejection(log.fill_id, log.order_id, log.fault_class, log.reason) for log in logs if log.name == "FillRejected"
    ]
