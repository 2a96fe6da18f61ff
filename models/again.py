"""A report that gets a second ticket: a closed one is taken up again, one about two things is split.

The second ticket has the report, its files and its reporter as the first has them, a number and a link of
its own, and everything that opening causes. The mail as it arrived stays with the first, which it is
linked to.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from .clocks import Clock, ClockKind
from .copies import waiting_copy
from .errors import Refused
from .filing import UNJUDGED, Received, ReceivedFile, open_ticket
from .holding import hold
from .owners import Owner
from .progress import pass_on
from .promise import Promise
from .routing import route
from .states import CloseReason, TicketState
from .suggestions import Suggestion
from .ticket import Event, Ticket
from .winding import wind

REOPENS, SPLIT_FROM = "reopens", "split_from"


def reopen(
    session: Session, ticket: Ticket, *, by: str, because: str, promise: Promise, now: datetime
) -> Ticket:
    """Take up a closed report under a new number; its clocks run from now. Raises :class:`Refused`.

    It goes to the owner who had it, else by routing.
    """
    hold(session, ticket)
    if ticket.is_open:
        raise Refused(f"{ticket.reference} is open: only a closed ticket can be taken up again")
    _refuse_forgotten(ticket)
    if (other := reopened_as(session, ticket)) is not None:
        raise Refused(f"{ticket.reference} was taken up again already, as {other.reference}: go on there")
    again = _second(session, ticket, ticket.owner, promise, arrived_at=now, now=now)
    again.record(REOPENS, by=by, at=now, because=because, other=ticket.reference)
    ticket.record("reopened", by=by, at=now, because=because, other=again.reference)
    of_either = or_(Suggestion.other_id == ticket.id, Suggestion.ticket_id == ticket.id)
    for one in session.scalars(select(Suggestion).where(of_either, Suggestion.joined.is_(True))):
        if one.other is ticket:  # their reporters go on being informed
            one.other = again
        else:  # it is no part of another one any more
            one.joined = False
    pass_on(session, again, by=by, now=now, reopens=ticket)
    return again


def split(
    session: Session,
    ticket: Ticket,
    *,
    owner_name: str,
    by: str,
    because: str,
    promise: Promise,
    now: datetime,
) -> Ticket:
    """Give one of the two things that a report is about to another owner; raises :class:`Refused`.

    Without a name it goes to whom routing finds. The reporter was promised an answer when the report
    arrived: the response clock of the second ticket runs from then, or from now where they have had one.
    """
    hold(session, ticket)
    if not ticket.is_open:
        raise Refused(f"{ticket.reference} is closed: take it up again, and split that")
    owner = _owner_called(session, owner_name) if owner_name.strip() else None
    targets = [target.value for target in ticket.targets]
    theirs = owner or route(session, targets, on=promise.local_day(now)).owner
    if theirs is ticket.owner:
        raise Refused(f"{ticket.reference} is with {ticket.owner_name} already: name another owner")
    for part in _followers(session, ticket, SPLIT_FROM):
        if part.owner is theirs:
            raise Refused(f"{ticket.reference} was split already: {part.reference} is with {part.owner_name}")
    part = _second(session, ticket, owner, promise, arrived_at=ticket.arrived_at, now=now)
    answered = {"was_answered": True} if _was_answered(session, ticket) else {}
    part.record(SPLIT_FROM, by=by, at=now, because=because, other=ticket.reference, **answered)
    ticket.record("split_off", by=by, at=now, because=because, other=part.reference)
    wind(session, part, promise, now=now)
    return part


def reopened_as(session: Session, ticket: Ticket) -> Ticket | None:
    """The open ticket under which a closed one was taken up again."""
    return next(iter(_followers(session, ticket, REOPENS)), None)


def earlier_of(ticket: Ticket) -> Event | None:
    """The event that says which ticket this one comes from, if it was not opened by a message."""
    return next((entry for entry in ticket.history if entry.kind in (REOPENS, SPLIT_FROM)), None)


def _was_answered(session: Session, ticket: Ticket) -> bool:
    response = select(Clock.stopped_at).where(Clock.ticket_id == ticket.id, Clock.kind == ClockKind.RESPONSE)
    return session.scalar(response) is not None


def _followers(session: Session, ticket: Ticket, kind: str) -> Iterable[Ticket]:
    is_such = select(Event.id).where(Event.ticket_id == Ticket.id, Event.kind == kind).exists()
    follow = select(Ticket).where(Ticket.linked_to == ticket.id, Ticket.state != TicketState.CLOSED, is_such)
    return session.scalars(follow.order_by(Ticket.id))


def _second(
    session: Session,
    ticket: Ticket,
    owner: Owner | None,
    promise: Promise,
    *,
    arrived_at: datetime,
    now: datetime,
) -> Ticket:
    received = _as_received(ticket, arrived_at, may_be_answered=_is_a_report(session, ticket))
    second = open_ticket(session, received, promise, now=now, linked_to=ticket, given_to=owner)
    second.report.message_id_digest = ticket.report.message_id_digest
    second.reporter.shares_identity = ticket.reporter.shares_identity
    second.reporter.credit = ticket.reporter.credit
    return second


def _is_a_report(session: Session, ticket: Ticket) -> bool:
    """Whether no human need say so first, as of a machine's mail, or of what was called spam."""
    copy = waiting_copy(session, ticket)
    return ticket.close_reason is not CloseReason.SPAM and (copy is None or copy.problem != UNJUDGED)


def _as_received(ticket: Ticket, arrived_at: datetime, *, may_be_answered: bool) -> Received:
    report, who = ticket.report, ticket.reporter
    return Received(
        arrived_at=arrived_at,
        subject=report.subject,
        text=report.text,
        files=tuple(
            ReceivedFile(name=file.name, type=file.type, content=file.content, sha256=file.sha256)
            for file in report.attachments
        ),
        targets=tuple(target.value for target in ticket.targets),
        name=who.name,
        address=who.address,
        fingerprint=who.fingerprint,
        was_encrypted=ticket.was_encrypted,
        signature=ticket.signature,
        may_be_answered=may_be_answered,
    )


def _owner_called(session: Session, name: str) -> Owner:
    owner = session.scalars(select(Owner).where(Owner.name == name.strip())).one_or_none()
    if owner is None:
        known = ", ".join(session.scalars(select(Owner.name).order_by(Owner.name).limit(20)))
        raise Refused(f"there is no owner of that name; known are: {known or 'none yet'}")
    return owner


def _refuse_forgotten(ticket: Ticket) -> None:
    if ticket.forgotten_at is not None:
        raise Refused(f"{ticket.reference} was forgotten: its report was erased, and nothing can be taken up")
