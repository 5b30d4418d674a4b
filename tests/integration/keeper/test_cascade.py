# SPDX-License-Identifier: AGPL-3.0-only
"""The cascade of `bench.cascade`, small and quick: keepers clear it and every invariant holds; and the checks check."""

from collections.abc import Iterator

import pytest

from bench.cascade import run
from bench.cascade_check import CascadeError, check
from bench.cascade_venue import PRICES, CascadeVenue, Fall

ACCOUNTS = 30


@pytest.fixture(scope="module")
def venue() -> Iterator[CascadeVenue]:
    """Traded, and nothing fell."""
    with CascadeVenue.started(ACCOUNTS, 1, seed=2) as started:
        yield started


def test_a_fall_is_even_and_ends() -> None:
    path = Fall(60, 10)
    assert path.at(0) == PRICES
    assert path.at(5) == {id_: price * 7 // 10 for id_, price in PRICES.items()}
    assert path.at(10) == path.at(99) == {id_: price * 4 // 10 for id_, price in PRICES.items()}


def test_two_keepers_clear_a_crash() -> None:
    figures = run(ACCOUNTS, Fall(60, 8), keepers=2, seed=1)
    assert figures["below"]["left"] == 0
    assert figures["below"]["most"] > 0
    assert figures["accountsTakenOver"] >= ACCOUNTS // 2
    assert figures["positions"]["after"] < figures["positions"]["before"]
    won = figures["transactions"]["liquidation won"]
    assert won >= figures["accountsTakenOver"]
    assert figures["gas"]["used"] > 0
    assert figures["trouble"] == {}


def test_nobody_to_clear_is_no_error_and_somebody_is(venue: CascadeVenue) -> None:
    """The checks hold before anything fell, and notice when nobody cleared."""
    venue.push(PRICES)
    check(venue)
    snapshot = venue.node.rpc.request("evm_snapshot")
    venue.node.rpc.warp(1)  # a price of the same second is not newer
    venue.push(Fall(60, 1).at(1))
    with pytest.raises(CascadeError, match="are still below maintenance margin"):
        check(venue)
    venue.node.rpc.request("evm_revert", snapshot)


def test_money_that_is_missing_is_noticed(venue: CascadeVenue) -> None:
    snapshot = venue.node.rpc.request("evm_snapshot")
    vault, usdc = venue.system.vault.address, venue.system.usdc
    venue.node.rpc.fund(vault)
    usdc.send(vault).transfer(venue.backstop, 1)
    with pytest.raises(CascadeError, match="the Vault holds"):
        check(venue)
    venue.node.rpc.request("evm_revert", snapshot)
