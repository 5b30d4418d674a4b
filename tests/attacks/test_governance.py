# SPDX-License-Identifier: AGPL-3.0-only
"""Attacks 75 to 83: pausing, listing, initialising, re-entering.

77 (timelock), 78 (pre-signed multisig transactions) and the delay of 79 have no place yet: governance acts at once, as
docs/roles.md says.
"""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.abi import RevertError, abi_of
from tests.support.build import artifact
from tests.support.chain import deploy
from tests.support.system import BTC, EXCHANGE
from tests.support.wire import wallet
from tests.support.world import KEYS, PRICE, USDC, World, rejections

EIP_170 = 24_576
SPARE = 500


def halt(world: World, state: int = 3) -> None:
    world.exchange.send(KEYS.guardian.address).tighten(1, state)


def test_75_pause_bypass(world: World) -> None:
    """Nothing trades in a halted market, reducing included; the guardian who halted it cannot reopen it."""
    world.trade(world.taker, world.maker, 50)
    halt(world)
    for side, other in (("BUY", "SELL"), ("SELL", "BUY")):
        orders = [world.signed(world.taker, side, slot=5), world.signed(world.maker, other, slot=6)]
        assert [r.reason for r in rejections(world.settle(orders, [world.fill()]))] == ["market halted"]
    guardian = world.exchange.send(KEYS.guardian.address)
    for state in (0, 1, 2, 3, 4, 256):
        with pytest.raises(RevertError, match="only towards halted"):
            guardian.tighten(1, state)
    with pytest.raises(RevertError, match="only governance"):
        guardian.set_market(1, *BTC.parameters(), 1)


def test_75_exits_while_paused(world: World) -> None:
    """In a halted market free cash leaves, both ways, and cancels and deposits work; liquidation protects the rest."""
    world.trade(world.taker, world.maker, 50)
    halt(world)
    world.withdraw(world.taker, 1_000 * USDC)
    world.vault.send(world.taker.address).request_withdrawal(0, 2_000 * USDC, world.taker.address)
    world.exchange.send(world.taker.address).cancel_all(0)
    world.exchange.send(world.taker.address).cancel_slot(1)
    world.system.fund(world.taker.address, USDC)
    world.warp(120)
    world.push({1: PRICE[1]})
    world.vault.send(world.operator).execute_withdrawal(1)
    assert world.balance(world.taker.address) == 3_000 * USDC


def test_75_reduce_only_lets_reductions_out(world: World) -> None:
    world.trade(world.taker, world.maker, 50)
    halt(world, 2)
    world.trade(world.taker, world.maker, -20)
    orders = [world.signed(world.taker, "SELL", slot=5), world.signed(world.maker, "BUY", slot=6)]
    assert [r.reason for r in rejections(world.settle(orders, [world.fill(size=31)]))] == ["market reduce-only"]
    assert world.position(world.taker).size == 30


def test_76_unpause_with_a_stale_oracle(world: World) -> None:
    """A market reopens only at a fresh price, and trades only at one."""
    world.trade(world.taker, world.maker, 50)
    rule = world.exchange.send(world.governance)
    for state in (2, 3):
        halt(world, state)
        world.warp(10_000)
        with pytest.raises(RevertError, match="stale price"):
            rule.set_market(1, *BTC.parameters(), 1)
        world.push({1: PRICE[1]})
        rule.set_market(1, *BTC.parameters(), 1)
    world.warp(BTC.max_price_age + 1)
    orders = [world.signed(world.taker, "BUY", slot=5), world.signed(world.maker, "SELL", slot=6)]
    assert [r.reason for r in rejections(world.settle(orders, [world.fill()]))] == ["stale price"]
    world.push({1: PRICE[1]})
    assert rejections(world.settle(orders, [world.fill()])) == []


def test_75_the_guardian_lowers_the_cap_and_nothing_else(world: World) -> None:
    guardian = world.exchange.send(KEYS.guardian.address)
    world.trade(world.taker, world.maker, 50)
    guardian.lower_cap(1, 60)
    *before, cap, age, floor, state = world.exchange.call.market(1)
    assert (*before[3:], cap, age, floor, state) == (*replace(BTC, max_open_interest=60).parameters(), 1)
    orders = [world.signed(world.taker, "BUY", slot=5), world.signed(world.maker, "SELL", slot=6)]
    assert [r.reason for r in rejections(world.settle(orders, [world.fill(size=11)]))] == ["open interest cap"]
    for more in (60, 61, 2**46):
        with pytest.raises(RevertError, match="only lower"):
            guardian.lower_cap(1, more)
    with pytest.raises(RevertError, match="unknown market"):
        guardian.lower_cap(7, 0)
    guardian.lower_cap(1, 0)
    world.trade(world.taker, world.maker, -50)  # who is in gets out


NEW = replace(BTC, id=5, ticker="NEW-USD")


def test_79_listing_bounds_and_cap(world: World) -> None:
    """No market is listed twice, without a name, or outside the fixed bounds; the cap holds from the first fill."""
    rule = world.exchange.send(world.governance)
    bad = [
        (replace(BTC, id=0), "market id"),
        (replace(BTC, id=65_536), "market id"),
        (BTC, "already listed"),
        (replace(BTC, id=5), "ticker is taken"),
        (replace(BTC, id=5, ticker=""), "empty ticker"),
        (replace(NEW, size_decimals=7), "size decimals"),
        (replace(NEW, tick=0), "tick"),
        (replace(NEW, imf=9_999), "initial margin"),
        (replace(NEW, mmf=4_999), "maintenance margin"),
        (replace(NEW, band=500_001), "band"),
        (replace(NEW, band=999), "band"),
        (replace(NEW, max_open_interest=2**46 + 1), "open interest cap"),
        (replace(NEW, max_price_age=0), "price age"),
        (replace(NEW, max_price_age=86_401), "price age"),
        (replace(NEW, liquidation_floor=BTC.mmf + 1), "liquidation floor"),
    ]
    for listing, reason in bad:
        with pytest.raises(RevertError, match=reason):
            rule.list_market(*listing.arguments())
    with pytest.raises(RevertError, match="unknown market"):
        rule.set_market(5, *BTC.parameters(), 1)
    rule.set_market(1, *replace(BTC, max_open_interest=60).parameters(), 1)
    world.trade(world.taker, world.maker, 60)
    orders = [world.signed(world.taker, "BUY", slot=5), world.signed(world.maker, "SELL", slot=6)]
    assert [r.reason for r in rejections(world.settle(orders, [world.fill(size=1)]))] == ["open interest cap"]
    world.trade(world.taker, world.maker, -10)


def test_79_the_bounds_themselves_are_allowed(world: World) -> None:
    rule = world.exchange.send(world.governance)
    edges = [
        replace(BTC, id=65_535, ticker="Z"),
        replace(BTC, id=10, ticker="A", size_decimals=6),
        replace(BTC, id=11, ticker="B", size_decimals=0, tick=2**32 - 1),
        replace(BTC, id=12, ticker="C", tick=1, imf=10_000, mmf=5_000),
        replace(BTC, id=13, ticker="D", imf=1_000_000, mmf=999_999, liquidation_floor=999_999),
        replace(BTC, id=14, ticker="E", band=500_000, max_open_interest=2**46),
        replace(BTC, id=15, ticker="F", band=1_000, max_open_interest=0, max_price_age=1),
        replace(BTC, id=16, ticker="ABCDEFGHIJKLMNOP", max_price_age=86_400, liquidation_floor=0),
    ]
    for listing in edges:
        rule.list_market(*listing.arguments())
        ticker, size_decimals, price_decimals, *parameters, state = world.exchange.call.market(listing.id)
        assert (ticker, size_decimals, price_decimals) == (
            listing.ticker,
            listing.size_decimals,
            6 - listing.size_decimals,
        )
        assert (tuple(parameters), state) == (listing.parameters(), 1)
    world.push({10: PRICE[1]})
    for state in (2, 3, 1):
        rule.set_market(10, *BTC.parameters(), state)
        assert world.exchange.call.market(10)[-1] == state
    for state in (0, 4):
        with pytest.raises(RevertError, match="state not in"):
            rule.set_market(10, *BTC.parameters(), state)


def test_80_storage_layout_difference() -> None:
    """The Exchange, its desk, office and exit, each delegating to the next, keep everything in the same places."""
    hot, *others = (artifact(name).layout["storage_layout"] for name in EXCHANGE)
    for cold in others:
        assert cold == hot
    assert len(occupied(hot)) == sum(size for _, size in flat(hot))


def test_80_transient_layout_difference() -> None:
    """What they share within a call lies in the same places, and what the Exchange alone knows beside it."""
    layouts = {name: artifact(name).layout["transient_storage_layout"] for name in EXCHANGE}
    shared = layouts["ExchangeOffice"]
    assert set(shared) == {"$.nonreentrant_key", "margin"}
    for name, layout in layouts.items():
        assert {key: layout[key] for key in shared} == shared, name
        own = {key: entry for key, entry in layout.items() if key not in shared}
        assert set(own) == ({"groups"} if name == "Exchange" else set())
        assert not occupied(own) & occupied(shared)


def flat(layout: dict[str, Any]) -> list[tuple[int, int]]:
    """First slot and number of slots of every variable of a layout, modules included."""
    found = []
    for entry in layout.values():
        found += [(int(entry["slot"]), int(entry["n_slots"]))] if "slot" in entry else flat(entry)
    return found


def occupied(layout: dict[str, Any]) -> set[int]:
    return {slot + offset for slot, size in flat(layout) for offset in range(size)}


@pytest.mark.parametrize("name", [*EXCHANGE, "Vault", "PushedOracle"])
def test_80_code_fits_with_room(name: str) -> None:
    assert len(artifact(name).runtime) <= EIP_170 - SPARE


def test_80_no_function_is_hidden_behind_one_of_the_contract_that_is_asked_first() -> None:
    selectors = [{f.selector for f in abi_of(name).functions.values()} for name in EXCHANGE]
    assert len(set.union(*selectors)) == sum(len(some) for some in selectors)


def test_81_initialised_twice_or_not_at_all(world: World) -> None:
    """The Vault is named once; before that nobody can credit; an owner is there from the start."""
    with pytest.raises(RevertError, match="vault is set"):
        world.exchange.send(world.governance).set_vault(world.oracle.address)
    bare = deploy(world.evm, world.governance, "Exchange", world.desk_address, world.oracle.address, 60,
                  abi=abi_of(*EXCHANGE))  # fmt: skip
    assert bare.call.owner() == world.governance
    for sender in (world.operator, world.governance):
        with pytest.raises(RevertError, match="only the vault"):
            bare.send(sender).credit(world.taker.address, 0, USDC)
    with pytest.raises(RevertError, match="vault has no code"):
        bare.send(world.governance).set_vault(wallet("not a contract").address)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("Exchange", ("nobody", "oracle", 60)),
        ("Exchange", ("desk", "nobody", 60)),
        ("Exchange", ("desk", "oracle", 14)),
        ("Exchange", ("desk", "oracle", 601)),
        ("Vault", ("nobody", "exchange", 120)),
        ("Vault", ("usdc", "nobody", 120)),
        ("Vault", ("usdc", "exchange", 59)),
        ("Vault", ("usdc", "exchange", 7 * 86_400 + 1)),
    ],
)
def test_81_wrong_arguments_do_not_deploy(world: World, name: str, arguments: tuple[str | int, ...]) -> None:
    known = {
        "nobody": wallet("nobody").address,
        "oracle": world.oracle.address,
        "desk": world.desk_address,
        "usdc": world.usdc.address,
        "exchange": world.exchange.address,
    }
    with pytest.raises(RevertError):
        deploy(world.evm, world.governance, name, *(known.get(str(entry), entry) for entry in arguments))


@pytest.mark.parametrize(("window", "delay"), [(15, 15), (600, 600), (60, 7 * 86_400)])
def test_81_the_bounds_of_the_windows_deploy(window: int, delay: int) -> None:
    world = World(settle_window=window, withdrawal_delay=delay)
    assert world.exchange.call.SETTLE_WINDOW() == window
    assert world.vault.call.withdrawal_delay() == delay
    world.exchange.send(world.maker.address).cancel_slot(2)
    orders = [world.signed(world.taker, "BUY"), world.signed(world.maker, "SELL", slot=2)]
    world.warp(window - 1)
    world.push({1: PRICE[1]})
    assert [r.reason for r in rejections(world.settle(orders, [world.fill()]))] == ["cancelled"]


def test_82_last_admin_renounces(world: World) -> None:
    """There is no renouncing, and a hand-over takes two: a typo cannot strand the contracts."""
    successor = wallet("successor").address
    for contract in (world.exchange, world.vault, world.oracle):
        assert not any("renounce" in name for name in contract.abi.functions)
        with pytest.raises(RevertError):
            contract.send(successor).transfer_ownership(successor)
        contract.send(world.governance).transfer_ownership(successor)
        assert (contract.call.owner(), contract.call.pending_owner()) == (world.governance, successor)
        with pytest.raises(RevertError):
            contract.send(world.maker.address).accept_ownership()
        contract.send(successor).accept_ownership()
        assert contract.call.owner() == successor


def test_83_cross_contract_reentrancy() -> None:
    """A token that calls the Exchange in the middle of a withdrawal finds the money already debited."""
    world = World(token="HostileToken")
    hook = world.vault.data("request_withdrawal", 0, 100_000 * USDC, world.taker.address)
    world.usdc.send(world.operator).set_hook(world.vault.address, hook)
    world.withdraw(world.taker, 99_000 * USDC)
    # the hook meets the Vault's lock; the taker's own claim is what the books say
    assert world.usdc.call.hook_answers(0) is False
    assert world.cash(world.taker) == 1_000 * USDC


def test_83_read_only_reentrancy() -> None:
    """Whoever reads in the middle of a withdrawal sees the claim without the money that is leaving."""
    world = World(token="HostileToken")
    relayed = deploy(world.evm, world.operator, "Relayed")
    probe = world.exchange.data("withdrawable", world.taker.address, 0)
    hook = relayed.data("run", [(world.exchange.address, probe)])
    world.usdc.send(world.operator).set_hook(relayed.address, hook)
    world.withdraw(world.taker, 60_000 * USDC)
    assert world.usdc.call.hook_answers(0) is True
    assert world.withdrawable(world.taker) == 40_000 * USDC
    vault_balance = world.balance(world.vault.address)
    assert vault_balance == world.cash(world.taker) + world.cash(world.maker)


def test_83_only_the_vault_moves_cash(world: World) -> None:
    """No forwarder, token or contract of anybody's credits or debits."""
    relayed = deploy(world.evm, world.operator, "Relayed")
    for name in ("credit", "debit"):
        data = world.exchange.data(name, world.taker.address, 0, USDC)
        assert relayed.send(world.taker.address).try_run([(world.exchange.address, data)])
        assert world.cash(world.taker) == 100_000 * USDC
        for sender in (world.taker.address, world.operator, world.governance):
            with pytest.raises(RevertError, match="only the vault"):
                getattr(world.exchange.send(sender), name)(world.taker.address, 0, USDC)


@pytest.mark.parametrize("place", ["desk", "office"])
def test_83_desk_and_office_alone_are_nobody(world: World, place: str) -> None:
    """Called at its own address each has its own empty books."""
    desk = world.exchange.__class__(world.evm, getattr(world.system, place).address, abi_of(*EXCHANGE))
    assert desk.call.cash(world.taker.address, 0) == 0
    with pytest.raises(RevertError):
        desk.send(world.taker.address).credit_insurance(1)
    desk.send(world.governance).set_operator(wallet("intruder").address, True)
    assert not world.exchange.call.is_operator(wallet("intruder").address)
