"""A year that was published stays as it was, whatever becomes of its reports afterwards."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from meldbalie.models.accountability import Published, Year, count_year
from meldbalie.models.calendar import Calendar
from meldbalie.models.clocks import Clock
from meldbalie.models.published_years import PublishedYear, freeze, make_anew, published_years
from meldbalie.models.session import Database
from meldbalie.models.states import CloseReason
from meldbalie.models.ticket import Ticket
from meldbalie.tests.models.reports import together
from meldbalie.tests.models.test_kept import put
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

DAY = timedelta(days=1)
MARCH, FEBRUARY = datetime(2025, 3, 1, 12, 0, tzinfo=UTC), datetime(2026, 2, 1, 12, 0, tzinfo=UTC)
MINIMUM = 5


def counted(session: Session, number: int = 2025, minimum: int = MINIMUM) -> Year:
    year = count_year(
        session,
        number,
        now=FEBRUARY,
        calendar=Calendar.from_mapping({"zone": "Europe/Amsterdam"}),
        day_of=lambda instant: instant.date(),
        minimum=minimum,
    )
    assert year
    return year


def freezes(database: Database) -> None:
    """What the flow does each day."""
    with database.unit_of_work() as session:
        freeze(session, {2025: counted(session)}, minimum=MINIMUM, now=FEBRUARY)


def shown(database: Database) -> list[Year]:
    """What everybody sees."""
    with database.reading() as session:
        return [row.as_year() for row in published_years(session)]


@pytest.fixture
def published(database: Database) -> list[Year]:
    """The page of a year with 30 reports that were answered in time and 6 that were not yet."""
    for number in range(30):
        put(database, number + 1, MARCH, answered=DAY + number * DAY / 10)
    for number in range(6):
        put(database, number + 31, MARCH, answered=None)
    freezes(database)
    return shown(database)


def answers_late(session: Session) -> None:
    clock = session.scalars(select(Clock).where(Clock.stopped_at.is_(None))).first()
    assert clock
    clock.stopped_at = MARCH + 300 * DAY


def calls_it_spam(session: Session) -> None:
    session.get_one(Ticket, 36).close_reason = CloseReason.SPAM


def forgets_it(session: Session) -> None:
    session.execute(delete(Clock).where(Clock.ticket_id == 36))


def finds_another(session: Session) -> None:
    late = Ticket(reference="CVD-2025-0099", arrived_at=MARCH, opened_at=FEBRUARY)
    session.add(late)
    session.add(Clock(ticket=late, kind="response", started_at=MARCH, due_at=MARCH + 5 * DAY))


@pytest.mark.parametrize("happens", [answers_late, calls_it_spam, forgets_it, finds_another])
def test_the_pages_of_yesterday_and_today_are_the_same(
    database: Database, published: list[Year], happens: Callable[[Session], None]
) -> None:
    """Each of these would move a figure by one report: the median, or how many there were."""
    with database.unit_of_work() as session:
        happens(session)
    with database.reading() as session:
        assert [counted(session)] != published
    freezes(database)

    assert shown(database) == published


def test_what_is_written_down_is_what_was_counted(database: Database, published: list[Year]) -> None:
    with database.reading() as session:
        assert published == [counted(session)]
        [row] = published_years(session)

    assert (row.year, row.minimum, row.made_at) == (2025, MINIMUM, FEBRUARY)
    assert published[0].whole.received == Published(36, 36)
    assert len(published[0].quarters) == 4


def test_a_year_is_made_anew_on_purpose_alone(database: Database, published: list[Year]) -> None:
    with database.unit_of_work() as session:
        calls_it_spam(session)
    with database.unit_of_work() as session:
        make_anew(session, 2025, counted(session, minimum=10), minimum=10, now=FEBRUARY + DAY)

    with database.reading() as session:
        [row] = published_years(session)
        assert (row.as_year().whole.received, row.minimum) == (Published(35, 35), 10)
    assert shown(database) != published


def test_five_years_are_shown_the_latest_first(database: Database, published: list[Year]) -> None:
    with database.unit_of_work() as session:
        year = counted(session)
        freeze(session, dict.fromkeys((2019, 2024, 2020, 2026, 2021), year), minimum=MINIMUM, now=FEBRUARY)

    with database.reading() as session:
        assert [row.year for row in published_years(session)] == [2026, 2025, 2024, 2021, 2020]


def test_whoever_writes_it_down_at_once_with_others_writes_the_same_year(database: Database) -> None:
    for number in range(6):
        put(database, number + 1, MARCH)

    together(lambda: freezes(database))

    with database.reading() as session:
        assert session.scalars(select(PublishedYear.year)).all() == [2025]


def test_a_local_day_is_in_the_year_of_its_place(database: Database) -> None:
    """31 December 23:30 in UTC is the next year in Amsterdam."""
    for number in range(5):
        put(database, number + 1, datetime(2024, 12, 31, 23, 30, tzinfo=UTC))

    with database.reading() as session:
        year = count_year(
            session,
            2025,
            now=FEBRUARY,
            calendar=Calendar.from_mapping({"zone": "Europe/Amsterdam"}),
            day_of=lambda instant: date.fromordinal((instant + timedelta(hours=1)).toordinal()),
            minimum=MINIMUM,
        )

    assert year
    assert [quarter.received.low for quarter in year.quarters] == [5, 0, 0, 0]
