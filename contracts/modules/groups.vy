# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Groups
@license GNU Affero General Public License v3.0 only
@notice Fills that settle all or not at all, collected one by one until the last of them. They lie in transient storage, so that a
        batch without groups pays nothing for them.
"""

from . import execution
from . import slots

MAX_FILLS: constant(uint256) = 32

count: transient(uint256)
taker: transient(uint256)  # the place of the taker's order in the batch
lots: transient(uint256)
fault: transient(uint256)  # of the first fill that has one
faulty: transient(uint256)  # which one that is
fills: transient(uint256[MAX_FILLS])
rates: transient(int256[MAX_FILLS])  # taker and maker fee together, ppm
takers: transient(execution.Side[MAX_FILLS])
makers: transient(execution.Side[MAX_FILLS])


@internal
def _open(taker: uint256):
    self.count = 0
    self.lots = 0
    self.fault = 0
    self.taker = taker


@internal
def _add(fill: uint256, rate: int256, fault: uint256, taker: execution.Side, maker: execution.Side):
    place: uint256 = self.count
    self.fills[place] = fill
    self.rates[place] = rate
    self.takers[place] = taker
    # what the fills before it will have taken from the taker's order
    self.takers[place].filled = taker.filled + self.lots
    self.makers[place] = maker
    self.lots += (fill >> 96) & slots.MASK_48
    self.count = place + 1
    if fault != 0:
        self._fail(place, fault)


@internal
def _fail(place: uint256, fault: uint256):
    if self.fault == 0:
        self.fault = fault
        self.faulty = place
