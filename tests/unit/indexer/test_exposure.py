# SPDX-License-Identifier: AGPL-3.0-only
"""The history of positions against the contract's own quote arithmetic."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from indexer.views.exposure import Exposure, exposure_of, trade
from indexer.views.rows import Row
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
    stored, ended_money = Stored(), 0
    row: Row | None = None
    g_long = g_short = 0
    for delta, price, fee, funding, loss in history:
        g_long, g_short = g_long + funding + loss, g_short + funding
        bare = stored.quote - stored.size * (g_long if stored.size > 0 else g_short)
        result = trade(row, bare, delta, price, fee)
        stored.trade(delta, price, fee, g_long, g_short)
        if row is not None and result.ended_bare is not None:
            ended = exposure_of(row)
            made = ended.flows() * SCALE + ended.funding_scaled(result.ended_bare)
            assert made == result.ended_bare - ended.carry_scaled
            ended_money = ended_money + made
            row = None
        row = result.opened or row
        exposure = exposure_of(row) if row else None
        assert (exposure.size if exposure else 0) == stored.size
        now = stored.quote - stored.size * (g_long if stored.size > 0 else g_short)
        open_money = now - exposure.carry_scaled if exposure else 0
        # closing to cash drops less than a micro-USDC each time
        lost = ended_money + open_money - stored.cash * SCALE - now
        assert 0 <= lost < SCALE * len(history)


@given(steps)
def test_without_index_moves_there_is_no_funding(history: list[tuple[int, int, int, int, int]]) -> None:
    stored = Stored()
    row: Row | None = None
    for delta, price, fee, _, _ in history:
        result = trade(row, stored.quote, delta, price, fee)
        stored.trade(delta, price, fee, 0, 0)
        if row is not None and result.ended_bare is not None:
            assert exposure_of(row).funding_scaled(result.ended_bare) == 0
            row = None
        row = result.opened or row
        if row is not None:
            assert exposure_of(row).funding_scaled(stored.quote) == 0


def opened(lots: int, price: int, fee: int = 0) -> Row:
    row = trade(None, 0, lots, price, fee).opened
    assert row is not None
    return row


def test_entry_price_is_the_average_of_what_opened() -> None:
    row = opened(10, 100, 3)
    assert exposure_of(row) == Exposure(1, 10, 10, 10, 1_000, 0, 0, 3, 0)
    trade(row, 0, 30, 200, 0)
    assert (row["size"], row["max_size"], row["sum_open"], row["open_notional"]) == (40, 40, 40, 7_000)


def test_a_reduction_realises_against_the_average_rounded_down() -> None:
    row = opened(3, 100)
    trade(row, 0, 3, 101, 0)
    reduced = trade(row, 0, -1, 100, 0)
    assert reduced.realised == -1
    assert reduced.ended_bare is None


def test_a_flip_ends_one_exposure_and_begins_another() -> None:
    row = opened(10, 100)
    flip = trade(row, -1_000 * SCALE, -25, 110, 5)
    assert flip.opened is not None
    assert flip.realised == 100
    assert (row["size"], row["sum_close"], row["fees"]) == (0, 10, 2)
    current = exposure_of(flip.opened)
    assert (current.side, current.size, current.sum_open, current.fees) == (-1, -15, 15, 3)
    assert current.carry_scaled == flip.ended_bare == 98 * SCALE
