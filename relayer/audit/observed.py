# SPDX-License-Identifier: AGPL-3.0-only
"""Does the chain have what the relayer says it saw: every block, its parent, its time, all logs and no others, and the
prices of an oracle that says them only when asked?
"""

from __future__ import annotations

from collections.abc import Sequence

from relayer.audit.errors import AuditError
from relayer.audit.node import Header, Node
from relayer.audit.report import Report
from relayer.core.inputs import ChainBlock, ChainRevert, Log

CHUNK = 64
MOST_UNFINAL = 4_096


class Observations:
    """Blocks are held back until they are final for the relayer, so that those of a reorg are not looked for."""

    def __init__(self, report: Report, node: Node, addresses: Sequence[str], start_block: int | None) -> None:
        """`addresses` are the contracts whose logs are observed; `start_block` is where they begin, if it is known."""
        self._report = report
        self._node = node
        self._addresses = addresses
        self._start_block = start_block
        self._waiting: list[tuple[int, ChainBlock]] = []
        self._last: ChainBlock | None = None
        self._final = 0
        self._known_final: int | None = None
        self.blocks = 0
        self.logs = 0
        self.prices = 0
        self.unpriced = 0
        """Blocks whose prices could not be compared or are missing: of old ones a node may have forgotten the state."""
        self._markets: frozenset[int] = frozenset()
        self.reverted: list[int] = []
        """Records of blocks that are not final and that the node does not have (any more): a reorg takes such back."""

    @property
    def last_number(self) -> int:
        """The newest block observed, 0 before the first."""
        return self._last.number if self._last is not None else 0

    def block(self, seq: int, item: ChainBlock) -> None:
        """Takes the observation of a block."""
        last = self._last
        if last is None:
            if self._start_block is not None and item.number > self._start_block:
                self._report.wrong(
                    seq, "does it begin where the exchange does?", f"block {self._start_block}", f"block {item.number}"
                )
        elif (item.number, item.parent_hash) != (last.number + 1, last.hash):
            self._report.wrong(
                seq,
                "does the block follow the one observed before?",
                f"block {last.number + 1} on 0x{last.hash.hex()}",
                f"block {item.number} on 0x{item.parent_hash.hex()}",
                kind="chain_block",
            )
        self._last = item
        self._waiting.append((seq, item))
        self._final = max(self._final, min(item.final_number, item.number))
        ready = sum(1 for _, each in self._waiting if each.number <= self._final)
        if ready >= CHUNK or len(self._waiting) >= MOST_UNFINAL:
            self._look(CHUNK)

    def revert(self, seq: int, item: ChainRevert) -> None:
        """A reorg took the newest blocks back."""
        kept = [each for each in self._waiting if each[1].number <= item.to_number]
        dropped = self._waiting[len(kept) :]
        for dropped_seq, block in dropped:
            found = self._node.call("eth_getBlockByHash", "0x" + block.hash.hex(), False)
            if found is None:
                self.reverted.append(dropped_seq)
            else:
                self._compare([(dropped_seq, block)], [found])
        self._waiting = kept
        self._last = kept[-1][1] if kept else None
        if self._last is not None and (self._last.number, self._last.hash) != (item.to_number, item.to_hash):
            self._report.wrong(
                seq,
                "does it return to a block that was observed?",
                f"block {self._last.number}, 0x{self._last.hash.hex()}",
                f"block {item.to_number}, 0x{item.to_hash.hex()}",
                kind="chain_revert",
            )

    def end(self) -> None:
        """Looks at all that is left."""
        while self._waiting:
            self._look(CHUNK)

    def _look(self, most: int) -> None:
        chunk, self._waiting = self._waiting[:most], self._waiting[most:]
        self._compare(chunk, self._node.headers([block.number for _, block in chunk]))

    def _compare(self, chunk: Sequence[tuple[int, ChainBlock]], headers: Sequence[Header | None]) -> None:
        real: list[tuple[int, ChainBlock, str]] = []
        for (seq, block), header in zip(chunk, headers, strict=True):
            expected = _described(header)
            if header is not None and expected == _said(block):
                real.append((seq, block, header["hash"]))
            elif not _is_same(header, block) and block.number > max(self._final, self._node_final()):
                self.reverted.append(seq)
            else:
                self._wrong(seq, "is it a block of the chain?", expected, _said(block))
        found = self._node.logs([each[2] for each in real], self._addresses)
        for (seq, block, _), logs in zip(real, found, strict=True):
            self.blocks += 1
            self.logs += len(logs)
            difference = _difference(logs, block.logs)
            if difference is not None:
                self._wrong(seq, f"are these the logs of block {block.number}?", *difference)
            self._look_at_prices(seq, block)

    def _look_at_prices(self, seq: int, block: ChainBlock) -> None:
        """Compares the prices with what the node answers at that block: for all markets that had any before."""
        markets = {market for market, _, _ in block.prices}
        if not markets:
            self.unpriced += bool(self._markets)
            return
        check = f"are these the prices of block {block.number}?"
        if not markets >= self._markets:
            self._wrong(seq, check, f"one for each of the markets {sorted(self._markets)}", f"for {sorted(markets)}")
        self._markets |= markets
        try:
            real = self._node.prices(self._addresses[0], sorted(markets), block.hash, block.time_s)
        except AuditError:
            self.unpriced += 1
            return
        self.prices += len(real)
        for market, price, published_at in block.prices:
            expected = next(each for each in real if each[0] == market)
            if expected != (market, price, published_at):
                self._wrong(seq, check, _price_text(*expected), _price_text(market, price, published_at))

    def _node_final(self) -> int:
        """The newest block that is final for the auditor's node."""
        if self._known_final is None:
            header = self._node.call("eth_getBlockByNumber", "finalized", False)
            self._known_final = int(header["number"], 16) if header is not None else 0
        return self._known_final

    def _wrong(self, seq: int, check: str, expected: str, found: str) -> None:
        self._report.wrong(seq, check, expected, found, kind="chain_block")


def _is_same(header: Header | None, block: ChainBlock) -> bool:
    return header is not None and bytes.fromhex(header["hash"][2:]) == block.hash


def _said(block: ChainBlock) -> str:
    return f"block {block.number}, 0x{block.hash.hex()} on 0x{block.parent_hash.hex()} at {block.time_s} s"


def _described(header: Header | None) -> str:
    if header is None:
        return "no such block at the node"
    number, time_s = int(header["number"], 16), int(header["timestamp"], 16)
    return f"block {number}, {header['hash']} on {header['parentHash']} at {time_s} s"


def _difference(theirs: Sequence[Log], ours: Sequence[Log]) -> tuple[str, str] | None:
    """Expected and found of the first log that differs."""
    for at in range(max(len(theirs), len(ours))):
        real = _log_text(theirs[at]) if at < len(theirs) else "no further log"
        said = _log_text(ours[at]) if at < len(ours) else "no further log"
        if real != said:
            return real, said
    return None


def _price_text(market: int, price: int, published_at: int) -> str:
    return f"market {market}: {price} micro-USDC per lot, published at {published_at} s"


def _log_text(log: Log) -> str:
    topics = ",".join(topic.hex() for topic in log.topics)
    where = f"log {log.log_index} of 0x{log.transaction_hash.hex()} by {log.address.lower()}"
    return f"{where}: topics {topics} data {log.data.hex()}"
