"""Personal PINs: the second factor of handlers who do not confirm by mail."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from .base import Base


class Pin(Base):
    """The PIN of one person, as a salted slow hash, and how often a wrong one was given."""

    __tablename__ = "pins"

    person: Mapped[str] = mapped_column(primary_key=True)
    hashed: Mapped[str]
    set_at: Mapped[datetime]
    failures: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]
