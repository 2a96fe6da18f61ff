"""The outbox: every mail that is to leave, written in the transaction of what caused it.

A row says what is to be said to whom, not the text: it is worded and sealed when it is delivered,
for one recipient. ``once`` makes the same cause write the same mail only once; it lies in the clear,
so it names a reporter by role, never by address. What a row needs that stands nowhere else lies
encrypted in ``facts``: it stays there, since a mail may come back and be sent again. Only a secret link
is gone once it has left; a receipt that is sent again brings a new one.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from .base import Base
from .promise import Correspondent, Promise
from .ticket import Message, Ticket
from .vault import SealedJson, SealedText, digest_of


class MailKind(StrEnum):
    """What a mail is for."""

    RECEIPT = "receipt"
    OWNER_REPORT = "owner_report"
    HANDLER_REPORT = "handler_report"
    IBD_COPY = "ibd_copy"
    ANSWER = "answer"
    STATE_CHANGED = "state_changed"
    FIXED = "fixed"
    PROGRESS = "progress"
    TOLD = "told"
    ASKED = "asked"
    EMBARGO = "embargo"
    PUBLICATION = "publication"
    MESSAGE = "message"
    ORDER_REPLY = "order_reply"
    ASSIGNED = "assigned"
    HANDED_OVER = "handed_over"
    RUNG = "rung"
    CONFIRM = "confirm"
    QUARANTINED = "quarantined"
    CANNOT_OPEN = "cannot_open"
    UNDELIVERED = "undelivered"
    HELD_COPY = "held_copy"
    KEY_ALARM = "key_alarm"
    KEY_REFUSED = "key_refused"
    KEY_WARNING = "key_warning"
    ALARM = "alarm"


#: What a human wrote to the reporter: it leaves however much mail has left.
WRITTEN_BY_HAND = frozenset(
    {MailKind.ANSWER, MailKind.TOLD, MailKind.ASKED, MailKind.EMBARGO, MailKind.PUBLICATION}
)


#: Why a copy for the IBD is held: it may identify the reporter.
IN_DOUBT = "held_for_doubt"
#: What tells handlers that a mail waits for them.
NOTICES = frozenset({MailKind.UNDELIVERED, MailKind.HELD_COPY})


class MailState(StrEnum):
    """How far a mail is."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    PARKED = "parked"
    HELD = "held"
    CALLED_OFF = "called_off"


class Mail(Base):
    """One mail to one recipient."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_due", "state", "next_try_at", "id"),
        Index("ix_outbox_of_kind", "kind", "state"),
        Index("ix_outbox_to", "recipient_digest", "created_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    once: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[MailKind]
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("tickets.id"), index=True)
    message_id: Mapped[int | None] = mapped_column(ForeignKey("messages.id"))
    ledger_id: Mapped[int | None] = mapped_column(ForeignKey("ledger.id"))
    party: Mapped[str]
    recipient: Mapped[str] = mapped_column(SealedText)
    recipient_digest: Mapped[str | None]
    recipient_name: Mapped[str] = mapped_column(SealedText, default="")
    fingerprint: Mapped[str] = mapped_column(SealedText, default="")
    facts: Mapped[dict[str, Any] | None] = mapped_column(SealedJson)
    state: Mapped[MailState] = mapped_column(default=MailState.WAITING)
    created_at: Mapped[datetime]
    next_try_at: Mapped[datetime]
    not_before: Mapped[datetime | None]
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
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("owners.id"))
    token_hash: Mapped[str] = mapped_column(unique=True)
    token: Mapped[str] = mapped_column(SealedText)

    ticket: Mapped[Ticket] = relationship()


def write_mail(
    session: Session,
    kind: MailKind,
    to: Correspondent,
    *,
    party: str,
    cause: str,
    now: datetime,
    ticket: Ticket | None,
    about: Message | None = None,
    facts: Mapping[str, str | float] | None = None,
) -> Mail:
    """Write a mail; the same cause for the same recipient gives the mail that is there already.

    ``cause`` is a number or a code of ours. Hold the ticket first: two may have the same cause.
    """
    recipient = "reporter" if party == "reporter" else to.address.lower()
    once = f"{kind}/{ticket.reference if ticket else 'intake'}/{cause}/{recipient}"
    written = session.scalars(select(Mail).where(Mail.once == once)).one_or_none()
    if written is not None:
        return written
    mail = Mail(
        once=once,
        kind=kind,
        ticket=ticket,
        message=about,
        party=party,
        recipient=to.address,
        recipient_digest=digest_of(to.address),
        recipient_name=to.name,
        fingerprint=to.fingerprint,
        facts=dict(facts or {}),
        created_at=now,
        next_try_at=now,
    )
    session.add(mail)
    return mail


def tell_handlers(
    session: Session, mail: Mail, problem: str, promise: Promise, *, by: str, now: datetime
) -> None:
    """Tell the handlers that a mail waits for them. Of a mail that says so itself nobody is told."""
    session.flush()
    time = f"try {mail.tries}"
    if mail.ticket is not None:
        noted = mail.ticket.record("undelivered", by=by, at=now, mail=mail.kind.value, problem=problem)
        time = f"event {noted.seq}"
    if mail.kind in NOTICES:
        return
    facts = {"mail": mail.kind.value, "party": mail.party, "problem": problem}
    for handler in promise.triage:
        write_mail(
            session,
            MailKind.HELD_COPY if problem == IN_DOUBT else MailKind.UNDELIVERED,
            handler,
            party="staff",
            cause=f"{mail.id}, {time}",
            now=now,
            ticket=mail.ticket,
            facts=facts,
        )
