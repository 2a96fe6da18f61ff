"""Leases: a row that keeps two processes from doing the same work."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Executable, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from .base import Base


class Lease(Base):
    """Who does a piece of work, in which process, and until when that is believed without a sign of life."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    expires_at: Mapped[datetime]
    worked_until: Mapped[datetime | None]
    process: Mapped[str | None]


def _nobody_knows(process: str) -> bool:
    del process
    return False


def take_lease(
    session: Session,
    name: str,
    *,
    holder: str,
    now: datetime,
    lasting: timedelta,
    process: str | None = None,
    has_died: Callable[[str], bool] = _nobody_knows,
) -> bool:
    """Take or renew a lease; ``False`` while somebody else holds it.

    ``process`` names ours. The lease of a process that ``has_died`` knows to be dead is free at once;
    where that cannot be known, when it runs out.
    """
    session.execute(_make_if_missing(session, name, now))
    values = {"holder": holder, "expires_at": now + lasting, "process": process}
    if _take(session, name, or_(Lease.holder == holder, Lease.expires_at <= now), values):
        return True
    other = session.scalar(select(Lease.process).where(Lease.name == name))
    return other is not None and has_died(other) and _take(session, name, Lease.process == other, values)


def did_work(session: Session, name: str, *, until: datetime) -> None:
    """Record that the work succeeds, and until when that is believed; holding a lease proves nothing."""
    session.connection().execute(update(Lease).where(Lease.name == name).values(worked_until=until))


def give_back(session: Session, name: str, *, holder: str, now: datetime) -> None:
    """End a lease early, if it is still this holder's."""
    session.connection().execute(
        update(Lease).where(Lease.name == name, Lease.holder == holder).values(expires_at=now)
    )


def _take(session: Session, name: str, free: ColumnElement[bool], values: Mapping[str, object]) -> bool:
    """Take it if it is free; of two who want it at once the second finds that it is not any more."""
    taken = session.connection().execute(update(Lease).where(Lease.name == name, free).values(values))
    return taken.rowcount == 1


def _make_if_missing(session: Session, name: str, now: datetime) -> Executable:
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    row = {"name": name, "holder": "", "expires_at": now}
    return insert(Lease).values(row).on_conflict_do_nothing()
