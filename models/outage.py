"""What keeps a database from working, in words of our own: an exception's text quotes what was written.

Only what passes, or what an operator can mend while we wait, counts as an outage; anything else is a
fault that has to be seen.
"""

from typing import cast

from sqlalchemy.exc import DBAPIError

#: By the first words of SQLite's result codes (sqlite.org/rescode.html).
_SQLITE = {
    "SQLITE_FULL": "the database's disk is full",
    "SQLITE_BUSY": "another process has kept the database locked",
    "SQLITE_LOCKED": "another process has kept the database locked",
    "SQLITE_IOERR": "the database's disk cannot be read or written",
    "SQLITE_READONLY": "the database may not be written to",
    "SQLITE_CANTOPEN": "the database cannot be opened",
}
#: By the first characters of PostgreSQL's SQLSTATE (its manual, appendix A), the longest first.
_POSTGRESQL = {
    "53100": "the database's disk is full",
    "53": "the database server has too much to do",
    "57P": "the database server is stopping or starting",
    "55P03": "another process has kept the database locked",
    "40": "two processes were in each other's way in the database",
    "58": "the database's disk cannot be read or written",
    "08": "the database server is out of reach",
}
_AWAY = "the database server is out of reach"


def outage(error: BaseException) -> str | None:
    """Why the database cannot be used just now; ``None`` for every other failure."""
    if not isinstance(error, DBAPIError):
        return None
    told = cast("object", error.orig)
    if (code := getattr(told, "sqlite_errorname", None)) is not None:
        return _found(_SQLITE, code)
    if (state := getattr(told, "sqlstate", None)) is not None:
        return _found(_POSTGRESQL, state)
    return _AWAY if error.connection_invalidated or type(told).__name__ == "OperationalError" else None


def _found(table: dict[str, str], code: str) -> str | None:
    return next((words for start, words in table.items() if code.startswith(start)), None)
