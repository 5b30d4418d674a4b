# SPDX-License-Identifier: Apache-2.0
"""Raw logs to events, by readers made once from the signatures: no ABI is looked at while a log is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from ouro import addresses
from ouro.codec import (
    FeeTier,
    FillDetail,
    PositionWord,
    unpack_detail,
    unpack_key_markets,
    unpack_position,
    unpack_tier,
)
from ouro.eip712 import keccak
from ouro.events import exchange, others
from ouro.events.base import Event, LogError, LogPosition
from ouro.events.others import PriceSource
from ouro.events.signatures import SIGNATURES

_SIGN = 1 << 255
_WRAP = 1 << 256

Reader = Callable[[bytes, int], Any]
"""Reads one value out of a sequence of 32-byte words, of which one starts at the given place."""


def _uint(words: bytes, at: int) -> int:
    return int.from_bytes(words[at : at + 32], "big")


def _int(words: bytes, at: int) -> int:
    value = int.from_bytes(words[at : at + 32], "big")
    return value - _WRAP if value >= _SIGN else value


def _bool(words: bytes, at: int) -> bool:
    return words[at + 31] != 0


def _word(words: bytes, at: int) -> bytes:
    return words[at : at + 32]


def _address(words: bytes, at: int) -> str:
    return addresses.checksum(words[at + 12 : at + 32])


def _raw(data: bytes, at: int, item_length: int = 1) -> bytes:
    start = _uint(data, at) + 32
    length = _uint(data, start - 32) * item_length
    if start + length > len(data):
        raise LogError("a field of the log reaches beyond its data")
    return data[start : start + length]


def _text(data: bytes, at: int) -> str:
    return _raw(data, at).decode("utf-8", "replace")


def _tiers(data: bytes, at: int) -> tuple[FeeTier, ...]:
    words = _raw(data, at, 32)
    return tuple(unpack_tier(_uint(words, place)) for place in range(0, len(words), 32))


def _sources(data: bytes, at: int) -> tuple[PriceSource, ...]:
    words = _raw(data, at, 96)
    return tuple(
        PriceSource(_address(words, place), _word(words, place + 32), _uint(words, place + 64))
        for place in range(0, len(words), 96)
    )


def _markets(words: bytes, at: int) -> tuple[int, ...]:
    return unpack_key_markets(_uint(words, at))


def _detail(words: bytes, at: int) -> FillDetail:
    return unpack_detail(_uint(words, at))


def _position(words: bytes, at: int) -> PositionWord:
    return unpack_position(_uint(words, at))


_READERS: Final[Mapping[str, Reader]] = {
    "uint256": _uint,
    "int256": _int,
    "bool": _bool,
    "bytes32": _word,
    "address": _address,
    "string": _text,
    "bytes": _raw,
    "uint256[]": _tiers,
    "(address,bytes32,uint256)[]": _sources,
}
_PACKED: Final[Mapping[str, Reader]] = {
    "Fill.detail": _detail,
    "Fill.taker_position": _position,
    "Fill.maker_position": _position,
    "Liquidated.position": _position,
    "Liquidated.liquidator_position": _position,
    "Deleveraged.position": _position,
    "CloseExecuted.position": _position,
    "HandedOver.position": _position,
    "SessionKeyRegistered.markets": _markets,
}


_COMMA = re.compile(r",(?![^(]*\))")
"""Between two fields, not within a tuple."""


class _Decoder:
    """Reads the logs of one event: indexed fields from the topics, the others from the data, in declared order."""

    __slots__ = ("_data_length", "_fields", "_kind", "_topics", "name", "topic")

    def __init__(self, signature: str) -> None:
        self.name, _, inner = signature.removesuffix(")").partition("(")
        self._kind: type[Event] = getattr(exchange, self.name, None) or getattr(others, self.name)
        fields: list[tuple[bool, Reader, int]] = []
        kinds = []
        indexed = plain = 0
        for kind, *rest in (field.split(" ") for field in _COMMA.split(inner)):
            kinds.append(kind)
            reader = _PACKED.get(f"{self.name}.{rest[-1]}", _READERS[kind])
            if rest[0] == "indexed":
                fields.append((True, reader, 32 * indexed))
                indexed += 1
            else:
                fields.append((False, reader, 32 * plain))
                plain += 1
        self._fields = tuple(fields)
        self._topics = indexed + 1
        self._data_length = 32 * plain
        self.topic = keccak(f"{self.name}({','.join(kinds)})".encode())

    def decode(self, where: LogPosition, topics: list[bytes], data: bytes) -> Event:
        if len(topics) != self._topics or len(data) < self._data_length:
            raise LogError(
                f"a log in transaction {where.transaction_hash} has the topic of {self.name} but another shape"
            )
        indexed = b"".join(topics[1:])
        return self._kind(where, *[read(indexed if is_topic else data, at) for is_topic, read, at in self._fields])


_DECODERS: Final = {decoder.topic: decoder for decoder in map(_Decoder, SIGNATURES)}


def topics() -> list[str]:
    """The first topics of all events, 0x hex, for a log filter."""
    return ["0x" + topic.hex() for topic in _DECODERS]


def decode_log(log: Mapping[str, Any]) -> Event | None:
    """The event of a raw log, or None when it is none of ours. Raises `LogError` for one that is malformed.

    Whether the log comes from one of our contracts is the caller's to filter (by address).
    """
    try:
        found = [_bytes(topic) for topic in log["topics"]]
        decoder = _DECODERS.get(found[0]) if found else None
        if decoder is None:
            return None
        time = log.get("blockTimestamp")
        where = LogPosition(
            _number(log["blockNumber"]),
            _hex(log["blockHash"]),
            _hex(log["transactionHash"]),
            _number(log["logIndex"]),
            addresses.parse(log["address"]),
            None if time is None else _number(time),
        )
        data = _bytes(log["data"])
    except ValueError as error:
        raise LogError(f"a log cannot be read: {error}") from error
    return decoder.decode(where, found, data)


def _bytes(value: str | bytes) -> bytes:
    return bytes.fromhex(value[2:]) if isinstance(value, str) else bytes(value)


def _hex(value: str | bytes) -> str:
    return value if isinstance(value, str) else "0x" + bytes(value).hex()


def _number(value: str | int) -> int:
    return int(value, 16) if isinstance(value, str) else value
