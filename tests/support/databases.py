# SPDX-License-Identifier: AGPL-3.0-only
"""New databases with the newest schema, on SQLite and on PostgreSQL: copies of one that was migrated once."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import Protocol

from indexer.store.engine import open_engine
from indexer.store.migrate import migrate
from tests.support.postgres import Server


class Databases(Protocol):
    """Makes databases of one kind."""

    kind: str

    def new(self, *, migrated: bool = True) -> str:
        """The URL of another database, with all tables or empty."""

    def drop(self, url: str) -> None:
        """Remove one that nobody needs any more."""


class SqliteFiles:
    """Files in a folder."""

    kind = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()
        self._template: Path | None = None

    def new(self, *, migrated: bool = True) -> str:
        path = self._folder / f"index-{next(self._numbers)}.sqlite"
        if migrated:
            if self._template is None:
                self._template = self._folder / "template.sqlite"
                engine = open_engine(f"sqlite:///{self._template}", writes=True)
                migrate(engine)
                engine.dispose()
            shutil.copyfile(self._template, path)
        return f"sqlite:///{path}"

    def drop(self, url: str) -> None:
        for suffix in ("", "-wal", "-shm"):
            Path(url.removeprefix("sqlite:///") + suffix).unlink(missing_ok=True)


class PostgresDatabases:
    """Databases of a server."""

    kind = "postgresql"

    def __init__(self, server: Server) -> None:
        self._server = server

    def new(self, *, migrated: bool = True) -> str:
        return self._server.create(migrated=migrated)

    def drop(self, url: str) -> None:
        self._server.drop(url)
