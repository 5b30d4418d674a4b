# SPDX-License-Identifier: AGPL-3.0-only
"""The keeper's configuration: one YAML file, checked as a whole before anything runs.

Amounts are written as people write them (USDC, gwei, ETH, percent) and are integers from here on: micro-USDC, wei, ppm.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from keeper.liquidator import Rescue
from ouro import addresses

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_KEY = re.compile(r"[0-9A-Fa-f]{64}")


class ConfigError(Exception):
    """A file that cannot be used; `problems` holds a sentence each, with the place in the file."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _scaled(decimals: int, unit: str) -> BeforeValidator:
    """From a number of `unit` to an integer of its 10^-decimals."""

    def convert(value: Any) -> int:
        try:
            moved = Decimal(str(value)).scaleb(decimals)
        except InvalidOperation:
            raise ValueError(f"{value!r} is no amount of {unit}") from None
        if isinstance(value, bool) or not moved.is_finite() or moved != int(moved) or moved < 0:
            raise ValueError(
                f"{value!r} is no amount of {unit}: a number, not negative, of at most {decimals} decimals"
            )
        return int(moved)

    return BeforeValidator(convert)


def _address(value: Any) -> str:
    if isinstance(value, int):
        raise ValueError("an address needs quotes around it, else YAML takes it for a number")
    try:
        return addresses.parse(str(value))
    except ValueError as error:
        raise ValueError(f"{value!r} {error}") from None


def _variable(value: Any) -> str:
    """A name, never a secret that somebody wrote in its place: names are repeated in errors and logs."""
    if not isinstance(value, str) or not _VARIABLE.fullmatch(value) or _KEY.fullmatch(value):
        raise ValueError(
            "this is the name of an environment variable, of letters, digits and _; what stands there is none. If it "
            "is the secret itself, put that into a variable and take it out of the file"
        )
    return value


Usdc = Annotated[int, _scaled(6, "USDC")]
"""Micro-USDC."""
Gwei = Annotated[int, _scaled(9, "gwei")]
"""Wei."""
Eth = Annotated[int, _scaled(18, "ETH")]
"""Wei."""
Percent = Annotated[int, _scaled(4, "percent")]
"""Ppm."""
Variable = Annotated[str, BeforeValidator(_variable)]
Address = Annotated[str, BeforeValidator(_address)]
Seconds = Annotated[float, Field(gt=0)]
Subaccount = Annotated[int, Field(ge=0, le=65_535)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ChainSection(_Section):
    """Where the chain is, and how far it is believed. OURO_RPC_URL and OURO_DEPLOYMENT_PATH fill what is left out."""

    rpc_url: str | None = None
    second_rpc_url: str | None = None
    deployment: Path | None = None
    exchange: Address | None = None
    first_block: Annotated[int, Field(ge=0)] = 0
    blocks_per_request: Annotated[int, Field(ge=1)] = 5_000
    max_head_age_s: Annotated[int, Field(ge=1)] = 60
    max_ahead_s: Annotated[int, Field(ge=0)] = 30
    max_lag_blocks: Annotated[int, Field(ge=0)] = 5

    @model_validator(mode="after")
    def _one_way_in(self) -> "ChainSection":
        if self.deployment is not None and self.exchange is not None:
            raise ValueError("name a deployment record or the exchange's address, not both")
        return self


class KeySection(_Section):
    """Where the key is, never the key itself."""

    env: Variable = "OURO_KEEPER_KEY"
    keystore: Path | None = None
    password_env: Variable = "OURO_KEYSTORE_PASSWORD"


class FeeSection(_Section):
    """What transactions may cost."""

    priority_gwei: Gwei = 10**9
    max_gwei: Gwei = 500 * 10**9
    bump_after_s: Seconds = 8.0
    bumps: Annotated[int, Field(ge=0, le=20)] = 4
    in_flight: Annotated[int, Field(ge=1, le=256)] = 16
    eth_per_hour: Eth | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "FeeSection":
        if self.priority_gwei > self.max_gwei:
            raise ValueError("priority_gwei is above max_gwei, of which it is a part")
        return self


class HealthSection(_Section):
    """Where /health, /ready and /metrics are served."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)]


class BotSection(_Section):
    """What every bot has."""

    enabled: bool = True
    every_s: Seconds = 2.0


class LiquidationSection(BotSection):
    subaccount: Subaccount = 0
    min_profit_usdc: Usdc = 0
    unwind_cost_percent: Percent = 0
    book_url: str | None = None
    taker_fee_percent: Percent = 500
    rescue: Rescue = Rescue.BANKRUPT
    max_position_usdc: Usdc | None = None
    gas_market: str = "ETH-USD"
    at_once: Annotated[int, Field(ge=1, le=1_000)] = 16
    retry_after_s: Seconds = 10.0


class UnwindSection(BotSection):
    exchange_url: str | None = None
    every_s: Seconds = 5.0
    max_slippage_percent: Percent = 10_000
    max_order_usdc: Usdc | None = None
    pause_s: Seconds = 10.0


class FundingSection(BotSection):
    every_s: Seconds = 10.0


class OracleSection(BotSection):
    source: str
    after_age_percent: Percent = 500_000
    deviation_percent: Percent = 2_000


class PythSection(BotSection):
    hermes: str = "https://hermes.pyth.network"
    every_s: Seconds = 5.0
    after_age_percent: Percent = 500_000
    deviation_percent: Percent = 5_000
    max_fee_eth: Eth = 10**16


class TriggersSection(BotSection):
    orders: Path
    every_s: Seconds = 5.0
    patience_s: Annotated[int, Field(ge=1)] = 60


class DeleveragingSection(BotSection):
    at_once: Annotated[int, Field(ge=1, le=1_000)] = 16
    retry_after_s: Seconds = 10.0


class ClosesSection(BotSection):
    every_s: Seconds = 10.0
    subaccount: Subaccount = 0


class EndingsSection(BotSection):
    every_s: Seconds = 10.0


class SilenceSection(BotSection):
    # What it does is for ever, so that its name alone does not switch it on.
    enabled: bool = False
    every_s: Seconds = 60.0
    after_h: Annotated[int, Field(ge=72)] = 72
    markets: tuple[str, ...] | None = None


class WatchdogSection(BotSection):
    every_s: Seconds = 5.0
    relayer_url: str | None = None
    price_age_percent: Percent | None = 800_000
    min_insurance_usdc: Usdc | None = None
    min_operator_eth: Eth | None = 10**17
    min_own_eth: Eth | None = 10**16
    liquidatable_s: Annotated[int, Field(ge=1)] | None = 60
    unsettled_s: Annotated[int, Field(ge=1)] | None = 30
    silence_h: Annotated[int, Field(ge=1)] | None = 48
    sources: bool = True


class BotsSection(_Section):
    """The bots that run: those that are named and not `enabled: false`."""

    liquidation: LiquidationSection | None = None
    unwind: UnwindSection | None = None
    funding: FundingSection | None = None
    oracle: OracleSection | None = None
    pyth: PythSection | None = None
    triggers: TriggersSection | None = None
    deleveraging: DeleveragingSection | None = None
    closes: ClosesSection | None = None
    endings: EndingsSection | None = None
    silence: SilenceSection | None = None
    watchdog: WatchdogSection | None = None

    @model_validator(mode="before")
    @classmethod
    def _bare_names(cls, value: Any) -> Any:
        """`funding:` with nothing behind it is the bot with its defaults."""
        if isinstance(value, dict):
            return {name: {} if section is None else section for name, section in value.items()}
        return value

    def enabled(self) -> Iterator[tuple[str, BotSection]]:
        """Names and sections of the bots that run."""
        for name in type(self).model_fields:
            section = getattr(self, name)
            if section is not None and section.enabled:
                yield name, section


class KeeperConfig(_Section):
    """The whole file."""

    chain: ChainSection = ChainSection()
    key: KeySection = KeySection()
    fees: FeeSection = FeeSection()
    dry_run: bool = False
    record: Path | None = None
    health: HealthSection | None = None
    webhook_env: Variable | None = None
    bots: BotsSection

    @model_validator(mode="after")
    def _some_bot(self) -> "KeeperConfig":
        names = dict(self.bots.enabled())
        if not names:
            raise ValueError(f"no bot is enabled; there are: {', '.join(BotsSection.model_fields)}")
        if "unwind" in names and self.bots.liquidation is None:
            raise ValueError("unwind sells what liquidation takes over, which is not named")
        return self


DEFAULT = KeeperConfig(
    bots=BotsSection(
        liquidation=LiquidationSection(),
        funding=FundingSection(),
        deleveraging=DeleveragingSection(),
        closes=ClosesSection(),
        endings=EndingsSection(),
        watchdog=WatchdogSection(),
    )
)
"""What runs without a file."""


@dataclass(frozen=True)
class _Place:
    """Where something is in the file."""

    path: tuple[Any, ...]

    def __str__(self) -> str:
        return ".".join(map(str, self.path)) or "the file"


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML without floats, which are not exact, and without keys that hide earlier ones."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [self.construct_object(name, deep=deep) for name, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"{name} stands there twice", node.start_mark)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


_Loader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: str(loader.construct_scalar(node)))


def load(path: Path) -> KeeperConfig:
    """The configuration in a file. Raises `ConfigError` with everything that is wrong with it."""
    try:
        content = yaml.load(path.read_text(), Loader=_Loader)
    except OSError as error:
        raise ConfigError([f"cannot read {path}: {error.strerror}"]) from None
    except yaml.YAMLError as error:
        raise ConfigError([f"{path} is no YAML: {' '.join(str(error).split())}"]) from None
    if not isinstance(content, dict):
        raise ConfigError([f"{path} holds no settings: it begins with names such as chain and bots"])
    try:
        return KeeperConfig.model_validate(content)
    except ValidationError as error:
        raise ConfigError([f"{path}: {_sentence(problem)}" for problem in error.errors()]) from None


def _sentence(problem: Any) -> str:
    place = _Place(problem["loc"])
    if problem["type"] == "extra_forbidden":
        *section, name = problem["loc"]
        if name in ("private_key", "key") and section:
            return f"{place}: a key never stands in the file; name its variable as key.env, or a key.keystore"
        known = _names_at(section)
        close = get_close_matches(str(name), known, 1)
        return f"{place} is unknown; " + (f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}")
    if problem["type"] == "missing":
        return f"{place} is missing"
    return f"{place}: {str(problem['msg']).removeprefix('Value error, ')}"


def _names_at(path: list[Any]) -> list[str]:
    """The settings that there are in a section."""
    model: type[BaseModel] = KeeperConfig
    for name in path:
        annotation = model.model_fields[name].annotation
        kinds = [annotation, *getattr(annotation, "__args__", ())]
        model = next(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel))
    return list(model.model_fields)
