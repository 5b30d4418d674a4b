# SPDX-License-Identifier: Apache-2.0
"""What the client raises: one class per family of things that a program would handle alike.

`RefusedError` is the exchange saying no (any 4xx or 5xx answer with a body it wrote); `UnreachableError` is not
reaching it. Each refusal keeps the exchange's own sentence, its stable code, the field it complains about, and says
what to do about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ouro.errors import OuroError


class ClientError(OuroError):
    """Base of everything the client raises."""


class UnreachableError(ClientError):
    """The exchange or the node could not be reached, broke off, or answered with what is not its protocol."""


class WrongNetworkError(ClientError):
    """Exchange or node are on another chain, or have another contract, than the client was told to sign for."""


class SignerError(ClientError):
    """The signer has no signature to give, or gave another one than it was asked for. Its text holds no secret."""


class NoAccountError(ClientError):
    """A call that signs, or that needs an address, was made by a client without a signer (or owner)."""


class NoPositionError(ClientError):
    """There is no position to close."""


class NotFilledError(ClientError):
    """An order was not filled in time, or ended before it was; `order` is its last known record, if there is one."""

    def __init__(self, message: str, order: Any = None) -> None:
        super().__init__(message)
        self.order = order


class StreamGapError(ClientError):
    """A message of the stream was lost; what was built from it must be taken from a new snapshot."""


class TransactionError(ClientError):
    """The chain refused a transaction, or the node did before it was sent; the message holds the contract's reason."""


class RefusedError(ClientError):
    """The exchange refused a request.

    `code` is the stable name of the reason, `message` the exchange's sentence, `hint` what to do about it ("" when the
    sentence says it all), `param` the field at fault ("" when none is named), `retry_after` how many seconds to wait
    (None: the same request will not do better later), `status` the HTTP status, `errors` the list as received.
    """

    default_hint: ClassVar[str] = ""

    def __init__(
        self,
        status: int,
        code: str,
        errors: list[dict[str, Any]],
        body: Mapping[str, Any],
        retry_after: float | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.errors = errors
        self.body = dict(body)
        self.retry_after = retry_after
        self.param = next((str(error["param"]) for error in errors if error.get("param")), "")
        sentences = [str(error["msg"]) for error in errors if error.get("msg")]
        self.message = "; ".join(sentences) or f"the exchange answered {status} without giving a reason"
        self.hint = _HINTS.get(code, self.default_hint)
        super().__init__(self.message)


class BadRequestError(RefusedError):
    """The request is malformed or a field has an impossible value."""


class BadSignatureError(RefusedError):
    """The signature is not the account's."""

    default_hint = "orders.verify(signed) tells whom the exchange recovers and which digest it expects"


class SessionKeyError(RefusedError):
    """A session key may not sign this: revoked, or beyond its markets, budget or expiry."""

    default_hint = "account.session_keys() lists each key with what is left of its scope"


class NotFoundError(RefusedError):
    """Nothing is known under that id, address or ticker."""


class ConflictError(RefusedError):
    """The request contradicts the present state, such as an order that has ended or a nonce that is not newer."""


class SlotTakenError(ConflictError):
    """The order slot holds a live order; `free_slots` are some that do not (may be empty)."""

    @property
    def free_slots(self) -> list[int]:
        return [int(slot) for slot in self.body.get("freeSlots") or ()]


class InsufficientMarginError(RefusedError):
    """The account's free collateral does not carry the order or the withdrawal."""

    default_hint = "account.subaccount() shows free collateral: make it smaller, deposit, or close something"


class MarketClosedError(RefusedError):
    """The market takes no orders now, or only such as reduce a position."""

    default_hint = "markets.get(ticker).status says what it takes"


class OrderRuleError(RefusedError):
    """The order breaks a rule of the exchange: price band, post-only, reduce-only, least size, number of orders."""


class RateLimitedError(RefusedError):
    """Too many requests, or too much volume of them; `retry_after` is how many seconds to wait."""

    default_hint = "wait retry_after seconds; batches and longer-lived quotes need fewer requests"


class UnavailableError(RefusedError):
    """The exchange cannot take this now: it is starting, busy, behind with settlement, or has no fresh price.

    Whether a write was taken is not known: an order's id is known before it is sent, so ask for it.
    """

    default_hint = "try again after retry_after seconds; sending the very same signed order again is harmless"


_FAMILIES: Mapping[type[RefusedError], tuple[str, ...]] = {
    BadSignatureError: ("bad_signature", "not_authorised"),
    SessionKeyError: ("key_revoked", "key_market", "key_expiry", "key_budget"),
    SlotTakenError: ("slot_taken",),
    InsufficientMarginError: ("insufficient_margin", "not_withdrawable"),
    MarketClosedError: ("market_halted", "market_reduce_only", "market_settling"),
    OrderRuleError: ("off_tick", "fee_cap_too_low", "fok_unfillable"),
    RateLimitedError: ("volume_limited",),
}
"""Codes whose family is not that of their HTTP status."""

_BY_CODE = {code: family for family, codes in _FAMILIES.items() for code in codes}

_BY_STATUS: Mapping[int, type[RefusedError]] = {
    400: BadRequestError,
    401: BadSignatureError,
    403: BadSignatureError,
    404: NotFoundError,
    409: ConflictError,
    413: BadRequestError,
    422: OrderRuleError,
    429: RateLimitedError,
    502: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
}

_HINTS: Mapping[str, str] = {
    "behind": "the reads have not got that far yet: ask again",
    "behind_seq": "the reads have not got that far yet: ask again",
    "client_id_reused": "take another client_id, or none: then one is drawn",
    "fee_cap_too_low": "sign a higher max_fee_ppm",
    "filled_changed": "read the order again and decide anew",
    "key_expiry": "sign a shorter life: expires_in_seconds=...",
    "key_revoked": "register another key: chain.register_session_key(...)",
    "not_authorised": "sign with the owner's key, or with the session key that signed the order",
    "order_not_open": "orders.get(id) tells how it ended",
    "post_only_would_cross": "move the price away from the book, or let it take: post_only=False",
    "price_band": "prices must be within the band around the index price: markets.get(ticker).oracle_price",
    "reduce_only_covered": "other reduce-only orders offer the position already: cancel one of them first",
    "signed_too_long_ago": "sign when you send; check this machine's clock if you did",
    "stale_revision": "build the amend with the revision that the sentence names",
    "unknown_account": "deposit first, and wait until account.subaccount() shows it",
}


def refusal(status: int, body: object, retry_after: str | None = None) -> RefusedError:
    """The typed error of an answer with `status` >= 400. `body` is the decoded JSON, or anything else it held."""
    fields: Mapping[str, Any] = body if isinstance(body, dict) else {}
    listed = fields.get("errors")
    errors = [error for error in listed if isinstance(error, dict)] if isinstance(listed, list) else []
    code = str(fields.get("errorCode") or "")
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status, RefusedError)
    wait: float | None = 1.0 if status in (429, 503) else None
    if retry_after is not None and retry_after.isdigit():
        wait = float(retry_after)
    return kind(status, code, errors, fields, wait)
