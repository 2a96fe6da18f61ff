"""Clock arithmetic: when a duration has run on a calendar, and how much of it has run.

Pure: no I/O, no now(). Everything is computed on UTC instants with a calendar in a zone. Intervals
are half-open: business time begins at the opening instant, and a clock that runs out exactly at
closing is due at the closing instant.

Calendar days (`5d`): the same local wall time that many local days later. Working days (`5wd`): the
same wall time on the Nth working day after the local day of the start, then, when that is outside
business time, the next opening; a working day has business hours and is not closed. Business time
(`40bh`, `90bm`, `30bs`): real seconds of openings, from the first open instant on. Nought is the
start itself (`0d`) or, for the business kinds, the start moved to the next opening when it is
outside business time.

A pause `[from, to)` suspends the clock: what of it lies between start and due is made good
afterwards, for calendar days in real time, otherwise in business time. A due instant inside a pause
moves past its end; a pause that begins exactly at the due instant comes too late to move it.

Business time is monotone in the start, additive, and undone by `elapsed`. Days follow the wall clock: two
starts within a gap's length of each other may be due the other way round where the clocks change, and so may,
in working days, a start on Friday afternoon and one on Saturday morning (the same minute of the same Monday),
or two starts of which only the earlier one lost time to a pause.

Without pauses days add up too, and `elapsed` undoes them: calendar days unless they are parted at a wall time
that the clocks skip; working days where all have the same hours, away from any change of the clocks, and they
are parted on one of them.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from .opening_hours import BadCalendar, Calendar, zone_of
from .openings import DAY, SECOND, Almanac, Span, instant_of, merged, moment_of, ticks_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "BadCalendar",
    "BadDuration",
    "BadInstant",
    "Calendar",
    "Duration",
    "Pause",
    "Unit",
    "due",
    "elapsed",
    "next_opening",
    "put_off",
]

Pause = tuple[datetime, datetime]
"""A half-open interval of aware instants during which a clock does not run."""

FIRST_INSTANT = datetime(1, 1, 2, tzinfo=UTC)
DURATION = re.compile(r"([0-9]+)(d|wd|bh|bm|bs)")
MOST_DIGITS = 18


class BadDuration(ValueError):
    """A duration cannot be read, or leads beyond the year 9999."""


class BadInstant(ValueError):
    """An instant carries no offset or is out of reach, or two of them are the wrong way round."""


class Unit(StrEnum):
    """What a duration counts."""

    DAYS = "d"
    WORKING_DAYS = "wd"
    BUSINESS_HOURS = "bh"
    BUSINESS_MINUTES = "bm"
    BUSINESS_SECONDS = "bs"


TICKS = {
    Unit.BUSINESS_HOURS: 3600 * SECOND,
    Unit.BUSINESS_MINUTES: 60 * SECOND,
    Unit.BUSINESS_SECONDS: SECOND,
}


@dataclass(frozen=True)
class Duration:
    """A whole, non-negative number of a unit, as `5wd`."""

    amount: int
    unit: Unit

    def __post_init__(self) -> None:
        """Refuse an amount below nought."""
        if self.amount < 0:
            raise BadDuration(f"duration {self} runs backwards; give 0 or more")

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Read `5d`, `5wd`, `40bh`, `90bm` or `30bs`; anything else raises `BadDuration`."""
        found = DURATION.fullmatch(text)
        if not found:
            raise BadDuration(
                f"duration {text[:40]!r} is not understood; give a whole number and a unit: "
                "5d (calendar days), 5wd (working days), 40bh, 90bm or 30bs (business hours, "
                "minutes or seconds)"
            )
        digits = found[1].lstrip("0") or "0"
        if len(digits) > MOST_DIGITS:
            raise BadDuration(f"duration {text[:20]}… is too long: due lies beyond the year 9999")
        return cls(int(digits), Unit(found[2]))

    def __str__(self) -> str:
        """Give the text that `parse` reads."""
        return f"{self.amount}{self.unit}"


def due(start: datetime, duration: Duration, calendar: Calendar, pauses: Iterable[Pause] = ()) -> datetime:
    """Give the instant, in UTC, at which a duration from a start has run.

    A naive datetime or a pause that ends before it begins raises `BadInstant`; a calendar without
    hours raises `BadCalendar` for the business kinds; a due instant beyond the year 9999 raises
    `BadDuration`.
    """
    begin, held = _checked(start), _merged(pauses)
    try:
        return moment_of(_due(begin, duration, calendar, held))
    except OverflowError:
        raise BadDuration(
            f"{duration} from {start.isoformat()} is too long: due lies beyond the year 9999"
        ) from None


def put_off(start: datetime, promised: datetime, pauses: Iterable[Pause] = ()) -> datetime:
    """Give a promised instant, in UTC, moved by what of the pauses lies after a start, in real time."""
    begin, nominal = _checked(start), _checked(promised)
    return moment_of(_run(_RoundTheClock(), begin, nominal - begin, _merged(pauses)))


def next_opening(instant: datetime, calendar: Calendar) -> datetime:
    """Give the instant itself when it is in business time, or the next one that is, in UTC.

    A calendar without business hours is always open.
    """
    if not any(calendar.hours):
        return instant
    begin = _checked(instant)
    return moment_of(begin if calendar.almanac.is_open(begin) else calendar.almanac.next_open(begin))


def elapsed(
    start: datetime,
    end: datetime,
    calendar: Calendar,
    pauses: Iterable[Pause] = (),
    unit: Unit | str = Unit.BUSINESS_HOURS,
) -> float:
    """Give how much of a clock has run between two instants, in units; pauses are not counted.

    For business time a fraction, exact when whole: `elapsed(s, due(s, d, c), c)` is the amount of
    `d`. For days the number of whole days whose due instant has come. Raises as `due` does, and
    `BadInstant` for an end before the start.
    """
    begin, until, held, unit = _checked(start), _checked(end), _merged(pauses), Unit(unit)
    if until < begin:
        raise BadInstant(f"{end.isoformat()} is before {start.isoformat()}; give the earlier first")
    if unit not in TICKS:
        return float(_whole_days(begin, until, calendar, held, unit))
    try:
        lost = _lost(calendar.almanac, begin, until, held)
        return (calendar.almanac.worked(begin, until) - lost) / TICKS[unit]
    except OverflowError:
        raise BadInstant(f"{end.isoformat()} lies beyond the year 9999 in {calendar.zone}") from None


def _whole_days(start: int, end: int, calendar: Calendar, pauses: Sequence[Span], unit: Unit) -> int:
    def is_due(count: int) -> bool:
        try:
            return _due(start, Duration(count, unit), calendar, pauses) <= end
        except OverflowError:
            return False

    # A zone that skips a day brings a due instant a day closer, hence the margin.
    return bisect_left(range(1, (end - start) // DAY + 3), True, key=lambda count: not is_due(count))


class _Timeline(Protocol):
    def worked(self, start: int, end: int) -> int: ...
    def advance(self, start: int, amount: int) -> int: ...


class _RoundTheClock:
    """The timeline on which all time counts."""

    def worked(self, start: int, end: int) -> int:
        return end - start

    def advance(self, start: int, amount: int) -> int:
        return start + amount


def _due(start: int, duration: Duration, calendar: Calendar, pauses: Sequence[Span]) -> int:
    match duration.unit:
        case Unit.DAYS:
            nominal = _days_later(start, duration.amount, calendar)
            return _run(_RoundTheClock(), start, nominal - start, pauses)
        case Unit.WORKING_DAYS:
            nominal = _working_days_later(start, duration.amount, calendar)
            if lost := _lost(calendar.almanac, start, nominal, pauses):
                return _run(calendar.almanac, nominal, lost, pauses)
            return _settled(calendar.almanac, nominal, pauses)
        case unit:
            if amount := duration.amount * TICKS[unit]:
                return _run(calendar.almanac, start, amount, pauses)
            return _settled(calendar.almanac, start, pauses)


def _days_later(start: int, count: int, calendar: Calendar) -> int:
    if not count:
        return start
    zone = zone_of(calendar.zone)
    day, clock = _wall_time(moment_of(start).astimezone(zone))
    return instant_of(zone, day + count, clock)


def _working_days_later(start: int, count: int, calendar: Calendar) -> int:
    """Give the wall time of the start on the working day, whether that is in business time or not."""
    if not count:
        return start
    zone = zone_of(calendar.zone)
    day, clock = _wall_time(moment_of(start).astimezone(zone))
    return instant_of(zone, calendar.almanac.working_day(day, count), clock)


def _wall_time(local: datetime) -> tuple[int, int]:
    seconds = (local.hour * 60 + local.minute) * 60 + local.second
    return local.toordinal(), seconds * SECOND + local.microsecond


def _run(timeline: _Timeline, start: int, amount: int, pauses: Sequence[Span]) -> int:
    """Give the instant at which an amount has run on a timeline, none of it inside a pause."""
    for begin, end in pauses:
        if end <= start:
            continue
        if timeline.advance(start, amount) <= begin:
            break
        amount -= timeline.worked(start, max(start, begin))
        start = end
    return timeline.advance(start, amount)


def _settled(almanac: Almanac, instant: int, pauses: Sequence[Span]) -> int:
    """Give the instant itself if it is open or exactly at closing, and not paused, or the next."""
    if not (almanac.is_open(instant) or almanac.is_open(instant - 1)):
        instant = almanac.next_open(instant)
    for begin, end in pauses:
        if begin < instant < end:
            instant = almanac.next_open(end)
    return instant


def _lost(timeline: _Timeline, start: int, end: int, pauses: Sequence[Span]) -> int:
    """Give how much of a timeline between two instants lies inside pauses."""
    inside = ((max(start, begin), min(end, stop)) for begin, stop in pauses)
    return sum(timeline.worked(begin, stop) for begin, stop in inside if begin < stop)


def _checked(moment: datetime) -> int:
    if moment.utcoffset() is None:
        raise BadInstant(
            f"{moment.isoformat()} carries no offset, so nobody knows which instant it is; "
            "write it in UTC with Z at the end, or with an offset such as +01:00"
        )
    if moment < FIRST_INSTANT:
        raise BadInstant(f"{moment.isoformat()} lies before 0001-01-02T00:00:00Z; give a later one")
    return ticks_of(moment)


def _merged(pauses: Iterable[Pause]) -> list[Span]:
    spans: list[Span] = []
    for first, last in pauses:
        begin, end = _checked(first), _checked(last)
        if end < begin:
            raise BadInstant(
                f"a pause from {first.isoformat()} to {last.isoformat()} ends before it begins; "
                "give the earlier first"
            )
        spans.append((begin, end))
    return merged(spans)
