# SPDX-License-Identifier: AGPL-3.0-only
"""The tests' own PostgreSQL: found where it may be, asked for where it is not."""

from pathlib import Path

import psycopg
import pytest

from tests.support import postgres
from tests.support.build import ROOT


def test_without_a_server_one_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("OURO_POSTGRES_BIN", raising=False)
    monkeypatch.setattr(postgres.shutil, "which", lambda _: None)
    monkeypatch.setattr(postgres, "_DEBIAN", tmp_path)
    with pytest.raises(postgres.NoServerError, match="apt-get install postgresql"):
        postgres.binaries()
    assert "missing+=(postgresql)" in (ROOT / ".ci" / "run").read_text()


def test_the_newest_of_debians_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("OURO_POSTGRES_BIN", raising=False)
    monkeypatch.setattr(postgres.shutil, "which", lambda _: None)
    monkeypatch.setattr(postgres, "_DEBIAN", tmp_path)
    for version in ("9.6", "15", "17"):
        for name in ("initdb", "postgres"):
            program = tmp_path / version / "bin" / name
            program.parent.mkdir(parents=True, exist_ok=True)
            program.touch(0o755)
    assert postgres.binaries() == tmp_path / "17" / "bin"


def test_databases_are_apart_and_go_when_they_are_dropped(postgres_server: postgres.Server) -> None:
    first, second = postgres_server.create(), postgres_server.create(migrated=False)
    with psycopg.connect(first) as connection:
        assert connection.execute("SELECT count(*) FROM fills").fetchone() == (0,)
    with psycopg.connect(second) as connection, pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute("SELECT count(*) FROM fills")
    for url in (first, second):
        postgres_server.drop(url)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(first)
