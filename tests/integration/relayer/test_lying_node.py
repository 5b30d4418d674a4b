# SPDX-License-Identifier: AGPL-3.0-only
"""A node that lies or lags (case 89): nothing settles twice, and its secrets stay out of the logs."""

import contextlib
import http.server
import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak

from tests.integration.relayer.harness import RelayerProcess, World, world
from tests.support.waiting import eventually

Lie = Callable[[str, Any], Any]
LANDED = ("confirmed", "final")


class _Liar:
    """Stands before a node; `lie(method, result)` makes the answer, and while it is `away` there is none."""

    def __init__(self, to_port: int) -> None:
        self.lie: Lie = lambda _, result: result
        self.away = False
        liar = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

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
                with contextlib.suppress(OSError):
                    self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                """Silence."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/v3/a-secret-key"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


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
        liar.close()


def _catch_up(exchange: World, relayer: RelayerProcess) -> None:
    """Asks the node itself how far the chain is, not the liar before it."""
    height = int(exchange.node.rpc.request("eth_blockNumber"), 16)

    def caught_up() -> bool:
        ready = relayer.http.get("/ready")
        return ready.status_code == 200 and int(ready.json()["height"]) >= height

    eventually(caught_up, "catching up")


def _match(exchange: World, relayer: RelayerProcess) -> None:
    maker, taker = exchange.trader("maker"), exchange.trader("taker")
    _catch_up(exchange, relayer)
    assert relayer.http.post("/v4/orders", json=exchange.signed(maker, "SELL", 20)).status_code == 201
    bid = exchange.signed(taker, "BUY", 20, time_in_force="IOC")
    assert relayer.http.post("/v4/orders", json=bid).json()["filled"] == "20"


SETTLED = "0x" + keccak(text="BatchSettled(address,bytes32,bytes32,uint256,uint256,int256)").hex()


def _settles(method: str, result: Any) -> bool:
    """Whether the answer tells of a batch."""
    if method != "eth_getBlockReceipts":
        return False
    return any(log["topics"][0] == SETTLED for receipt in result for log in receipt["logs"])


def test_89_a_node_that_hides_the_first_block_ends_nobody(tmp_path: Path) -> None:
    """Nothing has been followed yet, so there is nothing to go back to."""
    with world(tmp_path) as exchange:
        start = json.loads(exchange.deployment.read_text())["startBlock"]
        hidden: list[str] = []

        def hide(method: str, result: Any) -> Any:
            first = method == "eth_getBlockByNumber" and result and int(result["number"], 16) == start
            if first and len(hidden) < 3:
                hidden.append(method)
                return None
            return result

        liar = _Liar(exchange.node.port)
        liar.lie = hide
        relayer = RelayerProcess(liar.url, exchange.deployment, tmp_path / "relayer")
        try:
            relayer.start()
            assert len(hidden) == 3
            assert relayer.log().count(f"says that it has no block {start}") == 3
            _match(exchange, relayer)
            eventually(lambda: relayer.fills()[1][-1] in LANDED, "the settlement")
        finally:
            relayer.close()
            liar.close()


LIE = "do not give its receipts root"
HIDDEN: list[Callable[[Any], Any]] = [
    lambda _: [],
    lambda receipts: [{**receipt, "logs": receipt["logs"][:1]} for receipt in receipts],
    lambda receipts: [
        {**receipt, "logs": [{**log, "data": log["data"][:-1] + "0"} for log in receipt["logs"]]}
        for receipt in receipts
    ],
]


def _settle_with_hidden_events(
    exchange: World, liar: _Liar, relayer: RelayerProcess, turn: int, hide: Callable[[Any], Any]
) -> None:
    before = relayer.log().count(LIE)
    liar.lie = lambda method, result: hide(result) if _settles(method, result) else result
    _match(exchange, relayer)
    eventually(lambda: relayer.log().count(LIE) > before, "the contradiction")
    assert relayer.fills()[turn][-1] == "submitted"
    assert "batch_dropped" not in relayer.log()
    sent = exchange.node.rpc.request("eth_getTransactionCount", exchange.operator.address, "latest")
    assert int(sent, 16) == turn
    liar.lie = lambda _, result: result
    eventually(lambda: relayer.fills()[turn][-1] in LANDED, "the settlement")


def test_89_a_batch_whose_events_the_node_hides_is_not_sent_again(tmp_path: Path) -> None:
    """All of them, some of them, or other amounts: the block is not followed until the node tells the truth."""
    with world(tmp_path) as exchange, _lied_to(exchange, tmp_path) as (liar, relayer):
        for turn, hide in enumerate(HIDDEN, 1):
            _settle_with_hidden_events(exchange, liar, relayer, turn, hide)
        assert exchange.settled_fill_ids() == [1, 2, 3]


NONSENSE: list[Any] = [
    None,
    True,
    -1,
    2**80,
    "",
    "0x",
    "0x" + "f" * 80,
    "zebra",
    [],
    [None],
    {},
    {"number": "0x1"},
    1.5,
]
ASKED = [
    "eth_getBlockByNumber",
    "eth_getBlockReceipts",
    "eth_getTransactionCount",
    "eth_getTransactionReceipt",
    "eth_feeHistory",
    "eth_getBalance",
    "eth_sendRawTransaction",
]


def test_89_the_relayer_survives_nonsense_of_every_kind(tmp_path: Path) -> None:
    """Each call is answered with each kind of nonsense; between them fills settle, each once."""
    with world(tmp_path) as exchange, _lied_to(exchange, tmp_path) as (liar, relayer):
        for turn, method in enumerate(ASKED, 1):
            left = list(NONSENSE)

            def lie(asked: str, result: Any) -> Any:
                return left.pop() if asked == method and left else result  # noqa: B023

            liar.lie = lie
            _match(exchange, relayer)
            eventually(lambda: relayer.fills()[turn][-1] in LANDED, f"settlement despite {method}")  # noqa: B023
        assert exchange.settled_fill_ids() == list(range(1, len(ASKED) + 1))


def test_89_altered_headers_and_logs_are_not_followed(tmp_path: Path) -> None:
    """A later time, another parent, logs of a foreign contract: each contradicts a hash or the bloom filter."""
    with world(tmp_path) as exchange, _lied_to(exchange, tmp_path) as (liar, relayer):
        told: list[str] = []

        def alter(method: str, result: Any) -> Any:
            if method == "eth_getBlockByNumber" and result and len(told) < 6:
                told.append(method)
                field = ("timestamp", "parentHash", "logsBloom")[len(told) % 3]
                lie = {"timestamp": hex(2**33), "parentHash": "0x" + "77" * 32, "logsBloom": "0x" + "00" * 256}
                return {**result, field: lie[field]}
            if method == "eth_getBlockReceipts" and result and LIE not in relayer.log():
                foreign = {"address": "0x" + "55" * 20}
                return [{**each, "logs": [{**log, **foreign} for log in each["logs"]]} for each in result]
            return result

        liar.lie = alter
        _match(exchange, relayer)
        eventually(lambda: relayer.fills()[1][-1] in LANDED, "the settlement")
        log = relayer.log()
        for reason in ("does not have the hash", LIE):
            assert reason in log
        assert exchange.settled_fill_ids() == [1]


def test_89_a_block_of_the_future_is_not_followed(tmp_path: Path) -> None:
    """Its time would be the core's: every order would have expired."""
    with (
        world(tmp_path) as exchange,
        exchange.relayer(OURO_RELAYER_MAX_AHEAD_S="600", OURO_RELAYER_STALE_S="1") as relayer,
    ):
        _match(exchange, relayer)
        eventually(lambda: relayer.fills()[1][-1] in LANDED, "the settlement")
        maker = exchange.trader("resting")
        _catch_up(exchange, relayer)
        resting = relayer.http.post("/v4/orders", json=exchange.signed(maker, "BUY", 5, 2_299_000)).json()
        exchange.node.rpc.warp(86_400)
        eventually(lambda: relayer.http.get("/ready").status_code == 503, "not ready")
        assert "s ahead of the clock" in relayer.log()
        assert relayer.order(resting["id"])["status"] == "OPEN"


def test_another_node_is_asked_when_the_first_one_fails(tmp_path: Path) -> None:
    with world(tmp_path) as exchange:
        liar = _Liar(exchange.node.port)
        relayer = RelayerProcess(
            liar.url, exchange.deployment, tmp_path / "relayer", OURO_RELAYER_OTHER_RPC_URLS=exchange.node.rpc_url
        )
        try:
            relayer.start()
            for turn, (away, lie) in enumerate([(False, None), (True, None), (False, "nonsense")], 1):
                liar.away = away
                liar.lie = (lambda _, result: result) if lie is None else (lambda *_: "nonsense")
                _match(exchange, relayer)
                eventually(lambda: relayer.fills()[turn][-1] in LANDED, "the settlement")  # noqa: B023
            assert relayer.http.get("/ready").status_code == 200
            assert exchange.settled_fill_ids() == [1, 2, 3]
        finally:
            relayer.close()
            liar.close()


def test_nodes_of_two_chains_are_not_believed(tmp_path: Path) -> None:
    """Of two nodes that contradict each other nobody knows which one is right: no orders until they agree."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    an_hour_ago = str(int(time.time()) - 3_600)
    with world(tmp_path / "a") as exchange, world(tmp_path / "b", "--timestamp", an_hour_ago) as elsewhere:
        relayer = RelayerProcess(
            exchange.node.rpc_url,
            exchange.deployment,
            tmp_path / "relayer",
            OURO_RELAYER_OTHER_RPC_URLS=elsewhere.node.rpc_url,
        )
        try:
            relayer.start(ready=False)
            eventually(lambda: "contradict each other" in relayer.log(), "the contradiction")
            assert relayer.http.get("/ready").status_code == 503
        finally:
            relayer.close()


def test_89_logs_of_another_block_are_not_taken(tmp_path: Path) -> None:
    with world(tmp_path) as exchange, _lied_to(exchange, tmp_path) as (liar, relayer):
        lies: list[str] = []

        def elsewhere(method: str, result: Any) -> Any:
            if _settles(method, result) and len(lies) < 3:
                lies.append(method)
                elsewhere = {"blockHash": "0x" + "11" * 32}
                return [{**each, "logs": [{**log, **elsewhere} for log in each["logs"]]} for each in result]
            return result

        liar.lie = elsewhere
        _match(exchange, relayer)
        eventually(lambda: relayer.fills()[1][-1] == "confirmed", "the settlement")
        assert len(lies) == 3
        assert exchange.settled_fill_ids() == [1]


def test_the_key_in_a_node_url_stays_out_of_the_log(tmp_path: Path) -> None:
    with world(tmp_path) as exchange, _lied_to(exchange, tmp_path) as (liar, relayer):
        liar.away = True
        eventually(lambda: "node_trouble" in relayer.log(), "the complaint")
        assert "a-secret-key" not in relayer.log()
