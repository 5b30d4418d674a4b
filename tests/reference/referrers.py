# SPDX-License-Identifier: AGPL-3.0-only
"""Who gets a share of fees (protocol section 4)."""

from dataclasses import dataclass, field

from tests.reference.exact import PPM, down

MAX_SHARE = 500_000


@dataclass
class Referrers:
    """`payees` and `accrued` (micro-USDC) by number, from 1; `share` in ppm of a fee."""

    share: int = 0
    payees: dict[int, tuple[str, int]] = field(default_factory=dict)
    accrued: dict[int, int] = field(default_factory=dict)

    def register(self, payee: tuple[str, int]) -> int:
        number = len(self.payees) + 1
        self.payees[number] = payee
        self.accrued[number] = 0
        return number

    def share_of(self, number: int) -> int:
        """Of the fees of an order that names this number, ppm."""
        return self.share if number in self.payees else 0

    def accrue(self, number: int, fee: int, both_fees: int) -> int:
        """What the order's referrer gets of a `fee` when taker and maker pay `both_fees` together."""
        amount = down(max(0, min(fee, both_fees)) * self.share_of(number), PPM)
        if amount:
            self.accrued[number] += amount
        return amount

    def claim(self, number: int) -> tuple[tuple[str, int], int]:
        """Who is paid, and how much. `ValueError` when there is nothing."""
        amount = self.accrued.get(number, 0)
        if amount == 0:
            raise ValueError("nothing to claim")
        self.accrued[number] = 0
        return self.payees[number], amount
