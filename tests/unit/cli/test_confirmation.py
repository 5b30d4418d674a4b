# SPDX-License-Identifier: AGPL-3.0-only
"""A person at a terminal is asked before anything is signed; `--yes`, programs and rehearsals are not."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

KEY = "0x" + "17" * 32
PLACE = ("order", "place", "BTC-USD", "buy", "0.01")


def at_terminal(*arguments: str, typed: str = "") -> tuple[int, str]:
    """Exit code and what is on the screen of `ouro` run in a terminal of its own."""
    screen, inner = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OURO_")}
    environment |= {"OURO_URL": "http://127.0.0.1:9", "OURO_KEY": KEY}
    command = [sys.executable, "-c", "from ouro.cli.main import app; app()", *arguments]
    with subprocess.Popen(command, stdin=inner, stdout=inner, stderr=inner, env=environment) as process:
        os.close(inner)
        os.write(screen, typed.encode())
        shown = b""
        while True:
            try:
                part = os.read(screen, 4096)
            except OSError:  # the other end is closed: the program has ended
                break
            if not part:
                break
            shown += part
        os.close(screen)
        return process.wait(timeout=180), shown.decode()


@pytest.mark.parametrize(
    ("arguments", "typed", "code", "asked"),
    [(PLACE, "n\n", 1, True), (PLACE, "y\n", 3, True), ((*PLACE, "--yes"), "", 3, False)],
)
def test_a_person_is_asked(arguments, typed, code, asked):
    ended, shown = at_terminal(*arguments, typed=typed)
    assert ended == code, shown
    assert ("Go on?" in shown) == asked
    if asked:
        assert "market BTC-USD, side buy, size 0.01" in shown
    assert ("nothing was signed or sent" in shown) == (code == 1)


def test_reads_ask_nobody():
    ended, shown = at_terminal("markets")
    assert ended == 3
    assert "Go on?" not in shown


def test_a_program_is_not_asked(run, monkeypatch):
    monkeypatch.setenv("OURO_KEY", KEY)
    assert run(*PLACE).exit_code == 3
    assert run(*PLACE, "--dry-run").exit_code == 3


@pytest.mark.parametrize("arguments", [("markets", "--dry-run"), ("balance", "--yes")])
def test_what_changes_nothing_has_no_such_options(run, arguments):
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("order", "amend", "0x01"),
        ("session-key", "add", "0x" + "11" * 20),
        ("balance", "--owner", "somebody"),
        ("fills", "--csv", "-", "--json"),
        ("candles", "BTC-USD", "--resolution", "2MIN"),
    ],
)
def test_wrong_usage(run, arguments):
    assert run(*arguments).exit_code == 2
