# SPDX-License-Identifier: AGPL-3.0-only
"""The JSON vectors of the formulas, held against the reference model, which the contracts are held against in turn."""

import json
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from tests.reference import liquidation
from tests.reference.account import Account, Health, Position
from tests.reference.exact import SCALE, down
from tests.reference.market import ACTIVE, Funding, Market, Terms
from tests.reference.referrers import Referrers
from tests.reference.settlement import counts_for_funding, fee
from tests.support.build import ROOT

NOW = 1_764_547_200
PLAIN = Terms(1, "M1", 4, 2, 1, 50_000, 30_000, 0, 2**46, 60, 5_000, ACTIVE)
STILL = Funding(0, 0, 0, 0, 0, 0, 0)


def load(name: str) -> Any:
    return json.loads((ROOT / "tests" / "vectors" / f"{name}.json").read_text())


def named(entries: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(entry, id=entry.get("name", str(place))) for place, entry in enumerate(entries)]


def market(number: int, leg: dict[str, Any], floor: int = 0) -> Market:
    """A market whose both indices stand at the leg's g, at a fresh price."""
    terms = Terms(number, f"M{number}", 4, 2, 1, int(leg["imfPpm"]), int(leg["mmfPpm"]), 0, 2**46, 60, floor, ACTIVE)
    g = int(leg["g"])
    return Market(terms, Funding(g, g, 0, 0, NOW // 3_600, 0, 0), 0, int(leg["indexPrice"]), NOW)


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


@pytest.mark.parametrize("vector", named(load("margin")["scaledImf"]))
def test_scaled_initial_margin(vector: dict[str, Any]) -> None:
    names = ("imfPpm", "scaleFrom", "scaleTo", "openInterest", "indexPrice")
    imf, lower, upper, interest, price = (int(vector[name]) for name in names)
    terms = replace(PLAIN, imf=imf, scale_from=lower, scale_to=upper)
    assert Market(terms, STILL, interest, price).imf == int(vector["scaledPpm"])


def funding(state: dict[str, Any]) -> Funding:
    names = ("gLong", "gShort", "slope", "rate", "hour", "premiumSum", "volumeSum")
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
    sums = int(vector["premiumSum"]), int(vector["volumeSum"])
    state = Funding(0, 0, 0, int(vector["rateBefore"]), 0, *sums)
    assert state.at(3_600, 1, int(vector["openInterest"])).rate == int(vector["rate"])


@pytest.mark.parametrize("vector", named(load("funding")["premiums"]))
def test_premiums(vector: dict[str, Any]) -> None:
    state = STILL.with_trade(1, int(vector["price"]), int(vector["indexPrice"]))
    assert state.premium == int(vector["premium"])


@pytest.mark.parametrize("vector", named(load("funding")["slopes"]))
def test_slopes(vector: dict[str, Any]) -> None:
    """Of an hour that is opened at the rate which the one before it has made, after one of the same rate."""
    rate, price = int(vector["rate"]), int(vector["indexPrice"])
    opened = Funding(0, 0, 0, rate, 0, rate, 1).at(3_600, price, 0)
    assert (opened.rate, opened.slope) == (rate, int(vector["slope"]))


@pytest.mark.parametrize("vector", named(load("funding")["growths"]))
def test_growths(vector: dict[str, Any]) -> None:
    state = Funding(5, -5, int(vector["slope"]), 0, int(vector["hour"]), 0, 0)
    assert state.growth(int(vector["now"])) == int(vector["growth"])


@pytest.mark.parametrize("vector", named(load("referrals")["shares"]))
def test_referrers_shares(vector: dict[str, Any]) -> None:
    referrers = Referrers(int(vector["sharePpm"]))
    number = referrers.register(("payee", 0))
    amount = referrers.accrue(number, int(vector["fee"]), int(vector["bothFees"]))
    assert amount == referrers.accrued[number] == int(vector["amount"])
    assert referrers.accrue(number + 1, int(vector["fee"]), int(vector["bothFees"])) == 0


@pytest.mark.parametrize("vector", named(load("referrals")["countsForFunding"]))
def test_what_counts_for_funding_when_a_referrer_shares(vector: dict[str, Any]) -> None:
    rates = int(vector["takerFeePpm"]), int(vector["makerFeePpm"])
    assert counts_for_funding(*rates, int(vector["sharePpm"])) == vector["counts"]


@pytest.mark.parametrize("vector", named(load("liquidation")))
def test_liquidations(vector: dict[str, Any]) -> None:
    """Of the first leg."""
    holder, markets = account(vector)
    found = holder.health(markets, NOW)
    assert found == health(vector)
    size = holder.position(0).size
    terms = liquidation.terms(found, markets[0], size, holder.unscaled_initial(markets))
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
