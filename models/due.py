"""The command `due`: one instant from the command line, or a batch of JSON lines.

Each line of a batch is an object and gives one line of output, in order: `{"due": "…Z"}` or `{"error": "…"}`.

    {"calendar": {"zone": "Europe/Amsterdam",
                  "hours": {"mon": [["09:00", "12:30"], ["13:00", "24:00"]]},
                  "closed": ["2026-04-27"],
                  "holidays": {"country": "NL", "good_friday": false, "liberation_day": false}},
     "start": "2026-11-19T14:05:00+01:00", "duration": "5wd", "pauses": [["from", "to"]]}

Without a calendar the office is open Monday to Friday from 09:00 to 17:00 in Europe/Amsterdam, and closed on
the public holidays of the Netherlands.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO, cast
from zoneinfo import ZoneInfo

from .calendar import BadCalendar, BadDuration, BadInstant, Calendar, Duration, Pause, due
from .closed_days import DutchClosedDays, LiberationDay
from .opening_hours import shown

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Iterator

RFC_3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2})(?::([0-9]{2})(\.[0-9]+)?)?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})?"
)
LINE_WANTED = 'give an object such as {"start": "2026-11-19T14:05:00+01:00", "duration": "5wd"}'
LINE_KEYS = ("calendar", "start", "duration", "pauses")
CHUNK = 1 << 16
KIND_IN_WORDS = {
    "d": "calendar day",
    "wd": "working day",
    "bh": "business hour",
    "bm": "business minute",
    "bs": "business second",
}


class BadLine(ValueError):
    """A line of a batch is not the object that it should be."""


def parse_instant(text: object, thing: str = "start") -> datetime:
    """Read an instant as RFC 3339 writes it; seconds may be left out and T may be a space.

    A time without an offset, and anything else, raises `BadInstant`. Finer than microseconds is cut
    off; the leap second :60 is the second after :59.
    """
    found = RFC_3339.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise BadInstant(f"{thing} {shown(text)} is not an instant; write it as 2026-11-19T14:05:00Z")
    day, clock, seconds, fraction, offset = found.groups()
    if not offset:
        raise BadInstant(
            f"{thing} {shown(text)} carries no offset, so nobody knows which instant it is; write it "
            "in UTC with Z at the end, or with an offset such as 2026-11-19T14:05:00+01:00"
        )
    is_leap = seconds == "60"
    plain = f"{day}T{clock}:{'59' if is_leap else seconds or '00'}{fraction or ''}"
    try:
        moment = datetime.fromisoformat(plain + offset.upper())
        return (moment + timedelta(seconds=is_leap)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadInstant(f"{thing} {shown(text)} does not exist; write a date and time that do") from None


def written(moment: datetime) -> str:
    """Write an instant in UTC with a Z, and with microseconds only when there are any."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def default_calendar() -> Calendar:
    """Give office hours in Europe/Amsterdam, closed on the public holidays of the Netherlands."""
    return _calendar_of('{"holidays": {"country": "NL"}}')


def calendar_from(value: object) -> Calendar:
    """Give the calendar that an object describes, or the default for None; one per content."""
    if value is None:
        return default_calendar()
    if not isinstance(value, Mapping):
        raise BadCalendar(f'calendar {shown(value)} is not an object; give {{"zone": …, "hours": …}}')
    return _calendar_of(json.dumps(value, default=str))


def compute(line: Mapping[str, object], calendar: Calendar | None = None) -> datetime:
    """Give the due instant, in UTC, of one line; what cannot be meant raises `ValueError`.

    `calendar` is for lines that bring none.
    """
    for key in line:
        if key not in LINE_KEYS and (meant := get_close_matches(key, LINE_KEYS, 1, 0.75)):
            raise BadLine(f"a line has no {shown(key)}; did you mean {meant[0]}?")
    for key in ("start", "duration"):
        if line.get(key) is None:
            raise BadLine(f"the line has no {key}; {LINE_WANTED}")
    brought = line.get("calendar")
    return due(
        parse_instant(line["start"]),
        _duration(line["duration"]),
        calendar if calendar and brought is None else calendar_from(brought),
        list(_pauses(line.get("pauses"))),
    )


def answer(line: bytes, calendar: Calendar | None = None) -> str:
    """Give the line of output for one line of input, whatever that is."""
    try:
        return json.dumps({"due": written(compute(_object_in(line), calendar))})
    except RecursionError:
        return json.dumps({"error": f"the line is nested too deeply; {LINE_WANTED}"})
    except ValueError as error:
        return json.dumps({"error": str(error)})


def batch(source: BinaryIO, sink: TextIO, calendar: Calendar | None = None) -> None:
    """Answer every line of a source; what has arrived is answered before more is awaited."""
    for lines in _arriving(source):
        sink.write("".join(f"{answer(line, calendar)}\n" for line in lines))
        sink.flush()


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options of the command."""
    add = parser.add_argument
    add("--start", metavar="INSTANT", help="when the clock starts, as 2026-11-19T14:05:00+01:00")
    add("--duration", metavar="DURATION", help="5d, 5wd, 40bh, 90bm or 30bs")
    add("--calendar", metavar="FILE.toml", type=Path, help="zone, hours, closed days and holidays")
    add(
        "--pause",
        metavar="FROM/TO",
        action="append",
        default=[],
        help="may be given more than once",
    )
    add("--explain", action="store_true", help="add the local time, in words")
    add("--batch", action="store_true", help="read JSON lines, write one line for each")


def run(args: Namespace) -> int:
    """Print what is asked for and give the exit status, 2 when it cannot be meant."""
    try:
        return _run_batch(args) if args.batch else _run_one(args)
    except BrokenPipeError:
        # The reader has gone (`| head`); Python would complain again when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError, RecursionError) as error:
        print(error, file=sys.stderr)
        return 2


def _run_batch(args: Namespace) -> int:
    if args.start or args.duration or args.pause or args.explain:
        raise BadLine("--batch takes start, duration and pauses from its lines; leave the options out")
    batch(sys.stdin.buffer, sys.stdout, _calendar_in(args.calendar))
    return 0


def _run_one(args: Namespace) -> int:
    if args.start is None or args.duration is None:
        raise BadLine("give --start and --duration, or --batch")
    calendar = _calendar_in(args.calendar) or default_calendar()
    start, duration = parse_instant(args.start), Duration.parse(args.duration)
    moment = due(start, duration, calendar, [_pause(text.split("/")) for text in args.pause])
    print(written(moment))
    if args.explain:
        print(_in_words(moment, start, duration, calendar))
    return 0


def _in_words(moment: datetime, start: datetime, duration: Duration, calendar: Calendar) -> str:
    kind = KIND_IN_WORDS[duration.unit] + ("" if duration.amount == 1 else "s")
    due_at, started_at = (
        f"{local:%A} {local.day} {local:%B} {local.year}, {local:%H:%M:%S %Z}"
        for local in (instant.astimezone(ZoneInfo(calendar.zone)) for instant in (moment, start))
    )
    return f"{due_at} in {calendar.zone}\n{duration.amount} {kind} from {started_at}"


def _calendar_in(file: Path | None) -> Calendar | None:
    if file is None:
        return None
    try:
        return calendar_from(tomllib.loads(file.read_text("utf-8")))
    except OSError as error:
        raise BadCalendar(f"calendar {file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadCalendar(f"calendar {file}: {error}") from error


@lru_cache(maxsize=256)
def _calendar_of(text: str) -> Calendar:
    mapping = cast("dict[str, object]", json.loads(text))
    holidays = mapping.pop("holidays", None)
    return Calendar.from_mapping(mapping, None if holidays is None else _closed_in(holidays))


def _closed_in(value: object) -> DutchClosedDays:
    wanted = 'give {"country": "NL", "good_friday": false, "liberation_day": false}'
    if not isinstance(value, Mapping):
        raise BadCalendar(f"holidays {shown(value)} is not an object; {wanted}")
    settings = {"good_friday": False, "liberation_day": False} | dict(cast("Mapping[str, object]", value))
    country, good_friday = settings.pop("country", None), settings.pop("good_friday")
    liberation_day = settings.pop("liberation_day")
    if country != "NL" or not isinstance(good_friday, bool) or settings:
        raise BadCalendar(f"holidays {shown(settings)} are not understood; {wanted}")
    if not isinstance(liberation_day, bool) and liberation_day != "lustrum":
        raise BadCalendar(f'liberation_day {shown(liberation_day)} is not true, false or "lustrum"; {wanted}')
    return DutchClosedDays(good_friday, cast("LiberationDay", liberation_day))


def _duration(value: object) -> Duration:
    if not isinstance(value, str):
        raise BadDuration(f"duration {shown(value)} is not a text; write it as 5d, 5wd or 40bh")
    return Duration.parse(value)


def _pauses(value: object) -> Iterator[Pause]:
    if value is None:
        return
    if not isinstance(value, list | tuple):
        raise BadInstant(f'pauses {shown(value)} is not a list; give [["from", "to"], …]')
    for pair in cast("list[object]", value):
        yield _pause(pair)


def _pause(value: object) -> Pause:
    pair = cast("list[object]", value) if isinstance(value, list | tuple) else [value]
    if len(pair) != 2:
        raise BadInstant(f"pause {shown(pair)} is not two instants; give from and to")
    return parse_instant(pair[0], "pause from"), parse_instant(pair[1], "pause to")


def _object_in(line: bytes) -> dict[str, object]:
    if not line.strip():
        raise BadLine(f"the line is empty; {LINE_WANTED}")
    try:
        # Some editors begin a file with a byte order mark.
        value = cast("object", json.loads(line.decode("utf-8-sig")))
    except UnicodeDecodeError:
        raise BadLine("the line is not UTF-8; write it in UTF-8") from None
    except ValueError as error:
        raise BadLine(f"the line is not JSON ({error}); {LINE_WANTED}") from None
    if not isinstance(value, dict):
        raise BadLine(f"the line is not an object but {shown(value)}; {LINE_WANTED}")
    return cast("dict[str, object]", value)


def _arriving(source: BinaryIO) -> Iterator[list[bytes]]:
    """Give the lines of a source as they arrive, a last one without an end of line too."""
    read = cast("Callable[[int], bytes]", getattr(source, "read1", source.read))
    rest = bytearray()
    while chunk := read(CHUNK):
        rest += chunk
        if b"\n" in chunk:
            *lines, rest = rest.split(b"\n")
            yield [bytes(line) for line in lines]
    if rest:
        yield [bytes(rest)]
