# SPDX-License-Identifier: AGPL-3.0-only
"""What a node says instead of an answer: a call that reverts, a state that it has not, a limit that passes."""

from __future__ import annotations

from typing import Any

import pytest

from indexer.chain.rpc import NodeError, NoStateError, _outcome

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
