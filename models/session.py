"""The database as seen from a flow or a command: one transaction per unit of work."""

import sqlite3
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from . import tables as tables  # relationships name tables: all are known before the first query

SWITCHES = 100
SWITCH_AGAIN_SECONDS = 0.05
#: What a connection that is going to write is given: on SQLite it waits for its turn before it reads.
WRITES = {"sqlite_begin": "IMMEDIATE"}


class Database:
    """An open database; SQLite writers queue up at the start of a transaction."""

    def __init__(self, url: str, password: str | None = None) -> None:
        address = make_url(url)
        if password is not None:
            address = address.set(password=password)
        if address.get_backend_name() == "sqlite" and address.database:
            Path(address.database).parent.mkdir(parents=True, exist_ok=True)
        self.engine = create_engine(address, pool_pre_ping=True, hide_parameters=True)
        prepare(self.engine)
        self._writer = self.engine.execution_options(**WRITES)

    @contextmanager
    def unit_of_work(self) -> Generator[Session]:
        """A transaction: committed on a good end, rolled back otherwise."""
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Generator[Session]:
        """A session for looking only; it never waits for a writer."""
        with Session(self.engine) as session:
            yield session

    def empty_log(self) -> None:
        """Move what SQLite's write-ahead log holds into the file, so that nothing erased stays in the log.

        Readers and writers delay it as long as any wait for the database; the next one does it then.
        """
        if self.engine.dialect.name == "sqlite":
            with closing(self.engine.raw_connection()) as connection:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()


def prepare(engine: Engine) -> None:
    """Give connections what we rely on: what is committed is on the disk, and references hold."""
    if engine.dialect.name == "postgresql":
        event.listen(engine, "connect", _set_up_postgresql)
        return
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)


def _set_up_postgresql(connection: Any, record: object) -> None:
    """A mail leaves the mailbox after the commit: one that a power cut may take back would lose it."""
    del record
    connection.execute(
        "SELECT set_config('synchronous_commit', 'on', false)"
        " WHERE current_setting('synchronous_commit') = 'off'"
    )
    connection.commit()


def _set_up_sqlite(connection: Any, record: object) -> None:
    del record
    connection.isolation_level = None  # we say BEGIN ourselves
    connection.execute("PRAGMA busy_timeout=30000")
    _use_write_ahead_log(connection)
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _use_write_ahead_log(connection: Any) -> None:
    """Switch to the write-ahead log; SQLite refuses two who do so at once without waiting (seen)."""
    for attempts_left in reversed(range(SWITCHES)):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if not attempts_left:
                raise
            time.sleep(SWITCH_AGAIN_SECONDS)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    mode = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {mode}")
