# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Pyth adapter
@license GNU Affero General Public License v3.0 only
@notice Reads Pyth's prices for the OracleRouter, and passes paid updates on. Nobody owns it, and nothing stays in it.
"""

from .interfaces import IPriceSource
from .interfaces import IPyth
from .modules import quotes

implements: IPriceSource

PPM: constant(uint256) = 1_000_000
LEAST_CONFIDENCE: constant(uint256) = 100
MOST_CONFIDENCE: constant(uint256) = 50_000

PYTH: immutable(IPyth)
MAX_CONFIDENCE: public(immutable(uint256))  # ppm of the price that half the confidence interval may be wide


@deploy
def __init__(pyth_: address, max_confidence: uint256):
    assert pyth_.is_contract, "pyth has no code"
    assert (
        max_confidence >= LEAST_CONFIDENCE and max_confidence <= MOST_CONFIDENCE
    ), "confidence not in 100..50000"
    PYTH = IPyth(pyth_)
    MAX_CONFIDENCE = max_confidence


@external
@view
def pyth() -> address:
    return PYTH.address


@external
@view
def read(feed: bytes32, size_decimals: uint256) -> (uint256, uint256):
    """
    @notice Reverts when nobody has pushed this price yet.
    @param feed Pyth's price id.
    @return Price in micro-USDC per lot (0 = none), and the time it was published, in seconds.
    """
    p: IPyth.Price = staticcall PYTH.getPriceUnsafe(feed)
    if p.price <= 0:
        return 0, 0
    price: uint256 = convert(p.price, uint256)
    # publishers that do not agree among themselves have no price
    if convert(p.conf, uint256) * PPM > price * MAX_CONFIDENCE:
        return 0, 0
    return quotes._per_lot(price, convert(p.expo, int256), size_decimals), p.publishTime


@external
@view
def update_fee(update_data: DynArray[Bytes[8192], 4]) -> uint256:
    """
    @return What `update` costs, in wei.
    """
    return staticcall PYTH.getUpdateFee(update_data)


@external
@payable
def update(update_data: DynArray[Bytes[8192], 4]):
    """
    @notice Pushes Pyth's signed prices at its own fee, and gives back what was paid beyond it.
    """
    fee: uint256 = staticcall PYTH.getUpdateFee(update_data)
    assert msg.value >= fee, "fee not paid"
    extcall PYTH.updatePriceFeeds(update_data, value=fee)
    if msg.value > fee:
        raw_call(msg.sender, b"", value=msg.value - fee)
