# SPDX-License-Identifier: AGPL-3.0-only
"""Views of contracts, many at once and all on the state after one block."""

from collections.abc import Sequence
from typing import Any

from keeper.functions import Function
from keeper.ports import Call, Chain, ChainError, Head, RefusedError

View = tuple[str, Function, tuple[Any, ...]]
"""Address, function, arguments."""


def ask(chain: Chain, views: Sequence[View], head: Head) -> list[tuple[Any, ...]]:
    """What views answer after `head`. Raises `ChainError` if one reverts, which no view that a keeper asks does."""
    calls = [Call(address, function.encode(*arguments)) for address, function, arguments in views]
    answers = []
    for (_, function, arguments), answer in zip(views, chain.call_many(calls, head.hash), strict=True):
        if isinstance(answer, RefusedError):
            raise ChainError(f"{function.name}{arguments} reverts at block {head.number}: {answer.reason}")
        answers.append(function.decode(answer))
    return answers
