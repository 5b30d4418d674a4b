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

is_operator: public(HashMap[address, bool])
heads: public(HashMap[address, bytes32])
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
def _set_operator(operator: address, allowed: bool):
    self.is_operator[operator] = allowed
    log events.OperatorSet(operator=operator, allowed=allowed)


@internal
def _set_guardian(guardian: address):
    self.guardian = guardian
    log events.GuardianSet(guardian=guardian)
