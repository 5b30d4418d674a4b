# SPDX-License-Identifier: Apache-2.0
"""A stop and a take-profit that wait for the index price; the first that is filled cancels the other."""

from decimal import Decimal

from wallet import trader

from ouro.client import OuroClient


def main() -> None:
    with OuroClient(signer=trader()) as client:
        index_price = client.markets.get("BTC-USD").oracle_price
        assert index_price is not None
        low, high = index_price * Decimal("0.9"), index_price * Decimal("1.1")
        stop = client.orders.place_stop_market("BTC-USD", "SELL", "0.01", low, reduce_only=True, oco="exits")
        profit = client.orders.place_take_profit_limit(
            "BTC-USD", "SELL", "0.01", high, high, reduce_only=True, oco="exits"
        )
        for order_id in (stop.id, profit.id):
            order = client.orders.get(order_id, at_seq=profit.seq)  # only its owner sees an order that waits
            print(f"{order.type} {order.status}: {order.trigger} {order.trigger_price}")
        client.orders.cancel_all("BTC-USD")


if __name__ == "__main__":
    main()
