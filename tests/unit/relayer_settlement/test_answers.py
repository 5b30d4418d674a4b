# SPDX-License-Identifier: AGPL-3.0-only
"""Whatever a node answers, a reader gives a value within bounds or says that it is nonsense."""

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from ouro import node_answers
from relayer.chain_watch import NonsenseError, answers
from relayer.chain_watch.answers import Header
from relayer.chain_watch.trie import root_of
from tests.support.anvil import ACCOUNTS, anvil

CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
HEADER = {
    "hash": "0x" + "00" * 32,
    "parentHash": "0x" + "01" * 32,
    "sha3Uncles": "0x" + "02" * 32,
    "miner": "0x" + "03" * 20,
    "stateRoot": "0x" + "04" * 32,
    "transactionsRoot": "0x" + "05" * 32,
    "receiptsRoot": "0x" + "06" * 32,
    "logsBloom": "0x" + "00" * 256,
    "difficulty": "0x0",
    "number": "0x7",
    "gasLimit": "0x1c9c380",
    "gasUsed": "0x0",
    "timestamp": "0x6b01ba38",
    "extraData": "0x",
    "mixHash": "0x" + "07" * 32,
    "nonce": "0x" + "00" * 8,
    "baseFeePerGas": "0x3b9aca00",
}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.from_regex(r"0x[0-9a-f]{0,70}", fullmatch=True),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from([*HEADER, "address", "topics", "data", "blockHash", "logs", "status", "reward", "logIndex"])
            | st.text(max_size=3),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)
BLOCK = Header(7, b"\x11" * 32, b"\x12" * 32, 1_800_000_000, (1 << 2048) - 1, bytes(32))
READERS: list[Callable[[Any], Any]] = [
    node_answers.quantity,
    answers.wei,
    node_answers.hex_bytes,
    answers.header,
    lambda value: answers.header(value, verify=False),
    answers.receipt,
    answers.history,
    lambda value: answers.logs(value, BLOCK, frozenset({CONTRACT})),
    lambda value: answers.logs_of_receipts(value, BLOCK, frozenset({CONTRACT})),
]


@pytest.mark.parametrize("reader", READERS)
@given(value=JSON)
def test_any_json_is_read_or_called_nonsense(reader: Callable[[Any], Any], value: Any) -> None:
    with contextlib.suppress(NonsenseError):
        reader(value)


@pytest.mark.parametrize("value", [None, True, -1, 1.5, 7, "7", "0x", "0x-1", "0x8000000000000000", "0xg", [], {}])
def test_what_is_no_quantity(value: Any) -> None:
    with pytest.raises(NonsenseError):
        node_answers.quantity(value)


def _good_header() -> dict[str, Any]:
    return {**HEADER, "hash": "0x" + answers.header_hash(HEADER).hex()}


def test_a_header_is_taken_by_its_hash_alone() -> None:
    found = answers.header(_good_header())
    assert found is not None
    assert (found.number, found.time_s) == (7, 0x6B01BA38)
    assert answers.header(None) is None


@pytest.mark.parametrize("field", [name for name in HEADER if name != "hash"])
def test_every_field_of_a_header_is_bound_by_its_hash(field: str) -> None:
    header = _good_header()
    changed = header[field][:-1] + ("1" if header[field][-1] != "1" else "2") if len(header[field]) > 2 else "0x01"
    with pytest.raises(NonsenseError):
        answers.header({**header, field: changed})


def test_the_hash_is_that_of_a_block_of_the_main_network() -> None:
    """Block 0, whose header everybody knows."""
    genesis = {
        **HEADER,
        "parentHash": "0x" + "00" * 32,
        "sha3Uncles": "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
        "miner": "0x" + "00" * 20,
        "stateRoot": "0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544",
        "transactionsRoot": "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
        "receiptsRoot": "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
        "difficulty": "0x400000000",
        "number": "0x0",
        "gasLimit": "0x1388",
        "timestamp": "0x0",
        "extraData": "0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa",
        "mixHash": "0x" + "00" * 32,
        "nonce": "0x0000000000000042",
    }
    del genesis["baseFeePerGas"]
    assert answers.header_hash(genesis).hex() == "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"


def _bloom(*items: bytes) -> int:
    """By the yellow paper, apart from the code under test."""
    bits = 0
    for item in items:
        digest = keccak(item)
        for at in range(0, 6, 2):
            bits |= 1 << ((digest[at] << 8 | digest[at + 1]) % 2048)
    return bits


ADDRESS = bytes.fromhex(CONTRACT[2:])


def _log(**changes: Any) -> dict[str, Any]:
    return {
        "address": CONTRACT.lower(),
        "topics": ["0x" + keccak(text="Nobody()").hex()],
        "data": "0x",
        "blockHash": "0x" + BLOCK.hash.hex(),
        "transactionHash": "0x" + "21" * 32,
        "logIndex": "0x0",
    } | changes


def _block(*items: bytes) -> Header:
    return Header(7, BLOCK.hash, BLOCK.parent_hash, BLOCK.time_s, _bloom(*items), BLOCK.receipts_root)


def test_logs_must_fit_the_block() -> None:
    block = _block(ADDRESS, keccak(text="Nobody()"))
    [found] = answers.logs([_log()], block, frozenset({CONTRACT}))
    assert found.address == CONTRACT
    for wrong, reason in (
        (_log(blockHash="0x" + "99" * 32), "of another block"),
        (_log(address="0x" + "99" * 20), "not asked for"),
        (_log(topics=["0x" + "99" * 32]), "bloom filter"),
        (_log(topics=["0x99"]), "bytes"),
        (_log(transactionHash=None), "hex"),
    ):
        with pytest.raises(NonsenseError, match=reason):
            answers.logs([wrong], block, frozenset({CONTRACT}))
    with pytest.raises(NonsenseError, match="one number"):
        answers.logs([_log(), _log()], block, frozenset({CONTRACT}))


def test_a_block_without_our_contracts_in_its_filter_has_no_logs_of_ours() -> None:
    assert answers.may_have(_block(ADDRESS, keccak(text="Nobody()")), frozenset({CONTRACT}))
    assert not answers.may_have(_block(b"somebody else"), frozenset({CONTRACT}))


@pytest.mark.parametrize("count", [1, 2, 17, 130, 300])
def test_receipts_are_bound_by_the_root_in_the_header(count: int) -> None:
    """A real block of so many transactions, each with a log."""
    with anvil("--order", "fifo", "--gas-limit", "200000000") as node:
        ask = node.rpc.request
        # Code that logs one topic: PUSH1 7, PUSH0, PUSH0, LOG1.
        ask("anvil_setCode", CONTRACT, "0x60075f5fa1")
        ask("evm_setAutomine", False)
        for number in range(count):
            sender = ACCOUNTS[number % 10].address
            ask("eth_sendTransaction", {"from": sender, "to": CONTRACT, "gas": hex(100_000)})
        ask("evm_mine")
        block = answers.header(ask("eth_getBlockByNumber", "latest", False))
        receipts = ask("eth_getBlockReceipts", "latest")
        assert block is not None
        assert len(receipts) == count
        assert len(answers.logs_of_receipts(receipts, block, frozenset({CONTRACT}))) == count
        first = receipts[0]
        for told in (
            receipts[1:],
            [{**first, "logs": []}, *receipts[1:]],
            [{**first, "logs": first["logs"] * 2}, *receipts[1:]],
            [{**first, "logs": [{**first["logs"][0], "data": "0x01"}]}, *receipts[1:]],
            [{**first, "status": "0x0"}, *receipts[1:]],
        ):
            with pytest.raises(NonsenseError, match="receipts root"):
                answers.logs_of_receipts(told, block, frozenset({CONTRACT}))


def test_no_receipts_have_the_well_known_root() -> None:
    assert root_of([]).hex() == "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
