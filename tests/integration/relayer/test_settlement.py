# SPDX-License-Identifier: AGPL-3.0-only
"""Settlement on a chain that stalls, forgets, reorganises, and has somebody else on the operator's key."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from tests.integration.relayer.harness import BTC_PRICE, RelayerProcess, World, world
from tests.support.abi import RevertError
from tests.support.waiting import eventually

GWEI = 10**9


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[World]:
    """A chain of the test's own."""
    with world(tmp_path) as made:
        yield made


def _traders(exchange: World, relayer: RelayerProcess) -> tuple[LocalAccount, LocalAccount]:
    """A maker with an offer of 100 lots in the book, and a taker."""
    maker, taker = exchange.trader("maker"), exchange.trader("taker")
    relayer.catch_up()
    assert relayer.http.post("/v4/orders", json=exchange.signed(maker, "SELL", 100)).status_code == 201
    return maker, taker


def _take(exchange: World, relayer: RelayerProcess, taker: LocalAccount, size: int) -> None:
    answer = relayer.http.post("/v4/orders", json=exchange.signed(taker, "BUY", size, time_in_force="IOC"))
    assert answer.json()["filled"] == str(size), answer.text


def _stall(exchange: World) -> None:
    """From now on a block comes only when asked for."""
    exchange.node.rpc.request("evm_setAutomine", False)


def _mine(exchange: World) -> None:
    exchange.node.rpc.request("evm_mine")


def _waiting(exchange: World) -> list[dict[str, Any]]:
    """The operator's transactions in the pool."""
    pool = exchange.node.rpc.request("txpool_content")
    found: list[dict[str, Any]] = []
    for part in ("pending", "queued"):
        for sender, by_nonce in pool[part].items():
            if sender.lower() == exchange.operator.address.lower():
                found += by_nonce.values()
    return found


def _sent_by_operator(exchange: World) -> int:
    return int(exchange.node.rpc.request("eth_getTransactionCount", exchange.operator.address, "latest"), 16)


def _unsettled(relayer: RelayerProcess) -> int:
    count: int = relayer.http.get("/ready").json()["unsettledFills"]
    return count


def _settle_all(exchange: World, relayer: RelayerProcess, within_s: float = 180) -> None:
    """Mines until every fill is decided."""

    def settled() -> bool:
        _mine(exchange)
        return _unsettled(relayer) == 0

    eventually(settled, "the settlement of everything", within_s)


def test_a_landed_fill_resubmitted_changes_nothing(exchange: World) -> None:
    with exchange.relayer() as relayer:
        _, taker = _traders(exchange, relayer)
        _take(exchange, relayer, taker, 10)
        eventually(lambda: exchange.size_of(taker) == 10, "the position")
        [landed] = exchange.batches()
        raw = exchange.node.rpc.request("eth_getRawTransactionByHash", landed)
        call = exchange.node.rpc.request("eth_getTransactionByHash", landed)
        head = exchange.head()

        with pytest.raises(RuntimeError, match="nonce too low"):
            exchange.node.rpc.request("eth_sendRawTransaction", raw)
        again = bytes.fromhex(call["input"][2:])
        with pytest.raises(RevertError) as refused:
            exchange.node.rpc.call(call["to"], again, sender=exchange.operator.address)
        assert refused.value.reason == "journal head moved"

        # Even on the right head, the chain knows the orders as filled: the fill is skipped.
        onto_the_head = again[:4] + head + (7).to_bytes(32, "big") + again[68:]
        receipt = exchange.node.rpc.transact(exchange.operator.address, call["to"], onto_the_head)
        assert len(receipt.raw_logs) == 2  # FillRejected and BatchSettled
        assert exchange.size_of(taker) == 10
        assert exchange.settled_fill_ids() == [1]


def test_a_batch_that_lands_while_the_relayer_is_down(exchange: World) -> None:
    with exchange.relayer() as relayer:
        _, taker = _traders(exchange, relayer)
        _stall(exchange)
        _take(exchange, relayer, taker, 10)
        [sent] = eventually(lambda: _waiting(exchange), "the batch in the pool")
        relayer.kill()
        _mine(exchange)
        assert exchange.size_of(taker) == 10
        relayer.start()
        assert relayer.fills()[1][-1] == "confirmed"
        assert exchange.batches() == [sent["hash"]]
        assert _sent_by_operator(exchange) == 1


def test_a_forgotten_transaction_is_sent_again_byte_for_byte(exchange: World) -> None:
    with exchange.relayer() as relayer:
        _, taker = _traders(exchange, relayer)
        _stall(exchange)
        _take(exchange, relayer, taker, 10)
        [sent] = eventually(lambda: _waiting(exchange), "the batch in the pool")
        relayer.kill()
        exchange.node.rpc.request("anvil_dropTransaction", sent["hash"])
        assert _waiting(exchange) == []
        relayer.start()
        [again] = eventually(lambda: _waiting(exchange), "the batch in the pool again")
        assert again["hash"] == sent["hash"]
        _settle_all(exchange, relayer)
        assert exchange.settled_fill_ids() == [1]


def test_a_stuck_batch_is_replaced_for_a_higher_fee(exchange: World) -> None:
    with exchange.relayer(OURO_RELAYER_BUMP_S="1", OURO_RELAYER_RESEND_S="0.5") as relayer:
        _, taker = _traders(exchange, relayer)
        _stall(exchange)
        _take(exchange, relayer, taker, 10)
        [first] = eventually(lambda: _waiting(exchange), "the batch in the pool")

        def replaced() -> Any:
            now = _waiting(exchange)
            return now if now and now[0]["hash"] != first["hash"] else None

        [second] = eventually(replaced, "the replacement")
        assert second["nonce"] == first["nonce"]
        assert second["input"] == first["input"]
        assert int(second["maxFeePerGas"], 16) > int(first["maxFeePerGas"], 16)
        _settle_all(exchange, relayer)
        assert exchange.settled_fill_ids() == [1]
        # The bumps are on disk: a restart knows the batch as settled, whichever variant landed.
        relayer.kill()
        relayer.start()
        assert _unsettled(relayer) == 0


def test_batches_sent_ahead_stand_on_one_another(exchange: World) -> None:
    with exchange.relayer() as relayer:
        _, taker = _traders(exchange, relayer)
        _stall(exchange)
        for size in (1, 2, 3):
            before = len(_waiting(exchange))
            _take(exchange, relayer, taker, size)
            eventually(lambda: len(_waiting(exchange)) > before, "the next batch in the pool")  # noqa: B023
        assert [int(sent["nonce"], 16) for sent in _waiting(exchange)] == [0, 1, 2]
        _mine(exchange)
        eventually(lambda: _unsettled(relayer) == 0, "the settlement of everything")
        assert exchange.settled_fill_ids() == [1, 2, 3]
        assert exchange.size_of(taker) == 6


def test_a_nonce_taken_by_another_transaction(exchange: World) -> None:
    """Somebody spends the nonce under two batches: both are given up, and their fills settle once, in new ones."""
    with exchange.relayer() as relayer:
        _, taker = _traders(exchange, relayer)
        _stall(exchange)
        for size in (10, 5):
            before = len(_waiting(exchange))
            _take(exchange, relayer, taker, size)
            eventually(lambda: len(_waiting(exchange)) > before, "the next batch in the pool")  # noqa: B023
        foreign = exchange.operator.sign_transaction(
            {
                "type": 2,
                "chainId": 31_337,
                "to": exchange.operator.address,
                "value": 0,
                "nonce": 0,
                "gas": 21_000,
                "maxFeePerGas": 1_000 * GWEI,
                "maxPriorityFeePerGas": 1_000 * GWEI,
            }
        )
        exchange.node.rpc.request("eth_sendRawTransaction", "0x" + foreign.raw_transaction.hex().removeprefix("0x"))
        _mine(exchange)
        assert exchange.settled_fill_ids() == []
        _settle_all(exchange, relayer)
        assert exchange.settled_fill_ids() == [1, 2]
        assert exchange.size_of(taker) == 15
        assert "another transaction used its nonce" in relayer.log()


@pytest.mark.parametrize("replacement_blocks", [1, 3])
def test_a_reorg_that_drops_a_confirmed_batch(exchange: World, replacement_blocks: int) -> None:
    with exchange.relayer(OURO_RELAYER_RESEND_S="0.5") as relayer:
        _, taker = _traders(exchange, relayer)
        _take(exchange, relayer, taker, 10)
        eventually(lambda: relayer.fills()[1][-1] == "confirmed", "the settlement")
        [landed] = exchange.batches()
        _stall(exchange)
        exchange.node.rpc.request("anvil_reorg", 1, [])
        assert exchange.size_of(taker) == 0
        for _ in range(replacement_blocks):
            _mine(exchange)
        eventually(lambda: relayer.fills()[1][-1] == "submitted", "the fill turned back")
        _settle_all(exchange, relayer)
        assert exchange.batches() == [landed]
        assert exchange.settled_fill_ids() == [1]
        flips = relayer.fills()[1]
        assert flips[:4] == ["matched", "submitted", "confirmed", "submitted"]
        assert flips[4] in ("confirmed", "final")  # a block may be final when it is first seen


def test_a_second_relayer_on_the_same_key_changes_nothing(exchange: World) -> None:
    with exchange.relayer("first") as first, exchange.relayer("second") as second:
        _, taker = _traders(exchange, first)
        _take(exchange, first, taker, 10)
        eventually(lambda: exchange.size_of(taker) == 10, "the position")
        eventually(lambda: second.http.get("/ready").status_code == 503, "the fence")
        assert "another relayer uses the same key" in second.http.get("/ready").json()["reason"]
        refused = second.http.post("/v4/orders", json=exchange.signed(taker, "BUY", 5))
        assert (refused.status_code, refused.json()["errorCode"]) == (503, "not_ready")
        # The first one goes on as if nothing were.
        _take(exchange, first, taker, 20)
        eventually(lambda: exchange.size_of(taker) == 30, "the position")
        assert first.http.get("/ready").status_code == 200
        assert exchange.settled_fill_ids() == [1, 2]


def test_two_relayers_racing_on_one_key_settle_once(exchange: World) -> None:
    """Both match the very same orders and send them: one batch lands, the other relayer is fenced off."""
    with exchange.relayer("first") as first, exchange.relayer("second") as second:
        maker, taker = exchange.trader("maker"), exchange.trader("taker")
        first.catch_up()
        second.catch_up()
        offer = exchange.signed(maker, "SELL", 10)
        bid = exchange.signed(taker, "BUY", 10, time_in_force="IOC")
        for relayer in (first, second):
            assert relayer.http.post("/v4/orders", json=offer).status_code == 201
        for relayer in (first, second):
            assert relayer.http.post("/v4/orders", json=bid).json()["filled"] == "10"
        eventually(lambda: exchange.size_of(taker) == 10, "the position")
        statuses = eventually(
            lambda: sorted(relayer.http.get("/ready").status_code for relayer in (first, second)) == [200, 503],
            "the fence",
        )
        assert statuses
        assert exchange.size_of(taker) == 10
        assert exchange.settled_fill_ids() == [1]


def test_a_bad_fill_leaves_the_others_and_names_the_guilty(exchange: World) -> None:
    """A jump of the index between match and settlement ruins one maker: only that fill is undone."""
    with exchange.relayer(OURO_RELAYER_BATCH_DELAY_MS="3000") as relayer:
        ruined, sound = exchange.trader("maker", usdc=125), exchange.trader("maker")
        taker = exchange.trader("taker")
        relayer.catch_up()
        for maker in (ruined, sound):
            assert relayer.http.post("/v4/orders", json=exchange.signed(maker, "SELL", 1_000)).status_code == 201
        for _ in range(2):
            _take(exchange, relayer, taker, 1_000)
        exchange.push(btc=BTC_PRICE * 108 // 100)
        verdict = {1: "rejected", 2: "confirmed"}
        eventually(lambda: {fill: turns[-1] for fill, turns in relayer.fills().items()} == verdict, "the verdict")
        assert (exchange.size_of(ruined), exchange.size_of(sound), exchange.size_of(taker)) == (0, -1_000, 1_000)
        [rejected] = [entry for entry in relayer.events() if entry["type"] == "fill" and entry["status"] == "rejected"]
        assert rejected["reason"] == "margin"
        assert rejected["transactionHash"] == exchange.batches()[0]
