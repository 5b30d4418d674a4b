# SPDX-License-Identifier: Apache-2.0
"""A small market maker: one quote a side around the index price, moved with it, gone when this program is."""

import asyncio
from decimal import Decimal
from itertools import count

from wallet import trader

from ouro.client import AsyncOuroClient, RefusedError

MARKET, SIZE = "ETH-USD", "0.2"
AWAY = Decimal("0.004")
ROUNDS = 3


async def quote(client: AsyncOuroClient, index_price: Decimal) -> None:
    """Both sides anew, in one request."""
    await client.orders.cancel_all_after(30)  # the dead man's switch
    await client.orders.cancel_all(MARKET)
    signed = [
        await client.orders.build_limit_order(MARKET, side, SIZE, index_price * factor, post_only=True)
        for side, factor in (("BUY", 1 - AWAY), ("SELL", 1 + AWAY))
    ]
    for order, outcome in zip(signed, await client.orders.submit_batch(signed), strict=True):
        answer = outcome.code if isinstance(outcome, RefusedError) else outcome.status
        print(f"{order.order.side} at {order.order.limit_price / 1000}: {answer}")


async def main() -> None:
    signer = await asyncio.to_thread(trader)
    async with AsyncOuroClient(signer=signer) as client:
        rounds = count(1)
        quoted = Decimal(0)
        try:
            async for update in client.ws.index_prices():
                if update.market != MARKET or abs(update.price - quoted) < quoted * Decimal("0.0001"):
                    continue
                quoted = update.price
                await quote(client, quoted)
                if next(rounds) == ROUNDS:
                    break
        finally:
            await client.orders.cancel_all(MARKET)


if __name__ == "__main__":
    asyncio.run(main())
