# SPDX-License-Identifier: AGPL-3.0-only
"""Rate limits: what is counted, for whom, and how much is remembered."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.api.errors import ApiError
from relayer.api.limits import (
    ORDER_BYTES,
    REFUSED_BYTES,
    Limiter,
    Limits,
    LimitSettings,
    Meter,
)

START_US = 1_800_000_000_000_000
SECOND = 1_000_000
PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1"))


class Clock:
    def __init__(self) -> None:
        self.now = START_US

    def __call__(self) -> int:
        return self.now


def test_a_limit_comes_back_evenly() -> None:
    clock = Clock()
    limiter = Limiter(10, 10, clock)
    assert [limiter.take("a", 1).remaining for _ in range(10)] == list(range(9, -1, -1))
    refused = limiter.take("a", 1)
    assert (refused.allowed, refused.remaining, refused.retry_s) == (False, 0, 1)
    assert refused.reset_ms == (START_US + 10 * SECOND) // 1000
    assert limiter.take("b", 10).allowed
    clock.now += SECOND
    assert limiter.take("a", 1).allowed
    assert not limiter.take("a", 1).allowed
    assert limiter.take("a", 3).retry_s == 3
    clock.now += 100 * SECOND
    assert limiter.take("a", 1_000).allowed, "what is heavier than all of it passes when all is there"
    assert not limiter.take("a", 1).allowed


@given(st.lists(st.tuples(st.integers(0, 3 * SECOND), st.integers(1, 60)), max_size=80), st.integers(1, 50))
def test_never_more_than_the_limit_in_a_window(steps: list[tuple[int, int]], limit: int) -> None:
    clock = Clock()
    limiter = Limiter(limit, 10, clock)
    passed: list[tuple[int, int]] = []
    for pause, weight in steps:
        clock.now += pause
        standing = limiter.take("a", weight)
        assert 0 <= standing.remaining <= limit
        assert standing.allowed or standing.retry_s > 0
        if standing.allowed:
            passed.append((clock.now, min(weight, limit)))
    # All of it at once, and what came back within the window.
    for at, _ in passed:
        assert sum(weight for when, weight in passed if at <= when < at + 10 * SECOND) <= 2 * limit


def test_waiting_as_told_is_enough() -> None:
    clock = Clock()
    limiter = Limiter(7, 10, clock)
    while limiter.take("a", 2).allowed:
        pass
    clock.now += limiter.take("a", 2).retry_s * SECOND
    assert limiter.take("a", 2).allowed


def test_a_clock_that_is_set_back_locks_nobody_out() -> None:
    clock = Clock()
    limiter = Limiter(10, 10, clock)
    limiter.take("a", 10)
    clock.now -= 1_000 * SECOND
    limiter.take("a", 1)
    clock.now += 20 * SECOND
    assert limiter.take("a", 1).allowed


def test_memory_is_bounded() -> None:
    limiter = Limiter(10, 10, Clock(), max_keys=100)
    for number in range(1_000):
        limiter.take(str(number), 10)
    assert len(limiter) == 100
    assert not limiter.take("999", 1).allowed
    assert limiter.take("0", 1).allowed


CLIENTS: list[tuple[str, list[str], str]] = [
    ("192.0.2.1", [], "192.0.2.1"),
    ("192.0.2.1", ["198.51.100.7"], "192.0.2.1"),
    ("10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
    ("10.0.0.1", ["1.1.1.1, 198.51.100.7"], "198.51.100.7"),
    ("10.0.0.1", ["1.1.1.1", "198.51.100.7, 10.0.0.2"], "198.51.100.7"),
    ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
    ("10.0.0.1", ["unknown"], "10.0.0.1"),
    ("10.0.0.1", ["1.1.1.1, <script>, 10.0.0.2"], "10.0.0.2"),
    ("10.0.0.1", ["," * 100_000], "10.0.0.1"),
    ("10.0.0.1", ["1.1.1.1," + "10.0.0.2," * 50 + "10.0.0.2"], "10.0.0.2"),
    ("10.0.0.1", [""], "10.0.0.1"),
    ("10.0.0.1", ["198.51.100.7:1234"], "10.0.0.1"),
    ("2001:db8::1", [], "2001:db8::/64"),
    ("2001:db8::ffff:1", [], "2001:db8::/64"),
    ("::ffff:192.0.2.1", [], "192.0.2.1"),
    ("::1", ["2001:db8:0:1::9"], "2001:db8:0:1::/64"),
    ("", ["1.1.1.1"], ""),
]


@pytest.mark.parametrize(("peer", "forwarded", "client"), CLIENTS)
def test_who_a_request_is_counted_for(peer: str, forwarded: list[str], client: str) -> None:
    limits = Limits(LimitSettings(trusted=PROXIES))
    assert limits.client(peer, forwarded) == client
    headers = [(b"x-forwarded-for", each.encode()) for each in forwarded]
    assert limits.meter(peer, [(b"host", b"x"), *headers]).client == client


def _refused(error: pytest.ExceptionInfo[ApiError]) -> tuple[int, str, dict[str, str]]:
    response = error.value.response()
    return response.status_code, error.value.code, {"retry-after": response.headers["retry-after"]}


def test_cancels_have_their_own() -> None:
    clock = Clock()
    limits = Limits(LimitSettings(ip_weight=2, account_weight=2), now_us=clock)
    meter = Meter("192.0.2.1")
    for _ in range(2):
        limits.request(meter, 1, cancels=False)
        limits.order("0xa", meter)
    with pytest.raises(ApiError) as of_address:
        limits.request(meter, 1, cancels=False)
    assert _refused(of_address) == (429, "rate_limited", {"retry-after": "5"})
    with pytest.raises(ApiError, match="0xa"):
        limits.order("0xa", meter)
    assert dict(meter.headers())[b"ratelimit-remaining"] == b"0"
    for _ in range(20):
        limits.request(meter, 1, cancels=True)
        limits.cancel("0xa", meter, idle=False)
    with pytest.raises(ApiError):
        limits.cancel("0xa", meter, idle=False)


def test_cancels_by_strangers_cost_as_much_as_orders() -> None:
    limits = Limits(LimitSettings(ip_weight=2), now_us=Clock())
    stranger, other = Meter("192.0.2.1"), Meter("192.0.2.2")
    for _ in range(2):
        limits.request(stranger, 1, cancels=True)
        limits.failed_cancels(stranger, 1)
    with pytest.raises(ApiError, match="network address"):
        limits.request(stranger, 1, cancels=True)
    for _ in range(20):
        limits.request(other, 1, cancels=True)


def test_refusals_are_counted_apart_and_cancels_of_something_pass() -> None:
    clock = Clock()
    limits = Limits(LimitSettings(refused_bytes=4 * REFUSED_BYTES, account_bytes=100 * ORDER_BYTES), now_us=clock)
    for _ in range(2):
        limits.order("0xa", None)
        limits.refused("0xa")
        limits.cancel("0xa", None, idle=True)
    with pytest.raises(ApiError) as full:
        limits.order("0xa", None)
    assert full.value.code == "volume_limited"
    with pytest.raises(ApiError):
        limits.cancel("0xa", None, idle=True)
    limits.cancel("0xa", None, idle=False)
    limits.order("0xb", None)
    clock.now += full.value.retry_after_s * SECOND
    limits.order("0xa", None)


def test_what_is_kept_for_an_account() -> None:
    limits = Limits(LimitSettings(account_bytes=3 * ORDER_BYTES), now_us=Clock())
    for _ in range(3):
        limits.order("0xa", None)
    with pytest.raises(ApiError) as full:
        limits.order("0xa", None)
    assert full.value.code == "volume_limited"


def test_the_tightest_limit_is_told() -> None:
    limits = Limits(LimitSettings(ip_weight=1_000, account_weight=10), now_us=Clock())
    meter = Meter("192.0.2.1")
    assert meter.headers() == []
    limits.request(meter, 1, cancels=False)
    assert dict(meter.headers())[b"ratelimit-limit"] == b"1000"
    limits.order("0xa", meter)
    assert meter.headers()[:2] == [(b"ratelimit-limit", b"10"), (b"ratelimit-remaining", b"9")]


def test_off() -> None:
    limits = Limits(LimitSettings())
    meter = Meter("192.0.2.1")
    for _ in range(1_000):
        limits.request(meter, 50, cancels=False)
        limits.order("0xa", meter)
        limits.cancel("0xa", meter, idle=True)
    assert meter.headers() == []
