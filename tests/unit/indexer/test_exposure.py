# SPDX-License-Identifier: AGPL-3.0-only
"""The history of positions against the contract's own quote arithmetic."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from indexer.views.exposure import Exposure, trade
from ouro.units import SCALE

steps = st.lists(
    st.tuples(
        st.integers(-500, 500).filter(bool),
        st.integers(1, 10**7),
        st.integers(-10, 10**4),
        st.integers(-(10**9), 10**9),
        st.integers(0, 10**8),
    ),
    min_size=1,
    max_size=30,
)


@dataclass
class Stored:
    """A position as the contract holds it: Q' = Q - s0 G(s0) - (d p + f) SCALE + s1 G(s1)."""

    size: int = 0
    quote: int = 0
    cash: int = 0

    def trade(self, delta: int, price: int, fee: int, g_long: int, g_short: int) -> None:
        after = self.size + delta
        bare = self.quote - self.size * (g_long if self.size > 0 else g_short) - (delta * price + fee) * SCALE
        self.size, self.quote = after, bare + after * (g_long if after > 0 else g_short)
        if after == 0:
            self.cash += self.quote // SCALE
            self.quote = 0


@given(steps)
def test_every_unit_of_money_is_price_profit_fee_or_funding(history: list[tuple[int, int, int, int, int]]) -> None:
    """What exposures say they made, with what is carried over flips, is the contract's quote and cash."""
    stored, exposure, ended_money = Stored(), None, 0
    g_long = g_short = 0
    for delta, price, fee, funding, loss in history:
        g_long, g_short = g_long + funding + loss, g_short + funding
        bare = stored.quote - stored.size * (g_long if stored.size > 0 else g_short)
        result = trade(exposure, bare, delta, price, fee)
        stored.trade(delta, price, fee, g_long, g_short)
        if result.ended is not None:
            made = result.ended.flows() * SCALE + result.ended.funding_scaled(result.ended_bare)
            assert made == result.ended_bare - result.ended.carry_scaled
            ended_money = ended_money + made
        exposure = result.current
        assert (exposure.size if exposure else 0) == stored.size
        now = stored.quote - stored.size * (g_long if stored.size > 0 else g_short)
        open_money = now - exposure.carry_scaled if exposure else 0
        # closing to cash drops less than a micro-USDC each time
        lost = ended_money + open_money - stored.cash * SCALE - now
        assert 0 <= lost < SCALE * len(history)


@given(steps)
def test_without_index_moves_there_is_no_funding(history: list[tuple[int, int, int, int, int]]) -> None:
    stored, exposure = Stored(), None
    for delta, price, fee, _, _ in history:
        result = trade(exposure, stored.quote, delta, price, fee)
        stored.trade(delta, price, fee, 0, 0)
        exposure = result.current
        if exposure is not None:
            assert exposure.funding_scaled(stored.quote) == 0
        if result.ended is not None:
            assert result.ended.funding_scaled(result.ended_bare) == 0


def test_entry_price_is_the_average_of_what_opened() -> None:
    first = trade(None, 0, 10, 100, 3).current
    assert first == Exposure(1, 10, 10, 10, 1_000, 0, 0, 3, 0)
    second = trade(first, 0, 30, 200, 0).current
    assert second is not None
    assert (second.size, second.max_size, second.sum_open, second.open_notional) == (40, 40, 40, 7_000)


def test_a_reduction_realises_against_the_average_rounded_down() -> None:
    bought = trade(None, 0, 3, 100, 0).current
    extended = trade(bought, 0, 3, 101, 0).current
    reduced = trade(extended, 0, -1, 100, 0)
    assert reduced.realised == -1
    assert reduced.ended is None


def test_a_flip_ends_one_exposure_and_begins_another() -> None:
    long = trade(None, 0, 10, 100, 0).current
    flip = trade(long, -1_000 * SCALE, -25, 110, 5)
    assert flip.ended is not None
    assert flip.current is not None
    assert flip.realised == 100
    assert (flip.ended.size, flip.ended.sum_close, flip.ended.fees) == (0, 10, 2)
    assert (flip.current.side, flip.current.size, flip.current.sum_open, flip.current.fees) == (-1, -15, 15, 3)
    assert flip.current.carry_scaled == flip.ended_bare == 98 * SCALE
