# SPDX-License-Identifier: AGPL-3.0-only
"""Attack 31 on groups: an operator gives a group just so little gas that one price more cannot be asked for."""

from dataclasses import replace

from tests.support.abi import RevertError
from tests.support.system import BTC
from tests.support.wire import wallet
from tests.support.world import USDC, World

PRICE = 1_000_000
MAKERS = 4
GROUPED = 1
# answers 1,000,000 and the present time
ANSWER = "620f42405f524260205260405ff3"
# counts down from 9,400 first: about 245,000 gas, of 250,000 that an oracle may use
DEAR = "6124b8" + "5b600190038060035750" + ANSWER


def group_of_many_prices() -> tuple[World, tuple[list[tuple[int, ...]], list[int]]]:
    """Four makers with seven legs each and a fifth one with one leg, all in different markets; and the words of a group
    with all of them. Its prices cost more than what is set aside for a group.
    """
    listings = [replace(BTC, id=11 + n, ticker=f"M{n}-USD") for n in range(7 * MAKERS + 2)]
    world = World(funds=10**6 * USDC)
    world.evm.set_code(world.oracle.address, bytes.fromhex(ANSWER))
    for listing in listings:
        world.exchange.send(world.governance).list_market(*listing.arguments())
        world._tickers[listing.ticker] = listing.id
    makers = [wallet(f"maker {n}") for n in range(MAKERS + 1)]
    for n, maker in enumerate(makers):
        world.system.fund(maker.address, 1_000 * USDC)
        world.system.fund(world.taker.address, 1_000 * USDC, n)
        for leg in range(7 if n < MAKERS else 1):
            world.trade(world.taker, maker, -10, PRICE, f"M{1 + 7 * n + leg}-USD", taker_subaccount=n)
    world.evm.set_code(world.oracle.address, bytes.fromhex(DEAR))
    fields = {"market": "M0-USD", "limit_price": PRICE}
    world.system.fund(world.taker.address, 1_000 * USDC, 99)
    orders = [world.signed(world.taker, "BUY", subaccount=99, **fields)]
    orders += [world.signed(maker, "SELL", slot=2, **fields) for maker in makers]
    fills = [world.fill(PRICE, 10, 0, 1 + n, flags=GROUPED if n < MAKERS else 0) for n in range(MAKERS + 1)]
    return world, ([signed.words for signed in orders], [fill.word() for fill in fills])


def test_31_no_gas_makes_a_group_name_an_innocent_maker() -> None:
    """With too little of it the group fails for no known reason or the batch reverts: no leg looks stale."""
    world, words = group_of_many_prices()

    def named_with(gas: int) -> set[tuple[int, str]] | None:
        """Who is said to be at fault, and for what; nobody when the group settles, None when the batch reverts."""
        with world.evm.undone():
            try:
                sent = world.exchange.send(world.operator, gas)
                receipt = sent.settle(world.system.head, (99).to_bytes(32, "big"), *words)
            except RevertError:
                return None
            return {(log.fault_class, log.reason) for log in receipt.named("FillRejected")}

    too_little, enough = 5_000_000, 20_000_000
    while enough - too_little > 4_000:
        middle = (too_little + enough) // 2
        if named_with(middle) == set():
            enough = middle
        else:
            too_little = middle
    for gas in range(enough - 120_000, enough, 4_000):
        assert named_with(gas) in (None, set(), {(4, "unknown"), (4, "group failed")}), gas
