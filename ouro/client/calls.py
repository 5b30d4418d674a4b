# SPDX-License-Identifier: Apache-2.0
"""What a client does, without doing it: requests, signatures and pauses.

A *flow* is a generator that yields such effects, receives their results and returns its own. It does no I/O, so one
flow serves the blocking and the asynchronous client alike.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec

from ouro.client.errors import UnreachableError, refusal

T = TypeVar("T")
R = TypeVar("R")

Query: TypeAlias = Mapping[str, str | int | bool | Decimal | datetime | Sequence[str] | None]


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request: method, path below the base URL (or a whole URL), query, body, headers, type of the answer."""

    method: str
    path: str
    answer: type[T]
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def parse(self, status: int, content: bytes, retry_after: str | None = None) -> T:
        """The typed answer. Raises `RefusedError` for a status from 400 up, `UnreachableError` for foreign content."""
        try:
            decoded = msgspec.json.decode(content)
        except msgspec.DecodeError as error:
            if status >= 400:
                raise refusal(status, None, retry_after) from None
            raise UnreachableError(f"{self.method} {self.path} did not answer with JSON: {error}") from None
        if status >= 400:
            raise refusal(status, decoded, retry_after)
        try:
            return msgspec.convert(decoded, self.answer, strict=False)
        except msgspec.ValidationError as error:
            raise UnreachableError(f"the answer to {self.method} {self.path} has another shape: {error}") from None


@dataclass(frozen=True)
class Pause:
    """Wait so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Work(Generic[T]):
    """A signature. One that is not `quick` asks a device or a service; an event loop must not wait for that."""

    carry_out: Callable[[], T]
    quick: bool


Effect: TypeAlias = Call[Any] | Pause | Work[Any]
Flow: TypeAlias = Generator[Effect, Any, R]


def one(call: Call[T]) -> Generator[Effect, Any, T]:
    """The flow of a single call."""
    answer: T = yield call
    return answer


def offline(flow: Generator[Effect, Any, R]) -> R:
    """Carry out a flow that does nothing but sign."""
    try:
        effect = next(flow)
        while True:
            assert isinstance(effect, Work), effect
            effect = flow.send(effect.carry_out())
    except StopIteration as done:
        value: R = done.value
        return value


def query(parameters: Query) -> dict[str, str]:
    """Query parameters as strings: lists by comma, plain decimals, ISO times; those that are None are left out."""
    return {name: _text(value) for name, value in parameters.items() if value is not None}


def _text(value: str | int | bool | Decimal | datetime | Sequence[str]) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, str | int):
        return str(value)
    return ",".join(value)
