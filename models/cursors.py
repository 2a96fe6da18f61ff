"""How far something has come that follows the histories of all tickets, event by event."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from .base import Base


class Cursor(Base):
    """One follower, by the numbers of events: every event up to ``settled`` is known to have arrived.

    Those up to ``doubtful`` were sent at ``sent_at`` or before, those up to ``sent`` since; they may have
    been lost on their way. ``waiting_since`` is since when a number is missing after ``sent``: of a
    transaction that is not committed yet, or never will be.
    """

    __tablename__ = "cursors"

    name: Mapped[str] = mapped_column(primary_key=True)
    settled: Mapped[int]
    doubtful: Mapped[int]
    sent: Mapped[int]
    sent_at: Mapped[datetime | None]
    waiting_since: Mapped[datetime | None]
