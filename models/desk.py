"""Which Prefect run shows which ticket. The ticket is the truth, the run is a view and a form."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from .base import Base
from .holding import hold
from .ticket import Ticket
from .vault import SealedText


class DeskRun(Base):
    """The handlers' run of a ticket, what it shows, the form that it asks, and the last one applied.

    A form's number is used once: an answer to it is applied only while ``applied`` is lower, so that what
    is taken twice is applied once. ``shown`` is what Prefect was last told (names, dates and numbers), and nothing
    while it was not told all of it; ``shown_until`` is when that changes without anything happening.
    ``draft`` is the text of an answer that was refused, so that nobody types it twice.
    """

    __tablename__ = "desk_runs"

    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), primary_key=True)
    run_id: Mapped[str | None]
    made: Mapped[int] = mapped_column(default=0)
    asked: Mapped[int] = mapped_column(default=0)
    asked_after: Mapped[int] = mapped_column(default=0)
    applied: Mapped[int] = mapped_column(default=0)
    shown: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    shown_until: Mapped[datetime | None] = mapped_column(index=True)
    refused_because: Mapped[str | None] = mapped_column(SealedText)
    draft: Mapped[str | None] = mapped_column(SealedText)

    ticket: Mapped[Ticket] = relationship()


def desk_run_of(session: Session, ticket: Ticket) -> DeskRun:
    """The row of a ticket's run; made when it is first asked for. Holds the ticket."""
    hold(session, ticket)
    row = session.get(DeskRun, ticket.id, with_for_update=True)
    if row is None:
        row = DeskRun(ticket=ticket, made=0, asked=0, asked_after=0, applied=0)
        session.add(row)
    return row
