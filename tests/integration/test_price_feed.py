# SPDX-License-Identifier: AGPL-3.0-only
"""The price feed against a real oracle on a real node: what is replayed is what the contract then says."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from web3 import Web3
from web3.exceptions import ContractLogicError

from keeper.pusher import UrlSource
from ouro.deployment import Deployment
from stack.feed import Place, Publisher
from stack.prices import Replay, load_candles
from stack.wallets import Role, wallet
from tests.support.anvil import Node, anvil, deploy_local


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with anvil() as running:
        yield running


@pytest.fixture(scope="module")
def deployment(node: Node) -> Deployment:
    return deploy_local(node.rpc_url)


@pytest.fixture
def publisher(node: Node, deployment: Deployment) -> Publisher:
    return Publisher(Web3(Web3.HTTPProvider(node.rpc_url)), deployment, wallet(Role.PRICE_SIGNER))


def test_replayed_prices_reach_the_oracle(node: Node, publisher: Publisher) -> None:
    replay = Replay(load_candles())
    for step in (0, 1, 5_000):
        node.rpc.warp(2)
        now = node.rpc.now
        sent = publisher.push(replay.prices(step))
        assert sent is not None
        assert not publisher.failed(sent)
        for ticker, market in (("BTC-USD", 1), ("ETH-USD", 2)):
            assert publisher.oracle.functions.price(market).call() == [replay.prices(step)[ticker], now]


def test_the_same_second_is_not_pushed_twice(node: Node, publisher: Publisher) -> None:
    node.rpc.warp(2)
    publisher.last_published_at = node.rpc.now
    assert publisher.push({"BTC-USD": 2_000_000}) is None


def test_a_refused_push_is_noticed(node: Node, deployment: Deployment) -> None:
    node.rpc.warp(2)
    stranger = Publisher(Web3(Web3.HTTPProvider(node.rpc_url)), deployment, wallet(Role.EXAMPLE_TRADER))
    sent = stranger.push({"BTC-USD": 1})
    assert sent is not None
    assert stranger.failed(sent)


def test_the_place_in_the_replay_survives_a_restart(tmp_path: Path) -> None:
    place = Place(tmp_path / "feed.json")
    assert place.step == 0
    place.advance()
    place.advance()
    assert Place(tmp_path / "feed.json").step == 2


def test_what_the_feed_publishes_a_keeper_can_push(node: Node, publisher: Publisher, tmp_path: Path) -> None:
    """The file beside the feed's state holds what was signed, in the form that a keeper's source reads."""
    node.rpc.warp(2)
    publisher.push({"BTC-USD": 2_222_564, "ETH-USD": 1_561_386})
    publisher.publish(tmp_path / "prices.json")
    found = UrlSource(str(tmp_path / "prices.json")).prices()
    assert [(each.market, each.price) for each in found] == [(1, 2_222_564), (2, 1_561_386)]
    entries = [(each.market, each.price, each.published_at, each.r, each.vs) for each in found]
    # Not newer, so nothing changes; a wrong signature would be refused.
    publisher.oracle.functions.push(entries).call()
    with pytest.raises(ContractLogicError):
        publisher.oracle.functions.push([(1, 5, *entries[0][2:])]).call()
