# SPDX-License-Identifier: AGPL-3.0-only
"""The bots that close what no order closes, and the one that pushes prices, on the real contracts."""

import json
from pathlib import Path
from typing import Any

import pytest

from keeper.closes import RequestedCloses
from keeper.counterparties import Counterparties
from keeper.deleverager import Deleverager
from keeper.endings import EndedMarkets
from keeper.outcome import Outcome, Result
from keeper.ports import ChainError
from keeper.pusher import OraclePusher, PushSettings, UrlSource
from keeper.silence import SilentExchange
from ouro.markets import MarketState
from tests.integration.keeper.conftest import (
    BTC,
    ETH,
    LIQUIDATOR,
    LONG,
    LOTS,
    PRICE,
    RIVAL,
    SHORT,
    STRANGER,
    THIN_MARGIN,
    Venue,
)
from tests.support.wire import PRICE_TYPE, PositionWord, sign

HOUR = 3_600
RUINED = PRICE * 90 // 100
"""A tenth down: the long lacks 100 USDC, of which a loss step pays 40.5."""


def lots(venue: Venue, owner: str) -> int:
    return PositionWord.unpack(venue.system.exchange.call.position(owner, 0, BTC)).size


def told(outcomes: list[Outcome]) -> list[tuple[Result, str]]:
    return [(outcome.result, outcome.reason) for outcome in outcomes]


def deleverager(venue: Venue, **options: Any) -> Deleverager:
    tools = venue.tools(**options)
    return Deleverager(tools.surveyor, tools.executor, tools.clock)


def test_nobody_is_deleveraged_while_others_can_pay(venue: Venue) -> None:
    venue.push(PRICE * 92 // 100)
    bot = deleverager(venue)
    assert len(bot.targets(bot.surveyor.survey())) == 1
    assert bot.round() == []
    assert lots(venue, LONG.address) == LOTS


def test_where_the_loss_step_is_exhausted_the_opposite_side_takes_the_rest(venue: Venue) -> None:
    venue.push(RUINED)
    assert [outcome.reason for outcome in venue.keeper().round()] == ["loss step exhausted"]
    [outcome] = deleverager(venue).round()
    assert (outcome.result, outcome.attempt.lots) == (Result.WON, LOTS)
    assert (lots(venue, LONG.address), lots(venue, SHORT.address)) == (0, 0)
    assert venue.margin(LONG)[0] == 0


def test_who_profits_most_at_the_highest_leverage_comes_first(venue: Venue) -> None:
    """The rival is short at the same price with a fifth of the money: it closes whole, the other what is left."""
    venue.trade(LIQUIDATOR, RIVAL, 1_000, PRICE)
    venue.push(RUINED)
    bot = deleverager(venue)
    [outcome] = [each for each in bot.round() if each.result is Result.WON]
    assert lots(venue, RIVAL.address) == 0
    assert lots(venue, SHORT.address) == -1_000
    assert "against 2 accounts" in outcome.attempt.subject


def test_a_counterparty_without_margin_is_passed_over(venue: Venue) -> None:
    """The stranger profits most, but lost so much in another market that it cannot pay the worse price."""
    venue.system.fund(STRANGER.address, 231_000_000)
    venue.trade(LIQUIDATOR, STRANGER, 1_000, PRICE)
    venue.trade(STRANGER, SHORT, 1_300, PRICE, ETH)
    venue.node.rpc.warp(1)
    venue.system.push({BTC: RUINED, ETH: PRICE * 86 // 100})
    bot = deleverager(venue)
    queue = Counterparties(bot.surveyor, bot.surveyor.survey())
    [target] = bot.targets(bot.surveyor.survey())
    assert queue.choose(target)[0] == ((STRANGER.address, 0), 1_000)
    found = bot.round()
    assert [outcome.result for outcome in found] == [Result.WON], found
    assert (lots(venue, LONG.address), lots(venue, SHORT.address), lots(venue, STRANGER.address)) == (0, 0, -1_000)


def closes(venue: Venue, **options: Any) -> RequestedCloses:
    tools = venue.tools(**options)
    return RequestedCloses(tools.surveyor, tools.executor, tools.clock)


def test_a_requested_close_is_executed_when_due_at_a_price_from_then_on(venue: Venue) -> None:
    venue.system.exchange.send(LONG.address).request_close(0, BTC, 1_000)
    bot = closes(venue)
    assert bot.round() == []
    venue.push(PRICE)
    venue.node.rpc.warp(6 * HOUR)
    assert bot.round() == [], "the price is one from before"
    venue.push(PRICE)
    [outcome] = bot.round()
    assert outcome.result is Result.WON
    assert (lots(venue, LONG.address), lots(venue, SHORT.address)) == (LOTS - 1_000, 1_000 - LOTS)
    assert bot.round() == []
    assert bot.surveyor.watch.closes == {}


def test_the_keeper_serves_itself_first(venue: Venue) -> None:
    """It is short, so it closes half a percent below the index price."""
    venue.trade(RIVAL, LIQUIDATOR, 400, PRICE)
    venue.system.exchange.send(LONG.address).request_close(0, BTC, LOTS)
    venue.node.rpc.warp(6 * HOUR)
    venue.push(PRICE)
    [outcome] = closes(venue).round()
    assert outcome.result is Result.WON
    assert lots(venue, LIQUIDATOR.address) == 0
    assert lots(venue, SHORT.address) == -400


def test_a_request_that_lapsed_is_left_alone(venue: Venue) -> None:
    venue.system.exchange.send(LONG.address).request_close(0, BTC, LOTS)
    venue.node.rpc.warp(7 * HOUR)
    venue.push(PRICE)
    assert closes(venue).round() == []


def endings(venue: Venue, **options: Any) -> EndedMarkets:
    tools = venue.tools(**options)
    return EndedMarkets(tools.surveyor, tools.executor)


def test_a_market_is_brought_to_its_end(venue: Venue) -> None:
    venue.system.exchange.send(venue.system.keys.governance.address).begin_settling(BTC)
    bot = endings(venue)
    assert bot.round() == []
    venue.node.rpc.warp(HOUR)
    assert bot.round() == [], "no price yet"
    venue.push(PRICE * 80 // 100)
    assert told(bot.round()) == [(Result.WON, "")]
    # For a day the insolvent only.
    [insolvent] = bot.round()
    assert (insolvent.result, insolvent.lots) == (Result.WON, LOTS)
    assert (lots(venue, LONG.address), lots(venue, SHORT.address)) == (0, -LOTS)
    assert bot.round() == []
    venue.node.rpc.warp(24 * HOUR)
    [everybody] = bot.round()
    assert (everybody.result, everybody.lots) == (Result.WON, LOTS)
    assert venue.system.exchange.call.open_interest(BTC) == 0
    assert bot.round() == []


def test_a_debt_is_covered_once_the_fund_has_money(venue: Venue) -> None:
    """Nobody came in the day of the insolvent, so the long's loss stays as a debt."""
    venue.system.exchange.send(venue.system.keys.governance.address).begin_settling(BTC)
    venue.node.rpc.warp(HOUR)
    venue.push(PRICE * 50 // 100)
    bot = endings(venue)
    assert told(bot.round()) == [(Result.WON, "")]
    venue.node.rpc.warp(24 * HOUR)
    bot.round()
    bot.surveyor.survey()
    assert bot.surveyor.watch.debtors() == [(LONG.address, 0)]
    assert bot.round() == [], "nothing to pay with"
    venue.system.donate(RIVAL.address, 100_000_000)
    assert told(bot.round()) == [(Result.WON, "")]
    assert venue.system.exchange.call.cash(LONG.address, 0) == THIN_MARGIN - LOTS * PRICE // 2 + 100_000_000


def silence(venue: Venue, account: Any = STRANGER, **options: Any) -> SilentExchange:
    tools = venue.tools(account)
    return SilentExchange(tools.surveyor, tools.executor, tools.clock, **options)


def test_markets_are_ended_after_three_days_of_silence_and_not_before(venue: Venue) -> None:
    """By somebody whom nobody gave leave; then the market goes its way to the end."""
    bot = silence(venue)
    venue.node.rpc.warp(72 * HOUR - 60)
    assert bot.round() == []
    venue.node.rpc.warp(60)
    assert [each.attempt.subject for each in bot.round()] == ["the end of BTC-USD", "the end of ETH-USD"]
    survey = bot.surveyor.survey()
    assert {view.state for view in survey.markets.values()} == {MarketState.SETTLING}
    assert silence(venue).round() == []
    venue.node.rpc.warp(HOUR)
    venue.push(PRICE)
    assert told(endings(venue).round()) == [(Result.WON, "")] * 2


def test_only_the_markets_that_are_named_are_ended_and_only_as_late_as_said(venue: Venue) -> None:
    bot = silence(venue, after_s=100 * HOUR, markets=("ETH-USD",))
    venue.node.rpc.warp(99 * HOUR)
    assert bot.round() == []
    venue.node.rpc.warp(HOUR)
    assert told(bot.round()) == [(Result.WON, "")]
    states = {view.ticker: view.state for view in bot.surveyor.survey().markets.values()}
    assert states == {"BTC-USD": MarketState.ACTIVE, "ETH-USD": MarketState.SETTLING}


def test_a_batch_begins_the_silence_anew(venue: Venue) -> None:
    bot = silence(venue)
    venue.node.rpc.warp(71 * HOUR)
    venue.push(PRICE)
    venue.trade(SHORT, LONG, 1, PRICE)
    venue.node.rpc.warp(2 * HOUR)
    assert bot.round() == []


def signed(venue: Venue, price: int, published_at: int, market: int = BTC) -> dict[str, Any]:
    message = {"market": market, "price": price, "publishedAt": published_at}
    signature = sign(venue.system.keys.price_signer, venue.system.oracle_domain, PRICE_TYPE, message)
    raw = signature.r.to_bytes(32, "big") + (signature.vs & (2**255 - 1)).to_bytes(32, "big")
    return {
        "market": market,
        "price": str(price),
        "publishedAt": published_at,
        "signature": "0x" + (raw + bytes([27 + (signature.vs >> 255)])).hex(),
    }


def pusher(venue: Venue, path: Path, **settings: Any) -> OraclePusher:
    tools = venue.tools()
    return OraclePusher(tools.surveyor, tools.executor, UrlSource(str(path)), PushSettings(**settings))


def test_prices_are_pushed_when_they_moved_or_grow_old(venue: Venue, tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    bot = pusher(venue, path)
    venue.push(PRICE)
    now = venue.node.rpc.now

    def offer(price: int, at: int) -> list[Outcome]:
        path.write_text(json.dumps([signed(venue, price, at)]))
        return bot.round()

    assert offer(PRICE + PRICE // 1_000, now + 1) == [], "a tenth of a percent, and fresh"
    assert told(offer(PRICE + PRICE // 100, now + 1)) == [(Result.WON, "")]
    assert venue.system.oracle.call.price(BTC) == (PRICE + PRICE // 100, now + 1)
    assert offer(PRICE * 2, now - 10) == [], "older than what is there"
    assert offer(PRICE * 2, now + 1_000) == [], "ahead of the chain"
    venue.node.rpc.warp(61)
    assert told(offer(PRICE + PRICE // 100, now + 60)) == [(Result.WON, "")], "half of its life is over"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("nonsense", "gives no prices"),
        ("{}", "holds no array"),
        ('[{"market": 1, "price": "5", "publishedAt": 7, "signature": "0x00"}]', "is no signed price"),
        ("[{}]", "is no signed price"),
    ],
)
def test_a_source_that_says_nonsense_is_named(venue: Venue, tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "prices.json"
    path.write_text(text)
    with pytest.raises(ChainError, match=sentence):
        pusher(venue, path).round()


def test_a_forged_price_is_not_sent(venue: Venue, tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    venue.push(PRICE)
    record = signed(venue, PRICE * 2, venue.node.rpc.now + 1)
    path.write_text(json.dumps([{**record, "price": str(PRICE * 3)}]))
    assert told(pusher(venue, path).round()) == [(Result.SKIPPED, "bad signature")]
