"""The flows watch each other, so that somebody hears when one of them does not run.

The sweep leaves a sign of life in its lease. Intake and deliver, which work on end, look for it, and the
sweep looks for theirs; the handlers are alarmed by mail, and by the program of the settings.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..models.alarms import AlarmKind, Look, open_alarms, take_note, tell_of_alarms
from ..models.leases import Lease, did_work, take_lease
from .installation import Installation
from .last_resort import tell_by_program

SWEEP = "sweep"
WORKED_ON_END = ("intake", "deliver", "attend")
MISSED = 3  # intervals without a sweep are alarming
PATIENCE = timedelta(minutes=15)  # with a shift that gives no sign of life: another takes over in two


def patience(place: Installation) -> timedelta:
    """How long the sweep may give no sign of life."""
    return MISSED * timedelta(minutes=place.config.clocks.sweep_minutes)


def give_sign_of_life(place: Installation) -> bool:
    """Leave the sweep's sign of life; gives whether the one before still held.

    Where it did not, we have lain down ourselves, and what we see of the others may be of that time.
    """
    now = place.clock()
    with place.database.unit_of_work() as session:
        before = _signs(session, [SWEEP]).get(SWEEP)
        take_lease(session, SWEEP, holder=SWEEP, now=now, lasting=timedelta())  # so that there is a row
        did_work(session, SWEEP, until=now + patience(place))
    return before is not None and before >= now


def note_stopped(
    place: Installation, flows: Collection[str], *, forgiven_until: datetime | None = None
) -> list[str]:
    """Alarm once for each of these flows that gives no sign of life, settle the others; gives those.

    Nothing is alarming before ``forgiven_until``: who has just begun to watch gives the others time. A
    program that did not end well is run again by a later look.
    """
    now = place.clock()
    if forgiven_until is not None and now <= forgiven_until:
        return []
    with place.database.reading() as session:
        stopped = _stopped(session, flows, now)
        known = set(open_alarms(session).get(AlarmKind.FLOW_STOPPED.value, ())) & set(flows)
    if not stopped and not known:
        return []
    look = Look(AlarmKind.FLOW_STOPPED, frozenset(stopped), among=frozenset(flows))
    with place.database.unit_of_work() as session:
        if take_note(session, [look], now=now):
            tell_of_alarms(session, place.promise, now=now)
    what = {name: {"kind": "flow_stopped", "flow": name} for name in stopped}
    tell_by_program(place, AlarmKind.FLOW_STOPPED, what)
    return stopped


def _stopped(session: Session, flows: Iterable[str], now: datetime) -> list[str]:
    signs, stopped = _signs(session, flows), list[str]()
    for name in flows:
        sign = signs.get(name)
        if sign is None or now > sign + (timedelta() if name == SWEEP else PATIENCE):
            stopped.append(name)
    return stopped


def _signs(session: Session, flows: Iterable[str]) -> dict[str, datetime | None]:
    found = select(Lease.name, Lease.worked_until).where(Lease.name.in_(list(flows)))
    return dict(session.execute(found).tuples().all())
