# SPDX-License-Identifier: AGPL-3.0-only
"""docs/relayer.md says of each setting what it is called and what it is by default."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from ouro.deployment import Deployment
from ouro.settings import Settings
from relayer.config import RelayerConfig, RelayerSettings
from relayer.following import FollowerSettings
from relayer.metrics import Metrics
from tests.integration.relayer.test_slow_consumers import DEPLOYMENT
from tests.support.build import ROOT

PAGE = (ROOT / "docs" / "relayer.md").read_text()
OF_OTHERS = {
    *(name for name in Settings.model_fields if name.startswith("indexer_")),
    "relayer_url",
    "database_url",
    "keeper_key",
}


def test_the_table_is_the_model() -> None:
    told = dict(re.findall(r"^\| `OURO_(\w+)` \| (?:`(.*?)`)? *\|", PAGE, re.MULTILINE))
    fields = {
        name.upper(): str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
        for name, field in {**RelayerSettings.model_fields, **FollowerSettings.model_fields}.items()
        if name not in OF_OTHERS
    }
    assert told == fields
    assert set(Settings.model_fields) >= OF_OTHERS


def test_every_metric_is_told() -> None:
    names = {family.name.removeprefix("ouro_relayer_") for family in Metrics().registry.collect()}
    cells = re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)
    told = {name.removesuffix("_total") for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert names <= told, names - told


def test_file_environment_and_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "ouro.toml"
    file.write_text('relayer_ip_weight = 5\nrelayer_account_weight = 6\nrelayer_trusted_proxies = "10.0.0.0/8"\n')
    monkeypatch.setenv("OURO_CONFIG", str(file))
    monkeypatch.setenv("OURO_RELAYER_ACCOUNT_WEIGHT", "7")
    settings = RelayerSettings(relayer_port=9)
    assert (settings.relayer_ip_weight, settings.relayer_account_weight, settings.relayer_port) == (5, 7, 9)
    limits = RelayerConfig(settings, Deployment.from_record(DEPLOYMENT)).limits()
    assert (limits.ip_weight, [str(network) for network in limits.trusted]) == (5, ["10.0.0.0/8"])


@pytest.mark.parametrize(
    ("name", "value"), [("relayer_ip_weight", -1), ("relayer_ip_weight", "x"), ("relayer_risk_s", 0)]
)
def test_nonsense_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValidationError, match=name):
        RelayerSettings.model_validate({name: value})


def test_a_proxy_must_be_a_network() -> None:
    settings = RelayerSettings(relayer_trusted_proxies="10.0.0.1/8")
    with pytest.raises(ValueError, match=r"10\.0\.0\.1/8"):
        RelayerConfig(settings, Deployment.from_record(DEPLOYMENT)).limits()


def test_secrets_do_not_show() -> None:
    settings = RelayerSettings(
        operator_key="0xsecret", events_token="secret", operator_password="secret", receipt_key="secret"
    )
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("age", "delay", "chain", "sentence"),
    [
        (180, 300, 1, ""),
        (235, 300, 1, ""),
        (236, 300, 1, "to 301 or more, or the age to 235"),
        (180, 60, 1, "to 245 or more"),
        (0, 300, 1, "to at most 235 s"),
        (0, -1, 1, ""),
        (10_000, -1, 1, ""),
        (0, 0, 31_337, ""),
        (180, 3, 31_337, "anybody could send it again"),
    ],
)
def test_what_is_published_must_be_dead_by_then(age: int, delay: int, chain: int, sentence: str) -> None:
    settings = RelayerSettings(relayer_max_order_age_s=age, relayer_publish_delay_s=delay)
    deployment = Deployment.from_record({**DEPLOYMENT, "chainId": chain})
    if not sentence:
        assert RelayerConfig(settings, deployment).core().max_order_age_ms == age * 1000
        return
    with pytest.raises(ValueError, match=sentence):
        RelayerConfig(settings, deployment)
