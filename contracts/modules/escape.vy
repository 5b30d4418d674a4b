# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Escape
@license GNU Affero General Public License v3.0 only
@notice The way out of a position that needs no operator: requested now, executed by anyone at a price that did not exist when it was
        requested, against accounts on the opposite side, which are paid for it.
"""

from ..interfaces import events
from . import accounts
from . import deleveraging
from . import margin
from . import markets
from . import positions
from . import slots
from . import takeovers
from . import units

uses: accounts
uses: deleveraging
uses: margin
uses: markets
uses: takeovers

WAIT: constant(uint256) = 6 * units.HOUR
LIFE: constant(uint256) = units.HOUR
CLOSE_FEE_PPM: constant(int256) = 5_000

# a request: lots 48 | ready at 40 | bit 0: of a long position


@external
@nonreentrant
def request_close(subaccount: uint256, market: uint256, size: uint256):
    """
    @notice Asks to close up to `size` lots of the caller's position in six hours. Cannot be taken back; a request that nobody executes
            lapses an hour after it is due.
    """
    account: uint256 = accounts._key(msg.sender, subaccount)
    state: uint256 = slots._params(markets.params[market]).state
    assert state != 0, "unknown market"
    assert state < markets.SETTLING, "market is settling"
    key: uint256 = (account << 16) | market
    held: int256 = accounts.positions[key] >> 192
    assert held != 0, "no such position"
    assert size != 0 and size <= convert(abs(held), uint256), "size not in 1..position"
    pending: uint256 = accounts.close_requests[key]
    assert pending == 0 or block.timestamp >= self._ready_at(pending) + LIFE, "close pending"
    ready_at: uint256 = block.timestamp + WAIT
    is_long: uint256 = 1 if held > 0 else 0
    accounts.close_requests[key] = (size << 41) | (ready_at << 1) | is_long
    log events.CloseRequested(
        account=msg.sender,
        subaccount=subaccount,
        market=market,
        size=convert(size, int256) if held > 0 else -convert(size, int256),
        ready_at=ready_at,
    )


@external
@nonreentrant
def execute_close(
    owner: address,
    subaccount: uint256,
    market: uint256,
    counterparties: DynArray[uint256, deleveraging.MAX_COUNTERPARTIES],
    sizes: DynArray[uint256, deleveraging.MAX_COUNTERPARTIES],
):
    """
    @notice Closes what was requested, or what the listed opposite accounts hold of it. They get the fee, as a better price.
    @param counterparties Accounts, `owner << 16 | subaccount`. One that has moved away counts with what it still has.
    @param sizes Lots, one entry for each.
    """
    margin._open_epoch()
    account: uint256 = accounts._key(owner, subaccount)
    key: uint256 = (account << 16) | market
    request: uint256 = accounts.close_requests[key]
    assert request != 0, "no such request"
    ready_at: uint256 = self._ready_at(request)
    assert block.timestamp >= ready_at, "not due yet"
    assert block.timestamp < ready_at + LIFE, "request lapsed"
    m: markets.Market = takeovers._open_market(market)
    index: int256 = 0
    published_at: uint256 = 0
    index, published_at = markets._published(market)
    assert published_at >= ready_at, "price from before"
    held: int256 = accounts.positions[key] >> 192
    assert held != 0 and (held > 0) == (request & 1 == 1), "no such position"
    size: int256 = convert(request >> 41, int256)
    lots: DynArray[int256, deleveraging.MAX_COUNTERPARTIES] = []
    total: int256 = 0
    lots, total = deleveraging._lots_of(market, held, min(size, abs(held)), counterparties, sizes)

    direction: int256 = 1 if held > 0 else -1
    price: int256 = m.index - direction * ((m.index * CLOSE_FEE_PPM + units.PPM - 1) // units.PPM)
    given: positions.Change = takeovers._change(account, m, -direction * total, price, 0, True)
    assert given.fault == 0, "account lacks margin"
    deleveraging._hand_over(m, given.open_interest, direction, price, counterparties, lots)
    left: uint256 = convert(size - total, uint256)
    accounts.close_requests[key] = 0 if left == 0 else (left << 41) | (request & (2**41 - 1))
    log events.CloseExecuted(
        account=owner,
        subaccount=subaccount,
        market=market,
        size=direction * total,
        price=convert(price, uint256),
        left=left,
        position=slots._bits(given.word),
    )


@internal
@pure
def _ready_at(request: uint256) -> uint256:
    return (request >> 1) & slots.MASK_40
