# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma optimize gas
"""
@title Ouro Exchange
@license GNU Affero General Public License v3.0 only
@notice Accounts, positions and order state. This is the hot part: settlement. Everything else lives in the immutable
        ExchangeDesk, which this contract delegates to; both initialise the same modules in the same order, so that they
        share one storage layout.
"""

from .modules import accounts
from .modules import execution
from .modules import groups
from .modules import margin
from .modules import markets
from .modules import orders
from .modules import positions
from .modules import referrers
from .modules import roles
from .modules import sessions
from .modules import settlement

initializes: roles
initializes: markets
initializes: accounts
initializes: orders
initializes: margin[accounts := accounts, markets := markets]
initializes: positions[accounts := accounts, margin := margin]
initializes: sessions[markets := markets, orders := orders]
initializes: referrers[accounts := accounts]
initializes: execution[
    accounts := accounts,
    orders := orders,
    positions := positions,
    referrers := referrers,
    sessions := sessions,
]
initializes: groups
initializes: settlement[
    execution := execution,
    groups := groups,
    margin := margin,
    markets := markets,
    orders := orders,
    referrers := referrers,
    roles := roles,
    sessions := sessions,
]

exports: (
    settlement.settle,
    settlement.execute_fill,
    settlement.execute_group,
    margin.quote,
    orders.SETTLE_WINDOW,
    roles.heads,
    roles.is_operator,
)

MAX_ANSWER: constant(uint256) = 1024

DESK: public(immutable(address))


@deploy
def __init__(desk: address, oracle: address, settle_window: uint256):
    """
    @param settle_window Seconds that every race over a match is bound by, 15 to 600.
    """
    assert desk.is_contract, "desk has no code"
    DESK = desk
    roles.__init__()
    orders.__init__(settle_window)
    markets._set_oracle(oracle)


@external
@payable
@raw_return
def __default__() -> Bytes[MAX_ANSWER]:
    return raw_call(DESK, msg.data, max_outsize=MAX_ANSWER, is_delegate_call=True)
