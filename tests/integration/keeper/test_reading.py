# SPDX-License-Identifier: AGPL-3.0-only
"""Reads of one block: all in one call, the same as one by one, and none where the head is no ground to act on."""

from typing import Any

import pytest

from keeper.functions import MARGIN_OF, MARKET, PRICE
from keeper.guard import GuardedChain, HeadLimits
from keeper.multicall import CALLS_AT_ONCE, decode
from keeper.ports import Call, ChainError, RefusedError, SystemClock, UnsafeChainError
from keeper.rpc_chain import RpcChain
from tests.integration.keeper.conftest import LONG, SHORT, Venue
from tests.integration.keeper.conftest import PRICE as INDEX
from tests.support.anvil import anvil


def views(venue: Venue) -> list[Call]:
    """Short and long answers, one that reverts, one of nobody."""
    exchange = venue.deployment.contracts.exchange
    return [
        Call(exchange, MARGIN_OF.encode(LONG.address, 0)),
        Call(exchange, MARKET.encode(1)),
        Call(exchange, MARGIN_OF.encode(LONG.address, 1 << 16)),
        Call(venue.deployment.contracts.oracle, PRICE.encode(1)),
        Call(SHORT.address, b""),
    ]


def shown(answers: list[bytes | RefusedError]) -> list[bytes | str]:
    return [answer.reason if isinstance(answer, RefusedError) else answer for answer in answers]


def test_one_call_answers_like_many(venue: Venue) -> None:
    chain = venue.chain()
    head = chain.head()
    together = shown(chain.call_many(views(venue), head.hash))
    assert chain.multicalls, "anvil hands reverted data back"
    chain.multicalls = False
    assert shown(chain.call_many(views(venue), head.hash)) == together
    assert together[2] == "subaccount above 65535"
    price = together[3]
    assert isinstance(price, bytes)
    assert PRICE.decode(price)[0] == INDEX


def test_more_calls_than_one_program_takes(venue: Venue) -> None:
    chain = venue.chain()
    calls = views(venue) * (CALLS_AT_ONCE // 5 + 2)
    answers = shown(chain.call_many(calls, chain.head().hash))
    assert answers == shown(chain.call_many(views(venue), chain.head().hash)) * (CALLS_AT_ONCE // 5 + 2)
    assert chain.multicalls


def test_reads_are_of_the_block_that_is_named(venue: Venue) -> None:
    chain = venue.chain()
    before = chain.head()
    calls = [Call(venue.deployment.contracts.oracle, PRICE.encode(market_id)) for market_id in (1, 2)]
    old = chain.call_many(calls, before.hash)
    venue.push(INDEX + 100)
    assert chain.call_many(calls, before.hash) == old
    assert chain.call_many(calls, chain.head().hash) != old


class _Terse(RpcChain):
    """A node that says that a call reverted, and no more."""

    def _batch(self, requests: Any) -> list[dict[str, Any]]:
        answers = super()._batch(requests)
        for (_, parameters), answer in zip(requests, answers, strict=True):
            if "error" in answer and "to" not in parameters[0]:
                answer["error"] = {"code": 3, "message": "execution reverted"}
        return answers


def test_a_node_that_keeps_reverted_data_to_itself_is_asked_one_by_one(venue: Venue) -> None:
    terse, chain = venue.chain(_Terse), venue.chain()
    head = chain.head()
    assert shown(terse.call_many(views(venue), head.hash)) == shown(chain.call_many(views(venue), head.hash))
    assert (terse.multicalls, chain.multicalls) == (False, True)


def test_an_unknown_block_is_trouble_and_not_an_answer(venue: Venue) -> None:
    chain = venue.chain()
    with pytest.raises(ChainError, match="eth_call"):
        chain.call_many(views(venue), "0x" + "11" * 32)
    assert chain.multicalls


@pytest.mark.parametrize("output", [b"", bytes(63), bytes(31) + b"\x01" + bytes(31) + b"\x20", bytes(65)])
def test_output_of_another_shape_is_refused(output: bytes) -> None:
    with pytest.raises(ValueError, match="bytes"):
        decode(output, 1)


class _At(SystemClock):
    """A clock that shows what it is told."""

    def __init__(self, time_s: float) -> None:
        self.shows = time_s

    def time_s(self) -> float:
        return self.shows


def test_a_head_away_from_the_clock_is_not_acted_on(venue: Venue) -> None:
    chain = venue.chain()
    at = chain.head().time_s
    clock = _At(at)
    guarded = GuardedChain(chain, clock, HeadLimits(max_age_s=60, max_ahead_s=30))
    assert guarded.head() == chain.head()
    clock.shows = at + 61
    with pytest.raises(UnsafeChainError, match=r"stale head: block .* is 61 s old"):
        guarded.head()
    clock.shows = at - 31
    with pytest.raises(UnsafeChainError, match="31 s ahead"):
        guarded.head()


def test_a_stale_head_liquidates_nobody(venue: Venue) -> None:
    venue.push(INDEX * 96 // 100)
    chain = venue.chain()
    clock = _At(chain.head().time_s + 1_000)
    keeper = venue.keeper(chain=GuardedChain(chain, clock, HeadLimits()))
    with pytest.raises(UnsafeChainError):
        keeper.round()
    clock.shows -= 1_000
    assert len(keeper.round()) == 1


def test_two_nodes_that_disagree_are_not_acted_on(venue: Venue) -> None:
    """Another anvil with the same chain id is another chain, however high it is."""
    chain = venue.chain()
    clock = _At(chain.head().time_s)
    with anvil() as other:
        second = RpcChain(other.rpc_url)
        try:
            guarded = GuardedChain(chain, clock, HeadLimits(max_lag_blocks=3), second)
            with pytest.raises(UnsafeChainError, match=r"the second node is .* blocks behind"):
                guarded.head()
            while second.head().number < chain.head().number:
                other.rpc.request("evm_mine")
            with pytest.raises(UnsafeChainError, match="the nodes disagree about block"):
                guarded.head()
        finally:
            second.close()
    same = GuardedChain(chain, clock, HeadLimits(), venue.chain())
    assert same.head() == chain.head()
