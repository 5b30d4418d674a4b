# SPDX-License-Identifier: AGPL-3.0-only
"""The JSON vectors that bind SDK, relayer and web, held against the contracts and against the tests' own wire."""

import json
from typing import Any

import pytest
from eth_account import Account
from eth_utils.crypto import keccak

from tests.support.build import ROOT, storage_slot
from tests.support.chain import Contract
from tests.support.wire import (
    CANCEL_ALL_TYPE,
    ORDER_TYPE,
    PRICE_TYPE,
    SESSION_KEY_TYPE,
    WITHDRAWAL_TYPE,
    Domain,
    Fill,
    PositionWord,
    SlotWord,
    digest,
)
from tests.support.world import World

VECTORS = ROOT / "tests" / "vectors"
TYPES = {
    "Order": ORDER_TYPE,
    "CancelAll": CANCEL_ALL_TYPE,
    "CancelOrder": "CancelOrder(address account,uint16 subaccount,bytes32 orderId,uint64 nonce)",
    "CancelByClientId": "CancelByClientId(address account,uint16 subaccount,string clientId,uint64 nonce)",
    "CancelAllAfter": "CancelAllAfter(address account,uint16 subaccount,uint32 timeoutSeconds,uint64 nonce)",
    "SessionKey": SESSION_KEY_TYPE,
    "Withdrawal": WITHDRAWAL_TYPE,
    "Price": PRICE_TYPE,
    "ReadAccount": "ReadAccount(address account,uint32 expiry)",
}


def load(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text())


def named(entries: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(entry, id=entry["name"]) for entry in entries]


def number(text: str) -> int:
    return int(text, 0)


def domain_of(entry: dict[str, Any]) -> Domain:
    return Domain(entry["chainId"], entry["verifyingContract"], entry["name"], entry["version"])


def standing_at(world: World, address: str) -> Contract:
    """The code of an Exchange elsewhere, with the same markets."""
    world.evm.set_code(address, world.evm.code(world.exchange.address))
    for name in ("ticker_hashes", "params"):
        places = storage_slot("Exchange", "markets", name)
        for market in (1, 2):
            ticker = world.exchange.call.market(market)[0]
            value = int.from_bytes(keccak(text=ticker), "big") if name == "ticker_hashes" else 1
            world.evm.set_mapping(address, places, market, value)
    return Contract(world.evm, address, world.exchange.abi)


@pytest.fixture(scope="module")
def exchange() -> Contract:
    """An Exchange that stands where the vectors were signed for."""
    return standing_at(World(), load("orders")["domain"]["verifyingContract"])


@pytest.mark.parametrize("vector", named(load("orders")["orders"]))
def test_the_contract_gives_every_order_its_id(exchange: Contract, vector: dict[str, Any]) -> None:
    order_id = exchange.call.hash_order(number(vector["terms"]), number(vector["amounts"]))
    assert "0x" + order_id.hex() == vector["digest"]
    signature = bytes.fromhex(vector["signature"][2:])
    assert Account._recover_hash(order_id, signature=signature) == vector["signer"]


@pytest.mark.parametrize("vector", named([*load("messages"), *load("orders")["orders"]]))
def test_every_message_hashes_as_the_protocol_says(vector: dict[str, Any]) -> None:
    domain = domain_of(vector.get("domain") or load("orders")["domain"])
    message = {k: bytes.fromhex(v[2:]) if k == "orderId" else v for k, v in vector["message"].items()}
    kind = TYPES[vector.get("primaryType", "Order")]
    assert "0x" + digest(domain, kind, message).hex() == vector["digest"]


SESSION_KEYS = [entry for entry in load("messages") if entry["primaryType"] == "SessionKey"]


@pytest.mark.parametrize("vector", named(SESSION_KEYS))
def test_the_contract_registers_the_session_keys_of_the_vectors(vector: dict[str, Any]) -> None:
    message, world = vector["message"], World()
    exchange = standing_at(world, vector["domain"]["verifyingContract"])
    world.evm.warp_to(message["expiry"] - 1)
    ids = [{"BTC-USD": 1, "ETH-USD": 2}[ticker] for ticker in message["markets"]]
    terms = message["budget"], message["expiry"], message["nonce"]
    signature = bytes.fromhex(vector["signature"][2:])
    [log] = (
        exchange.send(world.operator)
        .register_session_key(message["account"], message["key"], ids, *terms, signature)
        .logs
    )
    assert (log.account, log.key) == (message["account"], message["key"])
    assert (log.budget, log.expiry, log.nonce) == terms


@pytest.mark.parametrize("vector", named(load("settle")))
def test_the_contract_takes_the_calldata_of_a_batch(exchange: Contract, vector: dict[str, Any]) -> None:
    data = exchange.data(
        "settle",
        bytes.fromhex(vector["prev"][2:]),
        bytes.fromhex(vector["next"][2:]),
        [tuple(number(word) for word in order) for order in vector["orders"]],
        [number(word) for word in vector["fills"]],
    )
    assert "0x" + data.hex() == vector["calldata"]


def test_packed_words() -> None:
    words = load("words")
    for entry in words["positions"]:
        position = PositionWord(number(entry["size"]), number(entry["q"]), number(entry["oneShotMs"]))
        assert PositionWord.unpack(number(entry["word"])) == position
        assert position.pack() == number(entry["word"])
    for entry in words["slots"]:
        fields = (number(entry[name]) for name in ("generation", "revision", "filled", "cancel", "tag"))
        assert SlotWord.unpack(number(entry["word"])) == SlotWord(*fields)
    for entry in words["fills"]:
        names = ("fillId", "price", "size", "taker", "maker", "takerFeePpm", "makerFeePpm")
        assert Fill(*(number(entry[name]) for name in names)).word() == number(entry["word"])
    assert words["positions"]
    assert words["slots"]
    assert words["fills"]


def test_the_oracle_takes_the_pushed_price_of_the_vectors() -> None:
    [vector] = [entry for entry in load("messages") if entry["primaryType"] == "Price"]
    world, address = World(), vector["domain"]["verifyingContract"]
    world.evm.set_code(address, world.evm.code(world.oracle.address))
    world.evm.set_storage(address, storage_slot("PushedOracle", "signer"), int(vector["signer"], 16))
    oracle = Contract(world.evm, address, world.oracle.abi)
    message, signature = vector["message"], bytes.fromhex(vector["signature"][2:])
    world.evm.warp_to(int(message["publishedAt"]))
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    update = *(int(message[name]) for name in ("market", "price", "publishedAt")), r, s | (signature[64] - 27) << 255
    oracle.send(world.operator).push([update])
    assert oracle.call.price(int(message["market"])) == (int(message["price"]), int(message["publishedAt"]))
