# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Bit layouts
@license GNU Affero General Public License v3.0 only
@notice The only place that knows where a field sits in a packed word. Words that hold signed fields are int256 throughout:
        converting between signed and unsigned would clamp.
"""

MASK_16: constant(uint256) = 2**16 - 1
MASK_32: constant(uint256) = 2**32 - 1
MASK_40: constant(uint256) = 2**40 - 1
MASK_48: constant(uint256) = 2**48 - 1
MASK_64: constant(uint256) = 2**64 - 1
MASK_88: constant(uint256) = 2**88 - 1
SIGNED_MASK_16: constant(int256) = 2**16 - 1
SIGNED_MASK_20: constant(int256) = 2**20 - 1
SIGNED_MASK_23: constant(int256) = 2**23 - 1
SIGNED_MASK_40: constant(int256) = 2**40 - 1
SIGNED_MASK_41: constant(int256) = 2**41 - 1
SIGNED_MASK_48: constant(int256) = 2**48 - 1
SIGNED_MASK_64: constant(int256) = 2**64 - 1
SIGNED_MASK_96: constant(int256) = 2**96 - 1
SIGNED_MASK_128: constant(int256) = 2**128 - 1

# flags of an order
SELL: constant(uint256) = 1
ONE_SHOT: constant(uint256) = 6  # any time in force but GTT
POST_ONLY: constant(uint256) = 8
REDUCE_ONLY: constant(uint256) = 16
FOK: constant(uint256) = 4
TRIGGER: constant(uint256) = 96
AT_OR_ABOVE: constant(uint256) = 32
FLAG_BITS: constant(uint256) = 511

# the bits of an account's word that hold its cancel floor
FLOORED: constant(int256) = (2**40 - 1) * 2**8

# position: size int64 | quote int128 | one_shot uint48 | zero 16


struct Position:
    size: int256  # lots, signed
    quote: int256  # normalised quote, scaled
    one_shot: int256  # newest one-shot generation, ms


@internal
@pure
def _position(word: int256) -> Position:
    return Position(
        size=word >> 192,
        quote=(word << 64) >> 128,
        one_shot=(word >> 16) & SIGNED_MASK_48,
    )


# account: cash int80 | 8 instruments of 16 | cancel floor uint40 | flags 8 (bit 0: an older floor is kept apart)


@internal
@pure
def _cash(account: int256) -> int256:
    return account >> 176


@internal
@pure
def _instruments(account: int256) -> int256:
    return (account >> 48) & SIGNED_MASK_128


@internal
@pure
def _cancel_floor(account: int256) -> uint256:
    return convert((account >> 8) & SIGNED_MASK_40, uint256)


@internal
@pure
def _with_cash(account: int256, cash: int256) -> int256:
    return (account & (2**176 - 1)) | (cash << 176)


@internal
@pure
def _with_floor(account: int256, stamp: uint256, older: bool) -> int256:
    flags: int256 = 1 if older else 0
    return ((account >> 48) << 48) | (convert(stamp, int256) << 8) | flags


@internal
@pure
def _lane_of(account: int256, market: int256) -> uint256:
    """
    @return The shift of the lane that holds `market` (0 finds a free lane), or 0 when there is none.
    """
    for i: uint256 in range(8):
        lane: uint256 = unsafe_add(48, unsafe_mul(i, 16))
        if (account >> lane) & SIGNED_MASK_16 == market:
            return lane
    return 0


# order slot: generation 48 | revision 16 | filled 64 | cancel 40 | tag 88


@internal
@pure
def _slot_word(
    generation: uint256, revision: uint256, filled: uint256, cancel: uint256, tag: uint256
) -> uint256:
    return (generation << 208) | (revision << 192) | (filled << 128) | (cancel << 88) | tag


# market parameters: imf 24 | mmf 24 | band 24 | tick 32 | max open interest 48 | max price age 24 | liquidation floor 24
#                    | state 8 | size decimals 8 | margin scales from 20 | to 20 (open interest, in units of 10,000 USDC)


struct Params:
    imf: int256
    mmf: int256
    band: int256
    tick: uint256
    max_open_interest: int256
    max_price_age: uint256
    liquidation_floor: int256
    state: uint256
    size_decimals: uint256
    scale_from: int256
    scale_to: int256


@internal
@pure
def _params(word: uint256) -> Params:
    return Params(
        imf=convert(word >> 232, int256),
        mmf=convert((word >> 208) & (2**24 - 1), int256),
        band=convert((word >> 184) & (2**24 - 1), int256),
        tick=(word >> 152) & MASK_32,
        max_open_interest=convert((word >> 104) & MASK_48, int256),
        max_price_age=(word >> 80) & (2**24 - 1),
        liquidation_floor=convert((word >> 56) & (2**24 - 1), int256),
        state=(word >> 48) & 255,
        size_decimals=(word >> 40) & 255,
        scale_from=convert((word >> 20) & (2**20 - 1), int256),
        scale_to=convert(word & (2**20 - 1), int256),
    )


@internal
@pure
def _params_word(p: Params) -> uint256:
    return (
        (convert(p.imf, uint256) << 232)
        | (convert(p.mmf, uint256) << 208)
        | (convert(p.band, uint256) << 184)
        | (p.tick << 152)
        | (convert(p.max_open_interest, uint256) << 104)
        | (p.max_price_age << 80)
        | (convert(p.liquidation_floor, uint256) << 56)
        | (p.state << 48)
        | (p.size_decimals << 40)
        | (convert(p.scale_from, uint256) << 20)
        | convert(p.scale_to, uint256)
    )


# market indices:  G_long int96 | G_short int96 | slope int48 | rate int16
# market activity: open interest 48 | sum of lots * premium int80 | sum of lots 64 | hour 23 | index price 41


@internal
@pure
def _indices_word(g_long: int256, g_short: int256, slope: int256, rate: int256) -> int256:
    return (
        (g_long << 160)
        | ((g_short & SIGNED_MASK_96) << 64)
        | ((slope & SIGNED_MASK_48) << 16)
        | (rate & SIGNED_MASK_16)
    )


@internal
@pure
def _activity_word(
    open_interest: int256, premium: int256, volume: int256, hour: uint256, index: int256
) -> int256:
    return (
        (open_interest << 208)
        | ((premium & (2**80 - 1)) << 128)
        | (volume << 64)
        | (convert(hour, int256) << 41)
        | index
    )


@internal
@pure
def _bits(word: int256) -> uint256:
    """
    @return The same 256 bits: `convert` would refuse a word whose topmost field is negative.
    """
    return convert(convert(word, bytes32), uint256)


# quote of a market, in transient storage: G_long int79 | G_short int79 | index price 41 | initial margin 20 | maintenance
# margin 20 | fresh 1 | epoch 16


@internal
@pure
def _quote_word(
    g_long: int256, g_short: int256, index: int256, imf: int256, mmf: int256, fresh: int256, epoch: int256
) -> int256:
    return (
        (g_long << 177)
        | ((g_short & (2**79 - 1)) << 98)
        | (index << 57)
        | (imf << 37)
        | (mmf << 17)
        | (fresh << 16)
        | epoch
    )
