"""A ticket: one report, its state, its history, what was said, and who reported it.

Identity lies in a table of its own, apart from the report; both are encrypted columns.
The history is append-only and hash-chained: each event carries the digest of the one before it.
"""

import hashlib
import json
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, UniqueConstraint, event, inspect, select
from sqlalchemy.engine import Connection
from sqlalchemy.orm import (
    Mapped,
    Mapper,
    ORMExecuteState,
    Session,
    mapped_column,
    object_session,
    relationship,
)
from sqlalchemy.sql import text

from .base import Base
from .errors import IllegalMove, UnknownTicket
from .numbering import LIKE_A_NUMBER
from .owners import Owner
from .severity import Severity
from .states import NEXT_STATES, STATE_LABELS, CloseReason, TicketState
from .vault import SealedBytes, SealedText

if TYPE_CHECKING:
    from .clocks import Clock

#: What a closed ticket is that was not forgotten.
KEPT = text("closed_at IS NOT NULL AND forgotten_at IS NULL")


class WaitingOn(StrEnum):
    """Who is expected to do something next."""

    HANDLER = "handler"
    OWNER = "owner"
    REPORTER = "reporter"
    SUPPLIER = "supplier"
    IBD = "ibd"


class Direction(StrEnum):
    """From whom to whom a message went."""

    FROM_REPORTER = "from_reporter"
    TO_REPORTER = "to_reporter"
    FROM_OWNER = "from_owner"
    FROM_FORMER_OWNER = "from_former_owner"
    FROM_IBD = "from_ibd"
    INTERNAL = "internal"


class Ticket(Base):
    """One report and what becomes of it."""

    __tablename__ = "tickets"
    __table_args__ = (Index("ix_tickets_kept", "closed_at", sqlite_where=KEPT, postgresql_where=KEPT),)

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)
    version: Mapped[int] = mapped_column()
    state: Mapped[TicketState] = mapped_column(default=TicketState.RECEIVED)
    close_reason: Mapped[CloseReason | None]
    waiting_on: Mapped[WaitingOn] = mapped_column(default=WaitingOn.HANDLER)
    arrived_at: Mapped[datetime]
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None] = mapped_column(index=True)
    forgotten_at: Mapped[datetime | None]
    expected_fix_on: Mapped[date | None]
    embargo_ends_at: Mapped[datetime | None]
    severity: Mapped[Severity | None]
    cvss_vector: Mapped[str | None]
    cvss_score: Mapped[float | None]
    tlp: Mapped[str] = mapped_column(default="TLP:AMBER")
    was_encrypted: Mapped[bool] = mapped_column(default=False)
    signature: Mapped[str] = mapped_column(default="none")
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("owners.id"), index=True)
    handler: Mapped[str | None]
    routed_because: Mapped[str] = mapped_column(SealedText, default="")
    linked_to: Mapped[int | None] = mapped_column(ForeignKey("tickets.id"))

    owner: Mapped[Owner | None] = relationship()
    reporter: Mapped["Reporter"] = relationship(back_populates="ticket")
    messages: Mapped[list["Message"]] = relationship(back_populates="ticket", order_by="Message.id")
    history: Mapped[list["Event"]] = relationship(back_populates="ticket", order_by="Event.seq")
    targets: Mapped[list["Target"]] = relationship(back_populates="ticket", order_by="Target.id")

    clocks: Mapped[list["Clock"]] = relationship(back_populates="ticket")

    __mapper_args__: ClassVar = {"version_id_col": version}

    @property
    def is_open(self) -> bool:
        """Whether anything can still happen to it."""
        return self.state is not TicketState.CLOSED

    @property
    def owner_name(self) -> str:
        """Whose it is; what nobody owns is with triage."""
        return self.owner.name if self.owner else "triage"

    @property
    def report(self) -> "Message":
        """The first message: the report itself."""
        return self.messages[0]

    def move_to(self, state: TicketState, *, by: str, at: datetime, because: str = "") -> "Event":
        """Change the state and record who did it; the only way a ticket changes state."""
        if state not in NEXT_STATES[self.state]:
            raise IllegalMove(self._what_is_possible(state))
        was, self.state = self.state, state
        if state is TicketState.CLOSED:
            self.closed_at = at
        return self.record("moved", by=by, at=at, because=because, **{"from": was.value, "to": state.value})

    def wait_for(self, whom: WaitingOn, *, by: str, at: datetime, because: str = "") -> None:
        """Note who is expected to act next; clocks stand still while it is not one of us."""
        if whom is not self.waiting_on:
            self.waiting_on = whom
            self.record("waiting", by=by, at=at, because=because, on=whom.value)

    def record(self, kind: str, *, by: str, at: datetime, because: str = "", **facts: Any) -> "Event":
        """Add an event to the history; facts are references, dates and codes, never report text."""
        before = self._last_event()
        entry = Event(
            ticket=self,
            seq=before.seq + 1 if before else 1,
            at=at,
            kind=kind,
            actor=by,
            because=because,
            facts=facts,
            previous=before.digest if before else "",
        )
        entry.digest = entry.chained_digest(self.reference)
        session = object_session(self)
        if session is not None:
            session.add(entry)
        return entry

    def _last_event(self) -> "Event | None":
        """The end of the chain, without reading the rest of a long history."""
        session = object_session(self)
        if session is None or self.id is None:  # pyright: ignore[reportUnnecessaryComparison] - not flushed yet
            return self.history[-1] if self.history else None
        newest = select(Event).where(Event.ticket_id == self.id).order_by(Event.seq.desc()).limit(1)
        return session.scalars(newest).first()

    def _what_is_possible(self, wanted: TicketState) -> str:
        possible = sorted(STATE_LABELS[state][1] for state in NEXT_STATES[self.state])
        now, then = STATE_LABELS[self.state][1], STATE_LABELS[wanted][1]
        if not possible:
            return f"{self.reference} is {now}; a new message opens a linked ticket"
        allowed = " or ".join(possible)
        return f"{self.reference} is {now} and cannot become {then}; it can become {allowed}"


class Event(Base):
    """One thing that happened to a ticket."""

    __tablename__ = "events"
    __table_args__ = (UniqueConstraint("ticket_id", "seq"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    seq: Mapped[int]
    at: Mapped[datetime]
    kind: Mapped[str]
    actor: Mapped[str]
    because: Mapped[str] = mapped_column(SealedText)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    previous: Mapped[str]
    digest: Mapped[str]

    ticket: Mapped[Ticket] = relationship(back_populates="history")

    def chained_digest(self, reference: str) -> str:
        """The SHA-256 of this event and the digest of the one before it."""
        content = [
            reference,
            self.seq,
            self.at.astimezone(UTC).isoformat(),
            self.kind,
            self.actor,
            self.because,
            self.facts,
            self.previous,
        ]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def ticket_called(session: Session, reference: str) -> Ticket:
    """The ticket of a number such as ``CVD-2026-0042``; raises :class:`UnknownTicket`."""
    ticket = session.scalars(select(Ticket).where(Ticket.reference == reference)).one_or_none()
    if ticket is None:
        shown = reference if LIKE_A_NUMBER.fullmatch(reference) else "of that number"
        raise UnknownTicket(f"there is no ticket {shown}; `meldbalie tickets` lists them")
    return ticket


def first_broken_link(ticket: Ticket) -> Event | None:
    """The first event of a history that was altered, or ``None`` when the chain holds."""
    previous = ""
    for entry in ticket.history:
        if entry.previous != previous or entry.digest != entry.chained_digest(ticket.reference):
            return entry
        previous = entry.digest
    return None


@event.listens_for(Event, "before_update")
@event.listens_for(Event, "before_delete")
def _append_only(mapper: Mapper[Any], connection: Connection, target: Event) -> None:
    del mapper, connection
    raise IllegalMove(f"event {target.seq} is history, and history is only added to")


@event.listens_for(Session, "do_orm_execute")
def _append_only_in_bulk(statement: ORMExecuteState) -> None:
    if (statement.is_update or statement.is_delete) and statement.bind_mapper is inspect(Event):
        raise IllegalMove("events are history, and history is only added to")


class Reporter(Base):
    """Who reported, apart from what was reported."""

    __tablename__ = "reporters"
    __table_args__ = (CheckConstraint("credit IN ('unasked', 'name', 'pseudonym', 'none')", name="credit"),)

    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), primary_key=True)
    name: Mapped[str | None] = mapped_column(SealedText)
    address: Mapped[str | None] = mapped_column(SealedText)
    address_digest: Mapped[str | None] = mapped_column(index=True)
    fingerprint: Mapped[str | None] = mapped_column(SealedText)
    shares_identity: Mapped[bool] = mapped_column(default=False)
    credit: Mapped[str] = mapped_column(default="unasked")

    ticket: Mapped[Ticket] = relationship(back_populates="reporter")


class Message(Base):
    """One thing that was said on a ticket."""

    __tablename__ = "messages"

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), index=True)
    ledger_id: Mapped[int | None] = mapped_column(ForeignKey("ledger.id"), unique=True)
    at: Mapped[datetime]
    direction: Mapped[Direction]
    subject: Mapped[str] = mapped_column(SealedText, default="")
    text: Mapped[str] = mapped_column(SealedText)
    message_id_digest: Mapped[str | None] = mapped_column(index=True)
    doubt: Mapped[str | None]

    ticket: Mapped[Ticket] = relationship(back_populates="messages")
    attachments: Mapped[list["Attachment"]] = relationship(back_populates="message", order_by="Attachment.id")


class Attachment(Base):
    """A file that came with a message."""

    __tablename__ = "attachments"

    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id"), index=True)
    name: Mapped[str] = mapped_column(SealedText)
    type: Mapped[str]
    size: Mapped[int]
    sha256: Mapped[str]
    content: Mapped[bytes] = mapped_column(SealedBytes, deferred=True)

    message: Mapped[Message] = relationship(back_populates="attachments")


class Target(Base):
    """A host or an address that a report is about."""

    __tablename__ = "targets"

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), index=True)
    value: Mapped[str] = mapped_column(SealedText)

    ticket: Mapped[Ticket] = relationship(back_populates="targets")
