# SPDX-License-Identifier: Apache-2.0
"""Two accounts of one key, with margin of their own, and money moved between them."""

from wallet import trader

from ouro.client import OuroClient


def main() -> None:
    with OuroClient(signer=trader()) as client:
        sent = client.chain.transfer("250", source=0, target=7)  # through the wallet: two transactions
        client.chain.wait_until_seen(sent)
        for subaccount in client.account.subaccounts():
            print(f"{subaccount.subaccount_number}: {subaccount.equity} USDC")
        client.chain.wait_until_seen(client.chain.transfer("250", source=7, target=0))


if __name__ == "__main__":
    main()
