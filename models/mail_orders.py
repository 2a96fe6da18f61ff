"""What handlers and owners ordered by mail, and by which signature: one signature is heard once.

Whoever has a signed mail can send it again, to this ticket or to another. Who signed, when, and what cannot
be altered without breaking the signature, so these are what is remembered. A mail of several signatures can
be taken apart and put together anew, so of those of one second only one is heard.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import JSON, ForeignKey, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from .absences import Absence
from .base import Base
from .owners import Owner
from .ticket import Message, Ticket

_OF = " of "  # between when somebody signed, and what


class MailOrder(Base):
    """A signed mail that was heard: who sent it, and what was done; nothing, where it was refused.

    ``done`` are commands as we understood them: words of ours, names, dates and codes.
    """

    __tablename__ = "mail_orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    signature: Mapped[str] = mapped_column(unique=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id"), unique=True)
    who: Mapped[str]
    done: Mapped[list[str]] = mapped_column(JSON)
    at: Mapped[datetime]

    message: Mapped[Message] = relationship()


def signature_of(fingerprint: str, signed_at: datetime, digest: str = "") -> str:
    """By what a signature is known again, wherever it turns up.

    ``digest`` is that of what was signed; empty where a mail has several signatures.
    """
    moment = hashlib.sha256(f"{fingerprint} {signed_at.timestamp():.0f}".encode()).hexdigest()
    return f"{moment}{_OF}{digest}" if digest else moment


def was_heard(session: Session, signature: str) -> bool:
    """Whether a mail with this signature was heard before, on whatever ticket."""
    moment, _, digest = signature.partition(_OF)
    same = MailOrder.signature.in_((moment, signature)) if digest else MailOrder.signature.startswith(moment)
    found = select(MailOrder.id).where(same).limit(1)
    return session.scalars(found).first() is not None


def note_order(
    session: Session, message: Message, signature: str, *, who: str, done: Sequence[str], now: datetime
) -> None:
    """Remember what was done for a mail, so that its signature is never heard again."""
    session.add(MailOrder(message=message, signature=signature, who=who, done=list(done), at=now))


def done_by(session: Session, message: Message) -> tuple[str, ...]:
    """What was done because of a mail; nothing, where it ordered nothing."""
    found = session.scalars(select(MailOrder.done).where(MailOrder.message_id == message.id)).first()
    return tuple(found or ())


def owners_of(session: Session, ticket: Ticket) -> list[Owner]:
    """Who speaks as the owner of a ticket: the one whose it is now, and those who stand in for them."""
    deputies = select(Absence.deputy_id).where(Absence.owner_id == ticket.owner_id)
    theirs = or_(Owner.id == ticket.owner_id, Owner.id.in_(deputies))
    return list(session.scalars(select(Owner).where(theirs).order_by(Owner.id)))
