# SPDX-License-Identifier: AGPL-3.0-only
"""A chain with history to index: batches of fills between many accounts in two markets, with prices that move."""

from __future__ import annotations

import random

from tests.integration.indexer.venue import IDS, USDC, ChainVenue
from tests.support.wire import Fill, wallet

ACCOUNTS = 40
_BATCHES_A_PRICE = 8
_BATCHES_AN_HOUR = 40


def play(chain: ChainVenue, *, batches: int, fills: int, seed: int = 5) -> None:
    """`batches` of so many `fills`, one a block; every now and then prices are pushed, and hours pass."""
    dice = random.Random(seed)
    people = [wallet(f"bench {number}") for number in range(ACCOUNTS)]
    for key in people:
        chain.rpc.fund(key.address)
        chain.system.fund(key.address, 1_000_000 * USDC)
    fill_id = 0
    for number in range(batches):
        if number % _BATCHES_A_PRICE == 0:
            chain.push({1: 2_300_000 + dice.randrange(-20, 20) * 1_000, 2: 1_600_000 + dice.randrange(-20, 20) * 500})
        if number % _BATCHES_AN_HOUR == _BATCHES_AN_HOUR - 1:
            chain.warp(3_600)
        orders, matched = [], []
        for place in range(fills):
            taker, maker = dice.sample(people, 2)
            market = dice.choice(list(IDS))
            price = chain.prices[IDS[market]] // 100 * 100
            lots = dice.randrange(1, 50)
            sides = dice.choice((("BUY", "SELL"), ("SELL", "BUY")))
            slots = (1 + 2 * place, 2 + 2 * place)
            for key, side, slot in zip((taker, maker), sides, slots, strict=True):
                orders.append(chain.signed(key, side, slot=slot, market=market, limit_price=price, size=lots))
            fill_id += 1
            matched.append(Fill(fill_id, price, lots, 2 * place, 2 * place + 1, taker_fee=350, maker_fee=0))
        chain.system.settle(orders, matched)
