# SPDX-License-Identifier: Apache-2.0
"""An entry with a take-profit and a stop that close no more than what it fills."""

from decimal import Decimal

from wallet import trader

from ouro.client import OuroClient


def main() -> None:
    with OuroClient(signer=trader()) as client:
        index_price = client.markets.get("BTC-USD").oracle_price
        assert index_price is not None
        bracket = client.orders.place_bracket(
            "BTC-USD",
            "BUY",
            "0.01",
            price=index_price * Decimal("0.96"),  # without a price the entry is a market order
            take_profit=index_price * Decimal("1.05"),
            stop_loss=index_price * Decimal("0.92"),
        )
        print(f"entry {bracket.entry.status}")
        print(f"take-profit {bracket.take_profit}")
        print(f"stop-loss {bracket.stop_loss}")

        gone = client.orders.cancel(bracket.entry.id)  # an entry without a fill takes its exits along
        print(f"cancelled {gone.id}")


if __name__ == "__main__":
    main()
