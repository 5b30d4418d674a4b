# SPDX-License-Identifier: AGPL-3.0-only
"""What the ccxt classes answer, checked in an environment that has ccxt. Run by `test_sdk.py` as a program."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import ccxt

from ouro.ccxt import Ouro
from ouro.ccxt.pro import Ouro as OuroPro

SYMBOL = "BTC/USDC:USDC"
KEY = os.environ["OURO_KEY"]


def refused(kind: type[Exception], call: Any, *arguments: Any) -> str:
    """What a call that must fail says."""
    error: Exception | None = None
    try:
        call(*arguments)
    except ccxt.BaseError as caught:
        error = caught
    assert type(error) is kind, (error, arguments)
    return str(error)


def blocking(exchange: Any) -> None:
    tickers = exchange.fetch_tickers()
    assert set(tickers) == {"BTC/USDC:USDC", "ETH/USDC:USDC"}
    index = float(tickers[SYMBOL]["indexPrice"])
    assert tickers[SYMBOL]["bid"] < index * 1.1

    low = round(index * 0.95)
    order = exchange.create_order(SYMBOL, "limit", "buy", 0.01, low, {"postOnly": True, "clientOrderId": "ccxt-1"})
    assert (order["status"], order["clientOrderId"], order["filled"]) == ("open", "ccxt-1", 0)
    shown = exchange.fetch_order(order["id"])
    assert (shown["symbol"], shown["amount"], shown["price"]) == (SYMBOL, 0.01, low)
    stop = exchange.create_order(
        SYMBOL, "market", "sell", 0.01, None, {"stopLossPrice": round(index * 0.9), "reduceOnly": True}
    )
    profit = exchange.create_order(SYMBOL, "limit", "sell", 0.01, index * 1.1, {"takeProfitPrice": index * 1.1})
    mine = {each["id"]: each for each in exchange.fetch_orders(SYMBOL)}
    assert {order["id"], stop["id"], profit["id"]} <= mine.keys()
    assert mine[stop["id"]]["info"]["type"] == "STOP_MARKET"
    assert mine[profit["id"]]["info"]["type"] == "TAKE_PROFIT"

    edited = exchange.edit_order(order["id"], SYMBOL, "limit", "buy", 0.02, low)
    assert exchange.fetch_order(edited["id"])["amount"] == 0.02
    assert exchange.cancel_order(edited["id"], SYMBOL)["status"] == "canceled"
    assert len(exchange.cancel_all_orders(SYMBOL)) == 2
    assert exchange.cancel_all_orders_after(60_000)["info"]["seq"] > 0
    exchange.cancel_all_orders_after(0)

    pair = [{"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": size, "price": low} for size in (0.01, 10_000)]
    taken, rejected = exchange.create_orders(pair)
    assert (taken["status"], rejected["status"]) == ("open", "rejected"), (taken, rejected)
    assert rejected["info"]["errorCode"] == "insufficient_margin"
    exchange.cancel_order(taken["id"])

    crossing = (SYMBOL, "limit", "buy", 0.01, index * 1.02, {"postOnly": True})
    assert "post_only_would_cross" in refused(ccxt.OrderImmediatelyFillable, exchange.create_order, *crossing)
    refused(ccxt.InsufficientFunds, exchange.create_order, SYMBOL, "limit", "buy", 10_000, low)
    refused(ccxt.OrderNotFound, exchange.cancel_order, "0x" + "00" * 32)
    refused(ccxt.OrderNotFound, exchange.fetch_order, "0x" + "00" * 32)
    refused(ccxt.InvalidOrder, exchange.create_order, SYMBOL, "limit", "buy", 0.01)
    refused(ccxt.BadSymbol, exchange.fetch_ticker, "DOGE/USDC:USDC")

    rates = exchange.fetch_funding_rates()
    assert set(rates) == set(tickers)
    assert rates[SYMBOL]["interval"] == "1h"
    balance = exchange.fetch_balance()["USDC"]
    assert balance["total"] >= balance["free"] > 0
    assert abs(balance["total"] - balance["free"] - balance["used"]) < 1e-6
    trades = exchange.fetch_my_trades()
    assert all(trade["fee"]["currency"] == "USDC" and trade["order"] for trade in trades)
    assert exchange.fetch_open_orders(SYMBOL) == []


async def streaming(exchange: Any) -> None:
    assert (await exchange.watch_ticker(SYMBOL))["indexPrice"] > 0
    book = await exchange.watch_order_book(SYMBOL)
    assert book["bids"][0][0] < book["asks"][0][0]
    assert (await exchange.watch_balance())["USDC"]["free"] > 0
    orders = asyncio.create_task(exchange.watch_orders(SYMBOL))
    trades = asyncio.create_task(exchange.watch_my_trades())
    positions = asyncio.create_task(exchange.watch_positions())
    bought = await exchange.create_order(SYMBOL, "market", "buy", 0.01)
    assert bought["id"] in {order["id"] for order in await orders}
    assert bought["id"] in {trade["order"] for trade in await trades}
    [position] = [each for each in await positions if each["symbol"] == SYMBOL]
    assert (position["side"], position["contracts"]) == ("long", 0.01)
    sold = await exchange.create_order(SYMBOL, "market", "sell", 0.01, None, {"reduceOnly": True, "slippage": "0.02"})
    assert sold["status"] == "closed"
    await exchange.sdk.orders.wait_for_fill(sold["id"], settled=True)
    assert sold["id"] in {trade["order"] for trade in await exchange.fetch_my_trades(SYMBOL)}
    assert await exchange.cancel_all_orders() == []


async def main() -> None:
    exchange = Ouro({"privateKey": KEY})
    await asyncio.to_thread(blocking, exchange)
    exchange.close()
    pro = OuroPro({"privateKey": KEY})
    try:
        await asyncio.wait_for(streaming(pro), 120)
    finally:
        await pro.close()
    print("all well")


if __name__ == "__main__":
    asyncio.run(main())
