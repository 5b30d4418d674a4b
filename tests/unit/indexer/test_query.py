# SPDX-License-Identifier: AGPL-3.0-only
"""`/v4/query/trades`: every page once and in order, sums that equal the rows, files that agree, strict errors."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine

from indexer.store.chain_store import ChainStore
from indexer.store.engine import open_engine
from tests.support.databases import Databases
from tests.unit.indexer.chain import LONG_SIDE
from tests.unit.indexer.front import Front
from tests.unit.indexer.market import played
from tests.unit.indexer.querying import pages, walks_an_index

PATH = "/v4/query/trades"


@pytest.fixture(scope="module")
def engine(databases: Databases) -> Iterator[Engine]:
    opened = open_engine(databases.new(), writes=True)
    ChainStore(opened, "31337:0xaa", 1).open()
    played(opened, seed=9, steps=80)
    yield opened
    opened.dispose()


@pytest.fixture(scope="module")
def front(engine: Engine) -> Front:
    return Front(engine)


@pytest.fixture(scope="module")
def everything(front: Front) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = front.get(PATH)["trades"]
    assert len(found) > 40
    return found


@pytest.mark.parametrize("sort", ["time", "price", "size"])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_are_whole_and_in_order(front: Front, everything: list[dict[str, Any]], sort: str, order: str) -> None:
    found = pages(front, PATH, market="BTC-USD", sort=sort, order=order)
    assert sorted(row["id"] for row in found) == sorted(row["id"] for row in everything)
    key = {"time": "createdAtHeight", "price": "price", "size": "size"}[sort]
    values = [Decimal(row[key]) for row in found]
    assert values == sorted(values, reverse=order == "desc")


def test_sides_of_an_account(front: Front, everything: list[dict[str, Any]]) -> None:
    found = pages(front, PATH, address=LONG_SIDE.lower())
    assert [row["id"] for row in found] == [row["id"] for row in everything]
    assert {row["liquidity"] for row in found} == {"TAKER"}
    assert pages(front, PATH, address=LONG_SIDE, liquidity="maker") == []


def test_filters_mean_what_they_say(front: Front, everything: list[dict[str, Any]]) -> None:
    heights = sorted(int(row["createdAtHeight"]) for row in everything)
    low, high = heights[10], heights[-10]
    middle = sorted(Decimal(row["price"]) for row in everything)[20]
    at = everything[15]["createdAt"]
    for query, keep in (
        ({"side": "BUY"}, lambda row: row["side"] == "BUY"),
        ({"type": "LIQUIDATED"}, lambda row: row["type"] == "LIQUIDATED"),
        (
            {"createdOnOrAfterHeight": low, "createdBeforeOrAtHeight": high},
            lambda row: low <= int(row["createdAtHeight"]) <= high,
        ),
        ({"createdOnOrAfter": at}, lambda row: row["createdAt"] >= at),
        ({"createdBeforeOrAt": at}, lambda row: row["createdAt"] <= at),
        ({"market": "btc-usd", "priceMin": str(middle)}, lambda row: Decimal(row["price"]) >= middle),
        ({"market": "BTC-USD", "sizeMax": "0.1"}, lambda row: Decimal(row["size"]) <= Decimal("0.1")),
    ):
        expected = [row["id"] for row in everything if keep(row)]
        assert [row["id"] for row in pages(front, PATH, **query)] == expected, query
        if "type" not in query:
            assert expected, query


def test_sums_equal_the_rows(front: Front, everything: list[dict[str, Any]]) -> None:
    [whole] = front.get(PATH, aggregate="market")["sums"]
    assert whole["market"] == "BTC-USD"
    assert whole["trades"] == len(everything)
    assert Decimal(whole["notional"]) == sum(Decimal(row["notional"]) for row in everything)
    assert Decimal(whole["size"]) == sum(Decimal(row["size"]) for row in everything)
    for aggregate in ("side", "day", "hour", "address"):
        parts = front.get(PATH, aggregate=aggregate)["sums"]
        count = 2 if aggregate == "address" else 1
        assert sum(part["trades"] for part in parts) == count * len(everything)
        assert sum(Decimal(part["notional"]) for part in parts) == count * Decimal(whole["notional"])
    [day, *_] = front.get(PATH, aggregate="day")["sums"]
    assert day["day"].endswith("T00:00:00.000Z")


def test_files_say_what_the_json_says(front: Front, everything: list[dict[str, Any]]) -> None:
    answer = front.answer(PATH, {"format": "csv", "limit": 5})
    assert answer.headers["content-type"].startswith("text/csv")
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert lines == [dict(row) for row in everything[:5]]
    rest = front.answer(PATH, {"format": "csv", "cursor": answer.headers["Ouro-Cursor"]})
    assert [line["id"] for line in csv.DictReader(io.StringIO(rest.text))] == [row["id"] for row in everything[5:]]
    assert "Ouro-Cursor" not in rest.headers

    answer = front.answer(PATH, {"format": "parquet", "address": LONG_SIDE})
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    table = pq.read_table(io.BytesIO(answer.content)).to_pylist()
    assert [row["id"] for row in table] == [row["id"] for row in everything]
    assert [row["price"] for row in table] == [Decimal(row["price"]) for row in everything]
    assert {row["address"] for row in table} == {LONG_SIDE}
    empty = front.answer(PATH, {"format": "parquet", "type": "SETTLED", "aggregate": "day"})
    assert pq.read_table(io.BytesIO(empty.content)).to_pylist() == []


@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        ({"marker": "BTC-USD"}, "bad_parameter", "marker"),
        ({"sort": "age"}, "bad_parameter", "sort"),
        ({"sort": "price"}, "bad_parameter", "sort"),
        ({"order": "up"}, "bad_parameter", "order"),
        ({"side": "LONG"}, "bad_parameter", "side"),
        ({"type": "STOP"}, "bad_parameter", "type"),
        ({"liquidity": "TAKER"}, "bad_parameter", "liquidity"),
        ({"address": "dydx1abc"}, "bad_parameter", "address"),
        ({"subaccountNumber": "1"}, "bad_parameter", "subaccountNumber"),
        ({"priceMin": "5"}, "bad_parameter", "priceMin"),
        ({"market": "BTC-USD", "priceMin": "cheap"}, "bad_parameter", "priceMin"),
        ({"market": "BTC-USD", "priceMin": "1e999999"}, "bad_parameter", "priceMin"),
        ({"market": "BTC-USD", "sizeMin": "NaN"}, "bad_parameter", "sizeMin"),
        ({"market": "BTC-USD", "priceMin": "6", "priceMax": "5"}, "bad_parameter", "priceMin"),
        ({"createdOnOrAfter": "soon"}, "bad_parameter", "createdOnOrAfter"),
        ({"createdOnOrAfterHeight": "9", "createdBeforeOrAtHeight": "8"}, "bad_parameter", "createdOnOrAfterHeight"),
        ({"limit": "1001"}, "bad_parameter", "limit"),
        ({"limit": "50001", "format": "csv"}, "bad_parameter", "limit"),
        ({"format": "xlsx"}, "bad_parameter", "format"),
        ({"aggregate": "week"}, "bad_parameter", "aggregate"),
        ({"aggregate": "day", "sort": "time"}, "bad_parameter", "sort"),
        ({"cursor": "!!"}, "bad_cursor", "cursor"),
        ({"cursor": "WyJ0cmFkZXMiXQ"}, "bad_cursor", "cursor"),
    ],
)
def test_nonsense_names_its_parameter(front: Front, query: dict[str, str], code: str, param: str) -> None:
    assert front.refused(PATH, **query) == (code, param)


def test_a_cursor_belongs_to_its_order(front: Front) -> None:
    cursor = front.get(PATH, limit=3)["cursor"]
    assert front.refused(PATH, cursor=cursor, order="asc") == ("bad_cursor", "cursor")
    assert front.refused(PATH, cursor=cursor, address=LONG_SIDE) == ("bad_cursor", "cursor")
    assert front.refused(PATH, 404, market="DOGE-USD")[0] == "unknown_market"


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"market": "BTC-USD"},
        {"market": "BTC-USD", "sort": "price"},
        {"market": "BTC-USD", "sort": "size", "order": "asc"},
        {"address": LONG_SIDE},
        {"market": "BTC-USD", "createdBeforeOrAt": "1970-02-01T00:00:00Z"},
    ],
)
def test_no_order_is_made_by_sorting(engine: Engine, front: Front, query: dict[str, str]) -> None:
    """Of each order the database walks an index, also after a cursor."""
    walks_an_index(engine, front, PATH, query, "trades", "fills")
