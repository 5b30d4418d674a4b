# SPDX-License-Identifier: Apache-2.0
"""Every event as docs/protocol.md writes it, the one table that decoding is made from."""

from typing import Final

SIGNATURES: Final = (
    "BatchSettled(address indexed operator,bytes32 prev,bytes32 next,uint256 settled,uint256 rejected,int256 fees)",
    (
        "Fill(address indexed taker,address indexed maker,uint256 detail,bytes32 taker_order,bytes32 maker_order,"
        "uint256 taker_position,uint256 maker_position)"
    ),
    "FillRejected(uint256 indexed fill_id,bytes32 indexed order_id,uint256 fault_class,string reason)",
    "PositionClosed(address indexed account,uint256 subaccount,uint256 indexed market,int256 realised,int256 cash)",
    "FundingAccrued(uint256 indexed market,int256 g_long,int256 g_short,int256 rate,uint256 index_price,uint256 at)",
    "Credited(address indexed account,uint256 subaccount,uint256 amount,int256 cash)",
    "Debited(address indexed account,uint256 subaccount,uint256 amount,int256 cash)",
    "SlotCancelled(address indexed signer,uint256 slot,uint256 stamp,uint256 effective_at)",
    "AllCancelled(address indexed account,uint256 subaccount,uint256 stamp,uint256 effective_at)",
    (
        "Liquidated(address indexed account,address indexed liquidator,uint256 subaccount,"
        "uint256 liquidator_subaccount,uint256 market,int256 size,uint256 price,uint256 insurance_fee,uint256 covered,"
        "uint256 position,uint256 liquidator_position)"
    ),
    "InsuranceChanged(int256 delta,uint256 balance)",
    "BackstopChanged(int256 delta,int256 cash)",
    "BackstopSet(address indexed backstop)",
    (
        "Deleveraged(address indexed account,uint256 subaccount,uint256 indexed market,int256 size,uint256 price,"
        "uint256 insurance_fee,uint256 covered,uint256 position)"
    ),
    "CloseRequested(address indexed account,uint256 subaccount,uint256 indexed market,int256 size,uint256 ready_at)",
    (
        "CloseExecuted(address indexed account,uint256 subaccount,uint256 indexed market,int256 size,uint256 price,"
        "uint256 left,uint256 position)"
    ),
    (
        "HandedOver(address indexed counterparty,uint256 subaccount,uint256 indexed market,int256 size,uint256 price,"
        "uint256 position)"
    ),
    "SettlingBegun(uint256 indexed market,uint256 settle_at)",
    "SettlementFixed(uint256 indexed market,uint256 price,uint256 everyone_from)",
    "PositionSettled(address indexed account,uint256 subaccount,uint256 indexed market,int256 size,uint256 covered)",
    "DebtCovered(address indexed account,uint256 subaccount,uint256 amount,int256 cash)",
    "LossSpread(uint256 indexed market,bool longs,uint256 per_lot_scaled,int256 g)",
    "FeesWithdrawn(address indexed account,uint256 subaccount,uint256 amount)",
    "MarketListed(uint256 indexed market,string ticker,uint256 size_decimals,uint256 price_decimals,uint256 tick)",
    (
        "MarketChanged(uint256 indexed market,uint256 imf,uint256 mmf,uint256 band,uint256 tick,"
        "uint256 max_open_interest,uint256 max_price_age,uint256 liquidation_floor,uint256 state)"
    ),
    "OperatorSet(address indexed operator,bool allowed)",
    "GuardianSet(address indexed guardian)",
    "OracleSet(address indexed oracle)",
    (
        "SessionKeyRegistered(address indexed account,address indexed key,uint256 markets,uint256 budget,"
        "uint256 expiry,uint256 nonce)"
    ),
    "SessionKeyRevoked(address indexed account,address indexed key,uint256 effective_at)",
    "ReferrerRegistered(uint256 indexed number,address indexed account,uint256 subaccount)",
    "ReferralAccrued(uint256 indexed number,uint256 amount,uint256 balance)",
    "ReferralClaimed(uint256 indexed number,address indexed account,uint256 subaccount,uint256 amount)",
    "ReferrerShareSet(uint256 share_ppm)",
    "FeeTiersSet(uint256[] tiers)",
    "MarginScaleSet(uint256 indexed market,uint256 scale_from,uint256 scale_to)",
    "Announced(bytes32 indexed hash,bytes call,uint256 ready_at)",
    "NoticeWithdrawn(bytes32 indexed hash)",
    "Deposited(address indexed account,uint256 subaccount,uint256 amount,address indexed payer)",
    "Donated(address indexed payer,uint256 amount)",
    (
        "WithdrawalRequested(uint256 indexed id,address indexed account,uint256 subaccount,uint256 amount,address to,"
        "uint256 ready_at)"
    ),
    "WithdrawalCancelled(uint256 indexed id,address indexed account)",
    (
        "Withdrawn(address indexed account,uint256 subaccount,uint256 amount,address indexed to,uint256 id_or_nonce,"
        "bool instant)"
    ),
    "WithdrawalApproved(uint256 indexed id,address indexed approver)",
    "RulesSet(address indexed account,address destination,address approver,uint256 effective_at)",
    "QueueStretched(uint256 until)",
    "OutflowLimitsSet(uint256 hour_floor,uint256 hour_share,uint256 day_floor,uint256 day_share)",
    "CosignerSet(address indexed cosigner,bool allowed)",
    "PricePushed(uint256 indexed market,uint256 price,uint256 published_at)",
    "SignerSet(address indexed signer)",
    (
        "SourcesSet(uint256 indexed market,uint256 size_decimals,uint256 quorum,uint256 max_deviation,"
        "(address,bytes32,uint256)[] sources)"
    ),
    "SourceDisabled(uint256 indexed market,uint256 index)",
    "SourceEnabled(uint256 indexed market,uint256 index)",
    ("RedeemRequested(uint256 indexed id,address indexed owner,uint256 shares,uint256 ready_at,uint256 lapses_at)"),
    "RedeemReturned(uint256 indexed id,address indexed owner,uint256 shares)",
    "IncomeBooked(uint256 amount,uint256 locked,uint256 ends_at)",
    "LossBooked(uint256 amount,uint256 cash)",
    "Ruined(uint256 indexed series,uint256 cash)",
    "Revived(uint256 indexed series,uint256 cash)",
    "WrittenOff(uint256 indexed series,uint256 shares,uint256 cash)",
    "Deposit(address indexed sender,address indexed owner,uint256 assets,uint256 shares)",
    ("Withdraw(address indexed sender,address indexed receiver,address indexed owner,uint256 assets,uint256 shares)"),
    "Transfer(address indexed sender,address indexed receiver,uint256 value)",
    "Approval(address indexed owner,address indexed spender,uint256 value)",
    "RoleMinterChanged(address indexed minter,bool status)",
    "RoleGranted(bytes32 indexed role,address indexed account,address indexed sender)",
    "RoleRevoked(bytes32 indexed role,address indexed account,address indexed sender)",
    "MinimumDelayChange(uint256 old_duration,uint256 new_duration)",
    (
        "CallScheduled(bytes32 indexed id,uint256 indexed index,address target,uint256 amount,bytes payload,"
        "bytes32 predecessor,uint256 delay)"
    ),
    "CallSalt(bytes32 indexed id,bytes32 salt)",
    "CallExecuted(bytes32 indexed id,uint256 indexed index,address target,uint256 amount,bytes payload)",
    "Cancelled(bytes32 indexed id)",
    "OwnershipTransferStarted(address indexed previous_owner,address indexed new_owner)",
    "OwnershipTransferred(address indexed previous_owner,address indexed new_owner)",
)
