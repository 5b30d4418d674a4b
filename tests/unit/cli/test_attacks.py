# SPDX-License-Identifier: AGPL-3.0-only
"""What an exchange could make a terminal do, and what the command line must not tell."""

from __future__ import annotations

import json

import pytest
from eth_account import Account

from ouro.cli.output import View, show
from ouro.cli.run import fail
from tests.unit.client.conftest import CONFIG

KEY = "0x" + "17" * 32
ESCAPES = "\x1b]0;title\x07\x1b[2Jred\u202egpj\x9b31m\r"


def test_text_of_a_server_does_not_steer_the_terminal(capsys):
    view = View(None, columns=("label",), rows=[(ESCAPES,)], pairs={"name": ESCAPES}, note=ESCAPES)
    show(view, as_json=False)
    with pytest.raises(BaseException, match="1"):
        fail(ESCAPES, 1)  # type: ignore[arg-type]
    told = capsys.readouterr()
    for text in (told.out, told.err):
        assert "red" in text
        assert not set(text) & set("\x1b\x07\x9b\r\u202e")


@pytest.mark.parametrize("label", ["[/nothing]", "[bold]x[/bold]", "[link=https://evil.example]x[/link]"])
def test_brackets_in_a_label_are_brackets(capsys, label):
    show(View(None, columns=("label",), rows=[(label,)]), as_json=False)
    assert label in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [("order", "place", "BTC-USD", "buy", "1", "20000"), ("deposit", "5"), ("balance",)]
)
@pytest.mark.parametrize("more", [(), ("--json",), ("--dry-run",)])
def test_no_way_to_fail_tells_the_key(run, monkeypatch, arguments, more):
    if arguments[0] == "balance" and more == ("--dry-run",):
        more = ()
    monkeypatch.setenv("OURO_KEY", KEY)
    result = run(*arguments, *more)
    assert result.exit_code != 0
    assert KEY[2:] not in result.output + repr(result.exception)
    monkeypatch.setenv("OURO_KEY", KEY + "17")
    assert KEY[2:] not in run(*arguments, *more).output


def test_a_record_that_cannot_be_read_signs_for_nobody(run, monkeypatch, tmp_path):
    monkeypatch.setenv("OURO_KEY", KEY)
    missing = run("deposit", "5", "--deployment", str(tmp_path / "none.json"))
    assert missing.exit_code != 0
    assert "no deployment record" in missing.output
    odd = tmp_path / "odd.json"
    odd.write_text(json.dumps(CONFIG | {"contracts": {}}))
    assert "lacks" in run("deposit", "5", "--deployment", str(odd)).output


def test_a_key_is_never_an_argument(run):
    key = Account.create().key.hex()
    for option in ("--key", "--private-key"):
        assert "No such option" in run("balance", option, key).output
