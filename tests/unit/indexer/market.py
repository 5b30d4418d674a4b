# SPDX-License-Identifier: AGPL-3.0-only
"""One market with two accounts, played by the contract's rules into the tables, beside the reference model."""

from __future__ import annotations

import random
from typing import Any

from sqlalchemy import Engine

from indexer.store.chain_store import ChainStore, Limits
from indexer.views.block import Block
from ouro import events
from ouro.codec import PositionWord
from ouro.events import LogPosition
from ouro.ledger import Ledger
from ouro.maths import fees, funding
from ouro.units import SCALE
from tests.unit.indexer.chain import LONG_SIDE, SHORT_SIDE, Blocks

PRICE = 2_300_000
HOUR = funding.HOUR_S


class Market:
    """The contract's side of one market with two accounts: their words and the events that the contract would log."""

    def __init__(self, store: ChainStore, final: int = 0) -> None:
        self.store, self.limits = store, Limits(final, final)
        self.blocks = Blocks(time_s=HOUR * 100)
        self.ledger = Ledger()
        self.price = PRICE
        self.words = {LONG_SIDE: PositionWord(0, 0, 0), SHORT_SIDE: PositionWord(0, 0, 0)}
        self.cash = dict.fromkeys(self.words, 0)
        self.received = dict.fromkeys(self.words, 0)
        self.left = dict.fromkeys(self.words, 0)
        self.ended: dict[str, list[int]] = {LONG_SIDE: [], SHORT_SIDE: []}
        self._fill_id = 0
        self.equities: dict[tuple[str, int], int] = {}
        self.blocks.list_market()
        self.blocks.price(PRICE)
        for owner in self.words:
            self.deposit(owner, 10**12)
        self.apply(10)

    def deposit(self, owner: str, amount: int) -> None:
        self.cash[owner] += amount
        self.blocks.add(events.Credited, account=owner, subaccount=0, amount=amount, cash=self.cash[owner])
        self.blocks.add(events.Deposited, payer=owner, account=owner, subaccount=0, amount=amount)

    def push(self, price: int) -> None:
        self.price = price
        self.blocks.price(price)

    def fill(self, lots: int, *, fee_ppm: int = 350) -> None:
        """LONG_SIDE trades `lots` signed with SHORT_SIDE at the index price."""
        now = self.blocks.time_s
        state = self.ledger.markets_state[1].funding
        touched = funding.touch(state, now, self.price)
        if touched.hour != state.hour:
            self.blocks.add(
                events.FundingAccrued,
                market=1,
                g_long=touched.g_long,
                g_short=touched.g_short,
                rate=touched.rate,
                index_price=self.price,
                at=now,
            )
        g_long, g_short = funding.indices(touched, now)
        self._fill_id += 1
        for owner, delta, fee in (
            (LONG_SIDE, lots, fees.fee(abs(lots) * self.price, fee_ppm)),
            (SHORT_SIDE, -lots, 0),
        ):
            self.words[owner] = self._moved(owner, delta, fee, g_long, g_short)
        self.blocks.fill(
            self._fill_id,
            lots,
            self.price,
            self.words[LONG_SIDE],
            self.words[SHORT_SIDE],
            taker_fee_ppm=fee_ppm,
        )
        self.blocks.settled()

    def _moved(self, owner: str, delta: int, fee: int, g_long: int, g_short: int) -> PositionWord:
        old = self.words[owner]
        size = old.size + delta
        bare = old.q - old.size * (g_long if old.size > 0 else g_short)
        self.received[owner] += bare - self.left[owner]
        if old.size and (size == 0 or (size > 0) != (old.size > 0)):
            self.ended[owner].append(self.received[owner] // SCALE)
            self.received[owner] = 0
        bare -= (delta * self.price + fee) * SCALE
        self.left[owner] = bare if size else 0
        if size:
            return PositionWord(size, bare + size * (g_long if size > 0 else g_short), 0)
        realised = bare // SCALE
        self.cash[owner] += realised
        self.blocks.add(
            events.PositionClosed, account=owner, subaccount=0, market=1, realised=realised, cash=self.cash[owner]
        )
        return PositionWord(0, 0, 0)

    def apply(self, seconds: int) -> Block:
        """Write the block; the next one is so much later. Notes what the ledger says at the end of the hour."""
        now = self.blocks.time_s
        block = self.blocks.done(seconds)
        self.store.apply(block, self.limits)
        self.ledger.apply_all(
            [type(event)(**{**_fields(event), "where": _timed(event.where, block)}) for event in block.events]
        )
        end = (now // HOUR + 1) * HOUR
        if self.blocks.time_s >= end:
            for owner in self.words:
                worth = self.ledger.margin(owner, 0, end)
                self.equities[owner, end] = worth.equity_scaled // SCALE
        return block


def _fields(event: events.Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


def _timed(where: LogPosition, block: Block) -> LogPosition:
    fields = {name: getattr(where, name) for name in where.__struct_fields__}
    return LogPosition(**{**fields, "block_time": block.time_s})


def played(engine: Engine, *, seed: int = 3, steps: int = 60) -> Market:
    """A random history over many hours, with flips, closes and moving prices."""
    store = ChainStore(engine, "31337:0xaa", 1)
    store.open()
    market = Market(store)
    dice = random.Random(seed)
    for _ in range(steps):
        market.push(PRICE + dice.randrange(-50, 50) * 1_000)
        for _ in range(dice.randrange(3)):
            size = market.words[LONG_SIDE].size
            lots = dice.choice([dice.randrange(1, 5_000), -dice.randrange(1, 5_000), -size, -2 * size])
            if lots:
                market.price, index = market.price + dice.randrange(-100, 300), market.price
                market.fill(lots)
                market.price = index
        if dice.randrange(8) == 0:
            market.deposit(LONG_SIDE, dice.randrange(1, 10**9))
        market.apply(dice.choice([10, 60, 900, 3_600, 3_600, 9_000]))
    return market
