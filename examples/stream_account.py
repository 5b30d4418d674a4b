# SPDX-License-Identifier: Apache-2.0
"""Follow one's own account: the orders and fills of this program come back over the stream."""

import asyncio

from wallet import trader

from ouro.client import AsyncOuroClient


async def main() -> None:
    signer = await asyncio.to_thread(trader)
    async with AsyncOuroClient(signer=signer) as client:
        async for update in client.ws.account():
            if update.is_snapshot:
                print(f"equity {update.equity}, {len(update.orders)} open orders")
                placed = await client.orders.place_market_order("BTC-USD", "BUY", "0.005")
            for order in update.orders:
                print(f"order {order.id[:10]} {order.status}, {order.total_filled} filled")
            for fill in update.fills:
                print(f"fill {fill.side} {fill.size} at {fill.price}, fee {fill.fee}")
            if any(fill.order_id == placed.id for fill in update.fills):
                break  # it is on chain
        closed = await client.orders.close_position("BTC-USD", max_slippage="0.02")
        await client.orders.wait_for_fill(closed.id, settled=True)


if __name__ == "__main__":
    asyncio.run(main())
