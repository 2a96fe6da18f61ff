"""The organisation's calendar as it was and as it is: each change makes a version.

The zone, the hours and the public holidays come from the settings, the organisation's own closed days
from a dated table that is imported. Clocks count by the last version; a new one lets the clocks of the
open tickets be read again (:func:`.winding.wind`), and says which of them moved.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, cast

from sqlalchemy import JSON, select, text
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

    ``own_days`` is ``None`` where they stay as they are. Gives ``None`` when nothing has changed. Of several
    who do so at once, one makes the version.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE calendar_versions IN SHARE ROW EXCLUSIVE MODE"))
    last = latest_version(session)
    content, days = proposed(last, settings, own_days)
    if last is not None and (last.content, last.own_days) == (content, days):
        return None
    version = CalendarVersion(content=content, own_days=days, made_at=now, made_by=by)
    session.add(version)
    session.flush()
    return version


def proposed(
    last: CalendarVersion | None, settings: Mapping[str, Any], own_days: Mapping[str, str] | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """The calendar and the own days that a version of these settings would have."""
    days = dict(last.own_days if last else {}) if own_days is None else dict(own_days)
    content = dict(settings) | {"closed": sorted(days)}
    calendar_from(content)  # refuses what cannot be meant
    return content, days


def changes(before: CalendarVersion | None, after: CalendarVersion) -> Iterator[str]:
    """What a version changed, a line each."""
    if before is None:
        yield "the first version"
        return
    for name in ("zone", "holidays", "hours"):
        if before.content.get(name) != after.content.get(name):
            was, then = (one.content.get(name) or "none" for one in (before, after))
            yield f"{name}: {_in_words(was)} -> {_in_words(then)}"
    for day in sorted({*before.own_days, *after.own_days}):
        was, then = before.own_days.get(day), after.own_days.get(day)
        if was is None:
            yield f"closed: {day} {then}"
        elif then is None:
            yield f"no longer closed: {day} {was}"
        elif was != then:
            yield f"renamed: {day} {was} -> {then}"


def _in_words(value: Any) -> str:
    """Hours or holidays on one line."""
    if not isinstance(value, dict):
        return str(value)
    named = cast("dict[str, Any]", value)
    return ", ".join(f"{name} {_spans(each)}" for name, each in named.items())


def _spans(value: Any) -> str:
    if not isinstance(value, list):
        return str(value).lower() if isinstance(value, bool) else str(value)
    return "+".join("-".join(span) for span in cast("list[list[str]]", value)) or "closed"
