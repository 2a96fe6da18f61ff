"""What a reporter may know of their ticket: facts only, in no language.

Only columns that may be shown are asked for. The text of a report, its subject, the names of its
files, who sent it, who owns the system and what handlers noted stay in the database.
Source: design, "The secret link".
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import and_, case, func, null, select
from sqlalchemy.orm import Session

from ..models.clocks import Clock, ClockKind
from ..models.outbox import Mail, MailKind, MailState
from ..models.progress import Progress, day_to_publish, last_told_at, progress_behind
from ..models.states import CloseReason, TicketState
from ..models.ticket import Direction, Message, Reporter, Ticket, WaitingOn
from .told import Fix, Move, Proposal, told_of


class Outcome(StrEnum):
    """How the promised answer stands."""

    RUNNING = "running"
    OVERDUE = "overdue"
    IN_TIME = "in_time"
    LATE = "late"
    LAPSED = "lapsed"  # closed before an answer was due


@dataclass(frozen=True)
class Response:
    """The promise to answer: until when, whether it was kept, and why an answer named no fix date."""

    due_at: datetime
    answered_at: datetime | None
    outcome: Outcome
    no_date_because: str


# Credit wish, consent, when the answer is due, when it was given, when the IBD had its copy.
Promises = tuple[str | None, bool | None, datetime | None, datetime | None, datetime | None]


@dataclass(frozen=True)
class Sharing:
    """The copy that went to the IBD."""

    at: datetime
    with_identity: bool


@dataclass(frozen=True)
class Letter:
    """A message: of ours the text and whether it asks something, of the reporter's only that it came."""

    at: datetime
    text: str | None
    asks: bool = False

    @property
    def is_ours(self) -> bool:
        """Whether we wrote it."""
        return self.text is not None


@dataclass(frozen=True)
class Problem:
    """How the problem stands that a report was a duplicate of, and since when that is known here."""

    progress: Progress
    told_at: datetime | None
    embargo_ends_at: datetime | None
    embargo_has_ended: bool
    publish_on: date | None


@dataclass(frozen=True)
class Status:
    """Everything that a secret link shows."""

    reference: str
    state: TicketState
    close_reason: CloseReason | None
    waiting_on: WaitingOn | None
    received_at: datetime
    closed_at: datetime | None
    response: Response | None
    expected_fix_on: date | None
    fix_is_late: bool
    fixed_at: datetime | None
    embargo_ends_at: datetime | None
    embargo_has_ended: bool
    publish_on: date | None
    sharing: Sharing | None
    credit: str
    shares_identity: bool
    moves: tuple[Move, ...]
    proposals: tuple[Proposal, ...]
    fixes: tuple[Fix, ...]
    letters: tuple[Letter, ...]
    problem: Problem | None = None

    @property
    def updated_at(self) -> datetime:
        """When the reporter could last see something change."""
        told = (*self.moves, *self.proposals, *self.fixes, *self.letters)
        moments = [self.received_at, *(entry.at for entry in told)]
        if self.sharing:
            moments.append(self.sharing.at)
        if self.problem and self.problem.told_at:
            moments.append(self.problem.told_at)
        if self.response and self.response.answered_at:
            moments.append(self.response.answered_at)
        return max(moments)

    @property
    def is_open(self) -> bool:
        """Whether anything can still happen."""
        return self.state is not TicketState.CLOSED

    @property
    def is_followed(self) -> bool:
        """Whether a closed report goes on, because others work on the problem that it is about."""
        return self.problem is not None and self.problem.progress.state is not TicketState.CLOSED


def status_of(session: Session, ticket: Ticket, *, now: datetime) -> Status:
    """The facts about a ticket; ``now`` in local time. Three queries, however much was said.

    A few more where it was joined with another: how the problem stands, and nothing else of that one.
    """
    credit, shares, due_at, stopped_at, shared_at = _promises(session, ticket)
    told = told_of(session, ticket)
    fix_on, embargo_ends_at = ticket.expected_fix_on, ticket.embargo_ends_at
    return Status(
        reference=ticket.reference,
        state=ticket.state,
        close_reason=ticket.close_reason,
        waiting_on=ticket.waiting_on if ticket.is_open else None,
        received_at=ticket.arrived_at,
        closed_at=ticket.closed_at,
        response=_response(ticket, due_at, stopped_at, told.no_date_because, now),
        expected_fix_on=fix_on,
        fix_is_late=ticket.is_open and not told.fixed_at and fix_on is not None and fix_on < now.date(),
        fixed_at=told.fixed_at,
        embargo_ends_at=embargo_ends_at,
        embargo_has_ended=embargo_ends_at is not None and embargo_ends_at <= now,
        publish_on=day_to_publish(_last_day(told.proposals), embargo_ends_at, now.tzinfo),
        sharing=Sharing(shared_at, with_identity=bool(shares)) if shared_at else None,
        credit=credit or "unasked",
        shares_identity=bool(shares),
        moves=told.moves,
        proposals=told.proposals,
        fixes=told.fixes,
        letters=_letters(session, ticket, told.asked_at),
        problem=_problem(session, ticket, now),
    )


def _problem(session: Session, ticket: Ticket, now: datetime) -> Problem | None:
    is_joined = ticket.close_reason is CloseReason.DUPLICATE
    progress = progress_behind(session, ticket) if is_joined else None
    if progress is None:
        return None
    ends_at = progress.embargo_ends_at
    return Problem(
        progress=progress,
        told_at=last_told_at(session, ticket),
        embargo_ends_at=ends_at,
        embargo_has_ended=ends_at is not None and ends_at <= now,
        publish_on=day_to_publish(progress.publish_on, ends_at, now.tzinfo),
    )


def outcome_of(
    due_at: datetime, answered_at: datetime | None, closed_at: datetime | None, now: datetime
) -> Outcome:
    """Whether an answer was in time; one at the due instant is."""
    if answered_at:
        return Outcome.IN_TIME if answered_at <= due_at else Outcome.LATE
    if closed_at and closed_at <= due_at:
        return Outcome.LAPSED
    return Outcome.RUNNING if now <= due_at else Outcome.OVERDUE


def _response(
    ticket: Ticket, due_at: datetime | None, stopped_at: datetime | None, because: str, now: datetime
) -> Response | None:
    if due_at is None:
        return None
    outcome = outcome_of(due_at, stopped_at, ticket.closed_at, now)
    return Response(due_at, stopped_at, outcome, because)


def _promises(session: Session, ticket: Ticket) -> Promises:
    shared_at = (
        select(func.min(Mail.sent_at))
        .where(Mail.ticket_id == ticket.id, Mail.kind == MailKind.IBD_COPY, Mail.state == MailState.SENT)
        .scalar_subquery()
    )
    response = and_(Clock.ticket_id == Ticket.id, Clock.kind == ClockKind.RESPONSE)
    found = (
        select(Reporter.credit, Reporter.shares_identity, Clock.due_at, Clock.stopped_at, shared_at)
        .select_from(Ticket)
        .outerjoin(Reporter, Reporter.ticket_id == Ticket.id)
        .outerjoin(Clock, response)
        .where(Ticket.id == ticket.id)
    )
    credit, shares, due_at, stopped_at, sent_at = session.execute(found).one()
    return credit, shares, due_at, stopped_at, sent_at


def _last_day(proposals: tuple[Proposal, ...]) -> date | None:
    """The day that was proposed last to publish on."""
    return next((one.publish_on for one in reversed(proposals) if one.publish_on), None)


def _letters(session: Session, ticket: Ticket, asked_at: frozenset[datetime]) -> tuple[Letter, ...]:
    ours = case((Message.direction == Direction.TO_REPORTER, Message.text), else_=null())
    found = (
        select(Message.at, Message.direction, ours)
        .where(
            Message.ticket_id == ticket.id,
            Message.direction.in_((Direction.TO_REPORTER, Direction.FROM_REPORTER)),
        )
        .order_by(Message.id)
    )
    rows = session.execute(found).all()
    if rows and rows[0][1] is Direction.FROM_REPORTER:
        rows = rows[1:]  # the report itself, which stands there as its arrival
    return tuple(Letter(at, text, asks=text is not None and at in asked_at) for at, _, text in rows)
