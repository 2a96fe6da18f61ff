"""The outbox: every mail that is to leave, written in the transaction of what caused it.

A row says what is to be said to whom, not the text: it is worded and sealed when it is delivered,
for one recipient. ``once`` makes the same cause write the same mail only once. What a row needs
that stands nowhere else (a new secret link) lies encrypted in ``facts`` until it is delivered.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .base import Base
from .ticket import Message, Ticket
from .vault import SealedJson, SealedText


class MailKind(StrEnum):
    """What a mail is for."""

    RECEIPT = "receipt"
    OWNER_REPORT = "owner_report"
    HANDLER_REPORT = "handler_report"
    IBD_COPY = "ibd_copy"
    ANSWER = "answer"
    STATE_CHANGED = "state_changed"
    MESSAGE = "message"
    RUNG = "rung"
    QUARANTINED = "quarantined"
    CANNOT_OPEN = "cannot_open"
    UNDELIVERED = "undelivered"


class MailState(StrEnum):
    """How far a mail is."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    PARKED = "parked"
    HELD = "held"


class Mail(Base):
    """One mail to one recipient."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_due", "state", "next_try_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    once: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[MailKind]
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("tickets.id"), index=True)
    message_id: Mapped[int | None] = mapped_column(ForeignKey("messages.id"))
    ledger_id: Mapped[int | None] = mapped_column(ForeignKey("ledger.id"))
    party: Mapped[str]
    recipient: Mapped[str] = mapped_column(SealedText)
    recipient_name: Mapped[str] = mapped_column(SealedText, default="")
    fingerprint: Mapped[str] = mapped_column(SealedText, default="")
    facts: Mapped[dict[str, Any] | None] = mapped_column(SealedJson)
    state: Mapped[MailState] = mapped_column(default=MailState.WAITING)
    created_at: Mapped[datetime]
    next_try_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(default=0)
    claimed_until: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    was_sealed: Mapped[bool | None]
    problem: Mapped[str | None]

    ticket: Mapped[Ticket | None] = relationship()
    message: Mapped[Message | None] = relationship()


class Thread(Base):
    """The unguessable token by which one party's replies find their ticket."""

    __tablename__ = "threads"

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), index=True)
    party: Mapped[str]
    token_hash: Mapped[str] = mapped_column(unique=True)
    token: Mapped[str] = mapped_column(SealedText)

    ticket: Mapped[Ticket] = relationship()
