"""Addresses that mail cannot be delivered to, as bounces with a token of ours have said.

An address is known by a keyed digest. What we would write to a reporter there by ourselves is parked;
what a human writes, and what goes to handlers, owners and the IBD, is tried all the same.
"""

from datetime import datetime

from sqlalchemy import ForeignKey, delete
from sqlalchemy.orm import Mapped, Session, mapped_column

from .base import Base
from .vault import SealedText, digest_of


class UndeliverableAddress(Base):
    """An address that failed for good; it is known by a keyed digest."""

    __tablename__ = "undeliverable"

    address_digest: Mapped[str] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(SealedText)
    failed_at: Mapped[datetime]
    times: Mapped[int] = mapped_column(default=1)
    mail_id: Mapped[int | None] = mapped_column(ForeignKey("outbox.id"))


def fails(session: Session, address: str, *, mail_id: int, now: datetime) -> None:
    """Mark an address that refused a mail for good."""
    digest = digest_of(address)
    known = session.get(UndeliverableAddress, digest, with_for_update=True)
    if known is None:
        session.add(
            UndeliverableAddress(
                address_digest=digest, address=address, failed_at=now, times=1, mail_id=mail_id
            )
        )
        return
    known.failed_at, known.times, known.mail_id = now, known.times + 1, mail_id


def is_undeliverable(session: Session, address: str) -> bool:
    """Whether an address failed for good, and nothing has told since that it works again."""
    return session.get(UndeliverableAddress, digest_of(address)) is not None


def delivers_again(session: Session, address: str | None) -> None:
    """Take the mark away: somebody there has written to us, or a handler wants it tried."""
    if address:
        session.execute(
            delete(UndeliverableAddress).where(UndeliverableAddress.address_digest == digest_of(address))
        )
