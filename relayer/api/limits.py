# SPDX-License-Identifier: AGPL-3.0-only
"""Rate limits by weight, per network address and per account.

An account is charged only for what it signed, so nobody can use up another's limit. Cancels have limits of their own,
ten times as high, and what really cancels something counts against nothing but these; one that is malformed or by a
stranger weighs ten.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from relayer.api.errors import ApiError

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

WINDOW_S = 10
HOUR_S = 3_600
CANCEL_FACTOR = 10
MAX_KEYS = 65_536
_US = 1_000_000
_MAX_HOPS = 16
_IPV6_PREFIX = 64
"""What one customer is given: all of it is one client."""

ORDER_BYTES = 1_500
"""What an accepted order takes in memory and in the event log, about."""
REFUSED_BYTES = 300
"""What a command that changes nothing takes in the journal, about."""


@dataclass(frozen=True)
class LimitSettings:
    """Weights per `WINDOW_S` seconds, bytes per hour; 0 switches a limit off. `trusted` are proxies whose
    X-Forwarded-For is believed.
    """

    ip_weight: int = 0
    account_weight: int = 0
    account_bytes: int = 0
    refused_bytes: int = 0
    trusted: Sequence[Network] = ()


class Standing:
    """What is left of a limit: `reset_ms` (since 1970) is when all of it will be there again."""

    __slots__ = ("allowed", "limit", "remaining", "reset_ms", "retry_s")

    def __init__(self, allowed: bool, limit: int, remaining: int, reset_ms: int, retry_s: int) -> None:
        self.allowed = allowed
        self.limit = limit
        self.remaining = remaining
        self.reset_ms = reset_ms
        self.retry_s = retry_s


class Limiter:
    """Up to `limit` weight at once, which comes back evenly over `window_s`. Remembers at most `MAX_KEYS` keys, the
    least recently seen are forgotten.
    """

    def __init__(self, limit: int, window_s: int, now_us: Callable[[], int], max_keys: int = MAX_KEYS) -> None:
        self.limit = limit
        self._window_us = window_s * _US
        self._now_us = now_us
        self._max_keys = max_keys
        self._full_at_us: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._full_at_us)

    def take(self, key: str, weight: int) -> Standing:
        """Takes `weight` if it is there; what is heavier than the whole limit needs all of it."""
        now = self._now_us()
        full_at, cost = self._of(key, now), self._cost(min(weight, self.limit))
        allowed = full_at + cost - now <= self._window_us
        if allowed:
            full_at += cost
        self._keep(key, full_at)
        left = max(0, self._window_us - (full_at - now))
        wait = 0 if allowed else -(-(cost - left) // _US)
        return Standing(allowed, self.limit, left * self.limit // self._window_us, -(-full_at // 1000), wait)

    def charge(self, key: str, weight: int) -> None:
        """Takes `weight` whether it is there or not."""
        now = self._now_us()
        self._keep(key, self._of(key, now) + self._cost(weight))

    def is_spent(self, key: str) -> bool:
        """Whether nothing is left."""
        now = self._now_us()
        return self._of(key, now) - now >= self._window_us

    def retry_s(self, key: str) -> int:
        """Seconds until something is left."""
        now = self._now_us()
        return max(1, -(-(self._of(key, now) - now - self._window_us) // _US))

    def _cost(self, weight: int) -> int:
        return -(-weight * self._window_us // self.limit)

    def _of(self, key: str, now: int) -> int:
        # A clock that was set back must not lock anybody out for longer than twice a window.
        return min(max(self._full_at_us.get(key, 0), now), now + 2 * self._window_us)

    def _keep(self, key: str, full_at: int) -> None:
        table = self._full_at_us
        table.pop(key, None)
        table[key] = full_at
        if len(table) > self._max_keys:
            del table[next(iter(table))]


class Meter:
    """What one request is told of its limits: the tightest of those that it met."""

    __slots__ = ("client", "tightest")

    def __init__(self, client: str) -> None:
        self.client = client
        self.tightest: Standing | None = None

    def note(self, standing: Standing) -> None:
        """Remembers a standing if it is the tightest."""
        known = self.tightest
        if known is None or standing.remaining * known.limit < known.remaining * standing.limit:
            self.tightest = standing

    def headers(self) -> list[tuple[bytes, bytes]]:
        """RateLimit-Limit, -Remaining, and -Reset in milliseconds since 1970, as ASGI has them."""
        standing = self.tightest
        if standing is None:
            return []
        return [
            (b"ratelimit-limit", b"%d" % standing.limit),
            (b"ratelimit-remaining", b"%d" % standing.remaining),
            (b"ratelimit-reset", b"%d" % standing.reset_ms),
        ]


class Limits:
    """All limits of one relayer."""

    def __init__(self, settings: LimitSettings, *, now_us: Callable[[], int] = lambda: time.time_ns() // 1_000) -> None:
        def limiter(limit: int, window_s: int) -> Limiter | None:
            return Limiter(limit, window_s, now_us) if limit else None

        trusted = tuple(settings.trusted)
        self._known = lru_cache(maxsize=4_096)(lambda text: _known(text, trusted))
        self._ip = limiter(settings.ip_weight, WINDOW_S)
        self._ip_cancels = limiter(settings.ip_weight * CANCEL_FACTOR, WINDOW_S)
        self._account = limiter(settings.account_weight, WINDOW_S)
        self._account_cancels = limiter(settings.account_weight * CANCEL_FACTOR, WINDOW_S)
        self._bytes = limiter(settings.account_bytes, HOUR_S)
        self._refused = limiter(settings.refused_bytes, HOUR_S)

    def meter(self, peer: str, headers: Iterable[tuple[bytes, bytes]]) -> Meter:
        """For a request from `peer` with these headers."""
        name, is_trusted = self._known(peer)
        if not is_trusted:
            return Meter(name)
        forwarded = [value.decode("latin-1") for header, value in headers if header == b"x-forwarded-for"]
        return Meter(self._client(name, forwarded) if forwarded else name)

    def is_trusted(self, peer: str) -> bool:
        """Whether a peer is a proxy that tells us of others."""
        return self._known(peer)[1]

    def client(self, peer: str, forwarded: Sequence[str]) -> str:
        """The network address that a request is counted for: the last one that no trusted proxy vouches for."""
        name, is_trusted = self._known(peer)
        return self._client(name, forwarded) if is_trusted else name

    def _client(self, name: str, forwarded: Sequence[str]) -> str:
        for hop in reversed(",".join(forwarded).split(",")[-_MAX_HOPS:]):
            found, is_trusted = self._known(hop.strip())
            if not found:
                break
            name = found
            if not is_trusted:
                break
        return name

    def request(self, meter: Meter, weight: int, *, cancels: bool) -> None:
        """Charges the network address. Raises ApiError 429."""
        limiter = self._ip_cancels if cancels else self._ip
        if limiter is not None and weight > 0:
            _pass(limiter.take(meter.client, weight), meter, "from this network address")

    def failed_cancels(self, meter: Meter, count: int) -> None:
        """Charges the network address for cancels that nobody may ask for as if they were no cancels: their signatures
        have been looked at all the same.
        """
        if self._ip_cancels is not None and count:
            self._ip_cancels.charge(meter.client, count * (CANCEL_FACTOR - 1))

    def order(self, account: str, meter: Meter | None) -> None:
        """Charges an account for an order that it signed. Raises ApiError 429."""
        if self._account is not None:
            _pass(self._account.take(account, 1), meter, f"of {account}")
        self._need_bytes(self._refused, account)
        self._need_bytes(self._bytes, account)
        if self._bytes is not None:
            self._bytes.charge(account, ORDER_BYTES)

    def cancel(self, account: str, meter: Meter | None, *, idle: bool) -> None:
        """Charges an account for a cancel that it signed; `idle` says that there is nothing to cancel.

        Raises ApiError 429.
        """
        if self._account_cancels is not None:
            _pass(self._account_cancels.take(account, 1), meter, f"of {account}")
        if idle:
            self._need_bytes(self._refused, account)
            self.refused(account)

    def refused(self, account: str) -> None:
        """Charges an account for a command that was journaled and changed nothing."""
        if self._refused is not None:
            self._refused.charge(account, REFUSED_BYTES)

    def _need_bytes(self, limiter: Limiter | None, account: str) -> None:
        if limiter is not None and limiter.is_spent(account):
            seconds = limiter.retry_s(account)
            raise ApiError(
                429,
                "volume_limited",
                f"{account} has sent more than the {limiter.limit} bytes an hour that are kept for one account: go on "
                f"in {seconds} s; cancels of open orders pass",
                retry_after_s=seconds,
            )


def _pass(standing: Standing, meter: Meter | None, whose: str) -> None:
    if meter is not None:
        meter.note(standing)
    if not standing.allowed:
        raise ApiError(
            429,
            "rate_limited",
            f"Too many requests {whose}: the limit is a weight of {standing.limit} in {WINDOW_S} s; go on in "
            f"{standing.retry_s} s",
            retry_after_s=standing.retry_s,
        )


def _known(text: str, trusted: tuple[Network, ...]) -> tuple[str, bool]:
    """The address (of IPv6 its network) and whether it is a trusted proxy; empty for what is no address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return "", False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    is_trusted = any(address in network for network in trusted)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((int(address) >> _IPV6_PREFIX << _IPV6_PREFIX, _IPV6_PREFIX))), is_trusted
    return str(address), is_trusted
