# SPDX-License-Identifier: AGPL-3.0-only
"""`ouro doctor` without an exchange: what is at fault, and how to mend it."""

from __future__ import annotations

import json
import socket

import pytest

from ouro.cli import checks_machine
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


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(run, monkeypatch, shell):
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    result = run("--show-completion", shell)
    assert result.exit_code == 0
    assert "ouro" in result.stdout.lower() or "complete" in result.stdout.lower()
