# SPDX-License-Identifier: AGPL-3.0-only
"""JSON-RPC over HTTP, as much as an indexer asks of a node."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar, cast

import httpx
import msgspec

from ouro import node_answers
from ouro.errors import OuroError
from ouro.node_answers import NonsenseError

_BATCH = 100
_REVERTED = 3
_LIMITED = re.compile(r"\blimit|too many|capacity|throttl|timed? ?out|busy", re.IGNORECASE)
_LIMIT_CODES = (-32005, 429)
_GIVES_NONE = 5
"""Refusals in a row after which a node is taken for one that does not know a method."""


class NodeError(OuroError):
    """The node did not answer, or answered with an error; worth another try."""


Read = TypeVar("Read", bound=Callable[..., Any])


def _strictly(read: Read) -> Read:
    """The reader, with `NodeError` for nonsense."""

    @wraps(read)
    def checked(*arguments: Any) -> Any:
        try:
            return read(*arguments)
        except NonsenseError as error:
            raise NodeError(f"the node answers with nonsense: {error}") from None

    return cast(Read, checked)


quantity = _strictly(node_answers.quantity)
hex_bytes = _strictly(node_answers.hex_bytes)
raw_logs = _strictly(node_answers.raw_logs)
_mapping = _strictly(node_answers.mapping)
_items = _strictly(node_answers.items)
_in_order = _strictly(node_answers.in_order)


class NoStateError(NodeError):
    """The node has not the state of a block: it is no archive, and the block is old."""


@dataclass(frozen=True)
class Header:
    """What the indexer needs of a block's header; hashes in hex. `bloom` is the filter of its logs, 0 where the node
    does not tell it or nobody asked.
    """

    number: int
    hash: str
    parent_hash: str
    time_s: int
    bloom: int = 0


class Node:
    """A node behind a URL. Blocking: the indexer follows the chain in a thread of its own."""

    def __init__(self, url: str, *, timeout_s: float = 30.0) -> None:
        self._client = httpx.Client(timeout=timeout_s)
        self._url = url
        # Node URLs often hold a key in their path: it must not get into logs.
        self._host = httpx.URL(url).host
        self._without_receipts = 0

    def close(self) -> None:
        self._client.close()

    def chain_id(self) -> int:
        return quantity(self._call("eth_chainId"))

    def head(self) -> int:
        """Number of the newest block."""
        return quantity(self._call("eth_blockNumber"))

    def header(self, number: int) -> Header | None:
        """The block of that number, None when the chain is shorter."""
        return _header(self._call("eth_getBlockByNumber", hex(number), False), number)

    def headers(self, numbers: Sequence[int]) -> list[Header]:
        """Blocks by number in the order asked for. Raises `NodeError` when one is missing."""
        found: list[Header] = []
        for number, header in zip(numbers, self.known_headers(numbers), strict=True):
            if header is None:
                raise NodeError(f"the node has no block {number}, though it announced a newer one")
            found.append(header)
        return found

    def known_headers(self, numbers: Sequence[int]) -> list[Header | None]:
        """Blocks by number in the order asked for; None where the chain is shorter."""
        answers: list[Any] = []
        for start in range(0, len(numbers), _BATCH):
            part = numbers[start : start + _BATCH]
            answers += self._calls([("eth_getBlockByNumber", (hex(number), False)) for number in part])
        return [_header(answer, number) for number, answer in zip(numbers, answers, strict=True)]

    def final(self) -> int | None:
        """Number of the newest final block, None when the node does not know the tag."""
        try:
            header = _header(self._call("eth_getBlockByNumber", "finalized", False))
        except NodeError:
            return None
        return None if header is None else header.number

    def logs(self, addresses: Sequence[str], first: int, last: int) -> list[dict[str, Any]]:
        """Raw logs of a range of blocks, both ends included."""
        query = {"address": list(addresses), "fromBlock": hex(first), "toBlock": hex(last)}
        return raw_logs(self._call("eth_getLogs", query))

    def logs_of(self, addresses: Sequence[str], hashes: Sequence[str]) -> list[list[dict[str, Any]]]:
        """Raw logs of exactly these blocks, asked for at once. Raises `NodeError` when one is not on the chain (any
        more).
        """
        ours = list(addresses)
        answers = self._calls([("eth_getLogs", ({"address": ours, "blockHash": hash_},)) for hash_ in hashes])
        return [raw_logs(answer) for answer in answers]

    def emitters(self, block_hash: str) -> frozenset[str] | None:
        """Lower-case addresses of all that logged in a block, by its receipts; None where a node gives none."""
        [answer] = self._answers([("eth_getBlockReceipts", (block_hash,))])
        if "error" in answer:
            self._without_receipts += 1
            if self._without_receipts < _GIVES_NONE or _limited(answer["error"]):
                raise NodeError(f"the node refused eth_getBlockReceipts: {answer['error']}")
            return None
        self._without_receipts = 0
        receipts = answer["result"]
        return frozenset(
            log["address"].lower() for receipt in _items(receipts) for log in raw_logs(_mapping(receipt).get("logs"))
        )

    def calls(self, to: str, datas: Sequence[bytes], block: int) -> list[bytes]:
        """What a contract answers to each call at the end of a block. Raises `NodeError` when one fails."""
        answers = self._calls([("eth_call", ({"to": to, "data": "0x" + data.hex()}, hex(block))) for data in datas])
        return [hex_bytes(answer) for answer in answers]

    def asked(self, calls: Sequence[tuple[str, bytes, str]]) -> list[bytes | NoStateError]:
        """What contracts answer: to each call (contract, calldata, hash of the block), nothing where it reverts. Raises
        `NodeError` where asking again may help.
        """
        found: list[bytes | NoStateError] = []
        for start in range(0, len(calls), _BATCH):
            part = [
                ("eth_call", ({"to": to, "data": "0x" + data.hex()}, {"blockHash": block_hash}))
                for to, data, block_hash in calls[start : start + _BATCH]
            ]
            found += [_outcome(answer) for answer in self._answers(part)]
        return found

    def reverts(self, to: str, data: bytes) -> bool:
        """Whether a call of a contract reverts, or is answered with nothing, as of now."""
        [answer] = self._answers([("eth_call", ({"to": to, "data": "0x" + data.hex()}, "latest"))])
        if "error" not in answer:
            return not hex_bytes(answer["result"])
        if not _reverted(answer["error"]):
            raise NodeError(f"the node refused eth_call: {answer['error']}")
        return True

    def _call(self, method: str, *parameters: Any) -> Any:
        return self._calls([(method, parameters)])[0]

    def _calls(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        results = []
        for (method, _), answer in zip(calls, self._answers(calls), strict=True):
            if "error" in answer:
                raise NodeError(f"the node refused {method}: {answer['error']}")
            results.append(answer["result"])
        return results

    def _answers(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[dict[str, Any]]:
        """The answers in the order of the calls, with `result` or `error`. Raises `NodeError`."""
        body = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": list(parameters)}
            for number, (method, parameters) in enumerate(calls)
        ]
        try:
            response = self._client.post(self._url, json=body if len(body) > 1 else body[0])
            if not response.is_success:
                raise NodeError(f"the node at {self._host} answered with status {response.status_code}")
            answers = msgspec.json.decode(response.content)
        except (httpx.HTTPError, ValueError) as error:
            raise NodeError(f"the node at {self._host} did not answer: {error!r}") from error
        # A node that refuses a batch as a whole answers with one error.
        if isinstance(answers, dict) and "error" in answers and len(body) > 1:
            raise NodeError(f"the node refused {calls[0][0]}: {answers['error']}")
        if isinstance(answers, dict):
            answers = [answers | {"id": 0}]
        return _in_order(answers, [method for method, _ in calls])


def _header(answer: Any, number: int | None = None) -> Header | None:
    """Of the block of that number, if one was asked for by number."""
    if answer is None:
        return None
    block = _mapping(answer)
    at, time_s = quantity(block.get("number")), quantity(block.get("timestamp"))
    for name in ("hash", "parentHash"):
        hex_bytes(block.get(name), 32)
    if number not in (None, at):
        raise NodeError(f"the node was asked for block {number} and answered with block {at}")
    bloom = int.from_bytes(hex_bytes(block.get("logsBloom") or "0x"))
    return Header(at, block["hash"], block["parentHash"], time_s, bloom)


def _outcome(answer: dict[str, Any]) -> bytes | NoStateError:
    if "error" not in answer:
        return hex_bytes(answer["result"])
    if _reverted(answer["error"]):
        return b""
    message = f"the node refused eth_call: {answer['error']}"
    # Of what there is a limit on, there is more later.
    if _limited(answer["error"]):
        raise NodeError(message)
    return NoStateError(message)


def _limited(error: Any) -> bool:
    return isinstance(error, dict) and (
        error.get("code") in _LIMIT_CODES or bool(_LIMITED.search(str(error.get("message"))))
    )


def _reverted(error: Any) -> bool:
    return isinstance(error, dict) and (error.get("code") == _REVERTED or "revert" in str(error.get("message")))
