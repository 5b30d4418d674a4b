# SPDX-License-Identifier: Apache-2.0
"""Who signs: a key in this process, a key file, a wallet that gets the JSON, or a signing service.

    OuroClient(signer=LocalSigner.from_keystore("key.json", password))

A `Signer` sees only what it signs. Whatever it answers is checked against what was asked before it goes anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import httpx
from eth_account import Account
from eth_account.signers.local import LocalAccount

from ouro import addresses, eip712, signing_service
from ouro.client.errors import SignerError


@dataclass(frozen=True)
class TypedMessage:
    """An EIP-712 message to sign; `digest` (32 bytes) is what the signature is over."""

    domain: eip712.Domain
    primary_type: str
    message: Mapping[str, Any]
    digest: bytes = field(repr=False)

    @classmethod
    def of(cls, domain: eip712.Domain, primary_type: str, message: Mapping[str, Any]) -> TypedMessage:
        """Raises `ValueError` for a field that is missing or does not fit."""
        return cls(domain, primary_type, message, eip712.digest(domain, primary_type, message))

    def typed_data(self) -> dict[str, Any]:
        """The very JSON that `eth_signTypedData_v4` takes."""
        return eip712.typed_data(self.domain, self.primary_type, self.message)


@runtime_checkable
class Signer(Protocol):
    """What a client needs of a key. Raise `SignerError` when there is no signature to be had."""

    @property
    def address(self) -> str:
        """The key's checksummed address."""

    def sign_message(self, message: TypedMessage) -> bytes:
        """65 bytes r ‖ s ‖ v over `message.digest`."""

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        """The raw signed transaction of type 2. Its fields are named as in JSON-RPC; numbers are ints."""


class LocalSigner:
    """A private key in this process."""

    def __init__(self, account: LocalAccount) -> None:
        self._account = account

    @classmethod
    def from_key(cls, key: str | bytes) -> LocalSigner:
        """Of 32 bytes, or their hex. Raises `SignerError`."""
        try:
            return cls(Account.from_key(key.strip() if isinstance(key, str) else key))
        except (ValueError, TypeError):
            # The original message would repeat the key.
            raise SignerError("this is no private key: 0x and 64 hexadecimal digits") from None

    @classmethod
    def from_keystore(cls, path: Path | str, password: str) -> LocalSigner:
        """Of an encrypted key file, as `ouro new-key` and most wallets write them. Raises `SignerError`."""
        try:
            record = json.loads(Path(path).read_text())
        except OSError as error:
            raise SignerError(f"cannot read the key file {path}: {error.strerror}") from None
        except ValueError:
            raise SignerError(f"{path} is not a key file") from None
        try:
            return cls(Account.from_key(Account.decrypt(record, password)))
        except (ValueError, KeyError, TypeError):
            raise SignerError(f"wrong password for {path}, or the file is damaged") from None

    @classmethod
    def create(cls) -> LocalSigner:
        """A new key, for a session or a try-out: nothing keeps it but `key`."""
        return cls(Account.create())

    @property
    def address(self) -> str:
        return str(self._account.address)

    @property
    def key(self) -> str:
        """The private key as 0x hex: a secret."""
        return "0x" + bytes(self._account.key).hex()

    def sign_message(self, message: TypedMessage) -> bytes:
        return eip712.sign(message.digest, bytes(self._account.key))

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        return bytes(self._account.sign_transaction(dict(transaction)).raw_transaction)

    def __repr__(self) -> str:
        return f"LocalSigner({self.address})"


class CallbackSigner:
    """A wallet that is shown what it signs, such as a hardware wallet: functions that take the JSON.

    `sign_typed_data` gets what `eth_signTypedData_v4` takes and answers 65 bytes or their hex. `sign_raw_transaction`
    gets a transaction and answers it signed; without one the wallet signs messages only.
    """

    def __init__(
        self,
        address: str,
        sign_typed_data: Callable[[dict[str, Any]], bytes | str],
        sign_raw_transaction: Callable[[dict[str, Any]], bytes | str] | None = None,
    ) -> None:
        """Raises `SignerError` for what is no address."""
        self._address = _address(address)
        self._sign_typed_data = sign_typed_data
        self._sign_raw_transaction = sign_raw_transaction

    @property
    def address(self) -> str:
        return self._address

    def sign_message(self, message: TypedMessage) -> bytes:
        return _raw(self._sign_typed_data(message.typed_data()))

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        if self._sign_raw_transaction is None:
            raise SignerError("this wallet signs messages only: pass it sign_raw_transaction to send transactions")
        return _raw(self._sign_raw_transaction(dict(transaction)))


class RemoteSigner:
    """A service that holds the key and speaks `eth_signTypedData` and `eth_signTransaction`, such as web3signer."""

    def __init__(
        self,
        url: str,
        address: str,
        *,
        typed_data_method: str = "eth_signTypedData",
        timeout_s: float = signing_service.TIMEOUT_S,
    ) -> None:
        """A user and a password may be in the URL. Nodes and some services call the method `eth_signTypedData_v4`.
        Raises `SignerError` for what is no address.
        """
        self._address = _address(address)
        self._url = url
        self._host = httpx.URL(url).host
        self._typed_data_method = typed_data_method
        self._timeout_s = timeout_s
        self._ids = count(1)

    @property
    def address(self) -> str:
        return self._address

    def sign_message(self, message: TypedMessage) -> bytes:
        return _raw(self._ask(self._typed_data_method, self._address, message.typed_data()))

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        asked = signing_service.transaction_parameter(self._address, transaction)
        return _raw(self._ask("eth_signTransaction", asked))

    def _ask(self, method: str, *parameters: Any) -> Any:
        request = signing_service.request(next(self._ids), method, *parameters)
        try:
            answer = httpx.post(self._url, json=request, timeout=self._timeout_s).json()
        except (httpx.HTTPError, ValueError) as error:
            # The URL may hold a password, and the error names the URL.
            raise SignerError(f"the signing service at {self._host} gave no answer: {type(error).__name__}") from None
        try:
            return signing_service.result(answer)
        except signing_service.ServiceRefusedError as refusal:
            raise SignerError(f"the signing service at {self._host} did not sign: {refusal}") from None

    def __repr__(self) -> str:
        return f"RemoteSigner({self._host}, {self._address})"


def checked_message(signer: Signer, message: TypedMessage) -> str:
    """The signature as 0x hex. Raises `SignerError` unless it is the signer's, over this very message."""
    raw = signing_service.with_recovery_byte(signer.sign_message(message))
    # What this process signs itself needs no proof, and a market maker no slower orders.
    if not isinstance(signer, LocalSigner):
        try:
            signed_by = eip712.recover(message.digest, raw)
        except eip712.SignatureError as error:
            raise SignerError(f"the signer of {signer.address} answered no signature: {error}") from None
        if signed_by != signer.address:
            raise SignerError(
                f"the signer of {signer.address} answered a signature that recovers to {signed_by}: it signed with "
                "another key, or something else than it was asked to"
            )
    return "0x" + raw.hex()


def checked_transaction(signer: Signer, transaction: Mapping[str, Any]) -> bytes:
    """The raw signed transaction. Raises `SignerError` unless it is what was asked for, signed by the signer."""
    raw = signer.sign_transaction(transaction)
    try:
        signed_by, differs = signing_service.examine(raw, transaction)
    except ValueError as error:
        raise SignerError(f"the signer of {signer.address} answered {error}") from None
    if differs or signed_by != signer.address:
        what = f"another {', '.join(differs)}" if differs else f"the key of {signed_by}"
        raise SignerError(f"the signer of {signer.address} signed a transaction with {what}")
    return raw


def _address(text: str) -> str:
    try:
        return addresses.parse(text)
    except ValueError as error:
        raise SignerError(f"the signer's address {text!r} {error}") from None


def _raw(answer: Any) -> bytes:
    try:
        return signing_service.raw_bytes(answer)
    except ValueError as error:
        raise SignerError(f"the signer answered {error}") from None
