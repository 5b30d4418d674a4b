# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Accounts
@license GNU Affero General Public License v3.0 only
@notice One word per account, one per position. An account's key is `owner << 16 | subaccount`, a position's key is
        `account << 16 | market`.
"""

from ..interfaces import events
from . import slots
from . import units

vault: public(address)
words: HashMap[uint256, int256]
positions: HashMap[uint256, int256]
older_floors: HashMap[uint256, uint256]  # the cancel floor in force while a newer one is pending
close_requests: HashMap[uint256, uint256]  # by position; laid out in escape.vy
backstop: public(address)  # whose account 0 pays when the insurance fund cannot


@internal
@pure
def _key(owner: address, subaccount: uint256) -> uint256:
    assert subaccount <= slots.MASK_16, "subaccount above 65535"
    return (convert(owner, uint256) << 16) | subaccount


@internal
@pure
def _check_key(account: uint256):
    """
    @dev A key with more bits would share its positions with another account.
    """
    assert account >> 176 == 0, "no such account"


@internal
@pure
def _owner_of(account: uint256) -> address:
    return convert(account >> 16, address)


@internal
def _add_cash(account: uint256, amount: int256) -> int256:
    word: int256 = self.words[account]
    cash: int256 = slots._cash(word) + amount
    assert abs(cash) < units.MAX_CASH, "cash limit"
    self.words[account] = slots._with_cash(word, cash)
    return cash


@internal
@view
def _is_floored(account: uint256, word: int256, generation: uint256, window: uint256) -> bool:
    """
    @return Whether a cancel-all in force covers orders of this generation.
    """
    newest: uint256 = slots._cancel_floor(word)
    if newest == 0:
        return False
    if block.timestamp + units.MAX_AHEAD >= newest + window:
        return generation <= newest * 1000
    # the newest is pending: an older one may be in force
    return (word & 1) == 1 and generation <= self.older_floors[account] * 1000


@internal
def _cancel_all(account: uint256, subaccount: uint256, window: uint256):
    word: int256 = self.words[account]
    newest: uint256 = slots._cancel_floor(word)
    assert newest == 0 or block.timestamp + units.MAX_AHEAD >= newest + window, "cancel pending"
    if newest != 0:
        self.older_floors[account] = newest
    stamp: uint256 = block.timestamp + units.MAX_AHEAD
    self.words[account] = slots._with_floor(word, stamp, newest != 0)
    log events.AllCancelled(
        account=self._owner_of(account),
        subaccount=subaccount,
        stamp=stamp,
        effective_at=block.timestamp + window,
    )
