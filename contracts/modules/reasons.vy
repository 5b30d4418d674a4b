# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Reasons
@license GNU Affero General Public License v3.0 only
@notice Why a fill was not executed. The hot path passes small codes; only the event spells them out. A code's class says who
        is at fault: 1 an order, 2 an account, 3 the market, 4 the batch.
"""

BAD_SIGNATURE: constant(uint256) = 1
UNKNOWN_FLAG: constant(uint256) = 3
BAD_TRIGGER: constant(uint256) = 4
BAD_SIZE: constant(uint256) = 6
BAD_PRICE: constant(uint256) = 7
EXPIRED: constant(uint256) = 8
EXPIRY_TOO_FAR: constant(uint256) = 9
SIGNED_IN_FUTURE: constant(uint256) = 10
ONE_SHOT_WITH_SLOT: constant(uint256) = 11
POST_ONLY_ONE_SHOT: constant(uint256) = 12
CANCELLED: constant(uint256) = 13
STALE_GENERATION: constant(uint256) = 14
STALE_REVISION: constant(uint256) = 15
SLOT_TAKEN: constant(uint256) = 16
ONE_SHOT_USED: constant(uint256) = 17
OVERFILLED: constant(uint256) = 18
PAST_LIMIT: constant(uint256) = 19
FEE_ABOVE_CAP: constant(uint256) = 20
POST_ONLY_TAKER: constant(uint256) = 21
REDUCE_ONLY: constant(uint256) = 22
KEY_EXPIRED: constant(uint256) = 23
KEY_REVOKED: constant(uint256) = 24
KEY_MARKET: constant(uint256) = 25
KEY_BUDGET: constant(uint256) = 26

MARGIN: constant(uint256) = 32
TOO_MANY_POSITIONS: constant(uint256) = 33
STALE_LEG: constant(uint256) = 34
POSITION_LIMIT: constant(uint256) = 35

MARKET_HALTED: constant(uint256) = 48
MARKET_REDUCE_ONLY: constant(uint256) = 49
STALE_PRICE: constant(uint256) = 50
PRICE_BAND: constant(uint256) = 51
OFF_TICK: constant(uint256) = 52
OPEN_INTEREST_CAP: constant(uint256) = 53
NOT_TRIGGERED: constant(uint256) = 54

BAD_FILL: constant(uint256) = 64
GROUP_FAILED: constant(uint256) = 65
SAME_SIDE: constant(uint256) = 66
SELF_TRADE: constant(uint256) = 67
MARKET_MISMATCH: constant(uint256) = 68
ONE_SHOT_MAKER: constant(uint256) = 69
NEGATIVE_FEES: constant(uint256) = 70
BAD_MARKET: constant(uint256) = 71
FILL_OR_KILL: constant(uint256) = 72
NOT_LIQUIDATABLE: constant(uint256) = 73
UNKNOWN: constant(uint256) = 74

MAKER: constant(uint256) = 256  # added to a code when the maker's side failed
PLACE: constant(uint256) = 512  # times the place of a fill in its group is added to its code


@internal
@pure
def _class_of(code: uint256) -> uint256:
    if code < 32:
        return 1
    if code < 48:
        return 2
    if code < 64:
        return 3
    return 4


@internal
@pure
def _text(code: uint256) -> String[32]:
    if code < 12:
        if code == BAD_SIGNATURE:
            return "bad signature"
        if code == UNKNOWN_FLAG:
            return "unknown flag"
        if code == BAD_TRIGGER:
            return "bad trigger"
        if code == BAD_SIZE:
            return "bad size"
        if code == BAD_PRICE:
            return "bad price"
        if code == EXPIRED:
            return "expired"
        if code == EXPIRY_TOO_FAR:
            return "expiry too far"
        if code == SIGNED_IN_FUTURE:
            return "signed in the future"
        return "one-shot with slot"
    if code < 32:
        if code == POST_ONLY_ONE_SHOT:
            return "post-only one-shot"
        if code == CANCELLED:
            return "cancelled"
        if code == STALE_GENERATION:
            return "stale generation"
        if code == STALE_REVISION:
            return "stale revision"
        if code == SLOT_TAKEN:
            return "slot taken"
        if code == ONE_SHOT_USED:
            return "one-shot used"
        if code == OVERFILLED:
            return "overfilled"
        if code == PAST_LIMIT:
            return "price past limit"
        if code == FEE_ABOVE_CAP:
            return "fee above cap"
        if code == POST_ONLY_TAKER:
            return "post-only taker"
        if code == REDUCE_ONLY:
            return "reduce-only"
        if code == KEY_EXPIRED:
            return "key expired"
        if code == KEY_REVOKED:
            return "key revoked"
        if code == KEY_MARKET:
            return "key market"
        return "key budget"
    if code < 64:
        if code == MARGIN:
            return "margin"
        if code == TOO_MANY_POSITIONS:
            return "too many positions"
        if code == STALE_LEG:
            return "stale leg"
        if code == POSITION_LIMIT:
            return "position limit"
        if code == MARKET_HALTED:
            return "market halted"
        if code == MARKET_REDUCE_ONLY:
            return "market reduce-only"
        if code == STALE_PRICE:
            return "stale price"
        if code == PRICE_BAND:
            return "price band"
        if code == OFF_TICK:
            return "off tick"
        if code == OPEN_INTEREST_CAP:
            return "open interest cap"
        return "not triggered"
    if code == BAD_FILL:
        return "bad fill"
    if code == GROUP_FAILED:
        return "group failed"
    if code == SAME_SIDE:
        return "same side"
    if code == SELF_TRADE:
        return "self trade"
    if code == MARKET_MISMATCH:
        return "market mismatch"
    if code == ONE_SHOT_MAKER:
        return "one-shot maker"
    if code == NEGATIVE_FEES:
        return "negative fees"
    if code == BAD_MARKET:
        return "bad market"
    if code == FILL_OR_KILL:
        return "fill-or-kill"
    if code == NOT_LIQUIDATABLE:
        return "not liquidatable"
    return "unknown"


@internal
@pure
def _reject(code: uint256):
    """
    @dev Reverts with the bare code: 32 bytes that `settle` reads back.
    """
    raw_revert(abi_encode(code))
