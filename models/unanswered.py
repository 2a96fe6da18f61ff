"""Reporters who wrote last: what they wrote after their report, and nobody has written to them since.

It is read off the histories, so nothing of what they wrote is touched. What comes in on a ticket that was
joined with another is answered to whoever wrote it, and is the work of those who work on the other.
"""

from collections.abc import Collection

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.orm import Session

from .suggestions import Suggestion
from .ticket import Direction, Event, Reporter, Ticket

#: What a human writes to a reporter by hand; one whose ticket is joined is told so, and how it stands.
WORDS_TO_THEM = ("answered", "told", "asked", "embargo_proposed", "publication_proposed", "joined")

_IS_THEIRS = and_(Event.kind == "message", Event.actor == Direction.FROM_REPORTER.value)
_IS_OURS = Event.kind.in_(WORDS_TO_THEM)


def unanswered(session: Session, among: Collection[int] | None = None) -> list[tuple[int, int]]:
    """Where a reporter wrote last: the open ticket that handlers work on, and the one that they wrote on.

    By the tickets' numbers in the database; of all tickets, or among these.
    """
    joined = select(Suggestion.ticket_id, Suggestion.other_id).where(Suggestion.joined.is_(True))
    belongs_to = dict(session.execute(joined).tuples().all())
    looked_at = or_(Ticket.closed_at.is_(None), Ticket.id.in_(joined.with_only_columns(Suggestion.ticket_id)))
    said = (
        select(
            Ticket.id,
            Ticket.closed_at.is_(None),
            Reporter.address_digest,
            func.max(case((_IS_THEIRS, Event.id))),
            func.max(case((_IS_OURS, Event.id))),
        )
        .join(Reporter, Reporter.ticket_id == Ticket.id)
        .outerjoin(Event, and_(Event.ticket_id == Ticket.id, or_(_IS_THEIRS, _IS_OURS)))
        .where(looked_at if among is None else Ticket.id.in_(among))
        .group_by(Ticket.id, Reporter.address_digest)
        .order_by(Ticket.id)
    )
    who, answered, found, still_open = dict[int, str | None](), dict[int, int](), dict[int, int](), set[int]()
    for number, is_open, digest, theirs, ours in session.execute(said).tuples():
        who[number], answered[number] = digest, ours or 0
        if is_open:
            still_open.add(number)
        if theirs:
            found[number] = theirs
    places = [(_at_work(belongs_to, number), number) for number in found]
    return [
        (at_work, number)
        for at_work, number in places
        if at_work in still_open
        and found[number] > max(answered[number], _answered_there(who, answered, at_work, number))
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
