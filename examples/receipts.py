# SPDX-License-Identifier: Apache-2.0
"""Keep the operator's signed receipts of your orders: `ouro audit` holds him to them later."""

import tempfile
from decimal import Decimal
from pathlib import Path

from wallet import trader

from ouro.client import OuroClient
from ouro.client.receipts import read_receipts


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "receipts.jsonl"
        with OuroClient(signer=trader(), receipts=path) as client:
            index_price = client.markets.get("BTC-USD").oracle_price
            assert index_price is not None
            client.orders.place_limit_order("BTC-USD", "BUY", "0.01", index_price * Decimal("0.95"))
            client.orders.cancel_all()
        for receipt in read_receipts(path):
            print(f"record {receipt.seq}, group of {receipt.count}, signed {receipt.signature.hex()[:16]}...")


if __name__ == "__main__":
    main()
