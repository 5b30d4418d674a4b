# SPDX-License-Identifier: AGPL-3.0-only
"""Does the transaction of every batch carry what the record says, and only fills that the replay gives?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from ouro import addresses, codec, eip712
from ouro.eip712 import Domain
from relayer.audit.report import Report
from relayer.audit.settled import Settlement, Terms
from relayer.core.inputs import BatchBuilt


class Batches:
    """Reads the calldata of every batch that was built, also of those that never landed."""

    def __init__(
        self, report: Report, settlement: Settlement, *, operator: str, domain: Domain, tickers: Mapping[int, str]
    ) -> None:
        self._report = report
        self._settlement = settlement
        self._operator = operator
        self._domain = domain
        self._tickers = tickers
        self.batches = 0

    def check(self, seq: int, item: BatchBuilt, *, replayed: bool) -> None:
        """`replayed`: whether the core follows, so that fills can be compared."""
        self.batches += 1
        try:
            fields = TypedTransaction.from_bytes(HexBytes(item.raw_tx)).as_dict()
            sender = Account.recover_transaction(item.raw_tx)
            to, nonce = addresses.checksum(bytes(fields["to"])), int(fields["nonce"])
            prev, head, orders, words = codec.decode_settle(bytes(fields["data"]))
        except Exception as error:  # noqa: BLE001  (bytes that somebody made up may break any decoder)
            self._wrong(seq, "does it carry a signed settlement?", "a transaction that settles", repr(error))
            return
        said = (self._operator, self._domain.verifying_contract, item.nonce, item.prev, item.next)
        found = (sender, to, nonce, prev, head)
        if said != found:
            self._wrong(seq, "is the transaction the batch's?", _text(said), _text(found))
            return
        ids = tuple(word.fill_id for word in words)
        if ids != item.fill_ids:
            self._wrong(seq, "does the transaction carry the batch's fills?", str(item.fill_ids), str(ids))
            return
        if replayed:
            self._compare(seq, orders, words)

    def _compare(self, seq: int, orders: Sequence[codec.PackedOrder], words: Sequence[codec.FillWord]) -> None:
        try:
            unpacked = [codec.unpack_order(terms, amounts, self._tickers) for terms, amounts, _, _ in orders]
            hashes = ["0x" + eip712.order_digest(self._domain, order).hex() for order in unpacked]
            for word in words:
                taker, maker = unpacked[word.taker], unpacked[word.maker]
                carried = Terms(
                    market=taker.market,
                    price=word.price,
                    size=word.size,
                    taker_order=hashes[word.taker],
                    maker_order=hashes[word.maker],
                    taker=f"{taker.account}/{taker.subaccount}",
                    maker=f"{maker.account}/{maker.subaccount}",
                    taker_side=str(taker.side),
                    taker_fee_ppm=word.taker_fee_ppm,
                    maker_fee_ppm=word.maker_fee_ppm,
                )
                matched = self._settlement.terms_of(word.fill_id)
                question = f"does fill {word.fill_id} of the transaction follow from the orders?"
                if matched is None:
                    self._wrong(seq, question, "no such fill, by the replay", f"price {word.price}, {word.size} lots")
                elif matched != carried:
                    self._wrong(seq, question, *matched.against(carried))
        except (ValueError, IndexError) as error:
            self._wrong(seq, "are the transaction's orders well formed?", "orders of known markets", str(error))

    def _wrong(self, seq: int, check: str, expected: str, found: str) -> None:
        self._report.wrong(seq, check, expected, found, kind="batch_built")


def _text(fields: tuple[object, ...]) -> str:
    names = ("sender", "to", "nonce", "prev", "next")
    return ", ".join(
        f"{name} {'0x' + value.hex() if isinstance(value, bytes) else value}"
        for name, value in zip(names, fields, strict=True)
    )
