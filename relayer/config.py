# SPDX-License-Identifier: AGPL-3.0-only
"""Everything a relayer is told before it starts."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ouro.deployment import Deployment
from ouro.settings import Settings
from ouro.units import MAX_BATCH_FILLS
from relayer.core import CoreConfig
from relayer.settlement import SettlerConfig

GWEI = 10**9


class RelayerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Where the relayer listens, what it follows, and how it paces itself.

    Fees are ppm of notional and part of the journal's identity: a journal written under other fees is refused.
    `poll_s` is the pause between looks at the chain, after `stale_s` without an answer orders are refused; `tick_s` is
    the longest the core goes without being told the time.
    """

    deployment: Deployment
    rpc_url: str
    journal_dir: Path
    operator_key: str
    operator_password: str = ""
    host: str = "127.0.0.1"
    port: int = 8001
    log_level: str = "info"
    taker_fee_ppm: int = 350
    maker_fee_ppm: int = 0
    confirmations: int = 1
    poll_s: float = 0.25
    stale_s: float = 15.0
    tick_s: float = 0.25
    verify_threads: int = 2
    batch_delay_ms: int = 250
    max_in_flight: int = 4
    resend_s: float = 4.0
    bump_s: float = 20.0
    max_fee_gwei: int = 500

    @classmethod
    def from_settings(cls, settings: Settings) -> RelayerConfig:
        """From the configuration of all services. Raises what reading the deployment record raises."""
        return cls(
            deployment=Deployment.load(settings.deployment_path),
            rpc_url=settings.rpc_url,
            journal_dir=Path(settings.state_dir) / "journal",
            operator_key=settings.operator_key,
            host=settings.relayer_host,
            port=settings.relayer_port,
            log_level=settings.log_level,
            confirmations=settings.confirmations,
        )

    def core(self) -> CoreConfig:
        """What the matching core is told; it stands in the journal's header."""
        contracts = self.deployment.contracts
        return CoreConfig(
            chain_id=self.deployment.chain_id,
            exchange=contracts.exchange,
            vault=contracts.vault,
            oracle=contracts.oracle,
            operator=self.deployment.operator,
            markets=tuple(self.deployment.markets),
            taker_fee_ppm=self.taker_fee_ppm,
            maker_fee_ppm=self.maker_fee_ppm,
            credit_confirmations=self.confirmations,
            settle_window_s=self.deployment.settle_window,
            backlog_age_ms=self.deployment.settle_window * 500,
        )

    def settler(self) -> SettlerConfig:
        """How batches are built and sent."""
        return SettlerConfig(
            exchange=self.deployment.contracts.exchange,
            batch_delay_ms=self.batch_delay_ms,
            full_fills=MAX_BATCH_FILLS,
            max_in_flight=self.max_in_flight,
            resend_s=self.resend_s,
            bump_s=self.bump_s,
            max_fee_wei=self.max_fee_gwei * GWEI,
        )
