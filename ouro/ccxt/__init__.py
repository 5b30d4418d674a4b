# SPDX-License-Identifier: Apache-2.0
"""Ouro as an exchange of `ccxt`: `ccxt.dydx` with what it lacks. Needs the extra `ouro[ccxt]`.

    from ouro.ccxt import Ouro

    exchange = Ouro({"privateKey": key})
    exchange.create_order("BTC/USDC:USDC", "limit", "buy", 0.01, 20000, {"postOnly": True})

`ouro.ccxt.pro` has the same class for `ccxt.pro`, awaited, with private streams.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import ccxt

from ouro.ccxt import flows
from ouro.ccxt.dialect import Dialect
from ouro.client import OuroClient
from ouro.client.calls import Flow

__all__ = ["Ouro"]


def _blocking(flow: Callable[..., Flow[Any]]) -> Callable[..., Any]:
    @functools.wraps(flow)
    def method(self: Ouro, *args: Any, **kwargs: Any) -> Any:
        self.load_markets()
        with self.own_errors():
            return self.sdk.run(flow(self, *args, **kwargs))

    return method


class Ouro(Dialect, ccxt.dydx):
    """The blocking exchange."""

    def __init__(self, config: dict[str, Any] | None = None) -> None:
        super().__init__(config or {})
        self.sdk = self.connect(OuroClient)

    create_order = _blocking(flows.create_order)
    create_orders = _blocking(flows.create_orders)
    edit_order = _blocking(flows.edit_order)
    cancel_order = _blocking(flows.cancel_order)
    cancel_orders = _blocking(flows.cancel_orders)
    cancel_all_orders = _blocking(flows.cancel_all_orders)
    cancel_all_orders_after = _blocking(flows.cancel_all_orders_after)
    fetch_order = _blocking(flows.fetch_order)
    fetch_orders = _blocking(flows.fetch_orders)
    fetch_my_trades = _blocking(flows.fetch_my_trades)
    fetch_ticker = _blocking(flows.fetch_ticker)
    fetch_tickers = _blocking(flows.fetch_tickers)
    fetch_funding_rate = _blocking(flows.fetch_funding_rate)
    fetch_funding_rates = _blocking(flows.fetch_funding_rates)
    fetch_balance = _blocking(flows.fetch_balance)

    def close(self) -> None:
        """Close the connections of order entry."""
        self.sdk.close()
