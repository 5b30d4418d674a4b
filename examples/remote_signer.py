# SPDX-License-Identifier: Apache-2.0
"""A key behind a signing service that speaks `eth_signTypedData` and `eth_signTransaction`, such as web3signer.

The local node does, for its development accounts, so it serves as one here.
"""

import httpx

from ouro.client import OuroClient, RemoteSigner


def main() -> None:
    with OuroClient() as reader:
        node = reader.config().rpc_url
    request = {"jsonrpc": "2.0", "id": 1, "method": "eth_accounts", "params": []}
    address = httpx.post(node, json=request).json()["result"][6]

    signer = RemoteSigner(node, address, typed_data_method="eth_signTypedData_v4")
    with OuroClient(signer=signer) as client:
        client.chain.faucet("100")
        client.chain.wait_until_seen(client.chain.deposit("100"))
        print(f"{client.address} holds {client.account.subaccount().equity} USDC")
        print(f"cancelled {len(client.orders.cancel_all().cancelled)} orders")


if __name__ == "__main__":
    main()
