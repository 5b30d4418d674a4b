# SPDX-License-Identifier: AGPL-3.0-only
"""A chain behind one JSON-RPC address. Many reads of one block go in one call, many requests in one message."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import httpx
from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from keeper import multicall
from keeper.ports import Call, ChainError, Head, Receipt, RefusedError
from ouro.node_answers import MOST_WEI, NonsenseError, hex_bytes, in_order, mapping, quantity, raw_logs
from ouro.urls import shown

TIMEOUT_S = 30.0
REQUESTS_AT_ONCE = 100
NO_REASON = "no reason given"
_ERROR_SELECTOR = bytes.fromhex("08c379a0")

Read = TypeVar("Read")
Request = tuple[str, tuple[Any, ...]]
"""Method and parameters."""


class _TooMuchGasError(Exception):
    """So many calls in one need more gas than the node grants."""


class RpcChain:
    """The `Chain` that a node serves over HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url
        """May hold a provider's key; what is told of it is `place`."""
        self.place = shown(url)
        self.multicalls = True
        """Off once the node turned out not to hand reverted data back; then every read is a request."""
        self.calls_at_once = multicall.CALLS_AT_ONCE
        """Halved whenever a node's gas for an `eth_call` turns out not to carry so many."""
        self._http = httpx.Client(timeout=TIMEOUT_S)

    def close(self) -> None:
        self._http.close()

    def head(self) -> Head:
        return self._one("eth_getBlockByNumber", "latest", False, read=_head)

    def block_hash(self, number: int) -> str | None:
        return self._one("eth_getBlockByNumber", hex(number), False, read=_hash_of_block)

    def logs(self, addresses: Sequence[str], first: int, last: int) -> list[dict[str, Any]]:
        query = {"address": list(addresses), "fromBlock": hex(first), "toBlock": hex(last)}
        return self._one("eth_getLogs", query, read=raw_logs)

    def call_many(self, calls: Sequence[Call], block_hash: str) -> list[bytes | RefusedError]:
        if self.multicalls and len(calls) > 1 and all(call.sender is None for call in calls):
            answers: list[bytes | RefusedError] = []
            while len(answers) < len(calls):
                asked = calls[len(answers) : len(answers) + self.calls_at_once]
                try:
                    part = self._multicall(asked, block_hash)
                except _TooMuchGasError:
                    self.calls_at_once = max(1, len(asked) // 2)
                    continue
                if part is None:
                    self.multicalls = False
                    return self.call_many(calls, block_hash)
                answers += self._asked_again(asked, part, block_hash)
            return answers
        return self._one_by_one(calls, block_hash)

    def _one_by_one(self, calls: Sequence[Call], block_hash: str) -> list[bytes | RefusedError]:
        requests: list[Request] = [("eth_call", (_query(call), {"blockHash": block_hash})) for call in calls]
        return [self._bytes_or_refusal(answer) for answer in self._request(requests)]

    def _asked_again(
        self, calls: Sequence[Call], answers: list[bytes | RefusedError], block_hash: str
    ) -> list[bytes | RefusedError]:
        """A call that failed without a word may have had too little gas left beside the others: alone it has it all."""
        silent = [
            place
            for place, answer in enumerate(answers)
            if isinstance(answer, RefusedError) and answer.reason == NO_REASON
        ]
        if not silent:
            return answers
        again = self._one_by_one([calls[place] for place in silent], block_hash)
        if len(calls) > 1 and not all(isinstance(answer, RefusedError) for answer in again):
            self.calls_at_once = max(1, min(self.calls_at_once, len(calls)) // 2)
        found = dict(zip(silent, again, strict=True))
        return [found.get(place, answer) for place, answer in enumerate(answers)]

    def simulate_many(self, calls: Sequence[Call]) -> list[int | RefusedError]:
        # Without a block some nodes answer for the pending one, where a rival's transaction that nobody may ever mine
        # has already done the work.
        requests: list[Request] = [("eth_estimateGas", (_query(call), "latest")) for call in calls]
        found: list[int | RefusedError] = []
        for answer in self._request(requests):
            if "error" in answer and _is_revert(answer["error"]):
                found.append(_refusal(answer["error"]))
            else:
                found.append(self._result(answer, "eth_estimateGas", quantity))
        return found

    def try_many(self, calls: Sequence[Call]) -> list[RefusedError | None]:
        requests: list[Request] = [("eth_call", (_query(call), "latest")) for call in calls]
        answers = map(self._bytes_or_refusal, self._request(requests))
        return [answer if isinstance(answer, RefusedError) else None for answer in answers]

    def chain_id(self) -> int:
        return self._one("eth_chainId", read=quantity)

    def nonce(self, address: str) -> int:
        return self._one("eth_getTransactionCount", address, "latest", read=quantity)

    def balance(self, address: str) -> int:
        return self._one("eth_getBalance", address, "latest", read=_wei)

    def send_many(self, raw_transactions: Sequence[bytes]) -> list[str | RefusedError]:
        requests: list[Request] = [("eth_sendRawTransaction", ("0x" + raw.hex(),)) for raw in raw_transactions]
        answers = self._request(requests)
        return [
            _refusal(answer["error"]) if "error" in answer else self._result(answer, "eth_sendRawTransaction", _hash)
            for answer in answers
        ]

    def receipts(self, transaction_hashes: Sequence[str]) -> list[Receipt | None]:
        requests: list[Request] = [("eth_getTransactionReceipt", (name,)) for name in transaction_hashes]
        return [self._result(answer, "eth_getTransactionReceipt", _receipt) for answer in self._request(requests)]

    def _multicall(self, calls: Sequence[Call], block_hash: str) -> list[bytes | RefusedError] | None:
        """The answers, or None from a node that does not do this."""
        query = {"data": "0x" + multicall.encode(calls).hex()}
        [answer] = self._request([("eth_call", (query, {"blockHash": block_hash}))])
        data = answer.get("error", {}).get("data")
        if not isinstance(data, str):
            if "error" in answer and not _is_revert(answer["error"]):
                if len(calls) > 1 and "gas" in str(answer["error"].get("message", "")).lower():
                    raise _TooMuchGasError
                self._result(answer, "eth_call", hex_bytes)  # raises: the node lacks the block, or is in trouble
            return None
        try:
            parts = multicall.decode(hex_bytes(data), len(calls))
        except ValueError:
            return None
        return [raw if succeeded else RefusedError(_reason(raw)) for succeeded, raw in parts]

    def _bytes_or_refusal(self, answer: dict[str, Any]) -> bytes | RefusedError:
        if "error" in answer and _is_revert(answer["error"]):
            return _refusal(answer["error"])
        return self._result(answer, "eth_call", hex_bytes)

    def _one(self, method: str, *params: Any, read: Callable[[Any], Read]) -> Read:
        [answer] = self._request([(method, params)])
        return self._result(answer, method, read)

    def _result(self, answer: dict[str, Any], method: str, read: Callable[[Any], Read]) -> Read:
        if "error" in answer:
            raise ChainError(f"{method} at {self.place}: {answer['error'].get('message', answer['error'])}")
        try:
            return read(answer["result"])
        except NonsenseError as error:
            raise ChainError(f"{method} at {self.place} is answered with nonsense: {error}") from None

    def _request(self, requests: Sequence[Request]) -> list[dict[str, Any]]:
        """The answers in the order of the requests."""
        answers: list[dict[str, Any]] = []
        for start in range(0, len(requests), REQUESTS_AT_ONCE):
            answers += self._batch(requests[start : start + REQUESTS_AT_ONCE])
        return answers

    def _batch(self, requests: Sequence[Request]) -> list[dict[str, Any]]:
        bodies = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}
            for number, (method, params) in enumerate(requests)
        ]
        try:
            answers = self._http.post(self.url, json=bodies).json()
        except (httpx.HTTPError, ValueError) as error:
            raise ChainError(f"the node at {self.place} does not answer: {error}") from error
        if not isinstance(answers, list):
            raise ChainError(f"the node at {self.place} does not answer a batch of {len(bodies)}: {str(answers)[:200]}")
        try:
            return in_order(answers, [method for method, _ in requests])
        except NonsenseError as error:
            raise ChainError(f"the node at {self.place} answers with nonsense: {error}") from None


def _query(call: Call) -> dict[str, str]:
    query = {"to": call.to, "data": "0x" + call.data.hex()}
    if call.value:
        query["value"] = hex(call.value)
    return query if call.sender is None else {**query, "from": call.sender}


def _head(value: Any) -> Head:
    block = mapping(value)
    number, time_s, base_fee = (quantity(block.get(name)) for name in ("number", "timestamp", "baseFeePerGas"))
    return Head(number, _hash(block.get("hash")), time_s, base_fee)


def _hash_of_block(value: Any) -> str | None:
    return None if value is None else _hash(mapping(value).get("hash"))


def _receipt(value: Any) -> Receipt | None:
    found = None if value is None else mapping(value)
    if found is None or found.get("blockNumber") is None:
        return None
    return Receipt(
        transaction_hash=_hash(found.get("transactionHash")),
        block_number=quantity(found["blockNumber"]),
        succeeded=quantity(found.get("status")) == 1,
        gas_used=quantity(found.get("gasUsed")),
        gas_price=quantity(found.get("effectiveGasPrice")),
        logs=tuple(raw_logs(found.get("logs"))),
    )


def _wei(value: Any) -> int:
    return quantity(value, MOST_WEI)


def _hash(value: Any) -> str:
    return "0x" + hex_bytes(value, 32).hex()


def _is_revert(error: dict[str, Any]) -> bool:
    return error.get("code") == 3 or "revert" in str(error.get("message", "")).lower()


def _refusal(error: dict[str, Any]) -> RefusedError:
    """The contract's reason if the error holds one, else the node's message."""
    try:
        raw = hex_bytes(error.get("data"))
    except NonsenseError:
        raw = b""
    if raw[:4] == _ERROR_SELECTOR:
        return RefusedError(_reason(raw))
    return RefusedError(str(error.get("message", error)))


def _reason(raw: bytes) -> str:
    if raw[:4] == _ERROR_SELECTOR:
        try:
            return str(decode(["string"], raw[4:])[0])
        except DecodingError:
            return "a reason that is no text"
    return NO_REASON
