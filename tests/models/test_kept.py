"""What was kept, worked out by hand; a report is what it says and counts once."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meldbalie.models import acts
from meldbalie.models.calendar import Calendar
from meldbalie.models.clocks import Clock, ClockKind
from meldbalie.models.kept import Kept, Period, Report, Tally, ages, percentile_95, period
from meldbalie.models.links import make_link
from meldbalie.models.outbox import MailKind
from meldbalie.models.owners import Owner
from meldbalie.models.session import Database
from meldbalie.models.severity import Severity
from meldbalie.models.states import CloseReason
from meldbalie.models.ticket import Reporter, Ticket, ticket_called
from meldbalie.models.winding import wind
from meldbalie.tests.models.reports import ANONYMOUS, ARRIVED, DUE, PROMISE, REPORT, mails, reported
from sqlalchemy.orm import Session

NOW = datetime(2026, 12, 31, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TICK = timedelta(microseconds=1)
AMSTERDAM = Calendar.from_mapping({"zone": "Europe/Amsterdam"})


def kept_of(*reports: Report, now: datetime = NOW) -> Kept:
    tally = Tally("all", now)
    for report in reports:
        tally.add(report)
    return tally.kept()


def report(
    answered: timedelta | None = None,
    shared: timedelta | None = HOUR,
    *,
    arrived_at: datetime = ARRIVED,
    owner: str = "triage",
    is_unreachable: bool = False,
) -> Report:
    """A report that was answered and shared so long after its arrival: due are 5 days and 1 hour."""
    return Report(
        arrived_at=arrived_at,
        owner=owner,
        severity="unrated",
        due_at=arrived_at + 5 * DAY,
        answered_at=None if answered is None else arrived_at + answered,
        share_due_at=arrived_at + HOUR,
        shared_at=None if shared is None else arrived_at + shared,
        is_unreachable=is_unreachable,
    )


def test_an_answer_at_the_very_instant_that_it_is_due_is_in_time() -> None:
    kept = kept_of(report(5 * DAY), report(5 * DAY + TICK), report(5 * DAY - TICK))

    assert (kept.in_time, kept.late) == (2, 1)
    assert kept.share_in_time == 2 / 3


def test_what_is_not_answered_is_overdue_only_once_its_time_has_passed() -> None:
    at_due, after = (kept_of(report(), now=ARRIVED + 5 * DAY + more) for more in (timedelta(), TICK))
    assert (at_due.pending, at_due.overdue, after.pending, after.overdue) == (1, 0, 0, 1)

    at_due, after = (kept_of(report(shared=None), now=ARRIVED + HOUR + more) for more in (timedelta(), TICK))
    assert (at_due.share_pending, at_due.share_overdue) == (1, 0)
    assert (after.share_pending, after.share_overdue) == (0, 1)


def test_lateness_is_told_by_its_median_and_its_worst() -> None:
    kept = kept_of(*(report(5 * DAY + late * HOUR) for late in (1, 2, 30)), report(DAY))

    assert (kept.late, kept.hours_late, kept.hours_late_most) == (3, 2.0, 30.0)
    # 24, 121, 122 and 150 hours: between the two in the middle, and 0.85 of the way from 122 to 150.
    assert (kept.hours_median, kept.hours_95) == (121.5, 145.8)


def test_nothing_gives_nothing() -> None:
    kept = kept_of()

    assert (kept.received, kept.share_in_time, kept.hours_late, kept.hours_late_most) == (0, None, None, None)
    assert (kept.hours_median, kept.hours_95) == (None, None)


def test_sharing_is_counted_apart_from_answering() -> None:
    kept = kept_of(report(DAY), report(DAY, HOUR + TICK), report(shared=None), report(shared=HOUR / 2))

    assert (kept.shared_in_time, kept.shared_late, kept.share_overdue, kept.share_pending) == (2, 1, 1, 0)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], None),
        ([7.0], 7.0),
        ([1.0, 2.0], 1.95),  # 0.95 of the way from the first to the second
        ([float(n) for n in range(1, 21)], 19.05),  # position 0.95 · 19 = 18.05, counted from nought
        ([float(n) for n in range(1, 22)], 20.0),  # position 0.95 · 20 = 19
        ([5.0] * 20, 5.0),
    ],
    ids=["none", "one", "two", "twenty", "twenty-one", "alike"],
)
def test_the_95th_percentile(values: list[float], expected: float | None) -> None:
    assert percentile_95(values) == (None if expected is None else pytest.approx(expected))
    assert percentile_95(values[::-1]) == percentile_95(values)


def test_ages_have_their_upper_end_in_the_next_group() -> None:
    found = [timedelta(), 7 * DAY - TICK, 7 * DAY, 30 * DAY, 90 * DAY, 180 * DAY - TICK, 180 * DAY, 900 * DAY]

    assert ages(found) == (
        ("under 7 days", 2),
        ("7 to 30 days", 1),
        ("30 to 90 days", 1),
        ("90 to 180 days", 2),
        ("180 days and more", 2),
    )


DURATIONS = st.none() | st.timedeltas(timedelta(), 20 * DAY)


REPORTS = st.builds(report, DURATIONS, DURATIONS) | st.builds(
    report, st.timedeltas(timedelta(), 20 * DAY), DURATIONS, is_unreachable=st.just(True)
)


@given(st.lists(REPORTS), st.timedeltas(timedelta(), 30 * DAY))
def test_the_parts_add_up(reports: list[Report], passed: timedelta) -> None:
    kept = kept_of(*reports, now=ARRIVED + passed)

    assert kept.received == len(reports)
    assert kept.received == kept.in_time + kept.late + kept.unreachable + kept.overdue + kept.pending
    assert kept.unreachable == sum(each.is_unreachable for each in reports)
    assert kept.received == (kept.shared_in_time + kept.shared_late + kept.share_overdue + kept.share_pending)
    if kept.hours_95 is not None:
        assert kept.hours_median is not None
        assert kept.hours_median <= kept.hours_95 + 0.1


# From here on with rows.


def counted(database: Database, first: date, last: date, now: datetime = NOW) -> Period:
    with database.reading() as session:
        return period(session, first, last, now=now, calendar=AMSTERDAM, day_of=PROMISE.local_day)


def put(
    database: Database,
    number: int,
    arrived_at: datetime,
    *,
    answered: timedelta | None = DAY,
    owner: str = "",
    severity: Severity | None = None,
) -> None:
    """A ticket with its two clocks, as they would have been wound."""
    with database.unit_of_work() as session:
        ticket = Ticket(reference=f"CVD-2026-{number:04d}", arrived_at=arrived_at, opened_at=arrived_at)
        ticket.reporter, ticket.severity = Reporter(), severity
        if owner:
            ticket.owner = Owner(name=owner, address="x@voorbeeld.example")
        session.add(ticket)
        for kind, long, stopped in (
            (ClockKind.RESPONSE, 5 * DAY, answered),
            (ClockKind.SHARE, HOUR, HOUR / 2),
        ):
            clock = Clock(ticket=ticket, kind=kind, started_at=arrived_at, due_at=arrived_at + long)
            clock.stopped_at = None if stopped is None else arrived_at + stopped
            session.add(clock)


def test_a_report_counts_on_the_local_day_of_its_arrival(database: Database) -> None:
    """31 December 2025 23:30 in UTC is the next year in Amsterdam; so is midnight on the clock there."""
    for number, arrived_at in enumerate(
        (
            datetime(2025, 12, 31, 22, 59, 59, tzinfo=UTC),
            datetime(2025, 12, 31, 23, 0, tzinfo=UTC),
            datetime(2026, 1, 31, 22, 59, 59, tzinfo=UTC),
            datetime(2026, 1, 31, 23, 0, tzinfo=UTC),
        ),
        1,
    ):
        put(database, number, arrived_at)

    january = counted(database, date(2026, 1, 1), date(2026, 1, 31))
    both = counted(database, date(2025, 12, 31), date(2026, 2, 1))

    assert january.whole.received == 2
    assert [(kept.group, kept.received) for kept in both.by_month] == [
        ("2025-12", 1),
        ("2026-01", 2),
        ("2026-02", 1),
    ]


def test_owners_are_counted_apart_and_make_up_the_whole(database: Database) -> None:
    put(database, 1, ARRIVED, owner="Web team")
    put(database, 2, ARRIVED, owner="Network team", answered=6 * DAY)
    put(database, 3, ARRIVED, answered=None)

    kept = counted(database, ARRIVED.date(), ARRIVED.date())

    by_owner = {each.group: (each.in_time, each.late, each.overdue) for each in kept.by_owner}
    assert by_owner == {"Network team": (0, 1, 0), "Web team": (1, 0, 0), "triage": (0, 0, 1)}
    assert kept.whole.received == sum(each.received for each in kept.by_owner) == 3


def test_severities_are_counted_apart_the_worst_first_and_what_is_unrated_last(database: Database) -> None:
    rated = (None, *reversed(Severity), Severity.CRITICAL, None)
    for number, severity in enumerate(rated, 1):
        late = 6 * DAY if severity is Severity.CRITICAL else DAY
        put(database, number, ARRIVED, severity=severity, answered=late)

    kept = counted(database, ARRIVED.date(), ARRIVED.date())

    assert [(each.group, each.in_time, each.late) for each in kept.by_severity] == [
        ("critical", 0, 2),
        ("high", 1, 0),
        ("medium", 1, 0),
        ("low", 1, 0),
        ("none", 1, 0),
        ("unrated", 2, 0),
    ]
    assert kept.whole.received == sum(each.received for each in kept.by_severity) == 8


def close(database: Database, reference: str, reason: CloseReason, *, now: datetime) -> None:
    with database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        acts.invalidate(session, ticket, by="Fatima", because="no", promise=PROMISE, now=now)
        acts.close(session, ticket, reason=reason, by="Fatima", because="so", promise=PROMISE, now=now)


def answer(database: Database, reference: str, *, now: datetime) -> None:
    with database.unit_of_work() as session:
        acts.answer(
            session, ticket_called(session, reference), text="We fix it.", fix_on=None,
            no_date_because="The supplier", by="Fatima", promise=PROMISE, now=now,
        )  # fmt: skip


def test_what_was_called_spam_is_no_report(database: Database) -> None:
    close(database, reported(database, ANONYMOUS), CloseReason.SPAM, now=ARRIVED + HOUR)
    reported(database, ANONYMOUS)

    kept = counted(database, ARRIVED.date(), ARRIVED.date())

    assert (kept.whole.received, sum(number for _, number in kept.open_by_age)) == (1, 1)


def links(database: Database, reference: str) -> None:
    with database.unit_of_work() as session:
        make_link(session, ticket_called(session, reference), at=ARRIVED)


def test_an_anonymous_reporter_with_a_link_is_answered_by_the_page(database: Database) -> None:
    reference = reported(database, ANONYMOUS)
    links(database, reference)
    answer(database, reference, now=ARRIVED + 3 * HOUR)

    kept = counted(database, ARRIVED.date(), ARRIVED.date()).whole

    assert (kept.in_time, kept.unreachable, kept.hours_median) == (1, 0, 3.0)


def test_an_answer_that_nobody_can_read_is_counted_apart(database: Database) -> None:
    """Neither in time nor late, however long it took; before it is written it is owed like any other."""
    answered, closed, late, waiting = (reported(database, ANONYMOUS) for _ in range(4))
    answer(database, answered, now=ARRIVED + HOUR)
    close(database, closed, CloseReason.OUT_OF_SCOPE, now=ARRIVED + HOUR)
    answer(database, late, now=DUE + DAY)

    kept = counted(database, ARRIVED.date(), ARRIVED.date()).whole

    assert waiting
    assert (kept.received, kept.unreachable, kept.overdue) == (4, 3, 1)
    assert (kept.in_time, kept.late, kept.hours_median, kept.share_in_time) == (0, 0, None, 0)


def test_a_link_that_is_given_later_does_not_make_it_answered_in_time(database: Database) -> None:
    reference = reported(database, ANONYMOUS)
    answer(database, reference, now=ARRIVED + HOUR)
    links(database, reference)
    answer(database, reference, now=ARRIVED + 2 * HOUR)

    kept = counted(database, ARRIVED.date(), ARRIVED.date()).whole

    assert (kept.unreachable, kept.in_time) == (1, 0)


def test_a_state_that_nobody_could_be_told_does_not_take_an_answer_away(database: Database) -> None:
    reference = reported(database, ANONYMOUS)
    with database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        acts.confirm(session, ticket, by="Fatima", because="", promise=PROMISE, now=ARRIVED + HOUR)
    links(database, reference)
    answer(database, reference, now=ARRIVED + 2 * HOUR)

    kept = counted(database, ARRIVED.date(), ARRIVED.date()).whole

    assert (kept.unreachable, kept.in_time) == (0, 1)


def test_a_report_closed_without_an_answer_that_arrived_is_still_owed_one(database: Database) -> None:
    """The closing is an answer, but its mail has not left."""
    close(database, reported(database, REPORT), CloseReason.WITHDRAWN, now=ARRIVED + HOUR)

    kept = counted(database, ARRIVED.date(), ARRIVED.date(), now=DUE + TICK)

    assert (kept.whole.in_time, kept.whole.overdue) == (0, 1)
    assert sum(number for _, number in kept.open_by_age) == 0


def test_an_answer_counts_once_it_has_arrived_and_until_it_bounces(database: Database) -> None:
    reference = reported(database, REPORT)
    answer(database, reference, now=ARRIVED + HOUR)
    day = ARRIVED.date()
    assert counted(database, day, day).whole.in_time == 0

    with database.unit_of_work() as session:
        [mail] = mails(session, MailKind.ANSWER)
        ticket = ticket_called(session, reference)
        ticket.record(
            "delivered", by="deliver", at=ARRIVED + 2 * HOUR, mail="answer", party="reporter",
            number=mail.id, fix_on="",
        )  # fmt: skip
        wind_now(session, ticket)
    assert counted(database, day, day).whole.hours_median == 2.0

    with database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        ticket.record("bounced", by="intake", at=ARRIVED + 3 * HOUR, number=mail.id)
        wind_now(session, ticket)
    kept = counted(database, day, day).whole
    assert (kept.in_time, kept.overdue, kept.hours_median) == (0, 1, None)


def wind_now(session: Session, ticket: Ticket) -> None:
    wind(session, ticket, PROMISE, now=NOW)


def test_open_tickets_are_counted_by_age_whenever_they_arrived(database: Database) -> None:
    put(database, 1, NOW - 400 * DAY)
    put(database, 2, NOW - DAY)

    kept = counted(database, NOW.date(), NOW.date())

    assert kept.whole.received == 0
    assert [number for _, number in kept.open_by_age] == [1, 0, 0, 0, 1]
