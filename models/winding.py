"""Winding: a ticket's clocks are read off its history and written into their rows.

Called in the transaction of whatever happened, after it stands in the history; nothing else writes a
clock. What changed by it is added to the history, for people to read; clocks are never read off that.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from .calendar_versions import CalendarVersion, latest_version, plan_of, version_at
from .clock_reading import Reading, read_clocks
from .clock_rules import RESPONSE, SHARE, Happened, Plan
from .clocks import Clock
from .ladder import next_rung_at, void_since
from .promise import Promise
from .ticket import Event, Ticket

#: The clocks of which the history tells when they stop: the policy promises them.
TOLD = frozenset({RESPONSE, SHARE})


def wind(session: Session, ticket: Ticket, promise: Promise, *, now: datetime) -> list[Clock]:
    """Bring a ticket's clocks up to date; gives those that moved. Hold the ticket first."""
    session.flush()
    rows = {clock.kind: clock for clock in session.scalars(_clocks_of(ticket))}
    moved: list[Clock] = []
    for read in readings(session, ticket, promise):
        reading = read.reading
        row = rows.pop(reading.kind, None)
        if row is None:
            row = Clock(ticket=ticket, ticket_id=ticket.id, kind=reading.kind)
            session.add(row)
        elif row.stopped_at != reading.stopped_at:
            _tell(ticket, reading, now=now)
        elif row.round == reading.round and row.due_at != reading.due_at:
            moved.append(row)
            _tell_move(ticket, row, reading, now=now)
            if row.due_at <= now < reading.due_at:
                void_since(session, row, now=now)
        _set(row, reading)
        row.calendar = read.version
        row.next_rung_at = next_rung_at(session, row, promise)
    for never_started in rows.values():  # the mail that started it came back, or its law was taken out
        session.delete(never_started)
    return moved


@dataclass(frozen=True)
class Read:
    """A clock, and what it was read by: the number of a calendar version, 0 before the first."""

    reading: Reading
    plan: Plan
    version: int


def readings(session: Session, ticket: Ticket, promise: Promise) -> list[Read]:
    """The clocks of a ticket as its history says them; what has stopped counts by what held then."""
    rows = select(Event.at, Event.kind, Event.facts).where(Event.ticket_id == ticket.id).order_by(Event.seq)
    history = [Happened(at, kind, facts) for at, kind, facts in session.execute(rows)]
    latest = latest_version(session)
    number = latest.id if latest else 0
    by_version = {number: _read_by(latest, history, promise)}
    found: list[Read] = []
    for read in by_version[number]:
        stopped_at = read.reading.stopped_at
        version = version_at(session, stopped_at) if stopped_at else latest
        held = version.id if version else 0
        if held not in by_version:
            by_version[held] = _read_by(version, history, promise)
        then = (one for one in by_version[held] if one.reading.kind == read.reading.kind)
        found.append(next(then, read))
    return found


def _read_by(version: CalendarVersion | None, history: list[Happened], promise: Promise) -> list[Read]:
    plan, number = plan_of(version, promise), version.id if version else 0
    return [Read(reading, plan, number) for reading in read_clocks(history, plan)]


def _set(row: Clock, reading: Reading) -> None:
    row.round, row.started_at, row.due_at = reading.round, reading.started_at, reading.due_at
    row.stopped_at, row.paused_since = reading.stopped_at, reading.paused_since


def _tell(ticket: Ticket, reading: Reading, *, now: datetime) -> None:
    if reading.kind not in TOLD:
        return
    if reading.stopped_at is None:
        ticket.record("clock_runs_on", by="clock", at=now, clock=reading.kind)
    else:
        in_time = reading.stopped_at <= reading.due_at
        ticket.record("clock_stands", by="clock", at=now, clock=reading.kind, in_time=in_time)


def _tell_move(ticket: Ticket, row: Clock, reading: Reading, *, now: datetime) -> None:
    was, then = row.due_at.isoformat(), reading.due_at.isoformat()
    ticket.record("clock_moved", by="clock", at=now, clock=row.kind, **{"from": was, "to": then})


def tickets_to_wind(session: Session, *, after: int = 0, at_most: int = 500) -> list[int]:
    """The tickets after one whose running clocks were read by an earlier calendar.

    That there are none is one indexed query.
    """
    version = latest_version(session)
    oldest = session.scalar(select(func.min(Clock.calendar)).where(Clock.stopped_at.is_(None)))
    if version is None or oldest is None or oldest >= version.id:
        return []
    stale = select(Clock.ticket_id).where(Clock.stopped_at.is_(None), Clock.calendar < version.id)
    ahead = stale.where(Clock.ticket_id > after).distinct().order_by(Clock.ticket_id)
    return list(session.scalars(ahead.limit(at_most)))


def _clocks_of(ticket: Ticket) -> Select[tuple[Clock]]:
    """The rows as they are now that the ticket is held."""
    found = select(Clock).where(Clock.ticket_id == ticket.id)
    return found.execution_options(populate_existing=True)
