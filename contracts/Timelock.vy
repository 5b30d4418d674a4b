# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Ouro timelock
@license GNU Affero General Public License v3.0 only
@notice Owns every contract that has an owner. What governance wants is proposed, waits in public, and is executed within two weeks
        of being ready or never. Cancellers may stop it until then. Roles and the delay change in no other way than by such
        an operation, nobody can renounce, and no role loses its last holder.
"""

from snekmate.auth import access_control
from snekmate.governance import timelock_controller

initializes: access_control
initializes: timelock_controller[access_control := access_control]

exports: (
    access_control.hasRole,
    timelock_controller.PROPOSER_ROLE,
    timelock_controller.EXECUTOR_ROLE,
    timelock_controller.CANCELLER_ROLE,
    timelock_controller.get_timestamp,
    timelock_controller.get_minimum_delay,
)


interface IOwnable:
    def accept_ownership(): nonpayable


MAX_CALLS: constant(uint256) = 16
MAX_HOLDERS: constant(uint256) = 8
# what delays, and the wait of one operation, may be at most: nothing sleeps for long, and no delay locks governance up
MOST_DELAY: constant(uint256) = 30 * 86_400
MOST_WAIT: constant(uint256) = 60 * 86_400
# how long an operation stays executable once it is ready
LIFE: public(constant(uint256)) = 14 * 86_400
# how far ahead a proposal may be dated: what was signed before and kept is refused
PROPOSAL_LIFE: public(constant(uint256)) = 7 * 86_400

UNKNOWN: constant(uint256) = 0
WAITING: constant(uint256) = 1
READY: constant(uint256) = 2
DONE: constant(uint256) = 3
EXPIRED: constant(uint256) = 4

LEAST_DELAY: public(immutable(uint256))

holders: public(HashMap[bytes32, uint256])  # how many have a role
dismisses: HashMap[bytes32, HashMap[address, bool]]  # by operation: the cancellers that it does away with


@deploy
def __init__(
    least_delay: uint256,
    delay: uint256,
    proposers: DynArray[address, MAX_HOLDERS],
    executors: DynArray[address, MAX_HOLDERS],
    cancellers: DynArray[address, MAX_HOLDERS],
):
    """
    @param least_delay Seconds below which no operation ever brings the delay.
    @param executors The zero address among them lets anyone execute what is ready.
    """
    assert len(proposers) != 0 and len(executors) != 0 and len(cancellers) != 0, "role without a holder"
    access_control.__init__()
    # takes from the deployer what `access_control` gave him
    timelock_controller.__init__(delay, [], [], empty(address))
    LEAST_DELAY = least_delay
    self._check_delay(delay)
    for account: address in proposers:
        self._grant(timelock_controller.PROPOSER_ROLE, account)
    for account: address in executors:
        self._grant(timelock_controller.EXECUTOR_ROLE, account)
    for account: address in cancellers:
        self._grant(timelock_controller.CANCELLER_ROLE, account)


# Operations


@external
@nonreentrant
def schedule(
    targets: DynArray[address, MAX_CALLS],
    payloads: DynArray[Bytes[1_024], MAX_CALLS],
    predecessor: bytes32,
    salt: bytes32,
    delay: uint256,
    propose_until: uint256,
) -> bytes32:
    """
    @notice Proposes calls, to be made in this order and all together.
    @param predecessor An operation that must be done before, or zero.
    @param propose_until The last second in which this may be proposed, at most a week ahead: a transaction that a multisig has signed
           and not sent is worth nothing a week later.
    @return The operation's id.
    """
    access_control._check_role(timelock_controller.PROPOSER_ROLE, msg.sender)
    assert len(targets) != 0 and len(targets) == len(payloads), "targets and payloads differ"
    assert block.timestamp <= propose_until, "proposal too old"
    assert propose_until <= block.timestamp + PROPOSAL_LIFE, "proposal too far ahead"
    assert delay <= MOST_WAIT, "delay above 60 days"
    id: bytes32 = self._id(targets, payloads, predecessor, salt)
    timelock_controller._schedule(id, delay)
    only_dismissals: bool = True
    for i: uint256 in range(len(targets), bound=MAX_CALLS):
        only_dismissals = only_dismissals and self._dismissed(targets[i], payloads[i]) != empty(address)
        log timelock_controller.CallScheduled(
            id=id,
            index=i,
            target=targets[i],
            amount=0,
            payload=payloads[i],
            predecessor=predecessor,
            delay=delay,
        )
    if only_dismissals:
        for i: uint256 in range(len(targets), bound=MAX_CALLS):
            self.dismisses[id][self._dismissed(targets[i], payloads[i])] = True
    log timelock_controller.CallSalt(id=id, salt=salt)
    return id


@external
@nonreentrant
def execute(
    targets: DynArray[address, MAX_CALLS],
    payloads: DynArray[Bytes[1_024], MAX_CALLS],
    predecessor: bytes32,
    salt: bytes32,
):
    """
    @notice Makes the calls of an operation that is ready and has not expired: all of them, or none.
    """
    timelock_controller._only_role_or_open_role(timelock_controller.EXECUTOR_ROLE)
    id: bytes32 = self._id(targets, payloads, predecessor, salt)
    timelock_controller._before_call(id, predecessor)
    assert self._state(id) != EXPIRED, "operation expired"
    # done before the first call: nothing that is called finds it ready
    timelock_controller._after_call(id)
    for i: uint256 in range(len(targets), bound=MAX_CALLS):
        assert targets[i].is_contract, "target has no code"
        timelock_controller._execute(targets[i], 0, payloads[i])
        log timelock_controller.CallExecuted(id=id, index=i, target=targets[i], amount=0, payload=payloads[i])


@external
@nonreentrant
def cancel(id: bytes32):
    """
    @notice Stops an operation that is not done. A canceller cannot stop one that does nothing but dismiss cancellers, itself among them:
            one bad canceller could hold governance up for ever.
    """
    access_control._check_role(timelock_controller.CANCELLER_ROLE, msg.sender)
    assert timelock_controller._is_operation_pending(id), "not pending"
    assert not self.dismisses[id][msg.sender], "dismisses the caller"
    timelock_controller.get_timestamp[id] = 0
    log timelock_controller.Cancelled(id=id)


@external
@nonreentrant
def accept_ownership(target: address):
    """
    @notice Takes the ownership that a contract's owner has offered. By anyone: it is the owner's wish already.
    """
    extcall IOwnable(target).accept_ownership()


# What only an operation can do


@external
def update_delay(delay: uint256):
    """
    @notice Changes how long future operations wait at least.
    """
    self._only_self()
    self._check_delay(delay)
    log timelock_controller.MinimumDelayChange(
        old_duration=timelock_controller.get_minimum_delay, new_duration=delay
    )
    timelock_controller.get_minimum_delay = delay


@external
def grant_role(role: bytes32, account: address):
    self._only_self()
    self._grant(role, account)


@external
def revoke_role(role: bytes32, account: address):
    self._only_self()
    assert access_control.hasRole[role][account], "no such holder"
    assert self.holders[role] > 1, "last holder"
    self.holders[role] -= 1
    access_control._revoke_role(role, account)


# Views


@external
@view
def state_of(id: bytes32) -> uint256:
    """
    @return 0 unknown (or cancelled), 1 waiting, 2 ready, 3 done, 4 expired.
    """
    return self._state(id)


@external
@pure
def hash_operation(
    targets: DynArray[address, MAX_CALLS],
    payloads: DynArray[Bytes[1_024], MAX_CALLS],
    predecessor: bytes32,
    salt: bytes32,
) -> bytes32:
    return self._id(targets, payloads, predecessor, salt)


@internal
@view
def _only_self():
    assert msg.sender == self, "only by an operation"


@internal
@view
def _check_delay(delay: uint256):
    assert delay >= LEAST_DELAY, "delay below the least"
    assert delay <= MOST_DELAY, "delay above 30 days"


@internal
def _grant(role: bytes32, account: address):
    assert role in [
        timelock_controller.PROPOSER_ROLE,
        timelock_controller.EXECUTOR_ROLE,
        timelock_controller.CANCELLER_ROLE,
    ], "no such role"
    # only execution can be anybody's
    assert account != empty(address) or role == timelock_controller.EXECUTOR_ROLE, "nobody"
    assert not access_control.hasRole[role][account], "holds it already"
    self.holders[role] += 1
    access_control._grant_role(role, account)


@internal
@view
def _state(id: bytes32) -> uint256:
    if not timelock_controller._is_operation(id):
        return UNKNOWN
    if timelock_controller._is_operation_done(id):
        return DONE
    ready_at: uint256 = timelock_controller.get_timestamp[id]
    if block.timestamp < ready_at:
        return WAITING
    if block.timestamp > ready_at + LIFE:
        return EXPIRED
    return READY


@internal
@pure
def _id(
    targets: DynArray[address, MAX_CALLS],
    payloads: DynArray[Bytes[1_024], MAX_CALLS],
    predecessor: bytes32,
    salt: bytes32,
) -> bytes32:
    return keccak256(abi_encode(targets, payloads, predecessor, salt))


@internal
@view
def _dismissed(target: address, payload: Bytes[1_024]) -> address:
    """
    @return The canceller that a call of an operation dismisses, zero for any other call.
    """
    if target != self or len(payload) != 68:
        return empty(address)
    if slice(payload, 0, 36) != concat(
        method_id("revoke_role(bytes32,address)", output_type=bytes4), timelock_controller.CANCELLER_ROLE
    ):
        return empty(address)
    return convert(convert(slice(payload, 36, 32), uint256), address)
