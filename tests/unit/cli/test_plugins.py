# SPDX-License-Identifier: AGPL-3.0-only
"""Service commands load only when run, and say what to install when their dependencies are missing."""

from __future__ import annotations

import sys

import pytest

from ouro.cli import plugins

SERVICE = """'''`ouro someservice`: starts what is needed.'''
import typer
app = typer.Typer(add_completion=False)

@app.command()
def start(port: int = 1):
    "Start it."
    print(f"started on {port}")

@app.command()
def stop():
    "Stop it."
"""


@pytest.fixture
def distribution(tmp_path, monkeypatch):
    """A distribution on the path that brings two commands, one of which lacks a dependency."""
    (tmp_path / "someservice.py").write_text(SERVICE)
    (tmp_path / "lackingservice.py").write_text("import a_package_that_is_not_there\n")
    info = tmp_path / "someservice-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: someservice\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[ouro.commands]\nsomeservice = someservice:app\nlacking = lackingservice:app\nplain = someservice:start\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins._entry_points.cache_clear()
    yield
    plugins._entry_points.cache_clear()
    for module in ("someservice", "lackingservice"):
        sys.modules.pop(module, None)


@pytest.mark.usefixtures("distribution")
def test_help_lists_without_importing(run):
    result = run("--help")
    lines = [line.split(maxsplit=1) for line in result.stdout.splitlines()]
    assert ["someservice", "Starts what is needed."] in lines
    assert ["lacking", "See `ouro lacking --help`."] in lines
    assert "someservice" not in sys.modules


@pytest.mark.usefixtures("distribution")
def test_a_service_command_runs(run):
    assert run("someservice", "start", "--port", "7").stdout == "started on 7\n"
    assert "--port" in run("someservice", "start", "--help").stdout


@pytest.mark.usefixtures("distribution")
def test_a_plain_function_is_a_command(run):
    assert run("plain", "--port", "8").stdout == "started on 8\n"


@pytest.mark.usefixtures("distribution")
def test_a_missing_dependency_is_named(run):
    result = run("lacking")
    assert result.exit_code == 2
    assert "a_package_that_is_not_there" in result.stderr
    assert "ouro[services]" in result.stderr


def test_unknown_commands_are_usage_errors(run):
    assert run("someservice").exit_code == 2
