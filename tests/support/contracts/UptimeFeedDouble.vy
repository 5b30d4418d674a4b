# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Chainlink's feed of a sequencer's uptime
@license GNU Affero General Public License v3.0 only
@notice As on Arbitrum: 0 is up, 1 is down, both since `startedAt`, the time on the chain below. It reverts until initialised, and
        ignores what is older than it knows or changes nothing.
"""

messenger: address
round_id: uint256
down: bool
started_at: uint256


@deploy
def __init__(messenger_: address):
    self.messenger = messenger_


@external
def initialize():
    if self.round_id != 0:
        raw_revert(method_id("AlreadyInitialized()"))
    self._record(False, block.timestamp)


@external
def updateStatus(status: bool, timestamp: uint64):
    if self.round_id == 0:
        raw_revert(method_id("Uninitialized()"))
    if msg.sender != self.messenger:
        raw_revert(method_id("InvalidSender()"))
    time: uint256 = convert(timestamp, uint256)
    if self.down != status and self.started_at <= time:
        self._record(status, time)


@external
@view
def decimals() -> uint8:
    return 0


@external
@view
def latestRoundData() -> (uint80, int256, uint256, uint256, uint80):
    if self.round_id == 0:
        raw_revert(method_id("Uninitialized()"))
    id: uint80 = convert(self.round_id, uint80)
    return id, 1 if self.down else 0, self.started_at, self.started_at, id


@internal
def _record(status: bool, time: uint256):
    self.round_id += 1
    self.down = status
    self.started_at = time
