# SPDX-License-Identifier: Apache-2.0
"""Numbers a signer must never repeat: generations, nonces, order slots, client ids.

Generations and nonces are milliseconds since 1970, strictly increasing over the whole process. Slots are drawn at
random from those of the key, so that two processes with the same key collide rarely; the exchange refuses a collision
and names free slots, and the client tries again.
"""

from __future__ import annotations

import secrets
import threading
import time

MAX_SLOT = 65_535
"""Slots of a signing key are 1..65535; slot 0 belongs to one-shot orders."""


class MillisecondClock:
    """The time in milliseconds, strictly increasing from call to call (thread-safe)."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def next(self) -> int:
        with self._lock:
            self._last = max(self._last + 1, time.time_ns() // 1_000_000)
            return self._last


PROCESS_CLOCK = MillisecondClock()


class SlotPicker:
    """Draws order slots of one signing key, none twice in a row of `memory` draws."""

    def __init__(self, memory: int = 4096) -> None:
        self._recent: dict[int, None] = {}
        self._memory = memory
        self._lock = threading.Lock()

    def draw(self, offered: list[int] | None = None) -> int:
        """A slot, out of `offered` if any are given (those the exchange says are free)."""
        with self._lock:
            slot = secrets.choice(offered) if offered else self._fresh()
            self._recent.pop(slot, None)
            self._recent[slot] = None
            if len(self._recent) > self._memory:
                del self._recent[next(iter(self._recent))]
            return slot

    def _fresh(self) -> int:
        while True:
            slot = 1 + secrets.randbelow(MAX_SLOT)
            if slot not in self._recent:
                return slot


def random_client_id() -> str:
    """A numeric label of 32 bits for an order; it is not signed and need not be unique."""
    return str(secrets.randbelow(1 << 32))
