"""A ticket's clocks as rows: when each started, when it is due, when it stopped, what has fired.

The rows hold what :mod:`.clock_reading` reads off the history, so that one indexed query finds what
is due (``next_rung_at``); :mod:`.winding` writes them.
"""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .base import Base
from .clock_rules import ClockKind
from .ticket import Ticket

__all__ = ["Acknowledgement", "Clock", "ClockKind", "FiredRung"]


#: What a rung is that somebody should say that they have seen, and nobody has.
UNSEEN = text("acknowledge_by IS NOT NULL AND acknowledged_at IS NULL AND voided_at IS NULL")


class Clock(Base):
    """One running or stopped clock of a ticket.

    ``round`` counts how often it was started; ``calendar`` is the version that it was read by.
    """

    __tablename__ = "clocks"
    __table_args__ = (
        UniqueConstraint("ticket_id", "kind"),
        Index("ix_clocks_due", "next_rung_at"),
        Index(
            "ix_clocks_running",
            "calendar",
            sqlite_where=text("stopped_at IS NULL"),
            postgresql_where=text("stopped_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    kind: Mapped[str] = mapped_column(String(40))
    round: Mapped[int] = mapped_column(default=1, server_default="1")
    started_at: Mapped[datetime]
    due_at: Mapped[datetime]
    stopped_at: Mapped[datetime | None]
    paused_since: Mapped[datetime | None]
    next_rung_at: Mapped[datetime | None]
    calendar: Mapped[int] = mapped_column(default=0, server_default="0")

    ticket: Mapped[Ticket] = relationship(back_populates="clocks")


class FiredRung(Base):
    """A rung of the ladder that fired, or that a higher one made superfluous after an outage.

    It fires once, unless that is ``voided``: nobody was told of it after all, or the clock is due later.
    """

    __tablename__ = "fired_rungs"
    __table_args__ = (
        Index(
            "ix_fired_rungs_once",
            "ticket_id",
            "kind",
            "round",
            "rung",
            unique=True,
            sqlite_where=text("voided_at IS NULL"),
            postgresql_where=text("voided_at IS NULL"),
        ),
        Index(
            "ix_fired_rungs_to_nobody",
            "ticket_id",
            sqlite_where=text("told_nobody IS 1"),
            postgresql_where=text("told_nobody IS TRUE"),
        ),
        Index("ix_fired_rungs_unseen", "ticket_id", sqlite_where=UNSEEN, postgresql_where=UNSEEN),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    round: Mapped[int] = mapped_column(default=1, server_default="1")
    rung: Mapped[str]
    due_at: Mapped[datetime]
    fired_at: Mapped[datetime]
    was_superseded: Mapped[bool] = mapped_column(default=False)
    acknowledge_by: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None]
    voided_at: Mapped[datetime | None]
    told_nobody: Mapped[bool] = mapped_column(default=False, server_default=false())


class Acknowledgement(Base):
    """The token by which one recipient of a rung says that they have seen it."""

    __tablename__ = "acknowledgements"

    id: Mapped[int] = mapped_column(primary_key=True)
    rung_id: Mapped[int] = mapped_column(ForeignKey("fired_rungs.id"), index=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    who: Mapped[str]

    rung: Mapped[FiredRung] = relationship()
