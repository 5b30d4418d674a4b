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
UNVERIFIED: constant(uint256) = 0


struct SignedOrder:
    terms: uint256
    amounts: uint256
    r: uint256
    vs: uint256


struct Terms:
    id: uint256
    price: int256
    size: int256
    market: uint256
    reduce_only: bool  # the market's state
    headroom: int256  # lots that the open interest may still grow by


struct Side:
    account: uint256
    amounts: uint256
    hash: bytes32
    signer: address
    filled: uint256  # lots that this batch has filled already; one-shot orders count nowhere else
    fee: int256
    delta: int256


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
    assert next != empty(bytes32), "empty journal head"
    roles.heads[msg.sender] = next
    margin._open_epoch()

    domain: bytes32 = orders._domain()
    hashes: bytes32[MAX_ORDERS] = empty(bytes32[MAX_ORDERS])
    signers: address[MAX_ORDERS] = empty(address[MAX_ORDERS])
    faults: uint256[MAX_ORDERS] = empty(uint256[MAX_ORDERS])
    filled: uint256[MAX_ORDERS] = empty(uint256[MAX_ORDERS])
    loaded: DynArray[markets.Market, MAX_MARKETS] = []
    market_ids: uint256[MAX_MARKETS] = empty(uint256[MAX_MARKETS])
    settled: uint256 = 0
    collected: int256 = 0

    for fill: uint256 in fills:
        t: uint256 = (fill >> 88) & 255
        m: uint256 = (fill >> 80) & 255
        fault: uint256 = 0
        guilty: uint256 = t
        at: uint256 = 0
        taker_fee: int256 = 0
        maker_fee: int256 = 0
        if t >= len(batch) or m >= len(batch) or t == m or fill & slots.MASK_32 != 0:
            fault = reasons.BAD_FILL
        else:
            market: uint256 = (batch[t].terms >> 64) & slots.MASK_16
            known: uint256 = len(loaded)
            for i: uint256 in range(known, bound=MAX_MARKETS):
                if market_ids[i] == market:
                    break
                at += 1
            if at == known:
                loaded.append(markets._load(market))
                market_ids[at] = market
            # verify each order at its first fill
            if hashes[t] == empty(bytes32):
                hashes[t], signers[t], faults[t] = self._verify(batch[t], loaded[at], domain)
            if hashes[m] == empty(bytes32):
                if (batch[m].terms >> 64) & slots.MASK_16 == (batch[t].terms >> 64) & slots.MASK_16:
                    hashes[m], signers[m], faults[m] = self._verify(batch[m], loaded[at], domain)
            fault = faults[t]
            if fault == 0:
                fault = faults[m]
                if fault != 0:
                    guilty = m
            if fault == 0:
                taker_fee, maker_fee, fault = self._check(fill, batch[t], batch[m], loaded[at])
                if fault >= reasons.MAKER:
                    guilty = m
                    fault -= reasons.MAKER

        if fault == 0:
            size: int256 = convert((fill >> 96) & slots.MASK_48, int256)
            sells: bool = batch[t].amounts & slots.SELL != 0
            assert msg.gas > STEP_GAS, "not enough gas"
            success: bool = False
            response: Bytes[32] = b""
            success, response = raw_call(
                self,
                abi_encode(
                    Terms(
                        id=fill,
                        price=convert((fill >> 144) & slots.MASK_48, int256),
                        size=size,
                        market=loaded[at].id,
                        reduce_only=loaded[at].state == markets.REDUCE_ONLY,
                        headroom=loaded[at].max_open_interest - loaded[at].open_interest,
                    ),
                    margin._quote_of(loaded[at]),
                    Side(
                        account=self._account_of(batch[t].terms),
                        amounts=batch[t].amounts,
                        hash=hashes[t],
                        signer=signers[t],
                        filled=filled[t],
                        fee=taker_fee,
                        delta=-size if sells else size,
                    ),
                    Side(
                        account=self._account_of(batch[m].terms),
                        amounts=batch[m].amounts,
                        hash=hashes[m],
                        signer=signers[m],
                        filled=filled[m],
                        fee=maker_fee,
                        delta=size if sells else -size,
                    ),
                    method_id=method_id(
                        "execute_fill((uint256,int256,int256,uint256,bool,int256),(int256,int256,int256,int256,int256,bool),(uint256,uint256,bytes32,address,uint256,int256,int256),(uint256,uint256,bytes32,address,uint256,int256,int256))"
                    ),
                ),
                max_outsize=32,
                revert_on_failure=False,
            )
            if success:
                settled += 1
                filled[t] += convert(size, uint256)
                filled[m] += convert(size, uint256)
                collected += taker_fee + maker_fee
                loaded[at].open_interest += convert(response, int256)
                if (
                    self._account_of(batch[t].terms) >> 16 != self._account_of(batch[m].terms) >> 16
                    and self._rate(fill >> 64) + self._rate(fill >> 48) >= units.FUNDING_MIN_FEE_PPM
                    and loaded[at].volume < 2**62
                ):
                    loaded[at].volume += size
                    loaded[at].premium += size * self._premium(
                        convert((fill >> 144) & slots.MASK_48, int256), loaded[at].index
                    )
            else:
                fault = reasons.UNKNOWN
                if len(response) == 32:
                    fault = convert(response, uint256)
                    if fault >= reasons.MAKER and fault < 2 * reasons.MAKER:
                        guilty = m
                        fault -= reasons.MAKER
                    if fault > reasons.UNKNOWN:
                        fault = reasons.UNKNOWN
        if fault != 0:
            fault_class: uint256 = reasons._class_of(fault)
            log events.FillRejected(
                fill_id=fill >> 192,
                order_id=hashes[guilty] if fault_class < 3 else empty(bytes32),
                fault_class=fault_class,
                reason=reasons._text(fault),
            )

    for touched: markets.Market in loaded:
        if touched.state != 0:
            markets._store(touched)
    markets._collect(collected)
    log events.BatchSettled(
        operator=msg.sender, prev=prev, next=next, settled=settled, rejected=len(fills) - settled
    )


@external
def execute_fill(fill: Terms, quote: margin.Quote, taker: Side, maker: Side) -> int256:
    """
    @notice One fill. Only the contract itself calls this, from `settle`; it is outside the lock that `settle` holds.
    @return By how many lots the open interest grows.
    """
    assert msg.sender == self, "only self"
    taken: positions.Change = self._execute(fill, quote, taker, 0)
    made: positions.Change = self._execute(fill, quote, maker, reasons.MAKER)
    growth: int256 = taken.open_interest + made.open_interest
    if growth > 0 and growth > fill.headroom:
        reasons._reject(reasons.OPEN_INTEREST_CAP)
    log events.Fill(
        taker=accounts._owner_of(taker.account),
        maker=accounts._owner_of(maker.account),
        detail=self._detail(fill, taker, maker),
        taker_order=taker.hash,
        maker_order=maker.hash,
        taker_position=self._bits(taken.word),
        maker_position=self._bits(made.word),
    )
    return growth


@internal
def _execute(fill: Terms, quote: margin.Quote, side: Side, blame: uint256) -> positions.Change:
    generation: uint256 = (side.amounts >> 64) & slots.MASK_48
    size: uint256 = convert(fill.size, uint256)
    position: slots.Position = slots._position(accounts.positions[(side.account << 16) | fill.market])
    if accounts._is_floored(side.account, accounts.words[side.account], generation, orders.SETTLE_WINDOW):
        reasons._reject(reasons.CANCELLED + blame)

    one_shot: int256 = 0
    if side.amounts & slots.ONE_SHOT != 0:
        one_shot = convert(generation, int256)
        if side.filled == 0 and one_shot <= position.one_shot:
            reasons._reject(reasons.ONE_SHOT_USED + blame)
        if side.filled + size > side.amounts >> 208:
            reasons._reject(reasons.OVERFILLED + blame)
    else:
        fault: uint256 = orders._consume(
            side.signer, side.amounts, convert(side.hash, uint256) & slots.MASK_88, size
        )
        if fault != 0:
            reasons._reject(fault + blame)

    if fill.reduce_only or side.amounts & slots.REDUCE_ONLY != 0:
        reduces: bool = (position.size > 0) != (side.delta > 0) and abs(side.delta) <= abs(position.size)
        if not reduces:
            if side.amounts & slots.REDUCE_ONLY != 0:
                reasons._reject(reasons.REDUCE_ONLY + blame)
            reasons._reject(reasons.MARKET_REDUCE_ONLY)

    change: positions.Change = positions._trade(
        side.account, fill.market, quote, side.delta, fill.price, side.fee, one_shot, True
    )
    if change.fault != 0:
        reasons._reject(change.fault + blame)
    return change


@internal
@view
def _verify(order: SignedOrder, market: markets.Market, domain: bytes32) -> (bytes32, address, uint256):
    """
    @return The order's hash, who signed it, and why it cannot trade (0: it can).
    """
    hash: bytes32 = orders._hash(order.terms, order.amounts, market.ticker_hash, domain)
    fault: uint256 = orders._fault(order.terms, order.amounts)
    if market.state == 0:
        fault = reasons.BAD_MARKET
    if fault != 0:
        return hash, empty(address), fault
    signer: address = orders._signer(hash, order.r, order.vs)
    if signer == empty(address) or convert(signer, uint256) != order.terms >> 96:
        fault = reasons.BAD_SIGNATURE
    return hash, signer, fault


@internal
@pure
def _check(
    fill: uint256, taker: SignedOrder, maker: SignedOrder, market: markets.Market
) -> (int256, int256, uint256):
    """
    @dev All that can be said of a fill without reading an account.
    @return Fees of taker and maker in micro-USDC, and the fault (plus MAKER when it is the maker's).
    """
    price: uint256 = (fill >> 144) & slots.MASK_48
    size: uint256 = (fill >> 96) & slots.MASK_48
    if (taker.terms >> 64) & slots.MASK_16 != (maker.terms >> 64) & slots.MASK_16:
        return 0, 0, reasons.MARKET_MISMATCH
    if fill & (slots.MASK_16 << 32) != 0:
        return 0, 0, reasons.GROUP_UNSUPPORTED if (fill >> 32) & slots.MASK_16 == 1 else reasons.BAD_FILL
    if size == 0 or price == 0:
        return 0, 0, reasons.BAD_FILL
    if taker.terms >> 80 == maker.terms >> 80:
        return 0, 0, reasons.SELF_TRADE
    sells: uint256 = taker.amounts & slots.SELL
    if sells == maker.amounts & slots.SELL:
        return 0, 0, reasons.SAME_SIDE
    if maker.amounts & slots.ONE_SHOT != 0:
        return 0, 0, reasons.ONE_SHOT_MAKER
    if taker.amounts & slots.POST_ONLY != 0:
        return 0, 0, reasons.POST_ONLY_TAKER
    if market.state == markets.HALTED:
        return 0, 0, reasons.MARKET_HALTED
    if not market.fresh:
        return 0, 0, reasons.STALE_PRICE

    taker_limit: uint256 = (taker.amounts >> 160) & slots.MASK_48
    maker_limit: uint256 = (maker.amounts >> 160) & slots.MASK_48
    if sells == 0:
        if price > taker_limit:
            return 0, 0, reasons.PAST_LIMIT
        if price < maker_limit:
            return 0, 0, reasons.PAST_LIMIT + reasons.MAKER
    else:
        if price < taker_limit:
            return 0, 0, reasons.PAST_LIMIT
        if price > maker_limit:
            return 0, 0, reasons.PAST_LIMIT + reasons.MAKER
    if price % market.tick != 0:
        return 0, 0, reasons.OFF_TICK
    if abs(convert(price, int256) - market.index) * units.PPM > market.band * market.index:
        return 0, 0, reasons.PRICE_BAND

    taker_rate: int256 = self._rate(fill >> 64)
    maker_rate: int256 = self._rate(fill >> 48)
    if taker_rate + maker_rate < 0:
        return 0, 0, reasons.NEGATIVE_FEES
    if taker_rate > convert((taker.amounts >> 16) & slots.MASK_16, int256):
        return 0, 0, reasons.FEE_ABOVE_CAP
    if maker_rate > convert((maker.amounts >> 16) & slots.MASK_16, int256):
        return 0, 0, reasons.FEE_ABOVE_CAP + reasons.MAKER
    notional: int256 = convert(unsafe_mul(price, size), int256)
    taker_fee: int256 = self._fee(notional, taker_rate)
    maker_fee: int256 = self._fee(notional, maker_rate)
    return taker_fee, maker_fee, 0


@internal
@pure
def _rate(field: uint256) -> int256:
    """
    @return The signed 16-bit rate in the low bits of `field`, ppm.
    """
    low: int256 = convert(field & slots.MASK_16, int256)
    return low - 65_536 if low > 32_767 else low


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
def _premium(price: int256, index: int256) -> int256:
    premium: int256 = (price - index) * units.RATE_UNIT // index
    return max(-units.PREMIUM_CLAMP, min(units.PREMIUM_CLAMP, premium))


@internal
@pure
def _account_of(terms: uint256) -> uint256:
    return terms >> 80


@internal
@pure
def _detail(fill: Terms, taker: Side, maker: Side) -> uint256:
    """
    @dev `fill.id` carries the whole word of the fill; see docs/protocol.md for the layout of both.
    """
    head: uint256 = (fill.id >> 96) << 96
    subaccounts: uint256 = ((taker.account & slots.MASK_16) << 64) | ((maker.account & slots.MASK_16) << 48)
    fees: uint256 = (fill.id >> 48) & slots.MASK_32
    return head | (fill.market << 80) | subaccounts | (fees << 16) | (taker.amounts & slots.SELL)


@internal
@pure
def _bits(word: int256) -> uint256:
    return convert(convert(word, bytes32), uint256)
