# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Execution
@license GNU Affero General Public License v3.0 only
@notice One side of one fill: what the order's signer, its slot, its account and its market have to say, and then the trade. Whatever is
        wrong reverts with the bare code of the reason.
"""

from ..interfaces import events
from . import accounts
from . import margin
from . import orders
from . import positions
from . import reasons
from . import referrers
from . import sessions
from . import slots

uses: accounts
uses: orders
uses: positions
uses: referrers
uses: sessions


struct Venue:
    quote: margin.Quote
    reduce_only: uint256  # the order flag when the market is reduce-only, else 0
    headroom: int256  # lots that the open interest may still grow by


struct Side:
    terms: uint256
    amounts: uint256
    hash: uint256
    signer: uint256
    filled: uint256  # lots that this batch has filled already; one-shot orders count nowhere else
    fee: int256


@internal
def _execute(fill: uint256, venue: Venue, side: Side, blame: uint256) -> positions.Change:
    """
    @param blame What is added to a code to say whose fault it is.
    """
    account: uint256 = side.terms >> 80
    size: uint256 = (fill >> 96) & slots.MASK_48
    word: int256 = accounts.words[account]
    if word & slots.FLOORED != 0:
        if accounts._is_floored(account, word, (side.amounts >> 64) & slots.MASK_48, orders.SETTLE_WINDOW):
            reasons._reject(unsafe_add(reasons.CANCELLED, blame))
    held: int256 = accounts.positions[(account << 16) | convert(venue.quote.market, uint256)]

    one_shot: int256 = 0
    if side.amounts & slots.ONE_SHOT != 0:
        one_shot = convert((side.amounts >> 64) & slots.MASK_48, int256)
        if side.filled == 0 and one_shot <= (held >> 16) & slots.SIGNED_MASK_48:
            reasons._reject(unsafe_add(reasons.ONE_SHOT_USED, blame))
        if unsafe_add(side.filled, size) > side.amounts >> 208:
            reasons._reject(unsafe_add(reasons.OVERFILLED, blame))
    else:
        fault: uint256 = orders._consume(side.signer, side.amounts, side.hash & slots.MASK_88, size)
        if fault != 0:
            reasons._reject(unsafe_add(fault, blame))
    price: uint256 = (fill >> 144) & slots.MASK_48
    if side.signer != account >> 16:
        fault: uint256 = sessions._spend(account >> 16, side.signer, unsafe_mul(price, size))
        if fault != 0:
            reasons._reject(unsafe_add(fault, blame))
    delta: int256 = convert(size, int256)
    if side.amounts & slots.SELL != 0:
        delta = unsafe_sub(0, delta)
    if (side.amounts & slots.REDUCE_ONLY) | venue.reduce_only != 0:
        if not self._is_reduction(held >> 192, delta):
            reasons._reject(
                unsafe_add(reasons.REDUCE_ONLY, blame)
                if side.amounts & slots.REDUCE_ONLY != 0
                else unsafe_add(reasons.MARKET_REDUCE_ONLY, blame)
            )
    change: positions.Change = positions._trade(
        account,
        word,
        held,
        venue.quote,
        delta,
        convert(price, int256),
        side.fee,
        one_shot,
        True,
    )
    if change.fault != 0:
        reasons._reject(unsafe_add(change.fault, blame))
    return change


@internal
@pure
def _is_reduction(size: int256, delta: int256) -> bool:
    return (size > 0) != (delta > 0) and abs(delta) <= abs(size)


@internal
def _refer(taker: Side, maker: Side):
    """
    @notice Gives referrers their share of what the two sides of a fill pay.
    """
    net: int256 = taker.fee + maker.fee
    referrers._accrue(taker.terms & slots.MASK_32, taker.fee, net)
    referrers._accrue(maker.terms & slots.MASK_32, maker.fee, net)


@internal
def _log_fill(
    fill: uint256, market: int256, taker: Side, maker: Side, taker_position: int256, maker_position: int256
):
    # the fill's word with its indices replaced by market and subaccounts; see docs/protocol.md for both layouts
    log events.Fill(
        taker=convert(taker.terms >> 96, address),
        maker=convert(maker.terms >> 96, address),
        detail=((fill >> 96) << 96)
        | (convert(market, uint256) << 80)
        | (((taker.terms >> 80) & slots.MASK_16) << 64)
        | (((maker.terms >> 80) & slots.MASK_16) << 48)
        | (((fill >> 48) & slots.MASK_32) << 16)
        | ((fill >> 32) & 2)
        | (taker.amounts & slots.SELL),
        taker_order=convert(taker.hash, bytes32),
        maker_order=convert(maker.hash, bytes32),
        taker_position=slots._bits(taker_position),
        maker_position=slots._bits(maker_position),
    )
