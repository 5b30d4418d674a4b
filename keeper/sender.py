# SPDX-License-Identifier: AGPL-3.0-only
"""Gets one transaction after the other into a block, paying more when one waits too long."""

from dataclasses import dataclass
from typing import Any

from eth_account.signers.local import LocalAccount

from keeper.ports import Call, Chain, Clock, Receipt, RefusedError

POLL_S = 0.2
#: Nodes take a replacement only for at least a tenth more.
BUMP_PERCENT = 125


@dataclass(frozen=True)
class FeePolicy:
    """What to pay: wei per gas, and how long to wait before paying more."""

    priority_fee: int = 10**9
    max_fee: int = 500 * 10**9
    bump_after_s: float = 8.0
    bumps: int = 4
    gas_margin_percent: int = 130


class UnminedError(Exception):
    """A transaction is in no block although its fee was raised as far as allowed."""


class Sender:
    """Signs and sends for one key. The nonce is the chain's, so a transaction that hangs is replaced by the next."""

    def __init__(self, chain: Chain, account: LocalAccount, clock: Clock, fees: FeePolicy) -> None:
        self.chain = chain
        self.account = account
        self.clock = clock
        self.fees = fees
        self.bumped = 0
        self._chain_id: int | None = None
        self._last: tuple[int, int, int] = (-1, 0, 0)

    def send(self, call: Call, gas: int) -> Receipt:
        """Send and wait for the block. Raises `UnminedError`, `ChainError`, or `RefusedError` from the node."""
        nonce = self.chain.nonce(self.account.address)
        tip, fee = self._first_fees(nonce)
        hashes: list[str] = []
        for attempt in range(self.fees.bumps + 1):
            if attempt:
                tip, fee = tip * BUMP_PERCENT // 100, min(self.fees.max_fee, fee * BUMP_PERCENT // 100)
                self.bumped += 1
            self._last = (nonce, tip, fee)
            try:
                hashes.append(self.chain.send(self._signed(call, nonce, gas, tip, fee)))
            except RefusedError as refused:
                # Replaced too late: an earlier one of this nonce is in a block already.
                if not hashes or "nonce" not in refused.reason:
                    raise
            receipt = self._wait(hashes)
            if receipt is not None:
                return receipt
        raise UnminedError(f"nonce {nonce} is in no block at {fee} wei per gas")

    def _first_fees(self, nonce: int) -> tuple[int, int]:
        """Tip and cap to begin with; above those of a transaction that hangs on the same nonce."""
        tip = self.fees.priority_fee
        fee = min(self.fees.max_fee, 2 * self.chain.head().base_fee + tip)
        last_nonce, last_tip, last_fee = self._last
        if last_nonce == nonce:
            tip = max(tip, last_tip * BUMP_PERCENT // 100)
            fee = max(fee, last_fee * BUMP_PERCENT // 100)
        return min(tip, fee), fee

    def _signed(self, call: Call, nonce: int, gas: int, tip: int, fee: int) -> bytes:
        if self._chain_id is None:
            self._chain_id = self.chain.chain_id()
        transaction: dict[str, Any] = {
            "type": 2,
            "chainId": self._chain_id,
            "nonce": nonce,
            "to": call.to,
            "data": "0x" + call.data.hex(),
            "value": 0,
            "gas": gas * self.fees.gas_margin_percent // 100,
            "maxPriorityFeePerGas": min(tip, fee),
            "maxFeePerGas": fee,
        }
        return bytes(self.account.sign_transaction(transaction).raw_transaction)

    def _wait(self, hashes: list[str]) -> Receipt | None:
        """The receipt of whichever version is in a block within the time before the next bump."""
        deadline = self.clock.now() + self.fees.bump_after_s
        while True:
            for transaction_hash in reversed(hashes):
                receipt = self.chain.receipt(transaction_hash)
                if receipt is not None:
                    return receipt
            if self.clock.now() >= deadline:
                return None
            self.clock.sleep(POLL_S)
