# SPDX-License-Identifier: AGPL-3.0-only
"""Prices that were read at a block because the exchange's oracle tells none by events."""

import pytest
from eth_utils.crypto import keccak

from relayer.core import Core
from relayer.core.inputs import ChainBlock
from tests.unit.relayer_core.exchange_model import BTC_PRICE as P
from tests.unit.relayer_core.exchange_model import EXCHANGE, Venue, address

ROUTER = address("router")


def routed(venue: Venue) -> None:
    """The exchange goes over to an oracle that is asked."""
    venue.log(EXCHANGE, "OracleSet", oracle=ROUTER)
    venue.mine()


def block(venue: Venue, *prices: tuple[int, int, int], final: int = 0) -> ChainBlock:
    """The next block, at which these were read."""
    number = len(venue.blocks) + 1
    made = ChainBlock(
        number,
        keccak(text=f"priced block {number} of fork {venue.fork}"),
        venue.blocks[-1].hash,
        venue.now_ms // 1000,
        tuple(venue.logs),
        final,
        prices,
    )
    venue.logs = []
    venue.blocks.append(made)
    venue.states.append(venue.model)
    venue.apply(made)
    return made


def index_price(venue: Venue) -> int:
    return venue.core.ledger.markets_state[1].index_price


def test_only_what_the_oracle_in_force_says_counts(venue: Venue) -> None:
    routed(venue)
    venue.push(1, P + 1_000)
    venue.mine()
    assert index_price(venue) == P
    block(venue, (1, P + 500, venue.now_ms // 1000), (2, 0, 0))
    assert index_price(venue) == P + 500
    # A market without a price takes no orders.
    assert venue.place("maker", "BUY", 1, 1_600_000, market=2).error_code == "stale_price"
    assert venue.place("maker", "BUY", 1, P).ok


def test_triggers_fire_on_a_price_that_was_read(venue: Venue) -> None:
    routed(venue)
    stop = venue.place("maker", "BUY", 1, P + 2_000, trigger="AT_OR_ABOVE", trigger_price=P + 500)
    assert stop.order_status == "UNTRIGGERED"
    block(venue, (1, P + 500, venue.now_ms // 1000))
    assert venue.status(stop)[0] == "OPEN"


@pytest.mark.parametrize("final", [0, 1])
def test_a_reorg_takes_it_back(venue: Venue, final: int) -> None:
    routed(venue)
    kept = block(venue, (1, P + 100, venue.now_ms // 1000), final=final and len(venue.blocks))
    block(venue, (1, P + 200, venue.now_ms // 1000))
    assert index_price(venue) == P + 200
    venue.revert(kept.number)
    assert index_price(venue) == P + 100


def test_a_restored_core_knows_oracle_and_prices(venue: Venue) -> None:
    routed(venue)
    block(venue, (1, P + 100, venue.now_ms // 1000))
    restored = Core.restore(venue.config, venue.core.dump())
    assert restored.ledger.oracle == ROUTER
    assert restored.ledger.markets_state[1].index_price == P + 100
    block(venue, (1, P + 200, venue.now_ms // 1000))
    restored.apply(venue.inputs[-1])
    assert restored.state_hash() == venue.core.state_hash()


def test_a_market_that_is_not_listed_is_no_market(venue: Venue) -> None:
    routed(venue)
    block(venue, (9, P, venue.now_ms // 1000))
    assert 9 not in venue.core.ledger.markets_state
