# SPDX-License-Identifier: Apache-2.0
"""Change a resting order in one step: it keeps its identity, and nothing happens if it was filled in the meantime."""

from decimal import Decimal

from wallet import trader

from ouro.client import ConflictError, OuroClient


def main() -> None:
    with OuroClient(signer=trader()) as client:
        index_price = client.markets.get("BTC-USD").oracle_price
        assert index_price is not None
        signed = client.orders.build_limit_order("BTC-USD", "BUY", "0.02", index_price * Decimal("0.94"))
        client.orders.submit(signed)

        better = client.orders.build_amend(signed, price=index_price * Decimal("0.95"), size="0.03")
        placed = client.orders.submit_amend(better, expected_filled="0")
        print(f"{placed.status} as {placed.id}")
        try:
            client.orders.submit_amend(client.orders.build_amend(better, size="0.01"), expected_filled="0.02")
        except ConflictError as refused:
            print(f"refused, {refused.code}: {refused.message}")
        client.orders.cancel(better.id)


if __name__ == "__main__":
    main()
