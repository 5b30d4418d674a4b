# SPDX-License-Identifier: AGPL-3.0-only
"""Rounding never turns against who trades; a strict client rounds nothing."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ouro.client import amounts, building
from ouro.client.config import ClientConfig
from ouro.client.session import Session
from ouro.orders import Side
from tests.unit.client.conftest import CONFIG

BTC = ClientConfig.from_record(CONFIG).market("BTC-USD")


@given(st.decimals("0.00011", "1000000", places=7))
def test_sizes_go_down_to_whole_lots(size: Decimal) -> None:
    lots = amounts.lots_of(Session(), BTC, size)
    assert BTC.size(lots) <= size < BTC.size(lots + 1)


@given(st.decimals("2", "1000000", places=5), st.sampled_from(Side))
def test_prices_are_on_the_tick_and_never_worse(price: Decimal, side: Side) -> None:
    units = amounts.price_of(Session(), BTC, side, price)
    assert units % BTC.tick == 0
    worse = BTC.price(units) - price if side is Side.BUY else price - BTC.price(units)
    assert -BTC.price(BTC.tick) < worse <= 0


@pytest.mark.parametrize(("side", "trigger"), [("BUY", 1_900_000), ("SELL", 1_900_100)])
def test_a_trigger_is_rounded_to_the_better_side(session, run_flow, side, trigger):
    signed, _ = run_flow(building.build_stop_market(session, "BTC-USD", side, "0.12345", "19000.5"))
    assert (signed.order.trigger_price, signed.order.size) == (trigger, 1234)


def test_strict_refuses_what_the_other_rounds(session, strict, run_flow):
    signed, _ = run_flow(building.build_limit_order(session, "BTC-USD", "BUY", "0.12345", "19000.5"))
    assert (signed.order.limit_price, signed.order.size) == (1_900_000, 1234)
    with pytest.raises(ValueError, match="steps of 1"):
        run_flow(building.build_limit_order(strict, "BTC-USD", "BUY", "0.1234", "19000.5"))
    with pytest.raises(ValueError, match="more than 4 decimals"):
        run_flow(building.build_limit_order(strict, "BTC-USD", "BUY", "0.12345", "19000"))


def test_nothing_is_left_of_too_small_a_size(session, run_flow):
    with pytest.raises(ValueError, match=r"the least is 0\.0001"):
        run_flow(building.build_limit_order(session, "BTC-USD", "BUY", "0.00009", "19000"))


def test_options_that_do_not_exist(session, run_flow):
    with pytest.raises(TypeError, match="no option 'posst_only'; there are: reduce_only"):
        run_flow(building.build_limit_order(session, "BTC-USD", "BUY", "1", "19000", posst_only=True))
