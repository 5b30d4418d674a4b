# SPDX-License-Identifier: AGPL-3.0-only
"""Keys: from the environment, from an encrypted file, never repeated in what is printed."""

from __future__ import annotations

import json
import stat

import pytest
from eth_account import Account

KEY = "0x" + "17" * 32
ADDRESS = Account.from_key(KEY).address


def test_key_from_the_environment(run, monkeypatch):
    monkeypatch.setenv("OURO_KEY", KEY)
    result = run("address", "--json")
    assert json.loads(result.stdout) == {"address": ADDRESS}


def test_without_a_key_it_says_how_to_give_one(run):
    result = run("address")
    assert result.exit_code == 2
    assert "OURO_KEY" in result.stderr
    assert "--keystore" in result.stderr


def test_a_bad_key_is_not_repeated(run, monkeypatch):
    monkeypatch.setenv("OURO_KEY", KEY[:-2] + "zz")
    result = run("address")
    assert result.exit_code == 2
    assert KEY[:20] not in result.output


def test_new_key_is_encrypted_private_and_usable(run, monkeypatch, tmp_path):
    file = tmp_path / "key.json"
    made = run("new-key", "--out", str(file), "--json", typed="correct horse\ncorrect horse\n")
    assert made.exit_code == 0, made.stderr
    address = json.loads(made.stdout)["address"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["version"] == 3

    again = run("new-key", "--out", str(file))
    assert again.exit_code == 2
    assert "exists" in again.stderr

    asked = run("address", "--keystore", str(file), "--json", typed="correct horse\n")
    assert json.loads(asked.stdout) == {"address": address}

    monkeypatch.setenv("OURO_KEYSTORE_PASSWORD", "wrong")
    refused = run("address", "--keystore", str(file))
    assert refused.exit_code == 2
    assert "wrong password" in refused.stderr


@pytest.mark.parametrize(
    ("content", "complaint"), [("not json", "not a key file"), ("{}", "damaged"), (None, "cannot read")]
)
def test_bad_key_files(run, monkeypatch, tmp_path, content, complaint):
    monkeypatch.setenv("OURO_KEYSTORE_PASSWORD", "x")
    file = tmp_path / "key.json"
    if content is not None:
        file.write_text(content)
    result = run("address", "--keystore", str(file))
    assert result.exit_code == 2
    assert complaint in result.stderr


def test_no_command_takes_a_key_as_an_argument(run):
    for name in ("deposit", "withdraw", "faucet", "cancel", "address"):
        options = run(name, "--help").stdout
        assert "--key " not in options
        assert "--private" not in options
