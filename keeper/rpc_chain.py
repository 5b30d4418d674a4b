# SPDX-License-Identifier: AGPL-3.0-only
"""A chain behind one JSON-RPC address. Many reads of one block go in one request."""

from collections.abc import Sequence
from typing import Any

import httpx
from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from keeper.ports import Call, ChainError, Head, Receipt, RefusedError

TIMEOUT_S = 30.0
CALLS_PER_REQUEST = 200
_ERROR_SELECTOR = bytes.fromhex("08c379a0")


class RpcChain:
    """The `Chain` that a node serves over HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(timeout=TIMEOUT_S)

    def close(self) -> None:
        self._http.close()

    def head(self) -> Head:
        block = self._one("eth_getBlockByNumber", "latest", False)
        return Head(_int(block["number"]), block["hash"], _int(block["timestamp"]), _int(block["baseFeePerGas"]))

    def block_hash(self, number: int) -> str | None:
        block = self._one("eth_getBlockByNumber", hex(number), False)
        return None if block is None else str(block["hash"])

    def logs(self, addresses: Sequence[str], first: int, last: int) -> list[dict[str, Any]]:
        query = {"address": list(addresses), "fromBlock": hex(first), "toBlock": hex(last)}
        found: list[dict[str, Any]] = self._one("eth_getLogs", query)
        return found

    def call_many(self, calls: Sequence[Call], block_hash: str) -> list[bytes | RefusedError]:
        answers: list[bytes | RefusedError] = []
        for start in range(0, len(calls), CALLS_PER_REQUEST):
            part = calls[start : start + CALLS_PER_REQUEST]
            requests = [("eth_call", (_query(call), {"blockHash": block_hash})) for call in part]
            answers += [self._bytes_or_refusal(answer) for answer in self._request(requests)]
        return answers

    def simulate(self, call: Call) -> int:
        [answer] = self._request([("eth_estimateGas", (_query(call),))])
        if "error" in answer:
            raise _refusal(answer["error"])
        return _int(answer["result"])

    def chain_id(self) -> int:
        return _int(self._one("eth_chainId"))

    def nonce(self, address: str) -> int:
        return _int(self._one("eth_getTransactionCount", address, "latest"))

    def send(self, raw_transaction: bytes) -> str:
        [answer] = self._request([("eth_sendRawTransaction", ("0x" + raw_transaction.hex(),))])
        if "error" in answer:
            raise _refusal(answer["error"])
        return str(answer["result"])

    def receipt(self, transaction_hash: str) -> Receipt | None:
        found = self._one("eth_getTransactionReceipt", transaction_hash)
        if found is None or found.get("blockNumber") is None:
            return None
        return Receipt(
            transaction_hash=transaction_hash,
            block_number=_int(found["blockNumber"]),
            succeeded=_int(found["status"]) == 1,
            gas_used=_int(found["gasUsed"]),
            gas_price=_int(found["effectiveGasPrice"]),
            logs=tuple(found["logs"]),
        )

    def _bytes_or_refusal(self, answer: dict[str, Any]) -> bytes | RefusedError:
        if "error" not in answer:
            return _bytes(answer["result"])
        error = answer["error"]
        if not _is_revert(error):
            raise ChainError(f"eth_call at {self.url}: {error.get('message', error)}")
        return _refusal(error)

    def _one(self, method: str, *params: Any) -> Any:
        [answer] = self._request([(method, params)])
        if "error" in answer:
            raise ChainError(f"{method} at {self.url}: {answer['error'].get('message', answer['error'])}")
        return answer["result"]

    def _request(self, requests: Sequence[tuple[str, tuple[Any, ...]]]) -> list[dict[str, Any]]:
        """The answers in the order of the requests."""
        bodies = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}
            for number, (method, params) in enumerate(requests)
        ]
        try:
            answers = self._http.post(self.url, json=bodies).json()
        except (httpx.HTTPError, ValueError) as error:
            raise ChainError(f"the node at {self.url} does not answer: {error}") from error
        if not isinstance(answers, list) or len(answers) != len(bodies):
            raise ChainError(f"the node at {self.url} does not answer a batch of {len(bodies)}: {str(answers)[:200]}")
        return sorted(answers, key=lambda answer: int(answer["id"]))


def _query(call: Call) -> dict[str, str]:
    query = {"to": call.to, "data": "0x" + call.data.hex()}
    return query if call.sender is None else {**query, "from": call.sender}


def _int(value: str) -> int:
    return int(value, 16)


def _bytes(value: str) -> bytes:
    return bytes.fromhex(value.removeprefix("0x"))


def _is_revert(error: dict[str, Any]) -> bool:
    return error.get("code") == 3 or "revert" in str(error.get("message", "")).lower()


def _refusal(error: dict[str, Any]) -> RefusedError:
    """The contract's reason if the error holds one, else the node's message."""
    data = error.get("data")
    if isinstance(data, str):
        raw = _bytes(data)
        if raw[:4] == _ERROR_SELECTOR:
            try:
                return RefusedError(str(decode(["string"], raw[4:])[0]))
            except DecodingError:
                return RefusedError("a reason that is no text")
    return RefusedError(str(error.get("message", error)))
