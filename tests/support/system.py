# SPDX-License-Identifier: AGPL-3.0-only
"""Every contract of a deployment, on whichever chain, in the order and with the arguments of the deploy script."""

from dataclasses import dataclass, field
from typing import Any

from eth_account.signers.local import LocalAccount

from tests.support.abi import Log, abi_of
from tests.support.chain import Chain, Contract, deploy
from tests.support.wire import PRICE_TYPE, Domain, Fill, Signed, sign

MICRO = 10**6
# behind one address, each delegating to the next what it does not know
EXCHANGE = ("Exchange", "ExchangeDesk", "ExchangeOffice", "ExchangeExit")
CHAIN_ID = 31_337


@dataclass(frozen=True)
class Listing:
    """What a market is listed with. Fractions in ppm, sizes in lots, prices in micro-USDC per lot."""

    id: int
    ticker: str
    size_decimals: int
    tick: int = 100
    imf: int = 50_000
    mmf: int = 30_000
    band: int = 100_000
    max_open_interest: int = 10**8
    max_price_age: int = 120
    liquidation_floor: int = 5_000

    def arguments(self) -> tuple[Any, ...]:
        """Of `list_market`."""
        return (self.id, self.ticker, self.size_decimals, *self.parameters())

    def parameters(self) -> tuple[int, ...]:
        """Of `set_market`, without the state."""
        return (
            self.tick,
            self.imf,
            self.mmf,
            self.band,
            self.max_open_interest,
            self.max_price_age,
            self.liquidation_floor,
        )


BTC = Listing(1, "BTC-USD", 4)
ETH = Listing(2, "ETH-USD", 3)


@dataclass(frozen=True)
class Keys:
    """Who is who. `governance` deploys."""

    governance: LocalAccount
    operator: LocalAccount
    price_signer: LocalAccount
    guardian: LocalAccount


@dataclass
class System:
    """The deployed contracts. `exchange` speaks for its desk, its office and its exit too."""

    chain: Chain
    keys: Keys
    usdc: Contract
    oracle: Contract
    exit: Contract
    office: Contract
    desk: Contract
    exchange: Contract
    vault: Contract
    listings: tuple[Listing, ...]
    settle_window: int
    withdrawal_delay: int
    head: bytes = bytes(32)
    batches: int = field(default=0)

    @property
    def domain(self) -> Domain:
        return Domain(CHAIN_ID, self.exchange.address)

    @property
    def vault_domain(self) -> Domain:
        return Domain(CHAIN_ID, self.vault.address)

    @property
    def oracle_domain(self) -> Domain:
        return Domain(CHAIN_ID, self.oracle.address, "Ouro Oracle")

    def fund(self, owner: str, amount: int, subaccount: int = 0) -> None:
        """Mint `amount` micro-USDC to the owner and deposit it all."""
        self.usdc.send(owner).mint(owner, amount)
        self.usdc.send(owner).approve(self.vault.address, amount)
        self.vault.send(owner).deposit(owner, subaccount, amount)

    def donate(self, payer: str, amount: int) -> None:
        """Mint `amount` micro-USDC to the payer, who gives it to the insurance fund."""
        self.usdc.send(payer).mint(payer, amount)
        self.usdc.send(payer).approve(self.vault.address, amount)
        self.vault.send(payer).donate(amount)

    def add_backstop(self) -> Contract:
        """Deploy the Backstop and name it."""
        backstop = deploy(self.chain, self.keys.governance.address, "Backstop", self.vault.address)
        self.exchange.send(self.keys.governance.address).set_backstop(backstop.address)
        return backstop

    def price_update(self, market: int, price: int, published_at: int) -> tuple[int, int, int, int, int]:
        """One signed entry of `push`."""
        message = {"market": market, "price": price, "publishedAt": published_at}
        signature = sign(self.keys.price_signer, self.oracle_domain, PRICE_TYPE, message)
        return market, price, published_at, signature.r, signature.vs

    def push(self, prices: dict[int, int], published_at: int | None = None) -> None:
        """Index prices of markets, in micro-USDC per lot, published now."""
        at = self.chain.now if published_at is None else published_at
        updates = [self.price_update(market, price, at) for market, price in prices.items()]
        self.oracle.send(self.keys.price_signer.address).push(updates)

    def settle(self, orders: list[Signed], fills: list[Fill], gas: int | None = None) -> list[Log]:
        """A batch by the operator on the head it left. The decoded logs, in order."""
        self.batches += 1
        head = self.batches.to_bytes(32, "big")
        operator = self.exchange.send(self.keys.operator.address, gas)
        words = [fill.word() for fill in fills]
        receipt = operator.settle(self.head, head, [signed.words for signed in orders], words)
        self.head = head
        logs: list[Log] = receipt.logs
        return logs


def deploy_system(
    chain: Chain,
    keys: Keys,
    listings: tuple[Listing, ...] = (BTC, ETH),
    settle_window: int = 60,
    withdrawal_delay: int = 120,
    token: str = "TestUSDC",
) -> System:
    """All contracts, wired, with the operator as cosigner and the markets listed."""
    governance = keys.governance.address
    usdc = deploy(chain, governance, token)
    oracle = deploy(chain, governance, "PushedOracle", keys.price_signer.address)
    exit_ = deploy(chain, governance, "ExchangeExit", settle_window)
    office = deploy(chain, governance, "ExchangeOffice", exit_.address, settle_window)
    desk = deploy(chain, governance, "ExchangeDesk", office.address, settle_window)
    abi = abi_of(*EXCHANGE)
    exchange = deploy(chain, governance, "Exchange", desk.address, oracle.address, settle_window, abi=abi)
    vault = deploy(chain, governance, "Vault", usdc.address, exchange.address, withdrawal_delay)

    rule = exchange.send(governance)
    rule.set_vault(vault.address)
    rule.set_operator(keys.operator.address, True)
    rule.set_guardian(keys.guardian.address)
    vault.send(governance).set_cosigner(keys.operator.address, True)
    for listing in listings:
        rule.list_market(*listing.arguments())
    return System(
        chain, keys, usdc, oracle, exit_, office, desk, exchange, vault, listings, settle_window, withdrawal_delay
    )
