# SPDX-License-Identifier: AGPL-3.0-only
"""Attacks 15 to 34: orders filled too late, too much, too dear, twice, or not at all."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.abi import RevertError
from tests.support.system import BTC, ETH
from tests.support.wire import Fill, Signed, wallet
from tests.support.world import KEYS, PRICE, USDC, World, rejections


def reasons(world: World, orders: list[Signed], *fills: Fill) -> list[str]:
    return [rejection.reason for rejection in rejections(world.settle(orders, list(fills)))]


def pair(world: World, taker: dict[str, Any] | None = None, maker: dict[str, Any] | None = None) -> list[Signed]:
    return [
        world.signed(world.taker, "BUY", **({"slot": 1} | (taker or {}))),
        world.signed(world.maker, "SELL", **({"slot": 2} | (maker or {}))),
    ]


def test_15_expired_by_one_second(world: World) -> None:
    orders = pair(world, taker={"expiry": world.now + 5})
    world.warp(5)
    assert reasons(world, orders, world.fill()) == []
    world.warp(1)
    assert reasons(world, orders, world.fill()) == ["expired"]


def test_16_cancelled_on_chain_while_a_batch_is_in_flight(world: World) -> None:
    """The cancel takes effect one window later: a match made before it still settles, one after never does."""
    orders = pair(world)
    world.exchange.send(world.maker.address).cancel_slot(2)
    world.warp(59)
    assert reasons(world, orders, world.fill()) == []
    world.warp(1)
    assert reasons(world, orders, world.fill()) == ["cancelled"]
    fresh = [orders[0], world.signed(world.maker, "SELL", slot=2)]
    assert reasons(world, fresh, world.fill()) == []


def test_16_a_pending_cancel_cannot_be_postponed(world: World) -> None:
    orders = pair(world)
    world.exchange.send(world.maker.address).cancel_slot(2)
    world.exchange.send(world.maker.address).cancel_all(0)
    world.warp(59)
    with pytest.raises(RevertError, match="cancel pending"):
        world.exchange.send(world.maker.address).cancel_slot(2)
    with pytest.raises(RevertError, match="cancel pending"):
        world.exchange.send(world.maker.address).cancel_all(0)
    world.warp(1)
    world.exchange.send(world.maker.address).cancel_slot(2)  # a second one does not revive what the first one killed
    assert reasons(world, orders, world.fill()) in (["cancelled"], ["stale generation"])


def test_16_a_second_cancel_all_does_not_revive_what_the_first_killed(world: World) -> None:
    orders = pair(world)
    world.exchange.send(world.maker.address).cancel_all(0)
    world.warp(60)
    assert reasons(world, orders, world.fill()) == ["cancelled"]
    world.exchange.send(world.maker.address).cancel_all(0)
    assert reasons(world, orders, world.fill()) == ["cancelled"]
    young = [orders[0], world.signed(world.maker, "SELL", slot=2, generation=world.now * 1000 + 9_000)]
    assert reasons(world, young, world.fill()) == []  # pending only
    world.warp(60)
    world.push({1: PRICE[1]})
    assert reasons(world, young, world.fill()) == ["cancelled"]


def test_17_cancel_all_floor(world: World) -> None:
    """Whatever is signed by the stamp dies, in every slot and one-shot too; other subaccounts and later orders live."""
    world.system.fund(world.taker.address, 1_000 * USDC, subaccount=1)
    orders = [
        world.signed(world.taker, "BUY", slot=1),
        world.signed(world.taker, "BUY", slot=7),
        world.signed(world.taker, "BUY", time_in_force="IOC"),
        world.signed(world.taker, "BUY", slot=8, subaccount=1),
        world.signed(world.maker, "SELL", slot=2),
    ]
    at_stamp = (world.now + 10) * 1000
    world.exchange.send(world.taker.address).cancel_all(0)
    world.warp(60)
    orders += [
        world.signed(world.taker, "BUY", slot=9, generation=at_stamp),
        world.signed(world.taker, "BUY", slot=10, generation=at_stamp + 1),
    ]
    fills = [world.fill(taker=index, maker=4, size=5) for index in (0, 1, 2, 3, 5, 6)]
    found = {rejection.fill_id: rejection.reason for rejection in rejections(world.settle(orders, fills))}
    assert found == {fills[index].fill_id: "cancelled" for index in (0, 1, 2, 4)}
    assert world.position(world.taker).size == 5
    assert world.position(world.taker, subaccount=1).size == 5


def test_18_overfill_in_a_batch_and_across_batches(world: World) -> None:
    orders = pair(world, taker={"size": 100}, maker={"size": 25})
    assert reasons(world, orders, *(world.fill(size=10) for _ in range(3))) == ["overfilled"]
    assert reasons(world, orders, world.fill(size=6)) == ["overfilled"]
    assert reasons(world, orders, world.fill(size=5)) == []
    assert reasons(world, orders, world.fill(size=1)) == ["overfilled"]
    assert world.slot(world.maker, 2).filled == 25


def test_18_an_amend_counts_what_its_chain_filled(world: World) -> None:
    """The next revision's size is the total; a lower total leaves less, an older revision is dead."""
    first = world.signed(world.maker, "SELL", slot=2, size=30)
    taker = world.signed(world.taker, "BUY", size=100)
    assert reasons(world, [taker, first], world.fill(size=20)) == []
    amended = world.sign(world.maker, first.order.but(revision=1, size=25))
    assert reasons(world, [taker, amended], world.fill(size=6)) == ["overfilled"]
    assert reasons(world, [taker, amended], world.fill(size=5)) == []
    assert reasons(world, [taker, first], world.fill(size=1)) == ["stale revision"]


def test_18_a_one_shot_order_fills_within_one_batch_only(world: World) -> None:
    orders = pair(world, taker={"time_in_force": "IOC", "slot": 0, "size": 30})
    assert reasons(world, orders, *(world.fill(size=10) for _ in range(4))) == ["overfilled"]
    assert reasons(world, orders, world.fill(size=1)) == ["one-shot used"]
    twice = world.signed(world.taker, "BUY", time_in_force="IOC", size=10)
    again = [twice, orders[1], twice]
    assert reasons(world, again, world.fill(), world.fill(taker=2)) == ["one-shot used"]


def test_18_a_flat_position_remembers_its_one_shot_orders(world: World) -> None:
    bought = pair(world, taker={"time_in_force": "IOC", "slot": 0})
    assert reasons(world, bought, world.fill()) == []
    world.trade(world.taker, world.maker, -10)
    assert world.position(world.taker).size == 0
    replay = [bought[0], world.signed(world.maker, "SELL", slot=3)]
    assert reasons(world, replay, world.fill()) == ["one-shot used"]


def test_18_two_orders_for_one_slot(world: World) -> None:
    """Signed at the same millisecond: whichever settles first has the slot."""
    taker = world.signed(world.taker, "BUY")
    one = world.order(world.maker, "SELL", slot=2)
    other = world.sign(world.maker, one.but(size=90))
    assert reasons(world, [taker, world.sign(world.maker, one)], world.fill()) == []
    assert reasons(world, [taker, other], world.fill()) == ["slot taken"]


def test_19_duplicate_fill(world: World) -> None:
    """A landed batch sent again changes nothing: its head has passed."""
    orders, fill = pair(world), world.fill(size=10)
    words = [signed.words for signed in orders]
    world.settle(orders, [fill])
    head, first = world.system.head, bytes(32)
    operator = world.exchange.send(world.operator)
    with pytest.raises(RevertError, match="journal head moved"):
        operator.settle(first, head, words, [fill.word()])
    with pytest.raises(RevertError):
        operator.settle(head, head, words, [fill.word()])
    with pytest.raises(RevertError):
        operator.settle(head, bytes(32), words, [fill.word()])
    assert world.position(world.taker).size == 10


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_20_fill_worse_than_limit_by_one_unit(world: World, side: str) -> None:
    """One unit of price, on a market whose tick is one, for taker and maker, buying and selling."""
    world.exchange.send(world.governance).set_market(1, *replace(BTC, tick=1).parameters(), 1)
    other = "SELL" if side == "BUY" else "BUY"
    worse = PRICE[1] + (1 if side == "BUY" else -1)
    generous = PRICE[1] + (-50 if side == "BUY" else 50)
    taking = [world.signed(world.taker, side), world.signed(world.maker, other, slot=2, limit_price=generous)]
    assert reasons(world, taking, world.fill(worse)) == ["price past limit"]
    assert reasons(world, taking, world.fill(PRICE[1])) == []
    resting = [world.signed(world.taker, other, slot=3, limit_price=generous), world.signed(world.maker, side, slot=4)]
    assert reasons(world, resting, world.fill(worse)) == ["price past limit"]
    assert reasons(world, resting, world.fill(PRICE[1])) == []


def test_21_reduce_only_that_would_flip_or_increase(world: World) -> None:
    world.trade(world.taker, world.maker, 50)
    maker = world.signed(world.maker, "BUY", slot=3, size=500)
    reduce = world.signed(world.taker, "SELL", slot=4, reduce_only=True, size=500)
    assert reasons(world, [reduce, maker], world.fill(size=51)) == ["reduce-only"]
    increase = world.signed(world.taker, "BUY", slot=5, reduce_only=True)
    seller = world.signed(world.maker, "SELL", slot=6)
    assert reasons(world, [increase, seller], world.fill()) == ["reduce-only"]
    # within one batch: each alone would reduce, together they would flip
    assert reasons(world, [reduce, maker], world.fill(size=30), world.fill(size=21)) == ["reduce-only"]
    assert world.position(world.taker).size == 20
    assert reasons(world, [reduce, maker], world.fill(size=20), world.fill(size=1)) == ["reduce-only"]
    assert world.position(world.taker).size == 0


def test_22_self_trade(world: World) -> None:
    """Not within an account. Between an owner's subaccounts it settles but earns no say in funding."""
    world.system.fund(world.taker.address, 10_000 * USDC, subaccount=1)
    own = [world.signed(world.taker, "BUY", slot=1), world.signed(world.taker, "SELL", slot=2)]
    assert reasons(world, own, world.fill()) == ["self trade"]
    price = PRICE[1] * 105 // 100
    world.trade(world.taker, world.taker, 50, price, maker_subaccount=1, taker_fee=1_000, maker_fee=1_000)
    world.warp(3_600)
    world.push({1: PRICE[1]})
    world.exchange.send(world.maker.address).poke(1)
    assert world.exchange.call.market_indices(1)[3] == 0


def test_23_fee_above_the_signed_cap(world: World) -> None:
    orders = pair(world, taker={"max_fee_ppm": 350}, maker={"max_fee_ppm": 0})
    assert reasons(world, orders, world.fill(taker_fee=351)) == ["fee above cap"]
    assert reasons(world, orders, world.fill(taker_fee=350, maker_fee=1)) == ["fee above cap"]
    assert reasons(world, orders, world.fill(taker_fee=350)) == []
    assert world.exchange.call.fees() == -(-PRICE[1] * 10 * 350 // 1_000_000)


def test_24_negative_fee_or_rebate(world: World) -> None:
    """A maker's rebate is paid by its taker, never by the exchange: the sum of both is not negative."""
    orders = pair(world)
    assert reasons(world, orders, world.fill(taker_fee=99, maker_fee=-100)) == ["negative fees"]
    assert reasons(world, orders, world.fill(taker_fee=-1, maker_fee=0)) == ["negative fees"]
    assert reasons(world, orders, world.fill(taker_fee=-32_768, maker_fee=-32_768)) == ["negative fees"]
    assert reasons(world, orders, world.fill(taker_fee=100, maker_fee=-100)) == []
    notional = PRICE[1] * 10
    assert world.position(world.maker).q == (notional + notional * 100 // 1_000_000) << 32
    assert world.exchange.call.fees() == 0


def test_24_rounding_never_makes_fees_negative(world: World) -> None:
    """With the smallest notional, the taker's fee rounds up and the maker's rebate towards zero."""
    world.exchange.send(world.governance).set_market(1, *replace(BTC, tick=1).parameters(), 1)
    for offset in range(5):
        price = PRICE[1] - offset
        orders = pair(world, maker={"limit_price": price}, taker={"slot": 1})
        assert reasons(world, orders, world.fill(price, 1, taker_fee=1, maker_fee=-1)) == []
    assert world.exchange.call.fees() == 5


def test_25_fee_above_notional(world: World) -> None:
    """The wire cannot say a fee above 3.3% of notional, and no signature allows more than it caps."""
    orders = pair(world, taker={"max_fee_ppm": 2**16 - 1})
    assert reasons(world, orders, world.fill(taker_fee=32_767)) == []
    assert world.exchange.call.fees() < PRICE[1] * 10 * 4 // 100


def test_26_tick_violation(world: World) -> None:
    orders = pair(world, taker={"limit_price": PRICE[1] + 1_000})
    for offset in (1, 50, 99):
        assert reasons(world, orders, world.fill(PRICE[1] + offset)) == ["off tick"]
    assert reasons(world, orders, world.fill(PRICE[1] + 100)) == []


def test_27_zero_size_or_price(world: World) -> None:
    assert reasons(world, pair(world), world.fill(size=0), world.fill(price=0)) == ["bad fill", "bad fill"]
    assert reasons(world, pair(world, taker={"size": 0}), world.fill(size=0)) in (["bad size"], ["bad fill"])
    assert reasons(world, pair(world, taker={"limit_price": 0}), world.fill()) == ["bad price"]


def test_28_extreme_integers(world: World) -> None:
    """Nothing wraps, nothing reverts the batch, nothing settles."""
    top = 2**48 - 1
    orders = pair(
        world,
        taker={"size": 2**46, "limit_price": 2**40, "max_fee_ppm": 65_535},
        maker={"size": 2**46, "limit_price": 1, "max_fee_ppm": 65_535},
    )
    for price, size in ((top, top), (2**40, 2**46), (1, 2**46), (top, 1), (1, top)):
        for fees in ((32_767, 32_767), (32_767, -32_767), (0, 0)):
            fill = world.fill(price, size, taker_fee=fees[0], maker_fee=fees[1])
            assert len(reasons(world, orders, fill)) == 1
    at_index = world.fill(PRICE[1], 2**46)
    assert reasons(world, orders, at_index) == ["position limit"]
    assert reasons(world, orders, replace(at_index, size=2**46 - 1))[0] in ("margin", "open interest cap")
    assert reasons(world, orders, replace(at_index, fill_id=2**64 - 1, size=10)) == []


def test_29_a_poisoned_item_does_not_block_its_batch(world: World) -> None:
    """31 bad fills of every kind around one good one."""
    poison: list[dict[str, Any]] = [
        {"size": 0}, {"flags": 1}, {"tail": 9}, {"taker": 99}, {"maker": 0}, {"taker_fee": 2_000}, {"price": 1},
    ]  # fmt: skip
    orders = pair(world)
    fills = [replace(world.fill(), **poison[index % len(poison)]) for index in range(32)]
    fills[17] = world.fill()
    assert len(reasons(world, orders, *fills)) == 31
    assert world.position(world.taker).size == 10


def busy_world() -> tuple[World, list[Signed]]:
    """Two accounts with eight positions each, and 64 orders of theirs in eight markets."""
    listings = tuple(replace(BTC, id=number, ticker=f"M{number}-USD") for number in range(1, 9))
    world = World(listings)
    world.push(dict.fromkeys(range(1, 9), PRICE[1]))
    for number in range(1, 9):
        world.trade(world.taker, world.maker, 10, PRICE[1], f"M{number}-USD")
    fields = [{"market": f"M{index % 8 + 1}-USD", "limit_price": PRICE[1], "slot": 100 + index} for index in range(32)]
    orders = [world.signed(world.taker, "BUY", **entry) for entry in fields]
    orders += [world.signed(world.maker, "SELL", **entry) for entry in fields]
    return world, orders


def test_30_gas_griefing_at_maximum_batch() -> None:
    """The dearest batch there is (32 fills, 64 orders, 8 markets, 8 positions a side) fits a block with room."""
    world, orders = busy_world()
    fills = [world.fill(PRICE[1], 1, index, 32 + index) for index in range(32)]
    world.system.batches += 1
    head = world.system.batches.to_bytes(32, "big")
    words = [signed.words for signed in orders], [fill.word() for fill in fills]
    receipt = world.exchange.send(world.operator).settle(world.system.head, head, *words)
    assert receipt.named("BatchSettled")[0].settled == 32
    assert receipt.gas_used < 15_000_000


def test_31_gas_starvation_reverts_the_batch_and_frames_nobody() -> None:
    """With whatever gas the operator gives, a batch settles whole or reverts whole: no innocent is rejected."""
    world, orders = busy_world()
    fills = [world.fill(PRICE[1], 1, index, 32 + index) for index in range(4)]
    words = [signed.words for signed in orders], [fill.word() for fill in fills]
    outcomes = set()
    for gas in range(600_000, 6_600_000, 100_000):
        with world.evm.undone():
            try:
                sent = world.exchange.send(world.operator, gas)
                receipt = sent.settle(world.system.head, (99).to_bytes(32, "big"), *words)
            except RevertError:
                outcomes.add("reverted")
            else:
                assert receipt.named("FillRejected") == []
                outcomes.add("settled")
    assert outcomes == {"reverted", "settled"}


def test_31_the_step_reserve_exceeds_the_dearest_step() -> None:
    """One fill between accounts with eight positions each costs less than what is set aside for a step."""
    world, orders = busy_world()
    words = [orders[0].words, orders[32].words], [world.fill(PRICE[1], 1).word()]
    receipt = world.exchange.send(world.operator).settle(world.system.head, (99).to_bytes(32, "big"), *words)
    assert receipt.named("BatchSettled")[0].settled == 1
    cold_reads = 8 * 2 * 4 * 2_000  # this chain keeps storage warm; a real one charges first reads
    # of 4,000,000 that are set aside; the oracle of each other market may use up 250,000 besides
    assert receipt.gas_used - 21_000 + cold_reads < 4_000_000 - 14 * 250_000


def test_32_operator_invents(world: World) -> None:
    """Every field of a fill that the operator chooses is bounded by what both sides signed."""
    orders = pair(world)
    stranger = [world.sign(KEYS.operator, world.order(world.taker, "BUY")), orders[1]]
    assert reasons(world, stranger, world.fill()) == ["bad signature"]
    assert reasons(world, orders, world.fill(size=101)) == ["overfilled"]
    assert reasons(world, orders, world.fill(PRICE[1] - 100)) == ["price past limit"]
    assert world.position(world.taker).size == 0


def test_32_operator_reorders_and_replays(world: World) -> None:
    orders = pair(world)
    world.settle(orders, [world.fill()])
    newer = [world.signed(world.taker, "BUY", slot=1), orders[1]]
    assert reasons(world, newer, world.fill()) == []
    assert reasons(world, orders, world.fill()) == ["stale generation"]


def test_32_only_operators_settle_and_each_has_a_head_of_its_own(world: World) -> None:
    orders, fill = pair(world), world.fill()
    words = [signed.words for signed in orders], [fill.word()]
    for stranger in (world.taker, wallet("non-operator"), KEYS.governance, KEYS.guardian):
        with pytest.raises(RevertError, match="only operators"):
            world.exchange.send(stranger.address).settle(bytes(32), (1).to_bytes(32, "big"), *words)
    for step in ("execute_fill", "execute_group", "execute_liquidation"):
        for sender in (world.operator, world.governance):
            with pytest.raises(RevertError, match="only self"):
                getattr(world.exchange.send(sender), step)(*world.exchange.abi.functions[step].blank())
    world.exchange.send(world.governance).set_operator(world.operator, False)
    with pytest.raises(RevertError, match="only operators"):
        world.settle(orders, [fill])


def test_33_censorship(world: World) -> None:
    """Without the operator: cancel, and withdraw what is free; being liquidated at worst."""
    world.trade(world.taker, world.maker, 100)
    world.exchange.send(world.governance).set_operator(world.operator, False)
    world.exchange.send(world.taker.address).cancel_all(0)
    free = world.withdrawable(world.taker)
    assert free > 0
    world.vault.send(world.taker.address).request_withdrawal(0, free, world.taker.address)
    world.warp(120)
    world.push({1: PRICE[1]})
    world.vault.send(wallet("anybody").address).execute_withdrawal(1)
    assert world.balance(world.taker.address) == free


def test_34_mixed_instruments_in_one_fill(world: World) -> None:
    orders = [world.signed(world.taker, "BUY"), world.signed(world.maker, "SELL", market="ETH-USD", limit_price=1)]
    assert reasons(world, orders, world.fill()) == ["market mismatch"]
    assert reasons(world, orders[::-1], world.fill()) == ["market mismatch"]
    assert world.position(world.taker).size == world.position(world.maker, 2).size == 0


def test_34_a_mismatched_fill_does_not_spoil_the_orders_for_others(world: World) -> None:
    """An order seen first in a fill of another market is verified in its own all the same."""
    orders = [
        world.signed(world.taker, "BUY"),
        world.signed(world.maker, "SELL", market="ETH-USD", slot=5),
        world.signed(world.maker, "SELL", slot=6),
        world.signed(world.taker, "BUY", market="ETH-USD", slot=7),
    ]
    fills = [
        world.fill(PRICE[1], 10, 0, 1),
        world.fill(PRICE[2], 10, 3, 1),
        world.fill(PRICE[1], 10, 0, 2),
    ]
    assert reasons(world, orders, *fills) == ["market mismatch"]
    assert (world.position(world.taker, 1).size, world.position(world.taker, 2).size) == (10, 10)


def test_34_markets_interleaved_in_a_batch_keep_their_own_numbers(world: World) -> None:
    orders = [
        world.signed(world.taker, "BUY", slot=1),
        world.signed(world.maker, "SELL", slot=2),
        world.signed(world.taker, "SELL", market=ETH.ticker, slot=3),
        world.signed(world.maker, "BUY", market=ETH.ticker, slot=4),
    ]
    fills = [world.fill(PRICE[1], 1, 0, 1) if turn % 2 else world.fill(PRICE[2], 2, 2, 3) for turn in range(20)]
    assert reasons(world, orders, *fills) == []
    assert world.exchange.call.open_interest(1) == 10
    assert world.exchange.call.open_interest(2) == 20
