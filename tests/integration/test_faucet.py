# SPDX-License-Identifier: AGPL-3.0-only
"""The local faucet as a process, on a real chain."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from stack.faucet import PER_ADDRESS, Limit
from stack.ports import free_port
from tests.integration.indexer.venue import KEYS
from tests.support.anvil import Node, anvil, record
from tests.support.build import ROOT
from tests.support.system import System, deploy_system
from tests.support.waiting import eventually


class World:
    def __init__(self, node: Node, system: System, url: str) -> None:
        self.node = node
        self.system = system
        self.http = httpx.Client(base_url=url, timeout=120)

    def ask(self, address: str) -> httpx.Response:
        return self.http.post("/v4/faucet", json={"address": address})


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("faucet")
    with anvil() as node:
        for key in (KEYS.governance, KEYS.operator, KEYS.price_signer, KEYS.guardian):
            node.rpc.fund(key.address)
        system = deploy_system(node.rpc, KEYS)
        deployment: Path = folder / "deployment.json"
        deployment.write_text(json.dumps(record(system, start_block=1)))
        port = free_port()
        command = [sys.executable, "-m", "stack.faucet", "--rpc-url", node.rpc_url, "--deployment", str(deployment)]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([*command, "--port", str(port)], cwd=ROOT, stdout=log, stderr=log)
        world = World(node, system, f"http://127.0.0.1:{port}")

        def ready() -> bool:
            assert process.poll() is None, (folder / "log").read_text()
            try:
                return world.http.get("/ready").status_code == 200
            except httpx.TransportError:
                return False

        try:
            eventually(ready, "the faucet")
            yield world
        finally:
            world.http.close()
            process.send_signal(signal.SIGTERM)
            process.wait(180)


def test_it_gives_both_kinds_of_money_so_often(world: World) -> None:
    owner = "0x" + "ab" * 20
    for given in range(1, PER_ADDRESS + 1):
        answer = world.ask(owner)
        assert answer.status_code == 200, answer.text
        assert answer.json()["address"].lower() == owner
        assert int(world.node.rpc.request("eth_getBalance", owner, "latest"), 16) == given * 10**18
        assert world.system.usdc.call.balanceOf(answer.json()["address"]) == given * 10_000 * 10**6
    refused = world.ask(owner.upper().replace("0X", "0x"))
    assert (refused.status_code, refused.json()["errorCode"]) == (429, "faucet_limit")
    assert 0 < int(refused.headers["Retry-After"]) <= 3_600
    assert world.ask("0x" + "cd" * 20).status_code == 200


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"address": 5}', b'{"address": "0x12"}', b'{"address": "' + b"ab" * 20 + b'"}', b" " * 2000],
)
def test_it_says_what_it_wants(world: World, body: bytes) -> None:
    answer = world.http.post("/v4/faucet", content=body)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "bad_parameter")
    assert "0x" in answer.json()["errors"][0]["msg"]


def test_an_hour_later_there_is_more() -> None:
    now = 0.0
    limit = Limit(2, 3, lambda: now)
    for name in ("a", "a"):
        assert limit.wait_s(name) == 0
        limit.note(name)
    assert limit.wait_s("a") == 3_600
    limit.note("b")
    assert limit.wait_s("c") == 3_600
    now = 3_599.5
    assert limit.wait_s("a") == 1
    now = 3_600.0
    assert limit.wait_s("a") == limit.wait_s("c") == 0
