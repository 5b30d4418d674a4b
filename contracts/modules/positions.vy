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


# the bits of a position's word that hold its newest one-shot generation
ONE_SHOT_BITS: constant(int256) = (2**48 - 1) * 2**16


struct Change:
    word: int256  # the position after, before a closed one's quote moves to cash
    open_interest: int256  # by how much the account's long lots grow
    fault: uint256


@internal
def _trade(
    account: uint256,
    word: int256,
    held: int256,
    quote: margin.Quote,
    delta: int256,
    price: int256,
    fee: int256,
    one_shot: int256,
    enforce_margin: bool,
) -> Change:
    """
    @notice Adds `delta` signed lots at `price` and charges `fee` (negative credits) to the position
            whose word is `held`, of the account whose word is `word`, in the market of `quote`.
    @dev Writes nothing when there is a fault. Bounds: |delta| <= 2**46, price <= 2**41, |fee| <= 2**88, so every term is
         below 2**126 in absolute value.
    """
    size_0: int256 = held >> 192
    size_1: int256 = unsafe_add(size_0, delta)
    # what the position's trades brought in, without what its size is worth
    bare_0: int256 = unsafe_sub(
        (held << 64) >> 128, unsafe_mul(size_0, quote.g_long if size_0 > 0 else quote.g_short)
    )
    bare_1: int256 = unsafe_sub(bare_0, unsafe_mul(unsafe_add(unsafe_mul(delta, price), fee), units.SCALE))
    quote_1: int256 = unsafe_add(bare_1, unsafe_mul(size_1, quote.g_long if size_1 > 0 else quote.g_short))
    # from minus the bound to just below it: what is shifted out is not zero anywhere else
    if (unsafe_add(size_1, units.MAX_SIZE) >> 47) | (unsafe_add(quote_1, units.MAX_QUOTE) >> 127) != 0:
        return Change(word=0, open_interest=0, fault=reasons.POSITION_LIMIT)

    if enforce_margin:
        others: margin.Health = margin.Health(
            equity=(word >> 176) << units.SCALE_BITS, initial=0, maintenance=0, stale=False
        )
        instruments: int256 = (word >> 48) & slots.SIGNED_MASK_128
        if instruments != 0 and instruments != quote.market:
            others = margin._rest(word, account, quote.market)
        equity_1: int256 = unsafe_add(
            unsafe_add(others.equity, bare_1), unsafe_mul(unsafe_mul(size_1, quote.index), units.SCALE)
        )
        initial_1: int256 = unsafe_add(others.initial, margin._margin_of(size_1, quote.index, quote.imf))
        covered: bool = equity_1 >= unsafe_mul(initial_1, units.SCALE)
        if others.stale or not covered:
            others.maintenance = margin._maintenance_of_rest(word, account, quote.market)
            if not self._is_improved(others, quote, size_0, bare_0, size_1, equity_1):
                return Change(word=0, open_interest=0, fault=reasons.STALE_LEG if covered else reasons.MARGIN)
    newest: int256 = held & ONE_SHOT_BITS
    if one_shot << 16 > newest:
        newest = one_shot << 16
    word_1: int256 = (size_1 << 192) | ((quote_1 & slots.SIGNED_MASK_128) << 64) | newest
    key: uint256 = (account << 16) | convert(quote.market, uint256)
    if size_1 != 0:
        if size_0 == 0:
            lane: uint256 = slots._lane_of(word, 0)
            if lane == 0:
                return Change(word=0, open_interest=0, fault=reasons.TOO_MANY_POSITIONS)
            accounts.words[account] = word | (quote.market << lane)
        accounts.positions[key] = word_1
    else:
        accounts.positions[key] = newest
        if size_0 != 0:
            self._close(account, quote.market, word, quote_1 >> units.SCALE_BITS)
    return Change(
        word=word_1,
        open_interest=unsafe_sub(size_1 if size_1 > 0 else 0, size_0 if size_0 > 0 else 0),
        fault=0,
    )


@internal
@pure
def _is_improved(
    others: margin.Health,
    quote: margin.Quote,
    size_0: int256,
    bare_0: int256,
    size_1: int256,
    equity_1: int256,
) -> bool:
    return margin._is_improved(
        unsafe_add(
            unsafe_add(others.equity, bare_0),
            unsafe_mul(unsafe_mul(size_0, quote.index), units.SCALE),
        ),
        unsafe_add(others.maintenance, margin._margin_of(size_0, quote.index, quote.mmf)),
        equity_1,
        unsafe_add(others.maintenance, margin._margin_of(size_1, quote.index, quote.mmf)),
    )


@internal
def _close(account: uint256, market: int256, word: int256, realised: int256):
    cash: int256 = slots._cash(word) + realised
    assert abs(cash) < units.MAX_CASH, "cash limit"
    lane: uint256 = slots._lane_of(word, market)
    cleared: int256 = word ^ (market << lane)
    accounts.words[account] = slots._with_cash(cleared, cash)
    log events.PositionClosed(
        account=accounts._owner_of(account),
        subaccount=account & slots.MASK_16,
        market=convert(market, uint256),
        realised=realised,
        cash=cash,
    )
