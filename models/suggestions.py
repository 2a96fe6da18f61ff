"""Suggested matches: a ticket that may belong to an earlier one, until a handler has decided.

A message joins a ticket only by what nobody can guess or forge (a token of ours, a verified signature
of the known reporter). Everything else, such as a ticket number in a subject, is a suggestion.
"""

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .base import Base
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
