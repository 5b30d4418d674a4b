# SPDX-License-Identifier: Apache-2.0
"""What every event has in common: where its log stands."""

import msgspec

from ouro.errors import OuroError


class LogError(OuroError, ValueError):
    """A log of one of our events that is not formed as one."""


class LogPosition(msgspec.Struct, frozen=True):
    """Where a log stands. Hashes are 0x hex; `block_time` (s) is None when the node does not tell."""

    block_number: int
    block_hash: str
    transaction_hash: str
    log_index: int
    address: str
    block_time: int | None = None


class Event(msgspec.Struct, frozen=True):
    """What happened, and where."""

    where: LogPosition
