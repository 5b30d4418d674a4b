# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Signatures
@license GNU Affero General Public License v3.0 only
@notice Who signed a digest: a key by ecrecover, always first, so that keys with code of their own count as keys; else a contract wallet
        by one ERC-1271 check, with a limit to its gas and to what it may answer.
"""

# half the order of secp256k1: the highest canonical s
HIGH_S: constant(uint256) = 57896044618658097711785492504343953926418782139537452191302581570759080747168
VALID: constant(bytes32) = 0x1626ba7e00000000000000000000000000000000000000000000000000000000
# a wallet that checks a P-256 signature in its own code needs this much
WALLET_GAS: constant(uint256) = 400_000


@internal
@view
def _is_signed_by(signer: address, digest: bytes32, signature: Bytes[1024]) -> bool:
    if signer == empty(address):
        return False
    if len(signature) == 65 and self._recover(digest, slice(signature, 0, 65)) == signer:
        return True
    if not signer.is_contract:
        return False
    success: bool = False
    answer: Bytes[32] = b""
    success, answer = raw_call(
        signer,
        abi_encode(digest, signature, method_id=method_id("isValidSignature(bytes32,bytes)")),
        max_outsize=32,
        gas=WALLET_GAS,
        is_static_call=True,
        revert_on_failure=False,
    )
    return success and len(answer) == 32 and convert(answer, bytes32) == VALID


@internal
@pure
def _recover(digest: bytes32, signature: Bytes[65]) -> address:
    """
    @return Who signed, or the zero address for a signature that is not canonical.
    """
    if len(signature) != 65:
        return empty(address)
    r: uint256 = convert(slice(signature, 0, 32), uint256)
    s: uint256 = convert(slice(signature, 32, 32), uint256)
    v: uint256 = convert(slice(signature, 64, 1), uint256)
    if s > HIGH_S:
        return empty(address)
    # which answers zero to any v but 27 and 28
    return ecrecover(digest, v, r, s)
