# SPDX-License-Identifier: AGPL-3.0-only
"""The keeper's file: exact amounts, clear errors, and an example that is one."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from keeper.cli import app
from keeper.config import DEFAULT, BotsSection, ConfigError, KeeperConfig, load
from keeper.keys import NoKeyError, from_environment, from_keystore
from keeper.liquidator import Rescue

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "keeper.yaml"
KEY = "0x" + "59" * 32


def parse(tmp_path: Path, text: str) -> KeeperConfig:
    path = tmp_path / "keeper.yaml"
    path.write_text(text)
    return load(path)


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(tmp_path, text)
    return [problem.removeprefix(f"{tmp_path}/") for problem in caught.value.problems]


def test_the_example_is_read() -> None:
    config = load(EXAMPLE)
    assert [name for name, _ in config.bots.enabled()] == [
        *("liquidation", "funding", "deleveraging", "closes", "endings", "watchdog")
    ]
    liquidation, watchdog = config.bots.liquidation, config.bots.watchdog
    assert liquidation is not None
    assert watchdog is not None
    assert (liquidation.min_profit_usdc, liquidation.unwind_cost_percent) == (50_000, 1_000)
    assert (liquidation.max_position_usdc, liquidation.rescue) == (50_000_000_000, Rescue.BANKRUPT)
    assert (config.fees.priority_gwei, config.fees.eth_per_hour) == (10**9, 5 * 10**17)
    assert (watchdog.price_age_percent, watchdog.min_own_eth) == (800_000, 10**16)


def test_the_example_names_every_bot_and_every_setting() -> None:
    """What is commented out in it counts, so that nothing can be missing."""
    text = EXAMPLE.read_text()
    named = set(re.findall(r"^ *(?:# )?(\w+):", text, re.MULTILINE))
    wanted = set(BotsSection.model_fields) | set(KeeperConfig.model_fields)
    sections = [*KeeperConfig.model_fields.values(), *BotsSection.model_fields.values()]
    for section in sections:
        for kind in (section.annotation, *getattr(section.annotation, "__args__", ())):
            wanted |= set(getattr(kind, "model_fields", {}))
    assert wanted - named == set()


def test_a_bot_without_settings_has_its_defaults(tmp_path: Path) -> None:
    config = parse(tmp_path, "bots:\n  funding:\n  liquidation: {enabled: false}\n")
    assert [name for name, _ in config.bots.enabled()] == ["funding"]


def test_ending_markets_takes_more_than_a_name(tmp_path: Path) -> None:
    named = parse(tmp_path, "bots:\n  silence:\n  funding:\n")
    assert [name for name, _ in named.bots.enabled()] == ["funding"]
    meant = parse(tmp_path, "bots:\n  silence: {enabled: true, markets: [BTC-USD]}\n")
    assert [name for name, _ in meant.bots.enabled()] == ["silence"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "holds no settings"),
        ("- 1", "holds no settings"),
        ("bots: [", "is no YAML"),
        ("dry_run: true", "bots is missing"),
        ("bots: {}", "no bot is enabled; there are: liquidation"),
        ("bots:\n  liqidation:", "bots.liqidation is unknown; did you mean liquidation?"),
        ("bots:\n  funding: {evry_s: 1}", "bots.funding.evry_s is unknown; did you mean every_s?"),
        ("bots:\n  funding: {xyz: 1}", "bots.funding.xyz is unknown; there are: enabled, every_s"),
        ("bots:\n  funding: {every_s: 0}", "bots.funding.every_s: Input should be greater than 0"),
        ("bots:\n  funding:\n  funding:", "funding stands there twice"),
        ("bots:\n  liquidation: {min_profit_usdc: lots}", "min_profit_usdc: 'lots' is no amount of USDC"),
        ("bots:\n  liquidation: {min_profit_usdc: -1}", "not negative"),
        ("bots:\n  liquidation: {min_profit_usdc: 0.0000001}", "at most 6 decimals"),
        ("bots:\n  liquidation: {rescue: maybe}", "rescue: Input should be 'none', 'bankrupt' or 'all'"),
        ("bots:\n  liquidation: {subaccount: 70000}", "subaccount: Input should be less than or equal to 65535"),
        ("bots:\n  silence: {after_h: 71}", "after_h: Input should be greater than or equal to 72"),
        ("bots:\n  pyth: {max_fee_eth: lots}", "max_fee_eth: 'lots' is no amount of ETH"),
        ("bots:\n  unwind:", "unwind sells what liquidation takes over, which is not named"),
        ("bots:\n  oracle:", "bots.oracle.source is missing"),
        ("chain: {exchange: 0x5FbDB2315678afecb367f032d93F642f64180aa3}\nbots:\n  funding:", "needs quotes"),
        ("chain: {exchange: '0x5Fb'}\nbots:\n  funding:", "must be an address"),
        (
            "chain: {deployment: a, exchange: '0x5FbDB2315678afecb367f032d93F642f64180aa3'}\nbots:\n  funding:",
            "not both",
        ),
        ("fees: {priority_gwei: 3, max_gwei: 2}\nbots:\n  funding:", "priority_gwei is above max_gwei"),
        (f"key: {{private_key: '{KEY}'}}\nbots:\n  funding:", "a key never stands in the file"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, sentence: str) -> None:
    [problem] = problems(tmp_path, text)
    assert sentence in problem
    assert KEY not in problem


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    found = problems(tmp_path, "dry_run: perhaps\nbots:\n  funding: {every_s: -1}\n  closes: {subaccount: -1}\n")
    assert len(found) == 3


def test_amounts_are_exact(tmp_path: Path) -> None:
    config = parse(tmp_path, "fees: {priority_gwei: 0.1, eth_per_hour: 0.3}\nbots:\n  funding:\n")
    assert (config.fees.priority_gwei, config.fees.eth_per_hour) == (10**8, 3 * 10**17)


def test_the_check_command_says_all_problems_and_ends_with_two(tmp_path: Path) -> None:
    path = tmp_path / "keeper.yaml"
    path.write_text("bots:\n  liqidation:\n  fundin:\n")
    done = CliRunner().invoke(app, ["check", "--offline", "-c", str(path)])
    assert done.exit_code == 2
    assert "did you mean liquidation?" in done.output
    assert "did you mean funding?" in done.output
    done = CliRunner().invoke(app, ["check", "--offline", "-c", str(EXAMPLE)])
    assert (done.exit_code, done.output.splitlines()[0][:17]) == (0, "bots: liquidation")


def test_what_runs_without_a_file_needs_no_settings() -> None:
    assert [name for name, _ in DEFAULT.bots.enabled()] == [
        *("liquidation", "funding", "deleveraging", "closes", "endings", "watchdog")
    ]


def test_a_missing_or_broken_key_is_named_and_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OURO_KEEPER_KEY", raising=False)
    with pytest.raises(NoKeyError, match="set OURO_KEEPER_KEY"):
        from_environment("OURO_KEEPER_KEY")
    monkeypatch.setenv("OURO_KEEPER_KEY", KEY + "zz")
    with pytest.raises(NoKeyError, match="holds no private key") as caught:
        from_environment("OURO_KEEPER_KEY")
    assert KEY not in str(caught.value)
    with pytest.raises(NoKeyError, match="needs its password in OURO_PASSWORD"):
        from_keystore(tmp_path / "key.json", "OURO_PASSWORD")
    monkeypatch.setenv("OURO_PASSWORD", "x")
    with pytest.raises(NoKeyError, match="cannot read"):
        from_keystore(tmp_path / "key.json", "OURO_PASSWORD")
    (tmp_path / "key.json").write_text("{}")
    with pytest.raises(NoKeyError, match="wrong password"):
        from_keystore(tmp_path / "key.json", "OURO_PASSWORD")


@pytest.mark.parametrize("setting", ["key: {env: %s}", "key: {password_env: %s}", "webhook_env: %s"])
@pytest.mark.parametrize("secret", [KEY, "a1" * 32, "https://hooks.example/services/T0/B0/x", "correct horse"])
def test_found_a_secret_in_place_of_its_variables_name_is_not_repeated(
    tmp_path: Path, setting: str, secret: str
) -> None:
    """Errors name the variable that is not set: they went into logs, and the key with them."""
    [problem] = problems(tmp_path, setting % f'"{secret}"' + "\nbots:\n  funding:\n")
    assert "is the name of an environment variable" in problem
    assert secret not in problem
