# SPDX-License-Identifier: Apache-2.0
"""An account whose money goes to one address only, and never without somebody else's consent."""

from ouro.client import LocalSigner, OuroClient, TransactionError


def main() -> None:
    owner, approver, safe = LocalSigner.create(), LocalSigner.create(), LocalSigner.create().address
    with OuroClient(signer=owner) as client:
        client.chain.faucet("1000")
        client.chain.wait_until_seen(client.chain.deposit("1000"))
        client.chain.set_withdrawal_rules(destination=safe, approver=approver.address)
        print(client.chain.withdrawal_rules())

        try:
            client.chain.withdraw("100", to=safe)
        except TransactionError as error:
            print(f"without the approver: {error}")
        client.chain.withdraw("100", to=safe, approver=approver)
        print("with his signature it is paid")


if __name__ == "__main__":
    main()
