# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title The proxy in front of a Chainlink aggregator
@license GNU Affero General Public License v3.0 only
@notice What consumers read: it adds its phase to round ids, may ask a controller who reads, and may move to another aggregator.
"""


interface Aggregator:
    def decimals() -> uint8: view
    def latestRoundData() -> (uint80, int256, uint256, uint256, uint80): view


interface Controller:
    def hasAccess(reader: address, data: Bytes[256]) -> bool: view


controller: address
phase: uint256  # phase id << 160 | aggregator


@deploy
def __init__(aggregator_: address):
    self.phase = (1 << 160) | convert(aggregator_, uint256)


@external
def set_controller(controller: address):
    self.controller = controller


@external
def confirm_aggregator(aggregator_: address):
    self.phase = (((self.phase >> 160) + 1) << 160) | convert(aggregator_, uint256)


@external
@view
def aggregator() -> address:
    return self._aggregator().address


@external
@view
def decimals() -> uint8:
    return staticcall self._aggregator().decimals()


@external
@view
def latestRoundData() -> (uint80, int256, uint256, uint256, uint80):
    if self.controller != empty(address):
        assert staticcall Controller(self.controller).hasAccess(msg.sender, b""), "No access"
    round_id: uint80 = 0
    answer: int256 = 0
    started_at: uint256 = 0
    updated_at: uint256 = 0
    answered_in_round: uint80 = 0
    (
        round_id, answer, started_at, updated_at, answered_in_round
    ) = staticcall self._aggregator().latestRoundData()
    return self._phased(round_id), answer, started_at, updated_at, self._phased(answered_in_round)


@internal
@view
def _aggregator() -> Aggregator:
    return Aggregator(convert(self.phase & (2**160 - 1), address))


@internal
@view
def _phased(round_id: uint80) -> uint80:
    return convert(((self.phase >> 160) << 64) | convert(round_id, uint256), uint80)
