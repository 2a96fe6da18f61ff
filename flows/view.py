"""What Prefect's list of runs shows of a ticket: its name, its state in words, and tags to filter by.

Numbers, states, dates, and the names of owners and handlers; never a word of a report, nor who sent it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy.orm import Session

from ..models.calendar import Duration, Unit, due
from ..models.calendar_versions import plan_now
from ..models.clock_rules import ClockKind
from ..models.clocks import Clock
from ..models.severity import UNRATED
from ..models.states import STATE_LABELS
from ..models.ticket import Ticket, WaitingOn
from .clock_words import in_short
from .desk import answered, local, response_clock
from .installation import Records

SOON = Duration(1, Unit.WORKING_DAYS)
#: How long what is due soon may be shown too late.
HOUR = timedelta(hours=1)
WAITING = {
    WaitingOn.REPORTER: "Waiting for reporter",
    WaitingOn.SUPPLIER: "Waiting for supplier",
    WaitingOn.IBD: "Waiting for the IBD",
}


class Sla(StrEnum):
    """How the promise stands."""

    OVERDUE = "overdue"
    DUE_SOON = "due-soon"
    OK = "ok"
    ANSWERED = "answered"


SLA_LABELS = {Sla.OVERDUE: "Overdue", Sla.DUE_SOON: "Due soon"}


@dataclass(frozen=True)
class View:
    """What Prefect shows of a ticket; ``until`` is when that may change with nothing happening."""

    name: str
    state: str
    tags: tuple[str, ...]
    until: datetime | None


def view(place: Records, session: Session, ticket: Ticket) -> View:
    """What Prefect shows of a ticket now."""
    now = place.clock()
    running = [clock for clock in ticket.clocks if clock.stopped_at is None and clock.paused_since is None]
    soon = due(now, SOON, plan_now(session, place.promise).calendar)
    sla = _sla(ticket, running, now, soon)
    return View(
        name=_name(place, ticket, running, now),
        state=_state(ticket, sla),
        tags=(
            "ticket",
            f"owner:{ticket.owner_name}",
            *([f"handler:{ticket.handler}"] if ticket.handler else []),
            f"severity:{ticket.severity or UNRATED}",
            f"state:{ticket.state.value.lower()}",
            f"sla:{sla.value}",
            *([f"waiting:{ticket.waiting_on.value}"] if ticket.is_open else []),
        ),
        until=_until(running, sla, now) if ticket.is_open else None,
    )


def _sla(ticket: Ticket, running: Sequence[Clock], now: datetime, soon: datetime) -> Sla:
    if any(clock.due_at <= now for clock in running):
        return Sla.OVERDUE
    if any(clock.due_at <= soon for clock in running if clock.kind != ClockKind.SHARE):
        return Sla.DUE_SOON
    return Sla.OK if response_clock(ticket).stopped_at is None else Sla.ANSWERED


def _state(ticket: Ticket, sla: Sla) -> str:
    if not ticket.is_open:
        return STATE_LABELS[ticket.state][1]
    return SLA_LABELS.get(sla) or WAITING.get(ticket.waiting_on) or STATE_LABELS[ticket.state][1]


def _name(place: Records, ticket: Ticket, running: Sequence[Clock], now: datetime) -> str:
    return " · ".join((ticket.reference, ticket.owner_name, _due(place, ticket, running, now)))


def _due(place: Records, ticket: Ticket, running: Sequence[Clock], now: datetime) -> str:
    """What is due first; of a closed ticket when it was answered."""
    if not ticket.is_open:
        return answered(place, ticket) or "closed"
    counted = [clock for clock in running if clock.kind != ClockKind.SHARE or clock.due_at <= now]
    if not counted:
        return f"waiting for the {ticket.waiting_on}" if ticket.waiting_on in WAITING else "nothing due"
    first = min(counted, key=lambda clock: clock.due_at)
    return f"{in_short(first.kind)}due {local(place, first.due_at)}"


def _until(running: Sequence[Clock], sla: Sla, now: datetime) -> datetime | None:
    """The next clock that is due, or an hour later: from when on it is due soon is not worked out."""
    ahead = [clock.due_at for clock in running if clock.due_at > now]
    if sla is Sla.OVERDUE or not ahead:
        return min(ahead, default=None)
    return min(*ahead, now + HOUR)
