"""Owners who are away, and who stands in for them."""

from datetime import date

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .base import Base
from .owners import Owner


class Absence(Base):
    """Days, the first and the last included, on which somebody else hears what an owner would."""

    __tablename__ = "absences"
    __table_args__ = (CheckConstraint("last_day >= first_day", name="days"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("owners.id"), index=True)
    deputy_id: Mapped[int | None] = mapped_column(ForeignKey("owners.id"))
    first_day: Mapped[date]
    last_day: Mapped[date]

    owner: Mapped[Owner] = relationship(foreign_keys=[owner_id])
    deputy: Mapped[Owner | None] = relationship(foreign_keys=[deputy_id])
