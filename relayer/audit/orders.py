# SPDX-License-Identifier: AGPL-3.0-only
"""Did the one who is named as its signer sign each order, with just these terms?"""

from __future__ import annotations

from collections.abc import Mapping

from ouro import codec, eip712
from ouro.eip712 import Domain
from relayer.audit.report import Report
from relayer.core.inputs import Place


class Signatures:
    """Recovers every order's signer anew."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self.orders = 0

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
        try:
            signer = eip712.recover(digest, signature)
        except eip712.SignatureError as error:
            signer = f"no signature ({error})"
        if signer != item.signer:
            self._wrong(seq, "who signed it?", item.signer, signer)

    def _wrong(self, seq: int, check: str, expected: str, found: str) -> None:
        self._report.wrong(seq, check, expected, found, kind="place")
