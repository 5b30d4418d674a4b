# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma optimize codesize
"""
@title Ouro Exchange, the exit
@license GNU Affero General Public License v3.0 only
@notice The ways out that need nobody: a close that the market itself executes, and the end of a market. The last contract that a call
        of the Exchange comes to. Its own storage means nothing.
"""

from .modules import accounts
from .modules import custody
from .modules import deleveraging
from .modules import escape
from .modules import margin
from .modules import markets
from .modules import orders
from .modules import positions
from .modules import referrers
from .modules import roles
from .modules import sessions
from .modules import takeovers
from .modules import waterfall
from .modules import winding_up

initializes: roles
initializes: markets
initializes: accounts
initializes: orders
initializes: margin[accounts := accounts, markets := markets]
initializes: positions[accounts := accounts, margin := margin]
initializes: sessions[markets := markets, orders := orders]
initializes: referrers[accounts := accounts]
initializes: custody[accounts := accounts, margin := margin, markets := markets]
initializes: waterfall[accounts := accounts, markets := markets]
initializes: takeovers[accounts := accounts, markets := markets, positions := positions]
initializes: deleveraging[margin := margin, markets := markets, takeovers := takeovers, waterfall := waterfall]
initializes: escape[
    accounts := accounts,
    deleveraging := deleveraging,
    margin := margin,
    markets := markets,
    takeovers := takeovers,
]
initializes: winding_up[
    accounts := accounts,
    margin := margin,
    markets := markets,
    roles := roles,
    takeovers := takeovers,
    waterfall := waterfall,
]

exports: (
    escape.request_close,
    escape.execute_close,
    winding_up.begin_settling,
    winding_up.fix_settlement,
    winding_up.settle_positions,
    winding_up.cover_debt,
)


@deploy
def __init__(settle_window: uint256):
    roles.__init__()
    orders.__init__(settle_window)
