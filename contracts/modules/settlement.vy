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
STEP_GAS: constant(uint256) = 900_000
# bits of a fill's word that must be zero: the tail, and the flags that nobody knows
FILL_ZEROS: constant(uint256) = (2**16 - 4) * 2**32 + 2**32 - 1
GROUPED: constant(uint256) = 2**32
LIQUIDATION: constant(uint256) = 2**33
SPECIAL: constant(uint256) = 3 * 2**32
MARKET_BITS: constant(uint256) = (2**16 - 1) * 2**64
SIZE_BITS: constant(uint256) = (2**48 - 1) * 2**96
MAX_VOLUME: constant(int256) = 2**62
NOT_COUNTED: constant(int256) = 2**80


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

    for fill: uint256 in fills:
        t: uint256 = (fill >> 88) & 255
        k: uint256 = (fill >> 80) & 255
        taker_rate: int256 = (convert((fill >> 64) & slots.MASK_16, int256) << 240) >> 240
        maker_rate: int256 = (convert((fill >> 48) & slots.MASK_16, int256) << 240) >> 240
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
            fault = reasons.MARKET_MISMATCH
            if (taken.terms ^ made.terms) & MARKET_BITS == 0:
                # each order is verified once, at its first fill
                if signers[t] == 0:
                    hashes[t], signers[t] = self._verify(taken, m, domain)
                if signers[k] == 0:
                    hashes[k], signers[k] = self._verify(made, m, domain)
                notional: int256 = convert(
                    unsafe_mul((fill >> 144) & slots.MASK_48, (fill >> 96) & slots.MASK_48), int256
                )
                taker = execution.Side(
                    terms=taken.terms,
                    amounts=taken.amounts,
                    hash=hashes[t],
                    signer=signers[t],
                    filled=filled[t],
                    fee=self._fee(notional, taker_rate),
                )
                maker = execution.Side(
                    terms=made.terms,
                    amounts=made.amounts,
                    hash=hashes[k],
                    signer=signers[k],
                    filled=0,
                    fee=self._fee(notional, maker_rate),
                )
                fault = self._fault_of(fill, taker, maker, taker_rate, maker_rate)
                if fault == 0:
                    fault = self._fault_of_price((fill >> 144) & slots.MASK_48, m)

        if in_group or fill & GROUPED != 0:
            if not in_group:
                groups._open(t)
            elif t != groups.taker:
                fault = reasons.BAD_FILL
            groups._add(fill, fault, taker, maker)
            in_group = fill & GROUPED != 0
            if in_group:
                continue
            venue.headroom = unsafe_sub(m.max_open_interest, m.open_interest)
            growth: int256 = 0
            fault, growth = self._run_group(venue)
            if fault == 0:
                settled += groups.count
                filled[t] += groups.lots
                m.open_interest += growth
                for i: uint256 in range(groups.count, bound=MAX_FILLS):
                    kept: int256 = 0
                    premium: int256 = 0
                    kept, premium = self._account_for(
                        groups.fills[i], groups.takers[i], groups.makers[i], m.index
                    )
                    collected += kept
                    if premium != NOT_COUNTED and m.volume < MAX_VOLUME:
                        lots: int256 = convert((groups.fills[i] >> 96) & slots.MASK_48, int256)
                        m.volume += lots
                        m.premium += lots * premium
            continue

        if fault == 0:
            venue.headroom = unsafe_sub(m.max_open_interest, m.open_interest)
            growth: int256 = 0
            fault, growth = self._step(fill, venue, taker, maker)
            if fault == 0:
                settled = unsafe_add(settled, 1)
                filled[t] = unsafe_add(filled[t], (fill >> 96) & slots.MASK_48)
                m.open_interest = unsafe_add(m.open_interest, growth)
                kept: int256 = 0
                premium: int256 = 0
                kept, premium = self._account_for(fill, taker, maker, m.index)
                collected = unsafe_add(collected, kept)
                if premium != NOT_COUNTED and m.volume < MAX_VOLUME:
                    lots: int256 = convert((fill >> 96) & slots.MASK_48, int256)
                    m.volume = unsafe_add(m.volume, lots)
                    m.premium = unsafe_add(m.premium, unsafe_mul(lots, premium))
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
    return self._execute_both(fill, venue, taker, maker, 0)


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
        more: int256 = self._execute_both(
            groups.fills[i], rest, groups.takers[i], groups.makers[i], i * reasons.PLACE
        )
        rest.headroom -= more
        growth += more
    return growth


@internal
def _execute_both(
    fill: uint256, venue: execution.Venue, taker: execution.Side, maker: execution.Side, place: uint256
) -> int256:
    taken: positions.Change = execution._execute(fill, venue, taker, place)
    made: positions.Change = execution._execute(fill, venue, maker, unsafe_add(place, reasons.MAKER))
    growth: int256 = unsafe_add(taken.open_interest, made.open_interest)
    if growth > 0 and growth > venue.headroom:
        reasons._reject(unsafe_add(reasons.OPEN_INTEREST_CAP, place))
    execution._log_fill(fill, venue.quote.market, taker, maker, taken.word, made.word)
    return growth


@internal
def _step(
    fill: uint256, venue: execution.Venue, taker: execution.Side, maker: execution.Side
) -> (uint256, int256):
    """
    @dev Executes a fill in a call of its own, so that whatever it did is undone when it fails.
    @return The reason why not, or 0; and by how many lots the open interest grows.
    """
    if taker.amounts & slots.FOK != 0 and (fill >> 96) & slots.MASK_48 != taker.amounts >> 208:
        return reasons.FILL_OR_KILL, 0
    assert msg.gas > STEP_GAS, "not enough gas"
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
                    "execute_fill(uint256,((int256,int256,int256,int256,int256,int256,bool),uint256,int256),(uint256,uint256,uint256,uint256,uint256,int256),(uint256,uint256,uint256,uint256,uint256,int256))"
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
                    "execute_liquidation(uint256,((int256,int256,int256,int256,int256,int256,bool),uint256,int256),(uint256,uint256,uint256,uint256,uint256,int256),(uint256,uint256,uint256,uint256,uint256,int256))"
                ),
            ),
            max_outsize=32,
            revert_on_failure=False,
        )
    if success:
        return 0, convert(response, int256)
    return self._code_in(response), 0


@internal
def _run_group(venue: execution.Venue) -> (uint256, int256):
    """
    @dev Executes the group at hand, or logs why not.
    @return As `_step` does.
    """
    order: uint256 = groups.takers[0].amounts
    if order & slots.FOK != 0 and groups.takers[0].filled + groups.lots != order >> 208:
        groups._fail(0, reasons.FILL_OR_KILL)
    if groups.fault == 0:
        assert msg.gas > STEP_GAS * groups.count, "not enough gas"
        success: bool = False
        response: Bytes[32] = b""
        success, response = raw_call(
            self,
            abi_encode(
                venue,
                method_id=method_id(
                    "execute_group(((int256,int256,int256,int256,int256,int256,bool),uint256,int256))"
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
def _account_for(
    fill: uint256, taker: execution.Side, maker: execution.Side, index: int256
) -> (int256, int256):
    """
    @dev What follows from a fill that is done.
    @return What the exchange keeps of its fees, and the premium it counts with for funding (NOT_COUNTED: it does not count).
    """
    net: int256 = unsafe_add(taker.fee, maker.fee)
    kept: int256 = net
    rate: int256 = self._rates_of(fill)
    if (taker.terms | maker.terms) & slots.MASK_32 != 0:
        others: int256 = max(referrers._share_of(taker.terms), referrers._share_of(maker.terms))
        rate = rate * (units.PPM - others) // units.PPM
        kept -= referrers._accrue(taker.terms & slots.MASK_32, taker.fee, net)
        kept -= referrers._accrue(maker.terms & slots.MASK_32, maker.fee, net)
    # premium that nobody can wash: between owners, for a fee
    if rate < units.FUNDING_MIN_FEE_PPM or taker.terms >> 96 == maker.terms >> 96:
        return kept, NOT_COUNTED
    premium: int256 = unsafe_div(
        unsafe_mul(unsafe_sub(convert((fill >> 144) & slots.MASK_48, int256), index), units.RATE_UNIT),
        index,
    )
    return kept, max(-units.PREMIUM_CLAMP, min(units.PREMIUM_CLAMP, premium))


@internal
@pure
def _rates_of(fill: uint256) -> int256:
    """
    @return Taker and maker fee together, ppm.
    """
    word: int256 = convert(fill >> 1, int256)
    return ((word << 177) >> 240) + ((word << 193) >> 240)


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
def _verify(order: SignedOrder, m: markets.Market, domain: bytes32) -> (uint256, uint256):
    """
    @return The order's hash; and who signed it, with the reason why it cannot trade in the bits above.
    """
    hash: bytes32 = orders._hash(order.terms, order.amounts, m.ticker_hash, domain)
    id: uint256 = convert(hash, uint256)
    if m.state == 0:
        return id, reasons.BAD_MARKET << 160
    fault: uint256 = orders._fault(order.terms, order.amounts, m.index)
    if fault != 0:
        return id, fault << 160
    signer: uint256 = orders._signer(hash, order.r, order.vs)
    owner: uint256 = order.terms >> 96
    if signer != owner or owner == 0:
        return id, signer | (sessions._fault(owner, signer, m.id) << 160)
    return id, signer


@internal
@pure
def _fault_of(
    fill: uint256, taker: execution.Side, maker: execution.Side, taker_rate: int256, maker_rate: int256
) -> uint256:
    """
    @dev What the two orders say of the fill. The maker's faults have MAKER added.
    """
    if (taker.signer | maker.signer) >> 160 != 0:
        fault: uint256 = taker.signer >> 160
        if fault == reasons.BAD_SIGNATURE and fill & LIQUIDATION != 0:
            fault = 0  # it stands for an account that is not asked
        if fault != 0:
            return fault
        fault = maker.signer >> 160
        if fault != 0:
            return fault + reasons.MAKER
    price: uint256 = (fill >> 144) & slots.MASK_48
    if price == 0 or fill & SIZE_BITS == 0 or fill & SPECIAL == SPECIAL:
        return reasons.BAD_FILL
    if taker.terms >> 80 == maker.terms >> 80:
        return reasons.SELF_TRADE
    if (taker.amounts ^ maker.amounts) & slots.SELL == 0:
        return reasons.SAME_SIDE
    if maker.amounts & slots.ONE_SHOT != 0:
        return reasons.ONE_SHOT_MAKER
    if taker.amounts & slots.POST_ONLY != 0:
        return reasons.POST_ONLY_TAKER
    taker_limit: uint256 = (taker.amounts >> 160) & slots.MASK_48
    maker_limit: uint256 = (maker.amounts >> 160) & slots.MASK_48
    if taker.amounts & slots.SELL == 0:
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
    if taker_rate > convert((taker.amounts >> 16) & slots.MASK_16, int256):
        return reasons.FEE_ABOVE_CAP
    if maker_rate > convert((maker.amounts >> 16) & slots.MASK_16, int256):
        return reasons.FEE_ABOVE_CAP + reasons.MAKER
    return 0


@internal
@pure
def _fault_of_price(price: uint256, m: markets.Market) -> uint256:
    """
    @dev Bounds: prices are below 2**48, the band below 2**24.
    """
    if m.state >= markets.HALTED:
        return reasons.MARKET_HALTED
    if not m.fresh:
        return reasons.STALE_PRICE
    if price % m.tick != 0:
        return reasons.OFF_TICK
    distance: int256 = unsafe_sub(convert(price, int256), m.index)
    if unsafe_mul(max(distance, unsafe_sub(0, distance)), units.PPM) > unsafe_mul(m.band, m.index):
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
