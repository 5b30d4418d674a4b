# SPDX-License-Identifier: AGPL-3.0-only
"""Did the one who is named as its signer sign each order, cancel and withdrawal, with just these terms?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ouro import codec, eip712
from ouro.eip712 import Domain
from relayer.audit.replay import kind_of
from relayer.audit.report import Report
from relayer.core.inputs import AnyCancel, Cancel, CancelAll, CancelByClientId, Place, ReserveWithdrawal


class Signatures:
    """Recovers the signer of every order, cancel and withdrawal anew."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self.orders = 0
        self.cancels = 0
        self.withdrawals = 0

    def check(self, seq: int, item: Place, domain: Domain, tickers: Mapping[int, str]) -> None:
        """`tickers` are the markets' names by id: a signature is over the name."""
        self.orders += 1
        terms, amounts = int.from_bytes(item.terms, "big"), int.from_bytes(item.amounts, "big")
        try:
            order = codec.unpack_order(terms, amounts, tickers)
        except ValueError as error:
            self._wrong(seq, "are its terms an order's?", "words of a known market with known flags", str(error))
            return
        digest = eip712.order_digest(domain, order)
        if digest != item.order_id:
            expected = f"id 0x{digest.hex()}, by its terms"
            self._wrong(seq, "is it the order whose id it has?", expected, f"0x{item.order_id.hex()}")
            return
        s = int.from_bytes(item.vs, "big")
        signature = item.r + (s & ((1 << 255) - 1)).to_bytes(32, "big") + bytes((27 + (s >> 255),))
        self._signed(seq, item, digest, signature)

    def check_cancel(self, seq: int, item: AnyCancel, domain: Domain) -> None:
        """What was signed is made anew from what the record says."""
        self.cancels += 1
        primary_type, message = _message(item)
        self._signed(seq, item, eip712.digest(domain, primary_type, message), item.signature)

    def check_withdrawal(self, seq: int, item: ReserveWithdrawal, vault_domain: Domain) -> None:
        """Whether the owner asked for just this payment: it is signed under the Vault's domain."""
        self.withdrawals += 1
        message = {
            "account": item.account,
            "subaccount": item.subaccount,
            "amount": item.amount,
            "to": item.to,
            "nonce": item.nonce,
            "deadline": item.deadline,
        }
        self._signed(seq, item, eip712.digest(vault_domain, "Withdrawal", message), item.signature)

    def _signed(self, seq: int, item: Place | AnyCancel | ReserveWithdrawal, digest: bytes, signature: bytes) -> None:
        try:
            signer = eip712.recover(digest, signature)
        except eip712.SignatureError as error:
            signer = f"no signature ({error})"
        if signer != item.signer:
            self._report.wrong(seq, "who signed it?", item.signer, signer, kind=kind_of(item))

    def _wrong(self, seq: int, check: str, expected: str, found: str) -> None:
        self._report.wrong(seq, check, expected, found, kind="place")


def _message(item: AnyCancel) -> tuple[str, dict[str, Any]]:
    """The EIP-712 type and message of a cancel."""
    message: dict[str, Any] = {"account": item.account, "subaccount": item.subaccount, "nonce": item.nonce}
    if isinstance(item, Cancel):
        return "CancelOrder", message | {"orderId": item.order_id}
    if isinstance(item, CancelByClientId):
        return "CancelByClientId", message | {"clientId": item.client_id}
    if isinstance(item, CancelAll):
        return "CancelAll", message | {"market": item.market}
    return "CancelAllAfter", message | {"timeoutSeconds": item.timeout_s}
