# SPDX-License-Identifier: AGPL-3.0-only
"""Attacks 75 to 83: pausing, listing, initialising, re-entering. Those on the Timelock have a file of their own."""

import re
from dataclasses import replace
from typing import Any

import pytest

from tests.support.abi import RevertError, abi_of
from tests.support.build import ROOT, artifact
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


def test_75_no_kind_of_fill_gets_past_a_halt(world: World) -> None:
    """Single, grouped, whole or not at all, by a session key, with a trigger, reducing, or as a liquidation."""
    world.trade(world.taker, world.maker, 50)
    key = wallet("session key")
    world.register_key(world.taker, key)
    halt(world)
    sell = {"slot": 0, "size": 10, "reduce_only": True}
    orders = [
        world.signed(world.maker, "BUY", slot=9),
        world.signed(world.taker, "SELL", slot=5),
        world.signed(world.taker, "SELL", **sell, time_in_force="FOK"),
        world.signed(world.taker, "SELL", slot=6, trigger="AT_OR_ABOVE", trigger_price=1),
        world.signed(key, "SELL", account=world.taker.address, slot=7),
    ]
    fills = [world.fill(taker=taker, maker=0) for taker in (1, 2, 3, 4)]
    fills += [
        world.fill(taker=1, maker=0, flags=1),
        world.fill(taker=1, maker=0),
        world.fill(taker=1, maker=0, flags=2),
    ]
    found = [rejection.reason for rejection in rejections(world.settle(orders, fills))]
    assert found == ["market halted"] * 5 + ["group failed", "market halted"]
    assert world.position(world.taker).size == 50


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
        ("ExchangeDesk", ("nobody", 60)),
        ("ExchangeDesk", ("office", 14)),
        ("ExchangeOffice", ("nobody", 60)),
        ("ExchangeOffice", ("exit", 601)),
        ("ExchangeExit", (14,)),
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
        "office": world.system.office.address,
        "exit": world.system.exit.address,
        "usdc": world.usdc.address,
        "exchange": world.exchange.address,
    }
    with pytest.raises(RevertError):
        deploy(world.evm, world.governance, name, *(known.get(str(entry), entry) for entry in arguments))


def test_81_the_backstop_is_named_once(world: World) -> None:
    rule = world.exchange.send(world.governance)
    with pytest.raises(RevertError, match="backstop has no code"):
        rule.set_backstop(wallet("not a contract").address)
    world.name_backstop(0)
    with pytest.raises(RevertError, match="backstop is set"):
        rule.set_backstop(world.oracle.address)


def test_81_all_parts_have_the_same_window() -> None:
    """Each keeps its own copy: of the Exchange, of the Desk that cancels, and of the Office that revokes keys."""
    for window in (15, 60, 600):
        world = World(settle_window=window, withdrawal_delay=600)
        sender = world.exchange.send(world.taker.address)
        world.register_key(world.taker, wallet("session key"))
        logs = [
            *sender.cancel_slot(1).logs,
            *sender.cancel_all(0).logs,
            *sender.revoke_session_key(world.taker.address, wallet("session key").address).logs,
        ]
        assert (
            [log.effective_at - world.now for log in logs] == [world.exchange.call.SETTLE_WINDOW()] * 3 == [window] * 3
        )


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


def test_83_everything_that_writes_is_locked() -> None:
    """Under the Exchange's one lock, but for the steps that only it calls itself."""
    written, unlocked = set(), set()
    paths = [ROOT / "contracts" / f"{name}.vy" for name in EXCHANGE] + list(
        (ROOT / "contracts" / "modules").glob("*.vy")
    )
    for path in paths:
        for decorators, name in re.findall(r"((?:^@\w+\n)+)def (\w+)\(", path.read_text(), re.MULTILINE):
            if "@external" in decorators and "@view" not in decorators and "@payable" not in decorators:
                written.add(name)
                if "@nonreentrant" not in decorators:
                    unlocked.add(name)
    assert {"settle", "liquidate", "register_session_key", "settle_positions", "debit"} <= written
    # what concerns notices alone calls nobody
    assert unlocked - {"announce", "withdraw_notice"} == {"execute_fill", "execute_group", "execute_liquidation"}


def test_83_a_step_is_the_exchanges_own(world: World) -> None:
    """Neither by delegation from elsewhere, nor at the Desk's own address."""
    desk = world.exchange.__class__(world.evm, world.desk_address, abi_of(*EXCHANGE))
    relayed = deploy(world.evm, world.operator, "Relayed")
    for name in ("execute_fill", "execute_group", "execute_liquidation"):
        blank = world.exchange.abi.functions[name].blank()
        for there in (world.exchange, desk):
            data = there.data(name, *blank)
            with pytest.raises(RevertError):
                relayed.send(world.operator).run([(there.address, data)])
        with pytest.raises(RevertError, match="only self"):
            getattr(world.exchange.send(world.operator), name)(*blank)


def test_83_what_one_call_collected_is_not_there_in_the_next(world: World) -> None:
    """Groups lie in transient storage: one begun in a batch is not finished by the next of the transaction."""
    forwarder = deploy(world.evm, world.operator, "Relayed")
    world.exchange.send(world.governance).set_operator(forwarder.address, True)
    orders = [world.signed(world.taker, "BUY"), world.signed(world.maker, "SELL", slot=2)]
    words = [signed.words for signed in orders]
    heads = [number.to_bytes(32, "big") for number in range(4)]
    batches = [[world.fill(flags=1)], [world.fill()], [world.fill(size=7, flags=1), world.fill(size=4)]]
    calls = [
        (
            world.exchange.address,
            world.exchange.data("settle", heads[n], heads[n + 1], words, [f.word() for f in fills]),
        )
        for n, fills in enumerate(batches)
    ]
    receipt = forwarder.send(world.operator).run(calls)
    logs = [world.exchange.abi.decode_log(log) for log in receipt.raw_logs]
    assert [(log.settled, log.rejected) for log in logs if log.name == "BatchSettled"] == [(0, 1), (1, 0), (2, 0)]
    assert world.position(world.taker).size == 21


def test_83_the_exit_alone_is_nobody(world: World) -> None:
    """At its own address there is no market, no position and no money."""
    alone = world.exchange.__class__(world.evm, world.system.exit.address, abi_of("ExchangeExit"))
    blanks = {name: function.blank() for name, function in alone.abi.functions.items()}
    for name, blank in blanks.items():
        with pytest.raises(RevertError):
            getattr(alone.send(world.governance), name)(*blank)


@pytest.mark.parametrize("place", ["desk", "office"])
def test_83_desk_and_office_alone_are_nobody(world: World, place: str) -> None:
    """Called at its own address each has its own empty books."""
    desk = world.exchange.__class__(world.evm, getattr(world.system, place).address, abi_of(*EXCHANGE))
    assert desk.call.cash(world.taker.address, 0) == 0
    with pytest.raises(RevertError):
        desk.send(world.taker.address).credit_insurance(1)
    desk.send(world.governance).set_operator(wallet("intruder").address, True)
    assert not world.exchange.call.is_operator(wallet("intruder").address)
