# SPDX-License-Identifier: AGPL-3.0-only
"""Every stream of `ccxt.pro.dydx`: what it has first, and what the test causes then."""

import asyncio
from typing import Any

import ccxt.pro

from tests.clients.programs.report import SCENE, tell, tell_awaited

SYMBOL = "BTC/USDC:USDC"


async def until(watch: Any, wanted: Any) -> Any:
    while True:
        found = await watch()
        if wanted(found):
            return found


async def main() -> None:
    exchange = ccxt.pro.dydx({"walletAddress": SCENE["taker"], "newUpdates": False})
    exchange.urls["api"] |= {"indexer": SCENE["url"] + "/v4", "ws": SCENE["url"].replace("http", "ws", 1) + "/v4/ws"}
    try:
        trades = await exchange.watch_trades(SYMBOL)
        book = await exchange.watch_order_book(SYMBOL)
        candles = await exchange.watch_ohlcv(SYMBOL, "1m")
        tell(ready=True, trades=len(trades), book=book, candles=candles)
        seen = {trade["id"] for trade in trades}
        volume = sum(candle[5] for candle in candles)
        level = SCENE["live_bid"]
        watching = {
            "watchTrades": until(lambda: exchange.watch_trades(SYMBOL), lambda new: {t["id"] for t in new} - seen),
            "watchOrderBook": until(
                lambda: exchange.watch_order_book(SYMBOL), lambda new: any(bid[0] == level for bid in new["bids"])
            ),
            "watchOHLCV": until(
                lambda: exchange.watch_ohlcv(SYMBOL, "1m"), lambda new: sum(candle[5] for candle in new) > volume
            ),
        }
        await asyncio.gather(*(tell_awaited(method, asyncio.wait_for(call, 120)) for method, call in watching.items()))
        leaving = {
            "unWatchTrades": exchange.un_watch_trades(SYMBOL),
            "unWatchOrderBook": exchange.un_watch_order_book(SYMBOL),
            "unWatchOHLCV": exchange.un_watch_ohlcv(SYMBOL, "1m"),
        }
        for method, call in leaving.items():
            await tell_awaited(method, asyncio.wait_for(call, 3))
    finally:
        await exchange.close()


if __name__ == "__main__":
    asyncio.run(main())
