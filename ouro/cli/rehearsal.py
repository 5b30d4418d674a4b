# SPDX-License-Identifier: Apache-2.0
"""`--dry-run`: the same work as without it, up to the first thing that would be sent. Nothing leaves but reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ouro.client import LocalSigner, OuroClient
from ouro.client.calls import Call as Request
from ouro.client.calls import Effect
from ouro.client.networks import Network
from ouro.client.signers import TypedMessage
from ouro.urls import shown

_READING_POSTS = ("/v4/orders/verify",)
_WRITING_RPC = frozenset(("eth_sendRawTransaction", "anvil_setBalance"))


class RehearsedError(Exception):
    """The point at which something would have been sent. `record` is what would be signed and sent, as JSON."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        super().__init__("nothing was sent")
        self.record = record


class Note:
    """A signer that keeps what it signs."""

    def __init__(self, signer: LocalSigner) -> None:
        self._signer = signer
        self.messages: list[Mapping[str, Any]] = []
        self.transactions: list[Mapping[str, Any]] = []

    @property
    def address(self) -> str:
        return self._signer.address

    def sign_message(self, message: TypedMessage) -> bytes:
        self.messages.append({"type": message.primary_type, "message": dict(message.message)})
        return self._signer.sign_message(message)

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        self.transactions.append(dict(transaction))
        return self._signer.sign_transaction(transaction)


class RehearsingClient(OuroClient):
    """A client that reads and signs as always, and raises `RehearsedError` instead of sending anything."""

    def __init__(self, exchange: Network, signer: LocalSigner, *, owner: str | None = None) -> None:
        self.note = Note(signer)
        super().__init__(exchange, self.note, owner=owner, strict=True)

    def _carry_out(self, effect: Effect) -> Any:
        if isinstance(effect, Request) and _changes_something(effect):
            raise RehearsedError(self._record(effect))
        return super()._carry_out(effect)

    def _record(self, call: Request[Any]) -> Mapping[str, Any]:
        # Signatures stay out: what was only rehearsed must not be there to be sent by somebody else.
        record: dict[str, Any] = {"dryRun": True, "signs": list(self.note.messages)}
        if call.body and call.body.get("method") == "eth_sendRawTransaction":
            record["transaction"] = self.note.transactions[-1]
            record["to"] = shown(call.path)
        elif "://" in call.path:
            record["to"], record["method"] = shown(call.path), (call.body or {}).get("method", call.method)
        else:
            record["to"], record["method"] = self.base_url + call.path, call.method
            record["body"] = _without_signatures(call.body)
        return record


def _changes_something(call: Request[Any]) -> bool:
    if call.method == "GET":
        return False
    if "://" in call.path:
        return call.body is None or call.body.get("method") in _WRITING_RPC
    return call.path not in _READING_POSTS


def _without_signatures(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            name: "(not shown)" if name.lower().endswith("signature") else _without_signatures(part)
            for name, part in value.items()
        }
    if isinstance(value, list | tuple):
        return [_without_signatures(each) for each in value]
    return value
