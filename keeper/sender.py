# SPDX-License-Identifier: AGPL-3.0-only
"""Gets transactions of one key into blocks, several at once, paying more for those that wait too long."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from eth_account.signers.local import LocalAccount

from keeper.ports import Call, Chain, Clock, Receipt, RefusedError

POLL_S = 0.2
#: Nodes take a replacement only for at least a tenth more.
BUMP_PERCENT = 125
HOUR_S = 3_600.0
TRANSFER_GAS = 21_000


@dataclass(frozen=True)
class FeePolicy:
    """What to pay: wei per gas, and how long to wait before paying more.

    `wei_per_hour` bounds what an hour's transactions may cost in all; None: nothing does. `in_flight` transactions
    wait at a time; nodes hold few of one key.
    """

    priority_fee: int = 10**9
    max_fee: int = 500 * 10**9
    bump_after_s: float = 8.0
    bumps: int = 4
    gas_margin_percent: int = 130
    wei_per_hour: int | None = None
    in_flight: int = 16


class UnminedError(Exception):
    """A transaction is in no block although its fee was raised as far as allowed."""


@dataclass
class _Pending:
    """One transaction: the call, its gas limit, and every version that was sent."""

    call: Call
    gas: int
    nonce: int
    hashes: list[str] = field(default_factory=list)
    result: Receipt | RefusedError | None = None


class Sender:
    """Signs and sends for one key. Nonces are the chain's, so a transaction that hangs is replaced by the next one,
    which pays more.
    """

    def __init__(self, chain: Chain, account: LocalAccount, clock: Clock, fees: FeePolicy) -> None:
        self.chain = chain
        self.account = account
        self.clock = clock
        self.fees = fees
        self.bumped = 0
        self._chain_id: int | None = None
        self._hung: dict[int, tuple[int, int]] = {}
        self._spent: list[tuple[float, int]] = []

    def send(self, call: Call, gas: int) -> Receipt:
        """Send one and wait for its block. Raises `UnminedError`, `ChainError`, or `RefusedError` from the node."""
        [result] = self.send_all([(call, gas)])
        if not isinstance(result, Receipt):
            raise result
        return result

    def send_all(self, calls: Sequence[tuple[Call, int]]) -> list[Receipt | RefusedError | UnminedError]:
        """Send calls with the gas they are expected to use, in order, and wait for all of them."""
        results: list[Receipt | RefusedError | UnminedError] = []
        for start in range(0, len(calls), self.fees.in_flight):
            results += self._send_together(calls[start : start + self.fees.in_flight])
        return results

    def _send_together(self, calls: Sequence[tuple[Call, int]]) -> list[Receipt | RefusedError | UnminedError]:
        tip, fee = self._first_fees()
        if not self._affords(sum(gas * fee + call.value for call, gas in calls)):
            return [RefusedError("the hour's gas money is spent")] * len(calls)
        first = self.chain.nonce(self.account.address)
        pending = [
            _Pending(call, gas * self.fees.gas_margin_percent // 100, first + place)
            for place, (call, gas) in enumerate(calls)
        ]
        for attempt in range(self.fees.bumps + 1):
            if attempt:
                dearer = min(self.fees.max_fee, fee * BUMP_PERCENT // 100)
                if not self._affords(
                    sum(each.gas * dearer + each.call.value for each in pending if each.result is None)
                ):
                    break
                tip, fee = tip * BUMP_PERCENT // 100, dearer
            self._offer([each for each in pending if each.result is None], tip, fee)
            if self._wait(pending):
                break
        self._hung = {each.nonce: (tip, fee) for each in pending if not isinstance(each.result, Receipt)}
        return [
            each.result or UnminedError(f"nonce {each.nonce} is in no block at {fee} wei per gas") for each in pending
        ]

    def _offer(self, waiting: list[_Pending], tip: int, fee: int) -> None:
        """Sign and send what waits; of a transaction that the node refuses, the nonce is filled by an empty one."""
        offers = [(each, *self._above_hung(each.nonce, tip, fee)) for each in waiting]
        self.bumped += sum(bool(each.hashes) for each in waiting)
        answers = self.chain.send_many([self._signed(each.call, each.nonce, each.gas, *fees) for each, *fees in offers])
        for (each, *fees), answer in zip(offers, answers, strict=True):
            if isinstance(answer, str):
                each.hashes.append(answer)
            elif not each.hashes:
                # A replacement that is refused is no trouble: an earlier one of its nonce is in a block, or will be.
                each.result = answer
                if each is not waiting[-1]:
                    nothing = Call(self.account.address, b"")
                    self.chain.send_many([self._signed(nothing, each.nonce, TRANSFER_GAS, *fees)])

    def _first_fees(self) -> tuple[int, int]:
        """Tip and cap to begin with."""
        tip = self.fees.priority_fee
        fee = min(self.fees.max_fee, 2 * self.chain.head().base_fee + tip)
        return min(tip, fee), fee

    def _above_hung(self, nonce: int, tip: int, fee: int) -> tuple[int, int]:
        """Fees above those of a transaction that an earlier call left hanging on the nonce, but never above the most:
        one that hangs at the most stays, since a node refuses what pays no more.
        """
        hung_tip, hung_fee = self._hung.get(nonce, (0, 0))
        above = max(tip, hung_tip * BUMP_PERCENT // 100), max(fee, hung_fee * BUMP_PERCENT // 100)
        return above[0], min(self.fees.max_fee, above[1])

    def _affords(self, cost: int) -> bool:
        if self.fees.wei_per_hour is None:
            return True
        since = self.clock.now() - HOUR_S
        self._spent = [(at, wei) for at, wei in self._spent if at > since]
        return sum(wei for _, wei in self._spent) + cost <= self.fees.wei_per_hour

    def _signed(self, call: Call, nonce: int, gas: int, tip: int, fee: int) -> bytes:
        if self._chain_id is None:
            self._chain_id = self.chain.chain_id()
        transaction: dict[str, Any] = {
            "type": 2,
            "chainId": self._chain_id,
            "nonce": nonce,
            "to": call.to,
            "data": "0x" + call.data.hex(),
            "value": call.value,
            "gas": gas,
            "maxPriorityFeePerGas": min(tip, fee),
            "maxFeePerGas": fee,
        }
        return bytes(self.account.sign_transaction(transaction).raw_transaction)

    def _wait(self, pending: list[_Pending]) -> bool:
        """Whether all are done within the time before the next bump, by whichever version is in a block."""
        deadline = self.clock.now() + self.fees.bump_after_s
        waiting = [each for each in pending if each.result is None]
        while waiting:
            # One number says how far the blocks are; receipts are asked for once they are there.
            done = self.chain.nonce(self.account.address)
            self._collect([each for each in waiting if each.nonce < done])
            waiting = [each for each in waiting if each.result is None]
            if waiting and self.clock.now() >= deadline:
                return False
            if waiting:
                self.clock.sleep(POLL_S)
        return True

    def _collect(self, mined: list[_Pending]) -> None:
        asked = [(each, name) for each in mined for name in each.hashes]
        for (each, _), receipt in zip(asked, self.chain.receipts([name for _, name in asked]), strict=True):
            if receipt is not None:
                each.result = receipt
                self._spent.append((self.clock.now(), receipt.cost_wei + each.call.value * receipt.succeeded))
