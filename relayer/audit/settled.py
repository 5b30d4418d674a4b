# SPDX-License-Identifier: AGPL-3.0-only
"""What the chain settled, against what the journal leads to: anchors against heads, fills against the replayed ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from ouro import eip712, events
from relayer.audit.history import History
from relayer.audit.report import Report
from relayer.core.inputs import ChainBlock, ChainRevert
from relayer.core.outputs import FillOutput, Output
from relayer.journal import ZERO_HEAD

ANCHOR = "is the head that the chain has a head of this journal?"


class Terms(msgspec.Struct, frozen=True):
    """A fill in the terms that the chain and the core share."""

    market: str
    price: int
    size: int
    taker_order: str
    maker_order: str
    taker: str
    maker: str
    taker_side: str
    taker_fee_ppm: int
    maker_fee_ppm: int

    def against(self, other: Terms) -> tuple[str, str]:
        """Where two differ, as texts: ours, theirs."""
        names = [name for name in self.__struct_fields__ if getattr(self, name) != getattr(other, name)]
        ours = ", ".join(f"{name} {getattr(self, name)}" for name in names)
        return ours, ", ".join(f"{name} {getattr(other, name)}" for name in names)


class _Settled(msgspec.Struct):
    """A batch on chain, until its block is final."""

    block: int
    prev: bytes
    next: bytes


class Settlement:
    """Follows the operator's batches on chain beside the replayed fills."""

    def __init__(self, report: Report, history: History, operator: str, tickers: Mapping[int, str]) -> None:
        self._report = report
        self._history = history
        self._operator = operator
        self._tickers = tickers
        self._matched: dict[int, Terms] = {}
        self._settled: dict[int, int] = {}
        self._newest_final_fill = 0
        self._batches: list[_Settled] = []
        self._final = 0
        self._built: dict[str, bytes] = {}
        self._anchor = ZERO_HEAD
        self.anchor_seq = 0
        """The record after which the newest anchor was the head."""
        self.broken = False
        """An anchor was not found: those after it say nothing new."""
        self.anchors = 0
        self.unknown = 0
        """Anchors of heads before the first record of a journal that does not begin with record 1."""
        self.fills = 0
        self.foreign = 0
        """Batches of other operators."""

    def matched(self, outputs: Iterable[Output]) -> None:
        """Takes what the replayed core says of fills."""
        for output in outputs:
            # After a start from a snapshot the core knows fills that it matched before.
            if isinstance(output, FillOutput) and output.fill_id not in self._matched and output.status != "final":
                self._matched[output.fill_id] = Terms(
                    market=output.market,
                    price=output.price,
                    size=output.size,
                    taker_order=output.taker_order_id,
                    maker_order=output.maker_order_id,
                    taker=f"{output.taker}/{output.taker_subaccount}",
                    maker=f"{output.maker}/{output.maker_subaccount}",
                    taker_side=output.taker_side,
                    taker_fee_ppm=output.taker_fee_ppm,
                    maker_fee_ppm=output.maker_fee_ppm,
                )

    def terms_of(self, fill_id: int) -> Terms | None:
        """The replayed fill of that id, until it is final."""
        return self._matched.get(fill_id)

    def built(self, seq: int, head: bytes, raw_tx: bytes) -> None:
        """Record `seq` built a batch that is to anchor `head`, or raised its fee."""
        self._built["0x" + eip712.keccak(raw_tx).hex()] = head
        if self._history.seq_of(head) is None and not self.broken and not self._is_before_the_start():
            self.broken = True
            self._report.wrong_since_proven(
                seq,
                ANCHOR,
                f"records that lead to head 0x{head.hex()}, which the batch of record {seq} anchors",
                "no such head: a record is changed, missing or invented",
            )

    def block(self, seq: int, item: ChainBlock, decoded: Sequence[events.Event], *, replayed: bool) -> None:
        """Follows one block as the journal has it; fills are compared if the core is `replayed`."""
        self.follow(seq, item.number, decoded, replayed=replayed)
        self._final = max(self._final, min(item.final_number, item.number))
        self._forget_final()

    def follow(self, seq: int, number: int, decoded: Sequence[events.Event], *, replayed: bool) -> None:
        """Compares what happened in a block; `seq` is the record that a finding points to."""
        settled = [each for each in decoded if isinstance(each, events.BatchSettled)]
        ours = {each.where.transaction_hash for each in settled if each.operator == self._operator}
        self.foreign += sum(1 for each in settled if each.operator != self._operator)
        for each in settled:
            if each.operator == self._operator:
                self._follow_anchor(seq, number, each)
        for event in decoded:
            if isinstance(event, events.Fill) and event.where.transaction_hash in ours and replayed:
                self._follow_fill(seq, number, event)

    def revert(self, item: ChainRevert) -> None:
        """A reorg takes anchors and fills back."""
        while self._batches and self._batches[-1].block > item.to_number:
            self._anchor = self._batches.pop().prev
            self.anchor_seq = self._history.seq_of(self._anchor) or 0
        self._settled = {fill_id: block for fill_id, block in self._settled.items() if block <= item.to_number}

    def _is_before_the_start(self) -> bool:
        return self._report.first_seq > 1 and not self.anchors

    def _follow_anchor(self, seq: int, number: int, event: events.BatchSettled) -> None:
        if self.broken:
            return
        where = f"transaction {event.where.transaction_hash} in block {number}"
        at = self._history.seq_of(event.next)
        if event.prev != self._anchor and (self._batches or self.anchor_seq):
            self.broken = True
            self._report.wrong(
                seq, "do the anchors follow one another?", f"0x{self._anchor.hex()}", f"0x{event.prev.hex()} in {where}"
            )
        elif at is None and self._is_before_the_start():
            self.unknown += 1
        elif at is None:
            self.broken = True
            self._report.wrong_since_proven(
                seq,
                ANCHOR,
                f"records that lead to head 0x{event.next.hex()}, which {where} anchors",
                "no such head: a record is changed, missing or invented",
            )
        elif at < self.anchor_seq:
            self.broken = True
            self._report.wrong(
                seq, "does the anchor move on?", f"a head after record {self.anchor_seq}", f"that after record {at}"
            )
        elif event.where.transaction_hash not in self._built and not self._is_before_the_start():
            self.broken = True
            self._report.wrong(
                seq,
                "was the batch written down before it was sent?",
                f"a record before this one with {where}",
                "no such record",
            )
        else:
            self.anchors += 1
            self._report.vouched(at)
            self._batches.append(_Settled(number, event.prev, event.next))
            self._anchor, self.anchor_seq = event.next, at
            # A reorg may lead back to it.
            self._history.keep(event.next)

    def _follow_fill(self, seq: int, number: int, event: events.Fill) -> None:
        detail = event.detail
        name = f"fill {detail.fill_id} in transaction {event.where.transaction_hash}"
        said = self._matched.get(detail.fill_id)
        if said is None or detail.fill_id in self._settled:
            again = detail.fill_id in self._settled or detail.fill_id <= self._newest_final_fill
            expected = "a fill that is settled once" if again else "no such fill, by the replay"
            self._report.wrong(seq, f"does {name} follow from the orders?", expected, _text(event), kind="chain_block")
            return
        ticker = self._tickers.get(detail.market, said.market)
        on_chain = Terms(
            market=ticker,
            price=detail.price,
            size=detail.size,
            taker_order="0x" + event.taker_order.hex(),
            maker_order="0x" + event.maker_order.hex(),
            taker=f"{event.taker}/{detail.taker_subaccount}",
            maker=f"{event.maker}/{detail.maker_subaccount}",
            taker_side="SELL" if detail.taker_sold else "BUY",
            taker_fee_ppm=detail.taker_fee_ppm,
            maker_fee_ppm=detail.maker_fee_ppm,
        )
        if on_chain != said:
            self._report.wrong(seq, f"does {name} follow from the orders?", *said.against(on_chain), kind="chain_block")
        self._settled[detail.fill_id] = number
        self.fills += 1

    def _forget_final(self) -> None:
        """Nothing can take back what is in a final block."""
        while self._batches and self._batches[0].block <= self._final:
            done_batch = self._batches.pop(0)
            self._history.forget(done_batch.prev)
            self._built = {name: head for name, head in self._built.items() if head != done_batch.next}
        done = [fill_id for fill_id, block in self._settled.items() if block <= self._final]
        for fill_id in done:
            del self._settled[fill_id]
            self._matched.pop(fill_id, None)
            self._newest_final_fill = max(self._newest_final_fill, fill_id)


def _text(event: events.Fill) -> str:
    detail: Any = event.detail
    return f"{detail.size} lots at {detail.price} between {event.taker} and {event.maker}"
