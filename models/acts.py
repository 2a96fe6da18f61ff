"""What handlers do to a ticket: one verb each, called alike from the form, by mail and by command.

A verb changes the ticket, writes its history and the one mail that tells the reporter, in the
caller's transaction; it refuses with a sentence what the ticket's state does not allow.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from .assigning import give_to_handler, tell_former_owner
from .clock_rules import PAUSING
from .clocks import Clock
from .copies import keep_back, let_go, settle_copy, waiting_copy
from .errors import AnswerIncomplete, IllegalMove, Refused
from .filing import give_link, reporter_of, tell_owner
from .holding import hold
from .ladder import owner_of
from .outbox import MailKind, MailState, write_mail
from .owners import Owner
from .people import Correspondent
from .progress import pass_on
from .promise import Promise
from .states import (
    PASSED_THROUGH,
    STATE_LABELS,
    CloseReason,
    TicketState,
    reasons_to_close,
    way_to_closed,
)
from .telling import can_be_reached, mail_reporter, tell_without_mail
from .ticket import Direction, Event, Message, Ticket, WaitingOn
from .winding import wind

#: Who is expected to act once a ticket is in a state; in the others nobody new is.
NEXT_TO_ACT: Mapping[TicketState, WaitingOn] = {
    TicketState.VALID: WaitingOn.HANDLER,
    TicketState.INVALID: WaitingOn.REPORTER,
    TicketState.ACCEPTED: WaitingOn.OWNER,
}


def answer(
    session: Session,
    ticket: Ticket,
    *,
    text: str,
    fix_on: date | None,
    no_date_because: str,
    by: str,
    promise: Promise,
    now: datetime,
) -> Message:
    """Answer the reporter with the expected fix date, or with the reason why there is none yet.

    The response clock stops when this answer is delivered, not now. Policy: "Hierbij geven we aan
    voor welke datum we een oplossing verwachten". Raises :class:`AnswerIncomplete`, :class:`Refused`.
    """
    hold(session, ticket)
    if not ticket.is_open:
        raise Refused(
            f"{ticket.reference} is closed and was answered with that; a new message opens a linked one"
        )
    if not text.strip():
        raise AnswerIncomplete("the answer has no text: write what the reporter should know")
    if fix_on is None and not no_date_because.strip():
        raise AnswerIncomplete(
            "the answer names no expected fix date and no reason why there is none yet:"
            " fill in one of the two, it is what the policy promises"
        )
    if fix_on is not None and fix_on < promise.local_day(now):
        raise AnswerIncomplete(f"the expected fix date {fix_on} has passed: give a day from today on")
    message = Message(at=now, direction=Direction.TO_REPORTER, text=text)
    ticket.messages.append(message)
    ticket.expected_fix_on = fix_on
    ticket.record("answered", by=by, at=now, fix_on=str(fix_on or ""), because=no_date_because)
    session.flush()
    promised = {"fix_on": str(fix_on or "")}
    mail_reporter(
        session,
        ticket,
        MailKind.ANSWER,
        cause=str(message.id),
        about=message,
        facts=promised | {"no_date_because": no_date_because},
        published=promised,
        by=by,
        promise=promise,
        now=now,
    )
    pass_on(session, ticket, by=by, now=now)
    return message


def confirm(
    session: Session, ticket: Ticket, *, by: str, because: str, promise: Promise, now: datetime
) -> None:
    """Say that the report is right: the ticket becomes VALID."""
    _move(session, ticket, TicketState.VALID, by=by, because=because, promise=promise, now=now)


def invalidate(
    session: Session, ticket: Ticket, *, by: str, because: str, promise: Promise, now: datetime
) -> None:
    """Say that the report could not be confirmed, and why: the ticket becomes INVALID."""
    if not because.strip():
        raise Refused("say why the report is not confirmed: the reporter is told the reason")
    _move(session, ticket, TicketState.INVALID, by=by, because=because, promise=promise, now=now)


def accept(
    session: Session, ticket: Ticket, *, by: str, because: str, promise: Promise, now: datetime
) -> None:
    """Say that it will be fixed; a report not yet confirmed is confirmed with it, in one message."""
    hold(session, ticket)
    if ticket.state in (TicketState.RECEIVED, TicketState.INVALID):
        ticket.move_to(TicketState.VALID, by=by, at=now, because="accepted at once")
    _move(session, ticket, TicketState.ACCEPTED, by=by, because=because, promise=promise, now=now)


def defer(
    session: Session, ticket: Ticket, *, by: str, because: str, promise: Promise, now: datetime
) -> None:
    """Put a confirmed report on hold, and say why."""
    if not because.strip():
        raise Refused("say why it is put on hold: the reporter is told the reason")
    _move(session, ticket, TicketState.DEFERRED, by=by, because=because, promise=promise, now=now)


def close(
    session: Session,
    ticket: Ticket,
    *,
    reason: CloseReason,
    by: str,
    because: str,
    promise: Promise,
    now: datetime,
) -> None:
    """End the ticket with a reason, which is an answer: the response clock stops when it is delivered.

    Nobody is reminded of it until then, because handlers are told when the mail cannot be delivered.
    States on the way are passed through in silence: the one message is that of the end. The IBD gets its
    copy of a closed ticket as well, unless it is called spam. A ticket that the clock of a law runs on
    stays open, and what was not confirmed is not closed as solved: raises :class:`Refused`.
    """
    hold(session, ticket)
    _refuse_over_laws(session, ticket, promise)
    _refuse_unconfirmed(ticket, reason)
    settle_copy(session, ticket, reason, now=now)
    for state in way_to_closed(ticket.state, reason):
        ticket.move_to(state, by=by, at=now, because=PASSED_THROUGH)
    _move(session, ticket, TicketState.CLOSED, by=by, because=because, promise=promise, now=now)
    ticket.close_reason = reason
    pass_on(session, ticket, by=by, now=now)
    if reason is CloseReason.SPAM:
        keep_back(session, ticket, by=by, now=now)
        wind(session, ticket, promise, now=now)


def wait(
    session: Session,
    ticket: Ticket,
    *,
    on: WaitingOn,
    by: str,
    because: str,
    promise: Promise,
    now: datetime,
) -> None:
    """Say who is expected to act next; clocks stand still while it is the reporter or a supplier."""
    hold(session, ticket)
    if not ticket.is_open:
        raise Refused(f"{ticket.reference} is closed: nobody is waited for any more")
    if on is ticket.waiting_on:
        raise Refused(f"{ticket.reference} waits for the {on} already")
    if on in PAUSING and not because.strip():
        raise Refused(f"say what the {on} is to do: clocks stand still while it is waited for")
    ticket.wait_for(on, by=by, at=now, because=because)
    wind(session, ticket, promise, now=now)


def _refuse_over_laws(session: Session, ticket: Ticket, promise: Promise) -> None:
    """What a law asks is still owed after a ticket is closed, and nobody would see it there."""
    laws = {law.name: law for law in promise.statutory}
    running = select(Clock.kind).where(
        Clock.ticket_id == ticket.id, Clock.kind.in_(laws), Clock.stopped_at.is_(None)
    )
    for name in session.scalars(running.order_by(Clock.due_at)):
        stops, starts = (which.replace("_", " ") for which in (laws[name].stops_on, laws[name].starts_on))
        raise Refused(
            f"the clock {name.replace('_', ' ')!r} still runs: note the milestone {stops!r} first,"
            f" or withdraw {starts!r} if that was an error"
        )


def _refuse_unconfirmed(ticket: Ticket, reason: CloseReason) -> None:
    if ticket.is_open and reason not in reasons_to_close(ticket.state):
        raise Refused(
            f"{ticket.reference} is {STATE_LABELS[ticket.state][1]}, and {reason.value.replace('_', ' ')!r}"
            " says that there was a problem: confirm or accept it first, then close"
        )


def release_copy(session: Session, ticket: Ticket, *, by: str, now: datetime) -> None:
    """Let the IBD's copy leave that was held for a human's look, or that could not be delivered."""
    hold(session, ticket)
    copy = waiting_copy(session, ticket)
    if copy is None:
        raise Refused(f"the copy of {ticket.reference} for the IBD is not held: there is nothing to release")
    copy.state, copy.next_try_at, copy.tries = MailState.WAITING, now, 0
    copy.sent_at, copy.problem, copy.facts = None, None, {"released": True}
    ticket.record("released", by=by, at=now, mail=copy.kind.value)


def assign(
    session: Session,
    ticket: Ticket,
    *,
    to: str,
    by: str,
    because: str,
    now: datetime,
    team: Sequence[Correspondent] = (),
) -> None:
    """Hand the ticket to another owner, who gets the report, or give it to a handler of the team.

    The owner who had it is told who has it now. A name that an owner and a handler share is the owner's.
    The history keeps each hand-over.
    """
    hold(session, ticket)
    if not ticket.is_open:
        raise IllegalMove(f"{ticket.reference} is closed and is given to nobody any more")
    owner = session.scalars(select(Owner).where(Owner.name == to)).one_or_none()
    if owner is None:
        give_to_handler(session, ticket, to=to, team=team, by=by, because=because, now=now)
        return
    if owner.id == ticket.owner_id:
        raise Refused(f"{ticket.reference} is already with {to}")
    was, former = ticket.owner_name, owner_of(ticket)
    ticket.owner = owner
    given = ticket.record("assigned", by=by, at=now, because=because, **{"from": was, "to": owner.name})
    tell_owner(session, ticket, given)
    if former and former.address.lower() != owner.address.lower():
        tell_former_owner(session, ticket, former, given)


def _move(
    session: Session,
    ticket: Ticket,
    state: TicketState,
    *,
    by: str,
    because: str,
    promise: Promise,
    now: datetime,
) -> None:
    hold(session, ticket)
    moved = ticket.move_to(state, by=by, at=now, because=because)
    ticket.wait_for(_next_to_act(session, ticket), by=by, at=now)
    if state in (TicketState.VALID, TicketState.ACCEPTED):
        let_go(session, ticket, now=now)
    _tell_reporter(session, ticket, moved)
    wind(session, ticket, promise, now=now)
    pass_on(session, ticket, by=by, now=now)


def _next_to_act(session: Session, ticket: Ticket) -> WaitingOn:
    """Who is waited for now; nobody who cannot be reached, since clocks would stand still in vain."""
    following = NEXT_TO_ACT.get(ticket.state, ticket.waiting_on)
    waits_in_vain = following is WaitingOn.REPORTER and not can_be_reached(session, ticket)
    return WaitingOn.HANDLER if waits_in_vain else following


def _tell_reporter(session: Session, ticket: Ticket, moved: Event) -> None:
    reporter = reporter_of(ticket)
    if reporter:
        give_link(session, ticket, reporter, now=moved.at)
        write_mail(
            session,
            MailKind.STATE_CHANGED,
            reporter,
            party="reporter",
            cause=str(moved.seq),
            now=moved.at,
            ticket=ticket,
            facts={"state": ticket.state.value, "because": moved.because},
        )
    else:
        what = "closing" if ticket.state is TicketState.CLOSED else "state"
        tell_without_mail(session, ticket, by=moved.actor, at=moved.at, what=what)
