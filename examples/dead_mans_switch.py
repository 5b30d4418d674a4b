# SPDX-License-Identifier: Apache-2.0
"""Quotes that leave the book by themselves when the program that made them falls silent."""

import time
from decimal import Decimal

from wallet import trader

from ouro.client import OuroClient


def main() -> None:
    with OuroClient(signer=trader()) as client:
        index_price = client.markets.get("BTC-USD").oracle_price
        assert index_price is not None
        client.orders.cancel_all_after(5)  # to be repeated before the five seconds are over
        placed = client.orders.place_limit_order("BTC-USD", "BUY", "0.01", index_price * Decimal("0.95"))
        print(placed.status)
        while (order := client.orders.get(placed.id, at_seq=placed.seq)).status == "OPEN":
            time.sleep(0.5)
        print(f"{order.status}: {order.removal_reason}")


if __name__ == "__main__":
    main()
