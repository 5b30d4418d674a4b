# SPDX-License-Identifier: AGPL-3.0-only
"""History and venue routes over a played database, asked as real clients ask."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, select

from indexer.store import schema
from indexer.store.chain_store import ChainStore
from indexer.store.engine import open_engine
from indexer.store.query import rows
from ouro import events
from tests.support.databases import Databases
from tests.unit.indexer.chain import LONG_SIDE, SHORT_SIDE
from tests.unit.indexer.front import Front
from tests.unit.indexer.market import HOUR, Market, played

KEY = "0x" + "5" * 40


@pytest.fixture(scope="module")
def market(databases: Databases) -> Iterator[tuple[Engine, Market]]:
    engine = open_engine(databases.new(), writes=True)
    ChainStore(engine, "31337:0xaa", 1).open()
    history = played(engine, seed=5, steps=70)
    blocks = history.blocks
    blocks.add(
        events.SessionKeyRegistered,
        account=LONG_SIDE,
        key=KEY,
        markets=[1],
        budget=5_000_000,
        expiry=blocks.time_s + 1_000,
        nonce=1,
    )
    blocks.add(events.ReferrerRegistered, number=7, account=SHORT_SIDE, subaccount=3)
    blocks.add(
        events.CloseRequested,
        account=LONG_SIDE,
        subaccount=0,
        market=1,
        size=-40,
        ready_at=blocks.time_s + 6 * HOUR,
    )
    blocks.add(events.Withdrawn, account=LONG_SIDE, subaccount=0, amount=250_000, to=KEY, id_or_nonce=1, instant=True)
    history.apply(10)
    yield engine, history
    engine.dispose()


@pytest.fixture(scope="module")
def front(market: tuple[Engine, Market]) -> Front:
    return Front(market[0])


def test_payments_of_a_position_are_its_net_funding(front: Front) -> None:
    paid: dict[str, Decimal] = {}
    for row in front.get("/v4/fundingPayments", address=LONG_SIDE)["fundingPayments"]:
        assert row["ticker"] == "BTC-USD"
        assert (row["side"] == "LONG") == (Decimal(row["size"]) > 0)
        paid[row["positionId"]] = paid.get(row["positionId"], Decimal(0)) + Decimal(row["payment"])
    closed = front.get("/v4/perpetualPositions", address=LONG_SIDE, status="CLOSED")["positions"]
    assert len(closed) > 4
    for position in closed:
        assert Decimal(position["netFunding"]) == paid.get(position["positionId"], 0)


def test_payments_since_a_time_by_page_and_market(front: Front) -> None:
    everything = front.get("/v4/fundingPayments", address=LONG_SIDE)["fundingPayments"]
    at = everything[4]["createdAt"]
    since = front.answer("/v4/fundingPayments", f"address={LONG_SIDE}&afterOrAt={at.replace('Z', '+00:00')}")
    expected = [row for row in everything if row["createdAt"] >= at]
    assert since.json()["fundingPayments"] == expected
    page = front.get("/v4/fundingPayments", address=LONG_SIDE, page=2, limit=3, ticker="btc-usd")
    assert page["fundingPayments"] == everything[3:6]
    assert (page["pageSize"], page["totalResults"], page["offset"]) == (3, len(everything), 3)
    children = front.get("/v4/fundingPayments/parentSubaccount", address=LONG_SIDE, parentSubaccountNumber=0)
    assert children["fundingPayments"] == everything
    assert front.get("/v4/fundingPayments", address=LONG_SIDE, subaccountNumber=5) == {"fundingPayments": []}


@pytest.mark.parametrize("name", ["createdOnOrAfter", "effectiveAtOrAfter"])
def test_profit_by_the_hour_in_both_spellings(front: Front, name: str) -> None:
    ticks = front.get("/v4/historical-pnl", address=LONG_SIDE)["historicalPnl"]
    assert len(ticks) > 20
    assert set(ticks[0]) == {"equity", "totalPnl", "netTransfers", "createdAt", "blockHeight", "blockTime"}
    transferred = sum(Decimal(tick["netTransfers"]) for tick in ticks)
    assert Decimal(ticks[0]["totalPnl"]) == Decimal(ticks[0]["equity"]) - transferred
    at = ticks[6]["createdAt"]
    assert front.get("/v4/historical-pnl", address=LONG_SIDE, **{name: at})["historicalPnl"] == ticks[:7]
    until = front.get("/v4/historical-pnl", address=LONG_SIDE, limit=2, effectiveBeforeOrAt=at)
    assert until["historicalPnl"] == ticks[6:8]
    page = front.get("/v4/historical-pnl", address=LONG_SIDE, limit=5, page=2)
    assert page["historicalPnl"] == ticks[5:10]
    assert page["totalResults"] == len(ticks)
    parent = front.get("/v4/historical-pnl/parentSubaccountNumber", address=LONG_SIDE, parentSubaccountNumber=0)
    assert parent["historicalPnl"] == ticks


def test_newer_profit_route_and_its_days(front: Front) -> None:
    hours = front.get("/v4/pnl", address=LONG_SIDE)["pnl"]
    days = front.get("/v4/pnl", address=LONG_SIDE, daily="True")["pnl"]
    assert set(hours[0]) == {"equity", "netTransfers", "totalPnl", "createdAt", "createdAtHeight"}
    assert 1 < len(days) < len(hours)
    assert days[0] == {**hours[0], "netTransfers": days[0]["netTransfers"]}
    for name in ("netTransfers",):
        assert sum(Decimal(day[name]) for day in days) == sum(Decimal(hour[name]) for hour in hours)
    assert front.refused("/v4/pnl", address=LONG_SIDE, daily="sometimes") == ("bad_parameter", "daily")


def test_trades_as_decisions(front: Front, market: tuple[Engine, Market]) -> None:
    found = front.get("/v4/tradeHistory", address=LONG_SIDE, market="BTC-USD")["tradeHistory"]
    assert {"OPEN", "EXTEND", "PARTIAL_CLOSE", "CLOSE"} <= {row["action"] for row in found}
    size = Decimal(0)
    for row in reversed(found):
        assert Decimal(row["prevSize"]) == abs(size)
        size += Decimal(row["additionalSize"]) * (1 if row["side"] == "BUY" else -1)
        if row["action"] == "CLOSE":
            assert size == 0
        assert Decimal(row["value"]) == Decimal(row["additionalSize"]) * Decimal(row["executionPrice"])
    with market[0].begin() as connection:
        fills = rows(connection, select(schema.fills).where(schema.fills.c.owner == LONG_SIDE))
    assert sum(Decimal(row["netFee"]) for row in found) == sum(Decimal(row["fee"]) for row in fills) / 10**6
    made = sum(Decimal(row["netRealizedPnl"]) + Decimal(row["netFee"]) for row in found if "CLOSE" in row["action"])
    assert made == sum(Decimal(row["realised"]) for row in fills) / 10**6


def test_moves_between_two_parties(front: Front) -> None:
    deposits = front.get(
        "/v4/transfers/between",
        sourceAddress=LONG_SIDE,
        sourceSubaccountNumber=0,
        recipientAddress=LONG_SIDE,
        recipientSubaccountNumber=0,
    )
    assert {row["type"] for row in deposits["transfersSubset"]} == {"DEPOSIT"}
    total = sum(Decimal(row["size"]) for row in deposits["transfersSubset"])
    assert Decimal(deposits["totalNetTransfers"]) == total
    out = front.get("/v4/transfers/between", sourceAddress=LONG_SIDE, recipientAddress=KEY)
    assert [row["type"] for row in out["transfersSubset"]] == ["WITHDRAWAL"]
    assert out["totalNetTransfers"] == "0.25"
    back = front.get("/v4/transfers/between", sourceAddress=KEY, recipientAddress=LONG_SIDE)
    assert back["totalNetTransfers"] == "-0.25"
    assert front.refused("/v4/transfers/between", sourceAddress=KEY) == ("bad_parameter", "recipientAddress")


def test_what_else_the_tables_hold(front: Front) -> None:
    [key] = front.get("/v4/sessionKeys", address=LONG_SIDE)["sessionKeys"]
    assert (key["key"], key["markets"], key["budget"], key["status"]) == (KEY, ["BTC-USD"], "5", "ACTIVE")
    [referrer] = front.get("/v4/referrers", number=7)["referrers"]
    assert referrer == {"number": "7", "address": SHORT_SIDE, "subaccountNumber": 3, "claimable": "0"}
    assert front.get("/v4/referrers", address=LONG_SIDE) == {"referrers": []}
    [request] = front.get("/v4/closeRequests", address=LONG_SIDE)["closeRequests"]
    assert (request["side"], request["size"], request["remainingSize"]) == ("BUY", "0.004", "0.004")
    assert front.get("/v4/marketEndings") == {"marketEndings": []}
    assert front.get("/v4/liquidations", market="BTC-USD") == {"liquidations": []}
    assert front.refused("/v4/liquidations", 404, market="NO-USD")[0] == "unknown_market"


def test_long_answers_are_packed_for_who_can_unpack(front: Front) -> None:
    packed = front.answer("/v4/query/trades", "limit=100", {"Accept-Encoding": "gzip"})
    plain = front.answer("/v4/query/trades", "limit=100", {"Accept-Encoding": "identity"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) < int(plain.headers["Content-Length"]) / 3
    assert "Accept-Encoding" in packed.headers["Vary"]
    assert "Content-Encoding" not in plain.headers
    assert packed.json() == plain.json()
    assert "Content-Encoding" not in front.answer("/v4/time", headers={"Accept-Encoding": "gzip"}).headers


def test_screening_lets_everybody_in(front: Front) -> None:
    assert front.get("/v4/screen", address=LONG_SIDE) == {"restricted": False}
    assert front.get(f"/v4/compliance/screen/{LONG_SIDE}")["status"] == "COMPLIANT"
    assert front.refused("/v4/screen") == ("bad_parameter", "address")


def test_the_whole_exchange(front: Front) -> None:
    stats = front.get("/v4/stats")
    [sums] = front.get("/v4/query/trades", aggregate="market")["sums"]
    assert (stats["markets"], stats["accounts"]) == (1, 2)
    assert (stats["trades"], stats["volume"]) == (sums["trades"], sums["notional"])


def test_ranks_by_volume_and_profit(front: Front) -> None:
    [sums] = front.get("/v4/query/trades", aggregate="market")["sums"]
    ranks = front.get("/v4/leaderboard", by="volume", window="all")["leaderboard"]
    assert [(row["rank"], row["volume"]) for row in ranks] == [(1, sums["notional"]), (2, sums["notional"])]
    best, worst = front.get("/v4/leaderboard", by="pnl", window="ALL")["leaderboard"]
    assert Decimal(best["pnl"]) >= Decimal(worst["pnl"])
    for row in (best, worst):
        newest = front.get("/v4/pnl", address=row["address"], limit=1)["pnl"][0]
        assert row["pnl"] == newest["totalPnl"]
    day: list[dict[str, Any]] = front.get("/v4/leaderboard", by="pnl", window="day")["leaderboard"]
    for row in day:
        days = front.get("/v4/pnl", address=row["address"], daily="1")["pnl"]
        assert Decimal(row["pnl"]) == Decimal(days[0]["totalPnl"]) - Decimal(days[1]["totalPnl"])
    assert front.refused("/v4/leaderboard", by="luck") == ("bad_parameter", "by")
    assert front.refused("/v4/leaderboard", window="year") == ("bad_parameter", "window")


def test_nothing_has_an_exponent(front: Front) -> None:
    for path in ("/v4/fundingPayments", "/v4/pnl", "/v4/tradeHistory"):
        text = front.answer(path, {"address": LONG_SIDE}).text
        for row in next(value for value in front.get(path, address=LONG_SIDE).values() if isinstance(value, list)):
            for value in row.values():
                if isinstance(value, str) and not value.startswith("0x"):
                    assert "E" not in value or not value[0].isdigit(), (value, text[:80])


def test_parameters_that_real_clients_send(front: Front) -> None:
    by_market = front.get("/v4/fills", address=LONG_SIDE, market="BTC-USD")
    assert by_market["fills"]
    query = f"address={LONG_SIDE.lower()}&subaccountNumber=0&ticker=BTC-USD&tickerType=PERPETUAL&unheardOf=1"
    assert front.answer("/v4/fills", query).json()["fills"] == by_market["fills"]
    assert front.answer("/v4/orders", f"address={LONG_SIDE}&returnLatestOrders=True").json() == []
    path = "/v4/candles/perpetualMarkets/BTC-USD"
    candles = front.get(path, resolution="1HOUR")["candles"]
    at = candles[5]["startedAt"]
    for name in ("fromISO", "fromIso"):
        assert (
            front.answer(path, f"resolution=1HOUR&{name}={at.replace('Z', '+00:00')}").json()["candles"] == candles[:6]
        )


def test_sizes_of_positions_are_signed(front: Front) -> None:
    sides = set()
    for owner in (LONG_SIDE, SHORT_SIDE):
        for position in front.get("/v4/perpetualPositions", address=owner, status="OPEN")["positions"]:
            assert (Decimal(position["size"]) > 0) == (position["side"] == "LONG")
            sides.add(position["side"])
    assert sides == {"LONG", "SHORT"}


def test_errors_have_a_code_that_is_text(front: Front) -> None:
    assert front.refused("/v4/nothing", 404)[0] == "not_found"
    assert front.refused("/v4/pnl") == ("bad_parameter", "address")
    assert front.refused("/v4/fundingPayments", address=LONG_SIDE, afterOrAt="soon") == ("bad_parameter", "afterOrAt")
    assert front.refused("/v4/tradeHistory", 404, address=LONG_SIDE, market="NO-USD") == ("unknown_market", "ticker")


def test_exponents_agree_with_tick_and_step(front: Front) -> None:
    market = front.get("/v4/perpetualMarkets", ticker="BTC-USD")["markets"]["BTC-USD"]
    resolution, conversion = market["atomicResolution"], market["quantumConversionExponent"]
    assert Decimal(market["stepSize"]) == Decimal(market["stepBaseQuantums"]).scaleb(resolution)
    assert Decimal(market["tickSize"]) == Decimal(market["subticksPerTick"]).scaleb(conversion - 6 - resolution)
