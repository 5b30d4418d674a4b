# SPDX-License-Identifier: AGPL-3.0-only
"""An order as the core holds it, and its place in a queue of the book."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from relayer.core.outputs import OrderState

if TYPE_CHECKING:
    from relayer.core.accounts import AccountEntry
    from relayer.core.book import Level
    from relayer.core.venue import Venue


class Status(StrEnum):
    """Where an order stands."""

    OPEN = "OPEN"
    FILLED = "FILLED"
    CANCELED = "CANCELED"


class LiveOrder:
    """One accepted order. Sizes in lots, price in micro-USDC per lot.

    `filled` is the sum of its fills that were not rejected. `placed` numbers acceptances. While it rests, `level` is
    its price level, `before`/`after` its neighbours in the queue and `resting` what it offers there.
    """

    __slots__ = (
        "account",
        "after",
        "amounts",
        "before",
        "client_id",
        "expiry",
        "fill_or_kill",
        "filled",
        "first_answer",
        "generation",
        "id",
        "level",
        "limit_price",
        "live_fills",
        "max_fee_ppm",
        "one_shot",
        "placed",
        "post_only",
        "r",
        "reason",
        "reduce_only",
        "resting",
        "revision",
        "sell",
        "signer",
        "size",
        "slot",
        "status",
        "terms",
        "time_in_force",
        "venue",
        "vs",
    )

    def __init__(
        self,
        *,
        order_id: bytes,
        client_id: str,
        account: AccountEntry,
        venue: Venue,
        sell: bool,
        size: int,
        limit_price: int,
        time_in_force: str,
        post_only: bool,
        reduce_only: bool,
        max_fee_ppm: int,
        expiry: int,
        generation: int,
        slot: int,
        revision: int,
        signer: str,
        words: tuple[int, int, int, int],
    ) -> None:
        self.id = order_id
        self.client_id = client_id
        self.account = account
        self.venue = venue
        self.sell = sell
        self.size = size
        self.limit_price = limit_price
        self.time_in_force = time_in_force
        self.one_shot = time_in_force != "GTT"
        self.fill_or_kill = time_in_force == "FOK"
        self.post_only = post_only
        self.reduce_only = reduce_only
        self.max_fee_ppm = max_fee_ppm
        self.expiry = expiry
        self.generation = generation
        self.slot = slot
        self.revision = revision
        self.signer = signer
        self.terms, self.amounts, self.r, self.vs = words
        self.filled = 0
        self.live_fills = 0
        self.status = Status.OPEN
        self.reason = ""
        self.placed = 0
        self.first_answer: tuple[str, int, str] = ("", 0, "")
        self.resting = 0
        self.level: Level | None = None
        self.before: LiveOrder | None = None
        self.after: LiveOrder | None = None

    @property
    def remaining(self) -> int:
        """Lots not filled yet; 0 when a reorg brought back more than there was room for."""
        return max(0, self.size - self.filled)

    @property
    def by_key(self) -> bool:
        """Signed by a session key, not by the owner."""
        return self.signer != self.account.owner

    @property
    def hex_id(self) -> str:
        """The id as people see it."""
        return "0x" + self.id.hex()

    def state(self) -> OrderState:
        """What the event log says about it."""
        return OrderState(
            id=self.hex_id,
            client_id=self.client_id,
            account=self.account.owner,
            subaccount=self.account.subaccount,
            market=self.venue.ticker,
            side="SELL" if self.sell else "BUY",
            size=self.size,
            limit_price=self.limit_price,
            time_in_force=self.time_in_force,
            post_only=self.post_only,
            reduce_only=self.reduce_only,
            expiry=self.expiry,
            generation=self.generation,
            slot=self.slot,
            revision=self.revision,
            signer=self.signer,
            filled=self.filled,
            status=self.status.value,
            reason=self.reason,
        )
