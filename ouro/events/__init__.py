# SPDX-License-Identifier: Apache-2.0
"""Events of every contract that logs any (docs/protocol.md, section 9), decoded from raw logs.

One frozen struct per event, its fields named and ordered as in the contract. Addresses are checksummed text, `bytes32`
is `bytes`, packed words come unpacked. `decode_log` takes a log as `eth_getLogs` answers it, or as web3 gives it.
"""

from ouro.events.base import (
    Event as Event,
)
from ouro.events.base import (
    LogError as LogError,
)
from ouro.events.base import (
    LogPosition as LogPosition,
)
from ouro.events.decode import (
    decode_log as decode_log,
)
from ouro.events.decode import (
    topics as topics,
)
from ouro.events.exchange import (
    AllCancelled as AllCancelled,
)
from ouro.events.exchange import (
    Announced as Announced,
)
from ouro.events.exchange import (
    BackstopChanged as BackstopChanged,
)
from ouro.events.exchange import (
    BackstopSet as BackstopSet,
)
from ouro.events.exchange import (
    BatchSettled as BatchSettled,
)
from ouro.events.exchange import (
    CloseExecuted as CloseExecuted,
)
from ouro.events.exchange import (
    CloseRequested as CloseRequested,
)
from ouro.events.exchange import (
    Credited as Credited,
)
from ouro.events.exchange import (
    Debited as Debited,
)
from ouro.events.exchange import (
    DebtCovered as DebtCovered,
)
from ouro.events.exchange import (
    Deleveraged as Deleveraged,
)
from ouro.events.exchange import (
    FeesWithdrawn as FeesWithdrawn,
)
from ouro.events.exchange import (
    FeeTiersSet as FeeTiersSet,
)
from ouro.events.exchange import (
    Fill as Fill,
)
from ouro.events.exchange import (
    FillRejected as FillRejected,
)
from ouro.events.exchange import (
    FundingAccrued as FundingAccrued,
)
from ouro.events.exchange import (
    GuardianSet as GuardianSet,
)
from ouro.events.exchange import (
    HandedOver as HandedOver,
)
from ouro.events.exchange import (
    InsuranceChanged as InsuranceChanged,
)
from ouro.events.exchange import (
    Liquidated as Liquidated,
)
from ouro.events.exchange import (
    LossSpread as LossSpread,
)
from ouro.events.exchange import (
    MarginScaleSet as MarginScaleSet,
)
from ouro.events.exchange import (
    MarketChanged as MarketChanged,
)
from ouro.events.exchange import (
    MarketListed as MarketListed,
)
from ouro.events.exchange import (
    NoticeWithdrawn as NoticeWithdrawn,
)
from ouro.events.exchange import (
    OperatorSet as OperatorSet,
)
from ouro.events.exchange import (
    OracleSet as OracleSet,
)
from ouro.events.exchange import (
    PositionClosed as PositionClosed,
)
from ouro.events.exchange import (
    PositionSettled as PositionSettled,
)
from ouro.events.exchange import (
    ReferralAccrued as ReferralAccrued,
)
from ouro.events.exchange import (
    ReferralClaimed as ReferralClaimed,
)
from ouro.events.exchange import (
    ReferrerRegistered as ReferrerRegistered,
)
from ouro.events.exchange import (
    ReferrerShareSet as ReferrerShareSet,
)
from ouro.events.exchange import (
    SessionKeyRegistered as SessionKeyRegistered,
)
from ouro.events.exchange import (
    SessionKeyRevoked as SessionKeyRevoked,
)
from ouro.events.exchange import (
    SettlementFixed as SettlementFixed,
)
from ouro.events.exchange import (
    SettlingBegun as SettlingBegun,
)
from ouro.events.exchange import (
    SlotCancelled as SlotCancelled,
)
from ouro.events.others import (
    Approval as Approval,
)
from ouro.events.others import (
    CallExecuted as CallExecuted,
)
from ouro.events.others import (
    CallSalt as CallSalt,
)
from ouro.events.others import (
    CallScheduled as CallScheduled,
)
from ouro.events.others import (
    Cancelled as Cancelled,
)
from ouro.events.others import (
    CosignerSet as CosignerSet,
)
from ouro.events.others import (
    Deposit as Deposit,
)
from ouro.events.others import (
    Deposited as Deposited,
)
from ouro.events.others import (
    Donated as Donated,
)
from ouro.events.others import (
    IncomeBooked as IncomeBooked,
)
from ouro.events.others import (
    LossBooked as LossBooked,
)
from ouro.events.others import (
    MinimumDelayChange as MinimumDelayChange,
)
from ouro.events.others import (
    OutflowLimitsSet as OutflowLimitsSet,
)
from ouro.events.others import (
    OwnershipTransferred as OwnershipTransferred,
)
from ouro.events.others import (
    OwnershipTransferStarted as OwnershipTransferStarted,
)
from ouro.events.others import (
    PricePushed as PricePushed,
)
from ouro.events.others import (
    PriceSource as PriceSource,
)
from ouro.events.others import (
    QueueStretched as QueueStretched,
)
from ouro.events.others import (
    RedeemRequested as RedeemRequested,
)
from ouro.events.others import (
    RedeemReturned as RedeemReturned,
)
from ouro.events.others import (
    Revived as Revived,
)
from ouro.events.others import (
    RoleGranted as RoleGranted,
)
from ouro.events.others import (
    RoleMinterChanged as RoleMinterChanged,
)
from ouro.events.others import (
    RoleRevoked as RoleRevoked,
)
from ouro.events.others import (
    Ruined as Ruined,
)
from ouro.events.others import (
    RulesSet as RulesSet,
)
from ouro.events.others import (
    SignerSet as SignerSet,
)
from ouro.events.others import (
    SourceDisabled as SourceDisabled,
)
from ouro.events.others import (
    SourceEnabled as SourceEnabled,
)
from ouro.events.others import (
    SourcesSet as SourcesSet,
)
from ouro.events.others import (
    Transfer as Transfer,
)
from ouro.events.others import (
    Withdraw as Withdraw,
)
from ouro.events.others import (
    WithdrawalApproved as WithdrawalApproved,
)
from ouro.events.others import (
    WithdrawalCancelled as WithdrawalCancelled,
)
from ouro.events.others import (
    WithdrawalRequested as WithdrawalRequested,
)
from ouro.events.others import (
    Withdrawn as Withdrawn,
)
from ouro.events.others import (
    WrittenOff as WrittenOff,
)
from ouro.events.signatures import (
    SIGNATURES as SIGNATURES,
)
