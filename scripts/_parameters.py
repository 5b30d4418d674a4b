# SPDX-License-Identifier: AGPL-3.0-only
"""The parameters of a deployment, from one TOML file: typed, and checked before anything is sent.

Times are seconds, fractions ppm, prices micro-USDC per lot, sizes lots, amounts whole USDC where the name says so.
"""

from pathlib import Path
from typing import Literal

import click
import msgspec
from eth_utils.address import is_address, to_checksum_address

LOCAL_CHAIN_ID = 31_337
DAY = 86_400
MICRO = 10**6
NOBODY = "0x" + "00" * 20
ANYONE = NOBODY
# below this, the delay of the timelock is no delay that people could notice
PRODUCTION_DELAY = 2 * DAY

parameters_option = click.option(
    "--parameters",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="What to deploy from: a file like those in deployments/parameters.",
)


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Keys that we do not know are mistakes."""


class Roles(_Table, frozen=True):
    operator: str
    guardian: str


class Collateral(_Table, frozen=True):
    """Either a token with 6 decimals, or a test token that anyone may mint."""

    token: str | None = None
    test_token: bool = False
    insurance_usdc: int = 0


class FeeTier(_Table, frozen=True):
    volume_usdc: int
    taker_ppm: int
    maker_ppm: int

    def word(self) -> int:
        """As `set_fee_tiers` takes it."""
        return (self.volume_usdc << 32) | (self.taker_ppm << 16) | (self.maker_ppm % 2**16)


class Exchange(_Table, frozen=True):
    settle_window: int
    referrer_share_ppm: int = 0
    fee_tiers: tuple[FeeTier, ...] = ()


class Outflow(_Table, frozen=True):
    hour_floor_usdc: int
    hour_share_ppm: int
    day_floor_usdc: int
    day_share_ppm: int

    def arguments(self) -> tuple[int, int, int, int]:
        """Of `set_outflow_limits`."""
        return self.hour_floor_usdc * MICRO, self.hour_share_ppm, self.day_floor_usdc * MICRO, self.day_share_ppm


class Vault(_Table, frozen=True):
    withdrawal_delay: int
    outflow: Outflow | None = None


class Adapter(_Table, frozen=True):
    """One for all markets of a chain. `chainlink` needs nothing else; `pyth` its contract; `pushed` its signer."""

    kind: Literal["chainlink", "pyth", "pushed"]
    pyth: str | None = None
    max_confidence_ppm: int | None = None
    signer: str | None = None


class Oracle(_Table, frozen=True):
    """`pushed`: prices of one signer. `router`: the median of the sources that each market names."""

    kind: Literal["pushed", "router"]
    signer: str | None = None
    sequencer_feed: str = NOBODY
    grace: int = 0
    adapters: dict[str, Adapter] = {}


class Timelock(_Table, frozen=True):
    least_delay: int
    delay: int
    proposers: tuple[str, ...]
    executors: tuple[str, ...]
    cancellers: tuple[str, ...]


class Source(_Table, frozen=True):
    """`feed`: the proxy's address (Chainlink), the price id (Pyth), the market's id (pushed)."""

    adapter: str
    feed: str | int
    max_age: int

    def feed_word(self) -> bytes:
        number = self.feed if isinstance(self.feed, int) else int(self.feed, 16)
        return number.to_bytes(32, "big")


class Prices(_Table, frozen=True):
    quorum: int
    max_deviation_ppm: int
    sources: tuple[Source, ...]


class Market(_Table, frozen=True):
    id: int
    ticker: str
    size_decimals: int
    tick: int
    imf_ppm: int
    mmf_ppm: int
    band_ppm: int
    max_open_interest: int
    max_price_age: int
    liquidation_floor_ppm: int
    # open interest between which the initial margin grows to 100%, whole units of 10,000 USDC; 0: it does not
    scale_from: int = 0
    scale_to: int = 0
    prices: Prices | None = None

    def arguments(self) -> tuple[int | str, ...]:
        """Of `list_market`."""
        return (
            self.id,
            self.ticker,
            self.size_decimals,
            self.tick,
            self.imf_ppm,
            self.mmf_ppm,
            self.band_ppm,
            self.max_open_interest,
            self.max_price_age,
            self.liquidation_floor_ppm,
        )


class Parameters(_Table, frozen=True, kw_only=True):
    name: str
    chain_id: int
    # a network without real money: shorter delays and a test token are allowed
    test_network: bool = False
    roles: Roles
    collateral: Collateral
    exchange: Exchange
    vault: Vault
    backstop: bool = True
    oracle: Oracle
    timelock: Timelock
    markets: tuple[Market, ...]

    def market(self, ticker: str) -> Market:
        """Raises `click.ClickException` when there is none of this ticker."""
        for market in self.markets:
            if market.ticker == ticker:
                return market
        tickers = ", ".join(market.ticker for market in self.markets)
        raise click.ClickException(f"the parameters name no market {ticker}; they name {tickers}")


def load(path: Path) -> Parameters:
    """Raises `click.ClickException` that names the key and what is wrong with it."""
    try:
        found = msgspec.toml.decode(path.read_bytes(), type=Parameters)
    except OSError as error:
        raise click.ClickException(f"cannot read {path}: {error.strerror}") from error
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise click.ClickException(f"{path}: {error}") from error
    problems = list(_problems(found))
    if problems:
        raise click.ClickException("\n".join([f"{path} cannot be deployed:", *(f"  - {each}" for each in problems)]))
    return found


def address(text: str) -> str:
    return str(to_checksum_address(text))


def _problems(p: Parameters) -> "list[str]":
    """All that the contracts would refuse, or that no production deployment should have."""
    local = p.chain_id == LOCAL_CHAIN_ID
    found: list[str] = []

    def need(holds: bool, problem: str) -> None:
        if not holds:
            found.append(problem)

    named = {
        "roles.operator": p.roles.operator,
        "roles.guardian": p.roles.guardian,
        **{f"timelock.proposers[{i}]": each for i, each in enumerate(p.timelock.proposers)},
        **{f"timelock.cancellers[{i}]": each for i, each in enumerate(p.timelock.cancellers)},
    }
    for key, value in named.items():
        need(_is_somebody(value), f"{key} is not an address: {value!r}")
    for i, each in enumerate(p.timelock.executors):
        need(is_address(each), f"timelock.executors[{i}] is not an address: {each!r}")

    c = p.collateral
    need((c.token is None) == c.test_token, "collateral needs either token or test_token = true")
    need(c.token is None or _is_somebody(c.token), f"collateral.token is not an address: {c.token!r}")
    need(local or p.test_network or not c.test_token, "a test token anyone may mint is for test networks only")
    need(c.insurance_usdc == 0 or c.test_token, "collateral.insurance_usdc is minted, which needs test_token")

    e = p.exchange
    need(15 <= e.settle_window <= 600, f"exchange.settle_window is {e.settle_window}, not in 15..600")
    need(0 <= e.referrer_share_ppm <= 500_000, "exchange.referrer_share_ppm is not in 0..500000")
    need(len(e.fee_tiers) <= 8, "exchange.fee_tiers: at most 8")
    for i, tier in enumerate(e.fee_tiers):
        need(0 <= tier.taker_ppm <= 10_000, f"exchange.fee_tiers[{i}].taker_ppm is not in 0..10000")
        need(-tier.taker_ppm <= tier.maker_ppm <= 10_000, f"exchange.fee_tiers[{i}].maker_ppm pays more than is taken")
        before = e.fee_tiers[i - 1].volume_usdc if i else -1
        need(tier.volume_usdc > before and (i > 0 or tier.volume_usdc == 0), "exchange.fee_tiers do not rise from 0")
    need(
        e.settle_window <= p.vault.withdrawal_delay <= 7 * DAY,
        "vault.withdrawal_delay is not between exchange.settle_window and a week",
    )

    t = p.timelock
    least = 0 if local or p.test_network else PRODUCTION_DELAY
    need(t.least_delay >= least, f"timelock.least_delay is {t.least_delay}: with real money at least {least}")
    need(t.least_delay <= t.delay <= 30 * DAY, "timelock.delay is not between timelock.least_delay and 30 days")
    for key in ("proposers", "executors", "cancellers"):
        holders = getattr(t, key)
        need(1 <= len(holders) <= 8, f"timelock.{key}: 1 to 8 of them")
        need(len({each.lower() for each in holders}) == len(holders), f"timelock.{key} names one twice")

    found += _oracle_problems(p)
    need(len({m.id for m in p.markets}) == len(p.markets), "two markets have one id")
    need(len({m.ticker for m in p.markets}) == len(p.markets), "two markets have one ticker")
    for m in p.markets:
        found += [f"market {m.ticker}: {problem}" for problem in _market_problems(m)]
    return found


def _oracle_problems(p: Parameters) -> "list[str]":
    o = p.oracle
    if o.kind == "pushed":
        found = [] if _is_somebody(o.signer) else ["oracle.signer is not an address"]
        return found + [f"market {m.ticker}: prices are for a router" for m in p.markets if m.prices is not None]
    found = []
    for name, adapter in o.adapters.items():
        key = f"oracle.adapters.{name}"
        if adapter.kind == "pyth" and not (_is_somebody(adapter.pyth) and adapter.max_confidence_ppm):
            found.append(f"{key} needs pyth and max_confidence_ppm")
        if adapter.kind == "pushed" and not _is_somebody(adapter.signer):
            found.append(f"{key} needs signer")
    if not is_address(o.sequencer_feed):
        found.append("oracle.sequencer_feed is not an address")
    if o.sequencer_feed == NOBODY and o.grace:
        found.append("oracle.grace is for chains with a sequencer_feed")
    for m in p.markets:
        if m.prices is None:
            found.append(f"market {m.ticker}: needs prices")
            continue
        for source in m.prices.sources:
            if source.adapter not in o.adapters and not is_address(source.adapter):
                found.append(f"market {m.ticker}: no adapter {source.adapter!r} in oracle.adapters")
            try:
                source.feed_word()
            except (ValueError, OverflowError):
                found.append(f"market {m.ticker}: feed {source.feed!r} is neither an address, an id nor a number")
        if not 1 <= m.prices.quorum <= len(m.prices.sources) <= 3:
            found.append(f"market {m.ticker}: 1 to 3 sources, and a quorum of 1 to as many")
        if not 1_000 <= m.prices.max_deviation_ppm <= 100_000:
            found.append(f"market {m.ticker}: max_deviation_ppm is not in 1000..100000")
    return found


def _market_problems(m: Market) -> "list[str]":
    rules = {
        "id is not in 1..65535": 1 <= m.id <= 65_535,
        "the ticker has 1 to 16 characters": 1 <= len(m.ticker) <= 16,
        "size_decimals is not in 0..6": 0 <= m.size_decimals <= 6,
        "tick is not in 1..2^32-1": 1 <= m.tick < 2**32,
        "imf_ppm is not in 10000..1000000": 10_000 <= m.imf_ppm <= 1_000_000,
        "mmf_ppm is not in 5000..imf_ppm": 5_000 <= m.mmf_ppm < m.imf_ppm,
        "band_ppm is not in 1000..500000": 1_000 <= m.band_ppm <= 500_000,
        "max_open_interest is not in 0..2^46": 0 <= m.max_open_interest <= 2**46,
        "max_price_age is not in 1..86400": 1 <= m.max_price_age <= DAY,
        "liquidation_floor_ppm is above mmf_ppm": 0 <= m.liquidation_floor_ppm <= m.mmf_ppm,
        "scale_from is not below scale_to": m.scale_from == m.scale_to == 0 or 0 <= m.scale_from < m.scale_to < 2**20,
    }
    return [problem for problem, holds in rules.items() if not holds]


def _is_somebody(text: str | None) -> bool:
    return text is not None and is_address(text) and text != NOBODY
