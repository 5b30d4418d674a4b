# SPDX-License-Identifier: Apache-2.0
"""The same client, awaited: several requests at once."""

import asyncio
from decimal import Decimal

from wallet import trader

from ouro.client import AsyncOuroClient


async def main() -> None:
    signer = await asyncio.to_thread(trader)
    async with AsyncOuroClient(signer=signer) as client:
        btc, eth, account = await asyncio.gather(
            client.markets.get("BTC-USD"), client.markets.get("ETH-USD"), client.account.subaccount()
        )
        print(f"{account.equity} USDC")
        assert btc.oracle_price is not None
        assert eth.oracle_price is not None
        placed = await asyncio.gather(
            client.orders.place_limit_order("BTC-USD", "BUY", "0.01", btc.oracle_price * Decimal("0.95")),
            client.orders.place_limit_order("ETH-USD", "BUY", "0.1", eth.oracle_price * Decimal("0.95")),
        )
        print([order.status for order in placed])
        await client.orders.cancel_all()


if __name__ == "__main__":
    asyncio.run(main())
