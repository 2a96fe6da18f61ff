"""Whether the installation works, for a monitor: no names, no numbers, no times.

Each part is ``ok``, ``late``, ``alarm`` or ``down``:

- ``database``: ``down`` when it cannot be asked.
- ``intake``, ``deliver``, ``attend`` (the desk): by their lease. ``late`` once it ran out more than two
  minutes ago, or was never taken; ``down`` after a quarter of an hour.
- ``sweep``: by its sign of life. ``late`` when three sweeps were not made: no reminder leaves. ``down`` a
  quarter of an hour later, like the others: whoever watches us must not overlook it for long.
- ``clocks``: by the rung that has been due longest. ``late`` when two sweeps should have fired it;
  ``down`` a quarter of an hour later.
- ``key``: the published intake key, where there is one. ``ending`` when it ends soon, which changes
  nothing of the whole; ``late`` once it has ended: nobody can seal a report to us.
- ``audit``: ``alarm`` while anything is wrong that it found; ``late`` when two audits were not made.

The whole is ``ok``, ``degraded`` (something is late or wrong) or ``down``; HTTP 503 is for ``down`` only, so
that a restart of one part does not take the status pages out of a load balancer.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from flask import Blueprint
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from ..models.alarms import is_anything_wrong
from ..models.clocks import Clock
from ..models.leases import Lease
from ..models.published_keys import PublishedKey
from .database import db
from .site import log, site

LEASES = ("intake", "deliver", "attend")
AUDIT = "audit"
SWEEP = "sweep"
BETWEEN_SHIFTS = timedelta(minutes=2)
PATIENCE = timedelta(minutes=15)

Answer = tuple[dict[str, object], int]

health = Blueprint("health", __name__, url_prefix="/health")


class Condition(StrEnum):
    """How a part does."""

    OK = "ok"
    LATE = "late"
    ALARM = "alarm"
    DOWN = "down"
    ENDING = "ending"


@health.get("/live")
def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@health.get("")
def whole() -> Answer:
    """The condition of each part, and of the whole."""
    parts = conditions()
    if Condition.DOWN in parts.values():
        return {"status": "down", "parts": parts}, 503
    is_degraded = {Condition.LATE, Condition.ALARM} & set(parts.values())
    return {"status": "degraded" if is_degraded else "ok", "parts": parts}, 200


def conditions() -> dict[str, Condition]:
    """How each part does; without the database nothing else can be told."""
    sweep = timedelta(minutes=site().settings.clocks.sweep_minutes)
    try:
        return {"database": Condition.OK} | _conditions(db.session(), site().local_now(), sweep)
    except SQLAlchemyError as error:
        log.error("health: the database does not answer (%s)", type(error).__qualname__)  # noqa: TRY400 - see log_exception
        return {"database": Condition.DOWN}


def _conditions(session: Session, now: datetime, sweep: timedelta) -> dict[str, Condition]:
    found = select(Lease.name, Lease.worked_until).where(Lease.name.in_((*LEASES, AUDIT, SWEEP)))
    leases = dict(session.execute(found).tuples().all())
    next_rung_at = session.scalar(select(func.min(Clock.next_rung_at)))
    parts = {name: _lease(leases.get(name), now) for name in LEASES}
    last_sign = leases.get(SWEEP)
    parts |= {SWEEP: _behind(last_sign, now) if last_sign else Condition.LATE}
    parts |= {"clocks": _behind(next_rung_at + 2 * sweep, now) if next_rung_at else Condition.OK}
    parts |= {AUDIT: _audit(session, leases.get(AUDIT), now)}
    return parts | _key(session, now)


def _audit(session: Session, believed_until: datetime | None, now: datetime) -> Condition:
    if is_anything_wrong(session):
        return Condition.ALARM
    return Condition.OK if believed_until and now <= believed_until else Condition.LATE


def _key(session: Session, now: datetime) -> dict[str, Condition]:
    published = session.scalars(select(PublishedKey).where(PublishedKey.is_current)).first()
    if published is None:
        return {}
    ends_at = published.expires_at
    if ends_at is None or now < ends_at - timedelta(days=max(site().settings.pgp.warn_days, default=0)):
        return {"key": Condition.OK}
    return {"key": Condition.ENDING if now < ends_at else Condition.LATE}


def _lease(worked_until: datetime | None, now: datetime) -> Condition:
    return _behind(worked_until + BETWEEN_SHIFTS, now) if worked_until else Condition.LATE


def _behind(expected_by: datetime, now: datetime) -> Condition:
    if now <= expected_by:
        return Condition.OK
    return Condition.LATE if now <= expected_by + PATIENCE else Condition.DOWN
