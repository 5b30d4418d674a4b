# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Chainlink adapter
@license GNU Affero General Public License v3.0 only
@notice Reads Chainlink's data feeds for the OracleRouter. Knows nothing and nobody: one serves every market of a chain.
"""

from .interfaces import IChainlinkFeed
from .interfaces import IPriceSource
from .modules import quotes

implements: IPriceSource


@external
@view
def read(feed: bytes32, size_decimals: uint256) -> (uint256, uint256):
    """
    @notice Reverts when the feed does.
    @param feed Address of the feed's proxy, padded to the left.
    @return Price in micro-USDC per lot (0 = none), and the time it was published, in seconds.
    """
    proxy: IChainlinkFeed = IChainlinkFeed(convert(feed, address))
    round_id: uint80 = 0
    answer: int256 = 0
    started_at: uint256 = 0
    updated_at: uint256 = 0
    answered_in_round: uint80 = 0
    round_id, answer, started_at, updated_at, answered_in_round = staticcall proxy.latestRoundData()
    # a round without an answer of its own, or none at all
    if answer <= 0 or round_id == 0 or updated_at == 0 or answered_in_round < round_id:
        return 0, 0
    # asked each time: a proxy may move to an aggregator that counts otherwise
    decimals: int256 = convert(staticcall proxy.decimals(), int256)
    return quotes._per_lot(convert(answer, uint256), -decimals, size_decimals), updated_at
