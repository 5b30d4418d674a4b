# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Markets
@license GNU Affero General Public License v3.0 only
@notice Parameters, cumulative indices, open interest and the funding of every market, and the oracle they are priced by.
        `_load` brings a market up to the present in memory, `_store` writes it back.
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
# An oracle cannot be starved below this: what is left after a failure would not pay for anything else.
ORACLE_GAS: constant(uint256) = 250_000


struct Market:
    id: uint256
    ticker_hash: bytes32
    imf: int256
    mmf: int256
    band: int256
    tick: uint256
    max_open_interest: int256
    liquidation_floor: int256
    state: uint256
    index: int256  # index price, micro-USDC per lot; the last one known when not fresh
    fresh: bool
    g_long: int256
    g_short: int256
    last: uint256
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
fees: public(uint256)
last_batch: public(uint256)  # when a batch last settled something
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
    @dev An oracle that fails or answers nonsense is one without a price: it must not stand in the way of exits.
    @return Index price (0: none), and when it was published.
    """
    success: bool = False
    response: Bytes[64] = b""
    success, response = raw_call(
        self.oracle.address,
        abi_encode(market, method_id=method_id("price(uint256)")),
        max_outsize=64,
        gas=ORACLE_GAS,
        is_static_call=True,
        revert_on_failure=False,
    )
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
    @return The market, funding accrued up to this block. An unlisted one has state 0.
    """
    p: slots.Params = slots._params(self.params[market])
    m: Market = empty(Market)
    m.id = market
    m.state = p.state
    if p.state == 0:
        return m
    m.ticker_hash = self.ticker_hashes[market]
    m.imf = p.imf
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
    m.last = convert((word >> 24) & slots.SIGNED_MASK_40, uint256)
    m.rate = (word << 232) >> 232
    word = self.activity[market]
    m.open_interest = word >> 208
    m.premium = (word << 48) >> 176
    m.volume = (word >> 64) & slots.SIGNED_MASK_64
    m.hour = convert((word >> 41) & slots.SIGNED_MASK_23, uint256)
    if m.index == 0:
        # without a price the market counts at the last one that anything was done at; a settled one always does
        m.index = word & slots.SIGNED_MASK_41
    if m.fresh and m.last != block.timestamp and p.state != SETTLED:
        return self._accrue(m)
    return m


@internal
@view
def _accrue(market: Market) -> Market:
    m: Market = market
    now: uint256 = block.timestamp
    hour: uint256 = now // units.HOUR
    accrued: int256 = 0
    if hour == m.hour:
        accrued = self._accrual(m.rate, m.index, now - m.last)
    else:
        # the old rate until its hour ended, the new one for one hour at most, nothing after
        boundary: uint256 = (m.hour + 1) * units.HOUR
        accrued = self._accrual(m.rate, m.index, boundary - m.last)
        rate: int256 = self._next_rate(m.premium, m.volume, m.open_interest)
        accrued += self._accrual(rate, m.index, min(now, boundary + units.HOUR) - boundary)
        m.rate = rate if hour == m.hour + 1 else 0
        m.premium = 0
        m.volume = 0
        m.hour = hour
    m.last = now
    m.touched = True
    # an index at its bound stands still: positions stay exact, and exits stay possible
    if abs(m.g_long + accrued) <= units.MAX_INDEX and abs(m.g_short + accrued) <= units.MAX_INDEX:
        m.g_long += accrued
        m.g_short += accrued
    return m


@internal
@pure
def _accrual(rate: int256, index: int256, elapsed: uint256) -> int256:
    return (
        rate
        * index
        * convert(elapsed, int256)
        * units.SCALE // (units.RATE_UNIT * convert(units.HOUR, int256))
    )


@internal
@pure
def _next_rate(premium: int256, volume: int256, open_interest: int256) -> int256:
    weight: int256 = max(volume, open_interest // 2)
    if weight == 0:
        return 0
    return max(-units.FUNDING_CAP, min(units.FUNDING_CAP, premium // weight))


@internal
def _store(m: Market):
    self.activity[m.id] = slots._activity_word(m.open_interest, m.premium, m.volume, m.hour, m.index)
    if m.touched:
        self._store_indices(m)


@internal
def _store_indices(m: Market):
    self.indices[m.id] = slots._indices_word(m.g_long, m.g_short, m.last, m.rate)
    log events.FundingAccrued(
        market=m.id,
        g_long=m.g_long,
        g_short=m.g_short,
        rate=m.rate,
        index_price=convert(m.index, uint256),
        at=m.last,
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
def _note_batch():
    """
    @dev A batch settled something: the exchange is alive.
    """
    self.last_batch = block.timestamp


@internal
def _collect(amount: int256):
    """
    @dev Adds fees. They are never negative: taker + maker >= 0 in every fill.
    """
    if amount != 0:
        self.fees += convert(amount, uint256)
        log events.FeesCollected(amount=amount, balance=self.fees)


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
