"""Giving a ticket to one of the handlers, who works on it from then on; its owner stays the owner.

An owner who has it no more is told so.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from .errors import Refused
from .outbox import MailKind, write_mail
from .owners import Owner
from .people import Correspondent
from .ticket import Event, Ticket

MOST_NAMES = 20


def give_to_handler(
    session: Session,
    ticket: Ticket,
    *,
    to: str,
    team: Sequence[Correspondent],
    by: str,
    because: str,
    now: datetime,
) -> None:
    """Note who of the team handles a ticket, and mail them unless they took it themselves.

    Hold the ticket first. Raises :class:`Refused`, which does not say the name back: what was typed may
    be a reporter's, and refusals stand on cards and in logs.
    """
    handler = next((person for person in team if person.name == to), None)
    if handler is None:
        owners = session.scalars(select(Owner.name).order_by(Owner.name).limit(MOST_NAMES))
        known = ", ".join((*owners, *(person.name for person in team)))
        asked = "owner or handler" if team else "owner"
        raise Refused(f"there is no {asked} of that name; known are: {known or 'none yet'}")
    if ticket.handler == to:
        raise Refused(f"{ticket.reference} is already with {to}")
    was, ticket.handler = ticket.handler, to
    given = ticket.record("assigned", by=by, at=now, because=because, handler=to, was=was or "")
    if to != by:
        write_mail(
            session,
            MailKind.ASSIGNED,
            handler,
            party="staff",
            cause=str(given.seq),
            now=now,
            ticket=ticket,
            facts={"by": by, "because": because},
        )


def tell_former_owner(session: Session, ticket: Ticket, former: Correspondent, given: Event) -> None:
    """Tell the owner that a ticket was taken from who has it now, and nothing of the report."""
    write_mail(
        session,
        MailKind.HANDED_OVER,
        former,
        party="owner",
        cause=str(given.seq),
        now=given.at,
        ticket=ticket,
        facts={"owner": given.facts["to"]},
    )
