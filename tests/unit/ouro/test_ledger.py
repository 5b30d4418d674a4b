# SPDX-License-Identifier: AGPL-3.0-only
"""The ledger replays a made-up history, every event through its raw log, and holds what the history says."""

from typing import Any

import pytest

from ouro import addresses, events
from ouro.codec import FillDetail, PositionWord
from ouro.ledger import Account, Ledger, MarketLedger
from ouro.markets import Market, MarketState
from ouro.maths.margin import Margin
from ouro.units import SCALE
from tests.unit.ouro.logs import detail_word, position_word, raw_log

TAKER, MAKER, LIQUIDATOR = (addresses.checksum(bytes([number]) * 20) for number in (1, 2, 3))
PRICE = 9_500_000
BTC = Market(
    id=1,
    ticker="BTC-USD",
    size_decimals=4,
    price_decimals=2,
    tick=100,
    imf_ppm=50_000,
    mmf_ppm=30_000,
    band_ppm=100_000,
    max_open_interest=100_000_000,
    max_price_age_s=120,
    liquidation_floor_ppm=5_000,
)


def tell(ledger: Ledger, name: str, **values: Any) -> None:
    event = events.decode_log(raw_log(name, **values))
    assert event is not None
    ledger.apply(event)


def fill(ledger: Ledger, lots: int, price: int, taker: PositionWord, maker: PositionWord) -> None:
    """The taker trades signed `lots` with the maker; both are subaccount 0."""
    detail = FillDetail(1, price, abs(lots), 1, 0, 0, 350, 0, lots < 0)
    tell(
        ledger,
        "Fill",
        taker=TAKER,
        maker=MAKER,
        detail=detail_word(detail),
        taker_order=bytes(32),
        maker_order=bytes(32),
        taker_position=position_word(taker),
        maker_position=position_word(maker),
    )


@pytest.fixture
def ledger() -> Ledger:
    """A priced market; taker and maker have 1,000 USDC each."""
    found = Ledger([BTC])
    tell(found, "PricePushed", market=1, price=PRICE, published_at=1_764_547_200)
    for account in (TAKER, MAKER):
        tell(found, "Credited", account=account, subaccount=0, amount=10**9, cash=10**9)
    return found


def opened(ledger: Ledger) -> Ledger:
    """The taker has bought 100 lots, in a one-shot order and for a fee."""
    fee = 332_500
    q = -(100 * PRICE + fee) * SCALE
    fill(ledger, 100, PRICE, PositionWord(100, q, 1_764_547_200_000), PositionWord(-100, 100 * PRICE * SCALE, 0))
    tell(ledger, "FeesCollected", amount=fee, balance=fee)
    return ledger


def test_nothing_happened() -> None:
    empty = Ledger([BTC])
    assert empty.accounts == {}
    assert empty.markets_state == {1: MarketLedger()}
    assert empty.margin(TAKER, 0) == Margin(0, 0, 0)


def test_a_fill_opens_positions(ledger: Ledger) -> None:
    opened(ledger)
    assert ledger.markets_state[1].open_interest == 100
    assert ledger.fees == 332_500
    margins = Margin((10**9 - 332_500) * SCALE, 47_500_000 * SCALE, 28_500_000 * SCALE)
    assert ledger.margin(TAKER, 0) == margins
    assert ledger.margin(MAKER, 0).equity_scaled == 10**9 * SCALE


def test_funding_and_price_move_equity(ledger: Ledger) -> None:
    opened(ledger)
    paid_per_lot, rise = 3 * SCALE + 1, 10_000
    tell(
        ledger,
        "FundingAccrued",
        market=1,
        g_long=paid_per_lot,
        g_short=paid_per_lot,
        rate=2_500,
        index_price=PRICE,
        at=1_764_547_260,
    )
    tell(ledger, "PricePushed", market=1, price=PRICE + rise, published_at=1_764_547_261)
    assert ledger.markets_state[1] == MarketLedger(
        paid_per_lot, paid_per_lot, 2_500, 1_764_547_260, PRICE + rise, 1_764_547_261, 100
    )
    taker, maker = ledger.margin(TAKER, 0).equity_scaled, ledger.margin(MAKER, 0).equity_scaled
    assert taker == (10**9 - 332_500 + 100 * rise) * SCALE - 100 * paid_per_lot
    assert taker + maker + ledger.fees * SCALE == 2 * 10**9 * SCALE


@pytest.mark.parametrize("closed_first", [True, False])
def test_a_closed_position_becomes_cash(ledger: Ledger, closed_first: bool) -> None:
    opened(ledger)
    before = ledger.copy()
    realised = 1_000_000

    def close() -> None:
        tell(
            ledger,
            "PositionClosed",
            account=TAKER,
            subaccount=0,
            market=1,
            realised=realised,
            cash=10**9 + realised,
        )

    if closed_first:
        close()
    flat = PositionWord(0, realised * SCALE + 5, 1_764_547_200_000)
    fill(ledger, -100, PRICE + 10_000, flat, PositionWord(0, -realised * SCALE, 0))
    if not closed_first:
        close()
    assert ledger.accounts[TAKER, 0] == Account(10**9 + realised, {1: PositionWord(0, 0, 1_764_547_200_000)})
    assert ledger.markets_state[1].open_interest == 0
    assert ledger.margin(TAKER, 0) == Margin((10**9 + realised) * SCALE, 0, 0)
    assert before.accounts[TAKER, 0].positions[1].size == 100
    assert before.markets_state[1].open_interest == 100


def test_a_flip_changes_open_interest_by_what_is_long(ledger: Ledger) -> None:
    opened(ledger)
    fill(ledger, -150, PRICE, PositionWord(-50, 0, 0), PositionWord(50, 0, 0))
    assert ledger.markets_state[1].open_interest == 50


def test_a_take_over_moves_the_position(ledger: Ledger) -> None:
    opened(ledger)
    tell(
        ledger,
        "LossSpread",
        market=1,
        longs=False,
        per_lot_scaled=5,
        g=-5,
    )
    tell(ledger, "InsuranceChanged", delta=7, balance=7)
    tell(
        ledger,
        "Liquidated",
        account=TAKER,
        liquidator=LIQUIDATOR,
        subaccount=0,
        liquidator_subaccount=9,
        market=1,
        size=60,
        price=PRICE - 100,
        insurance_fee=7,
        covered=0,
        position=position_word(PositionWord(40, -40 * PRICE * SCALE, 0)),
        liquidator_position=position_word(PositionWord(60, -60 * PRICE * SCALE, 0)),
    )
    state = ledger.markets_state[1]
    assert (state.g_long, state.g_short, state.open_interest) == (0, -5, 100)
    assert ledger.accounts[TAKER, 0].positions[1].size == 40
    assert ledger.accounts[LIQUIDATOR, 9].positions[1].size == 60
    assert ledger.insurance == 7


def test_a_loss_of_the_long_side(ledger: Ledger) -> None:
    tell(ledger, "LossSpread", market=1, longs=True, per_lot_scaled=5, g=5)
    assert (ledger.markets_state[1].g_long, ledger.markets_state[1].g_short) == (5, 0)


def test_cash_and_fees(ledger: Ledger) -> None:
    tell(ledger, "Debited", account=TAKER, subaccount=0, amount=4, cash=10**9 - 4)
    tell(ledger, "FeesCollected", amount=9, balance=9)
    tell(ledger, "FeesWithdrawn", account=MAKER, subaccount=0, amount=5)
    assert ledger.accounts[TAKER, 0].cash == 10**9 - 4
    assert ledger.fees == 4


def test_a_market_is_listed_later(ledger: Ledger) -> None:
    tell(ledger, "MarketListed", market=2, ticker="ETH-USD", size_decimals=3, price_decimals=3, tick=100)
    assert ledger.markets[2].state == MarketState.UNLISTED
    tell(
        ledger,
        "MarketChanged",
        market=2,
        imf=100_000,
        mmf=60_000,
        band=50_000,
        tick=50,
        max_open_interest=10,
        max_price_age=60,
        liquidation_floor=1,
        state=1,
    )
    assert ledger.markets[2] == Market(2, "ETH-USD", 3, 3, 50, 100_000, 60_000, 50_000, 10, 60, 1, MarketState.ACTIVE)
    assert ledger.markets_state[2] == MarketLedger()


def test_a_deployment_market_is_not_forgotten_when_its_listing_is_read(ledger: Ledger) -> None:
    tell(ledger, "MarketListed", market=1, ticker="BTC-USD", size_decimals=4, price_decimals=2, tick=100)
    assert ledger.markets[1] == BTC
    assert ledger.markets_state[1].index_price == PRICE


def test_what_moves_no_money_changes_nothing(ledger: Ledger) -> None:
    before = ledger.copy()
    tell(ledger, "SlotCancelled", signer=TAKER, slot=1, stamp=2, effective_at=3)
    tell(ledger, "FillRejected", fill_id=1, order_id=bytes(32), fault_class=3, reason="stale price")
    for table in ("accounts", "markets", "markets_state", "insurance", "fees"):
        assert getattr(ledger, table) == getattr(before, table)


def test_a_copy_goes_its_own_way(ledger: Ledger) -> None:
    copy = ledger.copy()
    opened(copy)
    tell(copy, "PricePushed", market=1, price=1, published_at=2)
    assert ledger.accounts[TAKER, 0] == Account(10**9)
    assert ledger.markets_state[1] == MarketLedger(index_price=PRICE, published_at=1_764_547_200)
    assert (ledger.fees, copy.fees) == (0, 332_500)
