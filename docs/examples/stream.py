# SPDX-License-Identifier: AGPL-3.0-only
"""Follow a market: a local order book and the tape, printed as they change. Ends after some events, or with Ctrl-C.

python docs/examples/stream.py BTC-USD 20
"""

from __future__ import annotations

import asyncio
import sys

from ouro.client import AsyncStream, LocalBook


async def follow(market: str, events: int) -> None:
    book = LocalBook(market)
    async with AsyncStream() as stream:
        await stream.subscribe("v4_orderbook", market)
        await stream.subscribe("v4_trades", market)
        async for event in stream:
            if book.apply(event):
                best = book.book(depth=1)
                bid = best.bids[0] if best.bids else ("-",)
                ask = best.asks[0] if best.asks else ("-",)
                print("bid", *bid, "| ask", *ask)
            elif event.channel == "v4_trades" and event.kind == "update":
                for trade in event.contents["trades"]:
                    print("trade", trade["side"], trade["size"], "at", trade["price"])
            events -= 1
            if events <= 0:
                return


if __name__ == "__main__":
    ticker = sys.argv[1] if len(sys.argv) > 1 else "BTC-USD"
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    asyncio.run(follow(ticker, count))
