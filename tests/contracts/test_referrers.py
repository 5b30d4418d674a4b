# SPDX-License-Identifier: AGPL-3.0-only
"""Who gets a share of fees, and the fee schedule that is published."""

from typing import Any

import pytest

from tests.support.abi import Log, RevertError
from tests.support.build import storage_slot
from tests.support.twin import Twin
from tests.support.wire import Signed, wallet
from tests.support.world import PRICE, USDC, World, rejections

PAYEE, SECOND = wallet("referrer"), wallet("second referrer")
LOTS = 100
NOTIONAL = LOTS * PRICE[1]
SHARE = 400_000


@pytest.fixture
def shared(world: World) -> World:
    """Two referrers, 1 and 2, get 40%."""
    world.exchange.send(world.governance).set_referrer_share(SHARE)
    world.exchange.send(PAYEE.address).register_referrer(3)
    world.exchange.send(SECOND.address).register_referrer(0)
    return world


def pair(world: World, taker: int, maker: int, price: int = PRICE[1], **fields: Any) -> list[Signed]:
    """Orders that name these referrers."""
    return [
        world.signed(world.taker, "BUY", referrer=taker, limit_price=price, **fields),
        world.signed(world.maker, "SELL", referrer=maker, limit_price=price, slot=2, **fields),
    ]


def trade(world: World, taker: int, maker: int, taker_fee: int, maker_fee: int, **fields: Any) -> list[Log]:
    fill = world.fill(size=LOTS, taker_fee=taker_fee, maker_fee=maker_fee)
    logs = world.settle(pair(world, taker, maker, **fields), [fill])
    assert rejections(logs) == []
    return logs


def accrued(world: World, number: int) -> int:
    return int(world.exchange.call.referrer(number)[2])


# Registration


def test_numbers_are_given_one_by_one(world: World) -> None:
    """To whoever asks, as often as he asks, each with the account that is paid."""
    for number, (key, subaccount) in enumerate([(PAYEE, 0), (SECOND, 65_535), (PAYEE, 0), (PAYEE, 7)], start=1):
        [log] = world.exchange.send(key.address).register_referrer(subaccount).named("ReferrerRegistered")
        assert (log.number, log.account, log.subaccount) == (number, key.address, subaccount)
        assert world.exchange.call.referrer(number) == (key.address, subaccount, 0)
    with pytest.raises(RevertError, match="subaccount above 65535"):
        world.exchange.send(PAYEE.address).register_referrer(65_536)
    assert world.exchange.call.referrer(5) == ("0x" + "00" * 20, 0, 0)
    assert world.exchange.call.referrer(0) == ("0x" + "00" * 20, 0, 0)


def test_numbers_end_where_orders_cannot_name_them(world: World) -> None:
    slot = storage_slot("Exchange", "referrers", "count")
    world.evm.set_storage(world.exchange.address, slot, 2**32 - 2)
    world.exchange.send(PAYEE.address).register_referrer(0)
    with pytest.raises(RevertError, match="no number left"):
        world.exchange.send(PAYEE.address).register_referrer(0)
    world.exchange.send(world.governance).set_referrer_share(SHARE)
    trade(world, 2**32 - 1, 0, 350, 0)
    assert accrued(world, 2**32 - 1) == NOTIONAL * 350 * 2 // 10**6 // 5


# Shares


SHARES = [
    # taker's and maker's fee in ppm of 230 USDC; what 1 (taker's) and 2 (maker's) get at 40%
    (350, 0, 32_200, 0),
    (350, 100, 32_200, 9_200),
    (350, -100, 23_000, 0),
    (350, -350, 0, 0),
    (-100, 350, 0, 23_000),
    (0, 0, 0, 0),
    (0, 350, 0, 32_200),
    (1, 0, 92, 0),
]


@pytest.mark.parametrize(("taker_fee", "maker_fee", "first", "second"), SHARES)
def test_a_share_of_what_the_order_pays_and_never_of_more_than_both_pay_together(
    shared: World, taker_fee: int, maker_fee: int, first: int, second: int
) -> None:
    logs = trade(shared, 1, 2, taker_fee, maker_fee)
    assert (accrued(shared, 1), accrued(shared, 2)) == (first, second)
    paid = NOTIONAL * (taker_fee + maker_fee) // 10**6
    assert shared.exchange.call.fees() == paid - first - second
    assert logs[-1].fees == paid - first - second
    said = [(log.number, log.amount, log.balance) for log in logs if log.name == "ReferralAccrued"]
    assert said == [(number, amount, amount) for number, amount in ((1, first), (2, second)) if amount]
    assert [log.name for log in logs] == ["ReferralAccrued"] * len(said) + ["Fill", "BatchSettled"]


def test_it_rounds_down_and_the_exchange_keeps_the_rest(shared: World) -> None:
    """One lot pays ceil(2.3 * 351 ppm) = 808 micro-USDC, of which 40% are 323.2."""
    orders = pair(shared, 1, 0)
    shared.settle(orders, [shared.fill(size=1, taker_fee=351)])
    assert (accrued(shared, 1), shared.exchange.call.fees()) == (323, 485)


def test_one_referrer_of_both_sides_gets_both_shares(shared: World) -> None:
    trade(shared, 1, 1, 350, 100)
    assert accrued(shared, 1) == 32_200 + 9_200


@pytest.mark.parametrize("number", [0, 3, 2**32 - 1])
def test_a_number_that_nobody_has_gets_nothing(shared: World, number: int) -> None:
    """And nobody can take it over later: what was not accrued was collected."""
    trade(shared, number, 0, 350, 0)
    assert shared.exchange.call.fees() == NOTIONAL * 350 // 10**6
    shared.exchange.send(PAYEE.address).register_referrer(0)
    assert accrued(shared, 3) == 0


@pytest.mark.parametrize(("share", "amount"), [(0, 0), (1, 0), (500_000, 40_250)])
def test_governance_sets_the_share_up_to_a_half(shared: World, share: int, amount: int) -> None:
    """80,500 micro-USDC of fees; what has accrued at another share stays."""
    trade(shared, 1, 0, 350, 0)
    rule = shared.exchange.send(shared.governance)
    [log] = rule.set_referrer_share(share).named("ReferrerShareSet")
    assert log.share_ppm == share == shared.exchange.call.referrer_share()
    trade(shared, 1, 0, 350, 0)
    assert accrued(shared, 1) == 32_200 + amount
    with pytest.raises(RevertError, match="share above 50%"):
        rule.set_referrer_share(500_001)


def test_a_fill_that_fails_accrues_nothing(shared: World) -> None:
    broke = shared.signed(wallet("broke"), "SELL", slot=9, referrer=2)
    orders = [*pair(shared, 1, 2), broke]
    fills = [
        shared.fill(taker_fee=350, flags=1),
        shared.fill(taker_fee=350, maker=2),
        shared.fill(taker_fee=350, maker=2),
    ]
    assert len(rejections(shared.settle(orders, fills))) == 3
    assert accrued(shared, 1) == accrued(shared, 2) == shared.exchange.call.fees() == 0


def test_a_group_accrues_fill_by_fill(shared: World) -> None:
    fills = [shared.fill(size=50, taker_fee=350, flags=n < 1) for n in range(2)]
    logs = shared.settle(pair(shared, 1, 0), fills)
    assert [log.name for log in logs] == ["ReferralAccrued", "Fill"] * 2 + ["BatchSettled"]
    assert [log.amount for log in logs if log.name == "ReferralAccrued"] == [16_100] * 2
    assert accrued(shared, 1) == 32_200


# Claims


def test_anyone_claims_for_the_account_that_registered(shared: World) -> None:
    trade(shared, 1, 0, 350, 0)
    receipt = shared.exchange.send(wallet("anybody").address).claim_referral(1)
    [claimed, credited] = receipt.logs
    assert (claimed.name, claimed.number, claimed.account, claimed.subaccount, claimed.amount) == (
        "ReferralClaimed", 1, PAYEE.address, 3, 32_200,
    )  # fmt: skip
    assert (credited.name, credited.account, credited.subaccount, credited.amount, credited.cash) == (
        "Credited", PAYEE.address, 3, 32_200, 32_200,
    )  # fmt: skip
    assert shared.cash(PAYEE, 3) == 32_200
    assert accrued(shared, 1) == 0
    for number in (0, 1, 2, 3):
        with pytest.raises(RevertError, match="nothing to claim"):
            shared.exchange.send(PAYEE.address).claim_referral(number)
    shared.withdraw(PAYEE, 32_200, subaccount=3)
    assert shared.balance(PAYEE.address) == 32_200


def test_governance_collects_no_share(shared: World) -> None:
    trade(shared, 1, 2, 350, 100)
    rule = shared.exchange.send(shared.governance)
    kept = NOTIONAL * 450 // 10**6 - 32_200 - 9_200
    with pytest.raises(RevertError, match="more than was collected"):
        rule.withdraw_fees(shared.governance, 0, kept + 1)
    rule.withdraw_fees(shared.governance, 0, kept)
    for number in (1, 2):
        shared.exchange.send(PAYEE.address).claim_referral(number)
    holders = [(PAYEE, 3), (SECOND, 0), (shared.taker, 0), (shared.maker, 0)]
    assert sum(shared.equity(*holder) for holder in holders) + (kept << 32) == 200_000 * USDC << 32


@pytest.mark.parametrize(("share", "paid", "counts"), [
    (0, 200, True), (0, 199, False), (400_000, 333, False), (400_000, 334, True),
    (500_000, 399, False), (500_000, 400, True),
])  # fmt: skip
@pytest.mark.parametrize("side", ["taker", "maker"])
def test_prints_count_for_what_is_left_of_their_fee(
    world: World, side: str, share: int, paid: int, counts: bool
) -> None:
    """At least 200 ppm, whoever of the two names the referrer and whoever pays."""
    world.exchange.send(world.governance).set_referrer_share(share)
    world.exchange.send(PAYEE.address).register_referrer(0)
    numbers = (1, 0) if side == "taker" else (0, 1)
    orders = pair(world, *numbers, price=PRICE[1] + 100)
    world.settle(orders, [world.fill(PRICE[1] + 100, LOTS, taker_fee=paid - 50, maker_fee=50)])
    world.warp(3_600)
    world.push({1: PRICE[1]})
    world.exchange.send(world.operator).poke(1)
    assert world.exchange.call.market_indices(1)[3] == (2_500 if counts else 0)


def test_a_number_that_nobody_has_costs_a_print_nothing(shared: World) -> None:
    """200 ppm are enough then, however large the share of a referrer would be."""
    orders = pair(shared, 9, 0, price=PRICE[1] + 100)
    shared.settle(orders, [shared.fill(PRICE[1] + 100, LOTS, taker_fee=200)])
    shared.warp(3_600)
    shared.push({1: PRICE[1]})
    shared.exchange.send(shared.operator).poke(1)
    assert shared.exchange.call.market_indices(1)[3] == 2_500


# Attack 72: washing with one's own referral


@pytest.mark.parametrize("share", [0, 250_000, 500_000])
@pytest.mark.parametrize("fee", [200, 333, 400, 1_000])
@pytest.mark.parametrize("washed", [40, 1_000])
def test_72_washing_with_ones_own_referral_never_pays(share: int, fee: int, washed: int) -> None:
    """Two colluders print a premium against an honest long, name themselves as referrers, and claim it all."""
    twin = Twin()
    world, honest = twin.world, wallet("honest")
    one, two = wallet("colluder one"), wallet("colluder two")
    for key in (honest, one, two):
        twin.deposit(key, 20_000 * USDC)
    world.exchange.send(world.governance).set_referrer_share(share)
    twin.model.referrers.share = share
    for key in (one, two):
        world.exchange.send(key.address).register_referrer(0)
        twin.model.register_referrer((key.address, 0))
    terms = {"limit_price": PRICE[1], "size": 2_000}
    twin.settle(
        [world.signed(honest, "BUY", **terms), world.signed(one, "SELL", slot=2, **terms)], [world.fill(size=2_000)]
    )
    colluders = [(key.address, 0) for key in (one, two)]
    start = sum(twin.model.health(key).equity for key in colluders)
    high = PRICE[1] * 1_005 // 1_000
    for side, other in (("BUY", "SELL"), ("SELL", "BUY")):
        terms = {"limit_price": high, "size": washed // 2, "max_fee_ppm": 2_000}
        orders = [
            world.signed(two, side, referrer=2, **terms),
            world.signed(one, other, slot=2, referrer=1, **terms),
        ]
        twin.settle(orders, [world.fill(high, washed // 2, taker_fee=fee)])
    for _ in range(2):
        twin.warp(3_600)
        twin.push(1, PRICE[1])
        twin.poke(1)
    for number in (1, 2):
        if twin.model.referrers.accrued[number]:
            world.exchange.send(honest.address).claim_referral(number)
            twin.model.claim_referral(number)
    twin.check()
    gain = sum(twin.model.health(key).equity for key in colluders) - start
    assert gain <= 0, f"colluders gain {float(gain) / USDC:.4f} USDC"


# The published schedule


def tier(volume: int, taker: int, maker: int) -> int:
    return volume << 32 | taker << 16 | maker % 2**16


TIERS = [tier(0, 350, 100), tier(10**6, 300, 50), tier(10**8, 250, -50), tier(2**64 - 1, 0, -(2**15))]


def test_the_schedule_is_published_and_replaced_whole(world: World) -> None:
    rule = world.exchange.send(world.governance)
    assert world.exchange.call.fee_tiers() == ()
    for tiers in (TIERS, TIERS[:1], [tier(0, 10_000, 2**15 - 1)], [tier(n, n, n) for n in range(8)], []):
        [log] = rule.set_fee_tiers(tiers).named("FeeTiersSet")
        assert list(log.tiers) == tiers == list(world.exchange.call.fee_tiers())


@pytest.mark.parametrize(
    ("tiers", "reason"),
    [
        ([tier(1, 350, 100)], "volumes not rising from 0"),
        ([tier(0, 350, 100), tier(0, 300, 50)], "volumes not rising from 0"),
        ([tier(0, 350, 100), tier(9, 300, 50), tier(8, 300, 50)], "volumes not rising from 0"),
        ([tier(0, 350, 100), tier(2**64, 300, 50)], "volume above"),
        ([tier(0, 10_001, 0)], "taker fee above 1%"),
    ],
)
def test_a_schedule_that_makes_no_sense(world: World, tiers: list[int], reason: str) -> None:
    world.exchange.send(world.governance).set_fee_tiers(TIERS)
    with pytest.raises(RevertError, match=reason):
        world.exchange.send(world.governance).set_fee_tiers(tiers)
    with pytest.raises(RevertError):
        world.exchange.send(world.governance).set_fee_tiers([tier(n, n, n) for n in range(9)])
    assert list(world.exchange.call.fee_tiers()) == TIERS


def test_the_schedule_binds_no_fill(world: World) -> None:
    """What was signed does."""
    world.exchange.send(world.governance).set_fee_tiers([tier(0, 10, 0)])
    trade(world, 0, 0, 1_000, 0)
    fill = world.fill(taker_fee=1_001)
    assert [r.reason for r in rejections(world.settle(pair(world, 0, 0), [fill]))] == ["fee above cap"]
