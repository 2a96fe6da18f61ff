"""Alarms: what is wrong with the desk itself, from the first time that it was seen until it is mended."""

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base


class Alarm(Base):
    """One thing that is wrong: its kind, and what it is about (a number or a code, never a person)."""

    __tablename__ = "alarms"
    __table_args__ = (UniqueConstraint("kind", "about"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    about: Mapped[str]
    raised_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
