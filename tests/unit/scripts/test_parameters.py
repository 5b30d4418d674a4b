# SPDX-License-Identifier: AGPL-3.0-only
"""The parameter file: what is refused, and in which words; and the examples."""

from pathlib import Path

import click
import pytest
from eth_utils.address import to_checksum_address

from scripts._parameters import Parameters, load
from stack.wallets import Role, wallet

EXAMPLES = Path(__file__).resolve().parents[3] / "deployments" / "parameters"
LOCAL = (EXAMPLES / "local.toml").read_text()


def loaded(folder: Path, text: str) -> Parameters:
    path = folder / "parameters.toml"
    path.write_text(text)
    return load(path)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(click.ClickException) as refused:
        loaded(folder, text)
    return refused.value.message


def test_the_local_example_is_what_the_local_stack_expects() -> None:
    p = load(EXAMPLES / "local.toml")
    assert p.roles.operator == wallet(Role.OPERATOR).address
    assert p.oracle.signer == wallet(Role.PRICE_SIGNER).address
    assert p.roles.guardian == wallet(Role.DEPLOYER).address
    assert {market.ticker for market in p.markets} == {"BTC-USD", "ETH-USD"}


def test_the_example_of_a_test_network_lacks_only_people(tmp_path: Path) -> None:
    text = (EXAMPLES / "test-network.toml").read_text()
    nobody = '"0x' + "00" * 20 + '"'
    told = refusal(tmp_path, text).splitlines()[1:]
    assert all("is not an address" in line or "names one twice" in line for line in told)
    people = [f'"{to_checksum_address(f"0x{number:040x}")}"' for number in range(1, 7)]
    for person in people[:2]:
        text = text.replace(nobody, person, 1)
    # between the roles and the timelock, the sequencer feed is nobody and stays so
    head, _, rest = text.partition("[timelock]")
    for person in people[2:]:
        rest = rest.replace(nobody, person, 1)
    p = loaded(tmp_path, f"{head}[timelock]{rest}")
    assert p.oracle.kind == "router"
    assert [tier.word() for tier in p.exchange.fee_tiers][1] == (5_000_000 << 32) | (400 << 16) | (2**16 - 50)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("settle_window = 60", "settle_window = 14", "exchange.settle_window is 14, not in 15..600"),
        ("settle_window = 60", 'settle_window = "60"', "Expected `int`, got `str` - at `$.exchange.settle_window`"),
        ("settle_window = 60", "settle_windows = 60", "Object contains unknown field `settle_windows`"),
        ("settle_window = 60", "", "Object missing required field `settle_window` - at `$.exchange`"),
        ("settle_window = 60", "settle_window =", "Invalid value"),
        ("withdrawal_delay = 120", "withdrawal_delay = 59", "vault.withdrawal_delay is not between"),
        ("test_token = true", "", "collateral needs either token or test_token = true"),
        ("test_token = true", 'token = "0x1"\ntest_token = false', "collateral.token is not an address: '0x1'"),
        ("delay = 10", "delay = 4", "timelock.delay is not between timelock.least_delay and 30 days"),
        ("imf_ppm = 50_000", "imf_ppm = 30_000", "market BTC-USD: mmf_ppm is not in 5000..imf_ppm"),
        ("id = 2", "id = 1", "two markets have one id"),
        ('ticker = "ETH-USD"', 'ticker = "BTC-USD"', "two markets have one ticker"),
        ('kind = "pushed"', 'kind = "router"', "market BTC-USD: needs prices"),
        ('kind = "pushed"', 'kind = "guess"', "Invalid enum value 'guess' - at `$.oracle.kind`"),
        ("fee_tiers = []", "fee_tiers = [{volume_usdc = 5, taker_ppm = 1, maker_ppm = 0}]", "do not rise from 0"),
        ("fee_tiers = []", "fee_tiers = [{volume_usdc = 0, taker_ppm = 1, maker_ppm = -2}]", "pays more than is taken"),
        ('proposers = ["0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"]', "proposers = []", "timelock.proposers: 1 to 8"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in LOCAL
    assert told in refusal(tmp_path, LOCAL.replace(old, new, 1).replace("\n\n\n", "\n\n"))


def test_with_real_money_there_is_a_delay_and_no_test_token(tmp_path: Path) -> None:
    told = refusal(tmp_path, LOCAL.replace("chain_id = 31337", "chain_id = 1"))
    assert "timelock.least_delay is 5: with real money at least 172800" in told
    assert "a test token anyone may mint is for test networks only" in told


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(click.ClickException, match=r"cannot read .*nowhere\.toml: No such file"):
        load(tmp_path / "nowhere.toml")
