# SPDX-License-Identifier: AGPL-3.0-only
"""Bring a database to the newest schema."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine


def migrate(engine: Engine, revision: str = "head") -> None:
    """Run the migrations up to `revision` in one transaction. Does nothing when they have run."""
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", "indexer:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
