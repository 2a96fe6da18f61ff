"""The on-call rota as a table and as a calendar, and what becomes of one that is wrong."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from meldbalie.models.people import Correspondent
from meldbalie.models.rota import Gap
from meldbalie.models.rota_file import KnownPeople, RotaFile, RotaRefused, read_calendar, read_table

ZONE = "Europe/Amsterdam"
ANNE = Correspondent("Anne", "anne@voorbeeld.example", "A" * 40)
BAS = Correspondent("Bas", "bas@voorbeeld.example")
PEOPLE = KnownPeople.of([ANNE, BAS])
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def table(*lines: str) -> bytes:
    return "\r\n".join(("from,until,name,address,fingerprint", *lines)).encode()


def calendar(*events: str) -> bytes:
    """A calendar as a groupware server exports it, with its own zone."""
    body = [f"BEGIN:VEVENT\r\nUID:{n}@rooster\r\n{event}\r\nEND:VEVENT" for n, event in enumerate(events)]
    return "\r\n".join(
        ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Rooster//NL", *body, "END:VCALENDAR", "")
    ).encode()


def names(raw: bytes, *instants: datetime, days: int = 40) -> list[str | None]:
    rota = read_calendar(raw, ZONE, PEOPLE, begin=NOW - DAY, end=NOW + days * DAY)
    on = (rota.on_duty(at) for at in instants)
    return [one.name if one else None for one in on]


def test_times_of_a_table_are_local_and_the_end_is_not_on_duty_any_more() -> None:
    rota = read_table(table("2026-07-01 17:00,2026-07-02 09:00,Anne,anne@voorbeeld.example,"), ZONE, PEOPLE)

    (shift,) = rota.shifts
    assert shift.begins_at == datetime(2026, 7, 1, 15, 0, tzinfo=UTC)
    assert rota.on_duty(shift.begins_at - timedelta.resolution) is None
    assert rota.on_duty(shift.begins_at) == ANNE
    assert rota.on_duty(shift.ends_at) is None


def test_a_time_that_the_clocks_skip_moves_forward_and_one_that_comes_twice_is_the_first() -> None:
    raw = table("2026-03-29 02:30,2026-10-25 02:30,Anne,,")

    (shift,) = read_table(raw, ZONE, PEOPLE).shifts

    assert shift.begins_at == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)  # 03:30 in summer time
    assert shift.ends_at == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_a_table_takes_semicolons_zones_of_its_own_days_and_people_that_nobody_knows() -> None:
    raw = (
        "\ufefffrom;until;name;address;fingerprint\r\n"
        "2026-11-20;2026-11-21;Carla;carla@buren.example;" + "ab" * 20 + "\r\n"
        ";;;;\r\n2026-11-21T00:00:00Z;2026-11-22T00:00+01:00;bas;;\r\n"
    ).encode()

    first, second = read_table(raw, ZONE, PEOPLE).shifts

    assert first.person == Correspondent("Carla", "carla@buren.example", "AB" * 20)
    assert first.begins_at == datetime(2026, 11, 19, 23, 0, tzinfo=UTC)
    assert (second.person, second.begins_at.hour, second.ends_at.hour) == (BAS, 0, 23)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("gisteren,2026-11-21,Anne,,", "line 3: from 'gisteren' is no time: write 2026-11-27 17:00"),
        ("2026-11-21,2026-11-21,Anne,,", "line 3: until '2026-11-21' is not after from '2026-11-21'"),
        ("2026-11-21,2026-11-22,Dirk,,", "line 3: name 'Dirk' is nobody of the settings: give an address"),
        ("2026-11-21,2026-11-22,Dirk,dirk,", "line 3: address 'dirk': give one bare mail address"),
        ("2026-11-21,2026-11-22,Dirk,d@d.example,AB12", "line 3: fingerprint 'AB12': give the full"),
    ],
)
def test_a_wrong_line_is_named_with_its_value_and_the_way_out(line: str, problem: str) -> None:
    with pytest.raises(RotaRefused) as refused:
        read_table(table("2026-11-20,2026-11-21,Anne,,", line), ZONE, PEOPLE)

    assert str(refused.value).startswith(problem)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"from,name\n", "line 1: the column until is missing"),
        (b"", "line 1: the column from is missing"),
        ("from,until,name\nAnn\xe9".encode("latin-1"), "is not UTF-8"),
    ],
)
def test_what_is_no_table_is_refused(raw: bytes, problem: str) -> None:
    with pytest.raises(RotaRefused, match=problem):
        read_table(raw, ZONE, PEOPLE)


def test_a_recurring_shift_keeps_its_local_time_when_the_clocks_change() -> None:
    raw = calendar(
        "SUMMARY:anne\r\nDTSTART;TZID=Europe/Amsterdam:20261001T170000\r\n"
        "DTEND;TZID=Europe/Amsterdam:20261002T090000\r\nRRULE:FREQ=DAILY"
    )
    rota = read_calendar(raw, ZONE, PEOPLE, begin=datetime(2026, 10, 20, tzinfo=UTC), end=NOW)

    at = {shift.begins_at.date(): shift.begins_at.hour for shift in rota.shifts}
    assert at[datetime(2026, 10, 24).date()] == 15
    assert at[datetime(2026, 10, 26).date()] == 16


def test_exceptions_of_a_recurrence_swaps_and_cancelled_events_count() -> None:
    week = (
        "SUMMARY:Piket\r\nATTENDEE;CN=Anne:MAILTO:Anne@Voorbeeld.example\r\n"
        "DTSTART;VALUE=DATE:20261116\r\nDTEND;VALUE=DATE:20261123\r\n"
        "RRULE:FREQ=WEEKLY;COUNT=4\r\nEXDATE;VALUE=DATE:20261130"
    )
    swap = "SUMMARY:Bas\r\nDTSTART:20261124T080000Z\r\nDTEND:20261124T200000Z"
    cancelled = "SUMMARY:Bas\r\nSTATUS:CANCELLED\r\nDTSTART:20261125T080000Z\r\nDTEND:20261125T200000Z"

    assert names(
        calendar(week, swap, cancelled),
        datetime(2026, 11, 24, 7, 59, tzinfo=UTC),
        datetime(2026, 11, 24, 8, 0, tzinfo=UTC),
        datetime(2026, 11, 25, 9, 0, tzinfo=UTC),
        datetime(2026, 12, 1, 12, 0, tzinfo=UTC),
        datetime(2026, 12, 7, 12, 0, tzinfo=UTC),
    ) == ["Anne", "Bas", "Anne", None, "Anne"]


def test_an_event_without_a_zone_is_local_and_one_of_another_zone_is_not() -> None:
    floating = "SUMMARY:Anne\r\nDTSTART:20261121T090000\r\nDTEND:20261121T100000"
    tokyo = "SUMMARY:Bas\r\nDTSTART;TZID=Asia/Tokyo:20261121T090000\r\nDTEND;TZID=Asia/Tokyo:20261121T100000"

    assert names(
        calendar(floating, tokyo),
        datetime(2026, 11, 21, 8, 0, tzinfo=UTC),
        datetime(2026, 11, 21, 0, 0, tzinfo=UTC),
        datetime(2026, 11, 21, 9, 0, tzinfo=UTC),
    ) == ["Anne", "Bas", None]


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (
            calendar("SUMMARY:Piket Dirk\r\nDTSTART:20261121T090000\r\nDTEND:20261121T100000"),
            "event 'Piket Dirk' of 2026-11-21 09:00:00: 'Piket Dirk' is nobody of the settings: correct it",
        ),
        (
            calendar("SUMMARY:Anne\r\nDTSTART:20261121T090000"),
            "event 'Anne' of 2026-11-21 09:00:00: it ends at",
        ),
        (calendar("SUMMARY:Anne"), "event 'Anne' of no day: it has no beginning"),
        (b"<html>log in first</html>", "this is no calendar"),
        (b"", "this is no calendar"),
    ],
)
def test_a_wrong_event_is_named_with_its_value_and_the_way_out(raw: bytes, problem: str) -> None:
    with pytest.raises(RotaRefused) as refused:
        names(raw, NOW)

    assert str(refused.value).startswith(problem)


def test_gaps_are_what_no_shift_covers() -> None:
    rota = read_table(
        table("2026-11-20,2026-11-24,Anne,,", "2026-11-22,2026-11-23,Bas,,", "2026-11-25,2026-11-26,Bas,,"),
        "UTC",
        PEOPLE,
    )
    day = datetime(2026, 11, 1, tzinfo=UTC) - DAY

    assert rota.gaps(day + 21 * DAY, day + 27 * DAY) == [
        Gap(day + 24 * DAY, day + 25 * DAY),
        Gap(day + 26 * DAY, day + 27 * DAY),
    ]
    assert rota.gaps(day + 20 * DAY, day + 24 * DAY) == []
    assert rota.gaps(day + 30 * DAY, day + 31 * DAY) == [Gap(day + 30 * DAY, day + 31 * DAY)]


def test_the_file_is_read_anew_when_it_changes_and_a_bad_one_leaves_the_last_good_one(tmp_path: Path) -> None:
    file = tmp_path / "rooster.csv"
    rota = RotaFile(file, ZONE, PEOPLE)
    assert rota.on_duty(NOW) is None
    assert "cannot be read" in rota.problem

    file.write_bytes(table("2026-11-01,2026-12-01,Anne,,"))
    assert (rota.on_duty(NOW), rota.problem) == (ANNE, "")
    file.write_bytes(table("2026-11-01,2026-12-01,Bas,bas@voorbeeld.example,"))
    assert rota.on_duty(NOW) == BAS
    file.write_bytes(table("onzin,2026-12-01,Anne,,,,"))
    assert rota.on_duty(NOW) == BAS
    assert rota.on_duty(NOW) == BAS
    assert rota.problem.startswith("line 2")
    file.unlink()
    assert rota.on_duty(NOW) == BAS
    assert "cannot be read" in rota.problem


def test_a_calendar_that_recurs_without_end_is_known_however_long_the_flows_run(tmp_path: Path) -> None:
    file = tmp_path / "rooster.ics"
    file.write_bytes(
        calendar("SUMMARY:Anne\r\nDTSTART:20261101T000000\r\nDTEND:20261102T000000\r\nRRULE:FREQ=DAILY")
    )
    rota = RotaFile(file, ZONE, PEOPLE)

    for months in range(14):
        assert rota.on_duty(NOW + months * 30 * DAY) == ANNE


SHIFT = "2026-11-01,2026-12-01,Anne,,"
GOOD = table(SHIFT)
EVENT = "SUMMARY:Anne\r\nDTSTART:20261120T090000Z\r\nDTEND:20261127T090000Z\r\n"
ZONE_OF_ITS_OWN = (
    "BEGIN:VTIMEZONE\r\nTZID:Ours\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
    "TZOFFSETFROM:+0100\r\nTZOFFSETTO:+0100\r\nRRULE:FREQ=SECONDLY\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (table("2026-11-20,2026-11-27,An\rne,,"), "line 2: name 'An' is nobody of the settings"),
        (table(f"2026-11-20,2026-11-27,{'x' * 200_000},,"), "after line 1: field larger than field limit"),
        (table('2026-11-20,2026-11-27,"Anne,,', *["a,b,c"] * 30_000), "after line 1: field larger than"),
        (table('2026-11-20,2026-11-27,Anne,anne@voorbeeld.example,"', SHIFT), "after line 1: unexpected end"),
        (table("0001-01-01,2026-11-27,Anne,,"), "line 2: from '0001-01-01' lies too far away: give a year"),
        (
            table("2026-11-20,9999-12-31T23:59-12:00,Anne,,"),
            "line 2: until '9999-12-31T23:59-12:00' lies too",
        ),
        (b"\0" * (2**20 + 1), "it has 1048577 bytes: give a table or a calendar of at most 1048576 bytes"),
        (table(*["2026-11-01,2026-12-01,Anne,,"] * 20_001), "20001 shifts: give 20000 at most"),
    ],
)
def test_a_table_that_is_broken_leaves_the_last_good_one(tmp_path: Path, raw: bytes, problem: str) -> None:
    assert broken(tmp_path / "rooster.csv", GOOD, raw).startswith(problem)


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        ("DTSTART:00010101T000000\r\nDTEND:20261127T090000", "an event begins or ends too far away: correct"),
        (
            "DTSTART:20261120T090000\r\nDTEND:99991231T235959Z",
            "an event begins or ends too far away: correct",
        ),
        ("DTSTART:20261120T090000Z\r\nDURATION:P9999999D", "an event begins or ends too far away: correct"),
        (
            "DTSTART:20261120T090000Z\r\nDTEND:40001231T235959Z",
            "event 'Anne' of 2026-11-20 09:00:00+00:00: 4000",
        ),
        ("DTSTART:onzin\r\nDTEND:20261127T090000", "a recurrence cannot be worked out"),
        (f"{EVENT}RRULE:FREQ=DAILY;INTERVAL=0", "the rule 'FREQ=DAILY;INTERVAL=0' recurs every 0: give an"),
        (
            f"{EVENT}RRULE:FREQ=DAILY;INTERVAL=-1",
            "the rule 'FREQ=DAILY;INTERVAL=-1' recurs every -1: give an",
        ),
        (
            f"{EVENT}rrule;X=1:INTER\r\n VAL=00;FREQ=DAILY",
            "the rule 'INTERVAL=00;FREQ=DAILY' recurs every 00",
        ),
        (
            f"{EVENT}RRULE:FREQ=SECONDLY",
            "the rule 'FREQ=SECONDLY' recurs by the minute or the second: a shift",
        ),
        (
            f"{EVENT}RRULE:COUNT=9;FREQ=minutely",
            "the rule 'COUNT=9;FREQ=minutely' recurs by the minute or the",
        ),
        (
            f"{EVENT}RRULE:FREQ=DAILY;BYSECOND=0,1",
            "the rule 'FREQ=DAILY;BYSECOND=0,1' recurs by the minute or",
        ),
        ("DTSTART:20261120T090000Z\r\nRRULE:FREQ=DAILY;WKST=onzin", "a recurrence cannot be worked out"),
    ],
)
def test_a_calendar_that_is_broken_leaves_the_last_good_one(tmp_path: Path, event: str, problem: str) -> None:
    event = event if "SUMMARY" in event else f"SUMMARY:Anne\r\n{event}"

    assert broken(tmp_path / "rooster.ics", calendar(EVENT), calendar(event)).startswith(problem)


def test_the_zones_of_a_calendar_do_not_keep_us_busy_either(tmp_path: Path) -> None:
    raw = calendar(EVENT).replace(b"BEGIN:VEVENT", f"{ZONE_OF_ITS_OWN}BEGIN:VEVENT".encode())

    assert "FREQ=SECONDLY" in broken(tmp_path / "rooster.ics", calendar(EVENT), raw)


def test_rules_that_recur_all_day_are_too_many_shifts(tmp_path: Path) -> None:
    raw = calendar(*[f"{EVENT}RRULE:FREQ=DAILY;BYHOUR={','.join(map(str, range(24)))}"] * 20)

    assert "shifts in two months: give 20000 at most" in broken(tmp_path / "r.ics", calendar(EVENT), raw)


def broken(file: Path, good: bytes, bad: bytes) -> str:
    """What is told of a rota that is bad after a good one, which still says who is on duty."""
    rota = RotaFile(file, ZONE, PEOPLE)
    file.write_bytes(good)
    assert rota.on_duty(NOW + DAY) == ANNE
    file.write_bytes(bad)
    assert rota.on_duty(NOW + DAY) == ANNE
    rota.rota(NOW).gaps(NOW, NOW + 7 * DAY)
    return rota.problem


def test_line_ends_of_old_macs_are_line_ends() -> None:
    (shift,) = read_table(GOOD.replace(b"\r\n", b"\r"), ZONE, PEOPLE).shifts

    assert shift.person == ANNE


@pytest.mark.parametrize("now_bad", ["onzin", None])
@pytest.mark.parametrize("ending", [".csv", ".ics"])
def test_the_last_good_rota_holds_in_another_process_too(
    tmp_path: Path, now_bad: str | None, ending: str
) -> None:
    file, kept = tmp_path / f"rooster{ending}", tmp_path / "var" / "last-good-rota"
    file.write_bytes(calendar(EVENT) if ending == ".ics" else GOOD)
    assert RotaFile(file, ZONE, PEOPLE, kept).on_duty(NOW + DAY) == ANNE

    if now_bad:
        file.write_text(now_bad)
    else:
        file.unlink()
    another = RotaFile(file, ZONE, PEOPLE, kept)

    assert another.on_duty(NOW + DAY) == ANNE
    assert another.problem
    (copy,) = kept.parent.iterdir()
    assert copy.stat().st_mode & 0o777 == 0o600


def test_a_calendar_that_was_good_is_worked_out_for_later_months_as_well(tmp_path: Path) -> None:
    file = tmp_path / "rooster.ics"
    file.write_bytes(calendar(f"{EVENT}RRULE:FREQ=WEEKLY"))
    rota = RotaFile(file, ZONE, PEOPLE)
    assert rota.on_duty(NOW + DAY) == ANNE
    file.write_bytes(b"onzin")

    for months in range(1, 14):
        assert rota.on_duty(NOW + months * 30 * DAY) == ANNE


def test_a_copy_that_cannot_be_kept_is_told_and_the_rota_holds(tmp_path: Path) -> None:
    file, in_the_way = tmp_path / "rooster.csv", tmp_path / "var"
    file.write_bytes(GOOD)
    in_the_way.write_bytes(b"")
    rota = RotaFile(file, ZONE, PEOPLE, in_the_way / "last-good-rota")

    assert rota.on_duty(NOW) == ANNE
    assert rota.problem.endswith("correct rota.last_good")


def test_what_is_no_file_is_no_rota(tmp_path: Path) -> None:
    rota = RotaFile(tmp_path, ZONE, PEOPLE, tmp_path / "last-good-rota")

    assert rota.on_duty(NOW) is None
    assert rota.problem.startswith("it is no file")
