# SPDX-License-Identifier: Apache-2.0
"""Become a referrer; orders that name your number pay you a share of their fees."""

from wallet import trader

from ouro.client import LocalSigner, OuroClient, TransactionError


def main() -> None:
    with OuroClient(signer=LocalSigner.create()) as referrer, OuroClient(signer=trader()) as client:
        referrer.chain.faucet("1")  # for gas
        number = referrer.chain.register_referrer()
        print(f"referrer number {number}")

        placed = client.orders.place_market_order("BTC-USD", "BUY", "0.01", referrer=number)
        client.orders.wait_for_fill(placed.id, settled=True)
        try:
            referrer.chain.claim_referral(number)
            print("claimed")
        except TransactionError as error:
            print(f"nothing to claim: {error}")  # governance has set no share
        closed = client.orders.close_position("BTC-USD", max_slippage="0.02")
        client.orders.wait_for_fill(closed.id, settled=True)


if __name__ == "__main__":
    main()
