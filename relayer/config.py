# SPDX-License-Identifier: AGPL-3.0-only
"""Everything a relayer is told before it starts."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from ouro.deployment import Deployment
from ouro.settings import Settings
from ouro.units import MAX_AHEAD_MS, MAX_BATCH_FILLS
from relayer.api.limits import LimitSettings
from relayer.core import CoreConfig
from relayer.settlement import SettlerConfig

GWEI = 10**9
_DEVELOPMENT_CHAIN_ID = 31_337
_MAX_AHEAD_S = 60


class RelayerSettings(Settings):
    """The services' configuration with what only the relayer reads: `OURO_RELAYER_...` in the environment.

    `receipt_key` signs journal heads, in the forms of `operator_key` and with the same password; empty: that key does.
    The journal is published `publish_delay_s` after it was written, never if that is negative; new orders that were
    signed more than `max_order_age_s` ago are refused (0: none are).
    Fees are ppm of notional, `min_notional` is the micro-USDC that an order must be worth; both are part of the
    journal's identity: with others it goes on in a new segment. `poll_s` is the pause between looks at the chain, after
    `stale_s` without an answer orders are refused; `tick_s` is the longest the core goes without being told the time.
    `other_rpc_urls` are further nodes, parted by commas; a block whose time is more than `max_ahead_s` (0: as the chain
    has it) ahead of the clock is not followed; `verify_blocks` may be turned off for a chain whose blocks do not hash
    as Ethereum's do, or a node without `eth_getBlockReceipts`. The operator's key is in this process, or behind the
    signing service at `operator_signer_url`. The journal goes on in a new file after `segment_mb`; `reserve_mb` of its
    disk are kept for cancels when it is full. For the others see `SettlerConfig`.
    """

    operator_password: str = Field(default="", repr=False)
    receipt_key: str = Field(default="", repr=False)
    operator_password_file: str = ""
    operator_signer_url: str = Field(default="", repr=False)
    relayer_taker_fee_ppm: int = 350
    relayer_maker_fee_ppm: int = 0
    relayer_min_notional: int = Field(default=1_000_000, ge=0)
    relayer_poll_s: float = 0.25
    relayer_stale_s: float = 15.0
    relayer_tick_s: float = 0.25
    relayer_other_rpc_urls: str = Field(default="", repr=False)
    relayer_verify_blocks: bool = True
    relayer_max_ahead_s: int = 0
    relayer_verify_threads: int = 2
    relayer_publish_delay_s: int = 300
    relayer_max_order_age_s: int = Field(default=180, ge=0)
    relayer_batch_delay_ms: int = 250
    relayer_batch_max_delay_ms: int = 2_000
    relayer_delay_gwei: int = 10_000
    relayer_max_in_flight: int = 4
    relayer_resend_s: float = 4.0
    relayer_bump_s: float = 20.0
    relayer_max_fee_gwei: int = 500
    relayer_risk_s: float = Field(default=10.0, gt=0)
    relayer_ip_connections: int = Field(default=256, ge=0)
    relayer_ip_weight: int = Field(default=10_000, ge=0)
    relayer_account_weight: int = Field(default=2_000, ge=0)
    relayer_account_bytes: int = Field(default=268_435_456, ge=0)
    relayer_refused_bytes: int = Field(default=16_777_216, ge=0)
    relayer_trusted_proxies: str = "127.0.0.0/8,::1"
    relayer_max_tip_gwei: int = 5
    relayer_max_unsettled: int = 16_384
    relayer_alarm_batches: int = 500
    relayer_segment_mb: int = Field(default=64, ge=1)
    relayer_reserve_mb: int = Field(default=64, ge=1)

    def rpc_urls(self) -> list[str]:
        """The nodes, the preferred one first."""
        others = [url.strip() for url in self.relayer_other_rpc_urls.split(",")]
        return [self.rpc_url, *(url for url in others if url)]

    def password(self) -> str:
        """The keystore's password, from its file if one is named. Raises OSError."""
        if self.operator_password_file:
            return Path(self.operator_password_file).read_text().rstrip("\r\n")
        return self.operator_password


@dataclass(frozen=True)
class RelayerConfig:
    """Settings, and the deployment they name."""

    settings: RelayerSettings
    deployment: Deployment

    def __post_init__(self) -> None:
        """Raises ValueError where what the journal shows could be sent again."""
        age, delay = self.settings.relayer_max_order_age_s, self.settings.relayer_publish_delay_s
        if delay < 0:
            return
        # A signer's clock may be ahead by what the core allows, and the core's by what a block may be.
        ahead = min(self.max_ahead_s, _MAX_AHEAD_S) + MAX_AHEAD_MS // 2_000
        if age == 0 and self.deployment.chain_id != _DEVELOPMENT_CHAIN_ID:
            raise ValueError(
                "OURO_RELAYER_MAX_ORDER_AGE_S is 0 and the journal is published: anybody could send refused orders "
                f"again. Set it to at most {max(0, delay - ahead)} s, or OURO_RELAYER_PUBLISH_DELAY_S to -1"
            )
        if age and age + ahead > delay:
            raise ValueError(
                f"OURO_RELAYER_MAX_ORDER_AGE_S is {age}, and what is refused is published after {delay} s: anybody "
                f"could send it again. The age must be {ahead} s below the delay: set OURO_RELAYER_PUBLISH_DELAY_S to "
                f"{age + ahead} or more, or the age to {max(1, delay - ahead)}"
            )

    @classmethod
    def load(cls, settings: RelayerSettings) -> RelayerConfig:
        """Reads the deployment record. Raises what that raises."""
        return cls(settings, Deployment.load(settings.deployment_path))

    @property
    def journal_dir(self) -> Path:
        """The folder of the journal."""
        return self.settings.state_dir / "journal"

    @property
    def snapshots_dir(self) -> Path:
        """The folder of snapshots."""
        return self.settings.state_dir / "snapshots"

    @property
    def events_dir(self) -> Path:
        """The folder of the event log."""
        return self.settings.state_dir / "events"

    @property
    def receipt_signer(self) -> str:
        """The address that clients expect heads to be signed by."""
        return self.settings.receipt_signer or self.deployment.operator

    @property
    def max_ahead_s(self) -> int:
        """Seconds that a block's time may be ahead of the clock: as configured, else a minute; on a development chain,
        whose time people move, thirty days.
        """
        fallback = 30 * 86_400 if self.deployment.chain_id == _DEVELOPMENT_CHAIN_ID else _MAX_AHEAD_S
        return self.settings.relayer_max_ahead_s or fallback

    def core(self) -> CoreConfig:
        """What the matching core is told; it stands in the journal's header."""
        contracts = self.deployment.contracts
        return CoreConfig(
            chain_id=self.deployment.chain_id,
            exchange=contracts.exchange,
            vault=contracts.vault,
            oracle=contracts.oracle,
            operator=self.deployment.operator,
            markets=self.deployment.markets,
            taker_fee_ppm=self.settings.relayer_taker_fee_ppm,
            maker_fee_ppm=self.settings.relayer_maker_fee_ppm,
            min_notional=self.settings.relayer_min_notional,
            credit_confirmations=self.settings.confirmations,
            settle_window_s=self.deployment.settle_window,
            backlog_age_ms=self.deployment.settle_window * 500,
            max_order_age_ms=self.settings.relayer_max_order_age_s * 1000,
        )

    def limits(self) -> LimitSettings:
        """How much one network address and one account may send. Raises ValueError for a proxy that is no network."""
        settings = self.settings
        proxies = (each.strip() for each in settings.relayer_trusted_proxies.split(","))
        return LimitSettings(
            ip_weight=settings.relayer_ip_weight,
            account_weight=settings.relayer_account_weight,
            account_bytes=settings.relayer_account_bytes,
            refused_bytes=settings.relayer_refused_bytes,
            trusted=tuple(ipaddress.ip_network(each) for each in proxies if each),
        )

    def settler(self) -> SettlerConfig:
        """How batches are built and sent."""
        return SettlerConfig(
            exchange=self.deployment.contracts.exchange,
            settle_window_s=self.deployment.settle_window,
            batch_delay_ms=self.settings.relayer_batch_delay_ms,
            batch_max_delay_ms=max(self.settings.relayer_batch_delay_ms, self.settings.relayer_batch_max_delay_ms),
            delay_gwei=self.settings.relayer_delay_gwei,
            full_fills=MAX_BATCH_FILLS,
            max_in_flight=self.settings.relayer_max_in_flight,
            resend_s=self.settings.relayer_resend_s,
            bump_s=self.settings.relayer_bump_s,
            max_fee_wei=self.settings.relayer_max_fee_gwei * GWEI,
            max_tip_wei=self.settings.relayer_max_tip_gwei * GWEI,
            max_unsettled=self.settings.relayer_max_unsettled,
            alarm_batches=self.settings.relayer_alarm_batches,
        )
