# SPDX-License-Identifier: AGPL-3.0-only
"""Refusals as people and programs get them: a sentence, the field, a stable code."""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from relayer.core.outputs import Ack

JSON = "application/json"

_encoder = msgspec.json.Encoder()


class ApiError(Exception):
    """Answered as `status` with `{"errors": [{"msg", "param"}], "errorCode"}`; `extra` are further keys of the body."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        param: str = "",
        extra: Mapping[str, Any] | None = None,
        *,
        retry_after_s: int = 1,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.extra = dict(extra or {})
        self.retry_after_s = retry_after_s

    def body(self) -> dict[str, Any]:
        """The error as JSON."""
        error = {"msg": self.message} | ({"param": self.param} if self.param else {})
        return {"errors": [error], "errorCode": self.code, **self.extra}

    def response(self) -> Response:
        """The HTTP answer."""
        headers = {"Retry-After": str(self.retry_after_s)} if self.status in (429, 503) else None
        return answer(self.status, self.body(), headers)


def refusal_of(ack: Ack, extra: Mapping[str, Any] | None = None) -> ApiError:
    """The core's refusal as an answer, with `extra` keys in its body."""
    extra = {"seq": ack.seq, **(extra or {})}
    if ack.order_id:
        extra["id"] = ack.order_id
    if ack.free_slots:
        extra["freeSlots"] = ack.free_slots
    if ack.next_revision:
        extra["nextRevision"] = ack.next_revision
    return ApiError(ack.http_status, ack.error_code, ack.message, ack.param, extra)


def item_answer(status: int, body: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to one item of a batch: the HTTP status and the body that it would have had alone."""
    return {"status": status, "body": body}


def answer(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Response:
    """JSON by msgspec."""
    return Response(_encoder.encode(body), status_code=status, headers=headers, media_type=JSON)
