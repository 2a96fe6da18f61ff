"""Winding anew after the calendar has changed: which tickets move, and which would.

A ticket at a time, each in a transaction of its own: whoever is stopped in between goes on where the
rows say that an earlier calendar was read, and of several who do so at once none moves a clock twice.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from .calendar_versions import latest_version, plan_in
from .clock_reading import read_clocks
from .clock_rules import Happened, Plan
from .clocks import Clock
from .holding import hold
from .promise import Promise
from .ticket import Event, Ticket
from .winding import wind

AT_ONCE = 200


@dataclass(frozen=True)
class Moved:
    """A clock of a ticket that is due at another instant than before."""

    reference: str
    clock: str
    was: datetime
    then: datetime


def rewind(session: Session, ticket_id: int, promise: Promise, *, now: datetime) -> list[Moved]:
    """Read a ticket's clocks by the calendar that holds now; gives those that moved."""
    ticket = session.get_one(Ticket, ticket_id)
    hold(session, ticket)
    rows = select(Clock.kind, Clock.due_at).where(Clock.ticket_id == ticket.id)
    before = dict(session.execute(rows).tuples().all())
    moved = wind(session, ticket, promise, now=now)
    return [Moved(ticket.reference, clock.kind, before[clock.kind], clock.due_at) for clock in moved]


def bring_up_to_date(session: Session, clock_id: int, promise: Promise, *, now: datetime) -> None:
    """Read a clock's ticket again if an earlier calendar stands behind it: no rung fires by that."""
    clock, version = session.get(Clock, clock_id), latest_version(session)
    if clock is not None and version is not None and clock.calendar < version.id:
        rewind(session, clock.ticket_id, promise, now=now)


def would_move(session: Session, content: Mapping[str, Any]) -> Iterator[Moved]:
    """What a version of this content would move, ticket by ticket, while nothing is changed."""
    plan = plan_in(content)
    last = 0
    while tickets := _with_running_clocks(session, after=last):
        for ticket_id, reference in tickets:
            yield from _moves(session, ticket_id, reference, plan)
        last = tickets[-1][0]


def _with_running_clocks(session: Session, *, after: int) -> list[tuple[int, str]]:
    running = select(Clock.ticket_id).where(Clock.stopped_at.is_(None), Clock.ticket_id > after)
    ahead = running.distinct().order_by(Clock.ticket_id).limit(AT_ONCE)
    found = select(Ticket.id, Ticket.reference).where(Ticket.id.in_(ahead)).order_by(Ticket.id)
    return list(session.execute(found).tuples())


def _moves(session: Session, ticket_id: int, reference: str, plan: Plan) -> Iterator[Moved]:
    events = select(Event.at, Event.kind, Event.facts).where(Event.ticket_id == ticket_id).order_by(Event.seq)
    history = [Happened(at, kind, facts) for at, kind, facts in session.execute(events)]
    running = select(Clock.kind, Clock.due_at).where(Clock.ticket_id == ticket_id, Clock.stopped_at.is_(None))
    due = dict(session.execute(running).tuples().all())
    for reading in read_clocks(history, plan):
        was = due.get(reading.kind)
        if was is not None and was != reading.due_at:
            yield Moved(reference, reading.kind, was, reading.due_at)
