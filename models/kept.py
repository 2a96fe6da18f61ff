"""What was kept of the promise: how many reports of a period were answered in time, and how fast.

A report counts in the period in which it arrived, from its arrival to the answer that reached the
reporter. What a handler called spam is no report. A report that was closed without an answer that
arrived is still owed one. Where the answer was written and nobody can be told, for the report came without
an address and no link was given out, it is neither in time nor late: such reports are counted apart.
Aggregates only: nothing here names a ticket, or a person but the owners.

Rows are streamed, and of a report only its durations are kept: memory grows by some 70 bytes a report,
measured over 100,000 of them.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from statistics import median, quantiles
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, or_, select
from sqlalchemy.orm import Session, aliased

from .calendar import Calendar
from .clock_reading import end_of_day
from .clocks import Clock, ClockKind
from .owners import Owner
from .severity import UNRATED, Severity
from .states import CloseReason, TicketState
from .ticket import Event, Ticket

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
#: How old an open report may be, in days: the upper ends of the groups.
AGES = (7, 30, 90, 180)
ROWS_AT_ONCE = 1000
#: How reports are grouped by severity, in this order.
SEVERITIES = (*(severity.value for severity in Severity), UNRATED)


@dataclass(frozen=True)
class Report:
    """What is counted of one report; one without a share clock was never to be shared."""

    arrived_at: datetime
    owner: str
    severity: str
    due_at: datetime
    answered_at: datetime | None
    share_due_at: datetime | None
    shared_at: datetime | None
    is_unreachable: bool = False


@dataclass(frozen=True)
class Kept:
    """How a group of reports was answered. ``None`` where there is nothing to count."""

    group: str
    received: int
    in_time: int
    late: int
    unreachable: int
    """Written, and nobody can be told."""
    overdue: int
    pending: int
    hours_late: float | None
    """How late the late answers were: the median."""
    hours_late_most: float | None
    """How late the latest of them was."""
    hours_median: float | None
    """From arrival to answer: half of the answers took no longer."""
    hours_95: float | None
    """The same for 95 of 100."""
    shared_in_time: int
    shared_late: int
    share_overdue: int
    share_pending: int

    @property
    def share_in_time(self) -> float | None:
        """Answered in time, of all that were answered or should have been; 0 to 1."""
        counted = self.in_time + self.late + self.overdue
        return self.in_time / counted if counted else None


@dataclass(frozen=True)
class Period:
    """What was kept in a period: in all, by owner, severity and month; and how old what is open is now."""

    first: date
    last: date
    made_at: datetime
    whole: Kept
    by_owner: tuple[Kept, ...]
    by_severity: tuple[Kept, ...]
    by_month: tuple[Kept, ...]
    open_by_age: tuple[tuple[str, int], ...]


@dataclass
class Tally:
    """A group of reports while it is counted."""

    group: str
    now: datetime
    in_time: int = 0
    late: int = 0
    unreachable: int = 0
    overdue: int = 0
    pending: int = 0
    shared_in_time: int = 0
    shared_late: int = 0
    share_overdue: int = 0
    share_pending: int = 0
    took: "array[float]" = field(default_factory=lambda: array("d"))
    lateness: "array[float]" = field(default_factory=lambda: array("d"))

    def add(self, report: Report) -> None:
        """Count one report; an answer at the very instant that it is due is in time."""
        if report.answered_at is None:
            self.overdue += self.now > report.due_at
            self.pending += self.now <= report.due_at
        elif report.is_unreachable:
            self.unreachable += 1
        else:
            is_late = report.answered_at > report.due_at
            self.late += is_late
            self.in_time += not is_late
            self.took.append((report.answered_at - report.arrived_at) / HOUR)
            if is_late:
                self.lateness.append((report.answered_at - report.due_at) / HOUR)
        self._add_share(report)

    def _add_share(self, report: Report) -> None:
        if report.share_due_at is None:
            return
        if report.shared_at is None:
            self.share_overdue += self.now > report.share_due_at
            self.share_pending += self.now <= report.share_due_at
        else:
            self.shared_in_time += report.shared_at <= report.share_due_at
            self.shared_late += report.shared_at > report.share_due_at

    def kept(self) -> Kept:
        """What was counted."""
        return Kept(
            group=self.group,
            received=self.in_time + self.late + self.unreachable + self.overdue + self.pending,
            in_time=self.in_time,
            late=self.late,
            unreachable=self.unreachable,
            overdue=self.overdue,
            pending=self.pending,
            hours_late=_rounded(median(self.lateness) if self.lateness else None),
            hours_late_most=_rounded(max(self.lateness, default=None)),
            hours_median=_rounded(median(self.took) if self.took else None),
            hours_95=_rounded(percentile_95(self.took)),
            shared_in_time=self.shared_in_time,
            shared_late=self.shared_late,
            share_overdue=self.share_overdue,
            share_pending=self.share_pending,
        )


def period(
    session: Session,
    first: date,
    last: date,
    *,
    now: datetime,
    calendar: Calendar,
    day_of: Callable[[datetime], date],
) -> Period:
    """Count the reports that arrived from one local day to another, both included."""
    whole = Tally("all", now)
    by_owner: dict[str, Tally] = {}
    by_severity: dict[str, Tally] = {}
    by_month: dict[str, Tally] = {}
    for report in reports_between(session, first, last, calendar):
        month = f"{day_of(report.arrived_at):%Y-%m}"
        whole.add(report)
        by_owner.setdefault(report.owner, Tally(report.owner, now)).add(report)
        by_severity.setdefault(report.severity, Tally(report.severity, now)).add(report)
        by_month.setdefault(month, Tally(month, now)).add(report)
    return Period(
        first=first,
        last=last,
        made_at=now,
        whole=whole.kept(),
        by_owner=tuple(by_owner[name].kept() for name in sorted(by_owner)),
        by_severity=tuple(by_severity[name].kept() for name in SEVERITIES if name in by_severity),
        by_month=tuple(by_month[name].kept() for name in sorted(by_month)),
        open_by_age=ages(now - arrived_at for arrived_at in _open_since(session)),
    )


def reports_between(session: Session, first: date, last: date, calendar: Calendar) -> Iterator[Report]:
    """The reports that arrived from one local day to another, both included, one after the other."""
    begin, end = end_of_day(first - DAY, calendar), end_of_day(last, calendar)
    arrived = and_(Ticket.arrived_at >= begin, Ticket.arrived_at < end)
    rows = session.execute(_reports(arrived).execution_options(yield_per=ROWS_AT_ONCE))
    return map(_report, rows)


def percentile_95(values: Sequence[float]) -> float | None:
    """The value that 95 of 100 do not exceed, between neighbours where it falls between them."""
    if len(values) < 2:
        return values[0] if values else None
    return quantiles(values, n=20, method="inclusive")[-1]


def ages(found: Iterable[timedelta]) -> tuple[tuple[str, int], ...]:
    """How many are how old, in the groups of :data:`AGES`; who is exactly 7 days old is not under 7."""
    counts = [0] * (len(AGES) + 1)
    for age in found:
        counts[sum(age >= high * DAY for high in AGES)] += 1
    between = [f"{low} to {high} days" for low, high in pairwise(AGES)]
    groups = [f"under {AGES[0]} days", *between, f"{AGES[-1]} days and more"]
    return tuple(zip(groups, counts, strict=True))


def _rounded(hours: float | None) -> float | None:
    return None if hours is None else round(hours, 1)


def _is_report() -> ColumnElement[bool]:
    return or_(Ticket.close_reason.is_(None), Ticket.close_reason != CloseReason.SPAM)


def _open_since(session: Session) -> Iterator[datetime]:
    still_open = select(Ticket.arrived_at).where(Ticket.state != TicketState.CLOSED)
    return iter(session.scalars(still_open.execution_options(yield_per=ROWS_AT_ONCE)))


def _reports(which: ColumnElement[bool]) -> Select[Any]:
    """What is counted, of each report and not of what was called spam."""
    response, share = aliased(Clock), aliased(Clock)
    stopped_it = select(Event.id).where(
        Event.ticket_id == Ticket.id, Event.at == response.stopped_at, Event.kind == "unreachable"
    )
    return (
        select(
            Ticket.arrived_at, Owner.name, Ticket.severity, response.due_at, response.stopped_at,
            share.due_at, share.stopped_at, stopped_it.exists(),
        )
        .join(response, and_(response.ticket_id == Ticket.id, response.kind == ClockKind.RESPONSE))
        .outerjoin(share, and_(share.ticket_id == Ticket.id, share.kind == ClockKind.SHARE))
        .outerjoin(Owner, Ticket.owner_id == Owner.id)
        .where(which, _is_report())
    )  # fmt: skip


def _report(row: Row[Any]) -> Report:
    arrived_at, owner, severity, due_at, answered_at, share_due_at, shared_at, is_unreachable = row
    return Report(
        arrived_at=arrived_at,
        owner=owner or "triage",
        severity=severity or UNRATED,
        due_at=due_at,
        answered_at=answered_at,
        share_due_at=share_due_at,
        shared_at=shared_at,
        is_unreachable=is_unreachable,
    )
