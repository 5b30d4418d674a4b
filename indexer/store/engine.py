# SPDX-License-Identifier: AGPL-3.0-only
"""Database engines: SQLite in WAL mode or PostgreSQL, by URL."""

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.engine import Connection

from ouro.errors import OuroError

_BUSY_TIMEOUT_MS = 30_000


class ReplacedDatabaseError(OuroError):
    """Another file lies where the database was: what is written does not arrive there."""


class DatabaseFile:
    """The file of a SQLite database, to notice when another one is put in its place. Others have nothing to look at."""

    def __init__(self, engine: Engine) -> None:
        with engine.begin():
            self._path = file_of(engine.url)
        self._identity = _identity(self._path)

    def check(self) -> None:
        """Raises `ReplacedDatabaseError`."""
        if self._path is not None and _identity(self._path) != self._identity:
            raise ReplacedDatabaseError(
                f"the database file {self._path} was removed or replaced while it was in use: start again, and "
                "account streams begin anew with what is in it"
            )


def file_of(url: URL) -> Path | None:
    """Where a SQLite database lies."""
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def _identity(path: Path | None) -> tuple[int, int] | None:
    if path is None or not path.exists():
        return None
    found = path.stat()
    return found.st_dev, found.st_ino


def open_engine(url: str, *, writes: bool) -> Engine:
    """An engine whose transactions see one snapshot; a writing one takes SQLite's write lock when it begins.

    A writer that first reads and then upgrades would fail on a concurrent commit instead of waiting.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        return create_engine(parsed, isolation_level="REPEATABLE READ", pool_pre_ping=True)
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"check_same_thread": False}, pool_size=16)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        # The driver's own transaction handling would begin too late for a snapshot: we send BEGIN ourselves.
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=NORMAL",
            f"busy_timeout={_BUSY_TIMEOUT_MS}",
            "cache_size=-65536",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
