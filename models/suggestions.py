"""Suggested matches: a ticket that may belong to an earlier one, until a handler has decided.

A message joins a ticket only by what nobody can guess or forge (a token of ours, a verified signature
of the known reporter). Everything else, such as a ticket number in a subject, is a suggestion.
"""

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from .base import Base
from .threads import Named
from .ticket import Ticket


class Suggestion(Base):
    """That one ticket may belong to another, why, and what a handler decided."""

    __tablename__ = "suggestions"
    __table_args__ = (UniqueConstraint("ticket_id", "other_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    other_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), index=True)
    why: Mapped[str]
    made_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    settled_by: Mapped[str | None]
    joined: Mapped[bool | None]

    ticket: Mapped[Ticket] = relationship(foreign_keys=[ticket_id])
    other: Mapped[Ticket] = relationship(foreign_keys=[other_id])


def suggest(session: Session, ticket: Ticket, named: Iterable[Named], *, now: datetime) -> None:
    """Write down to which tickets a new one may belong, for a handler to decide."""
    for one in named:
        session.add(Suggestion(ticket=ticket, other=one.ticket, why=one.why, made_at=now))
        ticket.record("suggested", by="intake", at=now, other=one.ticket.reference, why=one.why)


def open_suggestions(session: Session, ticket: Ticket) -> list[Suggestion]:
    """The suggestions about a ticket that nobody has decided on."""
    waiting = select(Suggestion).where(Suggestion.ticket_id == ticket.id, Suggestion.settled_at.is_(None))
    return list(session.scalars(waiting.order_by(Suggestion.id)))


def main_ticket(session: Session, ticket: Ticket) -> Ticket:
    """The ticket that handlers work on: the one that a ticket was joined with, or itself."""
    return session.get_one(Ticket, main_number(session, ticket.id))


def main_number(session: Session, number: int) -> int:
    """Which ticket that is, by the tickets' numbers in the database."""
    while True:
        joined = select(Suggestion.other_id).where(
            Suggestion.ticket_id == number, Suggestion.joined.is_(True)
        )
        other = session.scalars(joined.limit(1)).first()
        if other is None:
            return number
        number = other


def have_one_reporter(ticket: Ticket, other: Ticket) -> bool:
    """Whether both came from one address."""
    ours, theirs = ticket.reporter.address, other.reporter.address
    return ours is not None and theirs is not None and ours.lower() == theirs.lower()


def answered_on(ticket: Ticket, at_work: Ticket, party: str) -> Ticket:
    """The ticket on whose thread somebody hears of a message on one that was joined with another.

    What they reply is to reach whom they reply to. An owner has no thread on a ticket that is not theirs.
    """
    is_theirs = party == "staff" or ticket.owner_id == at_work.owner_id
    return ticket if is_theirs and not have_one_reporter(ticket, at_work) else at_work


def tickets_joined_with(session: Session, ticket: Ticket) -> list[Ticket]:
    """The tickets whose messages belong to this one, also by way of others, oldest first."""
    joined = select(Ticket).join(Suggestion, Suggestion.ticket_id == Ticket.id)
    direct = session.scalars(joined.where(Suggestion.other_id == ticket.id, Suggestion.joined.is_(True)))
    found = [one for near in direct for one in (near, *tickets_joined_with(session, near))]
    return sorted(found, key=lambda one: one.id)


def joined_with(session: Session, numbers: Collection[int]) -> dict[int, int]:
    """The tickets that were joined with these, also by way of others, and with which each."""
    belongs_to, near = dict[int, int](), set(numbers)
    while near:
        joined = select(Suggestion.ticket_id, Suggestion.other_id).where(
            Suggestion.other_id.in_(near), Suggestion.joined.is_(True)
        )
        found = dict(session.execute(joined).tuples().all())
        near = found.keys() - belongs_to.keys()
        belongs_to |= found
    return belongs_to
