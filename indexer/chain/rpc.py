# SPDX-License-Identifier: AGPL-3.0-only
"""JSON-RPC over HTTP, as much as an indexer asks of a node."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec

from ouro.errors import OuroError

_BATCH = 100
_REVERTED = 3
_LIMITED = re.compile(r"\blimit|too many|capacity|throttl|timed? ?out|busy", re.IGNORECASE)
_LIMIT_CODES = (-32005, 429)
_MOST = 2**63 - 1
_HASH = re.compile(r"0x[0-9a-fA-F]{64}")


class NodeError(OuroError):
    """The node did not answer, or answered with an error; worth another try."""


class NoStateError(NodeError):
    """The node has not the state of a block: it is no archive, and the block is old."""


@dataclass(frozen=True)
class Header:
    """What the indexer needs of a block's header; hashes in hex."""

    number: int
    hash: str
    parent_hash: str
    time_s: int


class Node:
    """A node behind a URL. Blocking: the indexer follows the chain in a thread of its own."""

    def __init__(self, url: str, *, timeout_s: float = 30.0) -> None:
        self._client = httpx.Client(timeout=timeout_s)
        self._url = url
        # Node URLs often hold a key in their path: it must not get into logs.
        self._host = httpx.URL(url).host

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
        return _logs(self._call("eth_getLogs", query))

    def logs_of(self, addresses: Sequence[str], hashes: Sequence[str]) -> list[list[dict[str, Any]]]:
        """Raw logs of exactly these blocks, asked for at once. Raises `NodeError` when one is not on the chain (any
        more).
        """
        ours = list(addresses)
        answers = self._calls([("eth_getLogs", ({"address": ours, "blockHash": hash_},)) for hash_ in hashes])
        return [_logs(answer) for answer in answers]

    def calls(self, to: str, datas: Sequence[bytes], block: int) -> list[bytes]:
        """What a contract answers to each call at the end of a block. Raises `NodeError` when one fails."""
        answers = self._calls([("eth_call", ({"to": to, "data": "0x" + data.hex()}, hex(block))) for data in datas])
        return [_data(answer) for answer in answers]

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
            return not _data(answer["result"])
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
        found = {
            answer["id"]: answer
            for answer in (answers if isinstance(answers, list) else [answers])
            if isinstance(answer, dict) and isinstance(answer.setdefault("id", None), int | None)
        }
        if len(body) == 1 and None in found:
            found[0] = found[None]
        missing = [number for number in range(len(body)) if not found.get(number, {}).keys() & {"result", "error"}]
        if missing:
            raise NodeError(f"the node at {self._host} left out the answer to {calls[missing[0]][0]}")
        return [found[number] for number in range(len(body))]


class _Log(msgspec.Struct, rename="camel"):
    """The types of a raw log's fields; what they say is for who decodes it."""

    address: str
    topics: list[str]
    data: str
    block_number: str
    block_hash: str
    transaction_hash: str
    log_index: str


def _nonsense(value: Any, wanted: str) -> NodeError:
    return NodeError(f"the node answered {repr(value)[:80]}, which is not {wanted}")


def quantity(value: Any) -> int:
    """A hex quantity of 63 bits at most. Raises `NodeError` for anything else."""
    try:
        found = int(value, 16) if isinstance(value, str) and value.startswith("0x") and len(value) < 20 else -1
    except ValueError:
        found = -1
    if not 0 <= found <= _MOST:
        raise _nonsense(value, "a quantity")
    return found


def _data(value: Any) -> bytes:
    try:
        if isinstance(value, str) and value.startswith("0x"):
            return bytes.fromhex(value[2:])
    except ValueError:
        pass
    raise _nonsense(value, "bytes")


def _header(answer: Any, number: int | None = None) -> Header | None:
    """Of the block of that number, if one was asked for by number."""
    if answer is None:
        return None
    if not isinstance(answer, dict) or not all(
        isinstance(answer.get(name), str) and _HASH.fullmatch(answer[name]) for name in ("hash", "parentHash")
    ):
        raise _nonsense(answer, "a block")
    at, time_s = quantity(answer.get("number")), quantity(answer.get("timestamp"))
    if number not in (None, at):
        raise NodeError(f"the node was asked for block {number} and answered with block {at}")
    return Header(at, answer["hash"], answer["parentHash"], time_s)


def _logs(answer: Any) -> list[dict[str, Any]]:
    try:
        msgspec.convert(answer, list[_Log])
    except msgspec.ValidationError as error:
        raise _nonsense(answer, f"a list of logs ({error})") from None
    found: list[dict[str, Any]] = answer
    return found


def _outcome(answer: dict[str, Any]) -> bytes | NoStateError:
    if "error" not in answer:
        return _data(answer["result"])
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
