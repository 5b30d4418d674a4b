# SPDX-License-Identifier: AGPL-3.0-only
"""`ouro doctor` without an exchange: what is at fault, and how to mend it."""

from __future__ import annotations

import json
import socket

import pytest
from eth_account import Account

from ouro.cli import checks_keys, checks_machine
from ouro.cli.report import State


def test_no_exchange_is_a_fault_with_a_remedy(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("doctor")
    assert result.exit_code == 1
    assert "exchange: Start the services" in result.stdout
    found = {each["check"]: each for each in json.loads(run("doctor", "--json").stdout)}
    assert found["exchange"]["state"] == "fault"
    assert found["python"]["state"] == "ok"


def test_a_record_that_was_named_must_be_there(run, tmp_path):
    result = run("doctor", "--deployment", str(tmp_path / "none.json"))
    assert result.exit_code == 1
    assert "no deployment record" in result.stdout


@pytest.mark.parametrize(("reachable", "state"), [(True, State.OK), (False, State.WARN)])
def test_a_taken_port(reachable, state):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        [finding] = checks_machine.ports({"exchange": port}, lambda: reachable)
    assert finding.state is state
    assert str(port) in finding.found
    assert bool(finding.mend) is not reachable


def test_free_ports():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    [finding] = checks_machine.ports({"exchange": port}, lambda: False)
    assert finding.state is State.OK


@pytest.mark.parametrize(("low", "none", "state"), [(0, 0, "ok"), (2**80, 0, "warning"), (2**80, 2**80, "fault")])
def test_disk(tmp_path, monkeypatch, low, none, state):
    monkeypatch.setattr(checks_machine, "LOW_DISK_BYTES", low)
    monkeypatch.setattr(checks_machine, "NO_DISK_BYTES", none)
    [finding] = checks_machine.disk(tmp_path / "not" / "yet")
    assert finding.state == state
    assert bool(finding.mend) == (state != "ok")


@pytest.fixture(scope="module")
def key_file(tmp_path_factory):
    """A key file, and the address in it."""
    account = Account.create()
    path = tmp_path_factory.mktemp("keys") / "key.json"
    path.write_text(json.dumps(account.encrypt("right", kdf="pbkdf2", iterations=10)))
    path.chmod(0o600)
    return path, account.address


def the_key(*arguments):
    [finding] = checks_keys.keys(*arguments)
    return finding


def test_a_key_file_in_order(key_file):
    path, address = key_file
    untried = the_key(path, {})
    assert (untried.check, untried.state) == ("your key", State.OK)
    assert address in untried.found
    assert "not tried" in untried.found
    opened = the_key(path, {"OURO_KEYSTORE_PASSWORD": "right"})
    assert (opened.state, opened.found) == (State.OK, f"{path}, {address}")
    assert checks_keys.address_of(path) == address


def test_a_key_file_that_does_not_open_or_is_open_to_others(key_file, tmp_path):
    path, _ = key_file
    wrong = the_key(path, {"OURO_KEYSTORE_PASSWORD": "wrong"})
    assert wrong.state is State.FAIL
    assert "does not open" in wrong.found
    loose = tmp_path / "loose.json"
    loose.write_text(path.read_text())
    loose.chmod(0o644)
    finding = the_key(loose, {})
    assert (finding.state, finding.mend) == (State.WARN, f"chmod 600 {loose}")


@pytest.mark.parametrize(
    ("content", "found"), [(None, "No such file"), ("no json", "no key file"), ("{}", "no key file"), ("[1]", "no key")]
)
def test_what_is_no_key_file(tmp_path, content, found):
    path = tmp_path / "key.json"
    if content is not None:
        path.write_text(content)
    finding = the_key(path, {})
    assert finding.state is State.FAIL
    assert found in finding.found
    assert finding.mend
    assert checks_keys.address_of(path) == ""


def test_keys_in_variables(key_file, tmp_path):
    path, _ = key_file
    raw = {"OURO_KEY": "0x" + "17" * 32, "OURO_KEEPER_KEY": "nonsense", "OURO_OPERATOR_KEY": str(path)}
    found = {each.check: each for each in checks_keys.keys(None, raw)}
    assert [each.state for each in found.values()] == [State.OK, State.FAIL, State.OK]
    assert "nonsense" not in found["keeper's key"].found
    password = tmp_path / "password"
    password.write_text("wrong\n")
    [operator] = checks_keys.keys(None, {"OURO_OPERATOR_KEY": str(path), "OURO_OPERATOR_PASSWORD_FILE": str(password)})
    assert operator.state is State.FAIL
    # The operator's raw key is the relayer's own business: it is not repeated, nor read here.
    assert list(checks_keys.keys(None, {"OURO_OPERATOR_KEY": "0x" + "17" * 32})) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(run, monkeypatch, shell):
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    result = run("--show-completion", shell)
    assert result.exit_code == 0
    assert "ouro" in result.stdout.lower() or "complete" in result.stdout.lower()
