"""Ticket numbers: one series a year, without gaps among the tickets that were committed.

The number is taken in the transaction that writes the ticket. Another writer waits until that one
ends (SQLite: ``BEGIN IMMEDIATE``; PostgreSQL: the row's lock, or the unique index for the first of
a year), so that a number of a transaction that was rolled back is given out again.
"""

import re

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from .base import Base

#: How a number looks; what is none may be a reporter's words, and is not said back.
LIKE_A_NUMBER = re.compile(r"[A-Z]{2,12}-[0-9]{4}-[0-9]{4,9}")


class NumberSeries(Base):
    """The last ticket number given out in a year."""

    __tablename__ = "number_series"

    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int]


def next_reference(session: Session, *, year: int) -> str:
    """Take the next number of a year: ``CVD-2026-0001``; after 9999 it grows wider."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    taken = (
        insert(NumberSeries)
        .values(year=year, last=1)
        .on_conflict_do_update(index_elements=["year"], set_={"last": NumberSeries.last + 1})
        .returning(NumberSeries.last)
    )
    return f"CVD-{year}-{session.execute(taken).scalar_one():04d}"
