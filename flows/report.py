"""Report: every hour, how the promise was kept this year, as an artifact in Prefect; and what is published.

Aggregates only: reference, reporter and text of a report are nowhere near it.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime

from prefect import flow
from sqlalchemy.orm import Session

from ..models.accountability import Year, count_year, years_to_publish
from ..models.errors import Refused
from ..models.kept import Kept, Period, period
from ..models.published_years import freeze, make_anew, published_years
from .artifacts import plain, post
from .desk import local
from .discretion import discreet
from .installation import Records, installation
from .saved_links import PROMISE

NAME = "report"
HOURLY = 60.0
NONE = "-"
NAMES = (
    "received", "answered in time", "answered late", "unreachable", "overdue", "pending", "kept",
    "hours late, median", "hours late, at most", "hours to answer, median", "hours to answer, 95 %",
    "shared in time", "shared late", "share overdue", "share pending",
)  # fmt: skip
#: The figures that fit beside a group's name, and what their columns are called.
COLUMNS: Mapping[str, str] = {
    "received": "received",
    "answered in time": "in time",
    "answered late": "late",
    "unreachable": "unreachable",
    "overdue": "overdue",
    "pending": "pending",
    "kept": "kept",
    "hours to answer, median": "median hours",
    "shared in time": "shared in time",
}
LEGEND = (
    "In time, late: when the answer reached the reporter.",
    "Overdue: not answered, and the term has passed. Pending: not answered yet, within the term.",
    "Unreachable: the answer was written, but the report came without an address to send it to.",
    "Kept: answered in time, of all but the pending and the unreachable. Shared: the copy for the IBD.",
    "Reports count where they arrived; spam is left out.",
)


@flow(name=NAME, flow_run_name=NAME)
def report() -> None:
    """Make the artifact anew."""
    with discreet(NAME):
        place = installation()
        post(place, PROMISE, markdown(place, kept_in(place, None, None)))
        if place.config.web.publish_report:
            publish_years(place)


def publish_years(place: Records) -> None:
    """Write down what may be published of the years that have come to an end; each of them once."""
    now, minimum = place.clock(), place.config.web.publish_minimum
    with place.database.reading() as session:
        known = {row.year for row in published_years(session)}
        missing = [year for year in years_to_publish(place.promise.local_day(now)) if year not in known]
        counted = {number: _counted(place, session, number, now) for number in missing}
    years = {number: year for number, year in counted.items() if year is not None}
    with place.database.unit_of_work() as session:
        freeze(session, years, minimum=minimum, now=now)


def publish_anew(place: Records, number: int) -> None:
    """Publish a year as it is counted now, in the place of what was published; raises :class:`Refused`."""
    now, minimum = place.clock(), place.config.web.publish_minimum
    last = years_to_publish(place.promise.local_day(now))[-1]
    if number > last:
        raise Refused(f"{number} cannot be published yet: a year is from 1 February of the next one on")
    with place.database.unit_of_work() as session:
        year = _counted(place, session, number, now)
        if year is None:
            raise Refused(f"{number} cannot be published: there is no report of it, or one is still pending")
        make_anew(session, number, year, minimum=minimum, now=now)


def _counted(place: Records, session: Session, number: int, now: datetime) -> Year | None:
    promise, minimum = place.promise, place.config.web.publish_minimum
    calendar, day_of = promise.calendar, promise.local_day
    return count_year(session, number, now=now, calendar=calendar, day_of=day_of, minimum=minimum)


def kept_in(place: Records, first: date | None, last: date | None) -> Period:
    """What was kept from one day to another; this year until today unless said otherwise."""
    now, promise = place.clock(), place.promise
    today = promise.local_day(now)
    last = last or (today if first is None or first <= today else first)
    with place.database.reading() as session:
        return period(
            session,
            first or date(last.year, 1, 1),
            last,
            now=now,
            calendar=promise.calendar,
            day_of=promise.local_day,
        )


def markdown(place: Records, kept: Period) -> str:
    """The tables of a period."""
    return "\n".join(_parts(place, kept))


def _parts(place: Records, kept: Period) -> Iterator[str]:
    yield f"# The promise from {kept.first} to {kept.last}\n"
    yield "| all reports | |\n|---|---:|"
    yield from (f"| {name} | {cell} |" for name, cell in figures(kept.whole).items())
    yield ""
    for title, groups in (
        ("month", kept.by_month),
        ("owner", kept.by_owner),
        ("severity", kept.by_severity),
    ):
        yield from table(title, groups)
    yield "| open for | reports |\n|---|---:|"
    yield from (f"| {age} | {number} |" for age, number in kept.open_by_age)
    yield f"\n{' '.join(LEGEND)}\n\nMade {local(place, kept.made_at)}."


def table(title: str, groups: Iterable[Kept]) -> Iterator[str]:
    """Groups of reports as the rows of a Markdown table."""
    yield f"| {title} | {' | '.join(COLUMNS.values())} |\n|---|{'---:|' * len(COLUMNS)}"
    for kept in groups:
        found = figures(kept)
        yield f"| {plain(kept.group)} | {' | '.join(found[column] for column in COLUMNS)} |"
    yield ""


def figures(kept: Kept) -> dict[str, str]:
    """The figures of a group by their names."""
    return dict(zip(NAMES, cells(kept), strict=True))


def cells(kept: Kept) -> list[str]:
    """The figures of a group in the order of :data:`NAMES`."""
    share = NONE if kept.share_in_time is None else f"{kept.share_in_time * 100:.0f} %"
    hours = (kept.hours_late, kept.hours_late_most, kept.hours_median, kept.hours_95)
    counts = (kept.received, kept.in_time, kept.late, kept.unreachable, kept.overdue, kept.pending)
    shared = (kept.shared_in_time, kept.shared_late, kept.share_overdue, kept.share_pending)
    return [
        *map(str, counts),
        share,
        *(NONE if each is None else f"{each:.1f}" for each in hours),
        *map(str, shared),
    ]
