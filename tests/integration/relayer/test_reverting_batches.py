# SPDX-License-Identifier: AGPL-3.0-only
"""Batches that the chain always undoes: because of one fill, which is found and undone, or whatever is in them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.relayer.harness import RelayerProcess, World, world
from tests.support.waiting import eventually

ASIDE = "0x" + "0a" * 20


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[World]:
    """A chain of the test's own."""
    with world(tmp_path) as made:
        yield made


def _trap(mark: bytes) -> str:
    """Code that reverts when a word of the call is `mark`, and else does what the code at `ASIDE` does."""
    return (
        "0x6004"  # i = 4
        "5b"  # while i < calldatasize
        "80361115603b5780357f"
        + mark.hex()  # if the word at i is the mark, revert
        + "146037576020016002565b5f5ffd5b50"
        # delegate to ASIDE
        "365f5f375f5f365f73" + ASIDE[2:] + "5af43d5f5f3e6066573d5ffd5b3d5ff3"
    )


def _set_trap(exchange: World, mark: bytes) -> None:
    contract, rpc = exchange.system.exchange.address, exchange.node.rpc
    rpc.request("anvil_setCode", ASIDE, rpc.request("eth_getCode", contract, "latest"))
    rpc.request("anvil_setCode", contract, _trap(mark))


@pytest.mark.parametrize("kind", ["IOC", "FOK"])
def test_the_one_fill_that_makes_settlement_revert_is_undone_and_the_others_settle(exchange: World, kind: str) -> None:
    with exchange.relayer(OURO_RELAYER_BATCH_DELAY_MS="1500") as relayer:
        maker, other, taker = exchange.trader("maker"), exchange.trader("maker"), exchange.trader("taker")
        relayer.catch_up()
        poison = exchange.signed(other, "SELL", 1)
        _set_trap(exchange, bytes.fromhex(poison["signature"][2:66]))
        for lots in range(1, 5):
            _place(relayer, exchange.signed(maker, "SELL", lots))
        _place(relayer, poison)
        for lots in range(5, 7):
            _place(relayer, exchange.signed(maker, "SELL", lots))
        # Fills 1 to 4, then 5 with the poison (and for a fill-or-kill order another one that shares its fate), then 6.
        sizes = [1, 2, 3, 4, 1, 5, 6] if kind == "IOC" else [1, 2, 3, 4, 6, 6]
        bodies = [exchange.signed(taker, "BUY", size, time_in_force=kind) for size in sizes]
        for body, size in zip(bodies, sizes, strict=True):
            assert relayer.http.post("/v4/orders", json=body).json()["filled"] == str(size)
        eventually(lambda: relayer.http.get("/ready").json()["unsettledFills"] == 0, "everything decided")
        guilty = {5} if kind == "IOC" else {5, 6}
        assert exchange.settled_fill_ids() == [number for number in range(1, 8) if number not in guilty]
        assert {number for number, turns in relayer.fills().items() if turns[-1] == "rejected"} == guilty
        for body in (poison, bodies[4]):
            state = relayer.order(exchange.order_id(body))
            assert (state["status"], state["reason"]) == ("CANCELED", "fill rejected: settlement reverts")
        assert "batch_parted" in relayer.log()
        # It is journaled: a restart comes to the same.
        before = relayer.fills()
        relayer.kill()
        relayer.start()
        assert {number: turns[-1] for number, turns in relayer.fills().items()}.keys() == before.keys()
        _place(relayer, exchange.signed(maker, "SELL", 9))
        _place(relayer, exchange.signed(taker, "BUY", 9))
        eventually(lambda: 8 in exchange.settled_fill_ids(), "settling as before")


def test_no_fill_is_blamed_when_every_batch_is_undone(exchange: World) -> None:
    with exchange.relayer() as relayer:
        maker, taker = exchange.trader("maker"), exchange.trader("taker")
        relayer.catch_up()
        contract, rpc = exchange.system.exchange.address, exchange.node.rpc
        code = rpc.request("eth_getCode", contract, "latest")
        rpc.request("anvil_setCode", contract, "0x5f5ffd")
        _place(relayer, exchange.signed(maker, "SELL", 5))
        _place(relayer, exchange.signed(taker, "BUY", 5))
        eventually(lambda: "settlement_refused_altogether" in relayer.log(), "a batch undone")
        rpc.request("anvil_setCode", contract, code)
        eventually(lambda: exchange.settled_fill_ids() == [1], "settlement")
        assert "fills_undone" not in relayer.log()


def _place(relayer: RelayerProcess, body: object) -> None:
    assert relayer.http.post("/v4/orders", json=body).status_code == 201
