# SPDX-License-Identifier: AGPL-3.0-only
"""Every reason for which a fill is skipped, its class, and who is named."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from tests.reference.exchange import ACCOUNT, BATCH, MARKET, NOBODY, ORDER
from tests.support.build import storage_slot
from tests.support.system import BTC, ETH
from tests.support.wire import PositionWord, Signed, wallet
from tests.support.world import PRICE, USDC, World, rejections

TAKER, MAKER = 0, 1
KEY = wallet("third trader")


@dataclass(frozen=True)
class Case:
    """How one fill is spoilt and what must be said of it. `guilty` is None when nobody is named."""

    name: str
    fault_class: int
    reason: str
    guilty: int | None = TAKER
    taker: Any = None
    maker: Any = None
    fill: Any = None
    before: Callable[[World], object] | None = None


def order(**fields: Any) -> dict[str, Any]:
    return fields


CASES = [
    Case("trigger", MARKET, "not triggered", None, order(trigger="AT_OR_ABOVE", trigger_price=PRICE[1] + 1)),
    Case(
        "trigger below", MARKET, "not triggered", None, maker=order(trigger="AT_OR_BELOW", trigger_price=PRICE[1] - 1)
    ),
    Case("trigger price alone", ORDER, "bad trigger", TAKER, order(trigger_price=1)),
    Case("trigger without a price", ORDER, "bad trigger", MAKER, maker=order(trigger="AT_OR_BELOW")),
    Case("huge trigger price", ORDER, "bad trigger", TAKER, order(trigger="AT_OR_BELOW", trigger_price=2**40 + 1)),
    Case("single fill-or-kill", BATCH, "fill-or-kill", None, order(time_in_force="FOK", slot=0, size=11)),
    Case("zero size", ORDER, "bad size", TAKER, order(size=0)),
    Case("huge size", ORDER, "bad size", TAKER, order(size=2**46 + 1)),
    Case("zero price", ORDER, "bad price", TAKER, order(limit_price=0)),
    Case("huge price", ORDER, "bad price", TAKER, order(limit_price=2**48 - 1)),
    Case("price above the highest", ORDER, "bad price", TAKER, order(limit_price=2**40 + 1)),
    Case("one-shot with slot", ORDER, "one-shot with slot", TAKER, order(time_in_force="IOC", slot=1)),
    Case("one-shot with revision", ORDER, "one-shot with slot", TAKER, order(time_in_force="FOK", slot=0, revision=1)),
    Case("post-only one-shot", ORDER, "post-only one-shot", TAKER, order(time_in_force="IOC", slot=0, post_only=True)),
    Case("post-only taker", ORDER, "post-only taker", TAKER, order(post_only=True)),
    Case("overfilled taker", ORDER, "overfilled", TAKER, order(size=9)),
    Case("overfilled maker", ORDER, "overfilled", MAKER, maker=order(size=9)),
    Case("overfilled one-shot", ORDER, "overfilled", TAKER, order(size=9, time_in_force="IOC", slot=0)),
    Case("buyer's limit", ORDER, "price past limit", TAKER, order(limit_price=PRICE[1] - 1)),
    Case("seller's limit", ORDER, "price past limit", MAKER, maker=order(limit_price=PRICE[1] + 1)),
    Case("taker's fee", ORDER, "fee above cap", TAKER, order(max_fee_ppm=349), fill=order(taker_fee=350)),
    Case("maker's fee", ORDER, "fee above cap", MAKER, maker=order(max_fee_ppm=9), fill=order(maker_fee=10)),
    Case("reduce-only taker", ORDER, "reduce-only", TAKER, order(reduce_only=True)),
    Case("reduce-only maker", ORDER, "reduce-only", MAKER, maker=order(reduce_only=True)),
    Case("same side", BATCH, "same side", None, maker=order(side="BUY")),
    Case("one-shot maker", BATCH, "one-shot maker", None, maker=order(time_in_force="IOC", slot=0)),
    Case("negative fees", BATCH, "negative fees", None, fill=order(taker_fee=99, maker_fee=-100)),
    Case("no lots", BATCH, "bad fill", None, fill=order(size=0)),
    Case("no lots at an odd price", BATCH, "bad fill", None, fill=order(size=0, price=PRICE[1] + 1)),
    Case("more lots than any order has", ORDER, "overfilled", TAKER, fill=order(size=2**47)),
    Case("no price", BATCH, "bad fill", None, fill=order(price=0)),
    Case("one order twice", BATCH, "bad fill", None, fill=order(maker=0)),
    Case("taker out of range", BATCH, "bad fill", None, fill=order(taker=2)),
    Case("maker out of range", BATCH, "bad fill", None, fill=order(maker=255)),
    Case("tail", BATCH, "bad fill", None, fill=order(tail=1)),
    Case("unknown fill flag", BATCH, "bad fill", None, fill=order(flags=4)),
    Case("highest fill flag", BATCH, "bad fill", None, fill=order(flags=1 << 15)),
    Case("market mismatch", BATCH, "market mismatch", None, maker=order(market="ETH-USD", limit_price=PRICE[1])),
    Case("off tick", MARKET, "off tick", None, order(limit_price=PRICE[1] + 50), fill=order(price=PRICE[1] + 50)),
    Case(
        "above the band",
        MARKET,
        "price band",
        None,
        order(limit_price=2**40),
        fill=order(price=2_530_100),
    ),
    Case(
        "below the band",
        MARKET,
        "price band",
        None,
        maker=order(limit_price=1),
        fill=order(price=2_069_900),
    ),
    Case("stale price", MARKET, "stale price", None, before=lambda world: world.warp(121)),
    Case(
        "halted",
        MARKET,
        "market halted",
        None,
        before=lambda w: w.exchange.send(w.governance).set_market(1, *BTC.parameters(), 3),
    ),
    Case(
        "market reduce-only",
        MARKET,
        "market reduce-only",
        None,
        before=lambda w: w.exchange.send(w.governance).set_market(1, *BTC.parameters(), 2),
    ),
    Case(
        "open interest cap",
        MARKET,
        "open interest cap",
        None,
        before=lambda w: w.exchange.send(w.governance).set_market(
            1, *replace(BTC, max_open_interest=9).parameters(), 1
        ),
    ),
    Case("margin of the taker", ACCOUNT, "margin", TAKER, order(subaccount=1)),
    Case("margin of the maker", ACCOUNT, "margin", MAKER, maker=order(subaccount=1)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_bad_fill_names_who_is_guilty_and_the_good_ones_settle(world: World, case: Case) -> None:
    """The spoilt fill stands between two good ones, which are none the worse for it."""
    taker = world.signed(world.taker, **({"side": "BUY", "slot": 10} | (case.taker or {})))
    maker = world.signed(world.maker, **({"side": "SELL", "slot": 20} | (case.maker or {})))
    good = [
        world.signed(world.taker, "BUY", market="ETH-USD", slot=11),
        world.signed(world.maker, "SELL", market="ETH-USD", slot=21),
    ]
    if case.before is not None:
        case.before(world)
        world.push({2: PRICE[2]})
    bad = replace(world.fill(), **(case.fill or {}))
    fills = [world.fill(PRICE[2], 5, 2, 3), bad, world.fill(PRICE[2], 6, 2, 3)]
    orders = [taker, maker, *good]
    if case.name == "taker out of range":
        fills[1] = replace(bad, taker=4)
    untouched = world.position(world.taker), world.position(world.maker), world.slot(world.taker, 10)
    logs = world.settle(orders, fills)
    [rejection] = rejections(logs)
    assert (rejection.fill_id, rejection.fault_class, rejection.reason) == (bad.fill_id, case.fault_class, case.reason)
    assert rejection.order == (NOBODY if case.guilty is None else orders[case.guilty].id)
    assert (world.position(world.taker), world.position(world.maker), world.slot(world.taker, 10)) == untouched
    assert world.position(world.taker, 2).size == 11
    [batch] = [log for log in logs if log.name == "BatchSettled"]
    assert (batch.settled, batch.rejected) == (2, 1)


def refused(world: World, taker: Signed, maker: Signed, **fill: Any) -> tuple[int, str, bytes]:
    [rejection] = rejections(world.settle([taker, maker], [world.fill(**fill)]))
    return rejection.fault_class, rejection.reason, rejection.order


@pytest.mark.parametrize("side", ["taker", "maker"])
def test_a_fee_may_be_as_high_as_was_signed(world: World, side: str) -> None:
    orders = [world.signed(world.taker, "BUY", max_fee_ppm=33), world.signed(world.maker, "SELL", max_fee_ppm=33)]
    assert rejections(world.settle(orders, [world.fill(**{f"{side}_fee": 33})])) == []
    reason = refused(world, *orders, **{f"{side}_fee": 34})
    assert reason == (ORDER, "fee above cap", orders[side == "maker"].id)


@pytest.mark.parametrize("held", [1, -1, 2, -2])
def test_a_reduction_of_one_lot(world: World, held: int) -> None:
    """Of the last, or of the last but one; and not of none."""
    world.trade(world.taker, world.maker, held)
    side, other = ("SELL", "BUY") if held > 0 else ("BUY", "SELL")
    orders = [world.signed(world.taker, side, reduce_only=True), world.signed(world.maker, other)]
    for _ in range(abs(held)):
        assert rejections(world.settle(orders, [world.fill(size=1)])) == []
    assert refused(world, *orders, size=1) == (ORDER, "reduce-only", orders[0].id)


def test_bad_signature(world: World) -> None:
    maker = world.signed(world.maker, "SELL")
    forged = world.sign(world.maker, world.order(world.taker, "BUY"))
    assert refused(world, forged, maker) == (ORDER, "bad signature", forged.id)


def test_bad_market_names_nobody_since_its_orders_have_no_id(world: World) -> None:
    orders = [
        world.sign(key, world.order(key, side, market="DOGE-USD"), market=77)
        for key, side in ((world.taker, "BUY"), (world.maker, "SELL"))
    ]
    assert refused(world, *orders) == (BATCH, "bad market", NOBODY)


@pytest.mark.parametrize("bit", [9, 10, 11, 12, 13, 14, 15])
def test_unknown_flags(world: World, bit: int) -> None:
    signed = world.signed(world.taker, "BUY")
    terms, amounts, *signature = signed.words
    odd = replace(signed, words=(terms, amounts | 1 << bit, *signature))
    fault_class, reason, _ = refused(world, odd, world.signed(world.maker, "SELL"))
    assert (fault_class, reason) == (ORDER, "unknown flag")


@pytest.mark.parametrize("bits", [3 << 1, 3 << 5], ids=["time in force", "trigger"])
def test_the_fourth_time_in_force_and_the_fourth_trigger_do_not_exist(world: World, bits: int) -> None:
    signed = world.signed(world.taker, "BUY", slot=0, revision=0)
    terms, amounts, *signature = signed.words
    odd = replace(signed, words=(terms, amounts | bits, *signature))
    fault_class, reason, _ = refused(world, odd, world.signed(world.maker, "SELL"))
    assert (fault_class, reason) == (ORDER, "unknown flag")


def test_a_trigger_price_without_a_trigger_whatever_its_bits(world: World) -> None:
    maker = world.signed(world.maker, "SELL")
    for bit in range(48):
        taker = world.signed(world.taker, "BUY", trigger_price=1 << bit)
        assert refused(world, taker, maker) == (ORDER, "bad trigger", taker.id)


def test_a_referrer_that_nobody_is_and_a_trigger_that_has_been_met_are_no_fault(world: World) -> None:
    met = {"trigger": "AT_OR_BELOW", "trigger_price": PRICE[1]}
    orders = [
        world.signed(world.taker, "BUY", referrer=9, **met),
        world.signed(world.maker, "SELL", referrer=2**32 - 1),
    ]
    assert rejections(world.settle(orders, [world.fill()])) == []


def test_expired(world: World) -> None:
    """The last second is good, the one after is not."""
    taker = world.signed(world.taker, "BUY", expiry=world.now + 30, size=20)
    maker = world.signed(world.maker, "SELL", size=20)
    world.warp(30)
    assert rejections(world.settle([taker, maker], [world.fill()])) == []
    world.warp(1)
    assert refused(world, taker, maker) == (ORDER, "expired", taker.id)


def test_expiry_too_far(world: World) -> None:
    """90 days after signing is the most."""
    maker = world.signed(world.maker, "SELL")
    signed_at = world.now * 1000
    far = world.signed(world.taker, "BUY", generation=signed_at, expiry=world.now + 90 * 86_400 + 1)
    assert refused(world, far, maker) == (ORDER, "expiry too far", far.id)
    near = world.signed(world.taker, "BUY", generation=signed_at, expiry=world.now + 90 * 86_400)
    assert rejections(world.settle([near, maker], [world.fill()])) == []


def test_signed_in_the_future(world: World) -> None:
    """Ten seconds ahead is allowed, a millisecond more is not."""
    maker = world.signed(world.maker, "SELL")
    early = world.signed(world.taker, "BUY", generation=(world.now + 10) * 1000 + 1)
    assert refused(world, early, maker) == (ORDER, "signed in the future", early.id)
    in_time = world.signed(world.taker, "BUY", generation=(world.now + 10) * 1000)
    assert rejections(world.settle([in_time, maker], [world.fill()])) == []


def test_self_trade_is_refused_in_one_account_and_allowed_between_subaccounts(world: World) -> None:
    own = [world.signed(world.taker, side, slot=slot) for side, slot in (("BUY", 1), ("SELL", 2))]
    assert refused(world, *own) == (BATCH, "self trade", NOBODY)
    world.system.fund(world.taker.address, 1_000 * USDC, subaccount=1)
    between = [own[0], world.signed(world.taker, "SELL", slot=3, subaccount=1)]
    assert rejections(world.settle(between, [world.fill()])) == []


def test_stale_leg(world: World) -> None:
    """With another market stale, only what improves the account passes."""
    world.trade(world.taker, world.maker, 100)
    world.trade(world.taker, world.maker, 100, market="ETH-USD")
    world.warp(121)
    world.push({2: PRICE[2]})
    opening = [
        world.signed(world.taker, side="BUY", market="ETH-USD", slot=5),
        world.signed(world.maker, side="SELL", market="ETH-USD", slot=6),
    ]
    assert refused(world, *opening, price=PRICE[2])[:2] == (ACCOUNT, "stale leg")
    world.trade(world.taker, world.maker, -40, market="ETH-USD")
    assert world.position(world.taker, 2).size == 60


DUST = replace(ETH, id=3, ticker="DUST-USD", max_open_interest=2**46, imf=10_000, mmf=5_000, tick=1)


def test_position_limit() -> None:
    """The longest is 2^46 - 1 lots, the shortest -2^46."""
    world = World((BTC, ETH, DUST), funds=2**60)
    world.system.fund(KEY.address, 2**60)
    world.push({3: 1})

    def dust(taker: LocalAccount, side: str, maker: LocalAccount, other: str, size: int) -> list[Signed]:
        fields = {"market": "DUST-USD", "limit_price": 1, "size": size}
        return [world.signed(taker, side, **fields), world.signed(maker, other, slot=2, **fields)]

    whole = dust(world.taker, "BUY", world.maker, "SELL", 2**46)
    assert refused(world, *whole, price=1, size=2**46) == (ACCOUNT, "position limit", whole[0].id)
    assert rejections(world.settle(whole, [world.fill(1, 2**46 - 1)])) == []
    longer = dust(KEY, "SELL", world.taker, "BUY", 1)
    assert refused(world, *longer, price=1, size=1) == (ACCOUNT, "position limit", longer[1].id)
    assert rejections(world.settle(dust(KEY, "BUY", world.maker, "SELL", 1), [world.fill(1, 1)])) == []
    assert (world.position(world.taker, 3).size, world.position(world.maker, 3).size) == (2**46 - 1, -(2**46))
    shorter = dust(KEY, "BUY", world.maker, "SELL", 1)
    assert refused(world, *shorter, price=1, size=1) == (ACCOUNT, "position limit", shorter[1].id)
    # and back from there
    assert rejections(world.settle(dust(KEY, "SELL", world.maker, "BUY", 1), [world.fill(1, 1)])) == []


@pytest.mark.parametrize(("room", "fits"), [(0, True), (-1, False)])
@pytest.mark.parametrize("lots", [-5, 5])
def test_position_limit_of_the_quote(world: World, lots: int, room: int, fits: bool) -> None:
    """From -2^126 to 2^126 - 1; no real money comes near it. Who owes 2^126 is refused for want of margin, though."""
    world.trade(world.taker, world.maker, -20 * lots)
    moved = -lots * PRICE[1] << 32
    bound = 2**126 - 1 - room if lots < 0 else -(2**126) + room
    held = PositionWord(-20 * lots, bound - moved, 0)
    key = ((int(world.taker.address, 16) << 16) << 16) | 1
    world.evm.set_mapping(world.exchange.address, storage_slot("Exchange", "accounts", "positions"), key, held.pack())
    assert world.position(world.taker) == held
    sides = ("BUY", "SELL") if lots > 0 else ("SELL", "BUY")
    orders = [world.signed(world.taker, sides[0], slot=5), world.signed(world.maker, sides[1], slot=6)]
    found = rejections(world.settle(orders, [world.fill(size=abs(lots))]))
    if fits and lots < 0:
        assert found == []
        assert world.position(world.taker).q == bound
    else:
        reason = "margin" if fits else "position limit"
        assert [(r.reason, r.order) for r in found] == [(reason, orders[0].id)]


def test_too_many_positions() -> None:
    """The ninth is one too many, until one of the eight is closed."""
    listings = tuple(replace(BTC, id=number, ticker=f"M{number}-USD") for number in range(1, 10))
    world = World(listings)
    world.push(dict.fromkeys(range(1, 10), PRICE[1]))
    for number in range(1, 9):
        world.trade(world.taker, world.maker, 10, PRICE[1], f"M{number}-USD")
    world.system.fund(KEY.address, 10_000 * USDC)
    ninth = [
        world.signed(world.taker, "BUY", market="M9-USD", limit_price=PRICE[1], slot=5),
        world.signed(KEY, "SELL", market="M9-USD", limit_price=PRICE[1], slot=6),
    ]
    assert refused(world, *ninth) == (ACCOUNT, "too many positions", ninth[0].id)
    world.trade(world.taker, world.maker, -10, PRICE[1], "M4-USD")
    assert rejections(world.settle(ninth, [world.fill()])) == []
    assert world.position(world.taker, 9).size == 10


def test_a_step_that_ends_in_an_assertion_names_nobody(world: World) -> None:
    """A profit that would lift the cash to its bound: the fill is skipped, for no reason that has a name."""
    world.trade(world.taker, world.maker, 10)
    world.push({1: PRICE[1] + 100})
    key, slot = int(world.taker.address, 16) << 16, storage_slot("Exchange", "accounts", "words")
    bare = world.exchange.call.account(world.taker.address, 0) & (1 << 176) - 1
    orders = [world.signed(world.taker, "SELL", slot=5), world.signed(world.maker, "BUY", slot=6, limit_price=2**40)]
    for short, expected in ((1_000, [(BATCH, "unknown", NOBODY)]), (1_001, [])):
        world.evm.set_mapping(world.exchange.address, slot, key, bare | 2**78 - short << 176)
        found = rejections(world.settle(orders, [world.fill(PRICE[1] + 100)]))
        assert [(r.fault_class, r.reason, r.order) for r in found] == expected
    assert world.cash(world.taker) == 2**78 - 1


def reverting(answer: bytes) -> bytes:
    """Code that reverts with up to 32 bytes, whatever it is asked."""
    return b"\x7f" + answer.ljust(32, b"\0") + b"\x5f\x52\x60" + bytes([len(answer)]) + b"\x5f\xfd"


def word(code: int) -> bytes:
    return code.to_bytes(32, "big")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (word(1), "bad signature"),
        (word(256 + 32), "margin"),
        (word(74), "unknown"),
        (word(75), "unknown"),
        (word(255), "unknown"),
        (word(0), "unknown"),
        (word(256), "unknown"),
        (word(31 * 512 + 256 + 8), "expired"),
        (word(32 * 512), "unknown"),
        (word(32 * 512 + 8), "unknown"),
        (word(2**255 + 8), "unknown"),
        (word(8)[1:], "unknown"),
        (b"", "unknown"),
    ],
)
def test_whatever_a_step_says_nobody_is_named_without_a_known_reason(world: World, answer: bytes, reason: str) -> None:
    """No step says so. Code in the place of the desk's, which runs liquidations, does."""
    world.evm.set_code(world.desk_address, reverting(answer))
    orders = [world.signed(world.taker, "BUY"), world.signed(world.maker, "SELL")]
    [found] = rejections(world.settle(orders, [world.fill(flags=2)]))
    assert found.reason == reason
    if reason == "unknown":
        assert (found.fault_class, found.order) == (BATCH, NOBODY)
