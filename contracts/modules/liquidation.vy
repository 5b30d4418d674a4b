# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Liquidation
@license GNU Affero General Public License v3.0 only
@notice Take-over of a position whose account fell below maintenance margin, at a price that never passes bankruptcy.
"""

from ..interfaces import events
from . import accounts
from . import margin
from . import markets
from . import positions
from . import slots
from . import takeovers
from . import units
from . import waterfall

uses: margin
uses: markets
uses: takeovers
uses: waterfall


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
    m: markets.Market = takeovers._open_market(market)
    health: margin.Health = margin._health(account, False)
    deficit: int256 = health.maintenance * units.SCALE - health.equity
    assert deficit > 0, "account is healthy"
    held: int256 = takeovers._held(account, market) >> 192
    assert held != 0, "no such position"
    assert size != 0, "zero size"

    concession: int256 = self._concession(health, m)
    taken: int256 = min(
        convert(min(size, slots.MASK_48), int256), self._closable(health, m, abs(held), concession)
    )
    fund_share: int256 = concession // units.INSURANCE_SHARE
    hole: int256 = 0
    # a hole that a stale price may have made stays with the legs that are left
    if health.equity <= 0 and not health.stale:
        hole = waterfall._hole(
            health,
            margin._margin_of(held, m.index, m.mmf),
            margin._margin_of(abs(held) - taken, m.index, m.mmf),
        )
        rest: int256 = 0
        m, rest = waterfall._pay(m, hole, held > 0)
        assert rest == 0, "loss step exhausted"

    direction: int256 = 1 if held > 0 else -1
    price: int256 = m.index - direction * (concession - fund_share)
    # the fund's share is the difference of the two prices
    given: positions.Change = takeovers._change(
        account, m, -direction * taken, m.index - direction * concession, -hole, False
    )
    assert given.fault == 0, "position limit"
    got: positions.Change = takeovers._change(liquidator, m, direction * taken, price, 0, True)
    assert got.fault == 0, "liquidator lacks margin"
    m.open_interest += given.open_interest + got.open_interest
    markets._store(m)
    waterfall._collect(fund_share * taken)
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
    @return How many lots restore initial margin, unscaled: nobody makes a take-over larger by pumping open interest. All
            when that cannot be or only dust would stay.
    """
    relief: int256 = m.index * m.base_imf // units.PPM - concession
    if relief <= 0 or health.equity <= 0:
        return held
    relief *= units.SCALE
    lots: int256 = (health.initial * units.SCALE - health.equity + relief - 1) // relief
    if lots >= held or (held - lots) * m.index < units.MIN_NOTIONAL:
        return held
    return lots
