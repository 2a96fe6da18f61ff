"""What clocks count by, kept in step with the settings; tickets follow a new version.

The sweep does this, and `meldbalie calendar import` at once. Any number may do so at the same time, and
whoever dies is gone on for.
"""

from collections.abc import Callable
from datetime import datetime

from ..models.calendar_versions import make_version
from ..models.rewinding import Moved, rewind
from ..models.winding import tickets_to_wind
from .desk import local
from .discretion import WorkFailed, discreet
from .installation import Records, working_time

BY_SETTINGS = "settings"


def follow_calendar(place: Records, tell: Callable[[str], object]) -> list[str]:
    """Make a version where the settings have changed; gives what failed."""
    try:
        with discreet("calendar"), place.database.unit_of_work() as session:
            settings, promise = working_time(place.config), place.promise
            made = make_version(session, settings, promise, by=BY_SETTINGS, now=place.clock())
        if made is not None:
            tell(f"the calendar of the settings is version {made.id}")
    except WorkFailed as failure:
        return [str(failure)]
    return []


def wind_anew(
    place: Records, tell: Callable[[str], object], *, between: Callable[[], object] | None = None
) -> list[str]:
    """Wind the tickets that an earlier version was read for, telling of each clock that moved.

    Gives what failed; one that fails does not stop the others. What cannot wait until thousands are
    wound is done ``between`` some hundreds of them.
    """
    failed: list[str] = []
    last = 0
    while tickets := _ahead(place, last):
        for ticket_id in tickets:
            failed += _wound(place, ticket_id, tell)
        last = tickets[-1]
        if between:
            between()
    return failed


def _wound(place: Records, ticket_id: int, tell: Callable[[str], object]) -> list[str]:
    try:
        with discreet(f"clocks of ticket {ticket_id}"), place.database.unit_of_work() as session:
            moved = rewind(session, ticket_id, place.promise, now=place.clock())
    except WorkFailed as failure:
        return [str(failure)]
    for one in moved:
        tell(line_of(place, one))
    return []


def _ahead(place: Records, last: int) -> list[int]:
    with place.database.reading() as session:
        return tickets_to_wind(session, after=last)


def line_of(place: Records, moved: Moved) -> str:
    """One clock that moved, in words."""
    was, then = (_with_year(place, instant) for instant in (moved.was, moved.then))
    return f"{moved.reference}  {moved.clock:<10}  due {was} -> {then}"


def _with_year(place: Records, instant: datetime) -> str:
    return f"{local(place, instant)} {place.promise.local_day(instant).year}"
