# SPDX-License-Identifier: AGPL-3.0-only
"""From nothing to a resting order on the local stack: key, test USDC, deposit, order, cancel.

python docs/examples/place_order.py
"""

from __future__ import annotations

import time
from decimal import Decimal

from eth_account import Account

from ouro.client import NotFoundError, OuroClient


def main() -> None:
    account = Account.create()
    with OuroClient(signer=account) as client:
        client.chain.faucet("10000")
        deposited = client.chain.deposit("5000")
        print(f"{account.address} deposited 5000 USDC in block {deposited.block_number}")
        wait_for_deposit(client)

        market = client.markets.get("BTC-USD")
        assert market.oracle_price is not None
        price = (market.oracle_price * Decimal("0.95")).quantize(market.tick_size)
        signed = client.orders.build_limit_order("BTC-USD", "BUY", "0.01", price, post_only=True)
        print(f"order {signed.id} is signed; nothing is sent yet")

        placed = client.orders.submit(signed)
        print(f"status {placed.status}, record {placed.seq}")
        print(f"the exchange shows it as {client.orders.get(placed.id, at_seq=placed.seq).status}")

        client.orders.cancel(placed.id)
        print("cancelled")


def wait_for_deposit(client: OuroClient, seconds: float = 30) -> None:
    """The relayer counts a deposit once its block is confirmed."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if client.account.subaccount().free_collateral > 0:
                return
        except NotFoundError:
            pass
        time.sleep(0.5)
    raise TimeoutError(f"the deposit did not arrive within {seconds} s")


if __name__ == "__main__":
    main()
