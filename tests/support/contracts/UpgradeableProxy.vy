# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title A proxy to code that may be replaced
@license GNU Affero General Public License v3.0 only
@notice What stands in front of Pyth's contract: one slot read and one delegated call dearer than the code alone.
"""

implementation: address


@deploy
def __init__(implementation: address):
    self.implementation = implementation


@external
@payable
@raw_return
def __default__() -> Bytes[1024]:
    return raw_call(self.implementation, msg.data, max_outsize=1024, is_delegate_call=True)
