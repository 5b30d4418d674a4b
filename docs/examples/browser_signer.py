# SPDX-License-Identifier: AGPL-3.0-only
"""An order as a browser wallet signs it: print the very JSON that `eth_signTypedData_v4` takes, sign it, have it
checked.

A web page passes the printed JSON to `ethereum.request({method: "eth_signTypedData_v4", params: [address, json]})` and
posts the order with the signature it gets back. Here eth-account stands in for the wallet: it, too, sees only the JSON.

python docs/examples/browser_signer.py
"""

from __future__ import annotations

import json

from eth_account import Account

from ouro import eip712
from ouro.client import OuroClient, SignedOrder
from ouro.orders import Order


def main() -> None:
    wallet = Account.create()
    with OuroClient(signer=wallet) as client:
        config = client.config()
        prepared = client.orders.build_limit_order("BTC-USD", "SELL", "0.002", "30000")
        typed = eip712.typed_data(config.order_domain(), "Order", prepared.order.message())
        text = json.dumps(typed, indent=2)
        print(text)

        seen_by_wallet = json.loads(text)
        signature = "0x" + wallet.sign_typed_data(full_message=seen_by_wallet).signature.hex()
        order = Order.from_message(seen_by_wallet["message"])
        verdict = client.orders.verify(SignedOrder(order, signature, prepared.id, prepared.client_id))
        print(f"valid: {verdict.valid}, recovered {verdict.recovered}, digest {verdict.digest}")


if __name__ == "__main__":
    main()
