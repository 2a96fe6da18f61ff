"""A ticket's clocks as rows: when each started, when it is due, when it stopped, what has fired.

The arithmetic is :mod:`.calendar`'s; this is where its results are kept so that one indexed query
finds what is due (``next_rung_at``).
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .base import Base
from .ticket import Ticket


class ClockKind(StrEnum):
    """What a clock measures."""

    RESPONSE = "response"
    SHARE = "share"


class Clock(Base):
    """One running or stopped clock of a ticket."""

    __tablename__ = "clocks"
    __table_args__ = (UniqueConstraint("ticket_id", "kind"), Index("ix_clocks_due", "next_rung_at"))

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    kind: Mapped[ClockKind]
    started_at: Mapped[datetime]
    due_at: Mapped[datetime]
    stopped_at: Mapped[datetime | None]
    next_rung_at: Mapped[datetime | None]

    ticket: Mapped[Ticket] = relationship(back_populates="clocks")


class FiredRung(Base):
    """A rung of the ladder that fired, or that a higher one made superfluous after an outage."""

    __tablename__ = "fired_rungs"
    __table_args__ = (UniqueConstraint("ticket_id", "kind", "rung"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    kind: Mapped[ClockKind]
    rung: Mapped[str]
    due_at: Mapped[datetime]
    fired_at: Mapped[datetime]
    was_superseded: Mapped[bool] = mapped_column(default=False)
