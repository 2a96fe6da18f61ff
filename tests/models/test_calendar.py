"""The clock arithmetic: worked cases, refusals, laws that hold on any calendar, a slow clock that agrees."""

import tomllib
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from meldbalie.models.calendar import (
    BadCalendar,
    BadDuration,
    BadInstant,
    Calendar,
    Duration,
    Pause,
    Unit,
    due,
    elapsed,
)
from meldbalie.models.closed_days import DutchClosedDays, dutch_closed_days
from meldbalie.models.due import calendar_from, parse_instant

TABLE = tomllib.loads(Path(__file__).with_name("due_cases.toml").read_text("utf-8"))
CASES = [(group, case) for group in TABLE["group"] for case in group["cases"]]
OFFICE = Calendar()
START = parse_instant("2026-11-19T14:05:00+01:00")
MINUTE = timedelta(minutes=1)
TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("group", "case"), CASES, ids=[f"{g['name']}: {c['duration']}: {c['why']}" for g, c in CASES]
)
def test_a_worked_case_is_due_as_worked(group: dict[str, Any], case: dict[str, Any]) -> None:
    calendar = calendar_from(TABLE["calendars"][case.get("calendar", group["calendar"])])
    pauses = [(parse_instant(begin), parse_instant(end)) for begin, end in case.get("pauses", [])]

    moment = due(parse_instant(case["start"]), Duration.parse(case["duration"]), calendar, pauses)

    assert moment == parse_instant(case["due"]), case["why"]
    assert moment.tzinfo is UTC


def test_there_are_enough_worked_cases() -> None:
    assert len(CASES) >= 300
    assert all(case["why"] for _, case in CASES)


# Durations


@pytest.mark.parametrize("text", ["0d", "5d", "5wd", "40bh", "90bm", "30bs", "5000wd"])
def test_a_duration_is_written_as_it_is_read(text: str) -> None:
    assert str(Duration.parse(text)) == text


def test_leading_noughts_do_not_count() -> None:
    assert Duration.parse("000000000000000000000000005wd") == Duration(5, Unit.WORKING_DAYS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "d",
        "-5d",
        "+5d",
        "5 d",
        " 5d",
        "5d\n",
        "5D",
        "5days",
        "1.5bh",
        "1e3d",
        "5d5bh",
        "\u0665d",
        "5w",
        "P5D",
    ],
)
def test_what_is_no_duration_is_refused_with_the_ways_to_write_one(text: str) -> None:
    with pytest.raises(BadDuration, match=r"is not understood; .* 5wd \(working days\)"):
        Duration.parse(text)


def test_a_duration_does_not_run_backwards() -> None:
    with pytest.raises(BadDuration, match="-1d runs backwards"):
        Duration(-1, Unit.DAYS)


@pytest.mark.parametrize(
    "text",
    [
        "2914000d",
        "2914000wd",
        "2100000wd",
        "999999999999bh",
        "99999999999bs",
        "9" * 18 + "d",
        "9" * 18 + "bs",
    ],
)
def test_a_due_instant_beyond_the_year_9999_is_refused(text: str) -> None:
    with pytest.raises(BadDuration, match="due lies beyond the year 9999"):
        due(START, Duration.parse(text), OFFICE)


@pytest.mark.parametrize("digits", [19, 5000, 100_000])
def test_more_digits_than_time_has_are_refused(digits: int) -> None:
    with pytest.raises(BadDuration, match="due lies beyond the year 9999"):
        Duration.parse("9" * digits + "d")


def test_the_last_moments_of_the_year_9999_are_within_reach() -> None:
    midnight = parse_instant("9999-12-31T00:00:00Z")
    calendar = Calendar.from_mapping({"zone": "UTC", "hours": {"fri": [["00:00", "24:00"]]}})

    assert due(midnight, Duration.parse("86399bs"), calendar) == midnight + timedelta(seconds=86399)
    assert due(midnight - timedelta(days=1), Duration.parse("1d"), calendar) == midnight
    with pytest.raises(BadDuration, match="beyond the year 9999"):
        due(midnight, Duration.parse("24bh"), calendar)


def test_a_duration_may_fill_the_year_9999() -> None:
    new_year = parse_instant("9999-01-01T00:00:00Z")
    hours = {day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
    calendar = Calendar.from_mapping({"zone": "UTC", "hours": hours})

    assert due(new_year, Duration.parse("8736bh"), calendar) == new_year + timedelta(days=364)
    assert due(new_year, Duration.parse("364wd"), calendar) == new_year + timedelta(days=364)


def test_a_pause_that_never_ends_leads_beyond_the_year_9999() -> None:
    for_ever = (START, datetime.max.replace(tzinfo=UTC))

    with pytest.raises(BadDuration, match="beyond the year 9999"):
        due(START, Duration.parse("5d"), OFFICE, [for_ever])


def test_twenty_thousand_working_days_are_counted_one_by_one() -> None:
    calendar = Calendar(closed_in=DutchClosedDays())
    day, left = START.date(), 20_000
    while left:
        day += timedelta(days=1)
        left -= day.weekday() < 5 and day not in dutch_closed_days(day.year)

    assert due(START, Duration.parse("20000wd"), calendar).date() == day
    assert elapsed(START, datetime(day.year, day.month, day.day, tzinfo=UTC), calendar, unit="wd") == 19_999


# Instants and pauses


def test_a_start_without_an_offset_is_refused_with_the_way_to_write_it() -> None:
    with pytest.raises(BadInstant, match=r"2026-11-19T14:05:00 carries no offset, .* with Z at the end"):
        due(datetime(2026, 11, 19, 14, 5), Duration.parse("5d"), OFFICE)


@pytest.mark.parametrize("naive", [0, 1])
def test_a_pause_without_an_offset_is_refused(naive: int) -> None:
    pause = [START, START + MINUTE]
    pause[naive] = pause[naive].replace(tzinfo=None)

    with pytest.raises(BadInstant, match="carries no offset"):
        due(START, Duration.parse("5d"), OFFICE, [(pause[0], pause[1])])


def test_a_pause_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(BadInstant, match=r"a pause from .*T13:06.* to .*T13:05.* ends before it begins"):
        due(START, Duration.parse("5d"), OFFICE, [(START + MINUTE, START)])


def test_a_start_before_the_calendar_begins_is_refused() -> None:
    with pytest.raises(BadInstant, match="lies before 0001-01-02"):
        due(datetime(1, 1, 1, 12, tzinfo=UTC), Duration.parse("5d"), OFFICE)


def test_the_first_year_is_within_reach() -> None:
    start = datetime(1, 1, 2, 12, tzinfo=UTC)
    calendar = Calendar.from_mapping({"zone": "UTC"})

    assert due(start, Duration.parse("1wd"), calendar) == start + timedelta(days=1)


def test_an_end_before_the_start_has_no_elapsed_time() -> None:
    with pytest.raises(BadInstant, match="give the earlier first"):
        elapsed(START, START - TICK, OFFICE)


def test_elapsed_time_is_a_fraction_of_its_unit() -> None:
    end = START + timedelta(minutes=45)

    assert elapsed(START, end, OFFICE) == 0.75
    assert elapsed(START, end, OFFICE, unit="bm") == 45
    assert elapsed(START, end, OFFICE, [(START, START + 15 * MINUTE)], Unit.BUSINESS_SECONDS) == 1800


def test_elapsed_days_are_whole_days() -> None:
    end = parse_instant("2026-11-26T14:05:00+01:00")

    assert elapsed(START, end, OFFICE, unit="wd") == 5
    assert elapsed(START, end - TICK, OFFICE, unit="wd") == 4
    assert elapsed(START, end, OFFICE, unit="d") == 7
    assert elapsed(START, end, OFFICE, [(START, START + MINUTE)], "d") == 6
    assert elapsed(START, START, OFFICE, unit="d") == 0


def test_elapsed_time_ends_with_the_year_9999() -> None:
    end = datetime.max.replace(tzinfo=UTC)

    with pytest.raises(BadInstant, match="beyond the year 9999 in Europe/Amsterdam"):
        elapsed(START, end, OFFICE)
    assert elapsed(end - timedelta(days=2), end, Calendar(zone="UTC"), unit="d") == 2


# Calendars


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"zone": "Europe/Amsterdm"}, "zone 'Europe/Amsterdm' is unknown; give an IANA name"),
    ({"zone": ""}, "zone '' is unknown"),
    ({"zone": "Europe"}, "zone 'Europe' is unknown"),
    ({"zone": "../../etc/passwd"}, "is unknown"),
    ({"zone": "/etc/localtime"}, "is unknown"),
    ({"zone": "right/Europe/Amsterdam"}, "is unknown"),
    ({"zone": "Europe/\0"}, "is unknown"),
    ({"zone": "\ud800"}, "is unknown"),
    ({"zone": "E" * 5000}, r"zone 'EEE.*\.\.\..*' is unknown"),
    ({"zone": 1}, "zone 1 is unknown"),
    ({"hours": []}, "hours .* is not an object"),
    ({"hours": {"maandag": []}}, "weekday 'maandag' is unknown; use mon, tue"),
    ({"hours": {1: []}}, "weekday 1 is unknown"),
    ({"hours": {"mon": "09:00-17:00"}}, "hours of mon '09:00-17:00' is not a list"),
    ({"hours": {"mon": ["09:00", "17:00"]}}, "an opening of mon '09:00' is not a list"),
    ({"hours": {"mon": [["09:00"]]}}, "an opening of mon, .* is not two times"),
    ({"hours": {"mon": [["09:00", "12:00", "17:00"]]}}, "is not two times"),
    ({"hours": {"mon": [["9:00", "17:00"]]}}, "time '9:00' of mon is not a time of day; write 09:00"),
    ({"hours": {"mon": [["09:00", "17:60"]]}}, "time '17:60' of mon"),
    ({"hours": {"mon": [["09:00", "24:01"]]}}, "time '24:01' of mon"),
    ({"hours": {"mon": [["09:00", "99:00"]]}}, "time '99:00' of mon"),
    ({"hours": {"mon": [["09:00", "17:00\n"]]}}, "of mon is not a time of day"),
    ({"hours": {"mon": [[9, 17]]}}, "time 9 of mon"),
    ({"hours": {"mon": [[None, "17:00"]]}}, "time None of mon"),
    ({"hours": {"fri": [["22:00", "02:00"]]}}, "of fri does not end after it begins; .* ends at 24:00"),
    ({"hours": {"fri": [["09:00", "09:00"]]}}, "does not end after it begins"),
    ({"hours": {"fri": [["24:00", "24:00"]]}}, "does not end after it begins"),
    ({"hours": {"mon": [["09:00", "12:00"], ["11:59", "17:00"]]}}, "of mon overlap"),
    ({"closed": "2026-04-27"}, "closed '2026-04-27' is not a list"),
    ({"closed": ["2026-02-29"]}, "closed day '2026-02-29' is not a date; write it as 2026-04-27"),
    ({"closed": ["20260427"]}, "closed day '20260427'"),
    ({"closed": ["27-04-2026"]}, "closed day '27-04-2026'"),
    ({"closed": [20260427]}, "closed day 20260427"),
    ({"closed": [datetime(2026, 4, 27)]}, "closed day datetime"),
    ({"closd": []}, "a calendar has no 'closd'; its keys are zone, hours and closed"),
]


@pytest.mark.parametrize(("mapping", "message"), REFUSED, ids=[str(number) for number in range(len(REFUSED))])
def test_a_calendar_that_cannot_be_meant_is_refused(mapping: dict[str, Any], message: str) -> None:
    with pytest.raises(BadCalendar, match=message):
        Calendar.from_mapping(mapping)


@pytest.mark.parametrize(
    "hours",
    [
        (),
        (((0, 1),),) * 6,
        (((5, 5),),) * 7,
        (((5, 9), (8, 10)),) * 7,
        (((-1, 9),),) * 7,
        (((0, 86401),),) * 7,
    ],
)
def test_a_calendar_that_is_made_directly_is_checked_too(hours: Any) -> None:
    with pytest.raises(BadCalendar, match=r"weekdays; give seven|overlap or run backwards|leave their day"):
        Calendar(hours=hours)


def test_what_a_calendar_leaves_out_is_office_hours_in_amsterdam() -> None:
    assert Calendar.from_mapping({}) == Calendar.from_mapping(
        {
            "zone": "Europe/Amsterdam",
            "hours": {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
            "closed": [],
        }
    )


def test_openings_may_be_given_out_of_order_and_with_seconds() -> None:
    calendar = Calendar.from_mapping({"hours": {"mon": [["13:00:30", "17:00"], ["09:00", "12:00"]]}})

    assert calendar.hours[0] == ((32400, 43200), (46830, 61200))


def test_openings_that_touch_are_one_opening() -> None:
    calendar = Calendar.from_mapping({"hours": {"thu": [["09:00", "14:05"], ["14:05", "17:00"]]}})

    assert due(START, Duration.parse("0bh"), calendar) == START
    assert due(START - MINUTE, Duration.parse("2bm"), calendar) == START + MINUTE


@pytest.mark.parametrize("text", ["0wd", "1wd", "0bh", "1bs"])
def test_a_calendar_without_hours_has_no_working_days(text: str) -> None:
    with pytest.raises(BadCalendar, match="the calendar has no business hours"):
        due(START, Duration.parse(text), Calendar.from_mapping({"hours": {"mon": []}}))


def days_of(year: int) -> list[date]:
    first = date(year, 1, 1).toordinal()
    return [date.fromordinal(day) for day in range(first, date(year, 12, 31).toordinal() + 1)]


@pytest.mark.parametrize("text", ["0wd", "1wd", "0bh", "1bs"])
def test_a_calendar_that_is_closed_every_day_comes_to_an_end(text: str) -> None:
    every_day = Calendar(closed_in=days_of)

    with pytest.raises(BadDuration, match="beyond the year 9999"):
        due(parse_instant("9900-01-01T00:00:00Z"), Duration.parse(text), every_day)


def test_equal_calendars_are_equal_and_can_be_keys() -> None:
    one = Calendar(closed_in=DutchClosedDays(good_friday=True))
    other = Calendar(closed_in=DutchClosedDays(good_friday=True))
    due(START, Duration.parse("5wd"), one)

    assert {one: "one"}[other] == "one"
    assert one != Calendar(closed_in=DutchClosedDays())


# Dutch public holidays


def test_the_dutch_holidays_of_2026() -> None:
    days = {f"{day:%m-%d}" for day in dutch_closed_days(2026)}

    assert days == {"01-01", "04-05", "04-06", "04-27", "05-14", "05-24", "05-25", "12-25", "12-26"}
    assert dutch_closed_days(2026, good_friday=True) - dutch_closed_days(2026) == {date(2026, 4, 3)}
    assert dutch_closed_days(2026, liberation_day=True) - dutch_closed_days(2026) == {date(2026, 5, 5)}


@pytest.mark.parametrize(
    ("year", "day"), [(2014, 26), (2024, 27), (2025, 26), (2026, 27), (2031, 26), (2036, 26)]
)
def test_kings_day_is_on_the_saturday_when_the_27th_is_a_sunday(year: int, day: int) -> None:
    assert {found.day for found in dutch_closed_days(year) if found.month == 4 and found.day > 25} == {day}


@pytest.mark.parametrize(("year", "closed"), [(2024, False), (2025, True), (2026, False), (2030, True)])
def test_liberation_day_may_be_once_in_five_years(year: int, closed: bool) -> None:
    liberation_day = date(year, 5, 5)

    assert (liberation_day in dutch_closed_days(year, liberation_day="lustrum")) is closed
    assert liberation_day in dutch_closed_days(year, liberation_day=True)
    assert liberation_day not in dutch_closed_days(year)


def test_ascension_day_on_the_fifth_of_may_stays_closed() -> None:
    assert date(2016, 5, 5) in dutch_closed_days(2016, liberation_day=False)


def test_the_holidays_go_on_as_far_as_dates_do() -> None:
    assert len(dutch_closed_days(2101)) == len(dutch_closed_days(9999)) == 9
    assert dutch_closed_days(1) == frozenset()


# Laws

ZONES = [
    "Africa/Casablanca",
    "America/Havana",
    "America/New_York",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Europe/Amsterdam",
    "Pacific/Apia",
    "UTC",
]
# Days around which something happens: clocks, leap days, ends of years, a day that never was.
DAYS = [
    datetime(2011, 12, 26, tzinfo=UTC),
    datetime(2026, 2, 12, tzinfo=UTC),
    datetime(2026, 3, 5, tzinfo=UTC),
    datetime(2026, 3, 19, tzinfo=UTC),
    datetime(2026, 3, 26, tzinfo=UTC),
    datetime(2026, 4, 2, tzinfo=UTC),
    datetime(2026, 10, 1, tzinfo=UTC),
    datetime(2026, 10, 22, tzinfo=UTC),
    datetime(2026, 12, 28, tzinfo=UTC),
    datetime(2028, 2, 25, tzinfo=UTC),
]
laws = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
UNITS = st.sampled_from(["bh", "bm", "bs"])


def clock_time(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


@st.composite
def opening_lists(draw: st.DrawFn) -> list[list[str]]:
    grid = st.one_of(st.integers(0, 48).map(lambda half_hours: half_hours * 30), st.integers(0, 1440))
    bounds = sorted(draw(st.sets(grid, max_size=6)))
    return [[clock_time(a), clock_time(b)] for a, b in zip(bounds[::2], bounds[1::2], strict=False)]


@st.composite
def calendars(draw: st.DrawFn, day: datetime, zones: list[str] = ZONES) -> Calendar:
    hours = {
        name: draw(opening_lists()) for name in draw(st.permutations(["mon", "wed", "fri", "sat", "sun"]))
    }
    hours["thu"] = [[clock_time(draw(st.integers(0, 719))), clock_time(draw(st.integers(720, 1440)))]]
    closed = draw(st.sets(st.integers(0, 20), max_size=4))
    return Calendar.from_mapping(
        {
            "zone": draw(st.sampled_from(zones)),
            "hours": hours,
            "closed": [f"{day + timedelta(days=n):%Y-%m-%d}" for n in closed],
        }
    )


@st.composite
def instants(draw: st.DrawFn, day: datetime, days: int, *, whole_minutes: bool = False) -> datetime:
    minute = day + draw(st.integers(0, days * 1440)) * MINUTE
    return minute if whole_minutes else minute + draw(st.sampled_from([0, 0, 1, 59_999_999])) * TICK


@st.composite
def pause_lists(draw: st.DrawFn, day: datetime, *, whole_minutes: bool = False) -> list[Pause]:
    pauses: list[Pause] = []
    for begin in draw(st.lists(instants(day, 12, whole_minutes=whole_minutes), max_size=4)):
        pauses.append((begin, begin + draw(st.one_of(st.integers(0, 90), st.integers(0, 4000))) * MINUTE))
    return pauses


@st.composite
def situations(
    draw: st.DrawFn, zones: list[str] = ZONES, *, whole_minutes: bool = False
) -> tuple[datetime, Calendar, list[Pause]]:
    day = draw(st.sampled_from(DAYS))
    start = draw(instants(day, 7, whole_minutes=whole_minutes))
    calendar = draw(calendars(day, zones))
    pauses = draw(pause_lists(day, whole_minutes=whole_minutes))
    edges = [start, *(edge for pause in pauses for edge in pause)]
    return draw(st.sampled_from(edges)), calendar, pauses


@laws
@given(situations(), st.integers(0, 2000), UNITS)
def test_as_much_business_time_has_elapsed_as_was_given(situation: Any, amount: int, unit: str) -> None:
    start, calendar, pauses = situation
    moment = due(start, Duration(amount, Unit(unit)), calendar, pauses)

    assert elapsed(start, moment, calendar, pauses, unit) == amount
    if amount:
        assert elapsed(start, moment - TICK, calendar, pauses, unit) < amount


@laws
@given(situations(), st.integers(0, 1500), st.integers(0, 1500), UNITS)
def test_business_time_adds_up(situation: Any, first: int, second: int, unit: str) -> None:
    start, calendar, pauses = situation
    half_way = due(start, Duration(first, Unit(unit)), calendar, pauses)

    in_two = due(half_way, Duration(second, Unit(unit)), calendar, pauses)

    assert in_two == due(start, Duration(first + second, Unit(unit)), calendar, pauses)


@laws
@given(situations(), st.integers(0, 20_000), st.integers(0, 300), UNITS)
def test_business_time_that_starts_later_is_due_no_earlier(
    situation: Any, later: int, amount: int, unit: str
) -> None:
    start, calendar, pauses = situation
    duration = Duration(amount, Unit(unit))

    assert due(start, duration, calendar, pauses) <= due(start + later * MINUTE, duration, calendar, pauses)


@laws
@given(situations(), st.integers(0, 400), st.integers(0, 50), st.sampled_from(list(Unit)))
def test_a_longer_duration_is_due_no_earlier(situation: Any, amount: int, more: int, unit: Unit) -> None:
    start, calendar, pauses = situation
    shorter = due(start, Duration(amount, unit), calendar, pauses)

    assert start <= shorter <= due(start, Duration(amount + more, unit), calendar, pauses)


@laws
@given(situations(["UTC", "Asia/Kathmandu"]), st.integers(0, 12_000), st.integers(0, 9))
def test_days_that_start_later_are_due_no_earlier_where_clocks_never_change(
    situation: Any, later: int, amount: int
) -> None:
    start, calendar, pauses = situation
    other = start + later * MINUTE
    days, working_days = Duration(amount, Unit.DAYS), Duration(amount, Unit.WORKING_DAYS)

    assert due(start, days, calendar, pauses) <= due(other, days, calendar, pauses)
    local_day = other.astimezone(ZoneInfo(calendar.zone)).date()
    if calendar.hours[local_day.weekday()] and local_day not in calendar.closed:
        assert due(start, working_days, calendar) <= due(other, working_days, calendar)


@laws
@given(situations(), st.integers(0, 3000), st.integers(0, 9))
def test_calendar_days_that_start_later_are_due_earlier_by_no_more_than_a_change_of_the_clocks(
    situation: Any, later: int, amount: int
) -> None:
    start, calendar, _ = situation
    days = Duration(amount, Unit.DAYS)

    first, second = (due(begin, days, calendar) for begin in (start, start + later * MINUTE))

    assert first - second <= timedelta(hours=24 if calendar.zone == "Pacific/Apia" else 2)


@laws
@given(situations(), st.integers(1, 40))
def test_calendar_days_keep_the_wall_time_unless_it_does_not_exist(situation: Any, amount: int) -> None:
    start, calendar, _ = situation
    zone = ZoneInfo(calendar.zone)
    wanted = start.astimezone(zone).replace(tzinfo=None) + timedelta(days=amount)

    found = due(start, Duration(amount, Unit.DAYS), calendar).astimezone(zone)

    exists = wanted.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == wanted
    assert (found.replace(tzinfo=None) == wanted) is exists
    assert found.fold == 0


@laws
@given(situations(), st.integers(0, 300), st.sampled_from(list(Unit)))
def test_nothing_is_due_while_closed_or_paused(situation: Any, amount: int, unit: Unit) -> None:
    start, calendar, pauses = situation
    moment = due(start, Duration(amount, unit), calendar, pauses)

    assert not any(begin < moment < end for begin, end in pauses)
    if unit is not Unit.DAYS:
        around = elapsed(moment - TICK, moment + TICK, calendar, unit="bs")
        assert around > 0


@laws
@given(situations(), st.integers(0, 300), st.sampled_from(list(Unit)), st.randoms())
def test_pauses_only_delay_and_their_order_and_cuts_do_not_matter(
    situation: Any, amount: int, unit: Unit, random: Any
) -> None:
    start, calendar, pauses = situation
    duration = Duration(amount, unit)
    halves = [(b, b + (e - b) / 2) for b, e in pauses] + [(b + (e - b) / 2, e) for b, e in pauses]
    random.shuffle(halves)

    moment = due(start, duration, calendar, pauses)

    assert moment == due(start, duration, calendar, halves)
    assert moment >= due(start, duration, calendar)


@laws
@given(situations(), st.integers(0, 20), st.sampled_from(["d", "wd"]))
def test_whole_days_have_elapsed_once_they_are_due(situation: Any, amount: int, unit: str) -> None:
    start, calendar, pauses = situation
    moment = due(start, Duration(amount, Unit(unit)), calendar, pauses)

    assert elapsed(start, moment, calendar, pauses, unit) >= amount
    if amount and moment > start:
        assert elapsed(start, moment - TICK, calendar, pauses, unit) < amount


def is_as_written(instant: datetime, start: datetime, days: int, zone: str) -> bool:
    """Whether an instant shows the wall time of a start, so many days on: not so where the clocks skip it."""
    shown, began = (one.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for one in (instant, start))
    return shown == began + timedelta(days=days)


@laws
@given(situations(), st.integers(0, 20), st.integers(0, 20))
def test_calendar_days_add_up_where_the_wall_time_between_exists(
    situation: Any, first: int, second: int
) -> None:
    start, calendar, _ = situation
    half_way = due(start, Duration(first, Unit.DAYS), calendar)
    assume(is_as_written(half_way, start, first, calendar.zone))

    in_two = due(half_way, Duration(second, Unit.DAYS), calendar)

    assert in_two == due(start, Duration(first + second, Unit.DAYS), calendar)


@laws
@given(situations(["UTC", "Asia/Kathmandu"]), st.integers(0, 20), st.integers(0, 20))
def test_calendar_days_add_up_over_pauses_where_clocks_never_change(
    situation: Any, first: int, second: int
) -> None:
    start, calendar, pauses = situation
    half_way = due(start, Duration(first, Unit.DAYS), calendar, pauses)

    in_two = due(half_way, Duration(second, Unit.DAYS), calendar, pauses)

    assert in_two == due(start, Duration(first + second, Unit.DAYS), calendar, pauses)


@laws
@given(situations([zone for zone in ZONES if zone != "Pacific/Apia"]), st.integers(0, 40))
def test_exactly_as_many_calendar_days_have_elapsed_as_were_given(situation: Any, amount: int) -> None:
    start, calendar, pauses = situation
    moment = due(start, Duration(amount, Unit.DAYS), calendar, pauses)

    assert elapsed(start, moment, calendar, pauses, "d") == amount


@st.composite
def steady_weeks(draw: st.DrawFn) -> tuple[datetime, Calendar]:
    """A start, and a calendar whose working days all have the same hours, none at an hour of the night."""
    day = draw(st.sampled_from(DAYS))
    bounds = sorted(draw(st.sets(st.integers(4 * 60, 22 * 60), min_size=2, max_size=6)))
    openings = [[clock_time(a), clock_time(b)] for a, b in zip(bounds[::2], bounds[1::2], strict=False)]
    weekdays = draw(st.sets(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), min_size=1))
    closed = draw(st.sets(st.integers(0, 20), max_size=6))
    mapping = {
        "zone": draw(st.sampled_from(ZONES)),
        "hours": dict.fromkeys(weekdays, openings),
        "closed": [f"{day + timedelta(days=n):%Y-%m-%d}" for n in closed],
    }
    return draw(instants(day, 9)), Calendar.from_mapping(mapping)


def begins_on_a_working_day(start: datetime, calendar: Calendar) -> bool:
    day = start.astimezone(ZoneInfo(calendar.zone)).date()
    return bool(calendar.hours[day.weekday()]) and day not in calendar.closed


@laws
@given(steady_weeks(), st.integers(0, 15), st.integers(0, 15))
def test_working_days_add_up_where_all_have_the_same_hours(
    week: tuple[datetime, Calendar], first: int, second: int
) -> None:
    start, calendar = week
    assume(first or begins_on_a_working_day(start, calendar))
    half_way = due(start, Duration(first, Unit.WORKING_DAYS), calendar)

    in_two = due(half_way, Duration(second, Unit.WORKING_DAYS), calendar)

    assert in_two == due(start, Duration(first + second, Unit.WORKING_DAYS), calendar)


@laws
@given(steady_weeks(), st.integers(0, 30))
def test_exactly_as_many_working_days_have_elapsed_where_all_have_the_same_hours(
    week: tuple[datetime, Calendar], amount: int
) -> None:
    start, calendar = week
    assume(amount or begins_on_a_working_day(start, calendar))

    moment = due(start, Duration(amount, Unit.WORKING_DAYS), calendar)

    assert elapsed(start, moment, calendar, unit="wd") == amount


@pytest.mark.parametrize(
    ("start", "first", "second", "in_two", "at_once"),
    [
        # 02:30 is skipped on the 29th, and the second day goes on from 03:30.
        ("2026-03-28T02:30:00+01:00", "1d", "1d", "2026-03-30T03:30:00+02:00", "2026-03-30T02:30:00+02:00"),
        # Friday closes at noon, so that Thursday 15:00 becomes Monday 09:00.
        ("2026-11-19T15:00:00+01:00", "1wd", "1wd", "2026-11-24T09:00:00+01:00", "2026-11-23T15:00:00+01:00"),
        # No working days from a Saturday are Monday's opening, from where one is Tuesday's.
        ("2026-11-21T15:00:00+01:00", "0wd", "1wd", "2026-11-24T09:00:00+01:00", "2026-11-23T15:00:00+01:00"),
    ],
)
def test_where_days_do_not_add_up(start: str, first: str, second: str, in_two: str, at_once: str) -> None:
    calendar = calendar_from(TABLE["calendars"]["counter"])
    total = Duration(int(first[0]) + int(second[0]), Duration.parse(first).unit)
    half_way = due(parse_instant(start), Duration.parse(first), calendar)

    assert due(half_way, Duration.parse(second), calendar) == parse_instant(in_two)
    assert due(parse_instant(start), total, calendar) == parse_instant(at_once)


# The slow clock: it walks through the minutes of a month and asks only what the wall clock shows.

WINDOW = 30 * 1440


@lru_cache(maxsize=128)
def wall_clock(zone: str, day: datetime) -> dict[datetime, int]:
    """Give the minute, counted from a day, at which each wall time first comes or, if skipped, would have."""
    first_shown: dict[datetime, int] = {}
    before = None
    for minute in range(-2880, WINDOW):
        shown = (day + minute * MINUTE).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        if before is not None:
            skipped = before + MINUTE
            for late in count(minute):
                if skipped >= shown:
                    break
                first_shown.setdefault(skipped, late)
                skipped += MINUTE
        first_shown.setdefault(shown, minute)
        before = shown
    return first_shown


class SlowClock:
    """A calendar, minute by minute."""

    def __init__(self, calendar: Calendar, day: datetime, pauses: list[Pause]) -> None:
        self.day, self.shown = day, wall_clock(calendar.zone, day)
        self.zone = ZoneInfo(calendar.zone)
        self.open: set[int] = set()
        self.working_days: list[date] = []
        self.pauses = [((b - day) // MINUTE, (e - day) // MINUTE) for b, e in pauses]
        self.paused = {minute for begin, end in self.pauses for minute in range(begin, end)}
        for n in range(-1, 28):
            self._open_on((day + timedelta(days=n)).replace(tzinfo=None), calendar)

    def _open_on(self, midnight: datetime, calendar: Calendar) -> None:
        if midnight.date() in calendar.closed:
            return
        of_day = set(range(self.shown[midnight], self.shown[midnight + timedelta(days=1)]))
        for opening, closing in calendar.hours[midnight.weekday()]:
            bounds = (self.shown[midnight + timedelta(seconds=seconds)] for seconds in (opening, closing))
            if found := of_day & set(range(*bounds)):
                self.open |= found
                self.working_days += [midnight.date()] if midnight.date() not in self.working_days else []

    def due(self, start: datetime, amount: int, unit: Unit) -> int | None:
        """Give the minute at which a duration has run, or None when it lies beyond the window."""
        begin = (start - self.day) // MINUTE
        wall = start.astimezone(self.zone).replace(tzinfo=None)
        if unit is Unit.BUSINESS_MINUTES:
            return self.count(begin, amount) if amount else self.settle(begin)
        if unit is Unit.DAYS:
            nominal = self.shown[wall + timedelta(days=amount)] if amount else begin
            return self.count_all(begin, nominal - begin)
        days = [day for day in self.working_days if day > wall.date()]
        if amount > len(days):
            return None
        nominal = begin
        if amount:
            nominal = self.shown[datetime.combine(days[amount - 1], wall.time())]
        nominal = self.settle(nominal, pausing=False)
        if nominal is None:
            return None
        lost = sum(minute in self.open and minute in self.paused for minute in range(begin, nominal))
        return self.count(nominal, lost) if lost else self.settle(nominal)

    def count(self, minute: int, amount: int) -> int | None:
        while amount:
            if minute >= WINDOW - 4 * 1440:
                return None
            amount -= minute in self.open and minute not in self.paused
            minute += 1
        return minute

    def count_all(self, minute: int, amount: int) -> int:
        while amount:
            amount -= minute not in self.paused
            minute += 1
        while minute in self.paused and minute - 1 in self.paused:
            minute += 1
        return minute

    def settle(self, minute: int, *, pausing: bool = True) -> int | None:
        def is_paused(at: int) -> bool:
            return pausing and at in self.paused and at - 1 in self.paused

        if minute - 1 in self.open and not is_paused(minute):
            return minute
        while minute not in self.open or is_paused(minute):
            minute += 1
            if minute >= WINDOW - 4 * 1440:
                return None
        return minute


@settings(laws, max_examples=300)
@given(situations(whole_minutes=True), st.integers(0, 900), st.sampled_from(["d", "wd", "bm"]), st.data())
def test_the_slow_clock_agrees(situation: Any, amount: int, unit: str, data: st.DataObject) -> None:
    start, calendar, pauses = situation
    day = min((day for day in DAYS if day <= start), key=lambda day: start - day)
    if unit != "bm":
        amount = data.draw(st.integers(0, 8))
    slow = SlowClock(calendar, day, pauses)

    expected = slow.due(start, amount, Unit(unit))

    found = (due(start, Duration(amount, Unit(unit)), calendar, pauses) - day) / MINUTE
    assert found == expected if expected is not None else found >= WINDOW - 5 * 1440
