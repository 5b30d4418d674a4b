# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Margin
@license GNU Affero General Public License v3.0 only
@notice What an account is worth and what it must be worth, at index prices, and the one predicate that governs every change of
        an account. Quotes of markets are kept in transient storage for the length of one call.
"""

from . import accounts
from . import markets
from . import slots
from . import units

uses: accounts
uses: markets


struct Health:
    equity: int256  # scaled
    initial: int256  # micro-USDC
    maintenance: int256  # micro-USDC
    stale: bool  # some leg counts at a stale price


struct Quote:
    market: int256
    index: int256
    g_long: int256
    g_short: int256
    imf: int256
    mmf: int256
    fresh: int256  # 1, or 0 for a stale price


# Quotes that this call has asked for. An epoch per outer call: a later one in the same transaction must not read them.
epoch: transient(int256)
quotes: transient(HashMap[uint256, int256])


@internal
def _open_epoch():
    self.epoch = (self.epoch + 1) & slots.SIGNED_MASK_16


@internal
def _quote_word(market: uint256) -> int256:
    """
    @return The market's quote, packed.
    """
    word: int256 = self.quotes[market]
    if word & slots.SIGNED_MASK_16 == self.epoch and word != 0:
        return word
    # in a call of its own, so that the memory it takes is not part of the caller's
    response: Bytes[224] = raw_call(
        self,
        abi_encode(market, method_id=method_id("quote(uint256)")),
        max_outsize=224,
        is_static_call=True,
    )
    q: Quote = abi_decode(response, Quote)
    word = slots._quote_word(q.g_long, q.g_short, q.index, q.imf, q.mmf, q.fresh, self.epoch)
    self.quotes[market] = word
    return word


@external
@view
def quote(market: uint256) -> Quote:
    """
    @return What a position in the market is valued by: market, index price in micro-USDC per lot, indices of longs and
            shorts scaled by 2^32, initial and maintenance margin in ppm, and whether the price is fresh.
    """
    return self._quote_of(markets._load(market))


@internal
@pure
def _quote_of(m: markets.Market) -> Quote:
    return Quote(
        market=convert(m.id, int256),
        index=m.index,
        g_long=m.g_long,
        g_short=m.g_short,
        imf=m.imf,
        mmf=m.mmf,
        fresh=1 if m.fresh else 0,
    )


@internal
@pure
def _margin_of(size: int256, index: int256, fraction: int256) -> int256:
    """
    @return ceil(|size| * index * fraction), micro-USDC. Bounds: 2**46 * 2**40 * 2**24.
    """
    lots: int256 = size if size > 0 else unsafe_sub(0, size)
    return unsafe_div(unsafe_add(unsafe_mul(unsafe_mul(lots, index), fraction), units.PPM - 1), units.PPM)


@internal
@pure
def _add_leg(health: Health, position: slots.Position, quote: Quote) -> Health:
    """
    @dev Bounds: 2**126 + 2**46 * 2**78 + 2**46 * 2**40 * 2**32, eight times.
    """
    g: int256 = quote.g_long if position.size > 0 else quote.g_short
    return Health(
        equity=unsafe_add(
            health.equity,
            unsafe_add(
                unsafe_sub(position.quote, unsafe_mul(position.size, g)),
                unsafe_mul(unsafe_mul(position.size, quote.index), units.SCALE),
            ),
        ),
        initial=unsafe_add(health.initial, self._margin_of(position.size, quote.index, quote.imf)),
        maintenance=unsafe_add(health.maintenance, self._margin_of(position.size, quote.index, quote.mmf)),
        stale=health.stale or quote.fresh == 0,
    )


@internal
@pure
def _cash_only(word: int256) -> Health:
    return Health(equity=slots._cash(word) * units.SCALE, initial=0, maintenance=0, stale=False)


@internal
def _others(word: int256, account: uint256, except_market: int256) -> Health:
    """
    @return Health of the account without its position in one market.
    """
    health: Health = self._rest(word, account, except_market)
    health.maintenance = self._maintenance_of_rest(word, account, except_market)
    return health


@internal
def _rest(word: int256, account: uint256, except_market: int256) -> Health:
    """
    @dev What most trades need of the other positions: all but their maintenance margin, which is left zero.
         Bounds: 2**126 + 2**46 * 2**78 + 2**46 * 2**40 * 2**32, eight times.
    """
    equity: int256 = (word >> 176) << units.SCALE_BITS
    initial: int256 = 0
    fresh: int256 = 1
    instruments: int256 = (word >> 48) & slots.SIGNED_MASK_128
    for i: uint256 in range(8):
        if instruments == 0:
            break
        market: int256 = instruments & slots.SIGNED_MASK_16
        instruments = instruments >> 16
        if market != 0 and market != except_market:
            id: uint256 = convert(market, uint256)
            quote: int256 = self._quote_word(id)
            held: int256 = accounts.positions[(account << 16) | id]
            size: int256 = held >> 192
            index: int256 = (quote >> 57) & slots.SIGNED_MASK_41
            g: int256 = quote >> 177 if size > 0 else (quote << 79) >> 177
            equity = unsafe_add(
                equity,
                unsafe_add(
                    (held << 64) >> 128, unsafe_mul(size, unsafe_sub(unsafe_mul(index, units.SCALE), g))
                ),
            )
            initial = unsafe_add(initial, self._margin_of(size, index, (quote >> 37) & slots.SIGNED_MASK_20))
            fresh = fresh & (quote >> 16)
    return Health(equity=equity, initial=initial, maintenance=0, stale=fresh & 1 == 0)


@internal
def _maintenance_of_rest(word: int256, account: uint256, except_market: int256) -> int256:
    maintenance: int256 = 0
    instruments: int256 = slots._instruments(word)
    for i: uint256 in range(8):
        if instruments == 0:
            break
        market: int256 = instruments & slots.SIGNED_MASK_16
        instruments = instruments >> 16
        if market != 0 and market != except_market:
            id: uint256 = convert(market, uint256)
            quote: int256 = self._quote_word(id)
            size: int256 = accounts.positions[(account << 16) | id] >> 192
            index: int256 = (quote >> 57) & slots.SIGNED_MASK_41
            maintenance += self._margin_of(size, index, (quote >> 17) & slots.SIGNED_MASK_20)
    return maintenance


@internal
@view
def _health(account: uint256, scaled: bool) -> Health:
    """
    @param scaled Whether initial margin is as open interest scales it.
    @return Health of the whole account. Reads every quote afresh, hence a view.
    """
    word: int256 = accounts.words[account]
    health: Health = self._cash_only(word)
    instruments: int256 = slots._instruments(word)
    for i: uint256 in range(8):
        if instruments == 0:
            break
        id: uint256 = convert(instruments & slots.SIGNED_MASK_16, uint256)
        instruments = instruments >> 16
        if id != 0:
            quote: Quote = self._quote_of(markets._load(id))
            if not scaled:
                quote.imf = slots._params(markets.params[id]).imf
            health = self._add_leg(health, slots._position(accounts.positions[(account << 16) | id]), quote)
    return health


@internal
@pure
def _is_improved(equity_0: int256, maintenance_0: int256, equity_1: int256, maintenance_1: int256) -> bool:
    """
    @return Whether a reduction leaves the ratio of equity to maintenance margin no worse. Bounds: 2**130 * 2**112.
    """
    return maintenance_1 < maintenance_0 and equity_1 * maintenance_0 >= equity_0 * maintenance_1


@internal
@view
def _withdrawable(account: uint256) -> uint256:
    """
    @return min(cash, equity - initial margin), micro-USDC; nothing while a leg's price is stale.
    """
    health: Health = self._health(account, True)
    if health.stale:
        return 0
    free: int256 = (health.equity - health.initial * units.SCALE) >> units.SCALE_BITS
    return convert(max(0, min(slots._cash(accounts.words[account]), free)), uint256)
