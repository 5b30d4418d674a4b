# SPDX-License-Identifier: AGPL-3.0-only
"""The JSON vectors of the formulas, held against the reference model, which the contracts are held against in turn."""

import json
from fractions import Fraction
from typing import Any

import pytest

from tests.reference import liquidation
from tests.reference.account import Account, Health, Position
from tests.reference.exact import SCALE, down
from tests.reference.exchange import fee
from tests.reference.market import ACTIVE, Funding, Market, Terms
from tests.support.build import ROOT

NOW = 1_764_547_200


def load(name: str) -> Any:
    return json.loads((ROOT / "tests" / "vectors" / f"{name}.json").read_text())


def named(entries: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(entry, id=entry.get("name", str(place))) for place, entry in enumerate(entries)]


def market(number: int, leg: dict[str, Any], floor: int = 0) -> Market:
    """A market whose both indices stand at the leg's g, at a fresh price."""
    terms = Terms(number, f"M{number}", 4, 2, 1, int(leg["imfPpm"]), int(leg["mmfPpm"]), 0, 2**46, 60, floor, ACTIVE)
    g = int(leg["g"])
    return Market(terms, Funding(g, g, 0, NOW, NOW // 3_600, 0, 0), 0, int(leg["indexPrice"]), NOW)


def account(vector: dict[str, Any]) -> tuple[Account, dict[int, Market]]:
    markets = {place: market(place, leg, int(vector.get("floorPpm", 0))) for place, leg in enumerate(vector["legs"])}
    positions = {place: Position(int(leg["size"]), int(leg["q"])) for place, leg in enumerate(vector["legs"])}
    return Account(int(vector["cash"]), positions), markets


def health(vector: dict[str, Any]) -> Health:
    scaled = [int(vector[name]) for name in ("equityScaled", "imScaled", "mmScaled")]
    return Health(Fraction(scaled[0], SCALE), scaled[1] // SCALE, scaled[2] // SCALE, stale=False)


@pytest.mark.parametrize("vector", named(load("fees")))
def test_fees(vector: dict[str, Any]) -> None:
    assert fee(int(vector["notional"]), int(vector["ratePpm"])) == int(vector["fee"])


@pytest.mark.parametrize("vector", named(load("margin")["accounts"]))
def test_margin(vector: dict[str, Any]) -> None:
    holder, markets = account(vector)
    found = holder.health(markets, NOW)
    assert found == health(vector)
    free = max(0, min(holder.cash, down(found.equity - found.initial)))
    assert free == int(vector["withdrawable"])


@pytest.mark.parametrize("vector", named(load("margin")["changes"]))
def test_the_predicate(vector: dict[str, Any]) -> None:
    before, after = health(vector["before"]), health(vector["after"])
    assert after.allows(before) == vector["allowed"]
    assert after.allows(before, only_improvement=True) == vector["improves"]


def funding(state: dict[str, Any]) -> Funding:
    names = ("gLong", "gShort", "rate", "last", "hour", "premiumSum", "volumeSum")
    return Funding(*(int(state[name]) for name in names))


@pytest.mark.parametrize("vector", named(load("funding")["touches"]))
def test_touches(vector: dict[str, Any]) -> None:
    before, after = vector["before"], vector["after"]
    touched = funding(before).at(int(vector["now"]), int(vector["indexPrice"]), int(before["openInterest"]))
    assert touched == funding(after)
    assert before["openInterest"] == after["openInterest"]


@pytest.mark.parametrize("vector", named(load("funding")["rates"]))
def test_rates(vector: dict[str, Any]) -> None:
    """Seen at the first touch of the next hour."""
    state = Funding(0, 0, 0, 0, 0, int(vector["premiumSum"]), int(vector["volumeSum"]))
    assert state.at(3_600, 1, int(vector["openInterest"])).rate == int(vector["rate"])


@pytest.mark.parametrize("vector", named(load("funding")["premiums"]))
def test_premiums(vector: dict[str, Any]) -> None:
    state = Funding(0, 0, 0, 0, 0, 0, 0).with_trade(1, int(vector["price"]), int(vector["indexPrice"]))
    assert state.premium == int(vector["premium"])


@pytest.mark.parametrize("vector", named(load("funding")["accruals"]))
def test_accruals(vector: dict[str, Any]) -> None:
    """Within an hour, and over a whole one, which the next begins without a rate."""
    state = Funding(0, 0, int(vector["rate"]), 0, 0, 0, 0)
    moved = state.at(int(vector["seconds"]), int(vector["price"]), 0)
    assert moved.g_long == moved.g_short == int(vector["accrued"])


@pytest.mark.parametrize("vector", named(load("liquidation")))
def test_liquidations(vector: dict[str, Any]) -> None:
    """Of the first leg."""
    holder, markets = account(vector)
    found = holder.health(markets, NOW)
    assert found == health(vector)
    size = holder.position(0).size
    terms = liquidation.terms(found, markets[0], size)
    assert (terms.concession, terms.insurance, terms.max_size) == (
        int(vector["perLot"]),
        int(vector["insurancePerLot"]),
        int(vector["maxSize"]),
    )
    assert terms.price(markets[0], size) == int(vector["liquidatorPrice"])
    side = 1 if size > 0 else -1
    assert markets[0].price - side * terms.concession == int(vector["accountPrice"])
    for entry in vector.get("holes", []):
        assert liquidation.hole(found, markets[0], size, int(entry["taken"])) == int(entry["hole"])
