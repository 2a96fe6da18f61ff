"""Report: once a day, how the promise was kept this year, as an artifact in Prefect.

Aggregates only: reference, reporter and text of a report are nowhere near it.
"""

from collections.abc import Iterable, Iterator
from datetime import date

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from ..models.kept import Kept, Period, period
from .discretion import discreet
from .installation import Records, installation

NAME = "report"
KEY = "promise"
DAILY = 24 * 60.0
NONE = "-"
HEADER = (
    "received", "in time", "late", "overdue", "pending", "kept", "hours late", "at most",
    "median hours", "95 % within", "shared in time", "late", "overdue", "pending",
)  # fmt: skip


@flow(name=NAME, flow_run_name=NAME)
def report() -> None:
    """Make the artifact anew."""
    with discreet(NAME):
        place = installation()
        kept = kept_in(place, None, None)
        create_markdown_artifact(
            key=KEY, markdown=markdown(kept), description=f"The promise from {kept.first} to {kept.last}"
        )


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


def markdown(kept: Period) -> str:
    """The tables of a period."""
    return "\n".join(_parts(kept))


def _parts(kept: Period) -> Iterator[str]:
    yield f"# The promise from {kept.first} to {kept.last}\n"
    yield from table("", [kept.whole])
    yield from table("month", kept.by_month)
    yield from table("owner", kept.by_owner)
    yield "| open for | reports |\n|---|---:|"
    yield from (f"| {age} | {number} |" for age, number in kept.open_by_age)
    yield f"\nMade {kept.made_at:%Y-%m-%d %H:%M} UTC. Reports count where they arrived; spam is left out."


def table(title: str, groups: Iterable[Kept]) -> Iterator[str]:
    """Groups of reports as the rows of a Markdown table."""
    yield f"| {title} | {' | '.join(HEADER)} |\n|---|{'---:|' * len(HEADER)}"
    for kept in groups:
        name = kept.group.replace("\\", "\\\\").replace("|", "\\|")
        yield f"| {name} | {' | '.join(cells(kept))} |"
    yield ""


def cells(kept: Kept) -> list[str]:
    """The figures of a group in the order of :data:`HEADER`."""
    share = NONE if kept.share_in_time is None else f"{kept.share_in_time * 100:.0f} %"
    hours = (kept.hours_late, kept.hours_late_most, kept.hours_median, kept.hours_95)
    counts = (kept.received, kept.in_time, kept.late, kept.overdue, kept.pending)
    shared = (kept.shared_in_time, kept.shared_late, kept.share_overdue, kept.share_pending)
    return [
        *map(str, counts),
        share,
        *(NONE if each is None else f"{each:.1f}" for each in hours),
        *map(str, shared),
    ]
