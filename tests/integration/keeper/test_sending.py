# SPDX-License-Identifier: AGPL-3.0-only
"""Transactions that wait: paying more, and replacing what hangs; and the hourly poke."""

from collections.abc import Iterator, Sequence

import pytest
from eth_account.typed_transactions import TypedTransaction
from hexbytes import HexBytes

from keeper.functions import POKE
from keeper.funding import FundingPoker
from keeper.outcome import Result
from keeper.ports import Call, Receipt, RefusedError, SystemClock
from keeper.rpc_chain import RpcChain
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


def test_found_what_replaces_a_hung_transaction_pays_no_more_than_the_most(quiet: Venue) -> None:
    chain = quiet.chain()
    most = 2 * chain.head().base_fee + 3 * 10**9
    fees = FeePolicy(bump_after_s=0.1, bumps=12, max_fee=most)
    sender = Sender(chain, LIQUIDATOR, SystemClock(), fees)
    for _ in range(3):
        with pytest.raises((UnminedError, RefusedError)):
            sender.send(poke(quiet), 200_000)
    content = quiet.node.rpc.request("txpool_content")
    waiting = [each for kind in content.values() for nonces in kind.values() for each in nonces.values()]
    assert [int(each["maxFeePerGas"], 16) for each in waiting] == [most]


def test_found_paying_more_stays_within_the_hours_money(quiet: Venue) -> None:
    chain = quiet.chain()
    first = 2 * chain.head().base_fee + 10**9
    fees = FeePolicy(bump_after_s=0.1, bumps=4, wei_per_hour=200_000 * first)
    sender = Sender(chain, LIQUIDATOR, SystemClock(), fees)
    with pytest.raises(UnminedError):
        sender.send(poke(quiet), 200_000)
    assert sender.bumped == 0


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


def test_many_go_out_together_with_nonces_in_a_row(quiet: Venue) -> None:
    chain = quiet.chain()
    sender = Sender(chain, LIQUIDATOR, _Miner(quiet, after=0.1), FeePolicy(in_flight=3))
    first = chain.nonce(LIQUIDATOR.address)
    results = sender.send_all([(poke(quiet), 200_000)] * 5)
    assert all(isinstance(result, Receipt) and result.succeeded for result in results)
    blocks = [result.block_number for result in results if isinstance(result, Receipt)]
    assert len(set(blocks[:3])) == 1, "three at a time, in one block"
    assert blocks[3] > blocks[0]
    assert chain.nonce(LIQUIDATOR.address) == first + 5


class _Picky(RpcChain):
    """A node that takes no transaction of more than a million gas, as some do."""

    def send_many(self, raw_transactions: Sequence[bytes]) -> list[str | RefusedError]:
        answers: list[str | RefusedError] = []
        for raw in raw_transactions:
            gas = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()["gas"]
            answers += [RefusedError("too much gas")] if int(gas) > 10**6 else super().send_many([raw])
        return answers


def test_a_refused_transaction_leaves_no_gap(quiet: Venue) -> None:
    """An empty one takes its nonce, so that those behind it do not wait for ever."""
    chain = quiet.chain(_Picky)
    sender = Sender(chain, LIQUIDATOR, _Miner(quiet, after=0.1), QUICK)
    first = chain.nonce(LIQUIDATOR.address)
    results = sender.send_all([(poke(quiet), 200_000), (poke(quiet), 5 * 10**6), (poke(quiet), 200_000)])
    assert [isinstance(result, Receipt) for result in results] == [True, False, True]
    assert isinstance(results[1], RefusedError)
    assert results[1].reason == "too much gas"
    assert chain.nonce(LIQUIDATOR.address) == first + 3
    [last] = sender.send_all([(poke(quiet), 5 * 10**6)])
    assert isinstance(last, RefusedError)
    assert chain.nonce(LIQUIDATOR.address) == first + 3, "nothing waits behind the last one"
