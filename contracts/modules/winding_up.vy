# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Winding up
@license GNU Affero General Public License v3.0 only
@notice The end of a market, as of an expired future: trading ends, one price is fixed, insolvent accounts are closed at the expense
        of those who pay for holes, then everybody is closed at that price, in whatever order.
"""

from ..interfaces import events
from . import accounts
from . import margin
from . import markets
from . import positions
from . import roles
from . import slots
from . import takeovers
from . import units
from . import waterfall

uses: accounts
uses: margin
uses: markets
uses: roles
uses: takeovers
uses: waterfall

SILENCE: constant(uint256) = 72 * units.HOUR
NOTICE: constant(uint256) = units.HOUR  # from the end of trading to the price
PATIENCE: constant(uint256) = 24 * units.HOUR  # with an oracle that has no price
INSOLVENT_FIRST: constant(uint256) = 24 * units.HOUR
MAX_ACCOUNTS: constant(uint256) = 32

# markets.settling, while SETTLING: the time from which a price counts; once SETTLED: time of fixing 40 | short lots left 48


@external
@nonreentrant
def begin_settling(market: uint256):
    """
    @notice Ends trading in a market for ever. For governance; for anyone once no batch settled anything for 72 hours.
    """
    if msg.sender != roles.ownable.owner:
        assert markets._last_batch() != 0, "batches are settled"
        assert block.timestamp >= markets._last_batch() + SILENCE, "batches are settled"
    p: slots.Params = slots._params(markets.params[market])
    assert p.state != 0, "unknown market"
    assert p.state < markets.SETTLING, "market is settling"
    settle_at: uint256 = block.timestamp + NOTICE
    markets.settling[market] = settle_at
    p.state = markets.SETTLING
    markets._change(market, p)
    log events.SettlingBegun(market=market, settle_at=settle_at)


@external
@nonreentrant
def fix_settlement(market: uint256):
    """
    @notice Fixes the price at which a market ends: the first one published an hour or more after trading ended. If there is none for
            a day more, the one that the market counts at.
    """
    p: slots.Params = slots._params(markets.params[market])
    assert p.state == markets.SETTLING, "market is not settling"
    settle_at: uint256 = markets.settling[market]
    assert block.timestamp >= settle_at, "not due yet"
    price: int256 = 0
    published_at: uint256 = 0
    price, published_at = markets._published(market)
    assert (published_at >= settle_at or block.timestamp >= settle_at + PATIENCE), "no price yet"
    m: markets.Market = markets._load(market)
    # funding ends with what is accrued
    m.accrued = 0
    m.slope = 0
    m.rate = 0
    m.premium = 0
    m.volume = 0
    m.touched = True
    markets._store(m)
    markets.settling[market] = (block.timestamp << 48) | convert(m.open_interest, uint256)
    p.state = markets.SETTLED
    markets._change(market, p)
    log events.SettlementFixed(
        market=market,
        price=convert(m.index, uint256),
        everyone_from=block.timestamp + INSOLVENT_FIRST,
    )


@external
@nonreentrant
def settle_positions(market: uint256, batch: DynArray[uint256, MAX_ACCOUNTS]):
    """
    @notice Closes positions of a settled market at its price: for a day those of insolvent accounts only, so that what they cannot pay
            is paid before anyone is paid out. Accounts that do not qualify are passed over.
    @param batch Accounts, `owner << 16 | subaccount`.
    """
    margin._open_epoch()
    m: markets.Market = markets._load(market)
    assert m.state == markets.SETTLED, "market is not settled"
    word: uint256 = markets.settling[market]
    fixed_at: uint256 = word >> 48
    shorts: int256 = convert(word & slots.MASK_48, int256)
    everyone: bool = block.timestamp >= fixed_at + INSOLVENT_FIRST
    for account: uint256 in batch:
        accounts._check_key(account)
        held: int256 = accounts.positions[(account << 16) | market]
        size: int256 = slots._position(held).size
        if size == 0:
            continue
        quote: margin.Quote = margin._quote_of(m)
        others: margin.Health = margin._others(accounts.words[account], account, convert(market, int256))
        health: margin.Health = margin._add_leg(others, slots._position(held), quote)
        if health.equity >= 0 and not everyone:
            continue
        hole: int256 = 0
        rest: int256 = 0
        if health.equity < 0:
            # what another market lost is not paid for here
            lost: int256 = (others.equity - health.equity + units.SCALE - 1) // units.SCALE
            share: int256 = waterfall._hole(health, health.maintenance - others.maintenance, 0)
            hole = max(0, min(share, lost))
            rest = waterfall._pay_from_reserves(hole)
            if not everyone:
                # a lot bears at most what a lot left unpaid
                most: int256 = (rest * units.SCALE + abs(size) - 1) // abs(size)
                step: int256 = 0
                m, rest, step = waterfall._spread(
                    m, rest, shorts if size > 0 else m.open_interest, size > 0, most
                )
        change: positions.Change = takeovers._change(account, m, -size, m.index, rest - hole, False)
        assert change.fault == 0, "position limit"
        m.open_interest += change.open_interest
        shorts -= max(-size, 0)
        log events.PositionSettled(
            account=accounts._owner_of(account),
            subaccount=account & slots.MASK_16,
            market=market,
            size=size,
            covered=convert(hole - rest, uint256),
        )
    markets._store(m)
    markets.settling[market] = (fixed_at << 48) | convert(shorts, uint256)


@external
@nonreentrant
def cover_debt(owner: address, subaccount: uint256):
    """
    @notice Pays the debt that a settled position left in an account without positions, as far as insurance fund and backstop can.
    """
    account: uint256 = accounts._key(owner, subaccount)
    word: int256 = accounts.words[account]
    debt: int256 = -slots._cash(word)
    assert debt > 0 and slots._instruments(word) == 0, "no debt"
    paid: int256 = debt - waterfall._pay_from_reserves(debt)
    assert paid != 0, "nothing to pay with"
    cash: int256 = accounts._add_cash(account, paid)
    log events.DebtCovered(account=owner, subaccount=subaccount, amount=convert(paid, uint256), cash=cash)
