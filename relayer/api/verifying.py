# SPDX-License-Identifier: AGPL-3.0-only
"""From a signed message to an input of the core: form, digest, recovered signer. Pure, so it may run in any thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from ouro import addresses, codec, eip712
from ouro.deployment import Deployment
from ouro.markets import Market
from ouro.orders import Order, OrderError
from relayer.api.bodies import Message, read_message, signature_bytes
from relayer.api.errors import ApiError
from relayer.core.inputs import Cancel, CancelAll, CancelAllAfter, Place, ReserveWithdrawal
from relayer.core.rules import MAX_CLIENT_ID


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
        self._vault_domain = deployment.vault_domain()
        self._markets: dict[str, Market] = {market.ticker: market for market in deployment.markets}

    def place(self, message: Mapping[str, object], signature: str, client_id: str) -> Place:
        """Whether the signer may sign for the account is the core's to say. Raises ApiError 400, 401 or 404."""
        if len(client_id) > MAX_CLIENT_ID:
            raise ApiError(400, "bad_client_id", f"clientId is longer than {MAX_CLIENT_ID} characters", "clientId")
        order = self._order(message)
        raw = signature_bytes(signature)
        digest = eip712.order_digest(self._domain, order)
        signer = _signer(digest, raw, None)
        words = codec.pack_order(order, self._markets[order.market].id, raw)
        terms, amounts, r, vs = (word.to_bytes(32, "big") for word in words)
        return Place(terms=terms, amounts=amounts, r=r, vs=vs, order_id=digest, signer=signer, client_id=client_id)

    def verdict(self, message: Mapping[str, object], signature: str, may_sign: Callable[[str, str], bool]) -> Verdict:
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

    def cancel(self, message: Message, signature: str, order_id: str) -> Cancel:
        """`order_id` is the one in the path. Raises ApiError 400 or 401."""
        fields = read_message("CancelOrder", message)
        if "0x" + fields["orderId"].hex() != order_id.lower():
            raise ApiError(
                400, "order_id_mismatch", f"the signed orderId is not {order_id}, the one in the path", "orderId"
            )
        signer = self._recover("CancelOrder", fields, signature, None)
        return Cancel(fields["account"], fields["subaccount"], fields["orderId"], signer, fields["nonce"])

    def cancel_all(self, message: Message, signature: str) -> CancelAll:
        """Raises ApiError 400 or 401."""
        fields = read_message("CancelAll", message)
        signer = self._recover("CancelAll", fields, signature, fields["account"])
        return CancelAll(fields["account"], fields["subaccount"], fields["market"], signer, fields["nonce"])

    def cancel_all_after(self, message: Message, signature: str) -> CancelAllAfter:
        """Raises ApiError 400 or 401."""
        fields = read_message("CancelAllAfter", message)
        signer = self._recover("CancelAllAfter", fields, signature, fields["account"])
        return CancelAllAfter(
            fields["account"], fields["subaccount"], fields["timeoutSeconds"], signer, fields["nonce"]
        )

    def withdrawal(self, message: Message, signature: str) -> tuple[ReserveWithdrawal, bytes]:
        """The input, and the digest to co-sign. Raises ApiError 400 or 401."""
        fields = read_message("Withdrawal", message)
        digest = eip712.digest(self._vault_domain, "Withdrawal", fields)
        signer = _signer(digest, signature_bytes(signature), fields["account"])
        item = ReserveWithdrawal(
            account=fields["account"],
            subaccount=fields["subaccount"],
            amount=fields["amount"],
            to=fields["to"],
            nonce=fields["nonce"],
            deadline=fields["deadline"],
            signer=signer,
        )
        return item, digest

    def _order(self, message: Mapping[str, object]) -> Order:
        try:
            order = Order.from_message(message)
        except OrderError as error:
            raise ApiError(400, "invalid_order", f"{error.field}: {error.reason}", error.field) from None
        if order.market not in self._markets:
            known = ", ".join(self._markets)
            raise ApiError(404, "unknown_market", f"there is no market {order.market}: {known} are listed", "market")
        return order

    def _recover(self, primary_type: str, fields: Message, signature: str, account: str | None) -> str:
        digest = eip712.digest(self._domain, primary_type, fields)
        return _signer(digest, signature_bytes(signature), account)


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


def wrong_signer(recovered: str, account: str, digest: bytes) -> ApiError:
    """A signature that is good, but not by whom it should be."""
    return ApiError(
        401,
        "bad_signature",
        _other_signer(recovered, account, digest),
        "signature",
        {"recovered": recovered, "digest": "0x" + digest.hex()},
    )


def _other_signer(recovered: str, account: str, digest: bytes) -> str:
    return (
        f"the signature recovers to {recovered}, which is neither the account {account} nor a session key of it: "
        "either another key signed, or other fields or another domain were signed; "
        f"the digest of this message is 0x{digest.hex()}"
    )
