# SPDX-License-Identifier: AGPL-3.0-only
"""What tests of every area share: the databases that the indexer supports, and how tests are shared out.

Imports of services are inside: most tests need none, and forks of the mutation campaign pay for what is imported here.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.support.databases import Databases
    from tests.support.postgres import Server
    from tests.support.sharing import ByFile


@pytest.hookimpl(tryfirst=True)
def pytest_configure() -> None:
    """Random examples may take any time: a busy machine is no failure. The mutation campaign has its own profile."""
    from hypothesis import HealthCheck, settings

    # A shell starts what is to run in the background with Ctrl-C ignored, and so would be whatever the tests start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("patient")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile | None:
    """By file, but what shares an exchange together; other ways than `--dist loadfile` stay what they are."""
    from tests.support.sharing import ByFile

    return ByFile(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where processes share the tests, those that take longest begin first; alone, the quick ones do."""
    from tests.support.sharing import rank

    items.sort(key=lambda item: rank(item.nodeid), reverse=not hasattr(config, "workerinput"))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """One PostgreSQL for this test process. Without one installed its tests fail: nothing is skipped."""
    from tests.support.postgres import NoServerError, postgres

    try:
        with postgres() as server:
            yield server
    except NoServerError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Databases:
    """Any number of databases; the tests run once on each kind."""
    from tests.support.databases import PostgresDatabases, SqliteFiles

    if request.param == "postgresql":
        return PostgresDatabases(request.getfixturevalue("postgres_server"))
    return SqliteFiles(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """A database of the test's own, with all tables."""
    url = databases.new()
    yield url
    databases.drop(url)
