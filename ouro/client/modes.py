# SPDX-License-Identifier: Apache-2.0
"""Blocking and awaited: how one list of methods serves both kinds of client."""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar

from ouro.client.calls import Flow
from ouro.client.session import Session
from ouro.client.stream import AsyncStream, Stream

K = TypeVar("K")


class Blocking:
    """Marks what waits until it is done."""


class Awaited:
    """Marks what is to be awaited."""


class Driver(Protocol):
    """A client: who carries flows out."""

    session: Session
    stream_type: type[Stream | AsyncStream]
    open_streams: set[AsyncStream]

    def run(self, flow: Flow[Any]) -> Any:
        """The result, or of an asynchronous client what is to be awaited."""


class Namespace(Generic[K]):
    """Some of a client's methods. `K` is `Blocking` or `Awaited`."""

    def __init__(self, client: Driver) -> None:
        self._client = client
