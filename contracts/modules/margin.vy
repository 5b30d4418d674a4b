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
    index: int256
    g_long: int256
    g_short: int256
    imf: int256
    mmf: int256
    fresh: bool


# An epoch per outer call: a later call in the same transaction must not read quotes of an earlier one.
epoch: transient(uint256)
quote_epochs: transient(HashMap[uint256, uint256])
quotes: transient(HashMap[uint256, Quote])


@internal
def _open_epoch():
    self.epoch = unsafe_add(self.epoch, 1)


@internal
def _quote(market: uint256) -> Quote:
    if self.quote_epochs[market] == self.epoch:
        return self.quotes[market]
    quote: Quote = self._quote_of(markets._load(market))
    self.quotes[market] = quote
    self.quote_epochs[market] = self.epoch
    return quote


@internal
@pure
def _quote_of(m: markets.Market) -> Quote:
    return Quote(index=m.index, g_long=m.g_long, g_short=m.g_short, imf=m.imf, mmf=m.mmf, fresh=m.fresh)


@internal
@pure
def _margin_of(size: int256, index: int256, fraction: int256) -> int256:
    """
    @return ceil(|size| * index * fraction), micro-USDC. Bounds: 2**46 * 2**40 * 2**24.
    """
    return unsafe_div(
        unsafe_add(unsafe_mul(unsafe_mul(abs(size), index), fraction), units.PPM - 1), units.PPM
    )


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
        stale=health.stale or not quote.fresh,
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
    health: Health = self._cash_only(word)
    instruments: int256 = slots._instruments(word)
    for i: uint256 in range(8):
        if instruments == 0:
            break
        market: int256 = instruments & slots.SIGNED_MASK_16
        instruments = instruments >> 16
        if market != 0 and market != except_market:
            id: uint256 = convert(market, uint256)
            health = self._add_leg(
                health, slots._position(accounts.positions[(account << 16) | id]), self._quote(id)
            )
    return health


@internal
@view
def _health(account: uint256) -> Health:
    """
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
            health = self._add_leg(
                health,
                slots._position(accounts.positions[(account << 16) | id]),
                self._quote_of(markets._load(id)),
            )
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
    health: Health = self._health(account)
    if health.stale:
        return 0
    free: int256 = (health.equity - health.initial * units.SCALE) >> units.SCALE_BITS
    return convert(max(0, min(slots._cash(accounts.words[account]), free)), uint256)
