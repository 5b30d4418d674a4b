# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Roles
@license GNU Affero General Public License v3.0 only
@notice Governance is the owner (two-step). Operators may settle, the guardian may only tighten. `heads` holds each
        operator's journal head: anchor, exactly-once guard and fence in one word.
"""

from snekmate.auth import ownable
from snekmate.auth import ownable_2step

from ..interfaces import events
from . import notices

initializes: ownable
initializes: ownable_2step[ownable := ownable]
initializes: notices[ownable := ownable]

# what stands for the head of an operator who has settled nothing yet; a stranger has none
GENESIS: constant(bytes32) = keccak256("no batch yet")

heads_of: HashMap[address, bytes32]
guardian: public(address)


@deploy
def __init__():
    ownable.__init__()
    ownable_2step.__init__()


@internal
@view
def _only_owner():
    assert msg.sender == ownable.owner, "only governance"


@internal
def _advance(prev: bytes32, next: bytes32):
    """
    @notice Moves the caller's journal head.
    """
    head: bytes32 = self.heads_of[msg.sender]
    assert head != empty(bytes32), "only operators"
    assert head == prev or (head == GENESIS and prev == empty(bytes32)), "journal head moved"
    assert next != prev and next != empty(bytes32) and next != GENESIS, "journal head stands still"
    self.heads_of[msg.sender] = next


@internal
def _set_operator(operator: address, allowed: bool):
    if not allowed:
        self.heads_of[operator] = empty(bytes32)
    elif self.heads_of[operator] == empty(bytes32):
        self.heads_of[operator] = GENESIS
    log events.OperatorSet(operator=operator, allowed=allowed)


@internal
def _set_guardian(guardian: address):
    self.guardian = guardian
    log events.GuardianSet(guardian=guardian)


@external
@view
def heads(operator: address) -> bytes32:
    """
    @return The operator's journal head: zero before the first batch, and for whoever is no operator.
    """
    head: bytes32 = self.heads_of[operator]
    if head == GENESIS:
        return empty(bytes32)
    return head


@external
@view
def is_operator(operator: address) -> bool:
    return self.heads_of[operator] != empty(bytes32)
