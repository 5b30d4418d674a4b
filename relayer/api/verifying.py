# SPDX-License-Identifier: AGPL-3.0-only
"""From a signed message to an input of the core: form, digest, recovered signer. Pure, so it may run in any thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ouro import addresses, codec, eip712
from ouro.deployment import Deployment
from ouro.markets import Market
from ouro.orders import Order, OrderError
from relayer.api.bodies import (
    CancelAnyBody,
    Conditions,
    Message,
    PlaceBody,
    read_bytes32,
    read_label,
    read_message,
    read_uint,
    signature_bytes,
)
from relayer.api.errors import ApiError
from relayer.core.inputs import (
    AnyCancel,
    Cancel,
    CancelAll,
    CancelAllAfter,
    CancelByClientId,
    Place,
    ReserveWithdrawal,
)
from relayer.core.rules import MAX_SIGNED_AHEAD_MS


class Verdict(msgspec.Struct, frozen=True, rename="camel"):
    """What `POST /v4/orders/verify` answers: whose signature it is, and over which digest it should be."""

    valid: bool
    expected_signer: str
    recovered: str
    digest: str
    reason: str


class Verifier:
    """Knows the venue's domains and markets."""

    def __init__(self, deployment: Deployment) -> None:
        self._domain = deployment.domain()
        self.vault_domain = deployment.vault_domain()
        self._markets: dict[str, Market] = {market.ticker: market for market in deployment.markets}

    def place(self, body: PlaceBody) -> Place:
        """Whether the signer may sign for the account is the core's to say. Raises ApiError 400, 401 or 404."""
        client_id = read_label("clientId", body.label)
        replaces = read_bytes32("replaces", body.replaces) if body.replaces else b""
        order = self._order(body.order)
        raw = signature_bytes(body.signature)
        digest = eip712.order_digest(self._domain, order)
        signer = _signer(digest, raw, None)
        terms, amounts = codec.pack_terms(order, self._markets[order.market].id)
        # As EIP-2098 has it; who was recovered signed with a low s, so that the highest bit is free.
        vs = raw[32:64] if raw[64] == 27 else bytes((raw[32] | 0x80,)) + raw[33:64]
        placed = Place(terms.to_bytes(32), amounts.to_bytes(32), raw[:32], vs, digest, signer, client_id)
        plain = not (replaces or body.immediate or body.conditions is not None or body.expected_filled is not None)
        return placed if plain else _with_terms(placed, body, replaces)

    def verdict(self, message: msgspec.Raw, signature: str, may_sign: Callable[[str, str], bool]) -> Verdict:
        """Whether an order's signature is its account's, or by a key that `may_sign` for it. Raises ApiError 400 or 404
        for what is no order.
        """
        order = self._order(message)
        digest = eip712.order_digest(self._domain, order)
        recovered, reason = "", ""
        try:
            recovered = eip712.recover(digest, signature_bytes(signature))
            if not may_sign(order.account, recovered):
                reason = _other_signer(recovered, order.account, digest)
        except (eip712.SignatureError, ApiError) as error:
            reason = str(error)
        return Verdict(
            valid=not reason,
            expected_signer=order.account,
            recovered=recovered,
            digest="0x" + digest.hex(),
            reason=reason,
        )

    def cancel_any(self, body: CancelAnyBody) -> tuple[AnyCancel, bytes]:
        """The one cancel that the body holds, and its digest. Raises ApiError 400 or 401."""
        if body.cancel is not None and body.cancel_by_client_id is None and body.cancel_all is None:
            return self.cancel(body.cancel, body.signature)
        if body.cancel_by_client_id is not None and body.cancel is None and body.cancel_all is None:
            return self.cancel_by_client_id(body.cancel_by_client_id, body.signature)
        if body.cancel_all is not None and body.cancel is None and body.cancel_by_client_id is None:
            return self.cancel_all(body.cancel_all, body.signature)
        raise ApiError(
            400, "invalid_body", "a cancel has exactly one of cancel, cancelByClientId and cancelAll, and a signature"
        )

    def cancel(self, message: Message, signature: str, order_id: str = "") -> tuple[Cancel, bytes]:
        """`order_id` is the one in the path, if there is one. Raises ApiError 400 or 401."""
        fields = read_message("CancelOrder", message)
        if order_id and "0x" + fields["orderId"].hex() != order_id.lower():
            raise ApiError(
                400, "order_id_mismatch", f"the signed orderId is not {order_id}, the one in the path", "orderId"
            )
        signer, digest, raw = self._recover("CancelOrder", fields, signature)
        account, number, order_id_ = fields["account"], fields["subaccount"], fields["orderId"]
        return Cancel(account, number, order_id_, signer, fields["nonce"], raw), digest

    def cancel_by_client_id(self, message: Message, signature: str) -> tuple[CancelByClientId, bytes]:
        """Raises ApiError 400 or 401."""
        fields = read_message("CancelByClientId", message)
        signer, digest, raw = self._recover("CancelByClientId", fields, signature)
        account, number, client_id = fields["account"], fields["subaccount"], fields["clientId"]
        return CancelByClientId(account, number, client_id, signer, fields["nonce"], raw), digest

    def cancel_all(self, message: Message, signature: str) -> tuple[CancelAll, bytes]:
        """Raises ApiError 400 or 401."""
        fields = read_message("CancelAll", message)
        signer, digest, raw = self._recover("CancelAll", fields, signature)
        account, number, market = fields["account"], fields["subaccount"], fields["market"]
        return CancelAll(account, number, market, signer, fields["nonce"], raw), digest

    def cancel_all_after(self, message: Message, signature: str) -> tuple[CancelAllAfter, bytes]:
        """Raises ApiError 400 or 401."""
        fields = read_message("CancelAllAfter", message)
        signer, digest, raw = self._recover("CancelAllAfter", fields, signature)
        account, number, timeout_s = fields["account"], fields["subaccount"], fields["timeoutSeconds"]
        return CancelAllAfter(account, number, timeout_s, signer, fields["nonce"], raw), digest

    def withdrawal(self, message: Message, signature: str) -> tuple[ReserveWithdrawal, bytes]:
        """The input, and the digest to co-sign. Raises ApiError 400 or 401."""
        fields = read_message("Withdrawal", message)
        digest = eip712.digest(self.vault_domain, "Withdrawal", fields)
        raw = signature_bytes(signature)
        signer = _signer(digest, raw, fields["account"])
        item = ReserveWithdrawal(
            account=fields["account"],
            subaccount=fields["subaccount"],
            amount=fields["amount"],
            to=fields["to"],
            nonce=fields["nonce"],
            deadline=fields["deadline"],
            signer=signer,
            signature=raw,
        )
        return item, digest

    def _order(self, message: msgspec.Raw) -> Order:
        order = _read_order(message)
        if order.market not in self._markets:
            known = ", ".join(self._markets)
            raise ApiError(404, "unknown_market", f"there is no market {order.market}: {known} are listed", "market")
        return order

    def _recover(self, primary_type: str, fields: Message, signature: str) -> tuple[str, bytes, bytes]:
        """Who signed, the digest, and the signature's bytes."""
        digest, raw = eip712.digest(self._domain, primary_type, fields), signature_bytes(signature)
        return _signer(digest, raw, None), digest, raw


def _with_terms(placed: Place, body: PlaceBody, replaces: bytes) -> Place:
    """The order with what was asked for beside its signed fields."""
    expected, asked = body.expected_filled, body.conditions or Conditions()
    if expected is not None and not replaces:
        raise ApiError(
            400, "invalid_field", "expectedFilled belongs to an amend: name the order with replaces", "expectedFilled"
        )
    return msgspec.structs.replace(
        placed,
        replaces=replaces,
        expected_filled=-1 if expected is None else read_uint("expectedFilled", 48, expected),
        immediate=body.immediate,
        not_before_ms=read_uint("notBefore", 48, asked.not_before),
        parent=read_bytes32("parent", asked.parent) if asked.parent else b"",
        oco=read_label("oco", asked.oco),
        arm_price=read_uint("armPrice", 48, asked.arm_price),
    )


def _read_order(message: msgspec.Raw) -> Order:
    """The order of a message. Most are as programs write them and are read in one go; the others are read field by
    field, which takes numbers in strings, too, and finds what is wrong.
    """
    try:
        fields = list(msgspec.structs.astuple(_wire_order.decode(message)))
        fields[_ACCOUNT] = addresses.parse(fields[_ACCOUNT])
        return Order(*fields)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
        pass
    try:
        return Order.from_message(_any_order.decode(message))
    except msgspec.ValidationError:
        raise ApiError(400, "invalid_body", "order must be an object with the fields of an order", "order") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(400, "malformed_json", f"the order is not JSON: {error}", "order") from None
    except OrderError as error:
        raise ApiError(400, "invalid_order", f"{error.field}: {error.reason}", error.field) from None


_ACCOUNT = Order.__struct_fields__.index("account")
_any_order = msgspec.json.Decoder(dict[str, Any])
_wire_order: msgspec.json.Decoder[msgspec.Struct] = msgspec.json.Decoder(
    msgspec.defstruct(
        "WireOrder",
        [(field.name, field.type) for field in msgspec.structs.fields(Order)],
        rename="camel",
        forbid_unknown_fields=True,
        gc=False,
    )
)


def _signer(digest: bytes, raw: bytes, account: str | None) -> str:
    """Who signed. Raises ApiError 401 for an unusable signature, or one that is not by `account` (None: anybody)."""
    try:
        recovered = eip712.recover(digest, raw)
    except eip712.SignatureError as error:
        raise ApiError(
            401, "bad_signature", f"the signature is not valid: {error}; sign the digest 0x{digest.hex()}", "signature"
        ) from None
    if account is not None and recovered != account:
        raise wrong_signer(recovered, account, digest)
    return recovered


def account_of(item: Place) -> str:
    """Whose order it is."""
    return addresses.checksum(item.terms[:20])


def generation_of(item: Place) -> int:
    """When it was signed, in milliseconds since 1970."""
    return int.from_bytes(item.amounts) >> 64 & 0xFFFFFFFFFFFF


def signed_in_future(generation: int, now_ms: int) -> ApiError:
    """An order of a later time than now: dead as long as it is secret, and alive when the journal shows it."""
    return ApiError(
        400,
        "signed_in_future",
        f"generation {generation} is more than {MAX_SIGNED_AHEAD_MS // 1000} s ahead of {now_ms} ms: check the clock",
        "generation",
    )


def wrong_signer(recovered: str, account: str, digest: bytes) -> ApiError:
    """A signature that is good, but not by whom it should be."""
    return ApiError(
        401,
        "bad_signature",
        _other_signer(recovered, account, digest),
        "signature",
        {"recovered": recovered, "digest": "0x" + digest.hex()},
    )


def revoked_key(signer: str) -> ApiError:
    """Said before the account is charged: whoever has stolen a key must not use up its owner's limits for ever."""
    return ApiError(401, "key_revoked", f"the session key {signer} is revoked: sign with another one", "signature")


def _other_signer(recovered: str, account: str, digest: bytes) -> str:
    return (
        f"the signature recovers to {recovered}, which is neither the account {account} nor a session key of it: "
        "either another key signed, or other fields or another domain were signed; "
        f"the digest of this message is 0x{digest.hex()}"
    )
