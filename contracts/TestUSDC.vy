# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Test USDC
@license GNU Affero General Public License v3.0 only
@notice A 6-decimals token that anyone may mint. For local chains only.
"""

from snekmate.auth import ownable
from snekmate.tokens import erc20

initializes: ownable
initializes: erc20[ownable := ownable]

exports: (
    erc20.name,
    erc20.symbol,
    erc20.decimals,
    erc20.totalSupply,
    erc20.balanceOf,
    erc20.allowance,
    erc20.transfer,
    erc20.transferFrom,
    erc20.approve,
    erc20.permit,
    erc20.nonces,
    erc20.DOMAIN_SEPARATOR,
)


@deploy
def __init__():
    ownable.__init__()
    erc20.__init__("Test USDC", "USDC", 6, "Test USDC", "1")


@external
def mint(to: address, amount: uint256):
    erc20._mint(to, amount)
