# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title An oracle that fails on demand
@license GNU Affero General Public License v3.0 only
@notice Answers as told, or reverts, burns all gas, answers too little or too much.
"""

ANSWER: constant(uint256) = 0
REVERT: constant(uint256) = 1
BURN: constant(uint256) = 2
SHORT: constant(uint256) = 3
LONG: constant(uint256) = 4

prices: HashMap[uint256, uint256]
times: HashMap[uint256, uint256]
modes: HashMap[uint256, uint256]


@external
def set_price(market: uint256, price: uint256, published_at: uint256):
    self.prices[market] = price
    self.times[market] = published_at


@external
def set_mode(market: uint256, mode: uint256):
    self.modes[market] = mode


@external
@view
@raw_return
def price(market: uint256) -> Bytes[96]:
    mode: uint256 = self.modes[market]
    assert mode != REVERT, "no price today"
    if mode == BURN:
        spent: uint256 = 0
        for i: uint256 in range(10_000_000):
            spent = unsafe_add(spent, i)
    if mode == SHORT:
        return abi_encode(self.prices[market])
    if mode == LONG:
        return abi_encode(self.prices[market], self.times[market], self.times[market])
    return abi_encode(self.prices[market], self.times[market])
