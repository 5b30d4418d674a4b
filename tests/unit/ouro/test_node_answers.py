# SPDX-License-Identifier: AGPL-3.0-only
"""Answers to a batch: out of order, with null errors, left out, of other shapes."""

from __future__ import annotations

from typing import Any

import pytest

from ouro import bloom
from ouro.node_answers import NonsenseError, in_order

ASKED = ["eth_chainId", "eth_blockNumber"]
FAILED = {"code": -32000, "message": "no"}


def test_answers_come_in_any_order() -> None:
    answers = [{"id": 1, "error": FAILED}, {"jsonrpc": "2.0", "id": 0, "result": "0x1", "error": None}]
    assert in_order(answers, ASKED) == [{"result": "0x1"}, {"error": FAILED}]


@pytest.mark.parametrize(
    "answers",
    [
        None,
        {},
        [],
        [None],
        [[]],
        [{"id": 0, "result": "0x1"}],
        [{"id": 0, "result": "0x1"}, {"id": 0, "result": "0x1"}],
        [{"id": 0, "result": "0x1"}, {"id": True, "result": "0x1"}],
        [{"id": 0, "result": "0x1"}, {"id": "1", "result": "0x1"}],
        [{"id": 0, "result": "0x1"}, {"id": 1}],
        [{"id": 0, "result": "0x1"}, {"id": 1, "error": "no"}],
        [{"id": 0, "result": "0x1"}, {"id": 1, "result": "0x1", "error": "no"}],
    ],
)
def test_89_an_answer_that_is_none_is_nonsense(answers: Any) -> None:
    with pytest.raises(NonsenseError):
        in_order(answers, ASKED)


def test_a_bloom_filter_holds_what_was_put_into_it() -> None:
    """That a node sets the same bits is for the tests with a node that hides logs."""
    address = "0x095e7baea6a6c7c4c2dfeb977efac326af552d87"
    filled = bloom.bits(bytes.fromhex(address[2:]))
    assert filled.bit_count() == 3
    assert bloom.may_hold(filled, address)
    assert not bloom.may_hold(filled & filled - 1, address)
    assert not bloom.may_hold(0, address)
