"""The openings of a calendar as instants, worked out a year at a time.

Instants are whole microseconds since 1970-01-01T00:00Z ("ticks"), so that sums are exact. A local
wall time becomes an instant as RFC 5545, 3.3.5 has it: one that the clocks skip is read with the
offset from before the gap (02:30 becomes 03:30), one that comes twice is the first. An opening
never leaves its local day, so a day that a zone skipped altogether (Apia, 30 December 2011) has
none. Nothing here looks further than it is asked to; what leaves the years 1 to 9999 raises
`OverflowError`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from zoneinfo import ZoneInfo

Span = tuple[int, int]
"""A half-open interval of ticks: the first belongs to it, the second does not."""

TICK = timedelta(microseconds=1)
SECOND = 1_000_000
DAY = 86_400 * SECOND
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY = EPOCH.toordinal()
KEPT_YEARS = 64
WEEKS = 54
"""More weeks than any year has, by enough for the hours that clocks are put back."""


def ticks_of(moment: datetime) -> int:
    """Give an aware datetime as ticks."""
    return (moment - EPOCH) // TICK


def moment_of(ticks: int) -> datetime:
    """Give ticks as an aware datetime in UTC; beyond the year 9999 raises `OverflowError`."""
    return EPOCH + ticks * TICK


def instant_of(zone: ZoneInfo, day: int, clock: int) -> int:
    """Give the instant of a local wall time: a day (ordinal) and ticks since its midnight."""
    extra_days, clock = divmod(clock, DAY)
    day += extra_days
    # The midnight that ends 9999-12-31 has no datetime; the day itself lends its offset.
    wall = datetime.fromordinal(min(day, date.max.toordinal())) + clock * TICK
    offset = wall.replace(tzinfo=zone).utcoffset() or timedelta()
    return (day - EPOCH_DAY) * DAY + clock - offset // TICK


def merged(spans: Iterable[Span]) -> list[Span]:
    """Give the union of spans in order: empty ones dropped, those that overlap or touch joined."""
    union: list[Span] = []
    for begin, end in sorted(span for span in spans if span[0] < span[1]):
        if union and begin <= union[-1][1]:
            union[-1] = (union[-1][0], max(end, union[-1][1]))
        else:
            union.append((begin, end))
    return union


@lru_cache(maxsize=1024)
def _midnights(zone: ZoneInfo, year: int) -> tuple[int, ...]:
    """Give the instants of every local midnight of a year, and of the one that ends it."""
    if not date.min.year <= year <= date.max.year:
        raise OverflowError
    wall, last = datetime(year, 1, 1, tzinfo=zone), date(year, 12, 31).toordinal()
    midnights: list[int] = []
    offset, offset_ticks = None, 0
    for day in range(wall.toordinal(), last + 1):
        if (current := wall.utcoffset()) is not offset:
            offset, offset_ticks = current, (current or timedelta()) // TICK
        midnights.append((day - EPOCH_DAY) * DAY - offset_ticks)
        wall += timedelta(days=1) if day < last else timedelta()
    return (*midnights, instant_of(zone, last + 1, 0))


@dataclass(frozen=True, slots=True)
class Year:
    """The openings of one local year; `worked[n]` is the business time before its opening `n`."""

    begin: int
    end: int
    opens: tuple[int, ...]
    closes: tuple[int, ...]
    worked: tuple[int, ...]
    working_days: tuple[int, ...]

    def worked_until(self, instant: int) -> int:
        """Give the business time of this year before an instant."""
        begun = bisect_right(self.opens, instant)
        if not begun:
            return 0
        in_opening = instant - self.opens[begun - 1]
        return min(self.worked[begun - 1] + in_opening, self.worked[begun])

    def when(self, worked: int) -> int:
        """Give the first instant before which this much business time of the year lies, above 0."""
        after = bisect_left(self.worked, worked)
        return self.closes[after - 1] - (self.worked[after] - worked)

    def next_open(self, instant: int) -> int | None:
        """Give the first open instant of this year from here on, or None when there is no more."""
        ended = bisect_right(self.closes, instant)
        return max(instant, self.opens[ended]) if ended < len(self.opens) else None


class Almanac:
    """The business time of one calendar: how much lies between instants, and when it has run."""

    def __init__(
        self,
        zone: ZoneInfo,
        hours: Sequence[Sequence[Span]],
        closed_in: Callable[[int], frozenset[int]],
    ) -> None:
        """Take hours per weekday as ticks since midnight, and the closed days of a year."""
        self._zone = zone
        self._hours = tuple(tuple(merged(spans)) for spans in hours)
        self._weekly = sum(end - begin for spans in self._hours for begin, end in spans)
        self._closed_in = closed_in
        self._years: dict[int, Year] = {}
        self._sums: dict[int, tuple[int, int]] = {}

    def worked(self, start: int, end: int) -> int:
        """Give the business time between two instants."""
        first, last = self._year_of(start), self._year_of(end)
        years = sum(self._sum(year)[0] for year in range(first, last))
        return years + self._year(last).worked_until(end) - self._year(first).worked_until(start)

    def advance(self, start: int, amount: int) -> int:
        """Give the first instant at which an amount of business time, above 0, has run."""
        number = self._year_of(start)
        self._refuse_beyond_reach(number, amount, self._weekly)
        target = self._year(number).worked_until(start) + amount
        while target > (whole := self._sum(number)[0]):
            target -= whole
            number += 1
        return self._year(number).when(target)

    def next_open(self, instant: int) -> int:
        """Give the first open instant from here on, which may be this one."""
        number = self._year_of(instant)
        while (found := self._year(number).next_open(instant)) is None:
            number += 1
        return found

    def is_open(self, instant: int) -> bool:
        """Tell whether an instant lies in an opening; the closing instant does not."""
        return self._year(self._year_of(instant)).next_open(instant) == instant

    def working_day(self, day: int, count: int) -> int:
        """Give the working day that comes `count`, above 0, after a day, both as ordinals."""
        number = date.fromordinal(day).year
        self._refuse_beyond_reach(number, count, sum(map(bool, self._hours)))
        index = bisect_right(self._year(number).working_days, day) + count - 1
        while index >= (whole := self._sum(number)[1]):
            index -= whole
            number += 1
        return self._year(number).working_days[index]

    def _refuse_beyond_reach(self, number: int, amount: int, weekly: int) -> None:
        """Spare an absurd amount the walk through thousands of years."""
        if amount > weekly * WEEKS * (date.max.year + 1 - number):
            raise OverflowError

    def _year_of(self, instant: int) -> int:
        number = moment_of(instant).year
        while instant < _midnights(self._zone, number)[0]:
            number -= 1
        while instant >= _midnights(self._zone, number)[-1]:
            number += 1
        return number

    def _sum(self, number: int) -> tuple[int, int]:
        """Give the business time and the number of working days of a year; kept for good."""
        if number not in self._sums:
            year = self._year(number)
            self._sums[number] = year.worked[-1], len(year.working_days)
        return self._sums[number]

    def _year(self, number: int) -> Year:
        if number not in self._years:
            if len(self._years) >= KEPT_YEARS:
                self._years.clear()
            self._years[number] = self._work_out(number)
        return self._years[number]

    def _work_out(self, number: int) -> Year:
        midnights = _midnights(self._zone, number)
        first, closed = date(number, 1, 1).toordinal(), self._closed_in(number)
        spans: list[Span] = []
        working_days: list[int] = []
        for day, (begin, end) in enumerate(pairwise(midnights), first):
            hours = self._hours[(day - 1) % 7]
            if hours and day not in closed and (of_day := self._openings(day, begin, end, hours)):
                spans += of_day
                working_days.append(day)
        return Year(
            begin=midnights[0],
            end=midnights[-1],
            opens=tuple(begin for begin, _ in spans),
            closes=tuple(end for _, end in spans),
            worked=tuple(accumulate((end - begin for begin, end in spans), initial=0)),
            working_days=tuple(working_days),
        )

    def _openings(self, day: int, begin: int, end: int, hours: Iterable[Span]) -> list[Span]:
        if end - begin == DAY:
            return [(begin + opening, begin + closing) for opening, closing in hours]
        instants = (
            (instant_of(self._zone, day, opening), instant_of(self._zone, day, closing))
            for opening, closing in hours
        )
        return merged((max(opening, begin), min(closing, end)) for opening, closing in instants)
