# SPDX-License-Identifier: Apache-2.0
"""What the client raises: one class per thing a program would handle differently.

`RefusedError` is the exchange saying no (any 4xx or 5xx answer with a body it wrote); `UnreachableError` is not
reaching it. Each refusal keeps the exchange's own sentence, its `errorCode` and the field it complains about.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ouro.errors import OuroError


class ClientError(OuroError):
    """Base of everything the client raises."""


class UnreachableError(ClientError):
    """The exchange could not be reached, broke off, or answered with something that is not its protocol."""


class NoAccountError(ClientError):
    """A call that signs, or that needs an address, was made by a client without an account."""


class StreamGapError(ClientError):
    """A message of the stream was lost; what was built from it must be taken from a new snapshot."""


class RefusedError(ClientError):
    """The exchange refused a request.

    `status` is the HTTP status, `error_code` the stable name of the reason, `param` the field at fault ("" when none is
    named), `errors` the list as received.
    """

    def __init__(self, status: int, error_code: str, errors: list[dict[str, Any]], body: Mapping[str, Any]) -> None:
        self.status = status
        self.error_code = error_code
        self.errors = errors
        self.body = dict(body)
        self.param = next((str(error["param"]) for error in errors if error.get("param")), "")
        sentences = [str(error["msg"]) for error in errors if error.get("msg")]
        super().__init__("; ".join(sentences) or f"the exchange answered {status} without giving a reason")


class BadRequestError(RefusedError):
    """The request is malformed or a field has an impossible value."""


class BadSignatureError(RefusedError):
    """The signature is not the account's; `verify_order` tells what was expected."""


class NotFoundError(RefusedError):
    """Nothing is known under that id, address or ticker."""


class ConflictError(RefusedError):
    """The request contradicts the present state, such as a nonce that is not newer."""


class SlotTakenError(ConflictError):
    """The order slot holds a live order; `free_slots` are some that do not (may be empty)."""

    @property
    def free_slots(self) -> list[int]:
        return [int(slot) for slot in self.body.get("freeSlots") or ()]


class InsufficientMarginError(RefusedError):
    """The account's free collateral does not carry the order or the withdrawal."""


class RateLimitedError(RefusedError):
    """Too many requests; `retry_after` is how many seconds to wait."""

    retry_after: float = 1.0


class UnavailableError(RefusedError):
    """The exchange cannot take this now (starting, full, or behind with settlement)."""


_BY_CODE: Mapping[str, type[RefusedError]] = {
    "bad_signature": BadSignatureError,
    "slot_taken": SlotTakenError,
    "insufficient_margin": InsufficientMarginError,
    "not_withdrawable": InsufficientMarginError,
}

_BY_STATUS: Mapping[int, type[RefusedError]] = {
    400: BadRequestError,
    401: BadSignatureError,
    404: NotFoundError,
    409: ConflictError,
    429: RateLimitedError,
    502: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
}


def refusal(status: int, body: object, retry_after: str | None = None) -> RefusedError:
    """The typed error of an answer with `status` >= 400. `body` is the decoded JSON, or anything else it held."""
    fields: Mapping[str, Any] = body if isinstance(body, dict) else {}
    listed = fields.get("errors")
    errors = [error for error in listed if isinstance(error, dict)] if isinstance(listed, list) else []
    code = str(fields.get("errorCode") or "")
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status, RefusedError)
    error = kind(status, code, errors, fields)
    if isinstance(error, RateLimitedError) and retry_after is not None and retry_after.isdigit():
        error.retry_after = float(retry_after)
    return error
