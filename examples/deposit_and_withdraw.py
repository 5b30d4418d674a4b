# SPDX-License-Identifier: Apache-2.0
"""Money in; out at once, with the operator's consent; and out after a delay, with nobody's."""

from wallet import trader

from ouro.client import OuroClient


def main() -> None:
    with OuroClient(signer=trader()) as client:
        client.chain.faucet("500")  # local stack only
        sent = client.chain.deposit("500")
        print(f"deposited in block {sent.block_number}")
        client.chain.wait_until_seen(sent)

        client.chain.withdraw("100")
        print(f"the wallet holds {client.chain.wallet_usdc()} USDC")

        request = client.chain.request_withdrawal("50")
        print(f"withdrawal {request.id} may be executed by anybody from {request.ready_at} on")
        client.chain.cancel_withdrawal(request.id)  # instead of execute_withdrawal


if __name__ == "__main__":
    main()
