# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Deleveraging
@license GNU Affero General Public License v3.0 only
@notice Hands a position to accounts on the opposite side, which thereby close: the end of the waterfall, at a price that pays what
        nothing else could.
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

MAX_COUNTERPARTIES: constant(uint256) = 16


@external
@nonreentrant
def deleverage(
    owner: address,
    subaccount: uint256,
    market: uint256,
    counterparties: DynArray[uint256, MAX_COUNTERPARTIES],
    sizes: DynArray[uint256, MAX_COUNTERPARTIES],
):
    """
    @notice Closes what the listed opposite accounts hold of an insolvent account's position. Needs that insurance fund, backstop and
            loss step, which pay first, leave something unpaid: it is in the price.
    @param counterparties Accounts, `owner << 16 | subaccount`. One that has moved away counts with what it still has.
    @param sizes Lots, one entry for each.
    """
    margin._open_epoch()
    account: uint256 = accounts._key(owner, subaccount)
    m: markets.Market = takeovers._open_market(market)
    health: margin.Health = margin._health(account, False)
    assert health.equity < 0, "account is solvent"
    assert not health.stale, "stale leg"
    held: int256 = takeovers._held(account, market) >> 192
    assert held != 0, "no such position"
    lots: DynArray[int256, MAX_COUNTERPARTIES] = []
    total: int256 = 0
    lots, total = self._lots_of(market, held, abs(held), counterparties, sizes)

    hole: int256 = waterfall._hole(
        health,
        margin._margin_of(held, m.index, m.mmf),
        margin._margin_of(abs(held) - total, m.index, m.mmf),
    )
    rest: int256 = 0
    m, rest = waterfall._pay(m, hole, held > 0)
    assert rest != 0, "nothing is left unpaid"
    per_lot: int256 = (rest + total - 1) // total
    assert per_lot < m.index, "hole too deep"
    # what rounding up takes too much is the insurance fund's
    surplus: int256 = per_lot * total - rest
    direction: int256 = 1 if held > 0 else -1
    price: int256 = m.index + direction * per_lot
    given: positions.Change = takeovers._change(
        account, m, -direction * total, price, surplus - (hole - rest), False
    )
    assert given.fault == 0, "position limit"
    self._hand_over(m, given.open_interest, direction, price, counterparties, lots)
    markets._change_insurance(surplus)
    log events.Deleveraged(
        account=owner,
        subaccount=subaccount,
        market=market,
        size=direction * total,
        price=convert(price, uint256),
        insurance_fee=convert(surplus, uint256),
        covered=convert(hole - rest, uint256),
        position=slots._bits(given.word),
    )


@internal
@view
def _lots_of(
    market: uint256,
    held: int256,
    most: int256,
    counterparties: DynArray[uint256, MAX_COUNTERPARTIES],
    sizes: DynArray[uint256, MAX_COUNTERPARTIES],
) -> (DynArray[int256, MAX_COUNTERPARTIES], int256):
    """
    @dev Nobody can make the whole fail by moving away: whoever has less counts with that.
    @return How many lots each counterparty can close against a position of `held` lots, `most` at the most; and their sum.
    """
    assert len(counterparties) == len(sizes), "one size for each"
    lots: DynArray[int256, MAX_COUNTERPARTIES] = []
    left: int256 = most
    for i: uint256 in range(len(counterparties), bound=MAX_COUNTERPARTIES):
        accounts._check_key(counterparties[i])
        against: int256 = takeovers._held(counterparties[i], market) >> 192
        part: int256 = 0
        if (against > 0) != (held > 0):
            part = min(min(convert(min(sizes[i], slots.MASK_48), int256), abs(against)), left)
            for k: uint256 in range(i, bound=MAX_COUNTERPARTIES):
                assert counterparties[k] != counterparties[i], "counterparty named twice"
        lots.append(part)
        left -= part
    assert left != most, "no counterparty"
    return lots, most - left


@internal
def _hand_over(
    market: markets.Market,
    growth: int256,
    direction: int256,
    price: int256,
    counterparties: DynArray[uint256, MAX_COUNTERPARTIES],
    lots: DynArray[int256, MAX_COUNTERPARTIES],
):
    """
    @notice Gives each counterparty its lots of a position (`direction` 1: a long one), which closes as many of its own; and stores
            the market.
    @param growth By how much the open interest grew when the position was given.
    """
    m: markets.Market = market
    m.open_interest += growth
    for i: uint256 in range(len(counterparties), bound=MAX_COUNTERPARTIES):
        if lots[i] == 0:
            continue
        account: uint256 = counterparties[i]
        change: positions.Change = takeovers._change(account, m, direction * lots[i], price, 0, True)
        assert change.fault == 0, "counterparty lacks margin"
        m.open_interest += change.open_interest
        log events.HandedOver(
            counterparty=accounts._owner_of(account),
            subaccount=account & slots.MASK_16,
            market=m.id,
            size=direction * lots[i],
            price=convert(price, uint256),
            position=slots._bits(change.word),
        )
    markets._store(m)
