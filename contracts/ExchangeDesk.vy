# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma optimize codesize
"""
@title Ouro Exchange, the desk
@license GNU Affero General Public License v3.0 only
@notice The cold half of the Exchange, reached by delegatecall: liquidation, deleveraging, debits. What it does not know
        either it delegates to the immutable ExchangeOffice. Its own storage means nothing.
"""

from .modules import accounts
from .modules import book_liquidation
from .modules import custody
from .modules import deleveraging
from .modules import execution
from .modules import liquidation
from .modules import margin
from .modules import markets
from .modules import orders
from .modules import positions
from .modules import referrers
from .modules import roles
from .modules import sessions
from .modules import takeovers
from .modules import waterfall

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
initializes: liquidation[margin := margin, markets := markets, takeovers := takeovers, waterfall := waterfall]
initializes: deleveraging[margin := margin, markets := markets, takeovers := takeovers, waterfall := waterfall]
initializes: execution[
    accounts := accounts,
    orders := orders,
    positions := positions,
    referrers := referrers,
    sessions := sessions,
]
initializes: book_liquidation[
    accounts := accounts,
    execution := execution,
    margin := margin,
    markets := markets,
    positions := positions,
    waterfall := waterfall,
]

exports: (
    liquidation.liquidate,
    book_liquidation.execute_liquidation,
    deleveraging.deleverage,
    custody.credit,
    custody.debit,
    custody.credit_insurance,
)

MAX_ANSWER: constant(uint256) = 1024

OFFICE: public(immutable(address))


@deploy
def __init__(office: address, settle_window: uint256):
    assert office.is_contract, "office has no code"
    OFFICE = office
    roles.__init__()
    orders.__init__(settle_window)


@external
@nonreentrant
def poke(market: uint256):
    """
    @notice Accrues a market's funding up to now.
    """
    m: markets.Market = markets._load(market)
    assert m.state != 0, "unknown market"
    assert m.fresh, "stale price"
    markets._store(m)


@external
@payable
@raw_return
def __default__() -> Bytes[MAX_ANSWER]:
    return raw_call(OFFICE, msg.data, max_outsize=MAX_ANSWER, is_delegate_call=True)
