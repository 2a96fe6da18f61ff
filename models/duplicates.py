"""Closing a ticket because an earlier report says the same, also where that one is closed already."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from . import acts
from .joining import WAY_TO_CLOSED, join
from .promise import Promise
from .states import CloseReason
from .ticket import Ticket, ticket_called


def close_as_duplicate(
    session: Session, ticket: Ticket, *, of: str, by: str, promise: Promise, now: datetime
) -> None:
    """Join a ticket with the one that it duplicates, and close it; raises :class:`Refused`.

    One that duplicates a closed ticket is linked to it, and nothing that comes in on it is told there.
    """
    who: dict[str, Any] = {"by": by, "because": "", "promise": promise, "now": now}
    join(session, ticket, to=of, **who)
    if ticket.is_open:
        for state in WAY_TO_CLOSED.get(ticket.state, ()):
            ticket.move_to(state, by=by, at=now)
        acts.close(session, ticket, reason=CloseReason.DUPLICATE, **who)


def is_duplicate_of(session: Session, ticket: Ticket, of: str) -> bool:
    """Whether a ticket was closed as a duplicate of this one."""
    other = ticket_called(session, of)
    return ticket.close_reason is CloseReason.DUPLICATE and ticket.linked_to == other.id
