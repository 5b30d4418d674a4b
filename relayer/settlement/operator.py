# SPDX-License-Identifier: AGPL-3.0-only
"""The operator's key: signs settlement transactions and co-signs withdrawals. Nothing else sees it."""

import json
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from ouro import eip712
from ouro.errors import OuroError
from relayer.receipts import HeadSigner, LocalHeadSigner


class OperatorKeyError(OuroError):
    """There is no usable operator key."""


class Operator:
    """The account that `settle` accepts and that the Vault takes co-signatures of."""

    def __init__(self, account: LocalAccount, chain_id: int) -> None:
        self._account = account
        self._chain_id = chain_id

    @classmethod
    def load(cls, key: str, password: str, chain_id: int) -> "Operator":
        """From a private key in hex, or the path of a keystore file and its password. Raises OperatorKeyError."""
        if not key:
            raise OperatorKeyError(
                "no operator key: set OURO_OPERATOR_KEY to a private key in hex or to a keystore file"
            )
        path = Path(key)
        try:
            if not key.removeprefix("0x").isalnum() or path.is_file():
                secret = bytes(Account.decrypt(json.loads(path.read_text()), password))
            else:
                secret = bytes.fromhex(key.removeprefix("0x"))
            account: LocalAccount = Account.from_key(secret)
        except OSError as error:
            raise OperatorKeyError(f"the operator's keystore cannot be read: {error}") from None
        except (ValueError, KeyError, TypeError):
            # The reason could quote the key.
            raise OperatorKeyError(
                "the operator key is neither 32 bytes in hex nor a keystore with its password"
            ) from None
        return cls(account, chain_id)

    @property
    def address(self) -> str:
        """Checksummed."""
        return str(self._account.address)

    def cosign(self, digest: bytes) -> str:
        """The signature (65 bytes, 0x hex) over a digest that the owner has signed too."""
        return "0x" + eip712.sign(digest, bytes(self._account.key)).hex()

    def head_signer(self) -> HeadSigner:
        """Signs journal heads with this key."""
        return LocalHeadSigner(bytes(self._account.key))

    def sign_settlement(
        self, *, to: str, data: bytes, nonce: int, gas: int, max_fee_wei: int, priority_fee_wei: int
    ) -> bytes:
        """The raw EIP-1559 transaction."""
        signed = self._account.sign_transaction(
            {
                "type": 2,
                "chainId": self._chain_id,
                "to": HexBytes(to),
                "data": data,
                "value": 0,
                "nonce": nonce,
                "gas": gas,
                "maxFeePerGas": max_fee_wei,
                "maxPriorityFeePerGas": priority_fee_wei,
            }
        )
        return bytes(signed.raw_transaction)


def transaction_hash(raw: bytes) -> str:
    """The hash by which the chain will know a raw transaction."""
    return "0x" + keccak(raw).hex()
