# SPDX-License-Identifier: Apache-2.0
"""Events of the Exchange."""

from ouro.codec import FeeTier, FillDetail, PositionWord
from ouro.events.base import Event


class BatchSettled(Event, frozen=True):
    operator: str
    prev: bytes
    next: bytes
    settled: int
    rejected: int
    fees: int


class Fill(Event, frozen=True):
    """Positions are those after the fill; of a closed one `q` is what has not yet moved to cash."""

    taker: str
    maker: str
    detail: FillDetail
    taker_order: bytes
    maker_order: bytes
    taker_position: PositionWord
    maker_position: PositionWord


class FillRejected(Event, frozen=True):
    """`order_id` is 32 zero bytes when nobody is at fault."""

    fill_id: int
    order_id: bytes
    fault_class: int
    reason: str


class PositionClosed(Event, frozen=True):
    account: str
    subaccount: int
    market: int
    realised: int
    cash: int


class FundingAccrued(Event, frozen=True):
    """An hour was opened: indices are those at its start, `at`; `index_price` makes its slope."""

    market: int
    g_long: int
    g_short: int
    rate: int
    index_price: int
    at: int


class Credited(Event, frozen=True):
    account: str
    subaccount: int
    amount: int
    cash: int


class Debited(Event, frozen=True):
    account: str
    subaccount: int
    amount: int
    cash: int


class SlotCancelled(Event, frozen=True):
    signer: str
    slot: int
    stamp: int
    effective_at: int


class AllCancelled(Event, frozen=True):
    account: str
    subaccount: int
    stamp: int
    effective_at: int


class Liquidated(Event, frozen=True):
    """`size` is what the liquidated account gave away: positive for a long."""

    account: str
    liquidator: str
    subaccount: int
    liquidator_subaccount: int
    market: int
    size: int
    price: int
    insurance_fee: int
    covered: int
    position: PositionWord
    liquidator_position: PositionWord


class InsuranceChanged(Event, frozen=True):
    delta: int
    balance: int


class BackstopChanged(Event, frozen=True):
    """The cash of the backstop's account 0 after it paid (negative) or earned."""

    delta: int
    cash: int


class BackstopSet(Event, frozen=True):
    backstop: str


class Deleveraged(Event, frozen=True):
    """`size` is what the account gave away: positive for a long. `HandedOver` events say who took it."""

    account: str
    subaccount: int
    market: int
    size: int
    price: int
    insurance_fee: int
    covered: int
    position: PositionWord


class CloseRequested(Event, frozen=True):
    account: str
    subaccount: int
    market: int
    size: int
    ready_at: int


class CloseExecuted(Event, frozen=True):
    """As `Deleveraged`; `left` lots of the request are still to be closed."""

    account: str
    subaccount: int
    market: int
    size: int
    price: int
    left: int
    position: PositionWord


class HandedOver(Event, frozen=True):
    """`size` is what the counterparty was given: positive when it was a long one."""

    counterparty: str
    subaccount: int
    market: int
    size: int
    price: int
    position: PositionWord


class SettlingBegun(Event, frozen=True):
    market: int
    settle_at: int


class SettlementFixed(Event, frozen=True):
    market: int
    price: int
    everyone_from: int


class PositionSettled(Event, frozen=True):
    """The position of `size` lots is closed at the settlement price."""

    account: str
    subaccount: int
    market: int
    size: int
    covered: int


class DebtCovered(Event, frozen=True):
    account: str
    subaccount: int
    amount: int
    cash: int


class LossSpread(Event, frozen=True):
    """`g` is the side's index as of the start of the market's hour."""

    market: int
    longs: bool
    per_lot_scaled: int
    g: int


class FeesWithdrawn(Event, frozen=True):
    account: str
    subaccount: int
    amount: int


class MarketListed(Event, frozen=True):
    market: int
    ticker: str
    size_decimals: int
    price_decimals: int
    tick: int


class MarketChanged(Event, frozen=True):
    market: int
    imf: int
    mmf: int
    band: int
    tick: int
    max_open_interest: int
    max_price_age: int
    liquidation_floor: int
    state: int


class OperatorSet(Event, frozen=True):
    operator: str
    allowed: bool


class GuardianSet(Event, frozen=True):
    guardian: str


class OracleSet(Event, frozen=True):
    oracle: str


class SessionKeyRegistered(Event, frozen=True):
    """`markets` are ids, none: all; `budget` is micro-USDC."""

    account: str
    key: str
    markets: tuple[int, ...]
    budget: int
    expiry: int
    nonce: int


class SessionKeyRevoked(Event, frozen=True):
    account: str
    key: str
    effective_at: int


class ReferrerRegistered(Event, frozen=True):
    number: int
    account: str
    subaccount: int


class ReferralAccrued(Event, frozen=True):
    """`balance` is what waits for the referrer."""

    number: int
    amount: int
    balance: int


class ReferralClaimed(Event, frozen=True):
    number: int
    account: str
    subaccount: int
    amount: int


class ReferrerShareSet(Event, frozen=True):
    share_ppm: int


class FeeTiersSet(Event, frozen=True):
    tiers: tuple[FeeTier, ...]


class MarginScaleSet(Event, frozen=True):
    """Units of 10,000 USDC."""

    market: int
    scale_from: int
    scale_to: int


class Announced(Event, frozen=True):
    """`call` may be made from `ready_at` on; its hash names it."""

    hash: bytes
    call: bytes
    ready_at: int


class NoticeWithdrawn(Event, frozen=True):
    hash: bytes
