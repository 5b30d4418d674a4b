# SPDX-License-Identifier: AGPL-3.0-only
"""Prices of an oracle that is asked: what nodes answer that is no price, and nodes that do not agree."""

import asyncio
import http.server
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry, Counter

from ouro.units import MAX_PRICE
from relayer.chain_watch import Rpc, RpcError, RpcUnreachableError
from relayer.chain_watch.answers import Header
from relayer.chain_watch.oracle import Price, PriceReader

NOW = 1_700_000_000
BLOCK = Header(number=7, hash=bytes(31) + b"\7", parent_hash=bytes(32), time_s=NOW, bloom=0, receipts_root=bytes(32))
ORACLE = "0x" + "11" * 20
REVERTED = {"error": {"code": 3, "message": "execution reverted"}}
PRUNED = {"error": {"code": -32000, "message": "missing trie node"}}


def said(price: int, published_at: int) -> dict[str, Any]:
    return {"result": "0x" + price.to_bytes(32).hex() + published_at.to_bytes(32).hex()}


@contextmanager
def node(price: dict[str, Any], signer: dict[str, Any] = REVERTED) -> Iterator[str]:
    """Answers calls of `price(uint256)` with one thing, others with the other."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = msgspec.json.decode(self.rfile.read(int(self.headers["content-length"])))
            wants_price = len(asked["params"][0]["data"]) > 10
            assert not wants_price or asked["params"][1] == {"blockHash": BLOCK.hex_hash}
            answer = msgspec.json.encode({"jsonrpc": "2.0", "id": asked["id"], **(price if wants_price else signer)})
            self.send_response(200)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Silence."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def read(*answers: dict[str, Any], newest: bool = True, **others: Any) -> tuple[Price, ...]:
    async def ask(urls: list[str]) -> tuple[Price, ...]:
        rpc = Rpc(urls, Counter("errors", "", registry=CollectorRegistry()))
        try:
            return await PriceReader(rpc).read(ORACLE, [1], BLOCK, is_newest=newest)
        finally:
            await rpc.close()

    with ExitStack() as stack:
        return asyncio.run(ask([stack.enter_context(node(each, **others)) for each in answers]))


@pytest.mark.parametrize(
    ("answer", "price"),
    [
        (said(2_300_000, NOW - 5), (1, 2_300_000, NOW - 5)),
        (said(0, NOW), (1, 0, 0)),
        (said(MAX_PRICE, NOW + 10), (1, MAX_PRICE, NOW + 10)),
        (said(MAX_PRICE + 1, NOW), (1, 0, 0)),
        (said(2**256 - 1, NOW), (1, 0, 0)),
        (said(2_300_000, NOW + 11), (1, 0, 0)),
        (REVERTED, (1, 0, 0)),
        ({"result": "0x"}, (1, 0, 0)),
        ({"result": "0x" + "00" * 96}, (1, 0, 0)),
    ],
)
def test_a_price_is_taken_as_the_exchange_takes_it(answer: dict[str, Any], price: Price) -> None:
    assert read(answer) == (price,)


def test_an_oracle_that_pushes_is_not_asked() -> None:
    assert read(said(2_300_000, NOW), signer={"result": "0x" + "00" * 12 + "22" * 20}) == ()


def test_of_old_blocks_a_node_may_have_forgotten_the_state() -> None:
    assert read(PRUNED, newest=False) == ()
    with pytest.raises(RpcError, match="missing trie node"):
        read(PRUNED)


def test_most_of_several_nodes_must_agree() -> None:
    one, other = said(2_300_000, NOW), said(2_300_001, NOW)
    assert read(other, one, one) == ((1, 2_300_000, NOW),)
    assert read(PRUNED, one) == ((1, 2_300_000, NOW),)
    with pytest.raises(RpcUnreachableError, match="contradict each other"):
        read(one, other)
    with pytest.raises(RpcError, match="missing trie node"):
        read(PRUNED, PRUNED)


def test_found_one_node_does_not_make_a_price_where_the_others_say_that_there_is_none() -> None:
    lie = said(9_900_000, NOW)
    assert read(lie, REVERTED, REVERTED) == ((1, 0, 0),)
    with pytest.raises(RpcUnreachableError, match="contradict each other"):
        read(lie, REVERTED)
