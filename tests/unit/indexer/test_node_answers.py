# SPDX-License-Identifier: AGPL-3.0-only
"""What a node says instead of an answer: a call that reverts, a state that it has not, a limit that passes."""

from __future__ import annotations

from typing import Any

import pytest

from indexer.chain.rpc import Header, NodeError, NoStateError, _header, _outcome, quantity, raw_logs

TRIE = "missing trie node 429b1c (path ) state 0x429e is not available, not found"


@pytest.mark.parametrize(
    ("error", "found"),
    [
        ({"code": 3, "message": "execution reverted"}, bytes),
        ({"code": -32000, "message": "VM Exception while processing: revert"}, bytes),
        ({"code": -32000, "message": TRIE}, NoStateError),
        ({"code": -32000, "message": "historical state is pruned"}, NoStateError),
        ("nonsense", NoStateError),
    ],
)
def test_a_call_without_an_answer(error: Any, found: type) -> None:
    assert isinstance(_outcome({"error": error}), found)


@pytest.mark.parametrize(
    "error",
    [
        {"code": -32005, "message": "daily request count exceeded"},
        {"code": 429, "message": "slow down"},
        {"code": -32000, "message": "Rate limit exceeded"},
        {"code": -32000, "message": "request timed out"},
    ],
)
def test_what_passes_is_tried_again(error: Any) -> None:
    with pytest.raises(NodeError) as raised:
        _outcome({"error": error})
    assert not isinstance(raised.value, NoStateError)


HASH = "0x" + "11" * 32
BLOCK = {"number": "0x5", "hash": HASH, "parentHash": HASH, "timestamp": "0x6"}
LOG = {
    "address": "0x" + "22" * 20,
    "topics": [HASH],
    "data": "0x",
    "blockNumber": "0x5",
    "blockHash": HASH,
    "transactionHash": HASH,
    "logIndex": "0x0",
}


@pytest.mark.parametrize(
    "value", [None, True, 5, 2**80, "", "0x", "5", "zebra", "0x" + "f" * 80, "0x" + "f" * 16, [], {}]
)
def test_89_nonsense_for_a_number_is_the_nodes_fault(value: Any) -> None:
    with pytest.raises(NodeError, match=r"is no quantity|is too large"):
        quantity(value)


@pytest.mark.parametrize(
    "value",
    [
        True,
        5,
        "0x5",
        [],
        [None],
        {},
        {**BLOCK, "hash": "0x11"},
        {**BLOCK, "timestamp": None},
        {**BLOCK, "number": "0x4"},
    ],
)
def test_89_nonsense_for_a_block_is_the_nodes_fault(value: Any) -> None:
    assert _header(BLOCK, 5) == Header(5, HASH, HASH, 6)
    assert _header(None, 5) is None
    with pytest.raises(NodeError):
        _header(value, 5)


@pytest.mark.parametrize(
    "value", [None, True, "0x", {}, [None], [[]], [{}], [{**LOG, "topics": "0x"}], [{**LOG, "data": 5}]]
)
def test_89_nonsense_for_logs_is_the_nodes_fault(value: Any) -> None:
    assert raw_logs([LOG]) == [LOG]
    with pytest.raises(NodeError, match=r"is no list|is no log"):
        raw_logs(value)


@pytest.mark.parametrize("value", [None, True, 5, "zebra", "0x1", [], {}])
def test_89_nonsense_for_bytes_is_the_nodes_fault(value: Any) -> None:
    with pytest.raises(NodeError, match="is no hex string"):
        _outcome({"result": value})
