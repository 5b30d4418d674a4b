# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Waterfall
@license GNU Affero General Public License v3.0 only
@notice Who pays for a position that closes with less than nothing: the insurance fund, then the backstop, then the opposite side of the
        market by a bounded step of its index. What they leave unpaid is the deleveraging price's to pay.
"""

from ..interfaces import events
from . import accounts
from . import margin
from . import markets
from . import slots
from . import units

uses: accounts
uses: markets


@internal
@pure
def _hole(health: margin.Health, margin_0: int256, margin_1: int256) -> int256:
    """
    @return The closed part's share of the account's negative equity, micro-USDC, rounded up.
    """
    required: int256 = health.maintenance * units.SCALE
    return (-health.equity * (margin_0 - margin_1) + required - 1) // required


@internal
def _pay(market: markets.Market, hole: int256, of_long: bool) -> (markets.Market, int256):
    """
    @notice Pays a hole, each step to its end before the next.
    @return The market with its opposite side's index moved, and what is left unpaid.
    """
    m: markets.Market = market
    rest: int256 = self._pay_from_reserves(hole)
    if rest == 0:
        return m, 0
    hour: uint256 = block.timestamp // units.HOUR
    word: uint256 = markets.loss_steps[m.id]
    spread: int256 = 0
    if word >> 128 == hour:
        spread = convert(word & (2**128 - 1), int256)
    most: int256 = m.index * m.mmf * units.SCALE // (2 * units.PPM) - spread
    step: int256 = 0
    m, rest, step = self._spread(m, rest, m.open_interest, of_long, most)
    if step != 0:
        markets.loss_steps[m.id] = (hour << 128) | convert(spread + step, uint256)
    return m, rest


@internal
def _pay_from_reserves(hole: int256) -> int256:
    """
    @return What insurance fund and backstop leave unpaid.
    """
    from_fund: int256 = min(hole, convert(markets.insurance, int256))
    markets._change_insurance(-from_fund)
    rest: int256 = hole - from_fund
    if rest != 0 and accounts.backstop != empty(address):
        from_backstop: int256 = min(rest, max(0, slots._cash(accounts.words[self._backstop_account()])))
        self._change_backstop(-from_backstop)
        rest -= from_backstop
    return rest


@internal
def _spread(
    market: markets.Market, hole: int256, lots: int256, of_long: bool, most: int256
) -> (markets.Market, int256, int256):
    """
    @notice Spreads a hole of one side over the `lots` of the other, at most `most` (scaled) on each.
    @return The market, what is left unpaid, and by how much the index moved.
    """
    m: markets.Market = market
    # the running hour's funding must have room, too
    reach: int256 = abs(m.slope) * convert(units.HOUR, int256)
    room: int256 = min(most, units.MAX_INDEX - reach - abs(m.g_short if of_long else m.g_long))
    if room <= 0 or lots == 0:
        return m, hole, 0
    paid: int256 = min(hole, room * lots // units.SCALE)
    if paid == 0:
        return m, hole, 0
    # no more than `room`, which would pay at least as much
    step: int256 = (paid * units.SCALE + lots - 1) // lots
    if of_long:
        m.g_short -= step
    else:
        m.g_long += step
    m.touched = True
    log events.LossSpread(
        market=m.id,
        longs=not of_long,
        per_lot_scaled=convert(step, uint256),
        g=(m.g_short if of_long else m.g_long) - m.accrued,
    )
    return m, hole - paid, step


@internal
def _collect(fee: int256):
    """
    @notice Takes what a liquidation pays for safety: half goes to the backstop when there is one.
    """
    half: int256 = 0
    if accounts.backstop != empty(address):
        half = fee // 2
        self._change_backstop(half)
    markets._change_insurance(fee - half)


@internal
def _change_backstop(delta: int256):
    if delta != 0:
        cash: int256 = accounts._add_cash(self._backstop_account(), delta)
        log events.BackstopChanged(delta=delta, cash=cash)


@internal
@view
def _backstop_account() -> uint256:
    return convert(accounts.backstop, uint256) << 16
