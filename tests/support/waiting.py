# SPDX-License-Identifier: AGPL-3.0-only
"""Waiting for what another process is about to do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


def _pause() -> None:
    time.sleep(0.05)


def eventually(
    check: Callable[[], Answer], what: str, within_s: float = 180, pause: Callable[[], None] = _pause
) -> Answer:
    """The first true answer of `check`; an AssertionError that names `what` when there is none in time."""
    deadline = time.monotonic() + within_s
    while True:
        answer = check()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {within_s:.0f} s: {what}"
        pause()
