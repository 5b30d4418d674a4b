# SPDX-License-Identifier: AGPL-3.0-only
"""Bring a database to the newest schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

_MIGRATIONS = Path(__file__).parents[1] / "migrations"


def migrate(engine: Engine, revision: str = "head") -> None:
    """Run the migrations up to `revision` in one transaction. Does nothing when they have run."""
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
