# SPDX-License-Identifier: AGPL-3.0-only
"""What may be tried: fills with every kind of order, and every way to spoil one."""

from dataclasses import dataclass

from hypothesis import strategies as st

from tests.support.wire import wallet
from tests.support.world import USDC

OWNERS = [wallet(f"trader {number}") for number in range(4)]
SESSION_KEYS = [wallet(f"session key {number}") for number in range(3)]
ACCOUNTS = [(owner, subaccount) for owner in OWNERS for subaccount in (0, 1)]
LIQUIDATOR = (wallet("liquidator"), 0)
PATRON = wallet("patron of the backstop")
FLAWS = (
    "reduce-only taker",
    "reduce-only maker",
    "post-only taker",
    "wrong signer",
    "expired",
    "limit",
    "fee cap",
    "off tick",
    "old slot",
    "doubled slot",
    "same side",
    "flags",
    "overfill",
    "not triggered",
    "bad trigger",
    "short of all",
    "torn group",
    "two takers",
    "no liquidation",
    "replayed fill",
)


@dataclass(frozen=True)
class Plan:
    """One taker to try against one maker, or several in a group.

    `share` is the part (percent) of the affordable size, `edge` the distance from index in ppm, `lucky` decides
    small things: which session key signs, which way a trigger points.
    """

    taker: int
    maker: int
    market: int
    sells: bool
    share: int
    edge: int
    taker_fee: int
    maker_fee: int
    kind: str
    resting: bool
    makers: int
    referrer: int
    by_key: bool
    lucky: int
    flaw: str


SOUND = {"edge": 0, "flaw": ""}
PLANS = st.builds(
    Plan,
    taker=st.integers(0, len(ACCOUNTS) - 1),
    maker=st.integers(0, len(ACCOUNTS) - 1),
    market=st.sampled_from([1, 1, 2]),
    sells=st.booleans(),
    share=st.sampled_from([1, 5, 15, 25, 40, 60, 75, 85, 95, 98, 99, 100, 110]),
    edge=st.one_of(st.just(0), st.integers(-3_000, 3_000), st.integers(-3_000, 3_000), st.integers(-101_000, 101_000)),
    taker_fee=st.sampled_from([350, 350, 350, 500, 200, 200, 1_000, 0]),
    maker_fee=st.sampled_from([0, 0, 0, 0, 150, -100]),
    kind=st.sampled_from(["GTT", "GTT", "IOC", "FOK"]),
    resting=st.booleans(),
    makers=st.sampled_from([1, 1, 1, 1, 2, 3]),
    referrer=st.sampled_from([0, 0, 1, 2, 9]),
    by_key=st.booleans(),
    lucky=st.integers(0, 7),
    flaw=st.sampled_from(("",) * 3 * len(FLAWS) + FLAWS),
)
AMOUNTS = st.integers(1, 2_000 * USDC)
