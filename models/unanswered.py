"""Reporters who wrote last: what they wrote after their report, and nobody has written to them since.

It is read off the histories, so nothing of what they wrote is touched. What comes in on a ticket that was
joined with another is answered to whoever wrote it, and is the work of those who work on the other.
"""

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.orm import Session

from .suggestions import joined_with
from .ticket import Direction, Event, Reporter, Ticket

#: What a human writes to a reporter by hand; one whose ticket is joined is told so, and how it stands.
WORDS_TO_THEM = ("answered", "told", "asked", "embargo_proposed", "publication_proposed", "joined")

_IS_THEIRS = and_(Event.kind == "message", Event.actor == Direction.FROM_REPORTER.value)
_IS_OURS = Event.kind.in_(WORDS_TO_THEM)


def unanswered(session: Session, ticket: Ticket | None = None) -> list[tuple[int, int]]:
    """Where a reporter wrote last: the open ticket that handlers work on, and the one that they wrote on.

    By the tickets' numbers in the database; of all open tickets, or of this one.
    """
    are_open = select(Ticket.id).where(Ticket.closed_at.is_(None))
    still_open = set(session.scalars(are_open if ticket is None else are_open.where(Ticket.id == ticket.id)))
    belongs_to = joined_with(session, still_open)
    who, answered, found = dict[int, str | None](), dict[int, int](), dict[int, int]()
    said = (
        select(
            Reporter.ticket_id,
            Reporter.address_digest,
            func.max(case((_IS_THEIRS, Event.id))),
            func.max(case((_IS_OURS, Event.id))),
        )
        .outerjoin(Event, and_(Event.ticket_id == Reporter.ticket_id, or_(_IS_THEIRS, _IS_OURS)))
        .where(Reporter.ticket_id.in_(still_open | belongs_to.keys()))
        .group_by(Reporter.ticket_id, Reporter.address_digest)
        .order_by(Reporter.ticket_id)
    )
    for number, digest, theirs, ours in session.execute(said).tuples():
        who[number], answered[number] = digest, ours or 0
        if theirs:
            found[number] = theirs
    places = [(_at_work(belongs_to, number), number) for number in found]
    return [
        (at_work, number)
        for at_work, number in places
        if found[number] > max(answered[number], _answered_there(who, answered, at_work, number))
    ]


def _at_work(belongs_to: dict[int, int], number: int) -> int:
    """The ticket that handlers work on."""
    while number in belongs_to:
        number = belongs_to[number]
    return number


def _answered_there(who: dict[int, str | None], answered: dict[int, int], at_work: int, number: int) -> int:
    """When the same reporter was last written to on the ticket that theirs was joined with."""
    is_same = who.get(number) is not None and who.get(number) == who.get(at_work)
    return answered.get(at_work, 0) if is_same else 0
