# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Referrers
@license GNU Affero General Public License v3.0 only
@notice Whoever registers gets a number that orders may name, and for it a share of the fees that those orders pay.
"""

from ..interfaces import events
from . import accounts
from . import slots
from . import units

uses: accounts

payees: HashMap[uint256, uint256]  # account by number
accrued: HashMap[uint256, uint256]  # micro-USDC by number
count: uint256
share: uint256  # ppm of a fee
tiers: DynArray[uint256, 8]  # the published fee schedule


@internal
@view
def _part(number: uint256, fee: int256, net: int256) -> int256:
    """
    @dev Of `net`, which taker and maker pay together, at most the share: what one of them is paid is no fee.
    @return What the referrer gets of a fee, rounded down; 0 for a number that nobody has.
    """
    if number == 0 or self.payees[number] == 0:
        return 0
    return max(0, min(fee, net)) * convert(self.share, int256) // units.PPM


@internal
def _accrue(number: uint256, fee: int256, net: int256):
    amount: uint256 = convert(self._part(number, fee, net), uint256)
    if amount != 0:
        self.accrued[number] += amount
        log events.ReferralAccrued(number=number, amount=amount, balance=self.accrued[number])


@internal
@view
def _share_of(terms: uint256) -> int256:
    """
    @return The share, ppm, that somebody else gets of the fees of an order with these terms.
    """
    return convert(self.share, int256) if self.payees[terms & slots.MASK_32] != 0 else 0


@internal
def _register(owner: address, subaccount: uint256) -> uint256:
    number: uint256 = self.count + 1
    assert number <= slots.MASK_32, "no number left"
    self.count = number
    self.payees[number] = accounts._key(owner, subaccount)
    log events.ReferrerRegistered(number=number, account=owner, subaccount=subaccount)
    return number


@internal
def _claim(number: uint256):
    amount: uint256 = self.accrued[number]
    assert amount != 0, "nothing to claim"
    payee: uint256 = self.payees[number]
    self.accrued[number] = 0
    cash: int256 = accounts._add_cash(payee, convert(amount, int256))
    owner: address = accounts._owner_of(payee)
    log events.ReferralClaimed(number=number, account=owner, subaccount=payee & slots.MASK_16, amount=amount)
    log events.Credited(account=owner, subaccount=payee & slots.MASK_16, amount=amount, cash=cash)


@internal
def _set_share(share: uint256):
    assert share <= units.MAX_REFERRER_SHARE, "share above 50%"
    self.share = share
    log events.ReferrerShareSet(share_ppm=share)
