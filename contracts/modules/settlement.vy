# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Settlement
@license GNU Affero General Public License v3.0 only
@notice Settles a batch of fills. Every order is verified once, every fill (or group of fills) executes alone in a call to self: a bad
        one is skipped and its guilty order named, the others stand.
"""

from ..interfaces import events
from . import accounts
from . import execution
from . import groups
from . import margin
from . import markets
from . import orders
from . import positions
from . import reasons
from . import referrers
from . import roles
from . import sessions
from . import slots
from . import units

uses: execution
uses: groups
uses: margin
uses: markets
uses: orders
uses: referrers
uses: roles
uses: sessions

MAX_FILLS: constant(uint256) = 32
MAX_ORDERS: constant(uint256) = 64
MAX_MARKETS: constant(uint256) = 8
# More than the dearest step can use, so that no caller can starve one and frame its orders.
STEP_GAS: constant(uint256) = 4_000_000
GROUPED_STEP_GAS: constant(uint256) = 300_000  # for each fill of a group besides
# bits of a fill's word that must be zero: the tail, and the flags that nobody knows
FILL_ZEROS: constant(uint256) = (2**16 - 4) * 2**32 + 2**32 - 1
GROUPED: constant(uint256) = 2**32
LIQUIDATION: constant(uint256) = 2**33
SPECIAL: constant(uint256) = 3 * 2**32
MARKET_BITS: constant(uint256) = (2**16 - 1) * 2**64
SIZE_BITS: constant(uint256) = (2**48 - 1) * 2**96
MAX_VOLUME: constant(int256) = 2**62


struct SignedOrder:
    terms: uint256
    amounts: uint256
    r: uint256
    vs: uint256


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
    roles._advance(prev, next)
    margin._open_epoch()
    domain: bytes32 = orders._domain()
    # of an order that is verified: its hash; and its signer, with the reason why it cannot trade above him
    hashes: uint256[MAX_ORDERS] = empty(uint256[MAX_ORDERS])
    signers: uint256[MAX_ORDERS] = empty(uint256[MAX_ORDERS])
    filled: uint256[MAX_ORDERS] = empty(uint256[MAX_ORDERS])
    # `m` is the market of the present fill, and lies in `loaded` at `at` only as it was when another one came
    m: markets.Market = empty(markets.Market)
    venue: execution.Venue = empty(execution.Venue)
    loaded: DynArray[markets.Market, MAX_MARKETS] = []
    at: uint256 = MAX_MARKETS
    settled: uint256 = 0
    collected: int256 = 0
    in_group: bool = False

    # what the present market says of a price
    closed: uint256 = 0
    lowest: uint256 = 0
    highest: uint256 = 0

    for fill: uint256 in fills:
        t: uint256 = (fill >> 88) & 255
        k: uint256 = (fill >> 80) & 255
        price: uint256 = (fill >> 144) & slots.MASK_48
        lots: int256 = convert((fill >> 96) & slots.MASK_48, int256)
        rate: int256 = 0
        taker: execution.Side = empty(execution.Side)
        maker: execution.Side = empty(execution.Side)
        fault: uint256 = reasons.BAD_FILL
        if max(t, k) < len(batch) and t != k and fill & FILL_ZEROS == 0:
            taken: SignedOrder = batch[t]
            made: SignedOrder = batch[k]
            market: uint256 = (taken.terms >> 64) & slots.MASK_16
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
                closed, lowest, highest = self._prices_of(m)
            fault = reasons.MARKET_MISMATCH
            if (taken.terms ^ made.terms) & MARKET_BITS == 0:
                # each order is verified once, at its first fill
                signer: uint256 = signers[t]
                if signer == 0:
                    hashes[t], signer = self._verify(taken, m.ticker_hash, m.state, m.index, domain)
                    signers[t] = signer
                taker.terms = taken.terms
                taker.amounts = taken.amounts
                taker.hash = hashes[t]
                taker.signer = signer
                taker.filled = filled[t]
                fault = signer >> 160
                if fault == 0 or (fault == reasons.BAD_SIGNATURE and fill & LIQUIDATION != 0):
                    signer = signers[k]
                    if signer == 0:
                        hashes[k], signer = self._verify(made, m.ticker_hash, m.state, m.index, domain)
                        signers[k] = signer
                    maker.terms = made.terms
                    maker.amounts = made.amounts
                    maker.hash = hashes[k]
                    maker.signer = signer
                    fault = signer >> 160
                    if fault != 0:
                        fault = fault | reasons.MAKER
                    elif taken.terms >> 80 == made.terms >> 80:
                        fault = reasons.SELF_TRADE
                    else:
                        taker_rate: int256 = (convert((fill >> 64) & slots.MASK_16, int256) << 240) >> 240
                        maker_rate: int256 = (convert((fill >> 48) & slots.MASK_16, int256) << 240) >> 240
                        notional: int256 = unsafe_mul(convert(price, int256), lots)
                        rate = unsafe_add(taker_rate, maker_rate)
                        taker.fee = self._fee(notional, taker_rate)
                        maker.fee = self._fee(notional, maker_rate)
                        fault = self._fault_of(fill, taken.amounts, made.amounts, taker_rate, maker_rate)
                        if fault == 0:
                            if closed != 0:
                                fault = closed
                            elif price % m.tick != 0:
                                fault = reasons.OFF_TICK
                            elif price < lowest or price > highest:
                                fault = reasons.PRICE_BAND
        venue.headroom = unsafe_sub(m.max_open_interest, m.open_interest)
        if m.scale_to != 0:
            venue.quote.imf = markets._scaled_at(m, m.open_interest + lots)

        if in_group or fill & GROUPED != 0:
            if not in_group:
                groups._open(t)
            elif t != groups.taker or fill & LIQUIDATION != 0:
                fault = reasons.BAD_FILL
            groups._add(fill, rate, fault, taker, maker)
            in_group = fill & GROUPED != 0
            if in_group:
                continue
            if m.scale_to != 0:
                venue.quote.imf = markets._scaled_at(m, m.open_interest + convert(groups.lots, int256))
            growth: int256 = 0
            fault, growth = self._run_group(venue)
            if fault == 0:
                settled += groups.count
                filled[t] += groups.lots
                m.open_interest += growth
                for i: uint256 in range(groups.count, bound=MAX_FILLS):
                    m.volume, m.premium, collected = self._count(
                        groups.fills[i], groups.rates[i], groups.takers[i], groups.makers[i], m, collected
                    )
            continue

        if fault == 0:
            growth: int256 = 0
            if (fill & LIQUIDATION) | (taker.amounts & slots.FOK) != 0:
                fault, growth = self._special_step(fill, venue, taker, maker)
            else:
                assert msg.gas > STEP_GAS, "not enough gas"
                # in a call of its own, so that whatever it did is undone when it fails
                success: bool = False
                response: Bytes[32] = b""
                success, response = raw_call(
                    self,
                    abi_encode(
                        fill,
                        venue,
                        taker,
                        maker,
                        method_id=method_id(
                            "execute_fill(uint256,((int256,int256,int256,int256,int256,int256,int256),uint256,int256),(uint256,uint256,uint256,uint256,uint256,int256),(uint256,uint256,uint256,uint256,uint256,int256))"
                        ),
                    ),
                    max_outsize=32,
                    revert_on_failure=False,
                )
                if success:
                    growth = convert(response, int256)
                else:
                    fault = self._code_in(response)
            if fault == 0:
                settled = unsafe_add(settled, 1)
                # who did not ask for a fill has not been filled: a used order would look like one in progress
                if fill & LIQUIDATION == 0:
                    filled[t] = unsafe_add(taker.filled, convert(lots, uint256))
                m.open_interest = unsafe_add(m.open_interest, growth)
                if (taker.terms | maker.terms) & slots.MASK_32 == 0:
                    collected = unsafe_add(collected, unsafe_add(taker.fee, maker.fee))
                    # premium that nobody can wash: between owners, for a fee
                    if (
                        rate >= units.FUNDING_MIN_FEE_PPM
                        and taker.terms >> 96 != maker.terms >> 96
                        and m.volume < MAX_VOLUME
                    ):
                        m.volume = unsafe_add(m.volume, lots)
                        m.premium = unsafe_add(m.premium, unsafe_mul(lots, self._premium(price, m.index)))
                else:
                    m.volume, m.premium, collected = self._count(fill, rate, taker, maker, m, collected)
                continue
        self._log_rejection(fill, fault, taker.hash, maker.hash)
    if in_group:
        groups._fail(0, reasons.BAD_FILL)
        self._log_group()
    if at != MAX_MARKETS:
        loaded[at] = m
    for touched: markets.Market in loaded:
        if touched.state != 0:
            markets._store(touched)
    if settled != 0:
        markets._collect(collected)
    log events.BatchSettled(
        operator=msg.sender,
        prev=prev,
        next=next,
        settled=settled,
        rejected=len(fills) - settled,
        fees=collected,
    )


@external
def execute_fill(
    fill: uint256, venue: execution.Venue, taker: execution.Side, maker: execution.Side
) -> int256:
    """
    @notice One fill. Only the contract itself calls this, from `settle`; it is outside the lock that `settle` holds.
    @return By how many lots the open interest grows.
    """
    assert msg.sender == self, "only self"
    taken: positions.Change = execution._execute(fill, venue, taker, 0)
    made: positions.Change = execution._execute(fill, venue, maker, reasons.MAKER)
    growth: int256 = unsafe_add(taken.open_interest, made.open_interest)
    if growth > 0 and growth > venue.headroom:
        reasons._reject(reasons.OPEN_INTEREST_CAP)
    if (taker.terms | maker.terms) & slots.MASK_32 != 0:
        execution._refer(taker, maker)
    execution._log_fill(fill, venue.quote.market, taker, maker, taken.word, made.word)
    return growth


@external
def execute_group(venue: execution.Venue) -> int256:
    """
    @notice All the fills of the group at hand. Only the contract itself calls this, from `settle`.
    @return By how many lots the open interest grows.
    """
    assert msg.sender == self, "only self"
    growth: int256 = 0
    rest: execution.Venue = venue
    for i: uint256 in range(groups.count, bound=MAX_FILLS):
        fault: uint256 = 0
        more: int256 = 0
        fault, more = self._step(groups.fills[i], rest, groups.takers[i], groups.makers[i])
        if fault != 0:
            reasons._reject(fault + i * reasons.PLACE)
        rest.headroom -= more
        growth += more
    return growth


@internal
def _step(
    fill: uint256, venue: execution.Venue, taker: execution.Side, maker: execution.Side
) -> (uint256, int256):
    """
    @dev Executes a fill in a call of its own, as `settle` does with plain ones.
    @return The reason why not, or 0; and by how many lots the open interest grows.
    """
    success: bool = False
    response: Bytes[32] = b""
    if fill & LIQUIDATION == 0:
        success, response = raw_call(
            self,
            abi_encode(
                fill,
                venue,
                taker,
                maker,
                method_id=method_id(
                    "execute_fill(uint256,((int256,int256,int256,int256,int256,int256,int256),uint256,int256),(uint256,uint256,uint256,uint256,uint256,int256),(uint256,uint256,uint256,uint256,uint256,int256))"
                ),
            ),
            max_outsize=32,
            revert_on_failure=False,
        )
    else:
        success, response = raw_call(
            self,
            abi_encode(
                fill,
                venue,
                taker,
                maker,
                method_id=method_id(
                    "execute_liquidation(uint256,((int256,int256,int256,int256,int256,int256,int256),uint256,int256),(uint256,uint256,uint256,uint256,uint256,int256),(uint256,uint256,uint256,uint256,uint256,int256))"
                ),
            ),
            max_outsize=32,
            revert_on_failure=False,
        )
    if success:
        return 0, convert(response, int256)
    return self._code_in(response), 0


@internal
def _special_step(
    fill: uint256, venue: execution.Venue, taker: execution.Side, maker: execution.Side
) -> (uint256, int256):
    if taker.amounts & slots.FOK != 0 and (fill >> 96) & slots.MASK_48 != taker.amounts >> 208:
        return reasons.FILL_OR_KILL, 0
    assert msg.gas > STEP_GAS, "not enough gas"
    return self._step(fill, venue, taker, maker)


@internal
def _run_group(venue: execution.Venue) -> (uint256, int256):
    """
    @dev Executes the group at hand, or logs why not.
    @return As `_step` does.
    """
    order: uint256 = groups.takers[0].amounts
    if order & slots.FOK != 0 and groups.lots != order >> 208:
        groups._fail(0, reasons.FILL_OR_KILL)
    if groups.fault == 0:
        # prices are asked for once in a group
        assert msg.gas > STEP_GAS + groups.count * GROUPED_STEP_GAS, "not enough gas"
        success: bool = False
        response: Bytes[32] = b""
        success, response = raw_call(
            self,
            abi_encode(
                venue,
                method_id=method_id(
                    "execute_group(((int256,int256,int256,int256,int256,int256,int256),uint256,int256))"
                ),
            ),
            max_outsize=32,
            revert_on_failure=False,
        )
        if success:
            return 0, convert(response, int256)
        code: uint256 = self._code_in(response)
        groups._fail(code // reasons.PLACE, code % reasons.PLACE)
    self._log_group()
    return groups.fault, 0


@internal
def _log_group():
    for i: uint256 in range(groups.count, bound=MAX_FILLS):
        self._log_rejection(
            groups.fills[i],
            groups.fault if i == groups.faulty else reasons.GROUP_FAILED,
            groups.takers[i].hash,
            groups.makers[i].hash,
        )


@internal
def _count(
    fill: uint256,
    rate: int256,
    taker: execution.Side,
    maker: execution.Side,
    m: markets.Market,
    collected: int256,
) -> (int256, int256, int256):
    """
    @dev What follows from a fill that is done, when somebody may have been referred.
    @return The market's volume and premium, and the fees collected, all with this fill.
    """
    net: int256 = taker.fee + maker.fee
    counting: int256 = (
        rate
        * (units.PPM - max(referrers._share_of(taker.terms), referrers._share_of(maker.terms))) // units.PPM
    )
    kept: int256 = net - referrers._part(taker.terms & slots.MASK_32, taker.fee, net)
    kept -= referrers._part(maker.terms & slots.MASK_32, maker.fee, net)
    if (
        counting < units.FUNDING_MIN_FEE_PPM
        or taker.terms >> 96 == maker.terms >> 96
        or m.volume >= MAX_VOLUME
    ):
        return m.volume, m.premium, collected + kept
    lots: int256 = convert((fill >> 96) & slots.MASK_48, int256)
    premium: int256 = self._premium((fill >> 144) & slots.MASK_48, m.index)
    return m.volume + lots, m.premium + lots * premium, collected + kept


@internal
@pure
def _premium(price: uint256, index: int256) -> int256:
    premium: int256 = unsafe_div(
        unsafe_mul(unsafe_sub(convert(price, int256), index), units.RATE_UNIT), index
    )
    return max(-units.PREMIUM_CLAMP, min(units.PREMIUM_CLAMP, premium))


@internal
@pure
def _venue_of(m: markets.Market) -> execution.Venue:
    return execution.Venue(
        quote=margin._quote_of(m),
        reduce_only=slots.REDUCE_ONLY if m.state == markets.REDUCE_ONLY else 0,
        headroom=0,
    )


@internal
@pure
def _prices_of(m: markets.Market) -> (uint256, uint256, uint256):
    """
    @return Why the market takes no price, or 0; and the lowest and the highest that it takes.
    """
    if m.state >= markets.HALTED:
        return reasons.MARKET_HALTED, 0, 0
    if not m.fresh:
        return reasons.STALE_PRICE, 0, 0
    distance: int256 = m.band * m.index // units.PPM
    return 0, convert(m.index - distance, uint256), convert(m.index + distance, uint256)


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
    if bare == 0 or bare > reasons.UNKNOWN or code >= MAX_FILLS * reasons.PLACE:
        return reasons.UNKNOWN
    return code


@internal
@view
def _verify(
    order: SignedOrder, ticker_hash: bytes32, state: uint256, index: int256, domain: bytes32
) -> (uint256, uint256):
    """
    @return The order's hash; and who signed it, with the reason why it cannot trade in the bits above.
    """
    hash: bytes32 = orders._hash(order.terms, order.amounts, ticker_hash, domain)
    fault: uint256 = orders._fault(order.terms, order.amounts, index)
    if state == 0:
        fault = reasons.BAD_MARKET
    if fault != 0:
        return convert(hash, uint256), fault << 160
    signer: uint256 = orders._signer(hash, order.r, order.vs)
    if signer != order.terms >> 96 or signer == 0:
        market: uint256 = (order.terms >> 64) & slots.MASK_16
        return convert(hash, uint256), signer | (sessions._fault(order.terms >> 96, signer, market) << 160)
    return convert(hash, uint256), signer


@internal
@pure
def _fault_of(
    fill: uint256, taker: uint256, maker: uint256, taker_rate: int256, maker_rate: int256
) -> uint256:
    """
    @dev What the amounts of the two orders say of the fill. The maker's faults have MAKER added.
    """
    price: uint256 = (fill >> 144) & slots.MASK_48
    if price == 0 or fill & SIZE_BITS == 0 or fill & SPECIAL == SPECIAL:
        return reasons.BAD_FILL
    if (taker ^ maker) & slots.SELL == 0:
        return reasons.SAME_SIDE
    if (maker & slots.ONE_SHOT) | (taker & slots.POST_ONLY) != 0:
        return reasons.ONE_SHOT_MAKER if maker & slots.ONE_SHOT != 0 else reasons.POST_ONLY_TAKER
    taker_limit: uint256 = (taker >> 160) & slots.MASK_48
    maker_limit: uint256 = (maker >> 160) & slots.MASK_48
    if taker & slots.SELL == 0:
        if price > taker_limit:
            return reasons.PAST_LIMIT
        if price < maker_limit:
            return reasons.PAST_LIMIT + reasons.MAKER
    else:
        if price < taker_limit:
            return reasons.PAST_LIMIT
        if price > maker_limit:
            return reasons.PAST_LIMIT + reasons.MAKER
    if unsafe_add(taker_rate, maker_rate) < 0:
        return reasons.NEGATIVE_FEES
    if taker_rate > convert((taker >> 16) & slots.MASK_16, int256):
        return reasons.FEE_ABOVE_CAP
    if maker_rate > convert((maker >> 16) & slots.MASK_16, int256):
        return reasons.FEE_ABOVE_CAP + reasons.MAKER
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
def _log_rejection(fill: uint256, fault: uint256, taker: uint256, maker: uint256):
    code: uint256 = fault & (reasons.MAKER - 1)
    fault_class: uint256 = reasons._class_of(code)
    guilty: uint256 = 0
    if fault_class < 3:
        guilty = taker if fault & reasons.MAKER == 0 else maker
    log events.FillRejected(
        fill_id=fill >> 192,
        order_id=convert(guilty, bytes32),
        fault_class=fault_class,
        reason=reasons._text(code),
    )
