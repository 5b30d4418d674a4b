# SPDX-License-Identifier: AGPL-3.0-only
"""Exit codes and sentences: 0 done, 1 refused, 2 usage, 3 not reachable."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from ouro.cli.output import View
from ouro.cli.run import Cli, UsageError, command
from ouro.client.errors import TransactionError, UnreachableError, refusal

KEY = "0x" + "17" * 32
REFUSED = refusal(422, {"errors": [{"msg": "needs 10 USDC more", "param": "size"}], "errorCode": "insufficient_margin"})


@pytest.mark.parametrize(
    "arguments",
    [
        ("markets",),
        ("book", "BTC-USD"),
        ("config",),
        ("order", "show", "0x01"),
        ("balance", "--address", "0x" + "11" * 20),
    ],
)
def test_unreachable_is_3(run, arguments):
    result = run(*arguments)
    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr.startswith("ouro: cannot reach the exchange at http://127.0.0.1:9: ")
    assert result.stderr.count("\n") == 1


def test_unreachable_as_json(run):
    result = run("markets", "--json")
    assert result.exit_code == 3
    assert json.loads(result.stderr)["errorCode"] == "connection"


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("book",),
        ("order", "place", "BTC-USD", "hold", "1", "1"),
        ("order", "place", "BTC-USD", "buy", "1", "--post-only"),
        ("order", "place", "BTC-USD", "buy", "1", "--tif", "ioc"),
        ("order", "stop", "BTC-USD", "sell", "1"),
        ("order", "bracket", "BTC-USD", "buy", "1", "20000", "--take-profit", "21000"),
        ("order", "trail", "BTC-USD", "sell", "1", "500", "--revisions", "51"),
        ("order", "twap", "BTC-USD", "sell", "1", "--parts", "0"),
        ("cancel",),
        ("cancel", "0x01", "--all"),
        ("cancel", "0x01", "--market", "BTC-USD"),
        ("withdraw",),
        ("withdraw", "5", "--execute", "1"),
        ("withdraw", "--delayed", "--execute", "1"),
        ("withdraw", "5", "--to", "somewhere"),
        ("balance", "--address", "0x12"),
        ("balance",),
        ("deposit", "5"),
        ("fills", "--limit", "0"),
    ],
)
def test_wrong_usage_is_2(run, arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stderr.strip()
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (REFUSED, 1, "ouro: needs 10 USDC more"),
        (TransactionError("the contract refused: margin"), 1, "ouro: the contract refused: margin"),
        (UnreachableError("cannot reach it"), 3, "ouro: cannot reach it"),
        (UsageError("say which"), 2, "ouro: say which"),
        (ValueError("size is a float"), 2, "ouro: size is a float"),
    ],
)
def test_every_error_has_its_code(error, code, sentence):
    app = typer.Typer()

    @command(app, "act")
    def act(_cli: Cli) -> View:
        raise error

    result = CliRunner().invoke(app, [])
    assert result.exit_code == code
    assert result.stderr.strip() == sentence


def test_refusal_as_json_keeps_the_exchanges_own_words():
    app = typer.Typer()

    @command(app, "act")
    def act(_cli: Cli) -> View:
        raise REFUSED

    result = CliRunner().invoke(app, ["--json"])
    assert json.loads(result.stderr) == {
        "errors": [{"msg": "needs 10 USDC more", "param": "size"}],
        "errorCode": "insufficient_margin",
    }


def test_an_answer_may_still_be_a_failure():
    app = typer.Typer()

    @command(app, "act")
    def act(_cli: Cli) -> View:
        return View({"status": "CANCELED"}, pairs={"status": "CANCELED"}, failed=True)

    result = CliRunner().invoke(app, [])
    assert result.exit_code == 1
    assert "CANCELED" in result.stdout
