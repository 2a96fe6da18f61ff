"""Databases with very many tickets: four that our own code made, copied with SQL.

Three of the four are open: two wait for an answer, one was answered. The fourth is closed. Each has its
message in the ledger, its clocks, its history and its mails; the copies differ in their numbers and tokens,
and their next rungs follow one another by the second, two at a time, from :data:`FIRST_RUNG` on.
"""

from collections.abc import Mapping
from datetime import timedelta

from meldbalie.flows.calendars import follow_calendar
from meldbalie.flows.installation import Installation
from meldbalie.models import acts
from meldbalie.models.alarms import AlarmKind, Look, take_note
from meldbalie.models.clocks import Acknowledgement, FiredRung
from meldbalie.models.delivery import claim_next, was_delivered
from meldbalie.models.filing import Received, decide, open_ticket
from meldbalie.models.ladder import climb, due_clocks
from meldbalie.models.ledger import Place, Verdict, enter
from meldbalie.models.outbox import Mail, MailKind, MailState
from meldbalie.models.session import Database
from meldbalie.models.states import CloseReason
from meldbalie.models.tables import Base
from meldbalie.models.threads import thread_token
from meldbalie.models.ticket import Ticket
from meldbalie.tests.flows.world import START, Present, World
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    cast,
    func,
    insert,
    literal,
    select,
    text,
    true,
    type_coerce,
)
from sqlalchemy.orm import Session

COPIED = (
    "tickets",
    "ledger",
    "reporters",
    "messages",
    "targets",
    "sketches",
    "marks",
    "events",
    "clocks",
    "fired_rungs",
    "acknowledgements",
    "outbox",
    "threads",
    "secret_links",
    "alarms",
)
#: Text of which there is one: a copy's has its number.
UNIQUE = {"reference", "once", "token_hash", "identity", "about"}
OPEN_OF_FOUR = 3
#: When the next rung of those that wait is due: at 80 % of five days.
FIRST_RUNG = START + timedelta(days=4)
NOW = FIRST_RUNG - timedelta(hours=1)
INBOX = Place("cvd@voorbeeld.example/INBOX", 1)


def fill(world: World, *, open_tickets: int) -> None:
    """Fill an empty database with at least so many open tickets, and with a third of that closed.

    It is then an hour before the next rung. SQLite is left as it is where we run: it is never told to count
    what it holds, as PostgreSQL does by itself (:func:`know_sizes`).
    """
    place, present, fingerprint = world.place, world.present, world.people.web_team.fingerprint
    make_four(place, present, fingerprint)
    copies = -(-open_tickets // OPEN_OF_FOUR) - 1
    tables = [Base.metadata.tables[name] for name in COPIED]
    with place.database.engine.connect() as connection:
        counts = [connection.scalar(select(func.count()).select_from(table)) or 0 for table in tables]
        strides = dict(zip(COPIED, counts, strict=True))
        connection.rollback()
        _hurry(connection)
        for table in tables if copies else ():
            with connection.begin():
                _copy(connection, table, copies, strides)
        connection.invalidate()  # what hurries does not insist that references hold
    if place.database.engine.dialect.name == "postgresql":
        know_sizes(place.database)


def know_sizes(database: Database) -> None:
    """Let the database count what it holds: by that it decides how to search."""
    engine = database.engine
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql("VACUUM ANALYZE")
        else:
            connection.exec_driver_sql("ANALYZE")
            connection.commit()
    engine.dispose()


def make_four(place: Installation, present: Present, fingerprint: str) -> None:
    """Let four reports arrive in an empty database, and what happens to them be done by our own code."""
    present.now = START
    assert follow_calendar(place, lambda _line: None) == []
    for number in range(1, 5):
        with place.database.unit_of_work() as session:
            _report(session, place, number, fingerprint)
    _send_all(place)
    present.passes(days=1)
    with place.database.unit_of_work() as session:
        _answer(session, place, session.get_one(Ticket, 3))
        _close(session, place, session.get_one(Ticket, 4))
    _send_all(place)
    present.passes(days=2)
    with place.database.unit_of_work() as session:
        for number in due_clocks(session, present()):
            climb(session, number, place.promise, now=present())
        for rung in session.scalars(select(FiredRung)):
            session.add(Acknowledgement(rung_id=rung.id, token_hash=f"seen {rung.id}", who="Balie"))
    present.now = NOW  # a working day: what was written on Sunday leaves
    _send_all(place)
    with place.database.unit_of_work() as session:
        for number, state in ((2, MailState.HELD), (4, MailState.PARKED)):
            found = select(Mail).where(Mail.ticket_id == number, Mail.kind == MailKind.IBD_COPY)
            session.scalars(found).one().state = state
        for wrong in ({"settled"}, set[str]()):
            take_note(session, [Look(AlarmKind.MAIL_OVERDUE, frozenset(wrong))], now=NOW)


def _report(session: Session, place: Installation, number: int, fingerprint: str) -> None:
    now, raw = place.clock(), f"Subject: XSS\r\n\r\nIt reflects {number}.\r\n".encode()
    entry = enter(session, INBOX, number, raw, message_id=f"<{number}>", arrived_at=now, now=now)
    session.flush()
    received = Received(
        arrived_at=now,
        subject="XSS in the search form",
        text="It reflects what it is given. " * 10,
        targets=("formulieren.voorbeeld.example",),
        name="Sanne de Vries",
        address=f"sanne{number}@onderzoek.example",
        fingerprint=fingerprint,
        was_encrypted=True,
        message_id=f"<{number}@onderzoek.example>",
    )
    ticket = open_ticket(session, received, place.promise, now=now, entry=entry)
    thread_token(session, ticket, "reporter")
    decide(entry, Verdict.OPENED_TICKET, now=now, ticket=ticket)
    entry.put_away_at = now


def _answer(session: Session, place: Installation, ticket: Ticket) -> None:
    acts.answer(
        session,
        ticket,
        text="We look into it.",
        fix_on=None,
        no_date_because="we wait for the supplier",
        by="Balie",
        promise=place.promise,
        now=place.clock(),
    )


def _close(session: Session, place: Installation, ticket: Ticket) -> None:
    why, promise, now = "It is not ours.", place.promise, place.clock()
    acts.invalidate(session, ticket, by="Balie", because=why, promise=promise, now=now)
    acts.close(
        session, ticket, reason=CloseReason.OUT_OF_SCOPE, by="Balie", because=why, promise=promise, now=now
    )


def _send_all(place: Installation) -> None:
    with place.database.unit_of_work() as session:
        while (number := claim_next(session, place.clock())) is not None:
            mail = session.get_one(Mail, number)
            was_delivered(session, mail, place.promise, sealed=True, now=place.clock())
            session.flush()


def _hurry(connection: Connection) -> None:
    """Let nothing wait for the disk, nor check what is copied."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET session_replication_role = replica")
        connection.exec_driver_sql("SET synchronous_commit = off")
        connection.commit()
        return
    driver = connection.connection.driver_connection
    assert driver
    for pragma in ("foreign_keys=OFF", "synchronous=OFF", "cache_size=-400000"):
        driver.execute(f"PRAGMA {pragma}")


def _copy(connection: Connection, table: Table, copies: int, strides: Mapping[str, int]) -> None:
    """Copy every row so many times, and let numbers go on after the last."""
    connection.execute(text("DROP TABLE IF EXISTS originals"))
    connection.execute(text(f"CREATE TEMPORARY TABLE originals AS SELECT * FROM {table.name}"))
    originals = Table("originals", MetaData(), *(Column(each.name, each.type) for each in table.columns))
    first = select(literal(1).label("k")).cte("numbers", recursive=True)
    numbers = first.union_all(select(first.c.k + 1).where(first.c.k < copies))
    is_postgresql = connection.dialect.name == "postgresql"
    values = [
        _value(column, originals.c[column.name], numbers.c.k, strides, is_postgresql=is_postgresql)
        for column in table.columns
    ]
    rows = select(*values).select_from(numbers.join(originals, true()))
    connection.execute(insert(table).from_select([each.name for each in table.columns], rows))
    if is_postgresql and "id" in table.columns:
        last = f"pg_get_serial_sequence('{table.name}', 'id')"
        connection.execute(text(f"SELECT setval({last}, (SELECT max(id) FROM {table.name}))"))


def _value(
    column: Column[object],
    original: ColumnElement[object],
    k: ColumnElement[int],
    strides: Mapping[str, int],
    *,
    is_postgresql: bool,
) -> ColumnElement[object]:
    referred = next((key.column.table.name for key in column.foreign_keys), column.table.name)
    is_number = column.primary_key or column.name == "uid" or bool(column.foreign_keys)
    if is_number and referred in strides:
        return type_coerce(original, Integer) + k * strides[referred]
    if column.name in UNIQUE:
        return type_coerce(original, String) + "-" + cast(k, String)
    if column.name == "next_rung_at":
        return _later(original, k, is_postgresql=is_postgresql)
    return original


def _later(
    instant: ColumnElement[object], seconds: ColumnElement[int], *, is_postgresql: bool
) -> ColumnElement[object]:
    if is_postgresql:
        return instant + func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    return func.strftime("%Y-%m-%d %H:%M:%f000", instant, cast(seconds, String) + " seconds")
