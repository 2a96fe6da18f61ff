"""The open tickets by due date, as a page: what is overdue first, then what is due next.

Numbers, states, dates, and the names of owners and handlers. However many tickets are open, it takes six
queries, and of each section the first are listed: the rest is behind a link.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..models.calendar import due
from ..models.calendar_versions import plan_now
from ..models.clocks import Clock, ClockKind
from ..models.desk import DeskRun
from ..models.outbox import MailKind
from ..models.owners import Owner
from ..models.severity import UNRATED, Severity
from ..models.states import STATE_LABELS, TicketState
from ..models.ticket import Ticket, WaitingOn
from ..models.unanswered import unanswered
from ..models.waiting import STILL_OPEN, stuck_by_ticket, undecided
from .artifacts import link, plain
from .clock_words import in_short
from .desk import local
from .installation import Records
from .saved_links import DUE_SOON, OVERDUE, run_address, runs
from .view import SOON, WAITING, Sla

MOST = 50  # of a section
WEEK = timedelta(days=7)
WROTE_LAST = "the reporter wrote, not answered yet"
#: What matters most comes first: a narrow screen cuts off the last.
COLUMNS = ("ticket", "due", "look at", "state", "waiting on", "owner", "handler", "severity")
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass
class OpenTicket:
    """What the page says of one ticket."""

    owner: str
    run_id: str | None
    reference: str
    state: TicketState
    waiting_on: WaitingOn
    severity: Severity | None
    handler: str | None
    was_answered: bool = True
    running: list[tuple[datetime, str]] = field(default_factory=list[tuple[datetime, str]])
    marks: list[str] = field(default_factory=list[str])

    def urgency(self, now: datetime) -> tuple[datetime, str]:
        """What the page is sorted by."""
        return (self.next_due(now) or (NEVER, ""))[0], self.reference

    def next_due(self, now: datetime) -> tuple[datetime, str] | None:
        """What is due first, and which clock says so; the copy for the IBD only once it is overdue."""
        counted = [(at, kind) for at, kind in self.running if kind != ClockKind.SHARE or at <= now]
        return min(counted, default=None)


def open_tickets(place: Records, session: Session) -> str:
    """The page as it stands now, in markdown."""
    now = place.clock()
    soon = due(now, SOON, plan_now(session, place.promise).calendar)
    sections: dict[str, list[OpenTicket]] = {title: [] for title in _links(place)}
    for one in sorted(_tickets(session), key=lambda one: one.urgency(now)):
        sections[_section(one, now, soon)].append(one)
    return "\n".join(_lines(place, sections, now))


def _lines(place: Records, sections: Mapping[str, Sequence[OpenTicket]], now: datetime) -> Iterator[str]:
    yield "# Open tickets by due date"
    links = _links(place)
    listed = {title: found for title, found in sections.items() if found}
    if not listed:
        yield "\nNo ticket is open."
    for title, found in listed.items():
        yield f"\n## {title}: {len(found)}\n"
        yield f"| {' | '.join(COLUMNS)} |"
        yield f"|{'---|' * len(COLUMNS)}"
        yield from (_row(place, one, now) for one in found[:MOST])
        if len(found) > MOST:
            yield f"\n{link(f'and {len(found) - MOST} more', links[title])}"


def _links(place: Records) -> dict[str, str]:
    """The sections in their order, each with the list of runs that its tickets are in."""
    in_time, answered = f"sla:{Sla.OK}", f"sla:{Sla.ANSWERED}"
    return {
        "Overdue": runs(place, states=[OVERDUE]),
        "Due soon": runs(place, states=[DUE_SOON]),
        "Due within a week": runs(place, in_time),
        "Due later": runs(place, in_time),
        "Answered and being fixed": runs(place, answered),
        "Answered and waiting for somebody": runs(place, answered, states=list(WAITING.values())),
    }


def _section(one: OpenTicket, now: datetime, soon: datetime) -> str:
    found = one.next_due(now)
    if found and found[0] <= now:
        return "Overdue"
    if found and found[0] <= soon:
        return "Due soon"
    if one.was_answered:
        waits = one.waiting_on in WAITING
        return "Answered and waiting for somebody" if waits else "Answered and being fixed"
    return "Due within a week" if found and found[0] <= now + WEEK else "Due later"


def _row(place: Records, one: OpenTicket, now: datetime) -> str:
    cells = (
        link(one.reference, run_address(place, one.reference, one.run_id)),
        _due(place, one, now),
        ", ".join(one.marks),
        STATE_LABELS[one.state][1],
        one.waiting_on.value,
        plain(one.owner),
        plain(one.handler or ""),
        one.severity.value if one.severity else UNRATED,
    )
    return f"| {' | '.join(cells)} |"


def _due(place: Records, one: OpenTicket, now: datetime) -> str:
    found = one.next_due(now)
    if found is None:
        return "-"
    at, kind = found
    told = f"{plain(in_short(kind)) or 'answer'} {local(place, at)}"
    return f"**overdue:** {told}" if at <= now else told


def _tickets(session: Session) -> list[OpenTicket]:
    found = dict(_rows(session))
    clocks = select(Clock.ticket_id, Clock.kind, Clock.due_at, Clock.paused_since).join(Clock.ticket)
    running = session.execute(clocks.where(STILL_OPEN, Clock.stopped_at.is_(None))).tuples()
    for number, kind, due_at, paused_since in running:
        one = found.get(number)
        if one and kind == ClockKind.RESPONSE:
            one.was_answered = False
        if one and paused_since is None:
            one.running.append((due_at, kind))
    for number, mark in _marks(session):
        if number in found:
            found[number].marks.append(mark)
    return list(found.values())


def _rows(session: Session) -> Iterator[tuple[int, OpenTicket]]:
    about = (Ticket.reference, Ticket.state, Ticket.waiting_on, Ticket.severity, Ticket.handler)
    shown = (
        select(Ticket.id, Owner.name, DeskRun.run_id, *about)
        .outerjoin(Owner, Owner.id == Ticket.owner_id)
        .outerjoin(DeskRun, DeskRun.ticket_id == Ticket.id)
        .where(STILL_OPEN)
    )
    for number, owner, run_id, *rest in session.execute(shown):
        yield number, OpenTicket(owner or "triage", run_id, *rest)


def _marks(session: Session) -> Iterator[tuple[int, str]]:
    """What else on a ticket waits for somebody's look."""
    for number in dict.fromkeys(at_work for at_work, _ in unanswered(session)):
        yield number, WROTE_LAST
    for number, kind, state in sorted(session.execute(stuck_by_ticket()).tuples()):
        yield number or 0, f"{mail_in_words(kind)} {state.value}"
    for number, _reference, _run, other in undecided(session):
        yield number, f"may belong to {other}"


def mail_in_words(kind: MailKind) -> str:
    """What a mail is, as handlers call it."""
    return "copy for the IBD" if kind is MailKind.IBD_COPY else kind.value.replace("_", " ")
