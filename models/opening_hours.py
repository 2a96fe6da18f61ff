"""A calendar: how zone, opening hours and closed days are written and when they cannot be meant.

A refusal names the thing, the value and the way out, because the reader of it wrote the value by
hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from itertools import pairwise
from reprlib import Repr
from typing import cast
from zoneinfo import ZoneInfo

from .openings import SECOND, Almanac

Hours = tuple[tuple[int, int], ...]
"""The openings of one weekday in order, in seconds since local midnight."""

DEFAULT_ZONE = "Europe/Amsterdam"
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OFFICE_HOURS: tuple[Hours, ...] = (((9 * 3600, 17 * 3600),),) * 5 + ((),) * 2
CLOCK = re.compile(r"([0-9]{2}):([0-5][0-9])(?::([0-5][0-9]))?")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
MIDNIGHT = 24 * 3600

_shortened = Repr()
_shortened.maxstring = _shortened.maxother = _shortened.maxlong = 60

ClosedIn = Callable[[int], Iterable[date]]
"""Gives the closed local dates of a year."""


class BadCalendar(ValueError):
    """A calendar cannot be meant as it is written, or has no business time to count."""


def shown(value: object) -> str:
    """Give a value for a message: as Python writes it, cut when it is long or deep."""
    return _shortened.repr(value)


@dataclass(frozen=True)
class Calendar:
    """When an organisation is open: a zone, hours per weekday, Monday first, and closed dates.

    Hours are in seconds since local midnight. `closed_in` gives more closed dates a year at a time,
    so that public holidays need no horizon.
    """

    zone: str = DEFAULT_ZONE
    hours: tuple[Hours, ...] = OFFICE_HOURS
    closed: frozenset[date] = frozenset()
    closed_in: ClosedIn | None = None

    def __post_init__(self) -> None:
        """Refuse a zone that does not exist and hours that cannot be meant."""
        zone_of(self.zone)
        check_week(self.hours)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object], closed_in: ClosedIn | None = None) -> Calendar:
        """Read `{"zone": …, "hours": {"mon": [["09:00", "17:00"]], …}, "closed": ["2026-04-27"]}`.

        What is absent is Europe/Amsterdam, Monday to Friday from 09:00 to 17:00, and no closed day.
        Anything that cannot be meant raises `BadCalendar`.
        """
        if unknown := set(mapping) - {"zone", "hours", "closed"}:
            raise BadCalendar(f"a calendar has no {min(unknown)[:40]!r}; its keys are zone, hours and closed")
        zone = mapping.get("zone")
        return cls(
            zone=DEFAULT_ZONE if zone is None else zone_of(zone).key,
            hours=hours_from(mapping.get("hours")),
            closed=closed_days_from(mapping.get("closed")),
            closed_in=closed_in,
        )

    @cached_property
    def almanac(self) -> Almanac:
        """The openings as instants; kept, so that more questions about the same year are cheap."""
        if not any(self.hours):
            raise BadCalendar(
                "the calendar has no business hours, so working days and business time never pass; "
                'give "hours" for a weekday, or count calendar days such as 5d'
            )
        ticks = [[(begin * SECOND, end * SECOND) for begin, end in spans] for spans in self.hours]
        return Almanac(zone_of(self.zone), ticks, self._closed_in)

    def _closed_in(self, year: int) -> frozenset[int]:
        more = self.closed_in(year) if self.closed_in else ()
        return frozenset(day.toordinal() for day in (*self._closed_by_year.get(year, ()), *more))

    @cached_property
    def _closed_by_year(self) -> dict[int, list[date]]:
        by_year: dict[int, list[date]] = {}
        for day in self.closed:
            by_year.setdefault(day.year, []).append(day)
        return by_year


def zone_of(name: object) -> ZoneInfo:
    """Give the time zone of an IANA name; anything else raises `BadCalendar`."""
    # Some systems also list each zone under right/, with leap seconds, and again under posix/.
    with suppress(LookupError, ValueError, OSError):
        if isinstance(name, str) and not name.startswith(("right/", "posix/")):
            return ZoneInfo(name)
    raise BadCalendar(f"zone {shown(name)} is unknown; give an IANA name such as Europe/Amsterdam")


def hours_from(value: object) -> tuple[Hours, ...]:
    """Read hours per weekday, Monday first; None is Monday to Friday from 09:00 to 17:00."""
    if value is None:
        return OFFICE_HOURS
    if not isinstance(value, Mapping):
        raise BadCalendar(f'hours {shown(value)} is not an object; give {{"mon": [["09:00", "17:00"]], …}}')
    by_weekday = cast("Mapping[object, object]", value)
    for name in by_weekday:
        if name not in WEEKDAYS:
            raise BadCalendar(f"weekday {shown(name)} is unknown; use {', '.join(WEEKDAYS)}")
    return tuple(_hours_of(name, by_weekday.get(name, ())) for name in WEEKDAYS)


def check_week(hours: tuple[Hours, ...]) -> None:
    """Refuse hours that are not seven weekdays of openings in order; they raise `BadCalendar`."""
    if len(hours) != len(WEEKDAYS):
        raise BadCalendar(f"hours have {len(hours)} weekdays; give seven, Monday first")
    for weekday, openings in zip(WEEKDAYS, hours, strict=True):
        bounds = [bound for opening in openings for bound in opening]
        if any(opening >= closing for opening, closing in openings) or bounds != sorted(bounds):
            raise BadCalendar(f"the openings {shown(openings)} of {weekday} overlap or run backwards")
        if bounds and not 0 <= bounds[0] < bounds[-1] <= MIDNIGHT:
            raise BadCalendar(f"the openings {shown(openings)} of {weekday} leave their day")


def closed_days_from(value: object) -> frozenset[date]:
    """Read a list of closed local dates; None is no closed day."""
    if value is None:
        return frozenset()
    days = _listed(value, "closed", 'a list of dates such as ["2026-04-27"]')
    return frozenset(_day(day) for day in days)


def _hours_of(weekday: str, value: object) -> Hours:
    wanted = 'a list of openings such as [["09:00", "12:30"], ["13:00", "17:00"]]'
    pairs = _listed(value, f"hours of {weekday}", wanted)
    openings = sorted(_opening(weekday, pair) for pair in pairs)
    for (_, closing), (opening, _) in pairwise(openings):
        if opening < closing:
            raise BadCalendar(
                f"the openings {shown(value)} of {weekday} overlap; give them one after the other"
            )
    return tuple(openings)


def _opening(weekday: str, value: object) -> tuple[int, int]:
    wanted = 'two times such as ["09:00", "17:00"]'
    pair = _listed(value, f"an opening of {weekday}", wanted)
    if len(pair) != 2:
        raise BadCalendar(f"an opening of {weekday}, {shown(value)}, is not {wanted}")
    opening, closing = (_seconds(weekday, time) for time in pair)
    if opening >= closing:
        raise BadCalendar(
            f"the opening {shown(value)} of {weekday} does not end after it begins; one that runs "
            "past midnight ends at 24:00 and goes on at 00:00 on the next weekday"
        )
    return opening, closing


def _seconds(weekday: str, value: object) -> int:
    found = CLOCK.fullmatch(value) if isinstance(value, str) else None
    seconds = int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3] or 0) if found else -1
    if not 0 <= seconds <= MIDNIGHT:
        raise BadCalendar(f"time {shown(value)} of {weekday} is not a time of day; write 09:00")
    return seconds


def _day(value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    with suppress(ValueError):
        if isinstance(value, str) and DAY.fullmatch(value):
            return date.fromisoformat(value)
    raise BadCalendar(f"closed day {shown(value)} is not a date; write it as 2026-04-27")


def _listed(value: object, thing: str, wanted: str) -> list[object]:
    if not isinstance(value, list | tuple):
        raise BadCalendar(f"{thing} {shown(value)} is not a list; give {wanted}")
    return list(cast("list[object]", value))
