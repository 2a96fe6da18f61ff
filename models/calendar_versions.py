"""What clocks count by, as it was and as it is: each change makes a version.

The zone, the hours, the public holidays and the durations come from the settings, the organisation's
own closed days from a dated table that is imported. A clock counts by the last version, one that has
stopped by the version of that moment; a new one lets the running clocks be read again
(:func:`.winding.wind`), and says which of them moved.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import JSON, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from .base import Base
from .calendar import Duration
from .clock_rules import Plan, Statutory
from .due import calendar_from
from .promise import Promise


class CalendarVersion(Base):
    """A calendar as ``meldbalie due`` reads it, with durations; since when it holds, and who made it."""

    __tablename__ = "calendar_versions"

    id: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    own_days: Mapped[dict[str, str]] = mapped_column(JSON)
    made_at: Mapped[datetime]
    made_by: Mapped[str]


def latest_version(session: Session) -> CalendarVersion | None:
    """The version that holds now; ``None`` before the first."""
    return session.scalars(select(CalendarVersion).order_by(CalendarVersion.id.desc()).limit(1)).first()


def version_at(session: Session, instant: datetime) -> CalendarVersion | None:
    """The version that held just before an instant; the first one also for all that was before it."""
    versions = select(CalendarVersion).order_by(CalendarVersion.id.desc())
    held = session.scalars(versions.where(CalendarVersion.made_at < instant).limit(1)).first()
    return held or session.scalars(select(CalendarVersion).order_by(CalendarVersion.id).limit(1)).first()


def plan_of(version: CalendarVersion | None, promise: Promise) -> Plan:
    """What clocks are read by while a version holds; before the first one, what the settings say."""
    return plan_in(version.content) if version else promise.plan()


def plan_now(session: Session, promise: Promise) -> Plan:
    """What running clocks are read by now."""
    return plan_of(latest_version(session), promise)


def plan_in(content: Mapping[str, Any]) -> Plan:
    """What a content says that clocks are read by."""
    terms = content["clocks"]
    return Plan(
        response=Duration.parse(terms["response"]),
        share=timedelta(minutes=terms["share_minutes"]),
        update=Duration.parse(terms["update"]),
        calendar=calendar_from({name: each for name, each in content.items() if name != "clocks"}),
        statutory=tuple(Statutory(**law) for law in terms["statutory"]),
    )


def make_version(
    session: Session,
    settings: Mapping[str, Any],
    promise: Promise,
    *,
    own_days: Mapping[str, str] | None = None,
    by: str,
    now: datetime,
) -> CalendarVersion | None:
    """Make a version of what the settings, the promise and our own days (date, name) say now.

    ``own_days`` is ``None`` where they stay as they are. Gives ``None`` when nothing has changed. Of several
    who do so at once, one makes the version.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE calendar_versions IN SHARE ROW EXCLUSIVE MODE"))
    last = latest_version(session)
    content, days = proposed(last, settings, promise, own_days)
    if last is not None and (last.content, last.own_days) == (content, days):
        return None
    version = CalendarVersion(content=content, own_days=days, made_at=now, made_by=by)
    session.add(version)
    session.flush()
    return version


def proposed(
    last: CalendarVersion | None,
    settings: Mapping[str, Any],
    promise: Promise,
    own_days: Mapping[str, str] | None,
) -> tuple[dict[str, Any], dict[str, str]]:
    """The content and the own days that a version of these settings would have."""
    days = dict(last.own_days if last else {}) if own_days is None else dict(own_days)
    content = dict(settings) | {"closed": sorted(days), "clocks": _terms(promise)}
    plan_in(content)  # refuses what cannot be meant
    return content, days


def _terms(promise: Promise) -> dict[str, Any]:
    return {
        "response": str(promise.response),
        "share_minutes": promise.share / timedelta(minutes=1),
        "update": str(promise.update),
        "statutory": [asdict(law) for law in promise.statutory],
        "ladders": {kind: [plan.name for plan in promise.ladder_of(kind)] for kind in promise.kinds},
    }


def changes(before: CalendarVersion | None, after: CalendarVersion) -> Iterator[str]:
    """What a version changed, a line each."""
    if before is None:
        yield "the first version"
        return
    for name in ("zone", "holidays", "hours"):
        if before.content.get(name) != after.content.get(name):
            was, then = (one.content.get(name) or "none" for one in (before, after))
            yield f"{name}: {_in_words(was)} -> {_in_words(then)}"
    yield from _changed_terms(before.content["clocks"], after.content["clocks"])
    for day in sorted({*before.own_days, *after.own_days}):
        was, then = before.own_days.get(day), after.own_days.get(day)
        if was is None:
            yield f"closed: {day} {then}"
        elif then is None:
            yield f"no longer closed: {day} {was}"
        elif was != then:
            yield f"renamed: {day} {was} -> {then}"


def _changed_terms(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name in ("response", "share_minutes", "update"):
        if before[name] != after[name]:
            yield f"{name.replace('_', ' ')}: {before[name]} -> {after[name]}"
    if before["ladders"] != after["ladders"]:
        yield "the moments of the ladder change"
    was, then = ({law["name"]: law for law in terms["statutory"]} for terms in (before, after))
    for name in sorted({*was, *then}):
        if was.get(name) != then.get(name):
            told = "begins" if name not in was else "ends" if name not in then else "changes"
            yield f"the clock {name} {told}"


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
