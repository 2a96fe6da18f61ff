"""What was published of a year, kept as it was: a page of yesterday and one of today never differ.

A late answer, a report that is called spam afterwards, or a ticket that is forgotten would each move a
figure of a year that is over, and so tell of one report. So a year is counted once, written down, and
shown from there. Only an operator makes it anew, on purpose.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import JSON, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from .accountability import YEARS, Year
from .base import Base

_YEAR = TypeAdapter(Year)


class PublishedYear(Base):
    """The figures of a year, the minimum that they were made with, and when."""

    __tablename__ = "published_years"

    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    minimum: Mapped[int]
    figures: Mapped[dict[str, Any]] = mapped_column(JSON)
    made_at: Mapped[datetime]

    def as_year(self) -> Year:
        """The figures as they were counted."""
        return _YEAR.validate_python(self.figures)


def published_years(session: Session) -> list[PublishedYear]:
    """What everybody may see, the latest year first."""
    return list(session.scalars(select(PublishedYear).order_by(PublishedYear.year.desc()).limit(YEARS)))


def freeze(session: Session, years: Mapping[int, Year], *, minimum: int, now: datetime) -> None:
    """Write down years that were not; one that stands already stays as it is."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    for number, year in years.items():
        row = _row(number, year, minimum, now)
        session.execute(insert(PublishedYear).values(row).on_conflict_do_nothing())


def make_anew(session: Session, number: int, year: Year, *, minimum: int, now: datetime) -> None:
    """Put other figures in the place of those that were published, after an error."""
    session.merge(PublishedYear(**_row(number, year, minimum, now)))


def _row(number: int, year: Year, minimum: int, now: datetime) -> dict[str, Any]:
    figures = _YEAR.dump_python(year, mode="json")
    return {"year": number, "minimum": minimum, "figures": figures, "made_at": now}
