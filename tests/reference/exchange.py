# SPDX-License-Identifier: AGPL-3.0-only
"""The whole exchange: accounts, settlement, cancels, keys, liquidation and custody, as docs/protocol.md has them."""

from tests.reference.exits import Exits
from tests.reference.ledger import AccountKey, RefusedError
from tests.reference.orders import MAX_REVISION, NO_ORDER, Slot, Stamps
from tests.reference.sessions import Key
from tests.reference.settlement import (
    ACCOUNT,
    BATCH,
    MARKET,
    NOBODY,
    ORDER,
    Executed,
    Fault,
    Outcome,
    Settlement,
    fee,
)
from tests.reference.takeovers import HandedOver, Takeover

__all__ = [
    "ACCOUNT",
    "BATCH",
    "MARKET",
    "NOBODY",
    "ORDER",
    "AccountKey",
    "Exchange",
    "Executed",
    "Fault",
    "HandedOver",
    "Outcome",
    "RefusedError",
    "Takeover",
    "fee",
]


class Exchange(Settlement, Exits):
    """Everything that anyone can do. What is refused raises `RefusedError` and changes nothing."""

    # Custody

    def deposit(self, key: AccountKey, amount: int) -> None:
        self.accounts[key].cash += amount
        self.vault += amount

    def withdraw(self, key: AccountKey, amount: int) -> None:
        if not 0 < amount <= self.withdrawable(key):
            raise RefusedError("more than is withdrawable")
        self.accounts[key].cash -= amount
        self.vault -= amount

    def donate_insurance(self, amount: int) -> None:
        self.insurance += amount
        self.vault += amount

    # Cancels

    def cancel_slot(self, signer: str, slot: int) -> int:
        stamps = self.slot_cancels[signer, slot]
        earlier = stamps.stamps[-1] if stamps.stamps else 0
        stamp = self._cancel(stamps)
        if self.slots[signer, slot].generation <= earlier * 1000:
            self.slots[signer, slot] = Slot(earlier * 1000, MAX_REVISION, 0, NO_ORDER)
        return stamp

    def cancel_all(self, key: AccountKey) -> int:
        return self._cancel(self.account_cancels[key])

    def _cancel(self, stamps: Stamps) -> int:
        try:
            return stamps.add(self.now, self.window)
        except ValueError as error:
            raise RefusedError(str(error)) from None

    # Session keys

    def register_session_key(self, account: str, key: str, terms: Key, nonce: int) -> None:
        """With the account's consent, however it was given."""
        if any(market not in self.markets for market in terms.markets):
            raise RefusedError("unknown market")
        try:
            self.keys.register(account, key, terms, nonce, self.now)
        except ValueError as error:
            raise RefusedError(str(error)) from None

    def revoke_session_key(self, account: str, key: str, by: str) -> int:
        try:
            return self.keys.revoke(account, key, by, self.now, self.window)
        except ValueError as error:
            raise RefusedError(str(error)) from None

    # Referrers

    def register_referrer(self, payee: AccountKey) -> int:
        return self.referrers.register(payee)

    def claim_referral(self, number: int) -> int:
        try:
            payee, amount = self.referrers.claim(number)
        except ValueError as error:
            raise RefusedError(str(error)) from None
        self.accounts[payee].cash += amount
        return amount
