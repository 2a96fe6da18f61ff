"""Which Prefect run shows which ticket. The ticket is the truth, the run is a view and a form."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import JSON, ForeignKey, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from .base import Base
from .holding import hold
from .ticket import Event, Ticket
from .vault import SealedJson, SealedText


class DeskRun(Base):
    """The handlers' run of a ticket, what it shows, the form that it asks, and the last one applied.

    A form's number is used once: an answer to it is applied only while ``applied`` is lower, so that what
    is taken twice is applied once. ``shown`` is what Prefect was last told (names, dates and numbers), and
    nothing while it was not told all of it; ``shown_until`` is when that may change with nothing happening.
    ``not_done`` is what was refused, by handler: why, until something else of theirs is done, and the text,
    until the same action is, so that nobody types it twice. ``refused_because`` is why an answer of nobody
    known was refused. ``last_done`` is a digest of what was last carried out: its handler may press
    *Submit* twice.
    """

    __tablename__ = "desk_runs"

    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), primary_key=True)
    run_id: Mapped[str | None] = mapped_column(index=True)
    made: Mapped[int] = mapped_column(default=0)
    asked: Mapped[int] = mapped_column(default=0)
    asked_after: Mapped[int] = mapped_column(default=0)
    applied: Mapped[int] = mapped_column(default=0)
    shown: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    shown_until: Mapped[datetime | None] = mapped_column(index=True)
    refused_because: Mapped[str | None] = mapped_column(SealedText)
    not_done: Mapped[dict[str, Any] | None] = mapped_column(SealedJson)
    last_done: Mapped[str | None] = mapped_column(SealedText)

    ticket: Mapped[Ticket] = relationship()

    def was_refused(self, who: str, *, because: str, action: str, text: str) -> None:
        """Note why something of a handler's was not done; a text that they had kept before stays."""
        others = dict(self.not_done or {})
        before = others.pop(who, {"action": "", "text": ""})
        kept = {"action": action, "text": text} if text else before
        self.not_done = {**others, who: {**kept, "because": because}}

    def was_done(self, who: str, action: str) -> None:
        """Note that something of a handler's was done: their refusal is read, the text for it used."""
        self.refused_because = None
        others = dict(self.not_done or {})
        before = others.pop(who, None)
        if before and before["text"] and before["action"] != action:
            others[who] = {**before, "because": ""}
        self.not_done = others or None


def desk_run_of(session: Session, ticket: Ticket) -> DeskRun:
    """The row of a ticket's run; made when it is first asked for. Holds the ticket."""
    hold(session, ticket)
    row = session.get(DeskRun, ticket.id, with_for_update=True)
    if row is None:
        row = DeskRun(ticket=ticket, made=0, asked=0, asked_after=0, applied=0)
        session.add(row)
    return row


@dataclass(frozen=True)
class Shown:
    """A ticket that has a run, or should have one; ``seq`` is how long its history is."""

    reference: str
    is_open: bool
    seq: int
    row: DeskRun | None


def tickets_to_show(session: Session, *, closed_after: datetime) -> list[Shown]:
    """The open tickets, and those closed so lately that their run may not know it yet."""
    newest = select(func.max(Event.seq)).where(Event.ticket_id == Ticket.id).scalar_subquery()
    every = select(Ticket.reference, newest, DeskRun).outerjoin(DeskRun, DeskRun.ticket_id == Ticket.id)
    found = list[Shown]()
    for is_open, which in ((True, Ticket.closed_at.is_(None)), (False, Ticket.closed_at > closed_after)):
        for reference, seq, row in session.execute(every.where(which)).tuples():
            found.append(Shown(reference, is_open, seq or 0, cast("DeskRun | None", row)))
    return found


def tickets_of_the_last_events(session: Session, number: int) -> dict[int, str]:
    """The last so many events of all histories, by their numbers: the ticket of each."""
    newest = session.scalar(select(func.max(Event.id))) or 0
    late = select(Event.id, Ticket.reference).join(Ticket).where(Event.id > newest - number)
    return dict(session.execute(late).tuples().all())


def tickets_changed_by_time(session: Session, now: datetime) -> list[str]:
    """The tickets that are shown otherwise from now on, though nothing happened."""
    changed = select(Ticket.reference).join(DeskRun, DeskRun.ticket_id == Ticket.id)
    return list(session.scalars(changed.where(DeskRun.shown_until <= now)))


def ticket_of_run(session: Session, run_id: str) -> str | None:
    """The ticket that a run shows."""
    shows = select(Ticket.reference).join(DeskRun, DeskRun.ticket_id == Ticket.id)
    return session.scalars(shows.where(DeskRun.run_id == run_id)).one_or_none()
