# SPDX-License-Identifier: AGPL-3.0-only
"""A JSON-RPC front to a real node that drops, delays, repeats, reorders, cuts off, and lies."""

import contextlib
import http.client
import http.server
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

Json = dict[str, Any]

ERRORS = [
    {"code": -32603, "message": "internal error"},
    {"code": -32005, "message": "limit exceeded"},
    {"code": -32000, "message": "header not found"},
]
GARBAGE: list[Any] = [
    None,
    True,
    -1,
    2**80,
    "",
    "0x",
    "zebra",
    "0x" + "f" * 80,
    [],
    [None],
    {},
    {"number": "0x1"},
    [[]],
]


class HostileNode:
    """Forwards to the node at `to_port`; with probability `rate` something goes wrong with a request. Without `lies`
    no answer could be true and is not, but for logs that are kept back.
    """

    def __init__(self, to_port: int, seed: int, rate: float, *, lies: bool = True, delay_s: float = 1.5) -> None:
        self.rate = rate
        self.faults: Counter[str] = Counter()
        self.requests = 0
        self._delay_s = delay_s
        self._to_port = to_port
        self._rng = Random(seed)
        self._lock = threading.Lock()
        self._held: list[Json] = []
        self._calls: list[tuple[str, Callable[[Json], Any]]] = [
            ("drop the request", self._drop),
            ("lose the answer", self._lose),
            ("delay", self._delay),
            ("ask twice", self._twice),
            ("answer with an error", self._error),
            ("answer with a page", self._page),
            ("cut the answer off", self._cut),
            ("answer nonsense", self._nonsense),
        ]
        self._lies: dict[str, list[tuple[str, Callable[[Any], Any]]]] = {
            "eth_getBlockReceipts": [
                ("hide all logs", lambda _: []),
                ("hide a receipt", lambda receipts: receipts[:-1]),
                ("hide some logs", lambda receipts: _with_logs(receipts, lambda logs: logs[: len(logs) // 2])),
                ("the same log twice", lambda receipts: _with_logs(receipts, lambda logs: logs + logs[-1:])),
                ("logs of a foreign contract", lambda receipts: _altered(receipts, address="0x" + "55" * 20)),
                ("logs of another block", lambda receipts: _altered(receipts, blockHash="0x" + "11" * 32)),
                ("altered amounts", lambda receipts: _altered(receipts, data="0x" + "01" * 64)),
            ],
            "eth_getBlockByNumber": [
                ("no such block", lambda _: None),
                ("a time of the future", lambda block: {**block, "timestamp": hex(2**33)}),
                ("another parent", lambda block: {**block, "parentHash": "0x" + "77" * 32}),
                ("another hash", lambda block: {**block, "hash": "0x" + "78" * 32}),
                ("a huge block number", lambda block: {**block, "number": hex(2**62)}),
                ("no bloom filter", lambda block: {**block, "logsBloom": "0x" + "00" * 256}),
            ],
            "eth_getTransactionCount": [
                ("a nonce too low", lambda count: hex(max(0, int(count, 16) - self._rng.randrange(1, 4)))),
                ("a nonce too high", lambda count: hex(int(count, 16) + self._rng.randrange(1, 4))),
                ("a huge nonce", lambda _: hex(2**60)),
            ],
            "eth_getTransactionReceipt": [
                ("no receipt", lambda _: None),
                ("the wrong status", lambda receipt: {**receipt, "status": hex(1 - int(receipt["status"], 16))}),
                ("another receipt", lambda receipt: {**receipt, "transactionHash": "0x" + "79" * 32}),
            ],
            "eth_feeHistory": [
                ("a huge base fee", lambda fees: {**fees, "baseFeePerGas": [hex(10**15)] * 3}),
                ("a base fee of nothing", lambda fees: {**fees, "baseFeePerGas": ["0x0"] * 3}),
                ("huge tips", lambda fees: {**fees, "reward": [[hex(10**15)]] * 3}),
            ],
        }
        if not lies:
            self._lies = {"eth_getLogs": [("hide all logs", lambda _: [])]}
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                answer = owner._serve(json.loads(body))
                if answer is None:
                    self.close_connection = True
                    with contextlib.suppress(OSError):
                        self.connection.shutdown(socket.SHUT_RDWR)
                    return
                with contextlib.suppress(OSError):
                    self.send_response(200)
                    self.send_header("content-length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                """Silence."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def calm(self) -> None:
        """From now on an honest front; what was held back goes to the node."""
        self.rate = 0.0
        self._release(1.0)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, asked: Any) -> bytes | None:
        """The answer's bytes; None for none."""
        with self._lock:
            self.requests += 1
            is_faulty = self._rng.random() < self.rate
        requests = asked if isinstance(asked, list) else [asked]
        if self.rate:
            self._release(0.3)
        if not is_faulty:
            return _encode(self._forward(asked))
        with self._lock:
            methods = [request["method"] for request in requests]
            choices: list[tuple[str, Callable[[Any], Any]]] = list(self._calls)
            lies = [lie for method in methods for lie in self._lies.get(method, [])]
            # Half of the faults are lies, where there is something to lie about.
            lie = self._rng.choice(lies) if lies and self._rng.random() < 0.5 else None
            if "eth_sendRawTransaction" in methods:
                choices += [("swallow a transaction", self._swallow), ("hold a transaction back", self._hold)] * 3
            if len(requests) > 1:
                choices += [("answer in another order", self._shuffle), ("leave answers out", self._leave_out)]
            name, fault = lie or self._rng.choice(choices)
        if lie is None:
            self.faults[name] += 1
            result: bytes | None = fault(asked)
            return result
        answered = self._forward(asked)
        for question, answer in zip(requests, answered if isinstance(answered, list) else [answered], strict=True):
            told = [each for each, _ in self._lies.get(question["method"], [])]
            if name in told and answer.get("result"):
                self.faults[name] += 1
                answer["result"] = fault(answer["result"])
                break
        return _encode(answered)

    def _forward(self, asked: Any) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._to_port, timeout=30)
        try:
            connection.request("POST", "/", json.dumps(asked), {"content-type": "application/json"})
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def _drop(self, _: Any) -> None:
        return None

    def _lose(self, asked: Any) -> None:
        self._forward(asked)

    def _delay(self, asked: Any) -> bytes:
        time.sleep(self._rng.uniform(0.05, self._delay_s))
        return _encode(self._forward(asked))

    def _twice(self, asked: Any) -> bytes:
        self._forward(asked)
        return _encode(self._forward(asked))

    def _error(self, asked: Any) -> bytes:
        error = self._rng.choice(ERRORS)
        return _encode(_each(asked, lambda request: {"jsonrpc": "2.0", "id": request["id"], "error": error}))

    def _page(self, _: Any) -> bytes:
        return b"<html><body>502 Bad Gateway</body></html>"

    def _cut(self, asked: Any) -> bytes:
        whole = _encode(self._forward(asked))
        return whole[: self._rng.randrange(len(whole))]

    def _nonsense(self, asked: Any) -> bytes:
        result = self._rng.choice(GARBAGE)
        return _encode(_each(asked, lambda request: {"jsonrpc": "2.0", "id": request["id"], "result": result}))

    def _swallow(self, asked: Any) -> bytes:
        return _encode(
            _each(asked, lambda request: {"jsonrpc": "2.0", "id": request["id"], "result": "0x" + "42" * 32})
        )

    def _hold(self, asked: Any) -> bytes:
        """Goes to the node later, after others."""
        with self._lock:
            self._held.append(asked)
        return self._swallow(asked)

    def _release(self, chance: float) -> None:
        with self._lock:
            going = [held for held in self._held if self._rng.random() < chance]
            self._held = [held for held in self._held if held not in going]
            self._rng.shuffle(going)
        for held in going:
            self._forward(held)

    def _shuffle(self, asked: Any) -> bytes:
        answers = self._forward(asked)
        self._rng.shuffle(answers)
        return _encode(answers)

    def _leave_out(self, asked: Any) -> bytes:
        answers = self._forward(asked)
        del answers[self._rng.randrange(len(answers))]
        return _encode(answers)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Connections break all the time here."""


def _with_logs(receipts: list[Json], change: Callable[[list[Json]], list[Json]]) -> list[Json]:
    return [{**receipt, "logs": change(receipt["logs"])} for receipt in receipts]


def _altered(receipts: list[Json], **fields: Any) -> list[Json]:
    return _with_logs(receipts, lambda logs: [{**log, **fields} for log in logs])


def _each(asked: Any, answer: Callable[[Json], Json]) -> Any:
    return [answer(request) for request in asked] if isinstance(asked, list) else answer(asked)


def _encode(answer: Any) -> bytes:
    return json.dumps(answer).encode()
