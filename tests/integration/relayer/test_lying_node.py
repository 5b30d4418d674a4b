# SPDX-License-Identifier: AGPL-3.0-only
"""A node that lies or lags (case 89): nothing settles twice, and its secrets stay out of the logs."""

import http.server
import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak

from tests.integration.relayer.harness import RelayerProcess, World, eventually, world

Lie = Callable[[str, Any], Any]


class _Liar:
    """Stands before a node; `lie(method, result)` makes the answer, and while it is `away` there is none."""

    def __init__(self, to_port: int) -> None:
        self.lie: Lie = lambda _, result: result
        self.away = False
        liar = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                request = urllib.request.Request(
                    f"http://127.0.0.1:{to_port}", body, {"content-type": "application/json"}
                )
                asked, answered = json.loads(body), json.load(urllib.request.urlopen(request))
                for question, answer in zip(_list(asked), _list(answered), strict=True):
                    if "result" in answer:
                        answer["result"] = liar.lie(question["method"], answer["result"])
                data = b"gone" if liar.away else json.dumps(answered).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                """Silence."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/v3/a-secret-key"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@contextmanager
def _lied_to(exchange: World, folder: Path) -> Iterator[tuple[_Liar, RelayerProcess]]:
    liar = _Liar(exchange.node.port)
    relayer = RelayerProcess(liar.url, exchange.deployment, folder / "relayer")
    try:
        relayer.start()
        yield liar, relayer
    finally:
        relayer.close()
        liar.server.shutdown()
        liar.server.server_close()


def _match(exchange: World, relayer: RelayerProcess) -> None:
    maker, taker = exchange.trader("maker"), exchange.trader("taker")
    relayer.catch_up()
    assert relayer.http.post("/v4/orders", json=exchange.signed(maker, "SELL", 50)).status_code == 201
    bid = exchange.signed(taker, "BUY", 20, time_in_force="IOC")
    assert relayer.http.post("/v4/orders", json=bid).json()["filled"] == "20"


def test_89_a_batch_whose_events_the_node_hides_is_not_sent_again(tmp_path: Path) -> None:
    settled = "0x" + keccak(text="BatchSettled(address,bytes32,bytes32,uint256,uint256,int256)").hex()

    def hide(method: str, result: Any) -> Any:
        hidden = method == "eth_getLogs" and any(log["topics"][0] == settled for log in result)
        return [] if hidden else result

    with world(tmp_path) as exchange, _lied_to(exchange, tmp_path) as (liar, relayer):
        liar.lie = hide
        _match(exchange, relayer)
        eventually(lambda: "batch_settled_unseen" in relayer.log(), what="the contradiction")
        assert "batch_dropped" not in relayer.log()
        sent = exchange.node.rpc.request("eth_getTransactionCount", exchange.operator.address, "latest")
        assert int(sent, 16) == 1
        assert exchange.settled_fill_ids() == [1]


def test_89_logs_of_another_block_are_not_taken(tmp_path: Path) -> None:
    with world(tmp_path) as exchange, _lied_to(exchange, tmp_path) as (liar, relayer):
        lies: list[str] = []

        def elsewhere(method: str, result: Any) -> Any:
            if method == "eth_getLogs" and result and len(lies) < 3:
                lies.append(method)
                return [{**log, "blockHash": "0x" + "11" * 32} for log in result]
            return result

        liar.lie = elsewhere
        _match(exchange, relayer)
        eventually(lambda: relayer.fills()[1][-1] == "confirmed", what="the settlement")
        assert len(lies) == 3
        assert exchange.settled_fill_ids() == [1]


def test_the_key_in_a_node_url_stays_out_of_the_log(tmp_path: Path) -> None:
    with world(tmp_path) as exchange, _lied_to(exchange, tmp_path) as (liar, relayer):
        liar.away = True
        eventually(lambda: "node_trouble" in relayer.log(), what="the complaint")
        assert "a-secret-key" not in relayer.log()
