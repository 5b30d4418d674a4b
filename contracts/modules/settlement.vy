# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Settlement
@license GNU Affero General Public License v3.0 only
@notice Settles a batch of fills. Every order is verified once, every fill executes alone in a call to self: a bad one is skipped
        and its guilty order named, the others stand.
"""

from ..interfaces import events
from . import accounts
from . import margin
from . import markets
from . import orders
from . import positions
from . import reasons
from . import roles
from . import slots
from . import units

uses: accounts
uses: margin
uses: markets
uses: orders
uses: positions
uses: roles

MAX_FILLS: constant(uint256) = 32
MAX_ORDERS: constant(uint256) = 64
MAX_MARKETS: constant(uint256) = 8
# More than the dearest step can use, so that no caller can starve one and frame its orders.
STEP_GAS: constant(uint256) = 900_000
# bits of a fill's word that must be zero: the tail, and every flag but the first
FILL_ZEROS: constant(uint256) = (2**16 - 2) * 2**32 + 2**32 - 1
GROUPED: constant(uint256) = 2**32


struct SignedOrder:
    terms: uint256
    amounts: uint256
    r: uint256
    vs: uint256


struct Venue:
    id: uint256
    index: int256
    g_long: int256
    g_short: int256
    imf: int256
    mmf: int256
    reduce_only: uint256  # the market's state: 1 or 0
    headroom: int256  # lots that the open interest may still grow by


struct Side:
    account: uint256
    amounts: uint256
    hash: bytes32
    signer: uint256
    filled: uint256  # lots that this batch has filled already; one-shot orders count nowhere else
    fee: int256


@external
@nonreentrant
def settle(
    prev: bytes32,
    next: bytes32,
    batch: DynArray[SignedOrder, MAX_ORDERS],
    fills: DynArray[uint256, MAX_FILLS],
):
    """
    @notice Settles `fills` in order and moves the caller's journal head from `prev` to `next`.
    """
    assert roles.is_operator[msg.sender], "only operators"
    assert roles.heads[msg.sender] == prev, "journal head moved"
    assert next != prev and next != empty(bytes32), "journal head stands still"
    roles.heads[msg.sender] = next
    margin._open_epoch()

    domain: bytes32 = orders._domain()
    hashes: bytes32[MAX_ORDERS] = empty(bytes32[MAX_ORDERS])
    signers: uint256[MAX_ORDERS] = empty(uint256[MAX_ORDERS])
    faults: uint256[MAX_ORDERS] = empty(uint256[MAX_ORDERS])
    filled: uint256[MAX_ORDERS] = empty(uint256[MAX_ORDERS])
    # `m` is the market of the present fill, and lies in `loaded` at `at` only as it was when another one came
    m: markets.Market = empty(markets.Market)
    venue: Venue = empty(Venue)
    loaded: DynArray[markets.Market, MAX_MARKETS] = []
    at: uint256 = MAX_MARKETS
    settled: uint256 = 0
    collected: int256 = 0

    for fill: uint256 in fills:
        t: uint256 = (fill >> 88) & 255
        k: uint256 = (fill >> 80) & 255
        if t >= len(batch) or k >= len(batch) or t == k or fill & FILL_ZEROS != 0:
            self._log_rejection(fill, reasons.BAD_FILL, empty(bytes32))
            continue
        taker: SignedOrder = batch[t]
        maker: SignedOrder = batch[k]

        market: uint256 = (taker.terms >> 64) & slots.MASK_16
        if market != m.id:
            if at != MAX_MARKETS:
                loaded[at] = m
            at = 0
            for known: markets.Market in loaded:
                if known.id == market:
                    break
                at += 1
            if at == len(loaded):
                loaded.append(markets._load(market))
            m = loaded[at]
            venue = self._venue_of(m)
        if (maker.terms >> 64) & slots.MASK_16 != market:
            self._log_rejection(fill, reasons.MARKET_MISMATCH, empty(bytes32))
            continue
        # each order is verified once, at its first fill
        taker_id: bytes32 = hashes[t]
        if taker_id == empty(bytes32):
            taker_id, signers[t], faults[t] = self._verify(taker, m.ticker_hash, m.state, domain)
            hashes[t] = taker_id
        maker_id: bytes32 = hashes[k]
        if maker_id == empty(bytes32):
            maker_id, signers[k], faults[k] = self._verify(maker, m.ticker_hash, m.state, domain)
            hashes[k] = maker_id
        fault: uint256 = faults[t]
        if fault != 0:
            self._log_rejection(fill, fault, taker_id)
            continue
        fault = faults[k]
        if fault != 0:
            self._log_rejection(fill, fault, maker_id)
            continue

        taker_rate: int256 = (convert((fill >> 64) & slots.MASK_16, int256) << 240) >> 240
        maker_rate: int256 = (convert((fill >> 48) & slots.MASK_16, int256) << 240) >> 240
        fault = self._fault_of(fill, taker, maker, taker_rate, maker_rate)
        if fault == 0:
            fault = self._fault_of_market(
                m.state, m.fresh, (fill >> 144) & slots.MASK_48, m.tick, m.band, m.index
            )
        if fault == 0:
            size: uint256 = (fill >> 96) & slots.MASK_48
            notional: int256 = convert(unsafe_mul((fill >> 144) & slots.MASK_48, size), int256)
            taker_fee: int256 = self._fee(notional, taker_rate)
            maker_fee: int256 = self._fee(notional, maker_rate)
            venue.headroom = unsafe_sub(m.max_open_interest, m.open_interest)
            assert msg.gas > STEP_GAS, "not enough gas"
            # in a call of its own, so that whatever it did is undone when it fails
            success: bool = False
            response: Bytes[32] = b""
            success, response = raw_call(
                self,
                abi_encode(
                    fill,
                    venue,
                    Side(
                        account=taker.terms >> 80,
                        amounts=taker.amounts,
                        hash=taker_id,
                        signer=signers[t],
                        filled=filled[t],
                        fee=taker_fee,
                    ),
                    Side(
                        account=maker.terms >> 80,
                        amounts=maker.amounts,
                        hash=maker_id,
                        signer=signers[k],
                        filled=0,
                        fee=maker_fee,
                    ),
                    method_id=method_id(
                        "execute_fill(uint256,(uint256,int256,int256,int256,int256,int256,uint256,int256),(uint256,uint256,bytes32,uint256,uint256,int256),(uint256,uint256,bytes32,uint256,uint256,int256))"
                    ),
                ),
                max_outsize=32,
                revert_on_failure=False,
            )
            if success:
                settled = unsafe_add(settled, 1)
                filled[t] = unsafe_add(filled[t], size)
                collected = unsafe_add(collected, unsafe_add(taker_fee, maker_fee))
                m.open_interest = unsafe_add(m.open_interest, convert(response, int256))
                # premium that nobody can wash: between owners, for a fee
                if (
                    unsafe_add(taker_rate, maker_rate) >= units.FUNDING_MIN_FEE_PPM
                    and taker.terms >> 96 != maker.terms >> 96
                    and m.volume < 2**62
                ):
                    lots: int256 = convert(size, int256)
                    m.volume = unsafe_add(m.volume, lots)
                    m.premium = unsafe_add(m.premium, unsafe_mul(lots, self._premium(fill, m.index)))
            else:
                fault = self._code_in(response)
        if fault != 0:
            if fault >= reasons.MAKER:
                self._log_rejection(fill, unsafe_sub(fault, reasons.MAKER), maker_id)
            else:
                self._log_rejection(fill, fault, taker_id)
    if at != MAX_MARKETS:
        loaded[at] = m
    for touched: markets.Market in loaded:
        if touched.state != 0:
            markets._store(touched)
    markets._collect(collected)
    if settled != 0:
        markets._note_batch()
    log events.BatchSettled(
        operator=msg.sender, prev=prev, next=next, settled=settled, rejected=len(fills) - settled
    )


@external
def execute_fill(fill: uint256, venue: Venue, taker: Side, maker: Side) -> int256:
    """
    @notice One fill. Only the contract itself calls this, from `settle`; it is outside the lock that `settle` holds.
    @return By how many lots the open interest grows.
    """
    assert msg.sender == self, "only self"
    taken: positions.Change = self._execute(fill, venue, taker, 0)
    made: positions.Change = self._execute(fill, venue, maker, reasons.MAKER)
    growth: int256 = unsafe_add(taken.open_interest, made.open_interest)
    if growth > 0 and growth > venue.headroom:
        reasons._reject(reasons.OPEN_INTEREST_CAP)
    # the fill's word with its indices replaced by market and subaccounts; see docs/protocol.md for both layouts
    log events.Fill(
        taker=convert(taker.account >> 16, address),
        maker=convert(maker.account >> 16, address),
        detail=((fill >> 96) << 96)
        | (venue.id << 80)
        | ((taker.account & slots.MASK_16) << 64)
        | ((maker.account & slots.MASK_16) << 48)
        | (((fill >> 48) & slots.MASK_32) << 16)
        | (taker.amounts & slots.SELL),
        taker_order=taker.hash,
        maker_order=maker.hash,
        taker_position=slots._bits(taken.word),
        maker_position=slots._bits(made.word),
    )
    return growth


@internal
@pure
def _venue_of(m: markets.Market) -> Venue:
    return Venue(
        id=m.id,
        index=m.index,
        g_long=m.g_long,
        g_short=m.g_short,
        imf=m.imf,
        mmf=m.mmf,
        reduce_only=1 if m.state == markets.REDUCE_ONLY else 0,
        headroom=0,
    )


@internal
@pure
def _code_in(response: Bytes[32]) -> uint256:
    """
    @dev A step rejects with its bare code; anything else names nobody.
    """
    if len(response) != 32:
        return reasons.UNKNOWN
    code: uint256 = convert(response, uint256)
    bare: uint256 = code & (reasons.MAKER - 1)
    if bare == 0 or bare > reasons.UNKNOWN or code >= 2 * reasons.MAKER:
        return reasons.UNKNOWN
    return code


@internal
def _execute(fill: uint256, venue: Venue, side: Side, blame: uint256) -> positions.Change:
    size: uint256 = (fill >> 96) & slots.MASK_48
    delta: int256 = convert(size, int256)
    if side.amounts & slots.SELL != 0:
        delta = unsafe_sub(0, delta)
    word: int256 = accounts.words[side.account]
    if word & slots.FLOORED != 0:
        if accounts._is_floored(
            side.account, word, (side.amounts >> 64) & slots.MASK_48, orders.SETTLE_WINDOW
        ):
            reasons._reject(unsafe_add(reasons.CANCELLED, blame))
    held: int256 = accounts.positions[(side.account << 16) | venue.id]

    one_shot: int256 = 0
    if side.amounts & slots.ONE_SHOT != 0:
        one_shot = convert((side.amounts >> 64) & slots.MASK_48, int256)
        if side.filled == 0 and one_shot <= (held >> 16) & slots.SIGNED_MASK_48:
            reasons._reject(unsafe_add(reasons.ONE_SHOT_USED, blame))
        if unsafe_add(side.filled, size) > side.amounts >> 208:
            reasons._reject(unsafe_add(reasons.OVERFILLED, blame))
    else:
        fault: uint256 = orders._consume(
            side.signer, side.amounts, convert(side.hash, uint256) & slots.MASK_88, size
        )
        if fault != 0:
            reasons._reject(unsafe_add(fault, blame))
    if side.amounts & slots.REDUCE_ONLY != 0:
        if not self._is_reduction(held >> 192, delta):
            reasons._reject(unsafe_add(reasons.REDUCE_ONLY, blame))
    elif venue.reduce_only != 0:
        if not self._is_reduction(held >> 192, delta):
            reasons._reject(reasons.MARKET_REDUCE_ONLY)
    change: positions.Change = positions._trade(
        side.account,
        word,
        held,
        venue.id,
        margin.Quote(
            index=venue.index,
            g_long=venue.g_long,
            g_short=venue.g_short,
            imf=venue.imf,
            mmf=venue.mmf,
            fresh=True,
        ),
        delta,
        convert((fill >> 144) & slots.MASK_48, int256),
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
@view
def _verify(
    order: SignedOrder, ticker_hash: bytes32, market_state: uint256, domain: bytes32
) -> (bytes32, uint256, uint256):
    """
    @return The order's hash, who signed it, and why it cannot trade (0: it can).
    """
    hash: bytes32 = orders._hash(order.terms, order.amounts, ticker_hash, domain)
    if market_state == 0:
        return hash, 0, reasons.BAD_MARKET
    fault: uint256 = orders._fault(order.terms, order.amounts)
    if fault != 0:
        return hash, 0, fault
    signer: uint256 = orders._signer(hash, order.r, order.vs)
    if signer == 0 or signer != order.terms >> 96:
        return hash, signer, reasons.BAD_SIGNATURE
    return hash, signer, 0


@internal
@pure
def _fault_of(
    fill: uint256, taker: SignedOrder, maker: SignedOrder, taker_rate: int256, maker_rate: int256
) -> uint256:
    """
    @dev What the two orders say of the fill. The maker's faults have MAKER added.
    """
    price: uint256 = (fill >> 144) & slots.MASK_48
    if fill & GROUPED != 0:
        return reasons.GROUP_UNSUPPORTED
    if price == 0 or (fill >> 96) & slots.MASK_48 == 0:
        return reasons.BAD_FILL
    if taker.terms >> 80 == maker.terms >> 80:
        return reasons.SELF_TRADE
    if (taker.amounts ^ maker.amounts) & slots.SELL == 0:
        return reasons.SAME_SIDE
    if maker.amounts & slots.ONE_SHOT != 0:
        return reasons.ONE_SHOT_MAKER
    if taker.amounts & slots.POST_ONLY != 0:
        return reasons.POST_ONLY_TAKER
    if taker.amounts & slots.SELL == 0:
        if price > (taker.amounts >> 160) & slots.MASK_48:
            return reasons.PAST_LIMIT
        if price < (maker.amounts >> 160) & slots.MASK_48:
            return reasons.PAST_LIMIT + reasons.MAKER
    else:
        if price < (taker.amounts >> 160) & slots.MASK_48:
            return reasons.PAST_LIMIT
        if price > (maker.amounts >> 160) & slots.MASK_48:
            return reasons.PAST_LIMIT + reasons.MAKER
    if unsafe_add(taker_rate, maker_rate) < 0:
        return reasons.NEGATIVE_FEES
    if taker_rate > convert((taker.amounts >> 16) & slots.MASK_16, int256):
        return reasons.FEE_ABOVE_CAP
    if maker_rate > convert((maker.amounts >> 16) & slots.MASK_16, int256):
        return reasons.FEE_ABOVE_CAP + reasons.MAKER
    return 0


@internal
@pure
def _fault_of_market(
    state: uint256, fresh: bool, price: uint256, tick: uint256, band: int256, index: int256
) -> uint256:
    """
    @dev Bounds: prices are below 2**48, the band below 2**24.
    """
    if state >= markets.HALTED:
        return reasons.MARKET_HALTED
    if not fresh:
        return reasons.STALE_PRICE
    if price % tick != 0:
        return reasons.OFF_TICK
    distance: int256 = abs(unsafe_sub(convert(price, int256), index))
    if unsafe_mul(distance, units.PPM) > unsafe_mul(band, index):
        return reasons.PRICE_BAND
    return 0


@internal
@pure
def _fee(notional: int256, rate: int256) -> int256:
    """
    @return ceil(notional * rate): a fee rounds up, a rebate towards zero.
    """
    product: int256 = unsafe_mul(notional, rate)
    if product > 0:
        return unsafe_div(unsafe_add(product, units.PPM - 1), units.PPM)
    return unsafe_div(product, units.PPM)


@internal
@pure
def _premium(fill: uint256, index: int256) -> int256:
    price: int256 = convert((fill >> 144) & slots.MASK_48, int256)
    premium: int256 = unsafe_div(unsafe_mul(unsafe_sub(price, index), units.RATE_UNIT), index)
    return max(-units.PREMIUM_CLAMP, min(units.PREMIUM_CLAMP, premium))


@internal
def _log_rejection(fill: uint256, code: uint256, order_id: bytes32):
    fault_class: uint256 = reasons._class_of(code)
    log events.FillRejected(
        fill_id=fill >> 192,
        order_id=order_id if fault_class < 3 else empty(bytes32),
        fault_class=fault_class,
        reason=reasons._text(code),
    )
