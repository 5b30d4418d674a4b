# SPDX-License-Identifier: AGPL-3.0-only
"""What a core is told once, at the start of its journal. Part of the journal's header: it cannot change under a
replay.
"""

import msgspec

from ouro.markets import Market
from ouro.units import SETTLE_WINDOW_S

CORE_VERSION = 5


class CoreConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The venue's identity, fees and limits.

    `markets` are those of the deployment; the chain's MarketListed and MarketChanged events update them. Fees are ppm
    of notional and hold while the chain publishes no schedule. `margin_buffer_ppm` is asked on top of initial margin.
    `credit_confirmations` is how many blocks (1: the block itself) a deposit needs before it counts.
    `max_unsettled_fills` is settlement capacity times half a settle window, until it has been measured. `max_attempts`
    bounds how often a fill refused for a market or batch reason is sent. `backlog_age_ms` is how old the oldest
    unconfirmed fill may be before nothing new may open risk (half a window). Closed orders in slots are forgotten after
    `closed_retention_s`, others at their expiry. `min_notional` (micro-USDC) is what an order must be worth at its
    limit price, unless it closes a whole position. New orders that were signed more than `max_order_age_ms` ago (0: any
    age) are refused: the journal shows refused ones, and nobody may send them again.
    """

    chain_id: int
    exchange: str
    vault: str
    oracle: str
    operator: str
    markets: tuple[Market, ...]
    taker_fee_ppm: int = 350
    maker_fee_ppm: int = 0
    margin_buffer_ppm: int = 20_000
    credit_confirmations: int = 1
    max_unsettled_fills: int = 1_024
    max_attempts: int = 5
    max_open_orders: int = 1_000
    min_notional: int = 1_000_000
    closed_retention_s: int = 3_600
    settle_window_s: int = SETTLE_WINDOW_S
    backlog_age_ms: int = SETTLE_WINDOW_S * 500
    max_order_age_ms: int = 180_000

    def __post_init__(self) -> None:
        """Raises ValueError for fees that the contract would refuse."""
        if self.taker_fee_ppm + self.maker_fee_ppm < 0:
            raise ValueError("taker and maker fee together must not be negative")

    def encode(self) -> bytes:
        """The form that a journal's header keeps: equal bytes, equal configuration."""
        return msgspec.json.encode(self)
