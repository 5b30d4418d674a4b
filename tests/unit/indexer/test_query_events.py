# SPDX-License-Identifier: AGPL-3.0-only
"""`/v4/query/events`: every filter, page by page once and in order, files that agree, strict errors, no slow way."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine, select

from indexer.migrations.versions.v0008_event_accounts import _accounts
from indexer.query import exports
from indexer.store.chain_store import ChainStore, Limits
from indexer.store.engine import open_engine
from indexer.store.query import rows
from indexer.store.schema import contract_events, event_accounts
from ouro import events
from tests.support.databases import Databases
from tests.unit.indexer.chain import EXCHANGE, LONG_SIDE, SHORT_SIDE, Blocks
from tests.unit.indexer.front import Front
from tests.unit.indexer.querying import pages, walks_an_index

PATH = "/v4/query/events"
NOBODY = "0x" + "0" * 40
KEY = "0x" + "5" * 40


@pytest.fixture(scope="module")
def engine(databases: Databases) -> Iterator[Engine]:
    opened = open_engine(databases.new(), writes=True)
    store = ChainStore(opened, "31337:0xaa", 1)
    store.open()
    blocks = Blocks()
    for number in range(40):
        blocks.add(events.Approval, owner=LONG_SIDE, spender=SHORT_SIDE, value=number)
        blocks.add(events.Transfer, sender=NOBODY, receiver=LONG_SIDE if number % 4 else KEY, value=2**200 + number)
        if number % 10 == 0:
            blocks.add(events.OperatorSet, operator=SHORT_SIDE, allowed=bool(number))
            source = events.PriceSource(KEY, bytes([7]) * 32, 60)
            blocks.add(events.SourcesSet, market=1, size_decimals=4, quorum=1, max_deviation=1_000, sources=(source,))
        blocks.transaction += 1
        store.apply(blocks.done(), Limits(20, 0))
    yield opened
    opened.dispose()


@pytest.fixture(scope="module")
def front(engine: Engine) -> Front:
    return Front(engine, SimpleNamespace(addresses={"exchange": EXCHANGE, "vault": KEY}))


@pytest.fixture(scope="module")
def everything(front: Front) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = front.get(PATH)["events"]
    assert len(found) == 88
    return found


def test_rows_say_what_was_logged(everything: list[dict[str, Any]]) -> None:
    newest = everything[0]
    assert newest == {
        "id": "40-1",
        "contract": "exchange",
        "address": EXCHANGE,
        "name": "Transfer",
        "arguments": {"sender": NOBODY, "receiver": LONG_SIDE, "value": str(2**200 + 39)},
        "createdAt": "1970-01-01T02:06:30.000Z",
        "createdAtHeight": "40",
        "transactionHash": newest["transactionHash"],
        "status": "confirmed",
    }
    assert everything[-1]["status"] == "final"


def test_pages_are_whole_and_in_order(front: Front, everything: list[dict[str, Any]]) -> None:
    assert pages(front, PATH) == everything
    assert pages(front, PATH, order="asc") == everything[::-1]


def test_filters_mean_what_they_say(front: Front, everything: list[dict[str, Any]]) -> None:
    one = everything[30]
    for query, keep in (
        ({"name": "operatorset"}, lambda row: row["name"] == "OperatorSet"),
        ({"name": "OperatorSet,Transfer"}, lambda row: row["name"] in ("OperatorSet", "Transfer")),
        ({"account": SHORT_SIDE}, lambda row: SHORT_SIDE in row["arguments"].values()),
        ({"account": KEY, "name": "SourcesSet"}, lambda row: row["name"] == "SourcesSet"),
        ({"contract": "EXCHANGE"}, lambda row: row["contract"] == "exchange"),
        ({"contract": f"vault,{KEY}"}, lambda row: row["address"] == KEY),
        ({"account": NOBODY}, lambda row: row["address"] == KEY),
        ({"transaction": one["transactionHash"]}, lambda row: row["transactionHash"] == one["transactionHash"]),
        (
            {"createdOnOrAfterHeight": 5, "createdBeforeOrAtHeight": 30, "account": LONG_SIDE},
            lambda row: 5 <= int(row["createdAtHeight"]) <= 30 and LONG_SIDE in row["arguments"].values(),
        ),
        ({"createdOnOrAfter": one["createdAt"]}, lambda row: row["createdAt"] >= one["createdAt"]),
        ({"createdBeforeOrAt": one["createdAt"]}, lambda row: row["createdAt"] <= one["createdAt"]),
    ):
        assert pages(front, PATH, **query) == [row for row in everything if keep(row)], query


def test_files_say_what_the_json_says(front: Front, everything: list[dict[str, Any]]) -> None:
    answer = front.answer(PATH, {"format": "csv", "limit": 5})
    assert answer.headers["content-disposition"] == 'attachment; filename="events.csv"'
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert [{**line, "arguments": json.loads(line["arguments"])} for line in lines] == everything[:5]
    rest = front.answer(PATH, {"format": "csv", "cursor": answer.headers["Ouro-Cursor"]})
    assert [line["id"] for line in csv.DictReader(io.StringIO(rest.text))] == [row["id"] for row in everything[5:]]
    answer = front.answer(PATH, {"format": "parquet", "name": "OperatorSet"})
    table = pq.read_table(io.BytesIO(answer.content)).to_pylist()
    assert [json.loads(row["arguments"])["operator"] for row in table] == [SHORT_SIDE] * 4
    assert [row["createdAtHeight"] for row in table] == [31, 21, 11, 1]


def test_a_file_holds_no_formulas() -> None:
    row = {"a": "=1+1", "b": "-5.2", "c": "@x", "d": {"x": "=1"}, "e": "-1+1", "f": None, "g": "\t=1", "h": 7}
    [_, line] = csv.reader(io.StringIO(exports.as_csv([row], list(row)).decode()))
    assert line == ["'=1+1", "-5.2", "'@x", '{"x":"=1"}', "'-1+1", "", "'\t=1", "7"]


@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        ({"market": "BTC-USD"}, "bad_parameter", "market"),
        ({"name": "Fill"}, "bad_parameter", "name"),
        ({"name": "' OR 1=1 --"}, "bad_parameter", "name"),
        ({"name); DROP TABLE contract_events; --": "x"}, "bad_parameter", "name); DROP TABLE contract_events; --"),
        ({"contract": "bank"}, "bad_parameter", "contract"),
        ({"contract": "0x12"}, "bad_parameter", "contract"),
        ({"contract": ",".join([EXCHANGE] * 101)}, "bad_parameter", "contract"),
        ({"account": "me"}, "bad_parameter", "account"),
        ({"transaction": "0x12"}, "bad_parameter", "transaction"),
        ({"createdOnOrAfterHeight": "9223372036854775808"}, "bad_parameter", "createdOnOrAfterHeight"),
        ({"createdOnOrAfterHeight": "9" * 5_000}, "bad_parameter", "createdOnOrAfterHeight"),
        ({"createdOnOrAfterHeight": "-1"}, "bad_parameter", "createdOnOrAfterHeight"),
        ({"createdOnOrAfter": "soon"}, "bad_parameter", "createdOnOrAfter"),
        ({"order": "up"}, "bad_parameter", "order"),
        ({"limit": "1001"}, "bad_parameter", "limit"),
        ({"format": "xml"}, "bad_parameter", "format"),
        ({"cursor": "!!"}, "bad_cursor", "cursor"),
        ({"cursor": "A" * 20_000}, "bad_cursor", "cursor"),
        ({"cursor": "W1tbW1tbW1tb"}, "bad_cursor", "cursor"),
    ],
)
def test_nonsense_names_its_parameter(front: Front, query: dict[str, str], code: str, param: str) -> None:
    assert front.refused(PATH, **query) == (code, param)


def test_a_cursor_belongs_to_its_order(front: Front) -> None:
    cursor = front.get(PATH, limit=3)["cursor"]
    assert front.refused(PATH, cursor=cursor, order="asc") == ("bad_cursor", "cursor")
    assert front.refused("/v4/query/trades", cursor=cursor) == ("bad_cursor", "cursor")


def test_ends_of_ranges_may_be_the_last_numbers_there_are(front: Front, everything: list[dict[str, Any]]) -> None:
    assert (
        front.get(PATH, createdBeforeOrAtHeight=2**63 - 1, createdBeforeOrAt="9999-12-31T23:59:59Z")["events"]
        == everything
    )
    assert front.get(PATH, createdOnOrAfterHeight=2**63 - 1)["events"] == []


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"name": "Transfer"},
        {"account": LONG_SIDE},
        {"contract": "exchange"},
        {"account": KEY, "name": "SourcesSet"},
    ],
)
def test_no_order_is_made_by_sorting(engine: Engine, front: Front, query: dict[str, str]) -> None:
    """Of each filter the database walks an index, also after a cursor."""
    walks_an_index(engine, front, PATH, query, "contract_events")


def test_the_migration_finds_the_same_accounts(engine: Engine) -> None:
    with engine.begin() as connection:
        written = [tuple(row.values()) for row in rows(connection, select(event_accounts))]
        noted = rows(connection, select(contract_events))
    found = {
        (row["block_number"], row["log_index"], account)
        for row in noted
        for account in _accounts(json.loads(row["arguments"]))
    }
    assert sorted(written) == sorted(found)
    assert len(written) > 100


def test_routes_describe_their_parameters(front: Front) -> None:
    paths = front.get("/openapi.json")["paths"]
    for path, name in ((PATH, "transaction"), ("/v4/query/trades", "liquidity")):
        assert name in {parameter["name"] for parameter in paths[path]["get"]["parameters"]}
