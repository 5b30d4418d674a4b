# SPDX-License-Identifier: AGPL-3.0-only
"""How much may leave the Vault in an hour and in a day, net of what comes in."""

from dataclasses import dataclass, replace
from random import Random

import pytest

from tests.support.abi import RevertError
from tests.support.wire import wallet
from tests.support.world import KEYS, USDC, World

HOUR, DAY = 3_600, 86_400
PPM = 10**6
TIGHTEST = (25_000 * USDC, 50_000, 100_000 * USDC, 200_000)
LOOSEST = (2**63, PPM, 2**63, PPM)
START = (1_000_000 * USDC, 200_000, 5_000_000 * USDC, 500_000)


@dataclass(frozen=True)
class Bucket:
    """One cap as docs/custody.md words it, for a single owner."""

    period: int
    floor: int
    share: int
    used: int = 0
    at: int = 0
    fresh: int = 0
    fresh_at: int = 0

    def cap(self, held: int) -> int:
        return max(self.floor, held * self.share // PPM)

    def drained(self, held: int, now: int) -> "Bucket":
        """As it is now."""
        emptied = min(self.used, self.cap(held) * (now - self.at) // self.period)
        fresh = self.fresh if now < self.fresh_at + DAY else 0
        return replace(self, used=self.used - emptied, at=now, fresh=fresh)

    def room(self, held: int, instant: bool) -> int:
        cap = self.cap(held + self.used)
        return max(0, (cap * 3 // 4 if instant else cap) - self.used)

    def filled(self, amount: int) -> "Bucket":
        own = min(amount, self.fresh)
        return replace(self, used=self.used + amount - own, fresh=self.fresh - own)

    def freed(self, amount: int) -> "Bucket":
        part = min(self.used, amount)
        return replace(self, used=self.used - part, fresh=self.fresh + amount - part, fresh_at=self.at)


@pytest.fixture
def world() -> World:
    """Nobody's money is fresh: it has been there for a day."""
    world = World()
    world.warp(DAY)
    return world


def limit(world: World, *limits: int) -> None:
    world.vault.send(world.governance).set_outflow_limits(*limits)


def held(world: World) -> int:
    return world.balance(world.vault.address)


def grow(world: World, amount: int) -> None:
    """Held, and withdrawable by the whale, for a day."""
    world.system.fund(wallet("whale").address, amount)
    world.warp(DAY)


def test_caps_are_open_from_the_start_and_named_in_an_event(world: World) -> None:
    assert world.vault.call.outflow_limits() == START
    receipt = world.vault.send(world.governance).set_outflow_limits(*TIGHTEST)
    [event] = receipt.named("OutflowLimitsSet")
    assert tuple(event.args.values()) == TIGHTEST == world.vault.call.outflow_limits()


def test_an_hour_lets_no_more_leave_at_once_than_three_quarters_of_its_cap(world: World) -> None:
    limit(world, *TIGHTEST)
    assert world.vault.call.outflow_room() == (25_000 * USDC, 18_750 * USDC)
    world.withdraw(world.taker, 18_750 * USDC)
    with pytest.raises(RevertError, match="outflow cap"):
        world.withdraw(world.taker, 1, nonce=2)
    assert world.vault.call.outflow_room() == (6_250 * USDC, 0)


def test_what_is_left_of_a_cap_is_for_those_who_wait(world: World) -> None:
    """Whoever has the operator's co-signature cannot keep the queue waiting for ever by being first each time."""
    limit(world, *TIGHTEST)
    world.vault.send(world.maker.address).request_withdrawal(0, 6_250 * USDC, world.maker.address)
    world.warp(120)
    world.withdraw(world.taker, 18_750 * USDC)
    world.vault.send(world.operator).execute_withdrawal(1)
    with pytest.raises(RevertError, match="outflow cap"):
        world.withdraw(world.taker, 1, nonce=2)
    # the first quarter that empties is the queue's again
    world.warp(HOUR // 4)
    queued, instant = world.vault.call.outflow_room()
    assert (queued, instant) == (6_250 * USDC, 0)


def test_a_bucket_empties_evenly(world: World) -> None:
    """No boundary of an hour or a day to wait for: a second later there is a second's worth of room."""
    limit(world, *TIGHTEST)
    world.withdraw(world.taker, 18_750 * USDC)
    for seconds in (1, 2, 35, 997):
        before = world.vault.call.outflow_room()[0]
        world.warp(seconds)
        gained = world.vault.call.outflow_room()[0] - before
        assert abs(gained - 25_000 * USDC * seconds // HOUR) <= 1


def test_the_day_binds_when_its_hours_are_used_up(world: World) -> None:
    grow(world, 400_000 * USDC)
    limit(world, *TIGHTEST)
    whale, total = wallet("whale"), 0
    for hour in range(12):
        room = world.vault.call.outflow_room()[1]
        if room:
            world.withdraw(whale, room, nonce=hour)
            total += room
        world.warp(HOUR)
    # what the day lets go: three quarters of its cap of what there was, and what empties meanwhile
    assert 75_000 * USDC < total < 150_000 * USDC
    assert world.vault.call.outflow_room()[1] < 25_000 * USDC * 3 // 4


def test_deposits_free_the_caps_and_bank_nothing(world: World) -> None:
    limit(world, *TIGHTEST)
    world.withdraw(world.taker, 18_750 * USDC)
    world.usdc.send(world.taker.address).approve(world.vault.address, 2**255)
    world.vault.send(world.taker.address).deposit(world.taker.address, 0, 8_750 * USDC)
    assert world.vault.call.outflow_room() == (15_000 * USDC, 8_750 * USDC)
    world.system.fund(world.maker.address, 50_000 * USDC)
    assert world.vault.call.outflow_room() == (25_000 * USDC, 18_750 * USDC)
    with pytest.raises(RevertError, match="outflow cap"):
        world.withdraw(world.taker, 18_750 * USDC + 1, nonce=2)
    world.system.donate(wallet("donor").address, USDC)
    assert world.vault.call.outflow_room() == (25_000 * USDC, 18_750 * USDC)


def test_what_came_in_within_a_day_leaves_without_filling_anything(world: World) -> None:
    """Up to what it was, and its owner's alone; a part that freed something fills it again."""
    limit(world, *TIGHTEST)
    world.withdraw(world.taker, 10_000 * USDC)
    friend = wallet("friend")
    world.system.fund(friend.address, 30_000 * USDC)
    assert world.vault.call.outflow_room() == (25_000 * USDC, 18_750 * USDC)
    assert world.vault.call.outflow_room_of(friend.address) == (45_000 * USDC, 38_750 * USDC)
    assert world.vault.call.outflow_room_of(world.taker.address) == (25_000 * USDC, 18_750 * USDC)
    with world.evm.undone():
        world.warp(DAY)
        assert world.vault.call.outflow_room_of(friend.address) == (25_000 * USDC, 18_750 * USDC)
    world.warp(DAY - 1)
    with world.evm.undone():
        world.withdraw(friend, 5_000 * USDC)  # what leaves makes nothing younger
        assert world.vault.call.outflow_room_of(friend.address) == (40_000 * USDC, 33_750 * USDC)
        world.warp(1)
        assert world.vault.call.outflow_room_of(friend.address) == (25_000 * USDC, 18_750 * USDC)
    world.withdraw(friend, 20_000 * USDC)
    assert world.vault.call.outflow_room_of(friend.address) == (25_000 * USDC, 18_750 * USDC)
    world.withdraw(friend, 10_000 * USDC, nonce=2)
    assert world.vault.call.outflow_room() == (15_000 * USDC, 8_750 * USDC)


def test_a_gift_to_the_insurance_fund_frees_too(world: World) -> None:
    limit(world, *TIGHTEST)
    world.withdraw(world.taker, 18_750 * USDC)
    world.system.donate(wallet("donor").address, 750 * USDC)
    assert world.vault.call.outflow_room()[1] == 750 * USDC


def test_one_payment_takes_no_more_than_many(world: World) -> None:
    """The share is of what was there before, so that neither splitting nor joining payments gains."""
    grow(world, 10_000_000 * USDC)
    limit(world, *TIGHTEST)
    whale = wallet("whale")
    room = world.vault.call.outflow_room()[1]
    assert room == 10_200_000 * USDC * 5 // 100 * 3 // 4
    for nonce in range(10):
        world.withdraw(whale, room // 10, nonce=nonce)
    assert world.vault.call.outflow_room()[1] <= 10


def test_the_buckets_equal_a_model_of_them(world: World) -> None:
    """Random payments, deposits and pauses. Limits change in between: until then the old ones hold."""
    random = Random(3)
    grow(world, 5_000_000 * USDC)
    whale = wallet("whale")
    world.usdc.send(whale.address).approve(world.vault.address, 2**255)
    buckets = [Bucket(HOUR, *START[:2]), Bucket(DAY, *START[2:])]
    for turn in range(250):
        world.warp(random.choice([0, 0, 1, 59, 600, 3_600, 20_000]))
        before = held(world)
        now = [bucket.drained(before, world.now) for bucket in buckets]
        rooms = tuple(min(bucket.room(before, instant) for bucket in now) for instant in (False, True))
        assert world.vault.call.outflow_room() == rooms
        rooms = tuple(min(bucket.room(before, instant) + bucket.fresh for bucket in now) for instant in (False, True))
        assert world.vault.call.outflow_room_of(whale.address) == rooms
        what = random.choice(["pay", "pay", "pay", "too much", "deposit", "limits"])
        if what == "deposit":
            amount = random.randrange(1, world.balance(whale.address) + 2 * USDC)
            world.usdc.send(whale.address).mint(whale.address, 2 * USDC)
            world.vault.send(whale.address).deposit(whale.address, 0, amount)
            buckets = [bucket.freed(amount) for bucket in now]
        elif what == "limits":
            limits = [random.randrange(low, 10 * low) for low in TIGHTEST]
            limits[1], limits[3] = min(limits[1], PPM), min(limits[3], PPM)
            limit(world, *limits)
            pairs = zip(now, (limits[:2], limits[2:]), strict=True)
            buckets = [replace(bucket, floor=floor, share=share) for bucket, (floor, share) in pairs]
        elif what == "too much" and rooms[1] < world.withdrawable(whale):
            with pytest.raises(RevertError, match="outflow cap"):
                world.withdraw(whale, rooms[1] + 1, nonce=turn)
        elif amount := random.randrange(0, min(rooms[1], world.withdrawable(whale)) + 1):
            world.withdraw(whale, amount, nonce=turn)
            buckets = [bucket.filled(amount) for bucket in now]


@pytest.mark.parametrize("place", range(4))
def test_limits_have_bounds(world: World, place: int) -> None:
    names = ("hour floor", "hour share", "day floor", "day share")
    for edge, beyond in ((TIGHTEST, -1), (LOOSEST, 1)):
        limit(world, *edge)
        bad = list(edge)
        bad[place] += beyond
        with pytest.raises(RevertError, match=f"{names[place]} out of bounds"):
            limit(world, *bad)


@pytest.mark.parametrize("place", range(4))
def test_the_guardian_only_tightens_and_only_to_the_bounds(world: World, place: int) -> None:
    guardian = world.vault.send(KEYS.guardian.address)
    more = list(START)
    more[place] += 1
    with pytest.raises(RevertError, match="only lower"):
        guardian.tighten_outflow(*more)
    guardian.tighten_outflow(*TIGHTEST)
    assert world.vault.call.outflow_limits() == TIGHTEST
    less = list(TIGHTEST)
    less[place] -= 1
    with pytest.raises(RevertError, match="out of bounds"):
        guardian.tighten_outflow(*less)
    with pytest.raises(RevertError, match="only governance"):
        guardian.set_outflow_limits(*START)
    world.vault.send(world.governance).set_outflow_limits(*START)


def test_tightening_counts_from_now(world: World) -> None:
    """What left before the caps were lowered empties at the old pace until then."""
    world.withdraw(world.taker, 90_000 * USDC)
    world.warp(HOUR // 2)
    world.vault.send(KEYS.guardian.address).tighten_outflow(*TIGHTEST)
    assert world.vault.call.outflow_room() == (25_000 * USDC, 18_750 * USDC)


def test_the_tightest_caps_let_everything_out(world: World) -> None:
    """A cap delays and never traps: at the lowest limits that there can be, whoever keeps asking is paid in full."""
    whale = wallet("whale")
    grow(world, 1_000_000 * USDC)
    limit(world, *TIGHTEST)
    world.vault.send(whale.address).request_withdrawal(0, 1_000_000 * USDC, whale.address)
    world.warp(120)
    for _ in range(24 * 14):
        if world.balance(whale.address) == 1_000_000 * USDC:
            break
        if world.vault.call.outflow_room()[0]:
            world.vault.send(whale.address).execute_withdrawal(1)
        world.warp(HOUR)
    else:
        pytest.fail("not paid within 14 days")


def test_a_small_vault_is_not_held_up() -> None:
    """Below the floors everything may leave within the hour."""
    small = World(funds=12_000 * USDC)
    small.vault.send(small.governance).set_outflow_limits(*TIGHTEST)
    for key in (small.taker, small.maker):
        small.vault.send(key.address).request_withdrawal(0, 12_000 * USDC, key.address)
    small.warp(120)
    for number in (1, 2):
        small.vault.send(small.operator).execute_withdrawal(number)
    assert held(small) == 0
