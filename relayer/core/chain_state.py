# SPDX-License-Identifier: AGPL-3.0-only
"""What the chain says: the ledger at the last final block, the unfinal blocks above it, and the ledger at the head.

A reorg drops blocks and recomputes the head from the final state; nothing is patched backwards.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ouro import events
from ouro.codec import FeeTier
from ouro.events.base import LogPosition
from ouro.ledger import READ, Ledger, in_effect_order
from ouro.markets import Market
from relayer.core.accounts import AccountKey
from relayer.core.errors import InputRefusedError
from relayer.core.fee_schedule import DAY_S, DAYS
from relayer.core.inputs import ZERO_HASH, ChainBlock


class PendingWithdrawal(msgspec.Struct, frozen=True):
    """A delayed withdrawal that was requested and neither paid nor cancelled; micro-USDC."""

    account: str
    subaccount: int
    amount: int


class SessionKey(msgspec.Struct, frozen=True):
    """A key that may sign for an account: ids of its markets (none: all), micro-USDC that it may sign for in all, its
    last second. One whose revocation was seen signs no more, though its orders live a settle window longer on chain.
    """

    markets: tuple[int, ...]
    budget: int
    expiry: int
    is_revoked: bool = False


Volumes = tuple[tuple[int, int], ...]
"""Days since 1970 and the micro-USDC that an owner traded in each, oldest first, 30 days at most."""


class ChainState:
    """The chain's state at one block, as far as matching needs it."""

    __slots__ = (
        "account_stamps",
        "fee_tiers",
        "head",
        "key_signers",
        "keys",
        "ledger",
        "operator",
        "owners",
        "slot_stamps",
        "used_nonces",
        "volumes",
        "withdrawals",
    )

    def __init__(self, ledger: Ledger, operator: str) -> None:
        self.ledger = ledger
        self.operator = operator
        self.head = ZERO_HASH
        self.withdrawals: dict[int, PendingWithdrawal] = {}
        self.used_nonces: dict[tuple[str, int], None] = {}
        self.slot_stamps: dict[tuple[str, int], int] = {}
        self.account_stamps: dict[AccountKey, int] = {}
        self.owners: dict[str, None] = {}
        self.keys: dict[tuple[str, str], SessionKey] = {}
        self.key_signers: dict[str, None] = {}
        self.fee_tiers: tuple[FeeTier, ...] = ()
        self.volumes: dict[str, Volumes] = {}

    def copy(self) -> ChainState:
        """An independent copy."""
        other = ChainState(self.ledger.copy(), self.operator)
        other.head = self.head
        other.withdrawals = dict(self.withdrawals)
        other.used_nonces = dict(self.used_nonces)
        other.slot_stamps = dict(self.slot_stamps)
        other.account_stamps = dict(self.account_stamps)
        other.owners = dict(self.owners)
        other.keys = dict(self.keys)
        other.key_signers = dict(self.key_signers)
        other.fee_tiers = self.fee_tiers
        other.volumes = dict(self.volumes)
        return other

    def apply(self, event: events.Event) -> None:
        """Follows one event."""
        self.ledger.apply(event)
        match event:
            case events.BatchSettled() if event.operator == self.operator:
                self.head = event.next
            case events.Fill() if event.taker != event.maker:
                notional = event.detail.price * event.detail.size
                day = (event.where.block_time or 0) // DAY_S
                self._traded(event.taker, day, notional)
                self._traded(event.maker, day, notional)
            case events.FeeTiersSet():
                self.fee_tiers = event.tiers
            case events.Credited():
                self.owners[event.account] = None
            case events.WithdrawalRequested():
                self.withdrawals[event.id] = PendingWithdrawal(event.account, event.subaccount, event.amount)
            case events.WithdrawalCancelled():
                self.withdrawals.pop(event.id, None)
            case events.Withdrawn():
                if event.instant:
                    self.used_nonces[event.account, event.id_or_nonce] = None
                else:
                    self.withdrawals.pop(event.id_or_nonce, None)
            case events.SessionKeyRegistered():
                self.keys[event.account, event.key] = SessionKey(event.markets, event.budget, event.expiry)
                self.key_signers[event.key] = None
            case events.SessionKeyRevoked():
                known = self.keys.get((event.account, event.key))
                if known is not None:
                    self.keys[event.account, event.key] = msgspec.structs.replace(known, is_revoked=True)
            case events.SlotCancelled():
                self.slot_stamps[event.signer, event.slot] = event.stamp
            case events.AllCancelled():
                self.account_stamps[event.account, event.subaccount] = event.stamp
            case _:
                pass

    def _traded(self, owner: str, day: int, notional: int) -> None:
        days = self.volumes.get(owner, ())
        if days and days[-1][0] == day:
            self.volumes[owner] = (*days[:-1], (day, days[-1][1] + notional))
        else:
            self.volumes[owner] = (*(each for each in days if each[0] > day - DAYS), (day, notional))


class Block:
    """An unfinal block with its logs and the prices read at it, and what they say, in the order of its effect."""

    __slots__ = ("events", "hash", "logs", "number", "prices", "time_s")

    def __init__(self, item: ChainBlock, decoded: list[events.Event]) -> None:
        self.number = item.number
        self.hash = item.hash
        self.time_s = item.time_s
        self.logs = item.logs
        self.prices = item.prices
        self.events = decoded


class Chain:
    """Final state, unfinal blocks, head state. `blocks` always ends with the head once a block was seen."""

    __slots__ = ("_contracts", "blocks", "final", "final_number", "head")

    def __init__(self, markets: Iterable[Market], operator: str, contracts: Iterable[str]) -> None:
        self._contracts = frozenset(contracts)
        self.final = ChainState(Ledger(list(markets)), operator)
        self.head = self.final.copy()
        self.blocks: list[Block] = []
        self.final_number = 0

    @property
    def number(self) -> int:
        """The head's number, 0 before the first block."""
        return self.blocks[-1].number if self.blocks else 0

    @property
    def hash(self) -> bytes:
        """The head's hash."""
        return self.blocks[-1].hash if self.blocks else ZERO_HASH

    @property
    def time_s(self) -> int:
        """The head's time."""
        return self.blocks[-1].time_s if self.blocks else 0

    def append(self, block: ChainBlock) -> Block:
        """Takes the next block; raises InputRefusedError when it does not follow the head."""
        if self.blocks and (block.parent_hash != self.hash or block.number != self.number + 1):
            raise InputRefusedError(
                f"block {block.number} does not follow the head {self.number}: revert to their fork first"
            )
        decoded = self._decode(block)
        for event in decoded:
            self.head.apply(event)
        self.blocks.append(Block(block, decoded))
        self.final_number = max(self.final_number, min(block.final_number, block.number))
        self._finalise()
        # A block may be final when it is first seen, as after a restart: then the one in the list is empty already.
        return Block(block, decoded)

    def check_revert(self, to_number: int, to_hash: bytes) -> None:
        """Raises InputRefusedError when the block to return to is not among the unfinal ones (or the final one below
        them).
        """
        for block in self.blocks:
            if block.number == to_number and block.hash == to_hash:
                return
        raise InputRefusedError(f"cannot revert to block {to_number}: it is final or was never seen")

    def revert(self, to_number: int) -> list[Block]:
        """Drops the blocks above `to_number` and recomputes the head; answers the dropped ones, oldest first."""
        kept = [block for block in self.blocks if block.number <= to_number]
        dropped = self.blocks[len(kept) :]
        self.blocks = kept
        self.head = self.final.copy()
        for block in kept:
            if block.number > self.final_number:
                for event in block.events:
                    self.head.apply(event)
        return dropped

    def is_settled(self, owner: str, nonce: int, deadline: int) -> bool:
        """Whether an instant withdrawal has landed, or can no longer land, in a final block."""
        if (owner, nonce) in self.final.used_nonces:
            return True
        return bool(self.blocks) and self.blocks[0].number <= self.final_number and self.blocks[0].time_s > deadline

    def unconfirmed_credits(self, confirmations: int) -> dict[AccountKey, int]:
        """Deposits in the newest blocks that have fewer than `confirmations` (1: none), per account, micro-USDC."""
        amounts: dict[AccountKey, int] = {}
        for block in self.blocks[max(0, len(self.blocks) - confirmations + 1) :]:
            for event in block.events:
                if isinstance(event, events.Credited):
                    key = (event.account, event.subaccount)
                    amounts[key] = amounts.get(key, 0) + event.amount
        return amounts

    def restore(self, final: ChainState, final_number: int, blocks: Iterable[ChainBlock]) -> None:
        """Takes a state at the last final block, and the blocks of which `blocks` spoke then; recomputes the head."""
        self.final = final
        self.final_number = final_number
        self.head = final.copy()
        self.blocks = []
        for block in blocks:
            decoded = self._decode(block)
            for event in decoded:
                self.head.apply(event)
            self.blocks.append(Block(block, decoded))

    def _decode(self, block: ChainBlock) -> list[events.Event]:
        decoded: list[events.Event] = []
        for log in block.logs:
            event = events.decode_log(log.to_rpc(block.number, block.hash, block.time_s))
            # Anyone can emit an event that looks like ours from a contract of his own.
            if event is not None and event.where.address in self._contracts:
                decoded.append(event)
        return [*self._observed(block), *in_effect_order(decoded)]

    def _observed(self, block: ChainBlock) -> list[events.Event]:
        """New prices that were read at a block. They count for all of it: its calls asked the oracle at its time."""
        known = self.head.ledger.markets_state
        nowhere = LogPosition(block.number, "0x" + block.hash.hex(), "", -1, READ, block.time_s)
        return [
            events.PricePushed(nowhere, market, price, published_at)
            for market, price, published_at in block.prices
            if market in known and (known[market].index_price, known[market].published_at) != (price, published_at)
        ]

    def _finalise(self) -> None:
        # The newest final block stays in the list, emptied, as the one a reorg may return to.
        for block in self.blocks:
            if block.number > self.final_number:
                break
            for event in block.events:
                self.final.apply(event)
            block.logs, block.prices, block.events = (), (), []
        while len(self.blocks) > 1 and self.blocks[1].number <= self.final_number:
            del self.blocks[0]
