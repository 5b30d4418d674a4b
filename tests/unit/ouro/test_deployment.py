# SPDX-License-Identifier: AGPL-3.0-only
"""The record of a deployment, and the configuration of services."""

import json
from pathlib import Path
from typing import Any

import pytest

from ouro.deployment import Deployment, DeploymentError
from ouro.markets import MarketState
from ouro.settings import Settings

RECORD: dict[str, Any] = {
    "chainId": 31_337,
    "startBlock": 1,
    "settleWindow": 60,
    "withdrawalDelay": 120,
    "operator": "0x" + "ab" * 20,
    "priceSigner": "0x" + "cd" * 20,
    "contracts": {
        name: "0x" + str(place) * 40 for place, name in enumerate(("exchange", "vault", "oracle", "usdc"), 1)
    },
    "markets": [
        {
            "id": 1,
            "ticker": "BTC-USD",
            "sizeDecimals": 4,
            "priceDecimals": 2,
            "tick": 100,
            "imfPpm": 50_000,
            "mmfPpm": 30_000,
            "bandPpm": 100_000,
            "maxOpenInterest": 100_000_000,
            "maxPriceAge": 120,
            "liquidationFloorPpm": 5_000,
            "state": 1,
        }
    ],
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    written = tmp_path / "deployment.json"
    written.write_text(json.dumps(RECORD))
    return written


@pytest.fixture(autouse=True)
def _own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"OURO_{name.upper()}", raising=False)
    monkeypatch.delenv("OURO_CONFIG", raising=False)


def test_a_record(path: Path) -> None:
    deployment = Deployment.load(path)
    assert deployment.operator == "0xABaBaBaBABabABabAbAbABAbABabababaBaBABaB"
    assert deployment.market("BTC-USD").max_price_age_s == 120
    assert deployment.market("BTC-USD").state == MarketState.ACTIVE
    domains = deployment.domain(), deployment.vault_domain(), deployment.oracle_domain()
    assert [domain.verifying_contract[2] for domain in domains] == ["1", "2", "3"]
    assert [domain.name for domain in domains] == ["Ouro", "Ouro", "Ouro Oracle"]
    assert {domain.chain_id for domain in domains} == {31_337}


def test_an_unknown_market_is_told_from_those_there_are(path: Path) -> None:
    with pytest.raises(DeploymentError, match="no market DOGE-USD; there are BTC-USD"):
        Deployment.load(path).market("DOGE-USD")


def test_no_record(tmp_path: Path) -> None:
    with pytest.raises(DeploymentError, match="no deployment record at"):
        Deployment.load(tmp_path / "none.json")


def test_a_record_that_is_not_json(path: Path) -> None:
    path.write_text("{")
    with pytest.raises(DeploymentError, match="is not JSON"):
        Deployment.load(path)


@pytest.mark.parametrize("key", RECORD)
def test_a_record_that_lacks_something(path: Path, key: str) -> None:
    path.write_text(json.dumps({name: value for name, value in RECORD.items() if name != key}))
    with pytest.raises(DeploymentError, match=f"lacks '{key}'"):
        Deployment.load(path)


def test_settings_come_from_file_environment_and_flags_in_this_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('rpc_url = "http://file"\nrelayer_port = 1\nindexer_port = 2\n')
    monkeypatch.setenv("OURO_CONFIG", str(file))
    monkeypatch.setenv("OURO_RELAYER_PORT", "3")
    monkeypatch.setenv("OURO_INDEXER_PORT", "4")
    settings = Settings(indexer_port=5)
    assert (settings.rpc_url, settings.relayer_port, settings.indexer_port) == ("http://file", 3, 5)


def test_settings_show_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURO_OPERATOR_KEY", "0x1234")
    monkeypatch.setenv("OURO_KEEPER_KEY", "0x5678")
    settings = Settings()
    assert (settings.operator_key, settings.keeper_key) == ("0x1234", "0x5678")
    assert "0x1234" not in repr(settings)
    assert "0x5678" not in repr(settings)


def test_the_database_is_in_the_state_folder_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURO_STATE_DIR", "there")
    assert Settings().database == "sqlite:///there/indexer.sqlite"
    assert Settings(database_url="postgresql://elsewhere").database == "postgresql://elsewhere"
