# SPDX-License-Identifier: AGPL-3.0-only
"""What the routes answer, as types: the API's description is made from them, and tests hold answers to it.

Sizes are lots, prices micro-USDC per lot. Keys that are not named here may be added.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from relayer.core.outputs import OrderState
from relayer.publication import SegmentInfo


class ReceiptAnswer(msgspec.Struct, rename="camel"):
    """The operator's signed word that the command has its place in the journal. Hashes and bytes are 0x hex."""

    seq: int
    first_seq: int
    count: int
    path: list[str]
    state_hash: str
    before: str
    signature: str
    record: str | UnsetType = UNSET
    leaf: str | UnsetType = UNSET


class PlacedAnswer(msgspec.Struct, rename="camel"):
    """An accepted order right after it was matched; `filled` is in lots."""

    id: str
    client_id: str
    status: str
    filled: str
    seq: int
    reason: str | UnsetType = UNSET
    receipt: ReceiptAnswer | UnsetType = UNSET


class CancelledAnswer(msgspec.Struct, rename="camel"):
    """What a cancel took away; the first four only for one order."""

    seq: int
    id: str | UnsetType = UNSET
    client_id: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    filled: str | UnsetType = UNSET
    cancelled: list[str] | UnsetType = UNSET
    receipt: ReceiptAnswer | UnsetType = UNSET


class Problem(msgspec.Struct):
    """A sentence for people, and the field that was at fault."""

    msg: str
    param: str | UnsetType = UNSET


class ErrorAnswer(msgspec.Struct, rename="camel"):
    """A refusal; `error_code` is stable. Some tell more, such as `free_slots`, or `recovered` and `digest`."""

    errors: list[Problem]
    error_code: str
    id: str | UnsetType = UNSET
    seq: int | UnsetType = UNSET
    free_slots: list[int] | UnsetType = UNSET
    next_revision: int | UnsetType = UNSET
    recovered: str | UnsetType = UNSET
    digest: str | UnsetType = UNSET
    first_seq: int | UnsetType = UNSET
    receipt: ReceiptAnswer | UnsetType = UNSET


class PlacedItem(msgspec.Struct):
    """The HTTP status and the body that one order of a batch would have been answered with alone."""

    status: int
    body: dict[str, Any]


class CancelledItem(msgspec.Struct):
    """The HTTP status and the body that one cancel of a batch would have been answered with alone."""

    status: int
    body: dict[str, Any]


class PlacedBatchAnswer(msgspec.Struct):
    """An answer for each order, in order."""

    results: list[PlacedItem]


class CancelledBatchAnswer(msgspec.Struct):
    """An answer for each cancel, in order."""

    results: list[CancelledItem]


class OrderAnswer(OrderState, frozen=True, rename="camel"):
    """An order as it stands, and the newest record of the log by then."""

    seq: int = 0


class CosignedAnswer(msgspec.Struct):
    """The operator's signature under a withdrawal."""

    cosignature: str
    seq: int
    receipt: ReceiptAnswer | UnsetType = UNSET


class FoundReceipt(msgspec.Struct):
    """A receipt by the number of its record."""

    receipt: ReceiptAnswer


class SegmentsAnswer(msgspec.Struct, rename="camel"):
    """What of the journal is published: records up to `upTo`, `delaySeconds` after they were written."""

    delay_seconds: int
    up_to: int
    segments: list[SegmentInfo]


class HealthAnswer(msgspec.Struct):
    """The process is up."""

    status: str


class ReadyAnswer(msgspec.Struct, rename="camel"):
    """Whether orders are taken, and why not."""

    ready: bool
    reason: str | UnsetType = UNSET
    height: str | UnsetType = UNSET
    seq: int | UnsetType = UNSET
    unsettled_fills: int | UnsetType = UNSET
    batches_in_flight: int | UnsetType = UNSET
