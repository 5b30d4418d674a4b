# SPDX-License-Identifier: AGPL-3.0-only
"""Where the operator's key is: in this process, from hex or an encrypted keystore, or behind a signing service."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import httpx
import msgspec
from eth_account import Account
from eth_account.signers.local import LocalAccount

from ouro import eip712, signing_service
from ouro.async_http import AsyncClient
from ouro.errors import OuroError


class OperatorKeyError(OuroError):
    """There is no usable operator key."""


class SignerError(Exception):
    """The signing service does not sign now, or not what it was asked to."""


class Transaction(msgspec.Struct, frozen=True):
    """An EIP-1559 transaction without its signature; fees in wei per gas."""

    chain_id: int
    to: str
    data: bytes
    nonce: int
    gas: int
    max_fee_wei: int
    priority_fee_wei: int


class Signer(Protocol):
    """Who signs for the operator. Both raise SignerError."""

    @property
    def address(self) -> str:
        """Checksummed."""

    async def sign_typed(self, domain: eip712.Domain, primary_type: str, message: Mapping[str, Any]) -> bytes:
        """r, s and v over an EIP-712 message of `ouro.eip712.TYPES`."""

    async def sign_transaction(self, transaction: Transaction) -> bytes:
        """The raw transaction."""

    def secret(self) -> bytes:
        """The key itself. Raises OperatorKeyError where it is not in this process."""

    async def close(self) -> None:
        """Lets go of connections."""


class LocalSigner:
    """The key is in this process."""

    def __init__(self, account: LocalAccount) -> None:
        self._account = account

    @classmethod
    def load(cls, key: str, password: str) -> LocalSigner:
        """From a private key in hex, or the path of a keystore file and its password. Raises OperatorKeyError."""
        if not key:
            raise OperatorKeyError(
                "no operator key: set OURO_OPERATOR_KEY to a private key in hex or to a keystore file, or "
                "OURO_OPERATOR_SIGNER_URL to a signing service"
            )
        path = Path(key)
        try:
            if not key.removeprefix("0x").isalnum() or path.is_file():
                secret = bytes(Account.decrypt(json.loads(path.read_text()), password))
            else:
                secret = bytes.fromhex(key.removeprefix("0x"))
            return cls(Account.from_key(secret))
        except OSError as error:
            raise OperatorKeyError(f"the operator's keystore cannot be read: {error}") from None
        except (ValueError, KeyError, TypeError):
            # The reason could quote the key.
            raise OperatorKeyError(
                "the operator key is neither 32 bytes in hex nor a keystore with its password"
            ) from None

    @property
    def address(self) -> str:
        """Checksummed."""
        return str(self._account.address)

    async def sign_typed(self, domain: eip712.Domain, primary_type: str, message: Mapping[str, Any]) -> bytes:
        """As the protocol says; never fails."""
        return eip712.sign(eip712.digest(domain, primary_type, message), bytes(self._account.key))

    async def sign_transaction(self, transaction: Transaction) -> bytes:
        """As the protocol says; never fails."""
        return bytes(self._account.sign_transaction(_fields(transaction)).raw_transaction)

    def secret(self) -> bytes:
        """As the protocol says."""
        return bytes(self._account.key)

    async def close(self) -> None:
        """Nothing to let go of."""


class RemoteSigner:
    """The key is behind a service that speaks `eth_signTransaction` and `eth_signTypedData`, such as web3signer.

    What it signs is checked: it is a signature of the operator, over the very thing that was asked for.
    """

    def __init__(self, url: str, address: str) -> None:
        self.address = address
        self._client = AsyncClient(timeout=signing_service.TIMEOUT_S)
        self._url = url
        # A user and password may be in the URL.
        self._host = httpx.URL(url).host
        self._ids = count(1)

    async def sign_typed(self, domain: eip712.Domain, primary_type: str, message: Mapping[str, Any]) -> bytes:
        """As the protocol says."""
        typed = eip712.typed_data(domain, primary_type, {name: _plain(value) for name, value in message.items()})
        answer = await self._ask("eth_signTypedData", self.address, typed)
        try:
            signature = signing_service.with_recovery_byte(signing_service.raw_bytes(answer))
            signer = eip712.recover(eip712.digest(domain, primary_type, message), signature)
        except ValueError as error:
            raise SignerError(f"the signing service at {self._host} answered no signature: {error}") from None
        if signer != self.address:
            raise SignerError(f"the signing service at {self._host} signed as {signer}, not as {self.address}")
        return signature

    async def sign_transaction(self, transaction: Transaction) -> bytes:
        """As the protocol says."""
        wanted = _fields(transaction)
        asked = {name: value for name, value in wanted.items() if name not in ("type", "chainId")}
        answer = await self._ask("eth_signTransaction", signing_service.transaction_parameter(self.address, asked))
        try:
            raw = signing_service.raw_bytes(answer)
            signer, differs = signing_service.examine(raw, wanted)
        except ValueError:
            raise SignerError(f"the signing service at {self._host} answered no transaction that can be read") from None
        if differs or signer != self.address:
            what = f"other {', '.join(differs)}" if differs else f"the key of {signer}"
            raise SignerError(f"the signing service at {self._host} signed with {what} than asked for")
        return raw

    def secret(self) -> bytes:
        """Always raises OperatorKeyError."""
        raise OperatorKeyError(
            "the operator's key is behind a signing service, which is too slow for every group of the journal: set "
            "OURO_RECEIPT_KEY to another key, which then signs the journal's heads"
        )

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    async def _ask(self, method: str, *params: Any) -> Any:
        body = signing_service.request(next(self._ids), method, *params)
        try:
            response = await self._client.post(
                self._url, content=msgspec.json.encode(body), headers={"content-type": "application/json"}
            )
            answer = msgspec.json.decode(response.content)
        except (httpx.HTTPError, ValueError, RecursionError) as error:
            raise SignerError(f"the signing service at {self._host} does not answer: {type(error).__name__}") from None
        try:
            return signing_service.result(answer)
        except signing_service.ServiceRefusedError as refusal:
            raise SignerError(f"the signing service at {self._host} refused {method}: {refusal}") from None


def _fields(transaction: Transaction) -> dict[str, Any]:
    """As in JSON-RPC; numbers are ints."""
    return {
        "type": 2,
        "chainId": transaction.chain_id,
        "to": transaction.to,
        "data": "0x" + transaction.data.hex(),
        "value": 0,
        "nonce": transaction.nonce,
        "gas": transaction.gas,
        "maxFeePerGas": transaction.max_fee_wei,
        "maxPriorityFeePerGas": transaction.priority_fee_wei,
    }


def _plain(value: Any) -> Any:
    """A field as JSON has it: bytes in hex, numbers that JavaScript would round as text."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1 << 53:
        return str(value)
    return value
