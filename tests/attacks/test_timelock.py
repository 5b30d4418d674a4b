# SPDX-License-Identifier: AGPL-3.0-only
"""Attacks 77, 78 and 82 on the Timelock, and Drift 2026: administration that was signed long before, guards removed."""

from dataclasses import replace
from typing import Any

import pytest
from eth_utils.crypto import keccak

from tests.support.abi import RevertError, abi_of
from tests.support.chain import Contract, deploy
from tests.support.system import BTC
from tests.support.timelock import (
    ANYONE,
    CANCELLER,
    DAY,
    DELAY,
    DONE,
    EXECUTOR,
    GUARDIAN,
    LIFE,
    MULTISIG,
    NONE,
    NOTICE,
    PROPOSAL_LIFE,
    PROPOSER,
    WAITING,
    Call,
    Lock,
    Operation,
)
from tests.support.wire import wallet
from tests.support.world import USDC, World

THIEF = wallet("thief").address
OWNERS = sorted((wallet(f"owner {n}") for n in range(5)), key=lambda owner: int(owner.address, 16))


@pytest.fixture
def lock(world: World) -> Lock:
    return Lock(world.evm, world.governance, world.exchange, world.vault, world.oracle)


def reentrant(world: World, lock: Lock, *steps: Call) -> Contract:
    """A target that makes these calls when it is called itself; it holds every role."""
    target = deploy(world.evm, THIEF, "ReentrantTarget")
    grants = [lock.own("grant_role", role, target.address) for role in (PROPOSER, EXECUTOR, CANCELLER)]
    granted = lock.operation(*grants).schedule()
    world.warp(DELAY)
    granted.execute()
    target.send(THIEF).set_steps(list(steps))
    return target


def schedule_data(lock: Lock, operation: Operation, delay: int, until: int) -> bytes:
    return lock.contract.data("schedule", *operation.words, delay, until)


def execute_data(operation: Operation) -> bytes:
    return operation.lock.contract.data("execute", *operation.words)


def test_77_reentrant_batch(world: World, lock: Lock) -> None:
    """A target that is called by an operation cannot execute, propose or cancel, whatever roles it holds."""
    target = reentrant(world, lock)
    other = lock.operation((target.address, b"other")).schedule()
    outer = lock.operation((target.address, b"outer")).schedule()
    world.warp(DELAY)
    target.send(THIEF).set_steps(
        [
            (lock.address, execute_data(outer)),
            (lock.address, execute_data(other)),
            (lock.address, lock.contract.data("cancel", other.id)),
            (lock.address, schedule_data(lock, lock.operation((target.address, b"new")), DELAY, world.now)),
        ]
    )
    outer.execute()
    assert target.call.calls() == 1
    assert target.call.went_through() == (False,) * 4
    assert outer.state == DONE
    target.send(THIEF).set_steps([])
    other.execute()
    assert target.call.calls() == 2


def test_77_a_batch_that_proposes_itself(world: World, lock: Lock) -> None:
    """A batch that was never proposed cannot take the proposer's role and propose itself on the way."""
    everyone = lock.operation(lock.own("grant_role", EXECUTOR, ANYONE)).schedule()
    world.warp(DELAY)
    everyone.execute()
    target = deploy(world.evm, THIEF, "ReentrantTarget")
    batch = lock.operation(
        lock.own("grant_role", PROPOSER, target.address),
        (target.address, b"propose this very batch"),
    )
    target.send(THIEF).set_steps([(lock.address, schedule_data(lock, batch, DELAY, world.now))])
    with pytest.raises(RevertError, match="operation is not ready"):
        batch.execute(THIEF)
    assert not lock.contract.call.hasRole(PROPOSER, target.address)


def test_77_delay_reduction(world: World) -> None:
    """The delay goes down by an operation that waited for the old one, and never below what the code holds."""
    lock = Lock(world.evm, world.governance, world.exchange, least_delay=DELAY, delay=10 * DAY)
    for low in (0, DELAY - 1):
        too_low = lock.operation(lock.own("update_delay", low)).schedule()
        world.warp(10 * DAY)
        with pytest.raises(RevertError, match="delay below the least"):
            too_low.execute()
    lower = lock.operation(lock.own("update_delay", DELAY))
    with pytest.raises(RevertError, match="insufficient delay"):
        lower.schedule(delay=10 * DAY - 1)
    lower.schedule()
    waiting = lock.operation((world.exchange.address, world.exchange.data("set_guardian", THIEF))).schedule()
    world.warp(10 * DAY)
    lower.execute()
    assert lock.contract.call.get_minimum_delay() == DELAY
    # what was proposed before keeps the delay that it was proposed with
    assert lock.contract.call.get_timestamp(waiting.id) == world.now


def test_77_cancelled_or_expired_operation(world: World, lock: Lock) -> None:
    steal = world.exchange.address, world.exchange.data("set_operator", THIEF, True)
    cancelled, expired = (lock.operation(steal, salt=bytes([n]) * 32).schedule() for n in (1, 2))
    world.warp(DELAY)
    cancelled.cancel(GUARDIAN)
    with pytest.raises(RevertError, match="operation is not ready"):
        cancelled.execute()
    world.warp(LIFE + 1)
    with pytest.raises(RevertError, match="operation expired"):
        expired.execute()
    followed = lock.operation(steal, predecessor=expired.id).schedule()
    world.warp(DELAY)
    with pytest.raises(RevertError, match="missing dependency"):
        followed.execute()


def test_77_other_calls_than_were_proposed(world: World, lock: Lock) -> None:
    """Neither a longer nor a reordered nor a changed batch is what was proposed."""
    one = world.exchange.address, world.exchange.data("set_referrer_share", 1)
    two = world.exchange.address, world.exchange.data("set_referrer_share", 2)
    lock.operation(one, two).schedule()
    world.warp(DELAY)
    for calls in ([one], [two, one], [one, two, two], [one, (world.vault.address, two[1])]):
        with pytest.raises(RevertError, match="operation is not ready"):
            lock.operation(*calls).execute()
    with pytest.raises(RevertError, match="operation is not ready"):
        lock.operation(one, two, salt=b"s" * 32).execute()


class Multisig:
    """Three of five owners, whose signatures are good for ever and in any order."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.contract = deploy(world.evm, THIEF, "MultisigDouble", [owner.address for owner in OWNERS], 3)
        self._nonce = 0

    def signed(self, to: str, data: bytes) -> tuple[Any, ...]:
        """A transaction that anyone may send from now on."""
        self._nonce += 1
        digest = self.contract.call.digest(to, data, self._nonce)
        signatures = []
        for owner in OWNERS[:3]:
            s = owner.unsafe_sign_hash(digest)
            signatures.append(s.r.to_bytes(32, "big") + s.s.to_bytes(32, "big") + bytes([s.v]))
        return to, data, self._nonce, signatures

    def send(self, transaction: tuple[Any, ...]) -> None:
        self.contract.send(THIEF).run(*transaction)


@pytest.fixture
def multisig(world: World) -> Multisig:
    return Multisig(world)


def locked(world: World, multisig: Multisig) -> Lock:
    owned = (world.exchange, world.vault, world.oracle)
    return Lock(world.evm, world.governance, *owned, multisig=multisig.contract.address)


def test_78_old_pre_signed_proposal(world: World, multisig: Multisig) -> None:
    """A proposal that was signed and kept is void after its date, which is at most a week ahead."""
    lock = locked(world, multisig)
    steal = lock.operation((world.exchange.address, world.exchange.data("set_operator", THIEF, True)))
    until = world.now + PROPOSAL_LIFE
    kept = multisig.signed(lock.address, schedule_data(lock, steal, DELAY, until))
    far = multisig.signed(lock.address, schedule_data(lock, steal, DELAY, until + 300 * DAY))
    with pytest.raises(RevertError, match="proposal too far ahead"):
        multisig.send(far)
    world.warp(PROPOSAL_LIFE + 1)
    with pytest.raises(RevertError, match="proposal too old"):
        multisig.send(kept)


def test_78_old_pre_signed_execution(world: World, multisig: Multisig) -> None:
    """An execution that was signed and kept does nothing that was not proposed lately, in public, and left to stand."""
    lock = locked(world, multisig)
    call = world.exchange.address, world.exchange.data("set_operator", THIEF, True)
    steal = lock.operation(call)
    kept = multisig.signed(lock.address, execute_data(steal))
    with pytest.raises(RevertError, match="operation is not ready"):
        multisig.send(kept)
    multisig.send(multisig.signed(lock.address, schedule_data(lock, steal, DELAY, world.now)))
    world.warp(DELAY + LIFE + 1)
    with pytest.raises(RevertError, match="operation expired"):
        multisig.send(kept)


def test_78_a_pre_signed_proposal_in_time_still_waits_and_can_be_stopped(world: World, multisig: Multisig) -> None:
    """Within its week a kept proposal starts the same public delay as any; the guardian alone stops it."""
    lock = locked(world, multisig)
    steal = lock.operation((world.exchange.address, world.exchange.data("set_operator", THIEF, True)))
    kept = multisig.signed(lock.address, schedule_data(lock, steal, DELAY, world.now + PROPOSAL_LIFE))
    world.warp(PROPOSAL_LIFE)
    multisig.send(kept)
    assert steal.state == WAITING
    run = multisig.signed(lock.address, execute_data(steal))
    world.warp(DELAY - 1)
    with pytest.raises(RevertError, match="operation is not ready"):
        multisig.send(run)
    steal.cancel(GUARDIAN)
    world.warp(DAY)
    with pytest.raises(RevertError, match="operation is not ready"):
        multisig.send(run)


def test_losses_drift_2026_guards_removed_by_pre_signed_administration(world: World, multisig: Multisig) -> None:
    """The multisig's owners were made to sign, long before, what takes over and removes every guard. Here nothing acts
    at once: not on the contracts, which belong to the Timelock, not on the delay, and not on roles.
    """
    lock = locked(world, multisig)
    exchange, vault, oracle = world.exchange, world.vault, world.oracle
    wanted: list[Call] = [
        (exchange.address, exchange.data("transfer_ownership", THIEF)),
        (vault.address, vault.data("transfer_ownership", THIEF)),
        (vault.address, vault.data("set_outflow_limits", 2**63, 10**6, 2**63, 10**6)),
        (vault.address, vault.data("set_cosigner", THIEF, True)),
        (exchange.address, exchange.data("set_guardian", THIEF)),
        (exchange.address, exchange.data("set_oracle", world.usdc.address)),
        (oracle.address, oracle.data("set_signer", THIEF)),
        (exchange.address, exchange.data("list_market", *replace(BTC, id=9, ticker="FAKE-USD").arguments())),
        lock.own("update_delay", 0),
        lock.own("grant_role", PROPOSER, THIEF),
    ]
    kept = [multisig.signed(*call) for call in wanted]
    takeover = lock.operation(*wanted)
    kept += [multisig.signed(lock.address, execute_data(takeover))]
    proposal = multisig.signed(lock.address, schedule_data(lock, takeover, DELAY, world.now + PROPOSAL_LIFE))
    world.warp(PROPOSAL_LIFE)
    for transaction in kept:
        with pytest.raises(RevertError):
            multisig.send(transaction)
    # the one that is young enough starts a delay that everyone sees; it is longer than a withdrawal
    multisig.send(proposal)
    world.vault.send(world.taker.address).request_withdrawal(0, 100_000 * USDC, world.taker.address)
    world.warp(world.system.withdrawal_delay)
    world.vault.send(world.taker.address).execute_withdrawal(1)
    assert world.balance(world.taker.address) == 100_000 * USDC
    # unstopped, the oracle and the delay still hold, and with them the whole batch
    world.warp(DELAY)
    for transaction in kept[-1:]:
        with pytest.raises(RevertError, match="no notice"):
            multisig.send(transaction)
    assert (exchange.call.owner(), vault.call.owner()) == (lock.address, lock.address)


def test_losses_drift_2026_notice_outlasts_the_longest_exit(world: World, multisig: Multisig) -> None:
    """Whoever holds the multisig for good reaches prices only after delay and notice, in the open."""
    lock = locked(world, multisig)
    oracle = deploy(world.evm, THIEF, "OracleDouble")
    call = world.exchange.data("set_oracle", oracle.address)
    announcement = lock.operation((world.exchange.address, world.exchange.data("announce", call)))
    change = lock.operation((world.exchange.address, call))
    for operation in (announcement, change):
        multisig.send(multisig.signed(lock.address, schedule_data(lock, operation, DELAY, world.now)))
    world.warp(DELAY)
    with pytest.raises(RevertError, match="no notice"):
        multisig.send(multisig.signed(lock.address, execute_data(change)))
    multisig.send(multisig.signed(lock.address, execute_data(announcement)))
    assert world.exchange.call.notice_ready_at(keccak(call)) == world.now + NOTICE
    world.warp(NOTICE - 1)
    with pytest.raises(RevertError, match="notice too young"):
        multisig.send(multisig.signed(lock.address, execute_data(change)))


def test_82_last_admin_renounces_the_timelock(world: World, lock: Lock) -> None:
    """Nobody renounces, the Timelock stays its own administrator, and each role keeps a holder."""
    names = set(abi_of("Timelock").functions)
    assert not {name for name in names if "renounce" in name or "admin" in name.lower()}
    assert {"grantRole", "revokeRole", "set_role_admin"} & names == set()
    for role, holder in ((PROPOSER, MULTISIG), (EXECUTOR, MULTISIG)):
        last = lock.operation(lock.own("revoke_role", role, holder)).schedule()
        world.warp(DELAY)
        with pytest.raises(RevertError, match="last holder"):
            last.execute()
    last = lock.operation(*(lock.own("revoke_role", CANCELLER, holder) for holder in (GUARDIAN, MULTISIG))).schedule()
    world.warp(DELAY)
    with pytest.raises(RevertError, match="last holder"):
        last.execute()
    admin = lock.operation(lock.own("revoke_role", NONE, lock.address)).schedule()
    world.warp(DELAY)
    with pytest.raises(RevertError, match="last holder"):
        admin.execute()
    assert lock.contract.call.hasRole(NONE, lock.address)


def test_82_a_canceller_cannot_hold_governance_up_for_ever(world: World, lock: Lock) -> None:
    """It cancels everything except what dismisses it; another canceller still can cancel that."""
    change = lock.operation((world.exchange.address, world.exchange.data("set_referrer_share", 1))).schedule()
    change.cancel(GUARDIAN)
    dismissal = lock.operation(lock.own("revoke_role", CANCELLER, GUARDIAN)).schedule()
    with pytest.raises(RevertError, match="dismisses the caller"):
        dismissal.cancel(GUARDIAN)
    with world.evm.undone():
        dismissal.cancel(MULTISIG)
    world.warp(DELAY)
    dismissal.execute()
    change.schedule()
    with pytest.raises(RevertError, match="access_control: account is missing role"):
        change.cancel(GUARDIAN)


@pytest.mark.parametrize("place", [0, 1])
def test_82_nothing_rides_along_with_a_dismissal(world: World, lock: Lock, place: int) -> None:
    """An operation that does more than dismiss cancellers can be cancelled by all of them."""
    calls = [
        lock.own("revoke_role", CANCELLER, GUARDIAN),
        (world.exchange.address, world.exchange.data("set_guardian", THIEF)),
    ]
    if place:
        calls.reverse()
    lock.operation(*calls).schedule().cancel(GUARDIAN)
    # nor is the same call to another contract, or of another role, a dismissal
    elsewhere = world.exchange.address, lock.contract.data("revoke_role", CANCELLER, GUARDIAN)
    for call in (elsewhere, lock.own("revoke_role", PROPOSER, GUARDIAN), lock.own("grant_role", CANCELLER, GUARDIAN)):
        lock.operation(call).schedule().cancel(GUARDIAN)
