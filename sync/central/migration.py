"""Brings central's tables up to date with Alembic; the steps are package resources.

Alembic takes a fifth of a second to load; what only asks for the step, as every command does, goes without.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import resources
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, column, create_engine, inspect, select, table
from sqlalchemy.pool import NullPool

from sync.central.database import Database
from sync.central.models import metadata

if TYPE_CHECKING:
    from alembic.config import Config

_VERSION_TABLE: Final = "alembic_version"


def upgrade(url: str) -> None:
    """Creates or changes the tables up to the newest step, whole or not at all."""
    from alembic import command

    database = Database(url)
    with closing(database), _config() as config, database.transaction("BEGIN IMMEDIATE") as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def upgrade_on(connection: Connection, revision: str) -> None:
    """The same up to a step, inside the caller's transaction. Raises CommandError for an unknown step."""
    from alembic import command

    with _config() as config:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def version(url: str) -> str | None:
    """The step the tables are at; None if there are none."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        if not inspect(connection).has_table(_VERSION_TABLE):
            return None
        found = connection.execute(select(column("version_num")).select_from(table(_VERSION_TABLE))).scalar()
        return None if found is None else str(found)


def differences(url: str) -> list[object]:
    """What the tables lack against the models; empty if the steps are complete."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))


def newest() -> str:
    """The newest step this program knows; a step's file begins with its number: ``m0007_adoption.py``."""
    folder = resources.files("sync.central") / "migrations" / "versions"
    return max(one.name[1:5] for one in folder.iterdir() if one.name.startswith("m"))


def steps() -> list[str]:
    """Every step this program knows, oldest first."""
    from alembic.script import ScriptDirectory

    with _config() as config:
        return [one.revision for one in ScriptDirectory.from_config(config).walk_revisions()][::-1]


@contextmanager
def _config() -> Iterator[Config]:
    from alembic.config import Config

    with resources.as_file(resources.files("sync.central") / "migrations") as folder:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        yield config
