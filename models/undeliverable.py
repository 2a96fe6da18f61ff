"""Addresses that mail cannot be delivered to, as bounces with a token of ours have said."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base
from .vault import SealedText


class UndeliverableAddress(Base):
    """An address that failed for good; it is known by a keyed digest."""

    __tablename__ = "undeliverable"

    address_digest: Mapped[str] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(SealedText)
    failed_at: Mapped[datetime]
    times: Mapped[int] = mapped_column(default=1)
    mail_id: Mapped[int | None] = mapped_column(ForeignKey("outbox.id"))
