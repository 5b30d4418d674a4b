# SPDX-License-Identifier: Apache-2.0
"""Client SDK: blocking and asynchronous clients, signers, streams."""

from ouro.client.building import Conditions, OrderOptions, SignedOrder
from ouro.client.composed import Bracket, TrailingStop
from ouro.client.config import ClientConfig
from ouro.client.contracts import Sent
from ouro.client.errors import (
    BadRequestError,
    BadSignatureError,
    ClientError,
    ConflictError,
    InsufficientMarginError,
    MarketClosedError,
    NoAccountError,
    NoPositionError,
    NotFilledError,
    NotFoundError,
    OrderRuleError,
    RateLimitedError,
    RefusedError,
    SessionKeyError,
    SignerError,
    SlotTakenError,
    StreamGapError,
    TransactionError,
    UnavailableError,
    UnreachableError,
    WrongNetworkError,
)
from ouro.client.http import AsyncOuroClient, OuroClient
from ouro.client.models import PlacedOrder
from ouro.client.money import Withdrawal, WithdrawalRequest, WithdrawalRules
from ouro.client.networks import LOCAL, Network
from ouro.client.placing import Outcome
from ouro.client.session_keys import SessionKeyScope, SignedSessionKey
from ouro.client.signers import CallbackSigner, LocalSigner, RemoteSigner, Signer, TypedMessage
from ouro.client.stream import AsyncStream, LocalBook, Stream, StreamEvent
from ouro.client.ws import AccountUpdate, IndexPrice, TapeUpdate

__all__ = [
    "LOCAL",
    "AccountUpdate",
    "AsyncOuroClient",
    "AsyncStream",
    "BadRequestError",
    "BadSignatureError",
    "Bracket",
    "CallbackSigner",
    "ClientConfig",
    "ClientError",
    "Conditions",
    "ConflictError",
    "IndexPrice",
    "InsufficientMarginError",
    "LocalBook",
    "LocalSigner",
    "MarketClosedError",
    "Network",
    "NoAccountError",
    "NoPositionError",
    "NotFilledError",
    "NotFoundError",
    "OrderOptions",
    "OrderRuleError",
    "OuroClient",
    "Outcome",
    "PlacedOrder",
    "RateLimitedError",
    "RefusedError",
    "RemoteSigner",
    "Sent",
    "SessionKeyError",
    "SessionKeyScope",
    "SignedOrder",
    "SignedSessionKey",
    "Signer",
    "SignerError",
    "SlotTakenError",
    "Stream",
    "StreamEvent",
    "StreamGapError",
    "TapeUpdate",
    "TrailingStop",
    "TransactionError",
    "TypedMessage",
    "UnavailableError",
    "UnreachableError",
    "Withdrawal",
    "WithdrawalRequest",
    "WithdrawalRules",
    "WrongNetworkError",
]
