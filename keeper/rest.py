# SPDX-License-Identifier: AGPL-3.0-only
"""What was refused is left alone for a while, so that a bot neither repeats itself nor fills its records."""

from collections.abc import Hashable

from keeper.ports import Clock


class Rest:
    """Keys that rest for so many seconds."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.clock = clock
        self.seconds = seconds
        self._until: dict[Hashable, float] = {}

    def add(self, key: Hashable) -> None:
        """Let `key` rest from now on."""
        self._until[key] = self.clock.now() + self.seconds

    def __contains__(self, key: Hashable) -> bool:
        until = self._until.get(key)
        if until is not None and until <= self.clock.now():
            del self._until[key]
            return False
        return until is not None
