# SPDX-License-Identifier: Apache-2.0
"""Buy at the market, wait until the chain has it, look at the position and close it."""

from wallet import trader

from ouro.client import OuroClient


def main() -> None:
    with OuroClient(signer=trader()) as client:
        placed = client.orders.place_market_order("BTC-USD", "BUY", "0.02", max_slippage="0.01")
        print(f"{placed.status}, filled {placed.filled}")

        client.orders.wait_for_fill(placed.id, settled=True)
        position = client.account.subaccount().open_perpetual_positions["BTC-USD"]
        print(f"{position.side} {position.size} from {position.entry_price}, {position.unrealized_pnl} USDC so far")

        closed = client.orders.close_position("BTC-USD", max_slippage="0.02")
        client.orders.wait_for_fill(closed.id, settled=True)
        [newest, *_] = client.account.fills(market="BTC-USD")
        print(f"closed at {newest.price}, fee {newest.fee} USDC")


if __name__ == "__main__":
    main()
