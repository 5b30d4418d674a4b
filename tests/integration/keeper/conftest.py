# SPDX-License-Identifier: AGPL-3.0-only
"""A venue on a node of its own, with one thin long and two liquidators."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from keeper.liquidator import Liquidator, Settings
from keeper.opportunity import Opportunity
from keeper.ports import SystemClock
from keeper.rpc_chain import RpcChain
from keeper.tools import Tools
from ouro.deployment import Deployment
from tests.support.anvil import ACCOUNTS, Node, anvil, deploy_on, record
from tests.support.system import System
from tests.support.wire import Fill, Order, sign_order

LONG, SHORT, LIQUIDATOR, RIVAL, STRANGER = ACCOUNTS[4:9]
BTC, ETH = 1, 2
TICKERS = {BTC: "BTC-USD", ETH: "ETH-USD"}
PRICE = 2_000_000
LOTS = 1_500
THIN_MARGIN = 200_000_000
"""200 USDC under 3,000 USDC of notional: initial margin is 150, maintenance 90."""


@dataclass
class Venue:
    """The contracts, and how to get into trouble on them."""

    node: Node
    system: System
    deployment: Deployment
    fills: int = 0
    chains: list[RpcChain] = field(default_factory=list)

    def push(self, price: int) -> None:
        """A new index price of both markets, in a block of its own."""
        self.node.rpc.warp(1)
        self.system.push({1: price, 2: price})

    def trade(self, buyer: LocalAccount, seller: LocalAccount, lots: int, price: int, market: int = BTC) -> None:
        """A settled fill between the two, without fees."""
        now = self.node.rpc.now
        self.fills += 1
        order = Order(TICKERS[market], "BUY", lots, price, buyer.address, now * 1000, now + 3_600, slot=self.fills)
        sold = replace(order, side="SELL", account=seller.address)
        bids, asks = (
            sign_order(key, self.system.domain, signed, market) for key, signed in ((buyer, order), (seller, sold))
        )
        logs = self.system.settle([bids, asks], [Fill(self.fills, price, lots, 0, 1)])
        assert not [log for log in logs if log.name == "FillRejected"], logs

    def chain(self, kind: type[RpcChain] = RpcChain) -> Any:
        """A way to the node of its own, closed after the test."""
        self.chains.append(kind(self.node.rpc_url))
        return self.chains[-1]

    def tools(self, account: LocalAccount = LIQUIDATOR, chain: RpcChain | None = None, **options: Any) -> Tools:
        """What the bots of a key share on this venue."""
        return Tools.of(chain or self.chain(), SystemClock(), self.deployment, account, **options)

    def keeper(
        self,
        account: LocalAccount = LIQUIDATOR,
        chain: RpcChain | None = None,
        dry_run: bool = False,
        **settings: Any,
    ) -> Liquidator:
        """A liquidator on this venue."""
        tools = self.tools(account, chain, dry_run=dry_run)
        return Liquidator(tools.surveyor, tools.executor, tools.clock, Settings(**settings))

    def find(self, **settings: Any) -> list[Opportunity]:
        """What a new liquidator would take over now."""
        keeper = self.keeper(**settings)
        return keeper.find(keeper.surveyor.survey())

    def margin(self, account: LocalAccount) -> tuple[int, int, int]:
        """Equity, initial and maintenance margin, scaled."""
        equity, initial, maintenance, _ = self.system.exchange.call.margin_of(account.address, 0)
        return equity, initial, maintenance


@pytest.fixture(scope="module")
def deployed() -> Iterator[Venue]:
    with anvil() as node:
        start_block = int(node.rpc.request("eth_blockNumber"), 16) + 1
        system = deploy_on(node.rpc)
        venue = Venue(node, system, Deployment.from_record(record(system, start_block)))
        venue.push(PRICE)
        system.fund(LONG.address, THIN_MARGIN)
        system.fund(SHORT.address, 50_000_000_000)
        system.fund(LIQUIDATOR.address, 10_000_000_000)
        system.fund(RIVAL.address, 10_000_000_000)
        venue.trade(LONG, SHORT, LOTS, PRICE)
        yield venue


@pytest.fixture
def venue(deployed: Venue) -> Iterator[Venue]:
    """The venue as it was after the trade, whatever the test before did."""
    snapshot = deployed.node.rpc.request("evm_snapshot")
    head, batches, fills = deployed.system.head, deployed.system.batches, deployed.fills
    yield deployed
    while deployed.chains:
        deployed.chains.pop().close()
    deployed.node.rpc.request("evm_revert", snapshot)
    deployed.system.head, deployed.system.batches, deployed.fills = head, batches, fills
