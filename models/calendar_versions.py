"""The organisation's calendar as it was and as it is: each change makes a version.

The zone, the hours and the public holidays come from the settings, the organisation's own closed days
from a dated table that is imported. Clocks count by the last version; a new one lets the clocks of the
open tickets be read again (:func:`.winding.wind`), and says which of them moved.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from .base import Base
from .clock_rules import Plan
from .due import calendar_from
from .promise import Promise


class CalendarVersion(Base):
    """A calendar as ``meldbalie due`` reads it, since when it holds, and who made it."""

    __tablename__ = "calendar_versions"

    id: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    own_days: Mapped[dict[str, str]] = mapped_column(JSON)
    made_at: Mapped[datetime]
    made_by: Mapped[str]


def latest_version(session: Session) -> CalendarVersion | None:
    """The version that holds now; ``None`` before the first."""
    return session.scalars(select(CalendarVersion).order_by(CalendarVersion.id.desc()).limit(1)).first()


def plan_now(session: Session, promise: Promise) -> Plan:
    """What clocks are read by now."""
    version = latest_version(session)
    return promise.plan(calendar_from(version.content) if version else None)


def make_version(
    session: Session,
    settings: Mapping[str, Any],
    *,
    own_days: Mapping[str, str] | None = None,
    by: str,
    now: datetime,
) -> CalendarVersion | None:
    """Make a version of what the settings and the organisation's own days (date, name) say now.

    ``own_days`` is ``None`` where they stay as they are. Gives ``None`` when nothing has changed.
    """
    last = latest_version(session)
    days = dict(last.own_days if last else {}) if own_days is None else dict(own_days)
    content = dict(settings) | {"closed": sorted(days)}
    calendar_from(content)  # refuses what cannot be meant
    if last is not None and (last.content, last.own_days) == (content, days):
        return None
    version = CalendarVersion(content=content, own_days=days, made_at=now, made_by=by)
    session.add(version)
    session.flush()
    return version
