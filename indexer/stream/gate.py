# SPDX-License-Identifier: AGPL-3.0-only
"""How many connections of one client there are at a time, and how often its snapshots are read. The reads of the API
and those of the stream come out of one allowance: else whoever has used it up would subscribe instead.
"""

from __future__ import annotations

from collections import Counter

from indexer.api.limits import WINDOW_S, Allowance, client_of

MOST_OF_ONE = 500
"""Connections of one network address; what waits for a slow one may be megabytes."""

CONNECTION = 10
_USUAL = 10
_IN_MEMORY = ("v4_orderbook", "v4_block_height")
_RESUMED = 50
"""A thousand messages may have to be read again."""


class Gate:
    """One for all connections of a process. Without an allowance everything passes."""

    def __init__(self, allowance: Allowance | None) -> None:
        self._allowance = allowance
        self._open: Counter[str] = Counter()

    def enter(self, host: str) -> str:
        """Why a connection of that address is not taken; empty: it is, until it leaves."""
        client = client_of(host)
        if self._allowance is not None:
            if self._open[client] >= MOST_OF_ONE:
                return f"There are {MOST_OF_ONE} connections of your network address already: close some"
            refusal = self._take(client, CONNECTION)
            if refusal:
                return refusal
        self._open[client] += 1
        return ""

    def leave(self, host: str) -> None:
        """A connection that had entered is closed."""
        client = client_of(host)
        self._open[client] -= 1
        if self._open[client] <= 0:
            del self._open[client]

    def subscribe(self, host: str, channel: str, *, resumes: bool = False) -> str:
        """Why the snapshot of a subscription is not read now; empty: it is."""
        weight = _RESUMED if resumes else 1 if channel in _IN_MEMORY else _USUAL
        return self._take(client_of(host), weight)

    def _take(self, client: str, weight: int) -> str:
        if self._allowance is None:
            return ""
        standing = self._allowance.take(client, weight)
        if standing.allowed:
            return ""
        return (
            f"Too many requests: connections, subscriptions and reads may weigh {self._allowance.limit} in {WINDOW_S} "
            f"s; go on in {standing.retry_s} s"
        )
