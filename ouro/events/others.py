# SPDX-License-Identifier: Apache-2.0
"""Events of the Vault, of what says prices, of the Backstop and of the Timelock; and of whatever has an owner."""

import msgspec

from ouro.events.base import Event

# Vault


class Deposited(Event, frozen=True):
    account: str
    subaccount: int
    amount: int
    payer: str


class Donated(Event, frozen=True):
    payer: str
    amount: int


class WithdrawalRequested(Event, frozen=True):
    id: int
    account: str
    subaccount: int
    amount: int
    to: str
    ready_at: int


class WithdrawalCancelled(Event, frozen=True):
    id: int
    account: str


class Withdrawn(Event, frozen=True):
    account: str
    subaccount: int
    amount: int
    to: str
    id_or_nonce: int
    instant: bool


class WithdrawalApproved(Event, frozen=True):
    id: int
    approver: str


class RulesSet(Event, frozen=True):
    """Where alone an account's withdrawals may go and who must consent to each, from `effective_at` on; the zero
    address for anywhere and nobody.
    """

    account: str
    destination: str
    approver: str
    effective_at: int


class QueueStretched(Event, frozen=True):
    until: int


class OutflowLimitsSet(Event, frozen=True):
    """What may leave in an hour and in a day: a floor in micro-USDC, and a share of what is held in ppm."""

    hour_floor: int
    hour_share: int
    day_floor: int
    day_share: int


class CosignerSet(Event, frozen=True):
    cosigner: str
    allowed: bool


# PushedOracle


class PricePushed(Event, frozen=True):
    market: int
    price: int
    published_at: int


class SignerSet(Event, frozen=True):
    signer: str


# OracleRouter


class PriceSource(msgspec.Struct, frozen=True):
    """One source of a market's price: an adapter, which of its feeds, and how old (s) an answer may be."""

    adapter: str
    feed: bytes
    max_age: int


class SourcesSet(Event, frozen=True):
    """`max_deviation` is in ppm of the median."""

    market: int
    size_decimals: int
    quorum: int
    max_deviation: int
    sources: tuple[PriceSource, ...]


class SourceDisabled(Event, frozen=True):
    market: int
    index: int


class SourceEnabled(Event, frozen=True):
    market: int
    index: int


# Backstop: its own events, and those of every ERC-4626 vault


class RedeemRequested(Event, frozen=True):
    """`owner` may redeem `shares` between two times, seconds since 1970."""

    id: int
    owner: str
    shares: int
    ready_at: int
    lapses_at: int


class RedeemReturned(Event, frozen=True):
    id: int
    owner: str
    shares: int


class IncomeBooked(Event, frozen=True):
    """Micro-USDC; what is `locked` becomes the shares' until `ends_at`."""

    amount: int
    locked: int
    ends_at: int


class LossBooked(Event, frozen=True):
    amount: int
    cash: int


class Ruined(Event, frozen=True):
    series: int
    cash: int


class Revived(Event, frozen=True):
    series: int
    cash: int


class WrittenOff(Event, frozen=True):
    series: int
    shares: int
    cash: int


class Deposit(Event, frozen=True):
    sender: str
    owner: str
    assets: int
    shares: int


class Withdraw(Event, frozen=True):
    sender: str
    receiver: str
    owner: str
    assets: int
    shares: int


class Transfer(Event, frozen=True):
    sender: str
    receiver: str
    value: int


class Approval(Event, frozen=True):
    owner: str
    spender: str
    value: int


class RoleMinterChanged(Event, frozen=True):
    minter: str
    status: bool


# Timelock


class RoleGranted(Event, frozen=True):
    role: bytes
    account: str
    sender: str


class RoleRevoked(Event, frozen=True):
    role: bytes
    account: str
    sender: str


class MinimumDelayChange(Event, frozen=True):
    """Seconds."""

    old_duration: int
    new_duration: int


class CallScheduled(Event, frozen=True):
    """One call of an operation; `delay` in seconds, `amount` in wei."""

    id: bytes
    index: int
    target: str
    amount: int
    payload: bytes
    predecessor: bytes
    delay: int


class CallSalt(Event, frozen=True):
    id: bytes
    salt: bytes


class CallExecuted(Event, frozen=True):
    id: bytes
    index: int
    target: str
    amount: int
    payload: bytes


class Cancelled(Event, frozen=True):
    id: bytes


# Whatever has an owner


class OwnershipTransferStarted(Event, frozen=True):
    previous_owner: str
    new_owner: str


class OwnershipTransferred(Event, frozen=True):
    previous_owner: str
    new_owner: str
