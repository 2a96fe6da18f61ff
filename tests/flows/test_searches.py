"""What runs all the time searches by indexes: it costs as much with a million tickets as with ten.

Every statement is planned by a database that holds thousands of tickets and has counted what it holds, and
none may read through a table that grows with the tickets, nor touch more than a few of its rows.
"""

import json
import logging
import re
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from meldbalie.flows import deliver as delivering
from meldbalie.flows import key_watch
from meldbalie.flows import sweep as sweeping
from meldbalie.flows.duty import duty
from meldbalie.flows.filing import file_entry
from meldbalie.flows.open_tickets import open_tickets
from meldbalie.models import ledger
from meldbalie.models.clocks import Clock
from meldbalie.models.delivery import was_delivered
from meldbalie.models.desk import (
    desk_run_of,
    ticket_of_run,
    tickets_changed_by_time,
    tickets_of_the_last_events,
    tickets_to_show,
)
from meldbalie.models.filing import Received, open_ticket
from meldbalie.models.forgetting import forget_due
from meldbalie.models.links import make_link
from meldbalie.models.outbox import Mail, MailState
from meldbalie.models.states import TicketState
from meldbalie.models.suggestions import open_suggestions
from meldbalie.models.tables import Base
from meldbalie.models.ticket import Ticket
from meldbalie.models.waiting import KEPT_FOR_DAYS
from meldbalie.tests.benchmarks.workbench import records_room
from meldbalie.tests.flows.world import START, World
from meldbalie.tests.multitude import COPIED, FIRST_RUNG, INBOX, fill, know_sizes
from meldbalie.tests.postgres import PostgresServer
from meldbalie.webhooks.app import create_app
from sqlalchemy import Connection, Engine, event, select, update

TICKETS = 3000
LARGE = set(COPIED)
#: Indexes that hold few rows however many the table has.
PARTIAL = {
    index.name
    for table in Base.metadata.tables.values()
    for index in table.indexes
    if index.dialect_options["postgresql"]["where"] is not None
} - {"ix_clocks_running"}
MOST_ROWS = 100
#: SQLite counts instructions of its machine, some ten for a row that is looked at.
MOST_THOUSANDS = 10
SCAN = re.compile(r"SCAN (\w+?)(?:_\d+)?(?: USING (?:COVERING )?INDEX (\w+))?$")


@dataclass(frozen=True)
class Asked:
    """A statement as the database was given it."""

    statement: str
    parameters: Any


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def crowded(request: pytest.FixtureRequest) -> Generator[World]:
    """An installation with thousands of tickets."""
    with ExitStack() as stack:
        url = None
        if request.param == "postgresql":
            server: PostgresServer = request.getfixturevalue("postgres_server")
            url = server.url(stack.enter_context(server.new_database()))
        world = stack.enter_context(records_room(url))
        fill(world, open_tickets=TICKETS)
        yield world


@contextmanager
def asked_by() -> Generator[list[Asked]]:
    """The statements that are executed meanwhile."""
    heard: list[Asked] = []

    def hear(_c: object, _cursor: object, statement: str, parameters: Any, _ctx: object, _m: bool) -> None:
        heard.append(Asked(statement, parameters))

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        event.remove(Engine, "before_cursor_execute", hear)


def sweeps(world: World, monkeypatch: pytest.MonkeyPatch) -> int:
    """Sweep as the flow does, without Prefect."""
    monkeypatch.setattr(sweeping, "installation", lambda: world.place)
    monkeypatch.setattr(sweeping, "get_run_logger", lambda: logging.getLogger(__name__))
    monkeypatch.setattr(key_watch, "TICKETS_AT_ONCE", 20)
    return sweeping.sweep.fn()


def rungs_come_due(world: World, *, seconds: int) -> None:
    """So many seconds pass, in each of which two rungs come due."""
    world.present.now = max(world.present.now, FIRST_RUNG) + timedelta(seconds=seconds)


def nothing_is_read_through(world: World, heard: list[Asked]) -> None:
    """Every statement finds its few rows by an index."""
    wrong: list[str] = []
    with world.place.database.engine.connect() as connection:
        look = _in_postgresql if connection.dialect.name == "postgresql" else _in_sqlite
        for asked in heard:
            if asked.statement.startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
                wrong += [f"{why}\n{asked.statement}\n" for why in look(connection, asked)]
            connection.rollback()
    assert heard
    assert not wrong, "\n".join(dict.fromkeys(wrong))


def _in_sqlite(connection: Connection, asked: Asked) -> Iterator[str]:
    plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked.statement}", asked.parameters)
    steps = [row[3] for row in plan]
    scanned = {found[1] for step in steps if (found := SCAN.match(step)) and found[2] not in PARTIAL}
    if LARGE & scanned:
        yield f"reads through {sorted(LARGE & scanned)}: {'; '.join(steps)}"
    elif asked.statement.startswith("SELECT") and (worked := _worked(connection, asked)) > MOST_THOUSANDS:
        yield f"takes {worked},000 steps: {'; '.join(steps)}"


def _worked(connection: Connection, asked: Asked) -> int:
    """How many thousand instructions of SQLite's machine a statement takes."""
    thousands: list[None] = []
    driver: Any = connection.connection.driver_connection
    driver.set_progress_handler(lambda: thousands.append(None), 1000)
    try:
        connection.exec_driver_sql(asked.statement, asked.parameters).all()
    finally:
        driver.set_progress_handler(None, 0)
    return len(thousands)


def _in_postgresql(connection: Connection, asked: Asked) -> Iterator[str]:
    how = "ANALYZE, FORMAT JSON" if asked.statement.startswith("SELECT") else "FORMAT JSON"
    plan = connection.exec_driver_sql(f"EXPLAIN ({how}) {asked.statement}", asked.parameters).scalar_one()
    for node in _nodes(plan[0]["Plan"]):
        kind = node["Node Type"]
        if not kind.endswith("Scan"):
            continue
        touched = node.get("Actual Rows", 0) + node.get("Rows Removed by Filter", 0)
        is_searched = "Index Cond" in node or node.get("Index Name") in PARTIAL or "Bitmap" in kind
        if node.get("Relation Name") in LARGE and not is_searched:
            yield f"reads through {node['Relation Name']}: {json.dumps(node)}"
        elif touched * node.get("Actual Loops", 1) > MOST_ROWS:
            yield f"touches {touched} rows: {json.dumps(node)}"


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {name: value for name, value in plan.items() if name != "Plans"}
    for under in plan.get("Plans", ()):
        yield from _nodes(under)


def test_a_sweep_with_nothing_due_searches(crowded: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sweeps(crowded, monkeypatch)

    with asked_by() as heard:
        assert sweeps(crowded, monkeypatch) == 0

    nothing_is_read_through(crowded, heard)


def test_a_rung_that_fires_searches(crowded: World, monkeypatch: pytest.MonkeyPatch) -> None:
    rungs_come_due(crowded, seconds=3)

    with asked_by() as heard:
        assert sweeps(crowded, monkeypatch) >= 2

    nothing_is_read_through(crowded, heard)


def test_delivering_searches(crowded: World, monkeypatch: pytest.MonkeyPatch) -> None:
    rungs_come_due(crowded, seconds=MOST_ROWS)
    sweeps(crowded, monkeypatch)

    with asked_by() as heard:
        number = delivering._claim(crowded.place)
        assert number
        assert not delivering._is_called_off(crowded.place, number)
        assert not delivering._is_held_back(crowded.place, number)
        with crowded.place.database.unit_of_work() as session:
            mail = session.get_one(Mail, number)
            was_delivered(session, mail, crowded.place.promise, sealed=True, now=crowded.present())

    nothing_is_read_through(crowded, heard)


def test_taking_in_searches(crowded: World) -> None:
    raw = crowded.reports(seals=False, key=False)
    now, database = crowded.present(), crowded.place.database

    with asked_by() as heard:
        with database.reading() as session:
            assert ledger.entered(session, INBOX, []) == set()
            assert ledger.not_put_away(session, INBOX) == []
        with database.unit_of_work() as session:
            ledger.enter(session, INBOX, 10**6, raw, message_id="<1>", arrived_at=now, now=now)
        with database.reading() as session:
            (number,) = ledger.undecided(session, now)
        file_entry(crowded.place, number)
        with database.unit_of_work() as session:
            ledger.were_put_away(session, [number], now=now)

    nothing_is_read_through(crowded, heard)


def test_what_is_alike_is_searched_for_among_thousands_that_are(crowded: World) -> None:
    database, promise = crowded.place.database, crowded.place.promise
    with database.reading() as session:
        like = session.get_one(Ticket, 1)
        received = Received(
            arrived_at=crowded.present(),
            subject=like.report.subject,
            text=like.report.text,
            targets=("formulieren.voorbeeld.example",),
            address=like.reporter.address,
        )

    with asked_by() as heard, database.unit_of_work() as session:
        opened = open_ticket(session, received, promise, now=crowded.present())
        assert [one.why for one in open_suggestions(session, opened)] == ["same_reporter"] * 3

    nothing_is_read_through(crowded, heard)


def test_what_the_web_shows_is_searched_for(crowded: World) -> None:
    with crowded.place.database.unit_of_work() as session:
        link = make_link(session, session.get_one(Ticket, 1), at=crowded.present())
    app = create_app(crowded.place.config, clock=crowded.present)
    client = app.test_client()

    with asked_by() as heard:
        assert client.get("/health").status_code
        assert client.get(f"/s/{link}").status_code == 200
        assert client.get("/a/unknown").status_code == 404
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()

    nothing_is_read_through(crowded, heard)


def test_the_tickets_that_prefect_shows_are_searched_for_among_the_closed(crowded: World) -> None:
    database = crowded.place.database
    with database.unit_of_work() as session:
        others = update(Ticket).where(Ticket.id > 8).values(state=TicketState.CLOSED, closed_at=START)
        session.execute(others.execution_options(synchronize_session=False))
    with database.unit_of_work() as session:
        for ticket in session.scalars(select(Ticket)).all():
            desk_run_of(session, ticket).run_id = f"of {ticket.reference}"

    if database.engine.dialect.name == "postgresql":
        know_sizes(database)

    with asked_by() as heard, database.reading() as session:
        assert len(tickets_to_show(session, closed_after=crowded.present() - timedelta(days=1))) == 6
        assert len(tickets_of_the_last_events(session, 10)) == 10
        assert tickets_changed_by_time(session, crowded.present()) == []
        assert ticket_of_run(session, "of CVD-2026-0001") == "CVD-2026-0001"

    nothing_is_read_through(crowded, heard)


def test_what_is_to_be_forgotten_is_searched_for_among_what_was(crowded: World) -> None:
    database = crowded.place.database
    with database.unit_of_work() as session:
        rest = {"synchronize_session": False}
        gone = {"state": TicketState.CLOSED, "closed_at": START, "forgotten_at": START}
        session.execute(update(Ticket).where(Ticket.id > 8).values(gone).execution_options(**rest))
    if database.engine.dialect.name == "postgresql":
        know_sizes(database)

    with asked_by() as heard, database.reading() as session:
        assert len(forget_due(session, START + timedelta(days=KEPT_FOR_DAYS + 2), KEPT_FOR_DAYS)) == 2

    nothing_is_read_through(crowded, heard)


def test_the_pages_of_the_desk_search_among_the_closed(crowded: World) -> None:
    database = crowded.place.database
    with database.unit_of_work() as session:
        rest = {"synchronize_session": False}
        for table, number, over in (
            (Ticket, Ticket.id, {"state": TicketState.CLOSED, "closed_at": START}),
            (Clock, Clock.ticket_id, {"next_rung_at": None}),
            (Mail, Mail.ticket_id, {"state": MailState.SENT}),
        ):
            session.execute(update(table).where(number > 8).values(over).execution_options(**rest))
    if database.engine.dialect.name == "postgresql":
        know_sizes(database)

    with asked_by() as heard, database.reading() as session:
        assert "CVD-2026-0001" in open_tickets(crowded.place, session)
        assert "CVD-2026-0001" in duty(crowded.place, session, [])

    nothing_is_read_through(crowded, heard)
