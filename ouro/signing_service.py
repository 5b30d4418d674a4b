# SPDX-License-Identifier: Apache-2.0
"""What a signing service such as web3signer is asked over JSON-RPC, and what its answers are worth: without the I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from ouro.errors import OuroError

TIMEOUT_S = 10.0
_QUANTITIES = frozenset(("value", "nonce", "gas", "maxFeePerGas", "maxPriorityFeePerGas", "chainId"))


class ServiceRefusedError(OuroError):
    """The service answered, but with no result; the text is its own reason."""


def request(number: int, method: str, *parameters: Any) -> dict[str, Any]:
    """The JSON-RPC request."""
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": list(parameters)}


def result(answer: Any) -> Any:
    """The result in a decoded JSON-RPC answer. Raises `ServiceRefusedError`."""
    if isinstance(answer, dict) and answer.get("error") is None and "result" in answer:
        return answer["result"]
    fault = answer.get("error") if isinstance(answer, dict) else None
    reason = fault.get("message") if isinstance(fault, dict) else None
    raise ServiceRefusedError(str(reason or "its answer is none")[:200])


def transaction_parameter(address: str, transaction: Mapping[str, Any]) -> dict[str, Any]:
    """What `eth_signTransaction` takes, of a transaction with the names of JSON-RPC and ints as numbers."""
    asked = {name: hex(value) if name in _QUANTITIES else value for name, value in transaction.items()}
    return asked | {"from": address}


def raw_bytes(answer: Any) -> bytes:
    """The bytes that a service answers, as such or in hex; a raw transaction may be wrapped, as geth and clef do.
    Raises `ValueError`.
    """
    if isinstance(answer, bytes):
        return bytes(answer)
    text = answer.get("raw") if isinstance(answer, dict) else answer
    try:
        return bytes.fromhex(str(text).removeprefix("0x"))
    except ValueError:
        raise ValueError("neither bytes nor hexadecimal digits") from None


def with_recovery_byte(signature: bytes) -> bytes:
    """A signature of 65 bytes with v of 27 or 28: some services count v from 0."""
    if len(signature) == 65 and signature[64] < 27:
        return signature[:64] + bytes((signature[64] + 27,))
    return signature


def examine(raw: bytes, wanted: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Who signed a raw transaction, and the names of the fields in which it is another than `wanted`. Raises
    `ValueError` for what is no transaction.
    """
    try:
        signed = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
        signer = str(Account.recover_transaction(HexBytes(raw)))
    except Exception:  # noqa: BLE001
        # The decoders raise whatever comes first; all of it means the same.
        raise ValueError("no transaction that can be read") from None
    differs = [name for name, value in wanted.items() if name != "type" and not _same(signed.get(name), value)]
    if signed.get("accessList"):
        differs.append("accessList")
    return signer, differs


def _same(signed: Any, wanted: Any) -> bool:
    if isinstance(wanted, str):
        found = "0x" + bytes(signed).hex() if isinstance(signed, bytes) else str(signed)
        return found.lower() == wanted.lower()
    return bool(signed == wanted)
