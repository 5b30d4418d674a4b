# SPDX-License-Identifier: AGPL-3.0-only
"""What the Timelock promises: roles, delay, order, expiry, and that governance can always go on."""

from typing import Any

import pytest

from tests.support.abi import RevertError
from tests.support.build import artifact
from tests.support.chain import deploy
from tests.support.timelock import (
    ANYONE,
    CANCELLER,
    DAY,
    DELAY,
    DONE,
    EXECUTOR,
    EXPIRED,
    GUARDIAN,
    LIFE,
    MULTISIG,
    NONE,
    NOTICE,
    PROPOSAL_LIFE,
    PROPOSER,
    READY,
    UNKNOWN,
    WAITING,
    Call,
    Lock,
)
from tests.support.wire import wallet
from tests.support.world import World

SECOND = wallet("second multisig").address
STRANGER = wallet("stranger").address


@pytest.fixture
def lock(world: World) -> Lock:
    return Lock(world.evm, world.governance, world.exchange, world.vault, world.oracle)


def share(world: World, ppm: int) -> Call:
    return world.exchange.address, world.exchange.data("set_referrer_share", ppm)


def test_it_owns_what_was_handed_to_it(world: World, lock: Lock) -> None:
    for contract in (world.exchange, world.vault, world.oracle):
        assert contract.call.owner() == lock.address
        with pytest.raises(RevertError):
            contract.send(world.governance).transfer_ownership(world.governance)
    with pytest.raises(RevertError, match="only governance"):
        world.exchange.send(world.governance).set_referrer_share(1)


def test_an_operation_from_proposal_to_execution(world: World, lock: Lock) -> None:
    operation = lock.operation(share(world, 250_000), share(world, 300_000))
    assert operation.state == UNKNOWN
    receipt = lock.contract.send(MULTISIG).schedule(*operation.words, DELAY, world.now + DAY)
    assert [(log.index, log.target, log.payload, log.delay) for log in receipt.named("CallScheduled")] == [
        (index, world.exchange.address, operation.payloads[index], DELAY) for index in (0, 1)
    ]
    assert [log.salt for log in receipt.named("CallSalt")] == [NONE]
    assert lock.contract.call.get_timestamp(operation.id) == world.now + DELAY
    world.warp(DELAY - 1)
    assert operation.state == WAITING
    with pytest.raises(RevertError, match="operation is not ready"):
        operation.execute()
    world.warp(1)
    assert operation.state == READY
    assert [log.index for log in operation.execute().named("CallExecuted")] == [0, 1]
    assert world.exchange.call.referrer_share() == 300_000
    assert operation.state == DONE
    for again in (operation.execute, operation.schedule, operation.cancel):
        with pytest.raises(RevertError):
            again()


def test_a_batch_is_made_whole_or_not_at_all_and_says_why(world: World, lock: Lock) -> None:
    operation = lock.operation(share(world, 250_000), share(world, 500_001)).schedule()
    world.warp(DELAY)
    with pytest.raises(RevertError, match="share above 50%"):
        operation.execute()
    assert world.exchange.call.referrer_share() == 0
    assert operation.state == READY


def test_an_operation_waits_for_the_one_before_it(world: World, lock: Lock) -> None:
    first = lock.operation(share(world, 1)).schedule()
    second = lock.operation(share(world, 2), predecessor=first.id).schedule()
    world.warp(DELAY)
    with pytest.raises(RevertError, match="missing dependency"):
        second.execute()
    first.execute()
    second.execute()
    assert world.exchange.call.referrer_share() == 2


def test_a_call_to_a_place_without_code_is_not_taken_for_done(world: World, lock: Lock) -> None:
    operation = lock.operation((STRANGER, world.exchange.data("set_referrer_share", 1))).schedule()
    world.warp(DELAY)
    with pytest.raises(RevertError, match="target has no code"):
        operation.execute()


@pytest.mark.parametrize(
    ("action", "allowed", "role"),
    [
        ("schedule", {MULTISIG}, PROPOSER),
        ("execute", {MULTISIG}, EXECUTOR),
        ("cancel", {MULTISIG, GUARDIAN}, CANCELLER),
    ],
)
def test_each_role_does_its_own(world: World, lock: Lock, action: str, allowed: set[str], role: bytes) -> None:
    operation = lock.operation(share(world, 1))
    if action != "schedule":
        operation.schedule()
        world.warp(DELAY)
    for sender in (MULTISIG, GUARDIAN, STRANGER, world.governance, world.operator):
        assert lock.contract.call.hasRole(role, sender) is (sender in allowed)
        with world.evm.undone():
            if sender in allowed:
                getattr(operation, action)(sender)
            else:
                with pytest.raises(RevertError, match="access_control: account is missing role"):
                    getattr(operation, action)(sender)


def test_anyone_may_execute_when_it_is_built_so(world: World) -> None:
    lock = Lock(world.evm, world.governance, world.exchange)
    lock.operation(lock.own("grant_role", EXECUTOR, ANYONE)).schedule()
    world.warp(DELAY)
    lock.operation(lock.own("grant_role", EXECUTOR, ANYONE)).execute()
    operation = lock.operation(share(world, 7)).schedule()
    world.warp(DELAY)
    operation.execute(STRANGER)
    assert world.exchange.call.referrer_share() == 7


def test_the_bounds_of_a_proposal(world: World, lock: Lock) -> None:
    operation = lock.operation(share(world, 1))
    bad: list[tuple[dict[str, int], str]] = [
        ({"delay": DELAY - 1}, "insufficient delay"),
        ({"delay": 60 * DAY + 1}, "delay above 60 days"),
        ({"delay": 2**256 - 1}, "delay above 60 days"),
        ({"until": world.now - 1}, "proposal too old"),
        ({"until": world.now + PROPOSAL_LIFE + 1}, "proposal too far ahead"),
    ]
    for options, reason in bad:
        with pytest.raises(RevertError, match=reason):
            operation.schedule(**options)
    for targets, payloads in (([], []), ([world.exchange.address], []), ([], [b""])):
        with pytest.raises(RevertError, match="targets and payloads differ"):
            lock.contract.send(MULTISIG).schedule(targets, payloads, NONE, NONE, DELAY, world.now)
    for options in ({"delay": 60 * DAY}, {"until": world.now}, {"until": world.now + PROPOSAL_LIFE}):
        with world.evm.undone():
            assert operation.schedule(**options).state == WAITING


def test_an_operation_dies_two_weeks_after_it_was_ready(world: World, lock: Lock) -> None:
    operation = lock.operation(share(world, 5)).schedule()
    world.warp(DELAY + LIFE)
    assert operation.state == READY
    with world.evm.undone():
        operation.execute()
    world.warp(1)
    assert operation.state == EXPIRED
    with pytest.raises(RevertError, match="operation expired"):
        operation.execute()
    with pytest.raises(RevertError, match="operation already scheduled"):
        operation.schedule()
    operation.cancel()
    assert operation.state == UNKNOWN
    operation.schedule()
    assert operation.state == WAITING


def test_cancelled_it_is_gone_until_proposed_anew(world: World, lock: Lock) -> None:
    operation = lock.operation(share(world, 5)).schedule()
    world.warp(DELAY)
    operation.cancel(GUARDIAN)
    with pytest.raises(RevertError, match="operation is not ready"):
        operation.execute()
    with pytest.raises(RevertError, match="not pending"):
        operation.cancel()
    with pytest.raises(RevertError, match="operation is not ready"):
        operation.schedule().execute()


def test_salt_tells_equal_operations_apart(world: World, lock: Lock) -> None:
    one, other = (lock.operation(share(world, 5), salt=bytes([n]) * 32) for n in (1, 2))
    assert one.id != other.id
    one.schedule()
    other.schedule()
    world.warp(DELAY)
    one.execute()
    assert (one.state, other.state) == (DONE, READY)


def test_roles_move_by_operations_and_no_role_loses_its_last_holder(world: World, lock: Lock) -> None:
    grants = [lock.own("grant_role", role, SECOND) for role in (PROPOSER, EXECUTOR, CANCELLER)]
    moved = lock.operation(*grants).schedule()
    world.warp(DELAY)
    moved.execute()
    assert [lock.contract.call.holders(role) for role in (PROPOSER, EXECUTOR, CANCELLER)] == [2, 2, 3]
    dismissals = [lock.own("revoke_role", role, MULTISIG) for role in (PROPOSER, EXECUTOR, CANCELLER)]
    left = lock.operation(*dismissals).schedule(SECOND)
    world.warp(DELAY)
    left.execute(SECOND)
    with pytest.raises(RevertError, match="access_control: account is missing role"):
        lock.operation(share(world, 1)).schedule(MULTISIG)
    for role in (PROPOSER, EXECUTOR):
        last = lock.operation(lock.own("revoke_role", role, SECOND)).schedule(SECOND)
        world.warp(DELAY)
        with pytest.raises(RevertError, match="last holder"):
            last.execute(SECOND)


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        ("grant_role", (PROPOSER, MULTISIG), "holds it already"),
        ("grant_role", (PROPOSER, ANYONE), "nobody"),
        ("grant_role", (CANCELLER, ANYONE), "nobody"),
        ("grant_role", (NONE, SECOND), "no such role"),
        ("revoke_role", (PROPOSER, SECOND), "no such holder"),
        ("revoke_role", (NONE, MULTISIG), "no such holder"),
        ("update_delay", (DELAY - 1,), "delay below the least"),
        ("update_delay", (30 * DAY + 1,), "delay above 30 days"),
    ],
)
def test_what_no_operation_can_do(world: World, lock: Lock, name: str, arguments: tuple[Any, ...], reason: str) -> None:
    operation = lock.operation(lock.own(name, *arguments)).schedule()
    world.warp(DELAY)
    with pytest.raises(RevertError, match=reason):
        operation.execute()


def test_only_an_operation_changes_the_timelock(world: World, lock: Lock) -> None:
    for sender in (MULTISIG, GUARDIAN, STRANGER, world.governance):
        for name, arguments in (
            ("update_delay", (30 * DAY,)),
            ("grant_role", (PROPOSER, sender)),
            ("revoke_role", (CANCELLER, GUARDIAN)),
        ):
            with pytest.raises(RevertError, match="only by an operation"):
                getattr(lock.contract.send(sender), name)(*arguments)


def test_a_longer_delay_binds_what_is_proposed_later(world: World, lock: Lock) -> None:
    longer = lock.operation(lock.own("update_delay", 30 * DAY)).schedule()
    before = lock.operation(share(world, 1)).schedule()
    world.warp(DELAY)
    [change] = longer.execute().named("MinimumDelayChange")
    assert (change.old_duration, change.new_duration) == (DELAY, 30 * DAY)
    before.execute()
    with pytest.raises(RevertError, match="insufficient delay"):
        lock.operation(share(world, 2)).schedule(delay=30 * DAY - 1)


def test_who_it_was_deployed_by_is_nobody(world: World, lock: Lock) -> None:
    for role in (NONE, PROPOSER, EXECUTOR, CANCELLER):
        assert not lock.contract.call.hasRole(role, world.governance)
    assert lock.contract.call.hasRole(NONE, lock.address)


@pytest.mark.parametrize(
    "arguments",
    [
        (DELAY, DELAY - 1, [MULTISIG], [MULTISIG], [MULTISIG]),
        (DELAY, 30 * DAY + 1, [MULTISIG], [MULTISIG], [MULTISIG]),
        (DELAY, DELAY, [], [MULTISIG], [MULTISIG]),
        (DELAY, DELAY, [MULTISIG], [], [MULTISIG]),
        (DELAY, DELAY, [MULTISIG], [MULTISIG], []),
        (DELAY, DELAY, [ANYONE], [MULTISIG], [MULTISIG]),
        (DELAY, DELAY, [MULTISIG, MULTISIG], [MULTISIG], [MULTISIG]),
    ],
)
def test_a_timelock_that_would_not_work_does_not_deploy(world: World, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(RevertError):
        deploy(world.evm, world.governance, "Timelock", *arguments)


def test_ownership_is_accepted_only_where_it_is_offered(world: World) -> None:
    lock = Lock(world.evm, world.governance)
    with pytest.raises(RevertError, match="caller is not the new owner"):
        lock.contract.send(STRANGER).accept_ownership(world.vault.address)
    world.vault.send(world.governance).transfer_ownership(lock.address)
    lock.contract.send(STRANGER).accept_ownership(world.vault.address)
    assert world.vault.call.owner() == lock.address


def test_notice_and_delay_run_side_by_side(world: World, lock: Lock) -> None:
    """A call that needs notice is proposed together with its announcement, and is ready when the notice is."""
    call = world.exchange.data("set_oracle", world.usdc.address)
    announcement = lock.operation((world.exchange.address, world.exchange.data("announce", call))).schedule()
    change = lock.operation((world.exchange.address, call), predecessor=announcement.id)
    change.schedule(delay=DELAY + NOTICE)
    world.warp(DELAY)
    announcement.execute()
    world.warp(NOTICE - 1)
    with pytest.raises(RevertError, match="operation is not ready"):
        change.execute()
    world.warp(1)
    change.execute()
    assert world.exchange.call.oracle() == world.usdc.address


def test_the_code_fits_with_room() -> None:
    assert len(artifact("Timelock").runtime) <= 24_576 - 500
