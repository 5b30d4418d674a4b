# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Custody
@license GNU Affero General Public License v3.0 only
@notice How cash enters and leaves accounts. Tokens stay in the Vault; here are only the claims on them.
"""

from ..interfaces import events
from . import accounts
from . import margin
from . import markets
from . import slots
from . import units

uses: accounts
uses: margin
uses: markets


@internal
@view
def _only_vault():
    assert msg.sender == accounts.vault, "only the vault"


@external
@nonreentrant
def credit(owner: address, subaccount: uint256, amount: uint256):
    """
    @notice The Vault received `amount` for this account.
    """
    self._only_vault()
    assert amount < convert(units.MAX_CASH, uint256), "amount limit"
    self._credit(owner, subaccount, amount)


@external
@nonreentrant
def debit(owner: address, subaccount: uint256, amount: uint256):
    """
    @notice The Vault is about to pay `amount` out of this account.
    """
    self._only_vault()
    account: uint256 = accounts._key(owner, subaccount)
    assert amount != 0, "nothing to take"
    assert amount <= margin._withdrawable(account), "more than is withdrawable"
    cash: int256 = accounts._add_cash(account, -convert(amount, int256))
    log events.Debited(account=owner, subaccount=subaccount, amount=amount, cash=cash)


@external
@nonreentrant
def credit_insurance(amount: uint256):
    """
    @notice The Vault received `amount` as a gift to the insurance fund.
    """
    self._only_vault()
    assert amount < convert(units.MAX_CASH, uint256), "amount limit"
    markets._change_insurance(convert(amount, int256))


@internal
def _credit(owner: address, subaccount: uint256, amount: uint256):
    cash: int256 = accounts._add_cash(accounts._key(owner, subaccount), convert(amount, int256))
    log events.Credited(account=owner, subaccount=subaccount, amount=amount, cash=cash)


@internal
def _withdraw_fees(owner: address, subaccount: uint256, amount: uint256):
    markets._take_fees(amount)
    log events.FeesWithdrawn(account=owner, subaccount=subaccount, amount=amount)
    self._credit(owner, subaccount, amount)


@external
@view
def withdrawable(owner: address, subaccount: uint256) -> uint256:
    """
    @return What the account could withdraw now, micro-USDC.
    """
    return margin._withdrawable(accounts._key(owner, subaccount))


@external
@view
def cash(owner: address, subaccount: uint256) -> int256:
    """
    @return Cash of the account, micro-USDC; losses of closed positions may make it negative.
    """
    return slots._cash(accounts.words[accounts._key(owner, subaccount)])
