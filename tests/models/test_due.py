"""The command `due`: one instant, or a batch in which every line of input has its line of output."""

import argparse
import io
import json
import os
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from meldbalie.models.calendar import BadCalendar, BadInstant, Calendar
from meldbalie.models.due import (
    BadLine,
    add_arguments,
    answer,
    batch,
    calendar_from,
    compute,
    default_calendar,
    parse_instant,
    run,
    written,
)

THURSDAY = "2026-11-19T14:05:00+01:00"
TABLE = tomllib.loads(Path(__file__).with_name("due_cases.toml").read_text("utf-8"))
CASES: list[tuple[str, dict[str, Any]]] = [
    (case.get("calendar", group["calendar"]), case) for group in TABLE["group"] for case in group["cases"]
]
laws = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])


def command(*words: str) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args(words))


def answered(line: object) -> dict[str, str]:
    return json.loads(answer(json.dumps(line).encode()))


def error(line: object) -> str:
    return answered(line)["error"]


def answers(text: bytes, calendar: Calendar | None = None) -> list[dict[str, str]]:
    sink = io.StringIO()
    batch(io.BytesIO(text), sink, calendar)
    return [json.loads(line) for line in sink.getvalue().splitlines()]


# Instants as they are written


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-19T13:05:00Z", "2026-11-19T13:05:00Z"),
        ("2026-11-19t13:05:00z", "2026-11-19T13:05:00Z"),
        ("2026-11-19 14:05:00+01:00", "2026-11-19T13:05:00Z"),
        ("2026-11-19T14:05+01:00", "2026-11-19T13:05:00Z"),
        ("2026-11-19T18:50:00+05:45", "2026-11-19T13:05:00Z"),
        ("2026-11-19T13:05:00-00:00", "2026-11-19T13:05:00Z"),
        ("2026-11-19T13:05:00.5Z", "2026-11-19T13:05:00.500000Z"),
        ("2026-11-19T13:05:00.000000Z", "2026-11-19T13:05:00Z"),
        ("2026-11-19T13:05:00.123456789Z", "2026-11-19T13:05:00.123456Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("0001-01-02T00:00:00Z", "0001-01-02T00:00:00Z"),
    ],
)
def test_an_instant_is_read_and_written_in_utc(text: str, expected: str) -> None:
    assert written(parse_instant(text)) == expected


@pytest.mark.parametrize("text", ["2026-11-19T14:05:00", "2026-11-19 14:05", "2026-11-19T14:05:00.5"])
def test_an_instant_without_an_offset_is_refused_with_the_way_to_write_it(text: str) -> None:
    with pytest.raises(BadInstant, match=r"start .* carries no offset.*Z at the end, or with an offset"):
        parse_instant(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-19",
        "2026-11-19T14Z",
        "20261119T140500Z",
        "2026-11-19T14:05:00+0100",
        "2026-11-19T14:05:00+01",
        "2026-11-19T14:05:00Z\n",
        " 2026-11-19T14:05:00Z",
        "2026-11-19T14:05:00,5Z",
        "2026-11-19T14:05:00.Z",
        "2026-11-19T14:05:00+01:00[Europe/Amsterdam]",
        "\u0662026-11-19T14:05:00Z",
        1_800_000_000,
        None,
        True,
        ["2026-11-19T14:05:00Z"],
    ],
)
def test_what_is_no_instant_is_refused(text: object) -> None:
    with pytest.raises(BadInstant, match="is not an instant; write it as 2026-11-19T14:05:00Z"):
        parse_instant(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-11-19T24:00:00Z",
        "2026-11-19T14:60:00Z",
        "2026-11-19T14:05:61Z",
        "2026-11-19T14:05:00+24:00",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:00-05:00",
    ],
)
def test_an_instant_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(BadInstant, match="does not exist"):
        parse_instant(text)


@laws
@given(st.datetimes(min_value=datetime(1, 1, 2), timezones=st.just(UTC)))
def test_every_instant_that_is_written_can_be_read(moment: datetime) -> None:
    assert parse_instant(written(moment)) == moment


# Lines


def test_a_line_without_a_calendar_knows_the_dutch_holidays() -> None:
    line = {"start": "2026-12-23T11:00:00+01:00", "duration": "5wd"}

    assert answered(line) == {"due": "2026-12-31T10:00:00Z"}
    assert answered(line | {"calendar": None, "pauses": None}) == {"due": "2026-12-31T10:00:00Z"}


def test_a_line_with_a_calendar_closes_only_on_the_days_it_names() -> None:
    line: dict[str, object] = {"start": "2026-12-24T11:00:00+01:00", "duration": "1wd", "calendar": {}}

    assert answered(line) == {"due": "2026-12-25T10:00:00Z"}
    assert answered(line | {"calendar": {"closed": ["2026-12-25"]}}) == {"due": "2026-12-28T10:00:00Z"}


def test_a_line_as_the_manual_gives_it() -> None:
    line = {
        "calendar": {
            "zone": "Europe/Amsterdam",
            "hours": {
                day: [["09:00", "12:30"], ["13:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri")
            },
            "closed": ["2026-04-27"],
        },
        "start": THURSDAY,
        "duration": "5wd",
        "pauses": [["2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"]],
    }

    assert answered(line) == {"due": "2026-11-26T13:05:00Z"}


def test_fractions_of_a_second_are_kept() -> None:
    line = {"start": "2026-11-19T13:05:00.25Z", "duration": "1d"}

    assert answered(line) == {"due": "2026-11-20T13:05:00.250000Z"}


def test_keys_of_the_writers_own_are_left_alone() -> None:
    assert answered({"start": THURSDAY, "duration": "5d", "id": 7, "why": "a note"}) == {
        "due": "2026-11-24T13:05:00Z"
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({}, "the line has no start; give an object such as"),
        ({"start": THURSDAY}, "the line has no duration"),
        ({"start": THURSDAY, "duration": "5d", "pause": []}, "a line has no 'pause'; did you mean pauses?"),
        ({"start": THURSDAY, "duration": "5d", "calender": {}}, "did you mean calendar?"),
        ({"start": THURSDAY, "duration": 5}, "duration 5 is not a text; write it as 5d"),
        ({"start": THURSDAY, "duration": "5x"}, "duration '5x' is not understood"),
        ({"start": THURSDAY, "duration": "9" * 50 + "d"}, "due lies beyond the year 9999"),
        ({"start": 5, "duration": "5d"}, "start 5 is not an instant"),
        ({"start": "2026-11-19T14:05:00", "duration": "5d"}, "carries no offset"),
        ({"start": THURSDAY, "duration": "5d", "calendar": []}, "calendar [] is not an object"),
        ({"start": THURSDAY, "duration": "5d", "calendar": {"zone": "Mars"}}, "zone 'Mars' is unknown"),
        ({"start": THURSDAY, "duration": "5d", "pauses": "x"}, "pauses 'x' is not a list"),
        ({"start": THURSDAY, "duration": "5d", "pauses": ["x"]}, "pause ['x'] is not two instants"),
        ({"start": THURSDAY, "duration": "5d", "pauses": [[THURSDAY]]}, "is not two instants"),
        (
            {"start": THURSDAY, "duration": "5d", "pauses": [[THURSDAY, None]]},
            "pause to None is not an instant",
        ),
        (
            {"start": THURSDAY, "duration": "5d", "pauses": [["2026-11-19T14:05:00", THURSDAY]]},
            "pause from '2026",
        ),
        ([], "the line is not an object but []"),
        ("x", "the line is not an object but 'x'"),
        (None, "the line is not an object but None"),
        (17, "the line is not an object but 17"),
    ],
)
def test_a_line_that_cannot_be_meant_says_why(line: object, message: str) -> None:
    assert message in error(line)


@pytest.mark.parametrize(
    ("holidays", "message"),
    [
        (True, "holidays True is not an object; give"),
        ({}, "are not understood"),
        ({"country": "BE"}, "are not understood; give"),
        ({"country": "NL", "good_friday": 1}, "are not understood"),
        ({"country": "NL", "whit_monday": True}, "are not understood"),
        ({"country": "NL", "liberation_day": 5}, "liberation_day 5 is not true, false or"),
        ({"country": "NL", "liberation_day": []}, "liberation_day [] is not true, false or"),
    ],
)
def test_holidays_that_cannot_be_meant_say_why(holidays: object, message: str) -> None:
    with pytest.raises(BadCalendar) as refusal:
        calendar_from({"holidays": holidays})

    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"", "the line is empty"),
        (b" \t\r", "the line is empty"),
        (b"{", "the line is not JSON"),
        (b"{'start': 1}", "the line is not JSON"),
        (b'{"start": "\xff"}', "the line is not UTF-8"),
        (b"\x00", "the line is not JSON"),
        (b"NaN", "the line is not an object but nan"),
        (b'{"start": NaN, "duration": Infinity}', "start nan is not an instant"),
        (b'{"start": 1' + b"0" * 5000 + b"}", "the line is not JSON"),
        (b'{"start": 1' + b"0" * 4000 + b', "duration": "5d"}', "is not an instant"),
        (b"[" * 100_000, "the line is nested too deeply"),
        (b"[" * 500 + b"]" * 500, "the line is not an object"),
        (b'{"calendar":' * 100_000, "the line is nested too deeply"),
        (b'{"start": "\\ud800", "duration": "5d"}', "start '\\ud800' is not an instant"),
        (
            b'{"start": "2026-11-19T13:05:00Z", "duration": "5d", "calendar": {"\\u0000": 1}}',
            "has no '\\x00'",
        ),
    ],
)
def test_whatever_a_line_is_it_is_answered(line: bytes, message: str) -> None:
    found = json.loads(answer(line))

    assert list(found) == ["error"]
    assert message in found["error"]
    assert len(found["error"]) < 500


def test_a_calendar_that_is_nested_too_deeply_is_answered() -> None:
    deep = b"[" * 900 + b"]" * 900
    line = (
        b'{"start": "2026-11-19T13:05:00Z", "duration": "5d", "calendar": {"hours": {"mon": ' + deep + b"}}}"
    )

    assert "error" in json.loads(answer(line))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
DAY_NAMES = st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"])
TIMES = st.sampled_from(["00:00", "09:00", "12:30", "24:00", "23:59", "25:00"]) | JSON
HOURS = st.dictionaries(DAY_NAMES, st.lists(st.lists(TIMES, min_size=2, max_size=2), max_size=2) | JSON)
INSTANTS = st.sampled_from([THURSDAY, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-03-29T02:30:00Z"])
DURATIONS = st.builds("{}{}".format, st.integers(0, 10**7), st.sampled_from(["d", "wd", "bs"]))
ZONES = st.sampled_from(["Europe/Amsterdam", "Pacific/Apia", "America/New_York", "Etc/GMT-14", "UTC"])
LINES = st.fixed_dictionaries(
    {},
    optional={
        "start": INSTANTS | JSON,
        "duration": DURATIONS | JSON,
        "pauses": st.lists(st.lists(INSTANTS | JSON, min_size=2, max_size=2), max_size=3) | JSON,
        "calendar": st.fixed_dictionaries(
            {},
            optional={
                "zone": ZONES | JSON,
                "hours": HOURS | JSON,
                "closed": st.lists(st.sampled_from(["2026-11-23", "9999-12-31"]) | JSON, max_size=2) | JSON,
                "holidays": st.just({"country": "NL"}) | JSON,
            },
        )
        | JSON,
    },
)


@laws
@given(LINES | JSON)
def test_any_json_is_answered(line: object) -> None:
    found = answered(line)

    assert list(found) in (["due"], ["error"])
    if "due" in found:
        parse_instant(found["due"])


@laws
@given(st.lists(st.binary().filter(lambda line: b"\n" not in line)))
def test_any_bytes_are_answered_line_by_line(lines: list[bytes]) -> None:
    found = answers(b"".join(line + b"\n" for line in lines))

    assert len(found) == len(lines)


# Batches


def line_of(number: int) -> bytes:
    return json.dumps({"start": THURSDAY, "duration": f"{number}d"}).encode()


def test_a_batch_is_answered_in_order() -> None:
    found = answers(b"\n".join(line_of(number) for number in range(2000)) + b"\n")

    start = parse_instant(THURSDAY)
    assert [parse_instant(line["due"]).date() for line in found] == [
        (start + timedelta(days=number)).date() for number in range(2000)
    ]


@pytest.mark.parametrize("text", [b"", b"\n", b"\n\n", b"{}", b"{}\n", b"{}\n\n{}", b"{}\r\n{}\r\n"])
def test_a_batch_has_as_many_lines_as_its_input(text: bytes) -> None:
    assert len(answers(text)) == len(text.split(b"\n")) - (text.endswith(b"\n") or not text)


def test_a_bad_line_does_not_hold_the_others_up() -> None:
    found = answers(line_of(1) + b"\n\n\xff\n" + line_of(2) + b"\r\n[]\n" + line_of(3))

    assert [next(iter(line)) for line in found] == ["due", "error", "error", "due", "error", "due"]


def test_a_byte_order_mark_is_not_part_of_the_first_line() -> None:
    assert "due" in answers(b"\xef\xbb\xbf" + line_of(1) + b"\n")[0]


def test_a_line_longer_than_a_read_is_one_line() -> None:
    long = json.dumps({"start": THURSDAY, "duration": "1d", "note": "x" * 1_000_000}).encode()

    assert answers(long + b"\n" + line_of(1)) == answers(line_of(1) + b"\n" + line_of(1))


def test_a_line_is_answered_before_more_is_awaited() -> None:
    class Conversation(io.RawIOBase):
        def __init__(self) -> None:
            self.asked, self.heard = 0, io.StringIO()

        def read1(self, _size: int) -> bytes:
            assert len(self.heard.getvalue().splitlines()) == self.asked
            self.asked += 1
            return line_of(self.asked) + b"\n" if self.asked < 4 else b""

    source = Conversation()

    batch(source, source.heard)  # pyright: ignore[reportArgumentType]

    assert len(source.heard.getvalue().splitlines()) == 3


def test_a_calendar_is_read_once_for_all_lines_that_have_it() -> None:
    assert calendar_from({"zone": "UTC"}) is calendar_from({"zone": "UTC"})
    assert calendar_from(None) is default_calendar()


def test_compute_takes_a_calendar_for_lines_that_bring_none() -> None:
    utc = Calendar(zone="UTC")
    line = {"start": "2026-11-19T18:00:00Z", "duration": "0wd"}

    assert compute(line, utc) == datetime(2026, 11, 20, 9, tzinfo=UTC)
    assert compute(line) == datetime(2026, 11, 20, 8, tzinfo=UTC)
    assert compute({**line, "calendar": {}}, utc) == datetime(2026, 11, 20, 8, tzinfo=UTC)
    with pytest.raises(BadLine, match="no start"):
        compute({}, utc)


# The command


@pytest.fixture
def counter(tmp_path: Path) -> str:
    file = tmp_path / "counter.toml"
    file.write_text(
        'zone = "Europe/Amsterdam"\nclosed = [2026-11-20, "2026-11-23"]\n'
        '[hours]\nmon = [["09:00", "12:30"]]\ntue = [["09:00", "12:30"], [13:00:00, 17:00:00]]\n'
        'fri = [["09:00", "12:30"]]\n[holidays]\ncountry = "NL"\ngood_friday = true\n',
        "utf-8",
    )
    return str(file)


def test_the_command_prints_the_due_instant(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--start", THURSDAY, "--duration", "5wd") == 0

    assert capsys.readouterr() == ("2026-11-26T13:05:00Z\n", "")


def test_the_command_takes_a_calendar_and_pauses(counter: str, capsys: pytest.CaptureFixture[str]) -> None:
    pauses = [
        "--pause=2026-11-24T09:00:00+01:00/2026-11-24T10:00:00+01:00",
        "--pause=2026-11-19T14:00:00+01:00/2026-11-24T09:30:00+01:00",
    ]

    assert command("--start", THURSDAY, "--duration", "4bh", "--calendar", counter, *pauses) == 0

    assert capsys.readouterr().out == "2026-11-24T13:30:00Z\n"


def test_the_command_explains_in_local_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--start", "2026-03-27T14:05:00Z", "--duration", "1wd", "--explain") == 0

    assert capsys.readouterr().out.splitlines() == [
        "2026-03-30T13:05:00Z",
        "Monday 30 March 2026, 15:05:00 CEST in Europe/Amsterdam",
        "1 working day from Friday 27 March 2026, 15:05:00 CET",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give --start and --duration, or --batch"),
        (["--start", THURSDAY], "give --start and --duration"),
        (["--start", "2026-11-19T14:05:00", "--duration", "5d"], "carries no offset"),
        (["--start", THURSDAY, "--duration", "5"], "is not understood"),
        (["--start", THURSDAY, "--duration", "5d", "--pause", THURSDAY], "is not two instants"),
        (
            ["--start", THURSDAY, "--duration", "5d", "--calendar", "/nowhere.toml"],
            "/nowhere.toml cannot be read",
        ),
        (["--batch", "--start", THURSDAY], "leave the options out"),
        (["--batch", "--calendar", "/nowhere.toml"], "/nowhere.toml cannot be read: No such file"),
    ],
)
def test_the_command_says_what_is_wrong_and_gives_status_two(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(*words) == 2

    found = capsys.readouterr()
    assert found.out == ""
    assert message in found.err


@pytest.mark.parametrize("content", [b"zone = ", b'zone = "Mars"', b"\xff", b"hours = 2026-11-19"])
def test_a_calendar_file_that_cannot_be_meant_is_named(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bad.toml"
    file.write_bytes(content)

    assert command("--start", THURSDAY, "--duration", "5d", "--calendar", str(file)) == 2

    assert f"calendar {file}: " in capsys.readouterr().err


def test_the_command_answers_a_batch(
    counter: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = b'{"start": "2026-11-19T13:05:00Z", "duration": "1wd"}\n\xff\n'
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))

    assert command("--batch", "--calendar", counter) == 0

    first, second = capsys.readouterr().out.splitlines()
    assert json.loads(first) == {"due": "2026-11-24T13:05:00Z"}
    assert list(json.loads(second)) == ["error"]


def test_a_reader_that_has_gone_away_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(line_of(1) + b"\n")))
    with open(writing, "w") as gone:
        monkeypatch.setattr(sys, "stdout", gone)

        assert command("--batch") == 0


def test_the_default_calendar_is_the_dutch_office() -> None:
    calendar = default_calendar()

    assert calendar.zone == "Europe/Amsterdam"
    assert calendar.hours == (((9 * 3600, 17 * 3600),),) * 5 + ((),) * 2


# Every rule of the clock arithmetic, from the command line


@pytest.fixture(scope="module")
def calendar_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The calendars of the worked cases, each in a file of its own."""
    folder, files = tmp_path_factory.mktemp("calendars"), dict[str, str]()
    for name, content in TABLE["calendars"].items():
        lines = [_toml(key, value) for key, value in content.items()]
        (folder / f"{name}.toml").write_text("\n".join(lines), "utf-8")
        files[name] = str(folder / f"{name}.toml")
    return files


def _toml(key: str, value: Any) -> str:
    """One value as TOML writes it: lists and texts are written as in JSON."""
    if isinstance(value, dict):
        inner = (_toml(name, one) for name, one in cast("dict[str, Any]", value).items())
        return f"{key} = {{ {', '.join(inner)} }}"
    return f"{key} = {json.dumps(value, default=str)}"


@pytest.mark.parametrize(
    ("calendar", "case"), CASES, ids=[f"{name}: {case['duration']}: {case['why']}" for name, case in CASES]
)
def test_every_worked_case_can_be_asked_on_the_command_line(
    calendar: str, case: dict[str, Any], calendar_files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    pauses = [f"--pause={begin}/{end}" for begin, end in case.get("pauses", [])]
    asked = ["--start", case["start"], "--duration", case["duration"], *pauses, "--explain"]

    assert command(*asked, "--calendar", calendar_files[calendar]) == 0

    found, in_words, since = capsys.readouterr().out.splitlines()
    assert parse_instant(found) == parse_instant(case["due"]), case["why"]
    shown = datetime.fromisoformat(case["due"])
    assert in_words.startswith(f"{shown:%A} {shown.day} {shown:%B} {shown.year}, {shown:%H:%M:%S} ")
    assert since.split()[0] == case["duration"].rstrip("dwbhms")


def test_every_worked_case_can_be_asked_in_a_batch() -> None:
    lines = [
        {name: case[name] for name in ("start", "duration", "pauses") if name in case}
        | {"calendar": TABLE["calendars"][calendar]}
        for calendar, case in CASES
    ]

    found = answers("\n".join(json.dumps(line, default=str) for line in lines).encode())

    assert [parse_instant(line["due"]) for line in found] == [parse_instant(case["due"]) for _, case in CASES]


def test_a_batch_of_tens_of_thousands_of_lines_reads_each_calendar_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[object] = []
    from_mapping = Calendar.from_mapping

    def counted(mapping: Any, closed_in: Any = None) -> Calendar:
        read.append(mapping)
        return from_mapping(mapping, closed_in)

    monkeypatch.setattr(Calendar, "from_mapping", counted)
    of_their_own = [{"closed": [f"2031-01-{day:02}"]} for day in range(1, 29)]
    lines = [
        {"start": THURSDAY, "duration": f"{number % 300}wd", "calendar": of_their_own[number % 28]}
        for number in range(20_000)
    ]

    found = answers("\n".join(json.dumps(line) for line in lines).encode())

    assert len(found) == 20_000
    assert all("due" in line for line in found)
    assert len(read) == 28
