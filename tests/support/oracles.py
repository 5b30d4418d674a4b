# SPDX-License-Identifier: AGPL-3.0-only
"""Chainlink, Pyth and a sequencer's uptime feed as their contracts behave, and an OracleRouter with adapters on them.

sources = Sources(world.evm, world.governance)
feed = sources.chainlink_feed(8)
feed.answer("23000.5")
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from eth_abi.abi import encode
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from tests.support.chain import Chain, Contract, deploy
from tests.support.system import CHAIN_ID, System
from tests.support.wire import PRICE_TYPE, Domain, sign, wallet

NOTICE = 14 * 86_400
HEARTBEAT = 3_600
PYTH_AGE = 60
DEVIATION = 10_000
PYTH_FEE = 3
CONFIDENCE = 5_000
BTC_ID, ETH_ID = keccak(text="Crypto.BTC/USD"), keccak(text="Crypto.ETH/USD")
NOBODY = "0x" + "00" * 20
_UPDATE = "(bytes32,(int64,uint64,int32,uint256))[]"

Source = tuple[str, bytes, int]


def per_lot(price: Fraction | Decimal | str, size_decimals: int) -> int:
    """Micro-USDC per lot of a price in USD, to the nearest, halves up."""
    return int((Fraction(price) * 10**6 / 10**size_decimals * 2 + 1) // 2)


@dataclass(frozen=True)
class Feed:
    """A Chainlink feed: its proxy, and the aggregator that the proxy stands for at first."""

    proxy: Contract
    aggregator: Contract
    decimals: int
    owner: str

    @property
    def id(self) -> bytes:
        return bytes.fromhex(self.proxy.address[2:]).rjust(32, b"\0")

    def answer(self, price: str | int) -> None:
        """A round that says so many USD, now."""
        self.aggregator.send(self.owner).transmit(int(Decimal(price) * 10**self.decimals))


class Pyth:
    """Pyth's contract behind its proxy, with the key that signs its updates."""

    def __init__(self, chain: Chain, owner: str, fee: int = PYTH_FEE):
        self.chain, self.owner = chain, owner
        self.signer: LocalAccount = wallet("pyth")
        code = deploy(chain, owner, "PythDouble")
        proxy = deploy(chain, owner, "UpgradeableProxy", code.address)
        self.contract = Contract(chain, proxy.address, code.abi)
        self.contract.send(owner).set_up(self.signer.address, fee)
        self.payer = deploy(chain, owner, "Payer")

    @staticmethod
    def price(
        id_: bytes, price: int, published_at: int, *, expo: int = -8, conf: int = 0
    ) -> tuple[bytes, tuple[int, int, int, int]]:
        return id_, (price, conf, expo, published_at)

    def blob(self, *prices: tuple[bytes, tuple[int, int, int, int]], key: LocalAccount | None = None) -> bytes:
        """Signed prices, as they are pushed."""
        signed = (key or self.signer).unsafe_sign_hash(keccak(encode([_UPDATE], [prices])))
        return encode([_UPDATE, "uint256", "uint256", "uint256"], [prices, signed.v, signed.r, signed.s])

    def push(self, *blobs: bytes) -> None:
        """Straight to Pyth, paid."""
        fee = self.contract.call.getUpdateFee(list(blobs))
        self.pay(self.contract, self.contract.data("updatePriceFeeds", list(blobs)), fee)

    def pay(self, to: Contract, data: bytes, amount: int) -> None:
        """From a contract that is rich."""
        self.chain.fund(self.payer.address)  # type: ignore[attr-defined]
        self.payer.send(self.owner).pay(to.address, data, amount)

    def answer(self, id_: bytes, price: str | int, published_at: int | None = None, **fields: int) -> None:
        """So many USD at 8 decimals, published now."""
        at = self.chain.now if published_at is None else published_at
        self.push(self.blob(self.price(id_, int(Decimal(price) * 10**8), at, **fields)))


class Sources:
    """A router with the adapters it reads through. `owner` governs all of it."""

    def __init__(self, chain: Chain, owner: str, guardian: str, *, sequencer: str = NOBODY, grace: int = 0):
        self.chain, self.owner, self.guardian = chain, owner, guardian
        self.router = deploy(chain, owner, "OracleRouter", guardian, sequencer, grace)
        self.chainlink = deploy(chain, owner, "ChainlinkAdapter")
        self.pyth = Pyth(chain, owner)
        self.pyth_adapter = deploy(chain, owner, "PythAdapter", self.pyth.contract.address, CONFIDENCE)

    def chainlink_feed(self, decimals: int = 8) -> Feed:
        aggregator = deploy(self.chain, self.owner, "ChainlinkAggregatorDouble", decimals)
        proxy = deploy(self.chain, self.owner, "ChainlinkProxyDouble", aggregator.address)
        aggregator.send(self.owner).add_access(proxy.address)
        return Feed(proxy, aggregator, decimals, self.owner)

    def of_chainlink(self, feed: Feed, max_age: int = HEARTBEAT) -> Source:
        return self.chainlink.address, feed.id, max_age

    def of_pyth(self, id_: bytes, max_age: int = PYTH_AGE) -> Source:
        return self.pyth_adapter.address, id_, max_age

    def of_pushed(self, oracle: Contract, market: int, max_age: int = PYTH_AGE) -> Source:
        return oracle.address, market.to_bytes(32, "big"), max_age

    def configure(
        self,
        market: int,
        sources: Sequence[Source],
        *,
        size_decimals: int = 4,
        quorum: int = 2,
        max_deviation: int = DEVIATION,
    ) -> None:
        """The first sources of a market; announced, when the router is not new any more."""
        self.router.send(self.owner).set_sources(market, size_decimals, quorum, max_deviation, list(sources))

    def announce(self, market: int, sources: Sequence[Source]) -> None:
        """What `configure` does with these, for 14 days from now."""
        data = self.router.data("set_sources", market, 4, 2, DEVIATION, list(sources))
        self.router.send(self.owner).announce(data)


def push_price(oracle: Contract, key: LocalAccount, market: int, price: int) -> None:
    """A price in micro-USDC per lot, signed by its key and published now."""
    message = {"market": market, "price": price, "publishedAt": oracle.chain.now}
    signed = sign(key, Domain(CHAIN_ID, oracle.address, "Ouro Oracle"), PRICE_TYPE, message)
    oracle.send(key.address).push([(*message.values(), signed.r, signed.vs)])


def change_oracle(system: System, oracle: Contract, warp: object) -> None:
    """Let the exchange price by another oracle, with the notice that this takes. `warp(seconds)` moves the clock."""
    exchange, governance = system.exchange, system.keys.governance.address
    if "announce" in exchange.abi.functions:
        exchange.send(governance).announce(exchange.data("set_oracle", oracle.address))
        warp(NOTICE)  # type: ignore[operator]
    exchange.send(governance).set_oracle(oracle.address)
