"""Databases for the tests of the tables: SQLite in a file, and a real PostgreSQL."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from meldbalie.models.session import Database
from meldbalie.models.tables import Base
from meldbalie.models.ticket import Reporter, Ticket
from meldbalie.models.vault import vault
from meldbalie.tests.postgres import PostgresServer, postgres_server
from sqlalchemy.orm import Session

__all__ = ["postgres_server"]

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def application_key(monkeypatch: pytest.MonkeyPatch) -> str:
    """The application key of this test's process; the vault is open."""
    monkeypatch.setattr(vault, "_keys", None)
    key = Fernet.generate_key().decode()
    vault.unlock([key])
    return key


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Generator[Database]:
    """A fresh SQLite database with every table."""
    with _opened(f"sqlite:///{tmp_path}/meldbalie.db") as database:
        Base.metadata.create_all(database.engine)
        yield database


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> Generator[str]:
    """The name of a PostgreSQL database with every table, to be copied."""
    with postgres_server.new_database() as name:
        with _opened(postgres_server.url(name)) as database:
            Base.metadata.create_all(database.engine)
        yield name


@pytest.fixture
def postgres_database(postgres_server: PostgresServer, postgres_template: str) -> Generator[Database]:
    """A fresh PostgreSQL database with every table."""
    with (
        postgres_server.new_database(postgres_template) as name,
        _opened(postgres_server.url(name)) as database,
    ):
        yield database


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Database:
    """A fresh database with every table: the test runs on SQLite and on PostgreSQL."""
    return request.getfixturevalue(
        {"sqlite": "sqlite_database", "postgresql": "postgres_database"}[request.param]
    )


@pytest.fixture
def new_ticket() -> Callable[[Session], Ticket]:
    """Add a ticket with a reporter, nothing said yet, and no history."""
    numbers = count(1)

    def add(session: Session) -> Ticket:
        ticket = Ticket(reference=f"CVD-2026-{next(numbers):04d}", arrived_at=NOW, opened_at=NOW)
        ticket.reporter = Reporter()
        session.add(ticket)
        session.flush()
        return ticket

    return add


@contextmanager
def _opened(url: str) -> Generator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        database.close()
