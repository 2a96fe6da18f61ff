"""What was kept of the promise: how many reports of a period were answered in time, and how fast.

A report counts in the period in which it arrived. What a handler called spam is no report. Aggregates
only: nothing here names a ticket or a person but the owners, who are left out of what is published.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from statistics import median, quantiles
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, or_, select
from sqlalchemy.orm import Session, aliased

from .clocks import Clock, ClockKind
from .owners import Owner
from .states import CloseReason, TicketState
from .ticket import Ticket

HOUR = timedelta(hours=1)
#: How old an open report may be, in days: the upper ends of the groups.
AGES = (7, 30, 90, 180)


@dataclass(frozen=True)
class Report:
    """What is counted of one report."""

    arrived_at: datetime
    owner: str
    is_open: bool
    due_at: datetime
    answered_at: datetime | None
    share_due_at: datetime
    shared_at: datetime | None


@dataclass(frozen=True)
class Kept:
    """How a group of reports was answered. Times are hours; ``None`` where there is nothing to count."""

    group: str
    received: int
    in_time: int
    late: int
    overdue: int
    pending: int
    hours_late: float | None
    """The median of how late the late answers were."""
    hours_median: float | None
    """From arrival to answer, half of the answers."""
    hours_95: float | None
    """The same for 95 of 100."""
    shared_in_time: int
    shared_late: int
    not_shared: int

    @property
    def share_in_time(self) -> float | None:
        """Answered in time, of all that were answered or should have been; 0 to 1."""
        counted = self.in_time + self.late + self.overdue
        return self.in_time / counted if counted else None


@dataclass(frozen=True)
class Period:
    """What was kept in a period: in all, by owner, by month; and how old what is open is now."""

    first: date
    last: date
    made_at: datetime
    whole: Kept
    by_owner: tuple[Kept, ...]
    by_month: tuple[Kept, ...]
    open_by_age: tuple[tuple[str, int], ...]


def period(
    session: Session, first: date, last: date, *, now: datetime, day_of: Callable[[datetime], date]
) -> Period:
    """Count the reports that arrived from one local day to another, both included."""
    margin = timedelta(days=2)  # days are local, instants are not
    begin = datetime.combine(first, datetime.min.time(), now.tzinfo) - margin
    end = datetime.combine(last, datetime.min.time(), now.tzinfo) + margin
    rows = session.execute(_reports(Ticket.arrived_at.between(begin, end)))
    found = [report for report in map(_report, rows) if first <= day_of(report.arrived_at) <= last]
    waiting = [_report(row) for row in session.execute(_reports(Ticket.state != TicketState.CLOSED))]
    return Period(
        first=first,
        last=last,
        made_at=now,
        whole=count("all", found, now=now),
        by_owner=_grouped(found, lambda report: report.owner, now=now),
        by_month=_grouped(found, lambda report: f"{day_of(report.arrived_at):%Y-%m}", now=now),
        open_by_age=ages([now - report.arrived_at for report in waiting]),
    )


def count(group: str, reports: Sequence[Report], *, now: datetime) -> Kept:
    """Count one group."""
    answered = [(report, report.answered_at) for report in reports if report.answered_at is not None]
    late = [at - report.due_at for report, at in answered if at > report.due_at]
    waiting = [report for report in reports if report.answered_at is None]
    overdue = sum(report.due_at < now for report in waiting)
    took = sorted((at - report.arrived_at) / HOUR for report, at in answered)
    shared = [report.shared_at <= report.share_due_at for report in reports if report.shared_at is not None]
    return Kept(
        group=group,
        received=len(reports),
        in_time=len(answered) - len(late),
        late=len(late),
        overdue=overdue,
        pending=len(waiting) - overdue,
        hours_late=_rounded(median(each / HOUR for each in late) if late else None),
        hours_median=_rounded(median(took) if took else None),
        hours_95=_rounded(percentile_95(took)),
        shared_in_time=sum(shared),
        shared_late=len(shared) - sum(shared),
        not_shared=len(reports) - len(shared),
    )


def percentile_95(values: Sequence[float]) -> float | None:
    """The value that 95 of 100 do not exceed, between neighbours where it falls between them."""
    if len(values) < 2:
        return values[0] if values else None
    return quantiles(values, n=20, method="inclusive")[-1]


def ages(found: Iterable[timedelta]) -> tuple[tuple[str, int], ...]:
    """How many are how old, in the groups of :data:`AGES`."""
    days = [age / timedelta(days=1) for age in found]
    counted: list[tuple[str, int]] = []
    low = 0
    for high in AGES:
        counted.append((f"{low} to {high} days", sum(low <= day < high for day in days)))
        low = high
    return (*counted, (f"over {low} days", sum(day >= low for day in days)))


def publishable(number: int, minimum: int) -> str:
    """A number as it may be published: a small one might tell who it is about (0 tells nothing)."""
    return f"<{minimum}" if 0 < number < minimum else str(number)


def _grouped(reports: Sequence[Report], key: Callable[[Report], str], *, now: datetime) -> tuple[Kept, ...]:
    ordered = sorted(reports, key=key)
    return tuple(count(name, list(group), now=now) for name, group in groupby(ordered, key))


def _rounded(hours: float | None) -> float | None:
    return None if hours is None else round(hours, 1)


def _reports(which: ColumnElement[bool]) -> Select[Any]:
    """What is counted, of each report and not of what was called spam."""
    response, share = aliased(Clock), aliased(Clock)
    return (
        select(
            Ticket.arrived_at, Owner.name, Ticket.state, response.due_at, response.stopped_at,
            share.due_at, share.stopped_at,
        )
        .join(response, and_(response.ticket_id == Ticket.id, response.kind == ClockKind.RESPONSE))
        .join(share, and_(share.ticket_id == Ticket.id, share.kind == ClockKind.SHARE))
        .outerjoin(Owner, Ticket.owner_id == Owner.id)
        .where(which, or_(Ticket.close_reason.is_(None), Ticket.close_reason != CloseReason.SPAM))
        .order_by(Ticket.id)
    )  # fmt: skip


def _report(row: Row[Any]) -> Report:
    arrived_at, owner, state, due_at, answered_at, share_due_at, shared_at = row
    return Report(
        arrived_at=arrived_at,
        owner=owner or "triage",
        is_open=state is not TicketState.CLOSED,
        due_at=due_at,
        answered_at=answered_at,
        share_due_at=share_due_at,
        shared_at=shared_at,
    )
