"""The ledger: every message that ever lay in the intake mailbox, byte for byte.

A message is written here and committed before the mailbox is touched, so that a crash at any
moment leaves it in at least one of the two places. It is known by where it lay (mailbox,
UIDVALIDITY, UID) and by what it is (:func:`identity_of`), so that the same message again is
recorded and makes nothing new.
"""

import hashlib
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base
from .vault import SealedBytes, SealedText


class Verdict(StrEnum):
    """What became of a message."""

    OPENED_TICKET = "opened_ticket"
    JOINED_TICKET = "joined_ticket"
    AUTOMATIC = "automatic"
    BOUNCED = "bounced"
    UNCLEAR = "unclear"
    REPEATED = "repeated"
    QUARANTINED = "quarantined"


class LedgerEntry(Base):
    """One message as it arrived."""

    __tablename__ = "ledger"
    __table_args__ = (
        UniqueConstraint("mailbox", "uidvalidity", "uid"),
        Index(
            "uq_ledger_first_of_its_kind",
            "identity",
            unique=True,
            sqlite_where=text("same_as IS NULL"),
            postgresql_where=text("same_as IS NULL"),
        ),
        Index(
            "ix_ledger_undecided",
            "id",
            sqlite_where=text("verdict IS NULL"),
            postgresql_where=text("verdict IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    mailbox: Mapped[str]
    uidvalidity: Mapped[int]
    uid: Mapped[int]
    message_id: Mapped[str] = mapped_column(SealedText)
    identity: Mapped[str] = mapped_column()
    digest: Mapped[str]
    size: Mapped[int]
    arrived_at: Mapped[datetime]
    taken_at: Mapped[datetime]
    raw: Mapped[bytes] = mapped_column(SealedBytes)
    same_as: Mapped[int | None] = mapped_column(ForeignKey("ledger.id"))
    verdict: Mapped[Verdict | None]
    decided_at: Mapped[datetime | None]
    problem: Mapped[str | None]
    tries: Mapped[int] = mapped_column(default=0)
    put_away_at: Mapped[datetime | None]
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("tickets.id"))


def digest_of(raw: bytes) -> str:
    """The SHA-256 of the message as it arrived."""
    return hashlib.sha256(raw).hexdigest()
