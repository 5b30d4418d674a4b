# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title Calls that pay
@license GNU Affero General Public License v3.0 only
@notice Sends ether of its own with a call, and takes what comes back.
"""


@external
@payable
def __default__():
    pass


@external
def pay(target: address, data: Bytes[16384], amount: uint256):
    raw_call(target, data, value=amount)


@external
@view
def funds() -> uint256:
    return self.balance
