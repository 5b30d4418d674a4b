# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title A price source that fails on demand
@license GNU Affero General Public License v3.0 only
@notice Answers as told, or reverts, answers too little or too much, tries to write, or asks its router the same question. What
        Vyper would not compile, tests put in its place as bare code.
"""

REVERT: constant(uint256) = 1
SHORT: constant(uint256) = 2
LONG: constant(uint256) = 3
WRITE: constant(uint256) = 4
RECURSE: constant(uint256) = 5


interface Router:
    def price(market: uint256) -> (uint256, uint256): view


answer: uint256
time: uint256
mode: uint256
router: address
written: uint256


@external
def set_answer(price: uint256, published_at: uint256):
    self.answer = price
    self.time = published_at


@external
def set_mode(mode: uint256, router: address):
    self.mode = mode
    self.router = router


@external
@raw_return
def read(feed: bytes32, size_decimals: uint256) -> Bytes[96]:
    mode: uint256 = self.mode
    assert mode != REVERT, "no price today"
    if mode == SHORT:
        return abi_encode(self.answer)
    if mode == LONG:
        return abi_encode(self.answer, self.time, self.time)
    if mode == WRITE:
        self.written += 1
    if mode == RECURSE:
        price: uint256 = 0
        time: uint256 = 0
        price, time = staticcall Router(self.router).price(1)
        return abi_encode(price + 1, time + 1)
    return abi_encode(self.answer, self.time)
