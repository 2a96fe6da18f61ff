"""The IBD's copy of a ticket: why it waits for a handler, what lets it go, and what keeps it back."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from .errors import Refused
from .filing import UNJUDGED
from .outbox import IN_DOUBT, Mail, MailKind, MailState
from .states import CloseReason
from .ticket import Ticket


def waiting_copy(session: Session, ticket: Ticket) -> Mail | None:
    """The copy for the IBD that waits for a handler, if there is one."""
    waiting = select(Mail).where(
        Mail.ticket_id == ticket.id,
        Mail.kind == MailKind.IBD_COPY,
        Mail.state.in_((MailState.HELD, MailState.PARKED)),
    )
    return session.scalars(waiting.execution_options(populate_existing=True)).one_or_none()


def settle_copy(session: Session, ticket: Ticket, reason: CloseReason, *, now: datetime) -> None:
    """Nothing is closed over a copy that waits for a look: nobody would be asked again."""
    copy = waiting_copy(session, ticket)
    if copy is None or reason is CloseReason.SPAM:
        return
    if copy.problem == IN_DOUBT:
        raise Refused("the copy for the IBD is held: look at it and release it, then close")
    let_go(session, ticket, now=now)


def let_go(session: Session, ticket: Ticket, *, now: datetime) -> None:
    """A human has said that it is a report: send the copy that waited for that."""
    copy = waiting_copy(session, ticket)
    if copy is not None and copy.problem == UNJUDGED:
        copy.state, copy.next_try_at, copy.problem = MailState.WAITING, now, None


def keep_back(session: Session, ticket: Ticket, *, by: str, now: datetime) -> None:
    """What a human calls spam is not shared, if it was not shared yet."""
    ticket.record("called_spam", by=by, at=now)
    copies = select(Mail).where(Mail.ticket_id == ticket.id, Mail.kind == MailKind.IBD_COPY)
    for copy in session.scalars(copies.where(Mail.state == MailState.WAITING)):
        copy.state, copy.problem = MailState.HELD, "spam"
