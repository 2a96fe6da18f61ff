"""What Prefect's own SQLite database deletes is gone from its files as well.

A handler's answer lies in Prefect until it is applied, and is deleted then. SQLite leaves deleted
rows in free pages and in its write-ahead log (seen: an answer could still be read there), so
deleting overwrites, and after a form was deleted, or what forms belong to, the log is emptied.
PostgreSQL frees such rows when it vacuums.

When a statement fails, Prefect logs it with its values, an answer among them (seen, over a locked database):
its errors are made without values, on every database.
"""

import asyncio
import re
import sqlite3
import time
from pathlib import Path

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, make_url

from .prefect_server import App, Receive, Scope, Send

#: What is deleted together with answers that lie in it.
HOLDS_ANSWERS = re.compile(r".*/(flow_runs|deployments|flows)/[0-9a-f-]{36}(/input/[^/]+)?")
MANY = "/bulk_delete"
ATTEMPTS = 50
PAUSE_SECONDS = 0.1


class Shredder:
    """Empties the write-ahead log whenever a form's answer may have been deleted."""

    def __init__(self, app: App, database_url: str) -> None:
        """Take the application and the URL of its database; only SQLite files concern us."""
        url = make_url(database_url)
        is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
        self._app = app
        self._file = Path(str(url.database)) if is_file else None
        self._is_wanted = False
        self._work: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does, and clear up afterwards."""
        await self._app(scope, receive, send)
        if self._file is not None and scope["type"] == "http" and _deletes_answers(scope):
            self._is_wanted = True
            if self._work is None or self._work.done():
                self._work = asyncio.create_task(self._clear_up(self._file))

    async def _clear_up(self, file: Path) -> None:
        """Empty the log until it is, and nothing was deleted meanwhile: one time may do for many requests."""
        while self._is_wanted:
            self._is_wanted = False
            if not await asyncio.to_thread(empty_log, file):
                self._is_wanted = True


def empty_log(file: Path) -> bool:
    """Move the write-ahead log into the database and cut it off; whether its readers let that be done."""
    busy = 1
    with sqlite3.connect(file, timeout=5, isolation_level=None) as connection:
        for _ in range(ATTEMPTS):
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not busy:
                break
            time.sleep(PAUSE_SECONDS)
    connection.close()
    return not busy


def _deletes_answers(scope: Scope) -> bool:
    if scope["method"] == "POST":
        return scope["path"].endswith(MANY)
    return scope["method"] == "DELETE" and HOLDS_ANSWERS.fullmatch(scope["path"]) is not None


def keep_databases_discreet() -> None:
    """Watch every engine of this process, which has to be Prefect's server and nothing else."""
    event.listen(Engine, "engine_connect", _be_discreet)


def _be_discreet(connection: Connection) -> None:
    """Let no error say what was written or asked, and SQLite overwrite what it deletes."""
    connection.engine.hide_parameters = True
    if connection.dialect.name == "sqlite":
        cursor = connection.connection.cursor()
        cursor.execute("PRAGMA secure_delete=ON")
        cursor.close()
