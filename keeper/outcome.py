# SPDX-License-Identifier: AGPL-3.0-only
"""What became of an attempt."""

from dataclasses import dataclass
from enum import StrEnum

from keeper.opportunity import Opportunity


class Result(StrEnum):
    """How an attempt ended."""

    WON = "won"
    OUTCOMPETED = "outcompeted"
    REVERTED = "reverted"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Outcome:
    """One attempt at an opportunity. Money in micro-USDC; `gas_wei` is what the transaction cost."""

    opportunity: Opportunity
    result: Result
    reason: str = ""
    transaction_hash: str = ""
    lots: int = 0
    gain: int = 0
    gas_wei: int = 0

    def line(self) -> str:
        """For the log."""
        o = self.opportunity
        owner, subaccount = o.account
        text = f"{self.result}: {o.market.ticker} of {owner}/{subaccount}, {o.lots} of {abs(o.held)} lots"
        if self.result is Result.WON:
            text += f", took {self.lots} for a gain of {self.gain} micro-USDC, gas {self.gas_wei} wei"
        if self.reason:
            text += f" ({self.reason})"
        return f"{text} {self.transaction_hash}".rstrip()
