# SPDX-License-Identifier: AGPL-3.0-only
"""Puts the bots together that a configuration names."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from eth_account.signers.local import LocalAccount

from keeper import config as settings
from keeper import keys
from keeper.alarms import AlarmBoard, Webhook
from keeper.closes import RequestedCloses
from keeper.deleverager import Deleverager
from keeper.depth import BookReader
from keeper.discovery import discover
from keeper.endings import EndedMarkets
from keeper.funding import FundingPoker
from keeper.guard import GuardedChain, HeadLimits
from keeper.liquidator import Liquidator, Settings
from keeper.metrics import Metrics
from keeper.outcome import Outcome
from keeper.ports import ChainError, Clock, SystemClock
from keeper.pusher import OraclePusher, PushSettings, UrlSource
from keeper.pyth import Hermes, PythPusher
from keeper.records import RecordFile
from keeper.rpc_chain import RpcChain
from keeper.sender import FeePolicy
from keeper.silence import SilentExchange
from keeper.tools import Tools
from keeper.triggers import TriggerWatcher
from keeper.unwinder import Unwinder, UnwindSettings
from keeper.watchdog import Limits, RelayerState, Watchdog
from ouro.client import ClientConfig, OuroClient
from ouro.deployment import Deployment
from ouro.settings import Settings as ServiceSettings
from ouro.units import PPM

BOOK_TIMEOUT_S = 2.0
"""A liquidation waits no longer for a book."""


class Bot(Protocol):
    """What runs: one round at a time, whenever its owner says so."""

    @property
    def name(self) -> str:
        """As in the configuration."""

    def round(self) -> list[Outcome]:
        """Look once and act. Raises `ChainError`."""


@dataclass
class Assembly:
    """One key's bots on one exchange, with how often each runs (s), and what they share. `close` when done."""

    deployment: Deployment
    account: LocalAccount
    tools: Tools
    metrics: Metrics
    board: AlarmBoard
    rpc_url: str
    bots: list[tuple[Bot, float]] = field(default_factory=list)
    _open: list[Callable[[], None]] = field(default_factory=list)

    def close(self) -> None:
        """Close every connection."""
        while self._open:
            self._open.pop()()


def account_of(section: settings.KeySection) -> LocalAccount:
    """The keeper's key. Raises `NoKeyError`."""
    if section.keystore is not None:
        return keys.from_keystore(section.keystore, section.password_env)
    return keys.from_environment(section.env)


def assemble(config: settings.KeeperConfig, *, clock: Clock | None = None) -> Assembly:
    """Everything that the configuration names, connected. Raises `NoKeyError`, `DeploymentError`, `ChainError`."""
    account = account_of(config.key)
    clock = clock or SystemClock()
    services = ServiceSettings()
    rpc_url = config.chain.rpc_url or services.rpc_url
    closing: list[Callable[[], None]] = []
    try:
        return _assemble(config, account, clock, rpc_url, Path(services.deployment_path), closing)
    except BaseException:
        for close in reversed(closing):
            close()
        raise


def _assemble(
    config: settings.KeeperConfig,
    account: LocalAccount,
    clock: Clock,
    rpc_url: str,
    default_record: Path,
    closing: list[Callable[[], None]],
) -> Assembly:
    chain = _chain(config.chain, rpc_url, clock, closing)
    deployment = _deployment(config.chain, chain, default_record)
    if chain.chain_id() != deployment.chain_id:
        raise ChainError(f"the node serves chain {chain.chain_id()}, the exchange is on {deployment.chain_id}")
    metrics = Metrics()
    listeners: list[Callable[[Outcome], None]] = [metrics.record]
    board = AlarmBoard()
    if config.record is not None:
        records = RecordFile(config.record, clock)
        listeners.append(records.outcome)
        board.listeners.append(records.notice)
    if config.webhook_env is not None:
        webhook = Webhook(_variable(config.webhook_env))
        closing.append(webhook.close)
        board.listeners.append(webhook)

    def record(outcome: Outcome) -> None:
        for listener in listeners:
            listener(outcome)

    tools = Tools.of(
        chain,
        clock,
        deployment,
        account,
        fees=_fees(config.fees),
        dry_run=config.dry_run,
        on_outcome=record,
        blocks_per_request=config.chain.blocks_per_request,
    )
    assembly = Assembly(deployment, account, tools, metrics, board, rpc_url, _open=closing)
    for name, section in config.bots.enabled():
        assembly.bots.append((_bot(name, section, assembly, config), float(section.every_s)))
    return assembly


def _chain(
    section: settings.ChainSection, rpc_url: str, clock: Clock, closing: list[Callable[[], None]]
) -> GuardedChain:
    first = RpcChain(rpc_url)
    closing.append(first.close)
    second = None
    if section.second_rpc_url is not None:
        second = RpcChain(section.second_rpc_url)
        closing.append(second.close)
    limits = HeadLimits(section.max_head_age_s, section.max_ahead_s, section.max_lag_blocks)
    return GuardedChain(first, clock, limits, second)


def _deployment(section: settings.ChainSection, chain: GuardedChain, default_record: Path) -> Deployment:
    if section.exchange is not None:
        return discover(chain, section.exchange, section.first_block, blocks_per_request=section.blocks_per_request)
    return Deployment.load(section.deployment or default_record)


def _variable(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise keys.NoKeyError(f"webhook_env names {name}, which is not set")
    return value


def _fees(section: settings.FeeSection) -> FeePolicy:
    return FeePolicy(
        priority_fee=section.priority_gwei,
        max_fee=section.max_gwei,
        bump_after_s=section.bump_after_s,
        bumps=section.bumps,
        wei_per_hour=section.eth_per_hour,
        in_flight=section.in_flight,
    )


def _bot(name: str, section: settings.BotSection, assembly: Assembly, config: settings.KeeperConfig) -> Bot:
    tools = assembly.tools
    surveyor, executor, clock = tools.surveyor, tools.executor, tools.clock
    match section:
        case settings.LiquidationSection():
            liquidation = Settings(
                subaccount=section.subaccount,
                min_profit=section.min_profit_usdc,
                unwind_cost_ppm=section.unwind_cost_percent,
                taker_fee_ppm=section.taker_fee_percent,
                rescue=section.rescue,
                max_position=section.max_position_usdc,
                gas_market=section.gas_market,
                retry_after_s=section.retry_after_s,
                at_once=section.at_once,
            )
            return Liquidator(surveyor, executor, clock, liquidation, _book(section, assembly))
        case settings.UnwindSection():
            return _unwinder(section, assembly, config.bots.liquidation)
        case settings.FundingSection():
            return FundingPoker(surveyor, executor)
        case settings.OracleSection():
            push = PushSettings(section.after_age_percent, section.deviation_percent)
            return OraclePusher(surveyor, executor, UrlSource(section.source), push)
        case settings.PythSection():
            push = PushSettings(section.after_age_percent, section.deviation_percent)
            return PythPusher(surveyor, executor, Hermes(section.hermes), push, max_fee_wei=section.max_fee_eth)
        case settings.TriggersSection():
            return TriggerWatcher(
                surveyor, assembly.deployment, assembly.board, section.orders, patience_s=section.patience_s
            )
        case settings.DeleveragingSection():
            return Deleverager(surveyor, executor, clock, at_once=section.at_once, retry_after_s=section.retry_after_s)
        case settings.ClosesSection():
            return RequestedCloses(surveyor, executor, clock, subaccount=section.subaccount)
        case settings.EndingsSection():
            return EndedMarkets(surveyor, executor)
        case settings.SilenceSection():
            after_s = section.after_h * 3_600
            return SilentExchange(surveyor, executor, clock, after_s=after_s, markets=section.markets)
        case settings.WatchdogSection():
            return _watchdog(section, assembly)
    raise AssertionError(f"no bot is made for {name}")


def _book(section: settings.LiquidationSection, assembly: Assembly) -> BookReader | None:
    if section.book_url is None:
        return None
    client = OuroClient(section.book_url, config=ClientConfig(assembly.deployment), timeout_s=BOOK_TIMEOUT_S)
    assembly._open.append(client.close)
    return BookReader(client)


def _unwinder(
    section: settings.UnwindSection, assembly: Assembly, liquidation: settings.LiquidationSection | None
) -> Unwinder:
    # Of a record that was checked, not of what the exchange's server announces.
    client = OuroClient(section.exchange_url, assembly.account, config=ClientConfig(assembly.deployment))
    assembly._open.append(client.close)
    unwind = UnwindSettings(
        subaccount=0 if liquidation is None else liquidation.subaccount,
        max_slippage=Decimal(section.max_slippage_percent) / PPM,
        max_notional=section.max_order_usdc,
        pause_s=section.pause_s,
    )
    tools = assembly.tools
    return Unwinder(tools.surveyor, tools.executor, client, tools.clock, unwind)


def _watchdog(section: settings.WatchdogSection, assembly: Assembly) -> Watchdog:
    limits = Limits(
        price_age_ppm=section.price_age_percent,
        min_insurance=section.min_insurance_usdc,
        min_operator_wei=section.min_operator_eth,
        min_own_wei=section.min_own_eth,
        liquidatable_s=section.liquidatable_s,
        unsettled_s=section.unsettled_s,
        silence_s=None if section.silence_h is None else section.silence_h * 3_600,
        sources=section.sources,
    )
    relayer = None if section.relayer_url is None else RelayerState(section.relayer_url)
    tools = assembly.tools
    return Watchdog(tools.surveyor, tools.clock, assembly.board, str(assembly.account.address), limits, relayer)
