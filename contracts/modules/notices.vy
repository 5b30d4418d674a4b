# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Notices
@license GNU Affero General Public License v3.0 only
@notice What could reach the money of those who are in must be announced, word for word, longer before it happens than the
        longest exit takes. A function that needs notice spends the one of its own call.
"""

from snekmate.auth import ownable

uses: ownable

# longer than the longest exit: a close (7 hours), then the longest withdrawal delay and the guardian's stretch (10 days)
NOTICE: constant(uint256) = 14 * 86_400
# a notice that lies about is one that nobody expects any more
NOTICE_LIFE: constant(uint256) = 14 * 86_400


event Announced:
    hash: indexed(bytes32)
    call: Bytes[1024]
    ready_at: uint256


event NoticeWithdrawn:
    hash: indexed(bytes32)


notice_ready_at: public(HashMap[bytes32, uint256])  # by hash of the calldata; 0 = not announced


@external
def announce(call: Bytes[1024]):
    """
    @notice Announces a call of governance, given as its whole calldata. Announced again, it starts anew.
    """
    self._check_governance()
    hash: bytes32 = keccak256(call)
    ready_at: uint256 = block.timestamp + NOTICE
    self.notice_ready_at[hash] = ready_at
    log Announced(hash=hash, call=call, ready_at=ready_at)


@external
def withdraw_notice(hash: bytes32):
    self._check_governance()
    assert self.notice_ready_at[hash] != 0, "no notice"
    self.notice_ready_at[hash] = 0
    log NoticeWithdrawn(hash=hash)


@internal
def _spend(call: Bytes[1024]):
    """
    @dev For the function that `call` is the calldata of: Vyper cannot hash `msg.data` of any length, so it says it again.
    """
    hash: bytes32 = keccak256(call)
    ready_at: uint256 = self.notice_ready_at[hash]
    assert ready_at != 0, "no notice"
    assert block.timestamp >= ready_at, "notice too young"
    assert block.timestamp <= ready_at + NOTICE_LIFE, "notice expired"
    self.notice_ready_at[hash] = 0


@internal
@view
def _check_governance():
    assert msg.sender == ownable.owner, "only governance"
