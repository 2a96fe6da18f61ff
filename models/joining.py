"""What a handler decides on a ticket that may belong to another one: join it, or keep it apart.

A joined ticket keeps its messages, its reporter and its number: it is closed as a duplicate and stands
beside the other, and what comes in on it later is told on the other. So two reporters never become
one, and neither learns of the other.
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from . import acts
from .errors import Refused
from .holding import hold
from .ladder import owner_of
from .outbox import MailKind, write_mail
from .progress import have_one_reporter, pass_on
from .promise import Promise
from .states import CloseReason
from .suggestions import Suggestion, main_ticket, open_suggestions, tickets_joined_with
from .ticket import Direction, Ticket, WaitingOn, ticket_called
from .winding import wind

BY_HAND = "handler"


def join(
    session: Session, ticket: Ticket, *, to: str, by: str, because: str, promise: Promise, now: datetime
) -> None:
    """Join a ticket with the one that it belongs to; without a number, with the one suggested.

    The ticket is closed as a duplicate, with all that closing does. To a closed ticket it is only
    linked and goes on. Raises :class:`Refused`.
    """
    hold_both(session, ticket, to)
    other = other_called(session, ticket, to)
    if other is ticket:
        raise Refused(f"{ticket.reference} cannot be joined with itself: give the number of another ticket")
    if not ticket.is_open:
        raise Refused(f"{ticket.reference} is closed: there is nothing to join any more")
    hold(session, other)
    _settle(session, ticket, other, joined=other.is_open, by=by, now=now)
    ticket.linked_to = other.id
    if not other.is_open:
        ticket.record("linked", by=by, at=now, because=because, other=other.reference)
        return
    told = because if because.strip() else _told(ticket, other)
    acts.close(session, ticket, reason=CloseReason.DUPLICATE, by=by, because=told, promise=promise, now=now)
    ticket.record("joined", by=by, at=now, other=other.reference)
    other.record("took_in", by=by, at=now, other=ticket.reference)
    if other.waiting_on is WaitingOn.REPORTER:  # it may be what was waited for, from another address
        other.wait_for(WaitingOn.HANDLER, by=by, at=now)
        wind(session, other, promise, now=now)
    newly_joined = [ticket, *tickets_joined_with(session, ticket)]
    pass_on(session, other, by=by, now=now, newly_joined=newly_joined)
    _tell_owner(session, ticket, other, now=now)


def hold_both(session: Session, ticket: Ticket, to: str) -> None:
    """Keep a ticket and the one that it is to be joined with until the transaction ends.

    The lower number comes first, so that two that are joined crosswise at once do not wait for each
    other for ever. Whoever joins holds neither before.
    """
    try:
        other = other_called(session, ticket, to)
    except Refused:  # as the join itself says
        other = ticket
    for one in sorted({ticket, other}, key=lambda one: one.id):
        hold(session, one)


def keep_apart(session: Session, ticket: Ticket, *, by: str, because: str, now: datetime) -> None:
    """Say that a ticket belongs to none of those that were suggested."""
    hold(session, ticket)
    suggested = open_suggestions(session, ticket)
    if not suggested:
        raise Refused(f"nothing is suggested about {ticket.reference}: there is nothing to keep apart from")
    for one in suggested:
        one.settled_at, one.settled_by, one.joined = now, by, False
    others = ", ".join(one.other.reference for one in suggested)
    ticket.record("kept_apart", by=by, at=now, because=because, other=others)


def other_called(session: Session, ticket: Ticket, number: str) -> Ticket:
    """The ticket that one is to be joined with: that of a number, or of the suggestion where there is one.

    Where that was joined with another itself, it is the other. Raises :class:`Refused`.
    """
    if number.strip():
        return main_ticket(session, ticket_called(session, number.strip().upper()))
    suggested = open_suggestions(session, ticket)
    if len(suggested) != 1:
        raise Refused(
            f"fill in the number of the ticket that {ticket.reference} belongs to, such as CVD-2026-0042"
        )
    return main_ticket(session, suggested[0].other)


def _settle(session: Session, ticket: Ticket, other: Ticket, *, joined: bool, by: str, now: datetime) -> None:
    """Settle all that was suggested: a ticket belongs to one other at most."""
    known = select(Suggestion).where(Suggestion.ticket_id == ticket.id, Suggestion.other_id == other.id)
    chosen = session.scalars(known).first()
    if chosen is None:
        chosen = Suggestion(ticket=ticket, other=other, why=BY_HAND, made_at=now)
        session.add(chosen)
    for one in {*open_suggestions(session, ticket), chosen}:
        one.settled_at, one.settled_by, one.joined = now, by, joined and one is chosen


def _told(ticket: Ticket, other: Ticket) -> str:
    """What the reporter reads where the handler wrote nothing: a number only if it is their own."""
    if not have_one_reporter(ticket, other):
        return ""
    return (
        f"Uw bericht hoort bij uw melding {other.reference} en wordt daar behandeld.\n"
        f"Your message belongs to your report {other.reference} and is handled there."
    )


def _tell_owner(session: Session, ticket: Ticket, other: Ticket, *, now: datetime) -> None:
    """Give the other ticket's owner what the reporter said, unless they have had it with this one."""
    owner, had_it = owner_of(other), owner_of(ticket)
    if owner is None or (had_it is not None and had_it.address.lower() == owner.address.lower()):
        return
    for message in ticket.messages:
        if message.direction is Direction.FROM_REPORTER:
            write_mail(
                session,
                MailKind.MESSAGE,
                owner,
                party="owner",
                cause=str(message.id),
                now=now,
                ticket=other,
                about=message,
            )
