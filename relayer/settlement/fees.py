# SPDX-License-Identifier: AGPL-3.0-only
"""What a settlement transaction offers for gas, and how much gas it may use."""

import msgspec

from ouro.units import ceil_div
from relayer.chain_watch.answers import History

BATCH_GAS = 200_000
FILL_GAS = 160_000
ORDER_GAS = 12_000
STEP_GAS = 4_200_000
"""The contract wants 4,000,000 gas left before each step, so that none can be starved; what is left is not paid."""
GROUPED_STEP_GAS = 300_000
"""And so much more for each fill of a group, which is one step."""

BUMP_PER_CENT = 25
"""A node takes a replacement from 10% above on; less than that is refused."""

_GWEI = 10**9


class Fees(msgspec.Struct, frozen=True):
    """EIP-1559 fees in wei per gas."""

    max_fee_wei: int
    priority_fee_wei: int

    def bumped(self, market: "Fees", cap_wei: int) -> "Fees":
        """For a replacement at the same nonce: enough for the node, at least the market, at most the cap."""
        return Fees(
            min(cap_wei, max(_raised(self.max_fee_wei), market.max_fee_wei)),
            min(cap_wei, max(_raised(self.priority_fee_wei), market.priority_fee_wei)),
        )

    def replaces(self, other: "Fees") -> bool:
        """Whether a node takes a transaction with these fees in place of one with the others."""
        return (
            self.max_fee_wei * 10 >= other.max_fee_wei * 11
            and self.priority_fee_wei * 10 >= other.priority_fee_wei * 11
        )


class Market(msgspec.Struct, frozen=True):
    """What gas costs now: the next block's base fee in wei, and what a transaction should offer."""

    base_fee_wei: int
    fees: Fees


def market_of(history: History, cap_wei: int, tip_cap_wei: int) -> Market:
    """Good for several full blocks in a row: twice the base fee and the middle tip of the last blocks, which is at
    least 0.01 gwei. Both are capped, whatever the node says.
    """
    tips = sorted(history.tips_wei)
    tip = min(max(tips[len(tips) // 2] if tips else _GWEI, _GWEI // 100), tip_cap_wei)
    return Market(history.base_fee_wei, Fees(min(cap_wei, 2 * history.base_fee_wei + tip), min(cap_wei, tip)))


def gas_limit(orders: int, fills: int, group: int = 1) -> int:
    """More than a batch can use, or wants at hand; what is not used costs nothing. `group` is how many fills the
    largest group has (1: none are grouped).
    """
    at_hand = STEP_GAS + (GROUPED_STEP_GAS * group if group > 1 else 0)
    return BATCH_GAS + ORDER_GAS * orders + FILL_GAS * fills + at_hand


def _raised(fee_wei: int) -> int:
    return ceil_div(fee_wei * (100 + BUMP_PER_CENT), 100)
