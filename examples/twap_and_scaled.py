# SPDX-License-Identifier: Apache-2.0
"""One size in many orders: over time, and over prices."""

from decimal import Decimal

from wallet import trader

from ouro.client import OuroClient, RefusedError


def main() -> None:
    with OuroClient(signer=trader()) as client:
        index_price = client.markets.get("BTC-USD").oracle_price
        assert index_price is not None
        twap = client.orders.place_twap("BTC-USD", "BUY", "0.003", parts=3, duration_seconds=60)
        ladder = client.orders.place_scaled(
            "BTC-USD", "SELL", "0.05", index_price * Decimal("1.05"), index_price * Decimal("1.08"), parts=5
        )
        for name, outcomes in (("twap", twap), ("ladder", ladder)):
            print(name, [each.code if isinstance(each, RefusedError) else each.status for each in outcomes])
        client.orders.cancel_all("BTC-USD")


if __name__ == "__main__":
    main()
