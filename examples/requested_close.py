# SPDX-License-Identifier: Apache-2.0
"""A way out that needs no operator: ask the contract to close a position, at a price 0.5% worse than the index."""

from wallet import trader

from ouro.client import OuroClient


def main() -> None:
    with OuroClient(signer=trader()) as client:
        placed = client.orders.place_market_order("ETH-USD", "BUY", "0.05")
        client.orders.wait_for_fill(placed.id, settled=True)

        client.chain.wait_until_seen(client.chain.request_close("ETH-USD", "0.05"))
        [request, *_] = client.account.close_requests()
        print(
            f"{request.side} {request.size} {request.market} is {request.status}; anybody may from {request.ready_at}"
        )

        closed = client.orders.close_position(
            "ETH-USD", max_slippage="0.02"
        )  # what is gone by then is not closed again
        client.orders.wait_for_fill(closed.id, settled=True)


if __name__ == "__main__":
    main()
