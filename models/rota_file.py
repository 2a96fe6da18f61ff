"""The on-call rota as a file: a table (CSV) or a calendar (iCalendar, ``.ics``), read anew when it changes.

CSV has the columns ``from,until,name,address`` and, if wanted, ``fingerprint``, separated by commas or, as
Dutch Excel writes, by semicolons. In a calendar every event is a shift; who works it is the ATTENDEE or
ORGANIZER by address, else the SUMMARY by name. Times without a zone are local, a day without a time is
its midnight, and ``until`` is not on duty any more. Whoever is named needs an address: their own in the
table, or that of a person of the same name in the settings.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

from icalendar import Calendar
from recurring_ical_events import of as recurring

from .errors import Refused
from .owner_cells import WrongCell, read_fingerprint, read_mail_address
from .people import Correspondent
from .rota import OnDuty, Rota

REQUIRED = ("from", "until", "name")
COLUMNS = (*REQUIRED, "address", "fingerprint")
BEHIND, AHEAD = timedelta(days=2), timedelta(days=60)  # so much of a calendar is worked out
READ_ANEW = timedelta(days=1)
MOST_PROBLEMS = 20


class RotaRefused(Refused):
    """The rota cannot be used; the message names each line or event, its value, and the way out."""

    def __init__(self, problems: Sequence[str]) -> None:
        more = [f"and {len(problems) - MOST_PROBLEMS} more"] if len(problems) > MOST_PROBLEMS else []
        super().__init__("\n".join([*problems[:MOST_PROBLEMS], *more]))


@dataclass(frozen=True)
class KnownPeople:
    """The people of the settings, as a rota names them."""

    by_name: Mapping[str, Correspondent]
    by_address: Mapping[str, Correspondent]

    @classmethod
    def of(cls, people: Iterable[Correspondent]) -> "KnownPeople":
        """Whoever is named twice is known as the first says."""
        listed = list(people)[::-1]
        return cls(
            {one.name.strip().casefold(): one for one in listed},
            {one.address.lower(): one for one in listed},
        )


class _Wrong(ValueError):
    """A shift that cannot be taken; the message has the value and the way out."""


def read_table(raw: bytes, zone: str, people: KnownPeople) -> Rota:
    """The rota that a CSV file says; raises :class:`RotaRefused` that names each wrong line."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RotaRefused([f"byte {error.start} is not UTF-8: save the file as CSV UTF-8"]) from None
    heading = text.partition("\n")[0]
    lines = csv.DictReader(
        io.StringIO(text), delimiter=";" if heading.count(";") > heading.count(",") else ","
    )
    columns = [(name or "").strip().lower() for name in lines.fieldnames or []]
    if missing := [name for name in REQUIRED if name not in columns]:
        raise RotaRefused([f"line 1: the column {missing[0]} is missing; give {', '.join(COLUMNS)}"])
    lines.fieldnames = columns
    shifts: list[OnDuty] = []
    problems: list[str] = []
    for row in lines:
        cells = {name: (row.get(name) or "").strip() for name in COLUMNS}
        if not any(cells.values()):
            continue
        try:
            shifts.append(_shift_of(cells, ZoneInfo(zone), people))
        except (_Wrong, WrongCell) as wrong:
            problems.append(f"line {lines.line_num}: {wrong}")
    if problems:
        raise RotaRefused(problems)
    return Rota(tuple(shifts))


def _shift_of(cells: Mapping[str, str], zone: ZoneInfo, people: KnownPeople) -> OnDuty:
    begins, ends = (_instant(cells[name], name, zone) for name in ("from", "until"))
    if ends <= begins:
        raise _Wrong(f"until {cells['until']!r} is not after from {cells['from']!r}: correct one of them")
    name, address = cells["name"], cells["address"]
    known = people.by_name.get(name.casefold())
    if not address:
        if known is None:
            raise _Wrong(
                f"name {name!r} is nobody of the settings: give an address, or add them to rota.people"
            )
        return OnDuty(begins, ends, known)
    try:
        address = read_mail_address(address)
    except WrongCell as wrong:
        raise _Wrong(f"address {address!r}: {wrong}") from None
    known = people.by_address.get(address.lower())
    try:
        fingerprint = read_fingerprint(cells["fingerprint"]) or (known.fingerprint if known else "")
    except WrongCell as wrong:
        raise _Wrong(f"fingerprint {cells['fingerprint']!r}: {wrong}") from None
    return OnDuty(begins, ends, Correspondent(name or address, address, fingerprint))


def _instant(cell: str, column: str, zone: ZoneInfo) -> datetime:
    """An instant; a local time that the clocks skip moves forward, one that comes twice is the first."""
    try:
        read = datetime.fromisoformat(cell)
    except ValueError:
        raise _Wrong(
            f"{column} {cell!r} is no time: write 2026-11-27 17:00, or 2026-11-27 for midnight"
        ) from None
    return (read if read.tzinfo else read.replace(tzinfo=zone)).astimezone(UTC)


def read_calendar(raw: bytes, zone: str, people: KnownPeople, *, begin: datetime, end: datetime) -> Rota:
    """The shifts between two instants that an iCalendar file says, with what recurs in it.

    Raises :class:`RotaRefused` that names each wrong event.
    """
    try:
        calendar = Calendar.from_ical(raw)
    except (ValueError, IndexError, KeyError) as error:
        raise RotaRefused([f"this is no calendar ({error}): export it anew as iCalendar (.ics)"]) from None
    local = ZoneInfo(zone)
    shifts: list[OnDuty] = []
    problems: dict[str, None] = {}
    for event in _events(calendar, begin.astimezone(local), end.astimezone(local)):
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            continue
        try:
            shifts.append(_shift_of_event(event, local, people))
        except _Wrong as wrong:
            problems[f"event {_called(event)}: {wrong}"] = None
    if problems:
        raise RotaRefused(list(problems))
    return Rota(tuple(shifts))


def _events(calendar: Any, begin: datetime, end: datetime) -> Iterator[Any]:
    for event in calendar.walk("VEVENT"):
        if event.get("DTSTART") is None:
            raise RotaRefused([f"event {_called(event)}: it has no beginning: give it one, or remove it"])
    try:
        yield from recurring(calendar).between(begin, end)
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise RotaRefused([f"a recurrence cannot be worked out ({error}): correct the rule"]) from None


def _shift_of_event(event: Any, zone: ZoneInfo, people: KnownPeople) -> OnDuty:
    begins, ends = _moment(event.start, zone), _moment(event.end, zone)
    if ends <= begins:
        raise _Wrong(f"it ends at {event.end} and begins at {event.start}: correct one of them")
    addresses = [_bare(one) for name in ("ATTENDEE", "ORGANIZER") for one in _each(event.get(name))]
    known = next((people.by_address[one] for one in addresses if one in people.by_address), None)
    known = known or people.by_name.get(str(event.get("SUMMARY", "")).strip().casefold())
    if known is None:
        named = ", ".join([*addresses, repr(str(event.get("SUMMARY", "")))])
        raise _Wrong(f"{named} is nobody of the settings: correct it, or add them to rota.people")
    return OnDuty(begins, ends, known)


def _moment(value: date | datetime, zone: ZoneInfo) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.combine(value, time.min)
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def _each(value: Any) -> Iterable[Any]:
    """What an event has of a property: nothing, one, or several."""
    if value is None:
        return ()
    return cast(list[Any], value) if isinstance(value, list) else (value,)


def _bare(address: Any) -> str:
    return str(address).lower().removeprefix("mailto:").strip()


def _called(event: Any) -> str:
    """How an event is found again in the calendar that it came from."""
    start = event.get("DTSTART")
    return f"{str(event.get('SUMMARY', event.get('UID', '')))!r} of {start.dt if start else 'no day'}"


@dataclass
class RotaFile:
    """The rota in a file, read anew when the file changes.

    While it cannot be read the last good one holds, and :attr:`problem` says why.
    """

    file: Path
    zone: str
    known: KnownPeople
    problem: str = ""
    _rota: Rota = field(default_factory=Rota)
    _read: tuple[int, int] | None = field(default=None)
    _read_at: datetime | None = field(default=None)

    def on_duty(self, at: datetime) -> Correspondent | None:
        """Who is on duty at an instant; ``None`` in a gap."""
        return self.rota(at).on_duty(at)

    def rota(self, at: datetime) -> Rota:
        """The rota about an instant, as the file says it now or said it last."""
        try:
            state = self.file.stat()
            mark = (state.st_mtime_ns, state.st_size)
            is_old = self._read_at is None or abs(at - self._read_at) >= READ_ANEW
            if mark != self._read or is_old:
                self._read, self._read_at = mark, at
                self._rota, self.problem = self._as_it_is(at), ""
        except OSError as error:
            self._read = None
            self.problem = f"it cannot be read ({error.strerror})"
        except RotaRefused as refused:
            self.problem = str(refused)
        return self._rota

    def _as_it_is(self, at: datetime) -> Rota:
        raw = self.file.read_bytes()
        if self.file.suffix.lower() in (".ics", ".ical"):
            return read_calendar(raw, self.zone, self.known, begin=at - BEHIND, end=at + AHEAD)
        return read_table(raw, self.zone, self.known)
