"""What waits for somebody at the desk, over all tickets: clocks, deadlines, mails, confirmations, matches.

Each is one query, whatever is open. Nothing here holds a word of a report, or who sent it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, and_, exists, or_, select
from sqlalchemy.orm import Session, aliased

from .clocks import Clock, ClockKind, FiredRung
from .confirmations import Confirmation
from .desk import DeskRun
from .outbox import Mail, MailKind, MailState
from .owners import Owner
from .suggestions import Suggestion
from .ticket import Ticket

STILL_OPEN = Ticket.closed_at.is_(None)
#: How long a mail that did not leave is somebody's work, where its ticket is closed or it has none.
LATELY = timedelta(days=30)
#: How long a ticket is kept after it was closed: then a handler starts its forgetting.
KEPT_FOR_DAYS = 90


@dataclass(frozen=True)
class Due:
    """A clock that runs: whose ticket it is of, when it is due, and the run that shows it."""

    reference: str
    run_id: str | None
    kind: str
    at: datetime
    owner: str
    handler: str | None

    @property
    def is_of_a_law(self) -> bool:
        """Whether a law started it, and not the promise."""
        return self.kind not in list(ClockKind)


@dataclass(frozen=True)
class Unseen:
    """A rung of a running clock that somebody should say that they have seen, until an instant."""

    reference: str
    run_id: str | None
    kind: str
    rung: str
    at: datetime


@dataclass(frozen=True)
class Asked:
    """An act that waits for its link to be opened, until an instant; of several tickets without a number."""

    reference: str | None
    run_id: str | None
    who: str
    action: str
    at: datetime


@dataclass(frozen=True)
class Stuck:
    """A mail that is held or parked: to whom by their part in it, why as a code, and since when."""

    reference: str | None
    run_id: str | None
    number: int
    kind: MailKind
    party: str
    state: MailState
    problem: str | None
    at: datetime


def clocks_ahead(session: Session, until: datetime) -> list[Due]:
    """The running clocks that are due by an instant, and all those of laws; the earliest first."""
    is_soon = or_(Clock.due_at <= until, Clock.kind.not_in(list(ClockKind)))
    found = (
        select(Ticket.reference, DeskRun.run_id, Clock.kind, Clock.due_at, Owner.name, Ticket.handler)
        .join(Clock, Clock.ticket_id == Ticket.id)
        .outerjoin(Owner, Owner.id == Ticket.owner_id)
        .outerjoin(DeskRun, DeskRun.ticket_id == Ticket.id)
        .where(Clock.next_rung_at.is_not(None), is_soon)
        .order_by(Clock.due_at, Clock.id)
    )
    return [
        Due(reference, run_id, kind, at, owner or "triage", handler)
        for reference, run_id, kind, at, owner, handler in session.execute(found).tuples()
    ]


def unseen_rungs(session: Session) -> list[Unseen]:
    """The last rungs of running clocks that nobody has acknowledged who should, the most urgent first."""
    later = aliased(FiredRung)
    is_not_last = exists().where(
        later.ticket_id == FiredRung.ticket_id,
        later.kind == FiredRung.kind,
        later.round == FiredRung.round,
        later.voided_at.is_(None),
        later.id > FiredRung.id,
    )
    of_it = and_(
        FiredRung.ticket_id == Clock.ticket_id,
        FiredRung.kind == Clock.kind,
        FiredRung.round == Clock.round,
        FiredRung.voided_at.is_(None),
    )
    found = (
        select(Ticket.reference, DeskRun.run_id, Clock.kind, FiredRung.rung, FiredRung.acknowledge_by)
        .select_from(Clock)
        .join(FiredRung, of_it)
        .join(Ticket, Ticket.id == Clock.ticket_id)
        .outerjoin(DeskRun, DeskRun.ticket_id == Ticket.id)
        .where(
            Clock.next_rung_at.is_not(None),
            FiredRung.acknowledge_by.is_not(None),
            FiredRung.acknowledged_at.is_(None),
            ~is_not_last,
        )
        .order_by(FiredRung.acknowledge_by, FiredRung.id)
    )
    return [Unseen(*row) for row in session.execute(found)]


def asked_for(session: Session, now: datetime) -> list[Asked]:
    """The acts that can still be confirmed, the one that expires first before the others."""
    found = (
        select(
            Ticket.reference, DeskRun.run_id, Confirmation.who, Confirmation.action, Confirmation.expires_at
        )
        .select_from(Confirmation)
        .outerjoin(Ticket, Ticket.id == Confirmation.ticket_id)
        .outerjoin(DeskRun, DeskRun.ticket_id == Ticket.id)
        .where(
            Confirmation.done_at.is_(None),
            Confirmation.confirmed_at.is_(None),
            Confirmation.expires_at > now,
        )
        .order_by(Confirmation.expires_at, Confirmation.id)
    )
    return [Asked(*row) for row in session.execute(found)]


def stuck_mails(session: Session, now: datetime) -> list[Stuck]:
    """The mails that are held or parked, on open tickets, or of late; the oldest first."""
    about = (Mail.id, Mail.kind, Mail.party, Mail.state, Mail.problem, Mail.created_at)
    is_work = or_(and_(Mail.ticket_id.is_not(None), STILL_OPEN), Mail.created_at > now - LATELY)
    found = (
        select(Ticket.reference, DeskRun.run_id, *about)
        .select_from(Mail)
        .outerjoin(Ticket, Ticket.id == Mail.ticket_id)
        .outerjoin(DeskRun, DeskRun.ticket_id == Mail.ticket_id)
        .where(Mail.state.in_((MailState.HELD, MailState.PARKED)), is_work)
        .order_by(Mail.id)
    )
    return [Stuck(*row) for row in session.execute(found)]


def stuck_by_ticket() -> Select[tuple[int | None, MailKind, MailState]]:
    """Which kinds of mail are held or parked on open tickets."""
    of_tickets = select(Mail.ticket_id, Mail.kind, Mail.state).join(Ticket, Ticket.id == Mail.ticket_id)
    return of_tickets.where(STILL_OPEN, Mail.state.in_((MailState.HELD, MailState.PARKED))).distinct()


def undecided(session: Session) -> list[tuple[int, str, str | None, str]]:
    """The open tickets that may belong to others: each with its number and run, and the other's number."""
    other = aliased(Ticket)
    its_number = select(other.reference).where(other.id == Suggestion.other_id).scalar_subquery()
    found = (
        select(Ticket.id, Ticket.reference, DeskRun.run_id, its_number)
        .select_from(Ticket)
        .join(Suggestion, Suggestion.ticket_id == Ticket.id)
        .outerjoin(DeskRun, DeskRun.ticket_id == Ticket.id)
        .where(STILL_OPEN, Suggestion.settled_at.is_(None))
        .order_by(Suggestion.id)
    )
    return list(session.execute(found).tuples())
