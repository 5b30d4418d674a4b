# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title A Chainlink aggregator
@license GNU Affero General Public License v3.0 only
@notice Rounds as Chainlink's off-chain-reporting aggregators keep them: without a round everything is zero and nothing
        reverts; only those on its list may read, and accounts that send transactions. `time_out` does what the older
        aggregators by submission do to a round that nobody answered.
"""

NO_DATA: constant(String[15]) = "No data present"

DECIMALS: immutable(uint8)

checks_access: bool
access: HashMap[address, bool]
latest: uint256
answers: HashMap[uint256, uint256]  # time << 192 | answer
carried: HashMap[uint256, uint256]  # round that a timed out one took its answer from


@deploy
def __init__(decimals_: uint8):
    DECIMALS = decimals_
    self.checks_access = True


@external
def add_access(reader: address):
    self.access[reader] = True


@external
def remove_access(reader: address):
    self.access[reader] = False


@external
def transmit(answer: int192):
    self.latest += 1
    self.answers[self.latest] = self._word(answer)


@external
def time_out():
    """
    @notice A round that ends without an answer of its own: the last one counts on, updated now.
    """
    last: uint256 = self.latest
    self.latest = last + 1
    self.carried[last + 1] = last
    self.answers[last + 1] = (block.timestamp << 192) | (self.answers[last] & (2**192 - 1))


@external
@view
def decimals() -> uint8:
    return DECIMALS


@external
@view
def getRoundData(round_id: uint80) -> (uint80, int256, uint256, uint256, uint80):
    self._check_access()
    id: uint256 = convert(round_id, uint256)
    assert id != 0 and id <= self.latest, NO_DATA
    return self._round(id)


@external
@view
def latestRoundData() -> (uint80, int256, uint256, uint256, uint80):
    self._check_access()
    return self._round(self.latest)


@internal
@view
def _check_access():
    assert not self.checks_access or self.access[msg.sender] or msg.sender == tx.origin, "No access"


@internal
@view
def _word(answer: int192) -> uint256:
    bits: uint256 = convert(convert(convert(answer, int256), bytes32), uint256) & (2**192 - 1)
    return (block.timestamp << 192) | bits


@internal
@view
def _round(id: uint256) -> (uint80, int256, uint256, uint256, uint80):
    word: uint256 = self.answers[id]
    answer: int256 = convert(convert((word << 64), bytes32), int256) >> 64
    time: uint256 = word >> 192
    source: uint256 = self.carried[id]
    round_id: uint80 = convert(id, uint80)
    return round_id, answer, time, time, round_id if source == 0 else convert(source, uint80)
