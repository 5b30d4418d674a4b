# SPDX-License-Identifier: AGPL-3.0-only
"""What is wrong outside, as the parts that suffer from it tell."""

from __future__ import annotations

import time
from collections.abc import Callable

GRACE_S = 3.0
"""A trouble that is over sooner is in the log only."""


class Troubles:
    """What ails the parts, by name, and since when. Lives on the event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, tuple[float, str]] = {}

    def tell(self, part: str, reason: str) -> None:
        since = self._known[part][0] if part in self._known else self._clock()
        self._known[part] = (since, reason)

    def clear(self, part: str) -> None:
        self._known.pop(part, None)

    def lasting(self) -> list[str]:
        """Why something has not gone for more than a moment: each reason once."""
        before = self._clock() - GRACE_S
        return list(dict.fromkeys(reason for _, (since, reason) in sorted(self._known.items()) if since <= before))
