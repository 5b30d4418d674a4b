# SPDX-License-Identifier: AGPL-3.0-only
"""Transactions that wait: paying more, and replacing what hangs; and the hourly poke."""

from collections.abc import Iterator

import pytest

from keeper.functions import POKE
from keeper.funding import FundingPoker
from keeper.outcome import Result
from keeper.ports import Call, SystemClock
from keeper.sender import FeePolicy, Sender, UnminedError
from tests.integration.keeper.conftest import BTC, LIQUIDATOR, PRICE, Venue

QUICK = FeePolicy(bump_after_s=0.3, bumps=2)


class _Miner(SystemClock):
    """A clock in whose sleep a block is mined, after so many transactions have been waited for."""

    def __init__(self, venue: Venue, after: float) -> None:
        self.venue = venue
        self.mine_at = self.now() + after

    def sleep(self, seconds: float) -> None:
        if self.now() >= self.mine_at:
            self.venue.node.rpc.request("evm_mine")
        super().sleep(seconds)


@pytest.fixture
def quiet(venue: Venue) -> Iterator[Venue]:
    """No block unless somebody asks for one."""
    venue.push(PRICE)
    venue.node.rpc.request("evm_setAutomine", False)
    yield venue
    venue.node.rpc.request("anvil_dropAllTransactions")
    venue.node.rpc.request("evm_setAutomine", True)


def results(bot: FundingPoker) -> list[tuple[str, Result]]:
    """Of one round, by what was attempted."""
    return [(outcome.attempt.subject, outcome.result) for outcome in bot.round()]


def poke(venue: Venue) -> Call:
    return Call(venue.deployment.contracts.exchange, POKE.encode(BTC), LIQUIDATOR.address)


def test_a_transaction_that_waits_pays_more(quiet: Venue) -> None:
    chain = quiet.chain()
    sender = Sender(chain, LIQUIDATOR, _Miner(quiet, after=0.4), QUICK)
    receipt = sender.send(poke(quiet), 200_000)
    assert receipt.succeeded
    assert sender.bumped == 1
    sent = quiet.node.rpc.request("eth_getTransactionByHash", receipt.transaction_hash)
    assert int(sent["maxPriorityFeePerGas"], 16) == QUICK.priority_fee * 125 // 100


def test_one_that_never_lands_is_given_up_and_replaced(quiet: Venue) -> None:
    chain = quiet.chain()
    sender = Sender(chain, LIQUIDATOR, SystemClock(), QUICK)
    nonce = chain.nonce(LIQUIDATOR.address)
    with pytest.raises(UnminedError, match=f"nonce {nonce} "):
        sender.send(poke(quiet), 200_000)
    sender.clock = _Miner(quiet, after=0.0)
    assert sender.send(poke(quiet), 200_000).succeeded
    assert chain.nonce(LIQUIDATOR.address) == nonce + 1


def test_markets_are_poked_once_an_hour(venue: Venue) -> None:
    venue.push(PRICE)
    tools, dry = venue.tools(), venue.tools(dry_run=True)
    poker = FundingPoker(tools.surveyor, tools.executor)
    poker.round()
    assert poker.round() == []
    venue.node.rpc.warp(3_600)
    assert poker.round() == [], "nothing accrues at a stale price"
    venue.push(PRICE)
    assert results(FundingPoker(dry.surveyor, dry.executor)) == [
        ("BTC-USD", Result.SKIPPED),
        ("ETH-USD", Result.SKIPPED),
    ]
    assert results(poker) == [("BTC-USD", Result.WON), ("ETH-USD", Result.WON)]
    assert poker.round() == []


def test_a_settled_market_is_left_alone(venue: Venue) -> None:
    rule = venue.system.exchange.send(venue.system.keys.governance.address)
    rule.begin_settling(1)
    venue.node.rpc.warp(3_600)
    venue.push(PRICE)
    rule.fix_settlement(1)
    venue.node.rpc.warp(3_600)
    venue.push(PRICE)
    tools = venue.tools()
    assert results(FundingPoker(tools.surveyor, tools.executor)) == [("ETH-USD", Result.WON)]
