# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Positions
@license GNU Affero General Public License v3.0 only
@notice The one way in which a position changes, whoever asks for it: a fill or a take-over.
"""

from ..interfaces import events
from . import accounts
from . import margin
from . import reasons
from . import slots
from . import units

uses: accounts
uses: margin


struct Change:
    word: int256  # the position after, before a closed one's quote moves to cash
    open_interest: int256  # by how much the account's long lots grow
    fault: uint256


@internal
def _trade(
    account: uint256,
    word: int256,
    held: int256,
    market: uint256,
    quote: margin.Quote,
    delta: int256,
    price: int256,
    fee: int256,
    one_shot: int256,
    enforce_margin: bool,
) -> Change:
    """
    @notice Adds `delta` signed lots at `price` and charges `fee` (negative credits) to the position
            whose word is `held`, of the account whose word is `word`.
    @dev Writes nothing when there is a fault. Bounds: |delta| <= 2**46, price <= 2**41, |fee| <= 2**88, so every term is
         below 2**126 in absolute value.
    """
    key: uint256 = (account << 16) | market
    size_0: int256 = held >> 192
    size_1: int256 = unsafe_add(size_0, delta)
    g_0: int256 = quote.g_long if size_0 > 0 else quote.g_short
    g_1: int256 = quote.g_long if size_1 > 0 else quote.g_short
    # what the position's trades brought in, without what its size is worth
    bare_0: int256 = unsafe_sub((held << 64) >> 128, unsafe_mul(size_0, g_0))
    bare_1: int256 = unsafe_sub(bare_0, unsafe_mul(unsafe_add(unsafe_mul(delta, price), fee), units.SCALE))
    quote_1: int256 = unsafe_add(bare_1, unsafe_mul(size_1, g_1))
    change: Change = empty(Change)
    if abs(size_1) > units.MAX_SIZE or abs(quote_1) > units.MAX_QUOTE:
        change.fault = reasons.POSITION_LIMIT
        return change

    if enforce_margin:
        others: margin.Health = empty(margin.Health)
        instruments: int256 = slots._instruments(word)
        if instruments == 0 or instruments == convert(market, int256):
            others.equity = slots._cash(word) << units.SCALE_BITS
        else:
            others = margin._others(word, account, convert(market, int256))
        equity_1: int256 = unsafe_add(
            unsafe_add(others.equity, bare_1), unsafe_mul(unsafe_mul(size_1, quote.index), units.SCALE)
        )
        initial_1: int256 = unsafe_add(others.initial, margin._margin_of(size_1, quote.index, quote.imf))
        covered: bool = equity_1 >= unsafe_mul(initial_1, units.SCALE)
        if others.stale or not covered:
            improved: bool = margin._is_improved(
                unsafe_add(
                    unsafe_add(others.equity, bare_0),
                    unsafe_mul(unsafe_mul(size_0, quote.index), units.SCALE),
                ),
                unsafe_add(others.maintenance, margin._margin_of(size_0, quote.index, quote.mmf)),
                equity_1,
                unsafe_add(others.maintenance, margin._margin_of(size_1, quote.index, quote.mmf)),
            )
            if not improved:
                change.fault = reasons.STALE_LEG if covered else reasons.MARGIN
                return change
    newest: int256 = max(one_shot, (held >> 16) & slots.SIGNED_MASK_48)
    change.word = slots._position_word(size_1, quote_1, newest)
    change.open_interest = unsafe_sub(max(size_1, 0), max(size_0, 0))
    if size_1 != 0:
        if size_0 == 0:
            lane: uint256 = slots._lane_of(word, 0)
            if lane == 0:
                change.fault = reasons.TOO_MANY_POSITIONS
                return change
            accounts.words[account] = word | (convert(market, int256) << lane)
        accounts.positions[key] = change.word
    else:
        accounts.positions[key] = slots._position_word(0, 0, newest)
        if size_0 != 0:
            self._close(account, market, word, quote_1 >> units.SCALE_BITS)
    return change


@internal
def _close(account: uint256, market: uint256, word: int256, realised: int256):
    cash: int256 = slots._cash(word) + realised
    assert abs(cash) < units.MAX_CASH, "cash limit"
    lane: uint256 = slots._lane_of(word, convert(market, int256))
    cleared: int256 = word ^ (convert(market, int256) << lane)
    accounts.words[account] = slots._with_cash(cleared, cash)
    log events.PositionClosed(
        account=accounts._owner_of(account),
        subaccount=account & slots.MASK_16,
        market=market,
        realised=realised,
        cash=cash,
    )
