# SPDX-License-Identifier: AGPL-3.0-only
"""Bring a database to the newest schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from ouro.errors import OuroError

_MIGRATIONS = Path(__file__).parents[1] / "migrations"


class NotMigratedError(OuroError):
    """The database has another schema than this version reads."""


def migrate(engine: Engine, revision: str = "head") -> None:
    """Run the migrations up to `revision` in one transaction. Does nothing when they have run."""
    with engine.begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def check_migrated(engine: Engine) -> None:
    """For who only reads. Raises `NotMigratedError`."""
    with engine.begin() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    wanted = ScriptDirectory.from_config(_config()).get_current_head()
    if found != wanted:
        raise NotMigratedError(
            f"the database is at schema {found or 'none'}, this version reads {wanted}: start `ouro indexer follow` "
            "(or `run`) of this version first, which brings it there"
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config
