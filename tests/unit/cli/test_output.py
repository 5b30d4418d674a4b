# SPDX-License-Identifier: AGPL-3.0-only
"""What is printed: JSON from the records, tables for people."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from ouro.cli.output import View, short, show, text
from ouro.client.models import Book, Level, PerpetualMarket, PlacedOrder

MARKET = PerpetualMarket(ticker="BTC-USD", status="ACTIVE", tick_size=Decimal(1), step_size=Decimal("1E-4"))


def test_json_has_the_wires_names_and_plain_decimals(capsys):
    show(View([MARKET]), as_json=True)
    [market] = json.loads(capsys.readouterr().out)
    assert market["stepSize"] == "0.0001"
    assert market["volume24H"] is None


def test_json_of_a_book(capsys):
    book = Book((Level(Decimal("9.50"), Decimal(1)),), ())
    show(View({"bids": book.bids, "asks": book.asks}), as_json=True)
    assert json.loads(capsys.readouterr().out) == {"bids": [{"price": "9.50", "size": "1"}], "asks": []}


def test_table(capsys):
    show(View([], columns=("market", "size"), rows=[("BTC-USD", Decimal("0.10"))]), as_json=False)
    out = capsys.readouterr().out
    assert "market" in out
    assert "0.10" in out


def test_empty_table_says_so(capsys):
    show(View([], columns=("market",), empty="No positions."), as_json=False)
    assert capsys.readouterr().out == "No positions.\n"


def test_pairs_and_note(capsys):
    placed = PlacedOrder(id="0x1", status="OPEN", seq=3)
    show(View(placed, pairs={"id": placed.id, "status": placed.status}, note="Done."), as_json=False)
    assert capsys.readouterr().out == "id      0x1\nstatus  OPEN\nDone.\n"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        ("", "-"),
        (Decimal("1E+3"), "1000"),
        (True, "yes"),
        (datetime(2023, 3, 1, 12, tzinfo=UTC), "2023-03-01 12:00:00"),
        (0, "0"),
    ],
)
def test_text(value, shown):
    assert text(value) == shown


def test_short_ids():
    assert short("0x" + "ab" * 32) == "0xabababab…abab"
    assert short("12") == "12"
