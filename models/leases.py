"""Leases: a row that keeps two processes from doing the same work."""

from datetime import datetime, timedelta

from sqlalchemy import Executable, or_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from .base import Base


class Lease(Base):
    """Who does a piece of work, and until when that is believed without a sign of life."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    expires_at: Mapped[datetime]
    worked_until: Mapped[datetime | None]
    process: Mapped[str | None]


def take_lease(session: Session, name: str, *, holder: str, now: datetime, lasting: timedelta) -> bool:
    """Take or renew a lease; ``False`` while somebody else holds it."""
    session.execute(_make_if_missing(session, name, now))
    free = or_(Lease.holder == holder, Lease.expires_at <= now)
    taken = session.connection().execute(
        update(Lease).where(Lease.name == name, free).values(holder=holder, expires_at=now + lasting)
    )
    return taken.rowcount == 1


def did_work(session: Session, name: str, *, until: datetime) -> None:
    """Record that the work succeeds, and until when that is believed; holding a lease proves nothing."""
    session.connection().execute(update(Lease).where(Lease.name == name).values(worked_until=until))


def give_back(session: Session, name: str, *, holder: str, now: datetime) -> None:
    """End a lease early, if it is still this holder's."""
    session.connection().execute(
        update(Lease).where(Lease.name == name, Lease.holder == holder).values(expires_at=now)
    )


def _make_if_missing(session: Session, name: str, now: datetime) -> Executable:
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    row = {"name": name, "holder": "", "expires_at": now}
    return insert(Lease).values(row).on_conflict_do_nothing()
