"""What Prefect's own SQLite database deletes is gone from its files as well.

A handler's answer lies in Prefect until it is applied, and is deleted then. SQLite leaves deleted
rows in free pages and in its write-ahead log (seen: an answer could still be read there), so
deleting overwrites, and after each deleted form the log is emptied. PostgreSQL frees such rows
when it vacuums.

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

FORM = re.compile(r".*/flow_runs/[0-9a-f-]{36}/input/[^/]+")
ATTEMPTS = 50
PAUSE_SECONDS = 0.1


class Shredder:
    """Empties the write-ahead log whenever a form's answer was deleted."""

    def __init__(self, app: App, database_url: str) -> None:
        """Take the application and the URL of its database; only SQLite files concern us."""
        url = make_url(database_url)
        is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
        self._app = app
        self._file = Path(str(url.database)) if is_file else None
        self._at_work: set[asyncio.Future[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does, and clear up afterwards."""
        await self._app(scope, receive, send)
        if self._file is not None and scope["type"] == "http" and _deletes_a_form(scope):
            work = asyncio.get_running_loop().run_in_executor(None, empty_log, self._file)
            self._at_work.add(work)
            work.add_done_callback(self._at_work.discard)


def empty_log(file: Path) -> None:
    """Move the write-ahead log into the database and cut it off; readers may delay it a little."""
    with sqlite3.connect(file, timeout=5, isolation_level=None) as connection:
        for _ in range(ATTEMPTS):
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not busy:
                break
            time.sleep(PAUSE_SECONDS)
    connection.close()


def _deletes_a_form(scope: Scope) -> bool:
    return scope["method"] == "DELETE" and FORM.fullmatch(scope["path"]) is not None


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
