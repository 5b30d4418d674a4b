# SPDX-License-Identifier: AGPL-3.0-only
"""The ledger replays a made-up history, every event through its raw log, and holds what the history says."""

from typing import Any

import pytest

from ouro import addresses, events
from ouro.codec import FillDetail, PositionWord
from ouro.ledger import Account, Ledger, MarketLedger
from ouro.markets import Market, MarketState
from ouro.maths import funding
from ouro.maths.margin import Margin
from ouro.units import SCALE
from tests.unit.ouro.logs import detail_word, position_word, raw_log

TAKER, MAKER, LIQUIDATOR = (addresses.checksum(bytes([number]) * 20) for number in (1, 2, 3))
PRICE = 9_500_000
NOW = 1_764_547_200
HOUR = NOW // 3_600
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
    event = events.decode_log(raw_log(name, **values) | {"blockTimestamp": hex(NOW)})
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


def settle(ledger: Ledger, fees: int) -> None:
    """A batch ends that collected `fees`."""
    head = {"prev": bytes(32), "next": b"n" * 32}
    tell(ledger, "BatchSettled", operator=LIQUIDATOR, **head, settled=1, rejected=0, fees=fees)


def equity(ledger: Ledger, owner: str, now: int = NOW) -> int:
    return ledger.margin(owner, 0, now).equity_scaled


@pytest.fixture
def ledger() -> Ledger:
    """A priced market; taker and maker have 1,000 USDC each."""
    found = Ledger([BTC])
    tell(found, "MarketListed", market=1, ticker="BTC-USD", size_decimals=4, price_decimals=2, tick=100)
    tell(found, "PricePushed", market=1, price=PRICE, published_at=NOW)
    for account in (TAKER, MAKER):
        tell(found, "Credited", account=account, subaccount=0, amount=10**9, cash=10**9)
    return found


def opened(ledger: Ledger) -> Ledger:
    """The taker has bought 100 lots, in a one-shot order and for a fee."""
    fee = 332_500
    q = -(100 * PRICE + fee) * SCALE
    fill(ledger, 100, PRICE, PositionWord(100, q, 1_764_547_200_000), PositionWord(-100, 100 * PRICE * SCALE, 0))
    settle(ledger, fee)
    return ledger


def test_nothing_happened() -> None:
    empty = Ledger([BTC])
    assert empty.accounts == {}
    assert empty.markets_state == {1: MarketLedger()}
    assert empty.margin(TAKER, 0, NOW) == Margin(0, 0, 0)


def test_a_fill_opens_positions(ledger: Ledger) -> None:
    opened(ledger)
    assert ledger.markets_state[1].open_interest == 100
    assert ledger.fees == 332_500
    margins = Margin((10**9 - 332_500) * SCALE, 47_500_000 * SCALE, 28_500_000 * SCALE)
    assert ledger.margin(TAKER, 0, NOW) == margins
    assert equity(ledger, MAKER) == 10**9 * SCALE


def test_funding_and_price_move_equity(ledger: Ledger) -> None:
    opened(ledger)
    paid, rise = 3 * SCALE + 1, 10_000
    fields = {"g_long": paid, "g_short": paid, "rate": 2_500, "index_price": PRICE}
    tell(ledger, "FundingAccrued", market=1, at=NOW, **fields)
    tell(ledger, "PricePushed", market=1, price=PRICE + rise, published_at=NOW + 1)
    slope = funding.slope(2_500, PRICE)
    assert ledger.markets_state[1] == MarketLedger(paid, paid, slope, 2_500, HOUR, 0, 0, PRICE + rise, NOW + 1, 100)
    paid += 60 * slope
    taker, maker = equity(ledger, TAKER, NOW + 60), equity(ledger, MAKER, NOW + 60)
    assert taker == (10**9 - 332_500 + 100 * rise) * SCALE - 100 * paid
    assert taker + maker + ledger.fees * SCALE == 2 * 10**9 * SCALE


def test_the_next_hour_begins_before_anybody_opened_it(ledger: Ledger) -> None:
    """As a view of the contract says it: at a fresh price the prints of this hour are the rate of the next."""
    fill(ledger, 100, PRICE + 100_000, PositionWord(100, 0, 0), PositionWord(-100, 0, 0))
    assert (ledger.markets_state[1].premium_sum, ledger.markets_state[1].volume_sum) == (500_000, 100)
    assert ledger.indices(1, NOW + 3_599) == (0, 0)
    assert ledger.indices(1, NOW + 3_660) == (0, 0), "the price is stale"
    tell(ledger, "PricePushed", market=1, price=PRICE, published_at=NOW + 3_600)
    paid = 60 * funding.slope(2_500, PRICE)
    assert ledger.indices(1, NOW + 3_660) == (paid, paid)


def test_the_fills_of_the_batch_that_opens_an_hour_count_for_it(ledger: Ledger) -> None:
    prints = {"taker": TAKER, "maker": MAKER, "taker_order": bytes(32), "maker_order": bytes(32)}
    detail = detail_word(FillDetail(1, PRICE + 95, 100, 1, 0, 0, 350, 0, False))
    words = {
        "taker_position": position_word(PositionWord(100, 0, 0)),
        "maker_position": position_word(PositionWord(-100, 0, 0)),
    }
    head = {"operator": TAKER, "prev": bytes(32), "next": b"n" * 32, "settled": 1, "rejected": 0, "fees": 1}
    accrued = {"g_long": 0, "g_short": 0, "rate": 0, "index_price": PRICE, "at": NOW + 3_600}
    logs = [
        raw_log("Fill", log_index=0, detail=detail, **prints, **words),
        raw_log("FundingAccrued", log_index=1, market=1, **accrued),
        raw_log("BatchSettled", log_index=2, **head),
    ]
    ledger.apply_all(event for event in map(events.decode_log, logs) if event is not None)
    assert ledger.markets_state[1].premium_sum == 100 * 1_000
    assert ledger.markets_state[1].hour == HOUR + 1


@pytest.mark.parametrize(("share_ppm", "counted"), [(100_000, 100), (500_000, 0)])
def test_what_a_referrer_gets_is_no_fee_that_funding_counts(ledger: Ledger, share_ppm: int, counted: int) -> None:
    tell(ledger, "ReferrerShareSet", share_ppm=share_ppm)
    tell(ledger, "ReferralAccrued", number=3, amount=5, balance=12)
    fill(ledger, 100, PRICE, PositionWord(100, 0, 0), PositionWord(-100, 0, 0))
    assert ledger.markets_state[1].volume_sum == counted
    fill(ledger, 100, PRICE, PositionWord(200, 0, 0), PositionWord(-200, 0, 0))
    assert ledger.markets_state[1].volume_sum == counted + 100, "the next fill has no referrer"
    assert ledger.referrals == {3: 12}
    tell(ledger, "ReferralClaimed", number=3, account=MAKER, subaccount=0, amount=12)
    assert ledger.referrals == {3: 0}


def test_margin_grows_with_open_interest(ledger: Ledger) -> None:
    fill(ledger, 10_000, PRICE, PositionWord(10_000, 0, 0), PositionWord(-10_000, 0, 0))
    before = ledger.margin(TAKER, 0, NOW)
    tell(ledger, "MarginScaleSet", market=1, scale_from=0, scale_to=19)
    after = ledger.margin(TAKER, 0, NOW)
    # 95,000 of 190,000 USDC: half of the way from 5% to 100%
    assert after.im_scaled == 10_000 * PRICE * 525_000 // 10**6 * SCALE
    assert before.im_scaled == 10_000 * PRICE * 50_000 // 10**6 * SCALE
    assert after.mm_scaled == before.mm_scaled


def handed(ledger: Ledger, name: str, size: int, **fields: Any) -> None:
    """The taker gives `size` lots to the maker, who was on the other side."""
    left = position_word(PositionWord(100 - size, -7, 0))
    tell(ledger, name, account=TAKER, subaccount=0, market=1, size=size, price=PRICE, position=left, **fields)
    word = position_word(PositionWord(size - 100, 9, 0))
    tell(ledger, "HandedOver", counterparty=MAKER, subaccount=0, market=1, size=size, price=PRICE, position=word)


@pytest.mark.parametrize(
    ("name", "fields"), [("Deleveraged", {"insurance_fee": 0, "covered": 0}), ("CloseExecuted", {"left": 0})]
)
def test_a_position_is_handed_over(ledger: Ledger, name: str, fields: dict[str, int]) -> None:
    opened(ledger)
    handed(ledger, name, 60, **fields)
    assert ledger.accounts[TAKER, 0].positions[1] == PositionWord(40, -7, 0)
    assert ledger.accounts[MAKER, 0].positions[1] == PositionWord(-40, 9, 0)
    assert ledger.markets_state[1].open_interest == 40


def test_a_market_is_wound_up(ledger: Ledger) -> None:
    """Its price is fixed, whatever the oracle says later, and funding ends; positions close one by one."""
    opened(ledger)
    ended = {"g_long": 5, "g_short": 5, "rate": 0, "index_price": PRICE - 50, "at": NOW}
    tell(ledger, "PricePushed", market=1, price=PRICE - 50, published_at=NOW + 1)
    tell(ledger, "FundingAccrued", market=1, **ended)
    terms = {"imf": 50_000, "mmf": 30_000, "band": 1_000, "tick": 100, "max_open_interest": 1}
    tell(ledger, "MarketChanged", market=1, **terms, max_price_age=120, liquidation_floor=5_000, state=5)
    tell(ledger, "SettlementFixed", market=1, price=PRICE - 50, everyone_from=NOW + 86_400)
    tell(ledger, "PricePushed", market=1, price=PRICE * 2, published_at=NOW + 90_000)
    assert ledger.is_fresh(1, NOW + 10**7)
    assert ledger.indices(1, NOW + 10**7) == (5, 5)
    assert ledger.markets_state[1].index_price == PRICE - 50
    tell(ledger, "PositionClosed", account=TAKER, subaccount=0, market=1, realised=-3, cash=10**9 - 3)
    tell(ledger, "PositionSettled", account=TAKER, subaccount=0, market=1, size=100, covered=0)
    assert ledger.accounts[TAKER, 0] == Account(10**9 - 3, {1: PositionWord(0, 0, NOW * 1000)})
    assert ledger.markets_state[1].open_interest == 0


def test_the_backstop_pays_from_its_account(ledger: Ledger) -> None:
    backstop = addresses.checksum(b"\x09" * 20)
    tell(ledger, "BackstopSet", backstop=backstop)
    tell(ledger, "Credited", account=backstop, subaccount=0, amount=500, cash=500)
    tell(ledger, "BackstopChanged", delta=-200, cash=300)
    assert ledger.accounts[backstop, 0].cash == 300
    tell(ledger, "DebtCovered", account=TAKER, subaccount=0, amount=5, cash=0)
    assert ledger.accounts[TAKER, 0].cash == 0


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
    assert ledger.margin(TAKER, 0, NOW) == Margin((10**9 + realised) * SCALE, 0, 0)
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
    settle(ledger, 9)
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
    assert ledger.markets_state[2] == MarketLedger(hour=HOUR)


def test_a_deployment_market_is_not_forgotten_when_its_listing_is_read(ledger: Ledger) -> None:
    tell(ledger, "MarketListed", market=1, ticker="BTC-USD", size_decimals=4, price_decimals=2, tick=100)
    assert ledger.markets[1] == BTC
    assert ledger.markets_state[1].index_price == PRICE


def test_what_moves_no_money_changes_nothing(ledger: Ledger) -> None:
    before = ledger.copy()
    tell(ledger, "SlotCancelled", signer=TAKER, slot=1, stamp=2, effective_at=3)
    tell(ledger, "FillRejected", fill_id=1, order_id=bytes(32), fault_class=3, reason="stale price")
    for table in ("accounts", "markets", "markets_state", "insurance", "fees", "referrals", "backstop"):
        assert getattr(ledger, table) == getattr(before, table)


def test_a_copy_goes_its_own_way(ledger: Ledger) -> None:
    copy = ledger.copy()
    opened(copy)
    tell(copy, "PricePushed", market=1, price=1, published_at=2)
    assert ledger.accounts[TAKER, 0] == Account(10**9)
    assert ledger.markets_state[1] == MarketLedger(hour=HOUR, index_price=PRICE, published_at=NOW)
    assert (ledger.fees, copy.fees) == (0, 332_500)
