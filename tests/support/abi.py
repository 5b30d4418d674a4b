# SPDX-License-Identifier: AGPL-3.0-only
"""Calls, answers, reverts and logs by ABI."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, NamedTuple

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from tests.support.words import decode, encode

ERROR_SELECTOR = keccak(text="Error(string)")[:4]


class RawLog(NamedTuple):
    """A log as the chain gives it."""

    address: str
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True)
class Log:
    """A decoded log; `args` by the names of the ABI."""

    name: str
    address: str
    args: dict[str, Any]

    def __getattr__(self, field: str) -> Any:
        try:
            return self.args[field]
        except KeyError:
            raise AttributeError(field) from None


class RevertError(Exception):
    """A call that reverted. `reason` is the text of `Error(string)`, else "0x" and the raw bytes."""

    def __init__(self, data: bytes, reason: str | None = None):
        self.data = data
        self.reason = revert_reason(data) if reason is None else reason
        super().__init__(self.reason)


def revert_reason(data: bytes) -> str:
    if data[:4] == ERROR_SELECTOR:
        return str(decode(["string"], data[4:])[0])
    return "0x" + data.hex()


def _type(entry: dict[str, Any]) -> str:
    kind = str(entry["type"])
    if not kind.startswith("tuple"):
        return kind
    return "(" + ",".join(_type(part) for part in entry["components"]) + ")" + kind[5:]


def _blank(kind: str) -> Any:
    if kind.endswith("]"):
        return []
    if kind.startswith("("):
        return tuple(_blank(part) for part in _parts(kind))
    if kind.startswith("bytes"):
        return bytes(32) if kind == "bytes32" else b""
    return {"address": "0x" + "00" * 20, "bool": False, "string": ""}.get(kind, 0)


def _parts(kind: str) -> list[str]:
    """Of a tuple's type, which may hold tuples."""
    parts, depth = [""], 0
    for letter in kind[1:-1]:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


@lru_cache(maxsize=4_096)
def _checksum(address: str) -> str:
    return to_checksum_address(address)


def _checksummed(kinds: Sequence[str], values: Sequence[Any]) -> tuple[Any, ...]:
    out = []
    for kind, value in zip(kinds, values, strict=True):
        if kind == "address":
            value = _checksum(value)
        elif kind.startswith("(") and kind.endswith(")"):
            value = _checksummed(_parts(kind), value)
        out.append(value)
    return tuple(out)


class Function:
    """One function of an ABI."""

    def __init__(self, entry: dict[str, Any]):
        self.name = str(entry["name"])
        self.inputs = [_type(part) for part in entry["inputs"]]
        self.outputs = [_type(part) for part in entry["outputs"]]
        self.mutability = str(entry["stateMutability"])
        self.selector = keccak(text=f"{self.name}({','.join(self.inputs)})")[:4]

    def encode(self, args: Sequence[Any]) -> bytes:
        return self.selector + encode(self.inputs, args)

    def decode_arguments(self, data: bytes) -> tuple[Any, ...]:
        """Of a call, its selector taken off."""
        return decode(self.inputs, data)

    def blank(self) -> tuple[Any, ...]:
        """Arguments that say nothing, to see who may call at all."""
        return tuple(_blank(kind) for kind in self.inputs)

    def decode(self, data: bytes) -> Any:
        """One value bare, several as a tuple, addresses checksummed."""
        values = _checksummed(self.outputs, decode(self.outputs, data))
        return values[0] if len(values) == 1 else values


class Event:
    """One event of an ABI."""

    def __init__(self, entry: dict[str, Any]):
        self.name = str(entry["name"])
        kinds = [_type(part) for part in entry["inputs"]]
        self.topic = keccak(text=f"{self.name}({','.join(kinds)})")
        self.fields = [(str(p["name"]), k, bool(p["indexed"])) for p, k in zip(entry["inputs"], kinds, strict=True)]

    def decode(self, log: RawLog) -> Log:
        data = iter(decode([kind for _, kind, indexed in self.fields if not indexed], log.data))
        topics = iter(log.topics[1:])
        args: dict[str, Any] = {}
        for name, kind, indexed in self.fields:
            value = decode([kind], next(topics))[0] if indexed else next(data)
            args[name] = _checksum(value) if kind == "address" else value
        return Log(self.name, log.address, args)


class Abi:
    """The functions and events of one contract, or of several merged."""

    def __init__(self, *abis: Sequence[dict[str, Any]]):
        entries = [entry for abi in abis for entry in abi]
        self.functions = {e["name"]: Function(e) for e in entries if e["type"] == "function"}
        self.events = {event.topic: event for event in (Event(e) for e in entries if e["type"] == "event")}
        constructors = [e for e in entries if e["type"] == "constructor"]
        self.constructor = [_type(part) for part in constructors[0]["inputs"]] if constructors else []

    def encode_constructor(self, args: Sequence[Any]) -> bytes:
        return encode(self.constructor, args)

    def decode_log(self, log: RawLog) -> Log | None:
        """None for an event the ABI does not know."""
        event = self.events.get(log.topics[0]) if log.topics else None
        return None if event is None else event.decode(log)


@cache
def abi_of(*names: str) -> Abi:
    """The merged ABI of compiled contracts."""
    from tests.support.build import artifact

    return Abi(*(artifact(name).abi for name in names))
