# SPDX-License-Identifier: Apache-2.0
"""A key from an encrypted file, as `ouro new-key` and most wallets write them."""

import json
import tempfile
from pathlib import Path

from eth_account import Account
from wallet import trader

from ouro.client import LocalSigner, OuroClient


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "key.json"
        path.write_text(json.dumps(Account.encrypt(bytes.fromhex(trader().key[2:]), "a password", iterations=1_024)))

        signer = LocalSigner.from_keystore(path, "a password")
        with OuroClient(signer=signer) as client:
            print(f"{client.address} holds {client.account.subaccount().equity} USDC")


if __name__ == "__main__":
    main()
