# SPDX-License-Identifier: AGPL-3.0-only
"""What became of an attempt."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Result(StrEnum):
    """How an attempt ended."""

    WON = "won"
    OUTCOMPETED = "outcompeted"
    REVERTED = "reverted"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Attempt:
    """What a bot wants to do: its name, what to do to whom in words, the lots asked for, and the gain expected before
    gas in micro-USDC: less `unwind_cost`, which is what `unwind_source` (book, setting) says that selling again costs.
    """

    bot: str
    subject: str
    lots: int = 0
    expected_gain: int = 0
    unwind_cost: int = 0
    unwind_source: str = ""


@dataclass(frozen=True)
class Outcome:
    """How one attempt ended. `lots` and `gain` (micro-USDC, before gas) are what came of it; `gas_wei` is what the
    transaction cost.
    """

    attempt: Attempt
    result: Result
    reason: str = ""
    transaction_hash: str = ""
    lots: int = 0
    gain: int = 0
    gas_wei: int = 0

    def line(self) -> str:
        """For the log."""
        text = f"{self.attempt.bot} {self.result}: {self.attempt.subject}"
        if self.result is Result.WON:
            if self.lots:
                text += f", {self.lots} lots for a gain of {self.gain} micro-USDC"
            text += f", gas {self.gas_wei} wei"
        if self.attempt.unwind_source:
            text += f", to unwind {self.attempt.unwind_cost} micro-USDC by the {self.attempt.unwind_source}"
        if self.reason:
            text += f" ({self.reason})"
        return f"{text} {self.transaction_hash}".rstrip()

    def record(self) -> dict[str, Any]:
        """For the file of outcomes; money as text, since JSON readers round large numbers."""
        return {
            "bot": self.attempt.bot,
            "subject": self.attempt.subject,
            "result": str(self.result),
            "reason": self.reason,
            "transactionHash": self.transaction_hash,
            "lotsAsked": self.attempt.lots,
            "lots": self.lots,
            "expectedGainMicroUsdc": str(self.attempt.expected_gain),
            "unwindCostMicroUsdc": str(self.attempt.unwind_cost),
            "unwindCostBy": self.attempt.unwind_source,
            "gainMicroUsdc": str(self.gain),
            "gasWei": str(self.gas_wei),
        }
