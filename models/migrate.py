"""The database's way from one version of Meldbalie to the next.

The migrations lie in ``migrations/versions`` and know no code of ours, so that an old one still
runs when the code has moved on. A migration is one transaction on SQLite and on PostgreSQL: it is
applied whole or not at all, and a second process that migrates at the same time waits its turn.
"""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations.ops import MigrationScript
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, inspect, text

from .errors import Refused
from .session import Database
from .tables import Base

MIGRATIONS = Path(__file__).parent / "migrations"
ADVISORY_LOCK = 0x6D656C64  # "meld": any number that nothing else in that database locks


class DatabaseTooNew(Refused):
    """The database is at a revision that this version does not know."""


class NotOurTables(Refused):
    """The database has tables and no revision, so nobody knows what is missing."""


def migrate(database: Database) -> list[str]:
    """Bring the database up to date and give the revisions that were applied, in their order."""
    with _alone(database) as connection:
        scripts = _scripts()
        before = _revision_of(database, connection, scripts)
        missing = _revisions_after(before, scripts)
        if before is None and inspect(connection).get_table_names():
            raise NotOurTables(
                f"the database {_name_of(database)} holds tables but no revision of Meldbalie's:"
                " give an empty database, or restore the table alembic_version from a backup"
            )
        if missing:
            command.upgrade(_configuration(connection), "head")
        return missing


def is_current(database: Database) -> bool:
    """Whether no migration is missing; raises :class:`DatabaseTooNew` when the code is older."""
    return not missing_revisions(database)


def missing_revisions(database: Database) -> list[str]:
    """The revisions that :func:`migrate` would apply."""
    scripts = _scripts()
    with database.engine.connect() as connection:
        return _revisions_after(_revision_of(database, connection, scripts), scripts)


def write_migration(message: str) -> Path | None:
    """Write the migration that leads to the tables of today; ``None`` when they have not changed.

    For developers: read what was written, above all what it does with rows that are there.
    """
    number = len(list(_scripts().walk_revisions())) + 1
    with tempfile.TemporaryDirectory() as directory:
        scratch = Database(f"sqlite:///{directory}/scratch.db")
        migrate(scratch)
        with _alone(scratch) as connection:
            written = command.revision(
                _configuration(connection),
                message,
                autogenerate=True,
                rev_id=f"{number:04d}",
                process_revision_directives=_only_if_changed,
            )
        scratch.close()
    return Path(written.path) if isinstance(written, Script) else None


def _only_if_changed(context: object, revision: object, directives: list[MigrationScript]) -> None:
    del context, revision
    changes = directives[0].upgrade_ops
    if changes is None or changes.is_empty():
        directives.clear()


@contextmanager
def _alone(database: Database) -> Generator[Connection]:
    """A transaction in which no other process migrates: committed on a good end."""
    engine = database.engine.execution_options(sqlite_begin="IMMEDIATE")
    with engine.connect() as connection, _references_unchecked(connection), connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        yield connection


@contextmanager
def _references_unchecked(connection: Connection) -> Generator[None]:
    """Let SQLite rebuild a table that others refer to; it listens only outside a transaction."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys=ON")


def _configuration(connection: Connection) -> Config:
    config = Config(attributes={"connection": connection, "metadata": Base.metadata})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.set_main_option("path_separator", "os")
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(MIGRATIONS))


def _revision_of(database: Database, connection: Connection, scripts: ScriptDirectory) -> str | None:
    revision = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in scripts.walk_revisions()}
    if revision is not None and revision not in known:
        raise DatabaseTooNew(
            f"the database {_name_of(database)} is at revision {revision}, and this version of"
            f" Meldbalie knows none after {scripts.get_current_head()}: a newer version migrated"
            " it; run that version, or restore the backup from before it"
        )
    return revision


def _revisions_after(revision: str | None, scripts: ScriptDirectory) -> list[str]:
    newest_first = scripts.iterate_revisions("head", revision or "base")
    return [script.revision for script in newest_first][::-1]


def _name_of(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=True)
