# SPDX-License-Identifier: Apache-2.0
"""A stop that follows the index price upwards, in steps that are all signed now."""

from wallet import trader

from ouro.client import OuroClient


def main() -> None:
    with OuroClient(signer=trader()) as client:
        trailing = client.orders.place_trailing_stop("BTC-USD", "SELL", "0.01", "1000", step="250", revisions=8)
        print(f"{trailing.stop.status}: starts at {trailing.triggers[0]}, can climb to {trailing.triggers[-1]}")
        client.orders.cancel(trailing.stop.id)  # its revisions end with it


if __name__ == "__main__":
    main()
