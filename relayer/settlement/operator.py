# SPDX-License-Identifier: AGPL-3.0-only
"""The operator: signs settlement transactions and co-signs withdrawals, wherever its key is."""

from collections.abc import Mapping
from typing import Any

from eth_utils.crypto import keccak

from ouro.eip712 import Domain
from relayer.core.inputs import ReserveWithdrawal
from relayer.receipts import HeadSigner, LocalHeadSigner
from relayer.settlement.signers import LocalSigner, OperatorKeyError, RemoteSigner, Signer, Transaction

__all__ = ["Operator", "OperatorKeyError", "transaction_hash"]


class Operator:
    """The account that `settle` accepts and that the Vault takes co-signatures of. All signing raises SignerError."""

    def __init__(self, signer: Signer, chain_id: int) -> None:
        self._signer = signer
        self._chain_id = chain_id

    @classmethod
    def load(cls, key: str, password: str, chain_id: int, *, signer_url: str = "", address: str = "") -> "Operator":
        """From a private key in hex, or the path of a keystore file and its password, or the URL of a signing service
        that has the key of `address`. Raises OperatorKeyError.
        """
        signer: Signer = RemoteSigner(signer_url, address) if signer_url else LocalSigner.load(key, password)
        return cls(signer, chain_id)

    @property
    def address(self) -> str:
        """Checksummed."""
        return self._signer.address

    async def sign_typed(self, domain: Domain, primary_type: str, message: Mapping[str, Any]) -> bytes:
        """r, s and v (65 bytes) over an EIP-712 message."""
        return await self._signer.sign_typed(domain, primary_type, message)

    def head_signer(self) -> HeadSigner:
        """Signs journal heads with this key. Raises OperatorKeyError when the key is not in this process."""
        return LocalHeadSigner(self._signer.secret())

    async def cosign(self, vault: Domain, item: ReserveWithdrawal) -> str:
        """The signature (65 bytes, 0x hex) over a withdrawal that its owner has signed too."""
        message = {
            "account": item.account,
            "subaccount": item.subaccount,
            "amount": item.amount,
            "to": item.to,
            "nonce": item.nonce,
            "deadline": item.deadline,
        }
        return "0x" + (await self.sign_typed(vault, "Withdrawal", message)).hex()

    async def sign_settlement(
        self, *, to: str, data: bytes, nonce: int, gas: int, max_fee_wei: int, priority_fee_wei: int
    ) -> bytes:
        """The raw EIP-1559 transaction."""
        return await self._signer.sign_transaction(
            Transaction(self._chain_id, to, data, nonce, gas, max_fee_wei, priority_fee_wei)
        )

    async def close(self) -> None:
        """Lets go of connections."""
        await self._signer.close()


def transaction_hash(raw: bytes) -> str:
    """The hash by which the chain will know a raw transaction."""
    return "0x" + keccak(raw).hex()
