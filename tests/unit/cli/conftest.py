# SPDX-License-Identifier: AGPL-3.0-only
"""A way to run the command line, with none of the caller's own settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from ouro.cli.main import app

Run = Callable[..., Any]


@pytest.fixture
def run(monkeypatch) -> Run:
    for variable in ("OURO_KEY", "OURO_KEYSTORE", "OURO_KEYSTORE_PASSWORD", "OURO_RPC_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("OURO_URL", "http://127.0.0.1:9")

    def invoke(*arguments: str, typed: str | None = None) -> Any:
        return CliRunner().invoke(app, list(arguments), input=typed)

    return invoke
