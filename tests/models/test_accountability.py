"""What is published tells of nobody: hidden numbers cannot be worked out from what stands beside them."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meldbalie.models.accountability import (
    Figures,
    Published,
    Year,
    count_year,
    figures_of,
    numbers_of,
    publish,
    years_to_publish,
)
from meldbalie.models.calendar import Calendar
from meldbalie.models.clocks import Clock, ClockKind
from meldbalie.models.kept import Kept
from meldbalie.models.session import Database
from meldbalie.models.ticket import Ticket
from meldbalie.tests.models.test_kept import put
from sqlalchemy import select

FIVE = 5
DAY = timedelta(days=1)


def kept(
    in_time: int, missed: int, shared: int | None = None, *, overdue: int = 0, name: str = "2025"
) -> Kept:
    """A group of reports: answered in time or not, and shared in time or not."""
    received = in_time + missed
    shared = received if shared is None else shared
    answers = in_time + missed - overdue
    return Kept(
        group=name, received=received, in_time=in_time, late=missed - overdue,
        unreachable=0, overdue=overdue, pending=0,
        hours_late=None, hours_late_most=None,
        hours_median=48.0 if answers else None, hours_95=96.0 if answers else None,
        shared_in_time=shared, shared_late=received - shared, share_overdue=0, share_pending=0,
    )  # fmt: skip


def numbers(figures: Figures) -> list[tuple[int, int]]:
    return [(number.low, number.high) for number in numbers_of(figures)]


@pytest.mark.parametrize(
    ("in_time", "missed", "expected"),
    [
        (0, 0, [(0, 0), (0, 0), (0, 0)]),
        (4, 0, [(1, 4)]),  # not even that all of them were in time
        (5, 0, [(5, 5), (5, 5), (0, 0)]),
        (4, 4, [(8, 8)]),  # 1 to 4 of 8 in time would be 4
        (5, 4, [(9, 9), (5, 8), (1, 4)]),
        (26, 1, [(27, 27), (23, 26), (1, 4)]),
        (2, 25, [(27, 27), (1, 4), (23, 26)]),
        (20, 5, [(25, 25), (20, 20), (5, 5)]),
    ],
)
def test_a_small_part_hides_the_other(in_time: int, missed: int, expected: list[tuple[int, int]]) -> None:
    figures = figures_of(kept(in_time, missed), FIVE)

    assert numbers(figures)[: len(expected)] == expected
    assert (figures.answered is None) == (len(expected) == 1)


def test_per_cent_are_as_far_apart_as_the_counts_and_never_better_than_it_was() -> None:
    assert figures_of(kept(26, 1), FIVE).share_in_time() == (85, 96)
    assert figures_of(kept(999, 5), FIVE).share_in_time() == (99, 99)
    assert figures_of(kept(0, 0), FIVE).share_in_time() is None
    assert figures_of(kept(4, 4), FIVE).share_in_time() is None


def test_durations_are_told_of_enough_answers() -> None:
    assert figures_of(kept(4, 0), FIVE).days_median is None
    assert figures_of(kept(2, 25), FIVE).days_median is None
    assert figures_of(kept(26, 1), FIVE).days_median == 2.0
    assert figures_of(kept(26, 1), FIVE).days_95 is None  # it would tell how many were late
    assert figures_of(kept(19, 0), FIVE).days_95 is None
    assert figures_of(kept(20, 5), FIVE).days_95 == 4.0


QUARTERS = [kept(10, 5), kept(0, 0), kept(7, 0), kept(30, 6)]


def test_a_year_is_split_where_nothing_is_hidden_in_a_quarter() -> None:
    year = publish(kept(47, 11), QUARTERS, FIVE)

    assert [numbers(quarter)[0] for quarter in year.quarters] == [(15, 15), (0, 0), (7, 7), (36, 36)]


@pytest.mark.parametrize("small", [kept(1, 0), kept(9, 1), kept(9, 5, 12), kept(4, 4)])
def test_one_small_number_leaves_the_whole_year_alone(small: Kept) -> None:
    assert publish(kept(60, 20), [*QUARTERS[:3], small], FIVE).quarters == ()


# Every way in which a year may have been, and everybody who sees only what is published.

SMALL_WORLD = 26


def shown(year: Year) -> tuple[object, ...]:
    """All that a reader sees, durations apart: whether they are told is seen as well."""
    return tuple(
        (tuple(numbers(row)), row.share_in_time(), row.days_median is None, row.days_95 is None)
        for row in (year.whole, *year.quarters)
    )


@pytest.mark.parametrize("minimum", [3, 4])
def test_whoever_sees_all_years_that_look_alike_cannot_tell_a_small_number(minimum: int) -> None:
    """All worlds up to a size, by brute force: what looks the same holds every value of what is hidden."""
    worlds: defaultdict[object, set[tuple[int, ...]]] = defaultdict(set)
    for received in range(SMALL_WORLD):
        for in_time, shared in product(range(received + 1), repeat=2):
            for overdue in {0, (received - in_time) // 2, received - in_time}:
                figures = figures_of(kept(in_time, received - in_time, shared, overdue=overdue), minimum)
                seen = shown(Year(figures, ()))
                parts = (received, in_time, received - in_time, shared, received - shared)
                worlds[seen].add(parts)

    for alike in worlds.values():
        for values in map(set, zip(*alike, strict=True)):
            if any(0 < value < minimum for value in values) and len(values) < minimum - 1:
                pytest.fail(f"{sorted(values)} can be told: {sorted(alike)[:5]}")


COUNTS = st.integers(0, 12)


@given(st.lists(st.tuples(COUNTS, COUNTS, st.integers(0, 24)), min_size=4, max_size=4))
def test_quarters_with_something_hidden_are_not_shown_and_others_add_up(
    parts: list[tuple[int, int, int]],
) -> None:
    quarters = [
        kept(good, bad, min(shared, good + bad), name=str(number))
        for number, (good, bad, shared) in enumerate(parts, 1)
    ]
    good, bad = sum(one.in_time for one in quarters), sum(one.late for one in quarters)
    year = publish(kept(good, bad, sum(one.shared_in_time for one in quarters)), quarters, FIVE)

    counts = [number for one in quarters for number in (
        one.received, one.in_time, one.late, one.shared_in_time, one.shared_late
    )]  # fmt: skip
    assert bool(year.quarters) == (not any(0 < number < FIVE for number in counts))
    for row in (year.whole, *year.quarters):
        for number in numbers_of(row):
            assert not (number.is_exact and 0 < number.low < FIVE)
    if year.quarters:
        columns = zip(*(numbers_of(quarter) for quarter in year.quarters), strict=True)
        sums = [sum(number.low for number in column) for column in columns]
        assert [Published(each, each) for each in sums] == list(numbers_of(year.whole))


def year(database: Database, now: datetime, number: int = 2025) -> Year | None:
    with database.reading() as session:
        return count_year(
            session,
            number,
            now=now,
            calendar=Calendar.from_mapping({"zone": "Europe/Amsterdam"}),
            day_of=lambda instant: date.fromordinal((instant + timedelta(hours=1)).toordinal()),
            minimum=FIVE,
        )


def test_a_year_is_published_when_nothing_of_it_can_still_be_in_time(database: Database) -> None:
    last = datetime(2025, 12, 30, 12, 0, tzinfo=UTC)
    for number in range(1, 7):
        put(database, number, last - number * DAY)
    put(database, 7, last, answered=None)

    assert year(database, last + 5 * DAY) is None
    published = year(database, last + 5 * DAY + timedelta(microseconds=1))

    assert published
    assert (published.whole.name, published.whole.received) == ("2025", Published(7, 7))
    assert published.quarters == ()
    assert published.whole.answered is None
    assert published.whole.shared is not None
    assert published.whole.shared.kept == Published(7, 7)


def test_a_year_is_not_published_while_a_copy_may_still_be_shared_in_time(database: Database) -> None:
    at = datetime(2025, 12, 30, 12, 0, tzinfo=UTC)
    put(database, 1, at)
    with database.unit_of_work() as session:
        share = session.scalars(select(Clock).where(Clock.kind == ClockKind.SHARE)).one()
        share.due_at, share.stopped_at = at + 60 * DAY, None

    assert year(database, at + 60 * DAY) is None
    assert year(database, at + 61 * DAY)


@pytest.mark.parametrize(
    ("today", "last"),
    [(date(2026, 1, 31), 2024), (date(2026, 2, 1), 2025), (date(2026, 12, 31), 2025)],
)
def test_five_years_are_published_the_last_from_february_after_it(today: date, last: int) -> None:
    assert list(years_to_publish(today)) == list(range(last - 4, last + 1))


def test_each_quarter_has_its_months(database: Database) -> None:
    for month in range(1, 13):
        for times in range(month):
            put(database, 100 * month + times, datetime(2025, month, 15, tzinfo=UTC))

    published = year(database, datetime(2026, 6, 1, tzinfo=UTC))

    assert published
    assert [numbers(quarter)[0][0] for quarter in published.quarters] == [1 + 2 + 3, 4 + 5 + 6, 24, 33]
    assert year(database, datetime(2026, 6, 1, tzinfo=UTC), 2024) is None


def test_a_report_to_which_nobody_could_be_answered_is_left_out_altogether(database: Database) -> None:
    """Of what was shared too: no number differs from the one beside it by those that are left out."""
    at = datetime(2025, 4, 1, tzinfo=UTC)
    for number in range(1, 8):
        put(database, number, at)
    before = year(database, at + 300 * DAY)

    put(database, 8, at)
    with database.unit_of_work() as session:
        session.get_one(Ticket, 8).record("unreachable", by="Fatima", at=at + DAY, what="closing")

    assert before
    assert year(database, at + 300 * DAY) == before
