# SPDX-License-Identifier: Apache-2.0
"""Follow a market: its book and its index price, side by side. Lost connections come back by themselves."""

import asyncio

from ouro.client import AsyncOuroClient


async def best_prices(client: AsyncOuroClient, count: int) -> None:
    async for book in client.ws.book("BTC-USD", depth=1):
        print("bid", *(book.bids[0] if book.bids else "-"), "| ask", *(book.asks[0] if book.asks else "-"))
        count -= 1
        if not count:
            return


async def index_prices(client: AsyncOuroClient, count: int) -> None:
    async for update in client.ws.index_prices():
        print(update.market, "index", update.price)
        count -= 1
        if not count:
            return


async def main() -> None:
    async with AsyncOuroClient() as client:
        await asyncio.gather(best_prices(client, 2), index_prices(client, 2))


if __name__ == "__main__":
    asyncio.run(main())
