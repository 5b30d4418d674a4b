# SPDX-License-Identifier: Apache-2.0
"""Many orders in one request, each with an answer of its own; then all cancelled in one."""

from decimal import Decimal

from wallet import trader

from ouro.client import OuroClient, RefusedError


def main() -> None:
    with OuroClient(signer=trader()) as client:
        index_price = client.markets.get("ETH-USD").oracle_price
        assert index_price is not None
        signed = [
            client.orders.build_limit_order("ETH-USD", "BUY", "0.1", index_price * Decimal(fraction), post_only=True)
            for fraction in ("0.93", "0.94", "0.95", "1.02")  # the last would match at once
        ]
        for order, outcome in zip(signed, client.orders.submit_batch(signed), strict=True):
            if isinstance(outcome, RefusedError):
                print(f"{order.order.limit_price}: refused, {outcome.code}")
            else:
                print(f"{order.order.limit_price}: {outcome.status}")
        outcomes = client.orders.cancel_batch([order.id for order in signed])
        print(f"{sum(not isinstance(outcome, RefusedError) for outcome in outcomes)} cancelled")


if __name__ == "__main__":
    main()
