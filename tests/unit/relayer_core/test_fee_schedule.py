# SPDX-License-Identifier: AGPL-3.0-only
"""Fees by the published schedule and by what each owner traded in 30 days."""

from typing import Any

import pytest

from relayer.core import Core
from relayer.core.outputs import FillOutput
from tests.reference.exchange import Executed
from tests.unit.relayer_core.exchange_model import BTC_PRICE, EXCHANGE, START_MS, USDC, Venue, address

P = BTC_PRICE
DAY_MS = 86_400_000
LOTS_OF_1K = 1_000 * USDC // P + 1


def tier(volume: int, taker_ppm: int, maker_ppm: int) -> int:
    return volume << 32 | taker_ppm << 16 | maker_ppm & 0xFFFF


def publish(venue: Venue, *tiers: int) -> None:
    venue.log(EXCHANGE, "FeeTiersSet", tiers=list(tiers))
    venue.mine()


def fresh(venue: Venue, ms: int = 0) -> None:
    """Time goes on, with a price of that moment."""
    venue.tick(ms)
    venue.push(1, P)
    venue.push(2, 1_600_000)
    venue.mine()


def trade(venue: Venue, lots: int = LOTS_OF_1K, maker: str = "maker", **fields: Any) -> tuple[int, int]:
    """The taker buys from the maker; what both pay, ppm."""
    assert venue.place(maker, "SELL", lots, P, **fields).ok
    ack = venue.place("taker", "BUY", lots, P, **fields)
    assert ack.order_status == "FILLED", ack
    said = [output for output in venue.outputs if isinstance(output, FillOutput)][-1]
    return said.taker_fee_ppm, said.maker_fee_ppm


def settle(venue: Venue) -> None:
    assert all(isinstance(outcome, Executed) for outcome in venue.settle())


def test_without_a_schedule_the_configuration_holds(venue: Venue) -> None:
    assert trade(venue) == (350, 0)
    settle(venue)


def test_volume_reaches_a_tier_once_it_is_confirmed(venue: Venue) -> None:
    publish(venue, tier(0, 400, 100), tier(1_000, 300, -20))
    assert trade(venue) == (400, 100)
    assert trade(venue) == (400, 100)
    settle(venue)
    assert trade(venue) == (300, -20)
    settle(venue)
    assert venue.core.withdrawable(address("taker"), 0) == venue.model.withdrawable((address("taker"), 0))


def test_everybody_has_his_own_tier(venue: Venue) -> None:
    publish(venue, tier(0, 400, 100), tier(1_000, 300, 50))
    trade(venue)
    settle(venue)
    venue.deposit("newcomer")
    assert trade(venue, maker="newcomer") == (300, 100)
    settle(venue)


def test_subaccounts_add_up_and_trades_between_them_do_not(venue: Venue) -> None:
    publish(venue, tier(0, 400, 100), tier(1_500, 300, 50))
    venue.deposit("taker", subaccount=1)
    trade(venue)
    settle(venue)
    assert venue.place("maker", "SELL", LOTS_OF_1K, P).ok
    assert venue.place("taker", "BUY", LOTS_OF_1K, P, subaccount=1).order_status == "FILLED"
    settle(venue)
    assert trade(venue) == (300, 50)


@pytest.mark.parametrize(("days", "fees"), [(29, (300, 50)), (30, (400, 100))])
def test_volume_is_forgotten_after_thirty_days(venue: Venue, days: int, fees: tuple[int, int]) -> None:
    publish(venue, tier(0, 400, 100), tier(1_000, 300, 50))
    trade(venue)
    settle(venue)
    midnight = (START_MS // DAY_MS + days) * DAY_MS
    fresh(venue, midnight - venue.now_ms)
    assert trade(venue) == fees


def test_a_day_that_is_old_leaves_the_memory_when_its_owner_trades_again(venue: Venue) -> None:
    publish(venue, tier(0, 400, 100))
    trade(venue)
    settle(venue)
    fresh(venue, 40 * DAY_MS)
    trade(venue)
    settle(venue)
    volumes = venue.core._state.chain.head.volumes
    assert [len(days) for days in volumes.values()] == [1, 1]


def test_the_cap_that_an_account_needs_is_that_of_its_tier(venue: Venue) -> None:
    publish(venue, tier(0, 400, 100), tier(1_000, 300, 50))
    ack = venue.place("taker", "BUY", LOTS_OF_1K, P, max_fee_ppm=399)
    assert (ack.error_code, "400 ppm" in ack.message) == ("fee_cap_too_low", True)
    assert venue.place("taker", "BUY", LOTS_OF_1K, P - 100, max_fee_ppm=100, post_only=True).ok
    assert venue.place("maker", "SELL", LOTS_OF_1K, P - 100).order_status == "FILLED"
    settle(venue)
    assert venue.place("taker", "BUY", LOTS_OF_1K, P - 100, max_fee_ppm=399).ok


def test_who_rests_pays_no_more_than_was_signed_when_the_schedule_changes(venue: Venue) -> None:
    assert venue.place("maker", "SELL", LOTS_OF_1K, P, max_fee_ppm=350).ok
    publish(venue, tier(0, 900, 700))
    assert venue.place("taker", "BUY", LOTS_OF_1K, P).order_status == "FILLED"
    said = [output for output in venue.outputs if isinstance(output, FillOutput)][-1]
    assert (said.taker_fee_ppm, said.maker_fee_ppm) == (900, 350)
    settle(venue)


def test_a_rebate_is_no_more_than_the_taker_pays(venue: Venue) -> None:
    publish(venue, tier(0, 400, 0), tier(1_000, 50, -50), tier(10_000, 20, -20))
    venue.deposit("whale", 100_000)
    for _ in range(2):
        venue.place("maker", "SELL", 6 * LOTS_OF_1K, P)
        venue.place("whale", "BUY", 6 * LOTS_OF_1K, P)
        settle(venue)
    venue.deposit("dealer", 100_000)
    venue.place("dealer", "SELL", LOTS_OF_1K, P)
    venue.place("maker", "BUY", LOTS_OF_1K, P)
    settle(venue)
    venue.place("dealer", "SELL", LOTS_OF_1K, P)
    venue.place("whale", "BUY", LOTS_OF_1K, P)
    said = [output for output in venue.outputs if isinstance(output, FillOutput)][-1]
    assert (said.taker_fee_ppm, said.maker_fee_ppm) == (20, -20)
    settle(venue)


def test_margin_is_asked_for_the_fees_of_the_tier() -> None:
    """An account that can just carry the lots at a low fee cannot at a high one."""
    low, high = Venue(), Venue()
    for each, ppm in ((low, 10), (high, 10_000)):
        each.deposit("small", 1_025)
        publish(each, tier(0, ppm, 0))
    lots = 20_000 * USDC // P
    assert low.place("small", "SELL", lots, P, max_fee_ppm=10_000).ok
    assert high.place("small", "SELL", lots, P, max_fee_ppm=10_000).error_code == "insufficient_margin"


def test_a_reorg_takes_volume_back(venue: Venue) -> None:
    publish(venue, tier(0, 400, 100), tier(1_000, 300, 50))
    height = len(venue.blocks)
    trade(venue)
    settle(venue)
    assert venue.core._state.fees.of(address("taker")) == (300, 50)
    venue.revert(height)
    assert venue.core._state.fees.of(address("taker")) == (400, 100)


def test_a_snapshot_keeps_tiers_and_volumes(venue: Venue) -> None:
    publish(venue, tier(0, 400, 100), tier(1_000, 300, -5))
    trade(venue)
    settle(venue)
    venue.mine(final=len(venue.blocks))
    restored = Core.restore(venue.config, venue.core.dump())
    assert restored.state_hash() == venue.core.state_hash()
    assert restored._state.fees.of(address("taker")) == (300, -5)
