# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title A wallet with code
@license GNU Affero General Public License v3.0 only
@notice Signs by ERC-1271 for one key, and misbehaves when told to: reverts, burns its gas, answers far too much, too little, or
        something else, or tries to write. It also sends calls of its own.
"""

VALID: constant(bytes32) = 0x1626ba7e00000000000000000000000000000000000000000000000000000000

key: public(address)
mode: public(uint256)
seen: uint256


@deploy
def __init__(key: address):
    self.key = key


@external
def set_mode(mode: uint256):
    self.mode = mode


@external
def run(target: address, data: Bytes[8192]):
    raw_call(target, data)


@external
@raw_return
def isValidSignature(hash: bytes32, signature: Bytes[1024]) -> Bytes[16384]:
    """
    @dev Not a view, so that it may try to write; whoever asks by a static call stops that.
    """
    if self.mode == 1:
        raise "no"
    if self.mode == 2:
        burnt: bytes32 = hash
        for i: uint256 in range(10**9):
            burnt = keccak256(burnt)
    if self.mode == 3:
        return concat(VALID, b"", slice(abi_encode(empty(uint256[500])), 0, 16_000))
    if self.mode == 4:
        return b"\x16\x26\xba\x7e"
    if self.mode == 5:
        return abi_encode(True)
    if self.mode == 6:
        self.seen += 1
    # some wallets put more than a bare signature together: here the last 65 bytes count
    n: uint256 = len(signature)
    r: uint256 = convert(slice(signature, n - 65, 32), uint256)
    s: uint256 = convert(slice(signature, n - 33, 32), uint256)
    v: uint256 = convert(slice(signature, n - 1, 1), uint256)
    if ecrecover(hash, v, r, s) != self.key:
        return abi_encode(convert(0, bytes32))
    return abi_encode(VALID)
