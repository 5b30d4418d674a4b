# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Orders
@license GNU Affero General Public License v3.0 only
@notice The EIP-712 order, what makes it valid, and the slots that remember how much of it is filled.
"""

from ..interfaces import events
from . import reasons
from . import slots
from . import units

DOMAIN_TYPE: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
ORDER_TYPE: constant(bytes32) = keccak256(
    "Order(string market,string side,uint48 size,uint48 limitPrice,string timeInForce,bool postOnly,bool reduceOnly,string trigger,uint48 triggerPrice,uint16 maxFeePpm,uint32 expiry,address account,uint16 subaccount,string selfTrade,uint16 slot,uint48 generation,uint16 revision,uint32 referrer)"
)
# half the order of secp256k1: the highest canonical s
HIGH_S: constant(uint256) = 57896044618658097711785492504343953926418782139537452191302581570759080747168

# bits of `amounts` that a plain order leaves zero: the trigger and the unknown flags
UNUSUAL: constant(uint256) = (2**48 - 1) * 2**112 + (2**7 - 1) * 2**9 + 96
# what a one-shot order leaves zero: slot, revision and post-only
RESTING: constant(uint256) = (2**32 - 1) * 2**32 + 8

CANCEL_BITS: constant(uint256) = (2**40 - 1) * 2**88
MAX_SIZE: constant(uint256) = 2**46

SETTLE_WINDOW: public(immutable(uint256))
CHAIN_ID: immutable(uint256)
DOMAIN: immutable(bytes32)

slot_words: HashMap[uint256, uint256]  # by signer << 16 | slot


@deploy
def __init__(settle_window: uint256):
    assert settle_window >= 15 and settle_window <= 600, "window not in 15..600 s"
    SETTLE_WINDOW = settle_window
    CHAIN_ID = chain.id
    DOMAIN = self._domain_on(chain.id)


@internal
@view
def _domain_on(chain_id: uint256) -> bytes32:
    return keccak256(abi_encode(DOMAIN_TYPE, keccak256("Ouro"), keccak256("1"), chain_id, self))


@internal
@view
def _domain() -> bytes32:
    # after a fork of the chain, signatures belong to the chain id that they name
    if chain.id == CHAIN_ID:
        return DOMAIN
    return self._domain_on(chain.id)


@internal
@view
def _hash(terms: uint256, amounts: uint256, ticker_hash: bytes32, domain: bytes32) -> bytes32:
    flags: uint256 = amounts & slots.FLAG_BITS
    side: bytes32 = keccak256("BUY")
    if flags & slots.SELL != 0:
        side = keccak256("SELL")
    time_in_force: bytes32 = keccak256("GTT")
    trigger: bytes32 = keccak256("NONE")
    self_trade: bytes32 = keccak256("CANCEL_TAKER")
    if flags > 31:  # rare: a trigger or another self-trade rule
        kind: uint256 = (flags >> 5) & 3
        if kind == 1:
            trigger = keccak256("AT_OR_ABOVE")
        elif kind == 2:
            trigger = keccak256("AT_OR_BELOW")
        kind = flags >> 7
        if kind == 1:
            self_trade = keccak256("CANCEL_MAKER")
        elif kind == 2:
            self_trade = keccak256("CANCEL_BOTH")
        elif kind == 3:
            self_trade = keccak256("DECREMENT")
    if flags & slots.ONE_SHOT != 0:
        time_in_force = keccak256("IOC") if flags & slots.ONE_SHOT == 2 else keccak256("FOK")
    return keccak256(
        concat(
            x"1901",
            domain,
            keccak256(
                abi_encode(
                    ORDER_TYPE,
                    ticker_hash,
                    side,
                    amounts >> 208,
                    (amounts >> 160) & slots.MASK_48,
                    time_in_force,
                    (flags >> 3) & 1,
                    (flags >> 4) & 1,
                    trigger,
                    (amounts >> 112) & slots.MASK_48,
                    (amounts >> 16) & slots.MASK_16,
                    (terms >> 32) & slots.MASK_32,
                    terms >> 96,
                    (terms >> 80) & slots.MASK_16,
                    self_trade,
                    (amounts >> 48) & slots.MASK_16,
                    (amounts >> 64) & slots.MASK_48,
                    (amounts >> 32) & slots.MASK_16,
                    terms & slots.MASK_32,
                )
            ),
        )
    )


@internal
@view
def _signer(digest: bytes32, r: uint256, vs: uint256) -> uint256:
    """
    @return Who signed, or zero for a signature that is not canonical.
    """
    s: uint256 = vs & (2**255 - 1)
    if s > HIGH_S:
        return 0
    return convert(ecrecover(digest, unsafe_add(vs >> 255, 27), r, s), uint256)


@internal
@view
def _fault(terms: uint256, amounts: uint256, index: int256) -> uint256:
    """
    @return The first reason why the order could not trade now at this index price, whatever else happens; 0 when there is none.
    """
    if amounts & UNUSUAL != 0:
        fault: uint256 = self._unusual_fault(amounts)
        if fault != 0:
            return fault
    if unsafe_sub(amounts >> 208, 1) >= MAX_SIZE:  # one less, so that zero is beyond the bound as well
        return reasons.BAD_SIZE
    if unsafe_sub((amounts >> 160) & slots.MASK_48, 1) >= units.MAX_PRICE:
        return reasons.BAD_PRICE
    expiry: uint256 = (terms >> 32) & slots.MASK_32
    if block.timestamp > expiry:
        return reasons.EXPIRED
    generation: uint256 = (amounts >> 64) & slots.MASK_48
    if unsafe_mul(expiry, 1000) > unsafe_add(generation, units.MAX_ORDER_LIFE * 1000):
        return reasons.EXPIRY_TOO_FAR
    if generation > unsafe_mul(unsafe_add(block.timestamp, units.MAX_AHEAD), 1000):
        return reasons.SIGNED_IN_FUTURE
    if amounts & slots.ONE_SHOT != 0:
        if amounts & slots.ONE_SHOT == slots.ONE_SHOT:
            return reasons.UNKNOWN_FLAG
        if amounts & RESTING != 0:
            if (amounts >> 32) & slots.MASK_32 == 0:
                return reasons.POST_ONLY_ONE_SHOT
            return reasons.ONE_SHOT_WITH_SLOT
    if amounts & slots.TRIGGER != 0:
        return self._trigger_fault(amounts, index)
    return 0


@internal
@pure
def _unusual_fault(amounts: uint256) -> uint256:
    kind: uint256 = amounts & slots.TRIGGER
    price: uint256 = (amounts >> 112) & slots.MASK_48
    if amounts & slots.MASK_16 > slots.FLAG_BITS or kind == slots.TRIGGER:
        return reasons.UNKNOWN_FLAG
    if (kind == 0) != (price == 0) or price > units.MAX_PRICE:
        return reasons.BAD_TRIGGER
    return 0


@internal
@pure
def _trigger_fault(amounts: uint256, index: int256) -> uint256:
    price: int256 = convert((amounts >> 112) & slots.MASK_48, int256)
    if amounts & slots.TRIGGER == slots.AT_OR_ABOVE:
        return 0 if index >= price else reasons.NOT_TRIGGERED
    return 0 if index <= price else reasons.NOT_TRIGGERED


@internal
def _consume(signer: uint256, amounts: uint256, tag: uint256, size: uint256) -> uint256:
    """
    @dev Counts `size` lots against the order's slot.
    @return The reason why not, or 0.
    """
    key: uint256 = (signer << 16) | ((amounts >> 48) & slots.MASK_16)
    word: uint256 = self.slot_words[key]
    generation: uint256 = (amounts >> 64) & slots.MASK_48
    filled: uint256 = size
    if generation <= word >> 208:
        if generation < word >> 208:
            return reasons.STALE_GENERATION
        revision: uint256 = (amounts >> 32) & slots.MASK_16
        newest: uint256 = (word >> 192) & slots.MASK_16
        if revision < newest:
            return reasons.STALE_REVISION
        if revision == newest and word & slots.MASK_88 != tag:
            return reasons.SLOT_TAKEN
        filled = unsafe_add(filled, (word >> 128) & slots.MASK_64)
    if filled > amounts >> 208:
        return reasons.OVERFILLED
    cancel: uint256 = word & CANCEL_BITS
    if cancel != 0:
        stamp: uint256 = cancel >> 88
        if generation <= stamp * 1000 and block.timestamp + units.MAX_AHEAD >= stamp + SETTLE_WINDOW:
            return reasons.CANCELLED
    self.slot_words[key] = (
        # generation and revision as they stand in the order: what is above them is shifted out
        ((amounts >> 64) << 208)
        | (((amounts >> 32) & slots.MASK_16) << 192)
        | (filled << 128)
        | cancel
        | tag
    )
    return 0


@internal
def _cancel_slot(signer: address, slot: uint256):
    assert slot <= slots.MASK_16, "slot above 65535"
    key: uint256 = (convert(signer, uint256) << 16) | slot
    word: uint256 = self.slot_words[key]
    cancel: uint256 = (word >> 88) & slots.MASK_40
    assert cancel == 0 or block.timestamp + units.MAX_AHEAD >= cancel + SETTLE_WINDOW, "cancel pending"
    stamp: uint256 = block.timestamp + units.MAX_AHEAD
    generation: uint256 = word >> 208
    if generation <= cancel * 1000:
        # the earlier cancel is in force: keep its orders dead by making every one of them stale
        word = slots._slot_word(cancel * 1000, slots.MASK_16, 0, stamp, slots.MASK_88)
    else:
        word = (word & ~(slots.MASK_40 << 88)) | (stamp << 88)
    self.slot_words[key] = word
    log events.SlotCancelled(
        signer=signer, slot=slot, stamp=stamp, effective_at=block.timestamp + SETTLE_WINDOW
    )
