# SPDX-License-Identifier: AGPL-3.0-only
"""What the routes work with."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket

from ouro.receipts import to_json
from relayer.api.errors import ApiError
from relayer.api.intake import Intake
from relayer.api.limits import Limits, Meter
from relayer.api.verifying import Verifier
from relayer.core.outputs import Ack
from relayer.engine import Engine
from relayer.publication import Publisher
from relayer.receipts import Receipts
from relayer.settlement.operator import Operator


@dataclass(frozen=True)
class Venue:
    """One relayer as its API sees it. `why_not_ready` says why no orders are taken, empty when they are; `warnings`
    what a person should look at all the same.
    """

    engine: Engine
    intake: Intake
    verifier: Verifier
    operator: Operator
    receipts: Receipts
    publisher: Publisher
    limits: Limits
    why_not_ready: Callable[[], str]
    warnings: Callable[[], list[str]]
    events_token: str = ""
    streams: set[WebSocket] = field(default_factory=set)
    publishing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def receipt(self, ack: Ack) -> dict[str, Any]:
        """What to add to an answer: the receipt for the command's record, if its head could be signed."""
        receipt = self.receipts.of(ack.input_seq)
        return {} if receipt is None else {"receipt": to_json(receipt)}

    def need_ready(self) -> None:
        """For what may open risk. Raises ApiError 503."""
        reason = self.why_not_ready()
        if reason:
            raise ApiError(503, "not_ready", f"orders are not taken now: {reason}; try again shortly")
        if not self.engine.journal.has_room():
            raise ApiError(
                503, "disk_full", "orders are not taken now: the journal's disk is nearly full; cancels pass"
            )

    def need_running(self) -> None:
        """For what only lowers risk. Raises ApiError 503."""
        if not self.engine.running:
            raise ApiError(503, "not_ready", "the relayer is starting or stopping; try again shortly")


def venue_of(connection: HTTPConnection) -> Venue:
    """The venue of a request."""
    venue: Venue = connection.app.state.venue
    return venue


def meter_of(connection: HTTPConnection) -> Meter:
    """The meter of a request."""
    meter: Meter = connection.scope["ouro.meter"]
    return meter
