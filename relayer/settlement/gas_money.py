# SPDX-License-Identifier: AGPL-3.0-only
"""How long the operator's gas money lasts."""

from __future__ import annotations

from relayer.settlement.fees import Market, gas_limit

FULL_ORDERS, FULL_FILLS = 64, 32
_FIRST_GUESS_GAS = 500_000
_NEWEST_WEIGHT = 0.2


class GasMoney:
    """A balance in batches of the usual size at the present price."""

    def __init__(self, in_flight: int) -> None:
        self._in_flight = in_flight
        self._usual_gas = float(_FIRST_GUESS_GAS)
        self._is_measured = False

    def used(self, gas: int) -> None:
        """A batch has used so much."""
        self._usual_gas += (gas - self._usual_gas) * (_NEWEST_WEIGHT if self._is_measured else 1.0)
        self._is_measured = True

    def batches(self, balance_wei: int, market: Market) -> int:
        """How many batches the balance pays for. What nodes want to see in the account for the gas limits of the
        batches under way cannot be spent.
        """
        held = gas_limit(FULL_ORDERS, FULL_FILLS) * market.fees.max_fee_wei * self._in_flight
        price = max(1, market.base_fee_wei + market.fees.priority_fee_wei)
        return max(0, balance_wei - held) // max(1, int(self._usual_gas * price))
