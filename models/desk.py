"""Which Prefect run shows which ticket. The ticket is the truth, the run is a view and a form."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .base import Base
from .ticket import Ticket
from .vault import SealedText


class DeskRun(Base):
    """The handlers' run of a ticket, and the form that it last asked."""

    __tablename__ = "desk_runs"

    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), primary_key=True)
    run_id: Mapped[str | None]
    asked: Mapped[int] = mapped_column(default=1)
    asked_seq: Mapped[int] = mapped_column(default=0)
    refused_because: Mapped[str | None] = mapped_column(SealedText)

    ticket: Mapped[Ticket] = relationship()
