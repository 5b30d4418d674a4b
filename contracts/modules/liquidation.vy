# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Liquidation
@license GNU Affero General Public License v3.0 only
@notice Take-over of a position whose account fell below maintenance margin, at a price that never passes bankruptcy; and
        what happens to the hole when there is one.
"""

from ..interfaces import events
from . import accounts
from . import margin
from . import markets
from . import positions
from . import slots
from . import units

uses: accounts
uses: margin
uses: markets
uses: positions


@external
@nonreentrant
def liquidate(
    owner: address, subaccount: uint256, market: uint256, size: uint256, liquidator_subaccount: uint256
):
    """
    @notice Takes over up to `size` lots into a subaccount of the caller.
    """
    margin._open_epoch()
    account: uint256 = accounts._key(owner, subaccount)
    liquidator: uint256 = accounts._key(msg.sender, liquidator_subaccount)
    assert account != liquidator, "own account"
    m: markets.Market = markets._load(market)
    assert m.state != 0, "unknown market"
    assert m.fresh, "stale price"
    health: margin.Health = margin._health(account)
    deficit: int256 = health.maintenance * units.SCALE - health.equity
    assert deficit > 0, "account is healthy"
    word: int256 = accounts.positions[(account << 16) | market]
    held: int256 = slots._position(word).size
    assert held != 0, "no such position"
    assert size != 0, "zero size"

    concession: int256 = self._concession(health, m)
    taken: int256 = min(
        convert(min(size, slots.MASK_48), int256), self._closable(health, m, abs(held), concession)
    )
    fund_share: int256 = concession // units.INSURANCE_SHARE
    hole: int256 = 0
    if health.equity <= 0:
        hole = self._hole(
            health,
            margin._margin_of(held, m.index, m.mmf),
            margin._margin_of(abs(held) - taken, m.index, m.mmf),
        )
        m = self._cover(m, hole, held > 0)

    direction: int256 = 1 if held > 0 else -1
    quote: margin.Quote = margin._quote_of(m)
    price: int256 = m.index - direction * (concession - fund_share)
    given: positions.Change = positions._trade(
        account,
        accounts.words[account],
        word,
        quote, -direction * taken,
        m.index - direction * concession, -hole,
        0,
        False,
    )
    assert given.fault == 0, "position limit"
    got: positions.Change = positions._trade(
        liquidator,
        accounts.words[liquidator],
        accounts.positions[(liquidator << 16) | market],
        quote,
        direction * taken,
        price,
        0,
        0,
        True,
    )
    assert got.fault == 0, "liquidator lacks margin"
    m.open_interest += given.open_interest + got.open_interest
    markets._store(m)
    markets._change_insurance(fund_share * taken)
    log events.Liquidated(
        account=owner,
        liquidator=msg.sender,
        subaccount=subaccount,
        liquidator_subaccount=liquidator_subaccount,
        market=market,
        size=direction * taken,
        price=convert(price, uint256),
        insurance_fee=convert(fund_share * taken, uint256),
        covered=convert(hole, uint256),
        position=slots._bits(given.word),
        liquidator_position=slots._bits(got.word),
    )


@internal
@pure
def _concession(health: margin.Health, m: markets.Market) -> int256:
    """
    @return What one lot is given up for, micro-USDC: between the floor and the account's own bankruptcy price.
    """
    if health.equity <= 0:
        return 0
    required: int256 = health.maintenance * units.SCALE
    by_depth: int256 = 3 * (required - health.equity) * m.mmf // (2 * required)
    # a lot's share of the equity, by its maintenance margin rounded down: n lots closed free at least n times that
    to_bankruptcy: int256 = health.equity * (m.mmf * m.index // units.PPM) // required
    return min(max(m.liquidation_floor, by_depth) * m.index // units.PPM, to_bankruptcy)


@internal
@pure
def _closable(health: margin.Health, m: markets.Market, held: int256, concession: int256) -> int256:
    """
    @return How many lots restore initial margin; all when that cannot be or only dust would stay.
    """
    relief: int256 = m.index * m.imf // units.PPM - concession
    if relief <= 0 or health.equity <= 0:
        return held
    relief *= units.SCALE
    lots: int256 = (health.initial * units.SCALE - health.equity + relief - 1) // relief
    if lots >= held or (held - lots) * m.index < units.MIN_NOTIONAL:
        return held
    return lots


@internal
@pure
def _hole(health: margin.Health, margin_0: int256, margin_1: int256) -> int256:
    """
    @return The closed part's share of the account's negative equity, micro-USDC, rounded up.
    """
    required: int256 = health.maintenance * units.SCALE
    return (-health.equity * (margin_0 - margin_1) + required - 1) // required


@internal
def _cover(market: markets.Market, hole: int256, of_long: bool) -> markets.Market:
    """
    @dev Pays a hole from the insurance fund, then by a loss step on the opposite side, at most half the maintenance margin
         per lot and hour.
    """
    m: markets.Market = market
    from_fund: int256 = min(hole, convert(markets.insurance, int256))
    markets._change_insurance(-from_fund)
    rest: int256 = hole - from_fund
    if rest == 0:
        return m
    step: int256 = (rest * units.SCALE + m.open_interest - 1) // m.open_interest
    hour: uint256 = block.timestamp // units.HOUR
    word: uint256 = markets.loss_steps[m.id]
    spread: uint256 = convert(step, uint256)
    if word >> 128 == hour:
        spread += word & (2**128 - 1)
    most: uint256 = convert(m.index * m.mmf * units.SCALE // (2 * units.PPM), uint256)
    assert spread <= most, "loss step exhausted"
    markets.loss_steps[m.id] = (hour << 128) | spread
    if of_long:
        m.g_short -= step
    else:
        m.g_long += step
    m.touched = True
    log events.LossSpread(
        market=m.id,
        longs=not of_long,
        per_lot_scaled=convert(step, uint256),
        g=m.g_short if of_long else m.g_long,
    )
    return m
