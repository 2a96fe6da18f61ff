"""A filled database of each earlier version is upgraded: no row is lost, and all of it can be read."""

import base64
import json
from collections.abc import Generator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from meldbalie.models import ledger
from meldbalie.models import migrate as migrations
from meldbalie.models.clocks import Clock
from meldbalie.models.migrate import is_current, migrate
from meldbalie.models.session import Database
from meldbalie.models.tables import Base
from meldbalie.models.ticket import Event, Ticket, first_broken_link
from meldbalie.models.vault import vault
from meldbalie.models.winding import wind
from meldbalie.tests.models.filled import make
from meldbalie.tests.models.filled.make import KEY, PLACE
from meldbalie.tests.models.reports import DUE, PROMISE
from meldbalie.tests.postgres import PostgresServer
from sqlalchemy import Boolean, Column, Connection, Date, DateTime, LargeBinary, MetaData, Table, func, select
from sqlalchemy.orm import Session

FILLED = Path(__file__).parent / "filled"
VERSIONS = sorted(file.stem for file in FILLED.glob("*.json"))
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(
    request: pytest.FixtureRequest, tmp_path: Path, postgres_server: PostgresServer
) -> Generator[Database]:
    """A database without tables."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path}/meldbalie.db")
        yield database
        database.close()
        return
    with postgres_server.new_database() as name:
        database = Database(postgres_server.url(name))
        yield database
        database.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_filled_database_is_upgraded_without_losing_a_row(empty: Database, version: str):
    before: Rows = json.loads((FILLED / f"{version}.json").read_text())
    fill(empty, version, before)

    applied = migrate(empty)

    assert applied[0] > version
    assert is_current(empty)
    after = rows_of(empty, before)
    tables = reflected(empty).tables
    for table in after.keys() - {"alembic_version"}:
        then = [_typed(tables[table], row) for row in before[table]]
        rows = [row for row in after[table] if not is_new_clock(row, version)]
        assert in_order(rows) == in_order([_all_bare(row) for row in then]), table


@pytest.mark.parametrize("version", VERSIONS)
def test_what_an_earlier_version_wrote_can_be_read(empty: Database, version: str):
    vault.unlock([KEY])
    before: Rows = json.loads((FILLED / f"{version}.json").read_text())
    fill(empty, version, before)
    migrate(empty)

    with empty.reading() as session:
        for mapper in Base.registry.mappers:
            things = session.scalars(select(mapper.class_)).all()
            for thing in things:
                for attribute in mapper.attrs:
                    getattr(thing, attribute.key)
            things = [thing for thing in things if not is_new_clock(vars(thing), version)]
            assert len(things) == len(before.get(mapper.local_table.name, ()))  # type: ignore[attr-defined]
        tickets = session.scalars(select(Ticket)).all()
        assert [first_broken_link(ticket) for ticket in tickets] == [None] * len(tickets)
        assert "kanarie-parameter" in tickets[0].report.text


@pytest.mark.parametrize("version", VERSIONS)
def test_clocks_of_an_earlier_version_read_the_same_now(empty: Database, version: str):
    vault.unlock([KEY])
    before: Rows = json.loads((FILLED / f"{version}.json").read_text())
    fill(empty, version, before)
    migrate(empty)
    with empty.reading() as session:
        there = clocks_in(session)
        was = {key: row for key, row in there.items() if key[1] not in new_clocks(version)}

    with empty.unit_of_work() as session:
        assert not any(wind(session, ticket, PROMISE, now=DUE) for ticket in session.scalars(select(Ticket)))

    with empty.reading() as session:
        now = clocks_in(session)
        assert {key: row for key, row in now.items() if key in was} == was
        assert {kind for _, kind in now.keys() - was.keys()} == new_clocks(version)
        assert all(row[0] < row[1] for row in now.values())
        answered = [row[2] is not None for (_, kind), row in was.items() if kind == "response"]
        assert set(answered) == {False, True}
        assert session.scalar(select(func.count()).select_from(Event)) == len(before["events"])


def new_clocks(version: str) -> set[str]:
    """The clocks that a version did not have: the third one brought two."""
    return {"update", "fix"} if version < "0003" else set()


def is_new_clock(row: Mapping[str, Any], version: str) -> bool:
    """Whether it is a clock that open tickets are given by the upgrade."""
    return row.get("kind") in new_clocks(version) and "started_at" in row


def clocks_in(session: Session) -> dict[tuple[int, str], tuple[Any, ...]]:
    """Each clock of each ticket: when it started, is due, stopped, and is looked at next."""
    return {
        (row.ticket_id, row.kind): (row.started_at, row.due_at, row.stopped_at, row.next_rung_at)
        for row in session.scalars(select(Clock))
    }


def test_the_last_version_but_one_is_among_them():
    revisions = sorted(file.stem[:4] for file in (migrations.MIGRATIONS / "versions").glob("0*.py"))

    assert revisions[:-1] == VERSIONS


def test_uids_above_two_thousand_million_fit(empty: Database):
    """UIDs and UIDVALIDITY are unsigned and of 32 bits: RFC 9051, section 9."""
    vault.unlock([KEY])
    migrate(empty)
    highest = 2**32 - 1
    with empty.unit_of_work() as session:
        where = ledger.Place(PLACE.mailbox, highest)
        now = datetime(2026, 11, 22, tzinfo=UTC)
        ledger.enter(session, where, highest, b"x", message_id="", arrived_at=now, now=now)

    with empty.reading() as session:
        assert session.execute(select(ledger.LedgerEntry.uidvalidity, ledger.LedgerEntry.uid)).one() == (
            highest,
            highest,
        )


def test_what_the_last_version_brings_is_filled_for_the_next_upgrade(empty: Database):
    vault.unlock([KEY])
    fill(empty, VERSIONS[-1], {})
    before = columns_of(empty)

    migrate(empty)
    make.fill(empty)

    there = make.rows_of(empty)
    new = columns_of(empty) - before
    assert new
    assert [
        (table, name) for table, name in new if not any(row[name] is not None for row in there[table])
    ] == []
    json.dumps(there)


def columns_of(database: Database) -> set[tuple[str, str]]:
    """Every column of every table."""
    tables = reflected(database).tables.values()
    return {(table.name, column.name) for table in tables for column in table.columns}


def fill(database: Database, version: str, rows: Rows) -> None:
    """Make the tables as that version had them, and write its rows into them."""
    with migrations._alone(database) as connection:
        command.upgrade(migrations._configuration(connection), version)
    tables = reflected(database)
    with database.engine.begin() as connection:
        for table in tables.sorted_tables:
            given = [_typed(table, row) for row in rows.get(table.name, ())]
            if given and table.name != "alembic_version":
                connection.execute(table.insert(), given)
                _count_on(connection, table)


def _count_on(connection: Connection, table: Table) -> None:
    """Let PostgreSQL number further rows after those that were written with their numbers."""
    if connection.dialect.name == "postgresql" and isinstance(table.c.get("id"), Column):
        sequence = func.pg_get_serial_sequence(table.name, "id")
        connection.execute(select(func.setval(sequence, func.max(table.c.id))))


def rows_of(database: Database, before: Rows) -> Rows:
    """The rows of now, in the columns of then."""
    tables = reflected(database)
    with database.engine.connect() as connection:
        return {
            name: [
                _all_bare(dict(row._mapping))
                for row in connection.execute(select(*(tables.tables[name].c[key] for key in rows[0])))
            ]
            for name, rows in before.items()
            if rows
        }


def reflected(database: Database) -> MetaData:
    """The tables that are there."""
    tables = MetaData()
    tables.reflect(database.engine)
    return tables


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows in an order that does not depend on the database."""
    return sorted(rows, key=repr)


def _all_bare(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _bare(value) for name, value in row.items()}


def _bare(value: Any) -> Any:
    """A value as SQLite gives it: it keeps no zone, and all instants are UTC."""
    is_aware = isinstance(value, datetime) and value.tzinfo
    return value.astimezone(UTC).replace(tzinfo=None) if is_aware else value


def _typed(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """A written row with the types of its table's columns."""
    return {name: _value(table.c[name].type, value) for name, value in row.items()}


def _value(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(kind, LargeBinary):
        return base64.b64decode(value["base64"])
    if isinstance(kind, DateTime):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    if isinstance(kind, Date):
        return datetime.fromisoformat(value).date()
    return bool(value) if isinstance(kind, Boolean) else value
