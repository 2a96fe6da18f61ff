"""What may be published of how the promise was kept: whole years, in numbers that tell of nobody.

A number from 1 to just under the minimum might tell whom it is about, so it is not published, and
neither is anything that it follows from. Each rule here is against one way to work it out:

- Of a number that is split in two, one small part hides the other as well: both are ranges. Where the
  ranges would be narrower than the minimum, nothing of the split is published.
- A year is split into quarters only where no number of any quarter is hidden, so that no sum of
  quarters, and no difference with the year, tells a hidden one.
- A year is counted once, from February after it, when no report of it still waits for an answer that may
  be in time; :mod:`.published_years` keeps it as it was. So the page of yesterday and that of today never
  differ by one report, whatever becomes of it later.
- Durations are told by what is published of the counts alone; the 95th percentile would tell how many
  were late where that is hidden.

Reports to which nobody could be answered are left out altogether, of what was shared as well: the promise
was neither kept nor broken, and a third number beside the two would tell how few they are.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from .calendar import Calendar
from .kept import Kept, Tally, reports_between

#: So many answers make the 95th percentile something else than the slowest one.
ENOUGH_FOR_95 = 20
YEARS = 5
#: Until then a year may still change: mail of its last days is fetched, and what was spam is called so.
SETTLING = timedelta(days=31)
QUARTERS = ("1", "2", "3", "4")


@dataclass(frozen=True)
class Published:
    """A number that may be anything from ``low`` to ``high``; exact where they are the same."""

    low: int
    high: int

    @property
    def is_exact(self) -> bool:
        """Whether it is told as it is."""
        return self.low == self.high


@dataclass(frozen=True)
class Split:
    """A number in two parts, of which ``kept`` is the good one."""

    kept: Published
    missed: Published


@dataclass(frozen=True)
class Figures:
    """What is published of a year or a quarter; ``None`` is not published."""

    name: str
    received: Published
    answered: Split | None
    shared: Split | None
    days_median: float | None
    days_95: float | None

    def share_in_time(self) -> tuple[int, int] | None:
        """Per cent answered in time, at least and at most; rounded towards nothing better than it is."""
        if self.answered is None or not self.received.low:
            return None
        kept, received = self.answered.kept, self.received.low
        return kept.low * 100 // received, kept.high * 100 // received


@dataclass(frozen=True)
class Year:
    """A year and, where nothing is hidden in them, its quarters."""

    whole: Figures
    quarters: tuple[Figures, ...]


def years_to_publish(today: date) -> range:
    """The years that are over, and settled."""
    last = (today - SETTLING).year - 1
    return range(last - YEARS + 1, last + 1)


def count_year(
    session: Session,
    number: int,
    *,
    now: datetime,
    calendar: Calendar,
    day_of: Callable[[datetime], date],
    minimum: int,
) -> Year | None:
    """What may be published of a year that is over; ``None`` without a report, or while one is pending."""
    whole, *quarters = (Tally(name, now) for name in (str(number), *QUARTERS))
    for report in reports_between(session, date(number, 1, 1), date(number, 12, 31), calendar):
        if not report.is_unreachable:
            whole.add(report)
            quarters[(day_of(report.arrived_at).month - 1) // 3].add(report)
    counted = whole.kept()
    if not counted.received or counted.pending or counted.share_pending:
        return None
    return publish(counted, [quarter.kept() for quarter in quarters], minimum)


def publish(whole: Kept, quarters: Iterable[Kept], minimum: int) -> Year:
    """What may be published of a year of which nothing is pending."""
    split = tuple(figures_of(kept, minimum) for kept in quarters)
    is_whole = all(number.is_exact for figures in split for number in numbers_of(figures)) and all(
        figures.answered and figures.shared for figures in split
    )
    return Year(figures_of(whole, minimum), split if is_whole else ())


def figures_of(kept: Kept, minimum: int) -> Figures:
    """What may be published of one group of reports."""
    received = kept.received
    answered = _split(received, kept.in_time, minimum)
    shared = _split(received, kept.shared_in_time, minimum)
    tells_median = answered is not None and answered.kept.low >= minimum
    tells_95 = answered is not None and answered.kept.is_exact and answered.kept.low >= ENOUGH_FOR_95
    return Figures(
        name=kept.group,
        received=Published(1, minimum - 1) if 0 < received < minimum else Published(received, received),
        answered=answered,
        shared=shared,
        days_median=_days(kept.hours_median) if tells_median else None,
        days_95=_days(kept.hours_95) if tells_95 else None,
    )


def _split(whole: int, kept: int, minimum: int) -> Split | None:
    """The two parts of a number that is told; ``None`` where ranges would tell too much."""
    missed, small = whole - kept, minimum - 1
    if 0 < whole < minimum:
        return None
    if min(kept, missed) == 0 or min(kept, missed) >= minimum:
        return Split(Published(kept, kept), Published(missed, missed))
    if whole < 2 * minimum - 1:
        return None
    few, many = Published(1, small), Published(whole - small, whole - 1)
    return Split(few, many) if kept < missed else Split(many, few)


def _days(hours: float | None) -> float | None:
    return None if hours is None else round(hours / 24, 1)


def numbers_of(figures: Figures) -> Iterator[Published]:
    """Every count of a row."""
    yield figures.received
    for split in (figures.answered, figures.shared):
        if split is not None:
            yield from (split.kept, split.missed)
