# SPDX-License-Identifier: Apache-2.0
"""Ouro for `ccxt.pro`: everything of `ouro.ccxt`, awaited, and the private streams that ccxt.dydx lacks.

exchange = Ouro({"privateKey": key})
while True:
    for order in await exchange.watch_orders("BTC/USDC:USDC"):
        ...
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ccxt.pro
from ccxt.async_support.base.ws.cache import ArrayCacheBySymbolById, ArrayCacheBySymbolBySide

from ouro.ccxt import flows
from ouro.ccxt.dialect import Dialect
from ouro.client import AsyncOuroClient
from ouro.client.calls import Flow

__all__ = ["Ouro"]

_WATCHES = ("watchBalance", "watchMyTrades", "watchOrders", "watchPositions", "watchTicker")


def _awaited(flow: Callable[..., Flow[Any]]) -> Callable[..., Any]:
    @functools.wraps(flow)
    async def method(self: Ouro, *args: Any, **kwargs: Any) -> Any:
        await self.load_markets()
        with self.own_errors():
            return await self.sdk.run(flow(self, *args, **kwargs))

    return method


class Ouro(Dialect, ccxt.pro.dydx):
    """The asynchronous exchange with streams."""

    def __init__(self, config: dict[str, Any] | None = None) -> None:
        super().__init__(config or {})
        self.sdk = self.connect(AsyncOuroClient)
        self._markets_seen: dict[str, dict[str, Any]] = {}
        self._account_seen: dict[str, Any] = {}

    def describe(self) -> Any:
        """As ccxt asks."""
        return self.deep_extend(super().describe(), {"has": dict.fromkeys(_WATCHES, True)})

    create_order = _awaited(flows.create_order)
    create_orders = _awaited(flows.create_orders)
    edit_order = _awaited(flows.edit_order)
    cancel_order = _awaited(flows.cancel_order)
    cancel_orders = _awaited(flows.cancel_orders)
    cancel_all_orders = _awaited(flows.cancel_all_orders)
    cancel_all_orders_after = _awaited(flows.cancel_all_orders_after)
    fetch_order = _awaited(flows.fetch_order)
    fetch_orders = _awaited(flows.fetch_orders)
    fetch_my_trades = _awaited(flows.fetch_my_trades)
    fetch_ticker = _awaited(flows.fetch_ticker)
    fetch_tickers = _awaited(flows.fetch_tickers)
    fetch_funding_rate = _awaited(flows.fetch_funding_rate)
    fetch_funding_rates = _awaited(flows.fetch_funding_rates)
    fetch_balance = _awaited(flows.fetch_balance)

    async def close(self, *args: Any, **kwargs: Any) -> None:
        """Close all connections."""
        await self.sdk.close()
        await super().close(*args, **kwargs)

    # Streams

    async def watch_orders(
        self,
        symbol: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Any:
        """One's orders as they change."""
        orders = await self._watch_account("orders", symbol, params)
        return self.filter_by_symbol_since_limit(orders, self._symbol(symbol), since, limit, True)

    async def watch_my_trades(
        self,
        symbol: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Any:
        """One's fills as they settle, with their fees."""
        trades = await self._watch_account("myTrades", symbol, params)
        return self.filter_by_symbol_since_limit(trades, self._symbol(symbol), since, limit, True)

    async def watch_positions(
        self,
        symbols: Sequence[str] | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Any:
        """One's positions as they change; a closed one has no contracts."""
        positions = await self._watch_account("positions", None, params)
        return self.filter_by_symbols_since_limit(positions, symbols, since, limit, True)

    async def watch_balance(self, params: Mapping[str, Any] | None = None) -> Any:
        """Equity and free collateral as they change."""
        return await self._watch_account("balance", None, params)

    async def watch_ticker(self, symbol: str, params: Mapping[str, Any] | None = None) -> Any:  # noqa: ARG002
        """Index price, volume and change of a market. Best prices and prints have streams of their own."""
        await self.load_markets()
        request = {"type": "subscribe", "channel": "v4_markets"}
        return await self.watch(self.urls["api"]["ws"], f"ticker:{self._symbol(symbol)}", request, "markets")

    async def _watch_account(self, subject: str, symbol: str | None, params: Mapping[str, Any] | None) -> Any:
        await self.load_markets()
        with self.own_errors():
            number = flows._subaccount(self, params)
            account = f"{self.sdk.session.address}/{number}"
        request = {"type": "subscribe", "channel": "v4_subaccounts", "id": account}
        topic = f"{subject}:{self._symbol(symbol)}" if symbol else subject
        return await self.watch(self.urls["api"]["ws"], topic, request, f"account:{account}")

    def _symbol(self, symbol: str | None) -> str | None:
        return self.market(symbol)["symbol"] if symbol else None

    def handle_message(self, client: Any, message: dict[str, Any]) -> None:
        """What the stream says, by channel."""
        handlers = {"v4_subaccounts": self._handle_account, "v4_markets": self._handle_markets}
        handler = handlers.get(message.get("channel") or "")
        if handler is None or message.get("type") not in ("subscribed", "channel_data"):
            super().handle_message(client, message)
        else:
            handler(client, message)

    def handle_order_book(self, client: Any, message: dict[str, Any]) -> None:
        """A second snapshot replaces the book: levels that are gone by then must not stay."""
        if message.get("type") == "subscribed":
            self.orderbooks.pop(self.safe_market(message["id"])["symbol"], None)
        super().handle_order_book(client, message)

    def _handle_account(self, client: Any, message: dict[str, Any]) -> None:
        contents = message.get("contents") or {}
        standing = contents.get("subaccount") or {}
        positions = contents.get("perpetualPositions") or list(standing.get("openPerpetualPositions", {}).values())
        self._resolve_all(client, "orders", [self.parse_order(order) for order in contents.get("orders") or ()])
        self._resolve_all(client, "myTrades", [self.my_trade(fill) for fill in contents.get("fills") or ()])
        self._resolve_all(client, "positions", [self.parse_position(position) for position in positions])
        changed = {
            name: value for name, value in (standing or contents).items() if name in ("equity", "freeCollateral")
        }
        if changed:
            self._account_seen |= changed
            self.balance = self.balance_of(self._account_seen)
            client.resolve(self.balance, "balance")

    def _resolve_all(self, client: Any, subject: str, records: Sequence[Any]) -> None:
        """Keep records and wake who waits for them, all or of one symbol."""
        if not records:
            return
        cache = self._cache(subject)
        for record in records:
            cache.append(record)
        client.resolve(cache, subject)
        for symbol in {record["symbol"] for record in records}:
            client.resolve(cache, f"{subject}:{symbol}")

    def _cache(self, subject: str) -> Any:
        if getattr(self, subject) is None:
            by_side = subject == "positions"
            setattr(self, subject, ArrayCacheBySymbolBySide() if by_side else ArrayCacheBySymbolById(1_000))
        return getattr(self, subject)

    def _handle_markets(self, client: Any, message: dict[str, Any]) -> None:
        contents = message["contents"]
        changed: dict[str, dict[str, Any]] = {}
        for part in ("markets", "trading", "oraclePrices"):
            for ticker, record in (contents.get(part) or {}).items():
                changed.setdefault(ticker, {"ticker": ticker}).update(record)
        for ticker, record in changed.items():
            seen = self._markets_seen.setdefault(ticker, {})
            seen.update(record)
            market = self.safe_market(ticker)
            self.tickers[market["symbol"]] = self.ticker_of(dict(seen))
            client.resolve(self.tickers[market["symbol"]], f"ticker:{market['symbol']}")
