# SPDX-License-Identifier: AGPL-3.0-only
"""How long the operator's gas money lasts, and the alarm on it."""

from __future__ import annotations

import math
import time

from relayer.chain_watch import Rpc, answers
from relayer.engine import Engine
from relayer.logs import logger
from relayer.settlement.config import SettlerConfig
from relayer.settlement.fees import Market, gas_limit
from relayer.settlement.sending import Sender

log = logger("settlement")

LOOK_EVERY_S = 30.0
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


class GasWatch:
    """Looks at the operator's balance. `trouble` is the alarm, empty while there is none; `unweighed` is a transaction
    whose gas is to be learnt from.
    """

    def __init__(self, engine: Engine, rpc: Rpc, sender: Sender, address: str, config: SettlerConfig) -> None:
        self._engine = engine
        self._rpc = rpc
        self._sender = sender
        self._address = address
        self._alarm_batches = config.alarm_batches
        self._money = GasMoney(config.max_in_flight)
        self._looked_at = -math.inf
        self.unweighed = b""
        self.trouble = ""

    async def look(self) -> None:
        """The operator's gas money, and the alarm on it."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_EVERY_S:
            return
        balance = await self._rpc.call("eth_getBalance", self._address, "latest", read=answers.wei)
        market = await self._sender.prices()
        if self.unweighed:
            receipt = await self._sender.receipt_of(self.unweighed)
            if receipt is not None and receipt.succeeded:
                self.unweighed = b""
                self._money.used(receipt.gas_used)
        self._looked_at = now
        left = self._money.batches(balance, market)
        self._engine.metrics.operator_wei.set(balance)
        self._engine.metrics.operator_batches.set(left)
        if left >= self._alarm_batches:
            self.trouble = ""
            return
        self.trouble = (
            f"the gas money of {self._address}, {balance} wei, pays for {left} more batches at the present "
            f"price: send it ether (the alarm is at {self._alarm_batches})"
        )
        log.error("gas_money_low", balance_wei=balance, batches=left)
