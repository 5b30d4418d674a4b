# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Markets
@license GNU Affero General Public License v3.0 only
@notice Parameters, cumulative indices, open interest and the funding of every market, and the oracle they are priced by.
        `_load` brings a market up to the present in memory, `_store` writes it back. Within an hour the indices are a
        function of time alone, so that they are written once an hour.
"""

from ..interfaces import IOracle
from ..interfaces import events
from . import slots
from . import units

ACTIVE: constant(uint256) = 1
REDUCE_ONLY: constant(uint256) = 2
HALTED: constant(uint256) = 3
SETTLING: constant(uint256) = 4  # its last price is awaited; trading has ended for ever
SETTLED: constant(uint256) = 5  # counts at its last price for ever
# An oracle gets this much. One that failed with less has not failed: its caller was given too little.
ORACLE_GAS: constant(uint256) = 250_000
# what must be left before the call to give it that: a call passes on 63 of 64 parts, and costs something itself
GAS_BEFORE_ORACLE: constant(uint256) = ORACLE_GAS * 64 // 63 + 6_000


# bits of an indices word that hold slope and rate
FUNDING: constant(int256) = 2**64 - 1


struct Market:
    id: uint256
    ticker_hash: bytes32
    imf: int256  # as the open interest scales it
    base_imf: int256  # unscaled
    scale_from: int256
    scale_to: int256
    mmf: int256
    band: int256
    tick: uint256
    max_open_interest: int256
    liquidation_floor: int256
    state: uint256
    index: int256  # index price, micro-USDC per lot; the last one known when not fresh
    fresh: bool
    g_long: int256  # as of now
    g_short: int256
    accrued: int256  # how much of both is of the running hour
    slope: int256  # what both grow by in a second
    rate: int256
    open_interest: int256
    premium: int256  # sum of lots * premium in this hour
    volume: int256  # sum of lots in this hour
    hour: uint256
    touched: bool  # indices differ from storage


oracle: public(IOracle)
tickers: HashMap[uint256, String[16]]
ticker_hashes: HashMap[uint256, bytes32]
market_of: HashMap[bytes32, uint256]  # by hash of the ticker: orders name a market by its ticker alone
params: HashMap[uint256, uint256]
indices: HashMap[uint256, int256]
activity: HashMap[uint256, int256]
loss_steps: HashMap[uint256, uint256]  # hour << 128 | loss per lot spread in that hour, scaled
insurance: public(uint256)
takings: uint256  # fees collected << 40 | time of the last batch that settled something
settling: HashMap[uint256, uint256]  # laid out in winding_up.vy


@internal
@view
def _price(market: uint256, max_age: uint256) -> (int256, bool):
    """
    @return Index price (0: none), and whether it is fresh.
    """
    price: int256 = 0
    published_at: uint256 = 0
    price, published_at = self._published(market)
    return price, price != 0 and block.timestamp <= published_at + max_age


@internal
@view
def _published(market: uint256) -> (int256, uint256):
    """
    @dev An oracle that fails or answers nonsense is one without a price: it must not stand in the way of exits. But nobody can make
         it fail by giving it little gas, which would frame accounts for a stale leg.
    @return Index price (0: none), and when it was published.
    """
    success: bool = False
    response: Bytes[64] = b""
    gas: uint256 = msg.gas
    success, response = raw_call(
        self.oracle.address,
        abi_encode(market, method_id=method_id("price(uint256)")),
        max_outsize=64,
        gas=ORACLE_GAS,
        is_static_call=True,
        revert_on_failure=False,
    )
    assert success or gas > GAS_BEFORE_ORACLE
    if not success or len(response) != 64:
        return 0, 0
    price: uint256 = convert(slice(response, 0, 32), uint256)
    published_at: uint256 = convert(slice(response, 32, 32), uint256)
    if price == 0 or price > units.MAX_PRICE or published_at > block.timestamp + units.MAX_AHEAD:
        return 0, 0
    return convert(price, int256), published_at


@internal
@view
def _load(market: uint256) -> Market:
    """
    @return The market as of this block. An unlisted one has state 0.
    """
    p: slots.Params = slots._params(self.params[market])
    m: Market = empty(Market)
    m.id = market
    m.state = p.state
    if p.state == 0:
        return m
    m.ticker_hash = self.ticker_hashes[market]
    m.mmf = p.mmf
    m.band = p.band
    m.tick = p.tick
    m.max_open_interest = p.max_open_interest
    m.liquidation_floor = p.liquidation_floor
    m.fresh = True
    if p.state != SETTLED:
        m.index, m.fresh = self._price(market, p.max_price_age)

    word: int256 = self.indices[market]
    m.g_long = word >> 160
    m.g_short = (word << 96) >> 160
    m.slope = (word << 192) >> 208
    m.rate = (word << 240) >> 240
    word = self.activity[market]
    m.open_interest = word >> 208
    m.premium = (word << 48) >> 176
    m.volume = (word >> 64) & slots.SIGNED_MASK_64
    m.hour = convert((word >> 41) & slots.SIGNED_MASK_23, uint256)
    if m.index == 0:
        # without a price the market counts at the last one that anything was done at; a settled one always does
        m.index = word & slots.SIGNED_MASK_41
    elapsed: uint256 = block.timestamp - m.hour * units.HOUR
    if elapsed >= units.HOUR:
        elapsed = units.HOUR
        if m.fresh and p.state != SETTLED:
            m = self._open_hour(m)
            elapsed = block.timestamp - m.hour * units.HOUR
    m.accrued = unsafe_mul(m.slope, convert(elapsed, int256))
    m.g_long += m.accrued
    m.g_short += m.accrued
    m.base_imf = p.imf
    m.scale_from = p.scale_from
    m.scale_to = p.scale_to
    m.imf = self._scaled_at(m, m.open_interest)
    return m


@internal
@pure
def _scaled_at(m: Market, open_interest: int256) -> int256:
    """
    @return The initial margin fraction at an open interest of so many lots: it grows to 100% between two bounds.
    """
    above: int256 = open_interest * m.index - m.scale_from * units.OPEN_INTEREST_UNIT
    if m.scale_to == 0 or above <= 0:
        return m.base_imf
    width: int256 = (m.scale_to - m.scale_from) * units.OPEN_INTEREST_UNIT
    return min(units.PPM, m.base_imf + above * (units.PPM - m.base_imf) // width)


@internal
@view
def _open_hour(market: Market) -> Market:
    """
    @dev Ends the market's hour and opens the present one. The premium of an hour makes the rate of the next; hours
         after one that nothing happened in have none.
    """
    m: Market = market
    hour: uint256 = block.timestamp // units.HOUR
    seconds: int256 = convert(units.HOUR, int256)
    due: int256 = m.slope * seconds
    rate: int256 = self._next_rate(m)
    slope: int256 = rate * m.index * units.SCALE // (units.RATE_UNIT * seconds)
    # an index at its bound stands still: positions stay exact, and exits stay possible
    reach: int256 = abs(slope) * seconds
    if abs(m.g_long + due) + reach > units.MAX_INDEX or abs(m.g_short + due) + reach > units.MAX_INDEX:
        slope = 0
    if hour > m.hour + 1:
        due += slope * seconds
        slope = 0
        rate = 0
    m.g_long += due
    m.g_short += due
    m.slope = slope
    m.rate = rate
    m.premium = 0
    m.volume = 0
    m.hour = hour
    m.touched = True
    return m


@internal
@pure
def _next_rate(m: Market) -> int256:
    weight: int256 = max(m.volume, m.open_interest // 2)
    if weight == 0:
        return 0
    highest: int256 = max(m.rate, 0) + units.FUNDING_SLEW
    lowest: int256 = min(m.rate, 0) - units.FUNDING_SLEW
    return max(lowest, min(highest, m.premium // weight))


@internal
def _store(m: Market):
    word: int256 = self.activity[m.id]
    self.activity[m.id] = slots._activity_word(m.open_interest, m.premium, m.volume, m.hour, m.index)
    if m.touched:
        g_long: int256 = m.g_long - m.accrued
        g_short: int256 = m.g_short - m.accrued
        before: int256 = self.indices[m.id]
        now: int256 = slots._indices_word(g_long, g_short, m.slope, m.rate)
        self.indices[m.id] = now
        # a loss step has an event of its own
        if (word >> 41) & slots.SIGNED_MASK_23 != convert(m.hour, int256) or (before ^ now) & FUNDING != 0:
            log events.FundingAccrued(
                market=m.id,
                g_long=g_long,
                g_short=g_short,
                rate=m.rate,
                index_price=convert(m.index, uint256),
                at=m.hour * units.HOUR,
            )


@internal
def _change(market: uint256, p: slots.Params):
    self.params[market] = slots._params_word(p)
    log events.MarketChanged(
        market=market,
        imf=convert(p.imf, uint256),
        mmf=convert(p.mmf, uint256),
        band=convert(p.band, uint256),
        tick=p.tick,
        max_open_interest=convert(p.max_open_interest, uint256),
        max_price_age=p.max_price_age,
        liquidation_floor=convert(p.liquidation_floor, uint256),
        state=p.state,
    )


@internal
@view
def _last_batch() -> uint256:
    return self.takings & slots.MASK_40


@internal
def _collect(amount: int256):
    """
    @dev Adds a batch's fees, and notes its time. They are never negative: taker + maker >= 0 in every fill.
    """
    fees: uint256 = (self.takings >> 40) + convert(amount, uint256)
    self.takings = (fees << 40) | block.timestamp


@internal
def _take_fees(amount: uint256):
    assert amount <= self.takings >> 40, "more than was collected"
    self.takings -= amount << 40


@internal
def _change_insurance(delta: int256):
    if delta != 0:
        self.insurance = convert(convert(self.insurance, int256) + delta, uint256)
        log events.InsuranceChanged(delta=delta, balance=self.insurance)


@internal
def _set_oracle(oracle: address):
    assert oracle.is_contract, "oracle has no code"
    self.oracle = IOracle(oracle)
    log events.OracleSet(oracle=oracle)
