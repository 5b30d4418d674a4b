# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title A multisig wallet as it is at its worst
@notice Whatever enough owners have signed may be sent by anyone, in any order, whenever: a nonce is good until it is used.
"""

MAX_DATA: constant(uint256) = 8_192

owners: public(HashMap[address, bool])
threshold: public(uint256)
used: public(HashMap[uint256, bool])


@deploy
def __init__(owners: DynArray[address, 5], threshold: uint256):
    for owner: address in owners:
        self.owners[owner] = True
    self.threshold = threshold


@external
@view
def digest(to: address, data: Bytes[MAX_DATA], nonce: uint256) -> bytes32:
    return self._digest(to, data, nonce)


@external
def run(to: address, data: Bytes[MAX_DATA], nonce: uint256, signatures: DynArray[Bytes[65], 5]):
    assert not self.used[nonce], "nonce used"
    self.used[nonce] = True
    assert len(signatures) >= self.threshold, "too few signatures"
    last: uint256 = 0
    for signature: Bytes[65] in signatures:
        signer: address = ecrecover(
            self._digest(to, data, nonce),
            convert(slice(signature, 64, 1), uint256),
            convert(slice(signature, 0, 32), uint256),
            convert(slice(signature, 32, 32), uint256),
        )
        assert self.owners[signer], "not an owner"
        assert convert(signer, uint256) > last, "signers not in order"
        last = convert(signer, uint256)
    raw_call(to, data)


@internal
@view
def _digest(to: address, data: Bytes[MAX_DATA], nonce: uint256) -> bytes32:
    return keccak256(abi_encode(chain.id, self, to, data, nonce))
