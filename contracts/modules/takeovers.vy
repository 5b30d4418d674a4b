# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Take-overs
@license GNU Affero General Public License v3.0 only
@notice What every forced or requested close has in common: it is at the price of now, and nobody signs an order for it.
"""

from . import accounts
from . import margin
from . import markets
from . import positions

uses: accounts
uses: markets
uses: positions


@internal
@view
def _open_market(market: uint256) -> markets.Market:
    """
    @return The market, if positions in it can be closed at its price.
    """
    m: markets.Market = markets._load(market)
    assert m.state != 0, "unknown market"
    assert m.state != markets.SETTLED, "market settled"
    assert m.fresh, "stale price"
    return m


@internal
@view
def _held(account: uint256, market: uint256) -> int256:
    return accounts.positions[(account << 16) | market]


@internal
def _change(
    account: uint256,
    m: markets.Market,
    delta: int256,
    price: int256,
    fee: int256,
    enforce_margin: bool,
) -> positions.Change:
    """
    @notice Adds `delta` signed lots at `price` and charges `fee` (negative credits) to an account.
    """
    return positions._trade(
        account,
        accounts.words[account],
        self._held(account, m.id),
        margin._quote_of(m),
        delta,
        price,
        fee,
        0,
        enforce_margin,
    )
