# SPDX-License-Identifier: Apache-2.0
"""Client SDK: blocking and asynchronous HTTP clients, and the stream."""

from ouro.client.composed import Bracket, TrailingStop
from ouro.client.config import ClientConfig
from ouro.client.errors import (
    BadRequestError,
    BadSignatureError,
    ClientError,
    ConflictError,
    InsufficientMarginError,
    NoAccountError,
    NotFoundError,
    RateLimitedError,
    RefusedError,
    SlotTakenError,
    StreamGapError,
    UnavailableError,
    UnreachableError,
)
from ouro.client.http import AsyncOuroClient, OuroClient
from ouro.client.stream import AsyncStream, LocalBook, Stream, StreamEvent
from ouro.client.trading import Conditions, SignedOrder, Withdrawal

__all__ = [
    "AsyncOuroClient",
    "AsyncStream",
    "BadRequestError",
    "BadSignatureError",
    "Bracket",
    "ClientConfig",
    "ClientError",
    "Conditions",
    "ConflictError",
    "InsufficientMarginError",
    "LocalBook",
    "NoAccountError",
    "NotFoundError",
    "OuroClient",
    "RateLimitedError",
    "RefusedError",
    "SignedOrder",
    "SlotTakenError",
    "Stream",
    "StreamEvent",
    "StreamGapError",
    "TrailingStop",
    "UnavailableError",
    "UnreachableError",
    "Withdrawal",
]
