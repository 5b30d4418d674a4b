# SPDX-License-Identifier: AGPL-3.0-only
"""The keeper's cost to unwind, from the book of a running exchange."""

from __future__ import annotations

from decimal import Decimal

import pytest
from eth_account import Account

from keeper.depth import BookReader, Depth
from keeper.survey import MarketView
from ouro.client import OuroClient
from tests.support.waiting import eventually

# the first test starts the stack, and that compiles every contract
pytestmark = pytest.mark.timeout(600)


def test_the_book_of_the_front_door_is_read(url: str) -> None:
    with OuroClient(url, Account.create()) as maker, OuroClient("http://127.0.0.1:9") as nobody:
        maker.chain.faucet("50000")
        maker.chain.wait_until_seen(maker.chain.deposit("40000"), timeout_seconds=120)
        market = maker.config().market("ETH-USD")
        index = maker.markets.get("ETH-USD").oracle_price
        assert index is not None
        price = (index * Decimal("0.99")).quantize(Decimal(1))
        placed = maker.orders.place_limit_order("ETH-USD", "BUY", "0.5", price, post_only=True)
        view = MarketView(market.id, "ETH-USD", market.price_units(index), 50_000, 30_000, 5_000, 50_000)
        lots = market.lots(Decimal("0.5"))

        def cost() -> int:
            return Depth(BookReader(maker)([market])).cost(view, True, lots)

        lost = lots * (view.price - market.price_units(price))
        eventually(lambda: 0 < cost() <= lost, "the bid is in the book")
        maker.orders.cancel(placed.id)
        assert BookReader(nobody)([market]) == {}
