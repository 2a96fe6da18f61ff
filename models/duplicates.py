"""Closing a ticket because an earlier report says the same, also where that one is closed already."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from . import acts
from .joining import join
from .promise import Promise
from .states import CloseReason
from .suggestions import main_number, main_ticket
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
        acts.close(session, ticket, reason=CloseReason.DUPLICATE, **who)


def is_duplicate_of(session: Session, ticket: Ticket, of: str) -> bool:
    """Whether a ticket was closed as a duplicate of this one, or of what this one was joined with."""
    if ticket.close_reason is not CloseReason.DUPLICATE or ticket.linked_to is None:
        return False
    other = main_ticket(session, ticket_called(session, of))
    return other.id in (main_number(session, ticket.id), main_number(session, ticket.linked_to))


def is_linked_to(ticket: Ticket, other: Ticket) -> bool:
    """Whether a ticket was joined with one that was closed already, so that it is only linked to it."""
    return any(
        entry.kind == "linked" and entry.facts.get("other") == other.reference for entry in ticket.history
    )
