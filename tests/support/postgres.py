# SPDX-License-Identifier: AGPL-3.0-only
"""A PostgreSQL server of the tests' own: data and socket in a temporary folder, gone afterwards.

with postgres() as server:
    url = server.create()
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg

from indexer.store.engine import open_engine
from indexer.store.migrate import migrate

MISSING = (
    "These tests run on a PostgreSQL server that they start themselves, and there is none on this machine: install "
    "version 13 or later (Debian, Ubuntu: `apt-get install postgresql`; Fedora: `dnf install postgresql-server`; "
    "macOS: `brew install postgresql@17`), or name the folder of its `initdb` in OURO_POSTGRES_BIN."
)
_DEBIAN = Path("/usr/lib/postgresql")
_TEMPLATE = "ouro_template"
_START_S = 120
_NAMES = itertools.count()


class NoServerError(Exception):
    """PostgreSQL is not installed."""


def binaries() -> Path:
    """The folder of `initdb` and `postgres`. Raises `NoServerError` with a way to get them."""
    named = os.environ.get("OURO_POSTGRES_BIN")
    on_path = shutil.which("initdb")
    # Debian keeps the server's programs out of PATH.
    debian = sorted(_DEBIAN.glob("[0-9]*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    for folder in (named, on_path and Path(on_path).resolve().parent, *debian):
        if folder and all(os.access(Path(folder) / name, os.X_OK) for name in ("initdb", "postgres")):
            return Path(folder)
    raise NoServerError(MISSING)


class Server:
    """A running server. Databases begin as copies of one with the newest schema."""

    def __init__(self, sockets: Path, user: str, launch: Callable[[], subprocess.Popen[bytes]]) -> None:
        self._sockets, self._user = sockets, user
        self._has_template = False
        self._launch = launch
        self._process = launch()
        self._answering()

    def crash(self) -> None:
        """End it at once, with every connection."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait()

    def restart(self) -> None:
        """Start it again after a crash, on the same data."""
        self._process = self._launch()
        self._answering()

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(180)
        except subprocess.TimeoutExpired:
            self.crash()

    def _answering(self) -> None:
        deadline = time.monotonic() + _START_S
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{(self._sockets / 'log').read_text()[-2000:]}")
            time.sleep(0.02)

    def url(self, database: str) -> str:
        """As the services take it."""
        return f"postgresql://{self._user}@/{database}?host={quote(str(self._sockets))}"

    def create(self, *, migrated: bool = True) -> str:
        """The URL of a new database, empty or with all (empty) tables."""
        if migrated and not self._has_template:
            self._statement(f"CREATE DATABASE {_TEMPLATE}")
            engine = open_engine(self.url(_TEMPLATE), writes=True)
            migrate(engine)
            engine.dispose()
            self._has_template = True
        name = f"ouro_{next(_NAMES)}"
        self._statement(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE if migrated else 'template0'}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database that nobody needs any more, with whoever is still connected."""
        name = url.partition("@/")[2].partition("?")[0]
        self._statement(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def answers(self) -> bool:
        """Whether it takes connections."""
        with contextlib.suppress(psycopg.OperationalError):
            self._statement("SELECT 1")
            return True
        return False

    def _statement(self, text: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=10) as connection:
            connection.execute(text.encode())


@contextmanager
def postgres(*settings: str) -> Iterator[Server]:
    """Start a server, yield it when it answers, and remove it. `settings` are `name=value`, added to those of tests,
    which trust the machine not to lose power. Raises `NoServerError`.
    """
    programs = binaries()
    # It refuses to run as root: then as the user that the package made, or as nobody.
    owner = _unprivileged() if os.getuid() == 0 else pwd.getpwuid(os.getuid())
    become = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="ouro-pg-"))
    try:
        shutil.chown(folder, owner.pw_uid, owner.pw_gid)
        data = folder / "data"
        initdb = [programs / "initdb", "-D", data, "-U", "ouro", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        done = subprocess.run(initdb, capture_output=True, text=True, cwd=folder, check=False, **become)
        if done.returncode:
            raise RuntimeError(f"initdb failed:\n{done.stdout}{done.stderr}")
        chosen = ("listen_addresses=", f"unix_socket_directories={folder}", "max_connections=200")
        chosen = (*chosen, *(settings or ("fsync=off", "synchronous_commit=off", "full_page_writes=off")))
        command = [programs / "postgres", "-D", data, *(part for setting in chosen for part in ("-c", setting))]

        def launch() -> subprocess.Popen[bytes]:
            with (folder / "log").open("ab") as log:
                return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder, **become)

        server = Server(folder, "ouro", launch)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise NoServerError("PostgreSQL refuses to run as root, and this machine has neither a user postgres nor nobody")
