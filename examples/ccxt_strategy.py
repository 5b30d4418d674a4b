# SPDX-License-Identifier: Apache-2.0
"""A strategy through ccxt: quote both sides with the blocking class, take and watch with the streaming one.

Needs `pip install ouro[ccxt]`. Whoever has a bot for ccxt changes the class, and the rest stays.
"""

import asyncio
from typing import Any

from wallet import trader

from ouro.ccxt import Ouro
from ouro.ccxt.pro import Ouro as OuroPro

SYMBOL = "ETH/USDC:USDC"


def quote(exchange: Any) -> None:
    """A bid and an ask around the index price; then the bid is moved, and both are cancelled."""
    ticker = exchange.fetch_ticker(SYMBOL)
    print(f"bid {ticker['bid']}, ask {ticker['ask']}, last {ticker['last']}")
    index_price = ticker["info"]["oraclePrice"]
    orders = [
        {"symbol": SYMBOL, "type": "limit", "side": side, "amount": 0.1, "price": float(index_price) * factor}
        for side, factor in (("buy", 0.97), ("sell", 1.03))
    ]
    bid, ask = exchange.create_orders(orders, {"postOnly": True})
    print(f"quoted: {bid['status']}, {ask['status']}")
    bid = exchange.edit_order(bid["id"], SYMBOL, "limit", "buy", 0.2, float(index_price) * 0.96)
    print(f"moved: {len(exchange.fetch_open_orders(SYMBOL))} orders are open")
    print(f"cancelled: {len(exchange.cancel_orders([bid['id'], ask['id']], SYMBOL))}")
    print(f"funding {exchange.fetch_funding_rate(SYMBOL)['fundingRate']} an hour")


async def take(exchange: Any) -> None:
    """Buy, see the fill and the position arrive, and sell again."""
    trades = asyncio.create_task(exchange.watch_my_trades(SYMBOL))
    balance = await exchange.watch_balance()
    print(f"equity {balance['USDC']['total']}, free {balance['USDC']['free']}")
    order = await exchange.create_order(SYMBOL, "market", "buy", 0.05)
    [trade] = [trade for trade in await trades if trade["order"] == order["id"]]
    print(f"bought {trade['amount']} at {trade['price']}, fee {trade['fee']['cost']}")
    [position] = await exchange.fetch_positions([SYMBOL])
    print(f"{position['side']} {position['contracts']}")
    await exchange.create_order(SYMBOL, "market", "sell", 0.05, None, {"reduceOnly": True, "slippage": "0.02"})


async def main() -> None:
    key = await asyncio.to_thread(lambda: trader().key)
    exchange = Ouro({"privateKey": key})
    await asyncio.to_thread(quote, exchange)
    exchange.close()
    pro = OuroPro({"privateKey": key})
    try:
        await take(pro)
    finally:
        await pro.close()


if __name__ == "__main__":
    asyncio.run(main())
