"""Brings central's tables up to date with Alembic; the steps are package resources."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import resources

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from sync.central.database import Database
from sync.central.models import metadata


def upgrade(url: str) -> None:
    """Creates or changes the tables up to the newest step, whole or not at all."""
    database = Database(url)
    with closing(database), _config() as config, database.transaction("BEGIN IMMEDIATE") as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def upgrade_on(connection: Connection, revision: str) -> None:
    """The same up to a step, inside the caller's transaction. Raises CommandError for an unknown step."""
    with _config() as config:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def version(url: str) -> str | None:
    """The step the tables are at; None if there are none."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def differences(url: str) -> list[object]:
    """What the tables lack against the models; empty if the steps are complete."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))


def newest() -> str:
    """The newest step this program knows."""
    with _config() as config:
        return str(ScriptDirectory.from_config(config).get_current_head())


@contextmanager
def _config() -> Iterator[Config]:
    with resources.as_file(resources.files("sync.central") / "migrations") as folder:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        yield config
