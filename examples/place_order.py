# SPDX-License-Identifier: Apache-2.0
"""A limit order, whose id is known before anything is sent; then it is read and cancelled."""

from decimal import Decimal

from wallet import trader

from ouro.client import OuroClient


def main() -> None:
    with OuroClient(signer=trader()) as client:
        index_price = client.markets.get("BTC-USD").oracle_price
        assert index_price is not None
        price = index_price * Decimal("0.95")  # rounded to the tick, never against you

        signed = client.orders.build_limit_order("BTC-USD", "BUY", "0.01", price, post_only=True)
        print(f"signed order {signed.id}: nothing is sent yet")

        placed = client.orders.submit(signed)  # after a broken connection: send it again, or get() it by its id
        shown = client.orders.get(placed.id, at_seq=placed.seq)  # waits until the exchange shows it
        print(f"{shown.status}: {shown.side} {shown.size} {shown.ticker} at {shown.price}")

        client.orders.cancel(placed.id)
        print("cancelled")


if __name__ == "__main__":
    main()
