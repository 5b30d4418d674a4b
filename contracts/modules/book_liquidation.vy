# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Liquidation on the book
@license GNU Affero General Public License v3.0 only
@notice A fill whose taker is not asked: the position of an account below maintenance margin against a resting order, at a price at least as
        good as a liquidator would pay. What is better than that stays with the account.
"""

from . import accounts
from . import execution
from . import liquidation
from . import margin
from . import markets
from . import positions
from . import reasons
from . import slots
from . import units
from . import waterfall

uses: accounts
uses: execution
uses: margin
uses: markets
uses: positions
uses: waterfall


@external
def execute_liquidation(
    fill: uint256, venue: execution.Venue, taker: execution.Side, maker: execution.Side
) -> int256:
    """
    @notice One fill of an account that is being liquidated. Only the contract itself calls this, from `settle`.
    @param taker Whose position and which direction; it pays no fee but the insurance fund's share.
    @return By how many lots the open interest grows.
    """
    assert msg.sender == self, "only self"
    m: markets.Market = markets._load(convert(venue.quote.market, uint256))
    account: uint256 = taker.terms >> 80
    held: int256 = accounts.positions[(account << 16) | m.id]
    size: int256 = convert((fill >> 96) & slots.MASK_48, int256)
    price: int256 = convert((fill >> 144) & slots.MASK_48, int256)
    share: int256 = self._share(account, held >> 192, taker, m, size, price)
    taken: positions.Change = positions._trade(
        account,
        accounts.words[account],
        held,
        venue.quote, -size if held > 0 else size,
        price,
        share * size,
        0,
        False,
    )
    if taken.fault != 0:
        reasons._reject(reasons.NOT_LIQUIDATABLE)
    made: positions.Change = execution._execute(fill, venue, maker, reasons.MAKER)
    waterfall._collect(share * size)
    execution._refer(taker, maker)
    execution._log_fill(fill, venue.quote.market, taker, maker, taken.word, made.word)
    return taken.open_interest + made.open_interest


@internal
@view
def _share(
    account: uint256, held: int256, taker: execution.Side, m: markets.Market, size: int256, price: int256
) -> int256:
    """
    @dev Rejects what is not a liquidation, or worse than one.
    @return What the insurance fund gets for a lot, micro-USDC.
    """
    health: margin.Health = margin._health(account, False)
    sells: bool = taker.amounts & slots.SELL != 0
    if (
        health.equity <= 0
        or health.equity >= health.maintenance * units.SCALE
        or held == 0
        or (held > 0) != sells
        or taker.fee != 0
    ):
        reasons._reject(reasons.NOT_LIQUIDATABLE)
    concession: int256 = liquidation._concession(health, m)
    share: int256 = concession // units.INSURANCE_SHARE
    given_up: int256 = (m.index - price if sells else price - m.index) + share
    if given_up > concession or size > liquidation._closable(health, m, abs(held), concession):
        reasons._reject(reasons.NOT_LIQUIDATABLE)
    return share
