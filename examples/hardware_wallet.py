# SPDX-License-Identifier: Apache-2.0
"""A wallet that shows what it signs: a function gets the JSON of `eth_signTypedData_v4` and answers a signature.

A page passes that JSON to `ethereum.request(...)`, a hardware wallet shows it on its display. Here eth-account stands
in for either: it sees the JSON and nothing else. What it answers is checked before anything is sent.
"""

import json
from decimal import Decimal
from typing import Any

from eth_account import Account
from wallet import trader

from ouro.client import CallbackSigner, OuroClient


def main() -> None:
    device = Account.from_key(trader().key)

    def sign(typed_data: dict[str, Any]) -> bytes:
        print(json.dumps(typed_data["message"], indent=2))
        return bytes(device.sign_typed_data(full_message=typed_data).signature)

    with OuroClient(signer=CallbackSigner(device.address, sign)) as client:
        index_price = client.markets.get("BTC-USD").oracle_price
        assert index_price is not None
        order = client.orders.build_limit_order("BTC-USD", "SELL", "0.002", index_price * Decimal("1.05"))
        verdict = client.orders.verify(order)
        print(f"valid: {verdict.valid}, signed by {verdict.recovered}")


if __name__ == "__main__":
    main()
