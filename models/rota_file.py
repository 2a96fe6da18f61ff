"""The on-call rota as a file: a table (CSV) or a calendar (iCalendar, ``.ics``), read anew when it changes.

CSV has the columns ``from,until,name,address`` and, if wanted, ``fingerprint``, separated by commas or, as
Dutch Excel writes, by semicolons. In a calendar every event is a shift; who works it is the ATTENDEE or
ORGANIZER by address, else the SUMMARY by name. Times without a zone are local, a day without a time is
its midnight, and ``until`` is not on duty any more. Whoever is named needs an address: their own in the
table, or that of a person of the same name in the settings.
"""

import csv
import io
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from .owner_cells import WrongCell, read_fingerprint, read_mail_address
from .people import Correspondent
from .rota import MOST_SHIFTS, KnownPeople, OnDuty, Rota, RotaRefused, WrongShift, instant_of
from .rota_calendar import read_calendar

__all__ = ["KnownPeople", "RotaFile", "RotaRefused", "read_calendar", "read_table"]

REQUIRED = ("from", "until", "name")
COLUMNS = (*REQUIRED, "address", "fingerprint")
BEHIND, AHEAD = timedelta(days=2), timedelta(days=60)  # so much of a calendar is worked out
READ_ANEW = timedelta(days=1)
MOST_BYTES = 2**20


def read_table(raw: bytes, zone: str, people: KnownPeople) -> Rota:
    """The rota that a CSV file says; raises :class:`RotaRefused` that names each wrong line."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RotaRefused([f"byte {error.start} is not UTF-8: save the file as CSV UTF-8"]) from None
    heading = text.splitlines()[0] if text else ""
    lines = csv.DictReader(
        io.StringIO(text, newline=None),  # old Macs end lines with a CR
        delimiter=";" if heading.count(";") > heading.count(",") else ",",
        strict=True,
    )
    try:
        return Rota(tuple(_shifts(lines, ZoneInfo(zone), people)))
    except csv.Error as error:
        raise RotaRefused(
            [f"after line {lines.line_num}: {error}: is a quotation mark missing, or one too many?"]
        ) from None


def _shifts(lines: "csv.DictReader[str]", zone: ZoneInfo, people: KnownPeople) -> list[OnDuty]:
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
            shifts.append(_shift_of(cells, zone, people))
        except (WrongShift, WrongCell) as wrong:
            problems.append(f"line {lines.line_num}: {wrong}")
    if problems:
        raise RotaRefused(problems)
    if len(shifts) > MOST_SHIFTS:
        raise RotaRefused([f"{len(shifts)} shifts: give {MOST_SHIFTS} at most, without those long past"])
    return shifts


def _shift_of(cells: Mapping[str, str], zone: ZoneInfo, people: KnownPeople) -> OnDuty:
    begins, ends = (_instant(cells[name], name, zone) for name in ("from", "until"))
    if ends <= begins:
        raise WrongShift(f"until {cells['until']!r} is not after from {cells['from']!r}: correct one of them")
    name, address = cells["name"], cells["address"]
    known = people.by_name.get(name.casefold())
    if not address:
        if known is None:
            raise WrongShift(
                f"name {name!r} is nobody of the settings: give an address, or add them to rota.people"
            )
        return OnDuty(begins, ends, known)
    try:
        address = read_mail_address(address)
    except WrongCell as wrong:
        raise WrongShift(f"address {address!r}: {wrong}") from None
    known = people.by_address.get(address.lower())
    try:
        fingerprint = read_fingerprint(cells["fingerprint"]) or (known.fingerprint if known else "")
    except WrongCell as wrong:
        raise WrongShift(f"fingerprint {cells['fingerprint']!r}: {wrong}") from None
    return OnDuty(begins, ends, Correspondent(name or address, address, fingerprint))


def _instant(cell: str, column: str, zone: ZoneInfo) -> datetime:
    try:
        read = datetime.fromisoformat(cell)
    except ValueError:
        raise WrongShift(
            f"{column} {cell!r} is no time: write 2026-11-27 17:00, or 2026-11-27 for midnight"
        ) from None
    return instant_of(read, zone, written=f"{column} {cell!r}")


@dataclass
class RotaFile:
    """The rota in a file, read anew when the file changes.

    While it cannot be used the last good one holds, and :attr:`problem` says why. A copy of that one lies at
    ``last_good``, because each sweep is a process of its own; without it only this process knows.
    """

    file: Path
    zone: str
    known: KnownPeople
    last_good: Path | None = None
    problem: str = ""
    _rota: Rota = field(default_factory=Rota)
    _good: bytes = b""
    _read: tuple[int, int] | None = None
    _read_at: datetime | None = None

    def on_duty(self, at: datetime) -> Correspondent | None:
        """Who is on duty at an instant; ``None`` in a gap."""
        return self.rota(at).on_duty(at)

    def rota(self, at: datetime) -> Rota:
        """The rota about an instant, as the file says it now or said it last."""
        mark = self._mark()
        is_old = self._read_at is None or abs(at - self._read_at) >= READ_ANEW
        if mark is None or mark != self._read or is_old:
            self._read, self._read_at = mark, at
            self._look(at)
        return self._rota

    def _mark(self) -> tuple[int, int] | None:
        try:
            state = self.file.stat()
        except OSError:
            return None
        return state.st_mtime_ns, state.st_size

    def _look(self, at: datetime) -> None:
        """Read the file; where that cannot be done, for whatever reason, the last good one."""
        try:
            raw = _content(self.file)
            self._rota, self.problem = self._understood(raw, at), ""
            self._keep(raw)
        except OSError as error:
            self._read = None  # it may be readable again without having changed
            self.problem = f"it cannot be read ({error.strerror})"
        except RotaRefused as refused:
            self.problem = str(refused)
        except Exception as error:  # a calendar of others' making: its libraries raise what they like
            self.problem = f"it cannot be understood ({type(error).__name__}): export it anew"
        if self.problem:
            self._rota = self._as_it_was(at)

    def _understood(self, raw: bytes, at: datetime) -> Rota:
        if self.file.suffix.lower() in (".ics", ".ical"):
            return read_calendar(raw, self.zone, self.known, begin=at - BEHIND, end=at + AHEAD)
        return read_table(raw, self.zone, self.known)

    def _as_it_was(self, at: datetime) -> Rota:
        """The last good rota; one of nobody where there is none."""
        try:
            kept = self._good or (_content(self._copy) if self._copy else b"")
            return self._understood(kept, at) if kept else Rota()
        except Exception:  # the copy is of no use, for the reasons above: the problem is told already
            return Rota()

    @property
    def _copy(self) -> Path | None:
        """Where the copy lies; it ends as the file does, so that it is read as what it is."""
        return self.last_good and self.last_good.with_name(self.last_good.name + self.file.suffix)

    def _keep(self, raw: bytes) -> None:
        """Remember a good rota; raises :class:`RotaRefused` where no copy of it can be made."""
        self._good = raw
        if self._copy is None or _holds(self._copy, raw):
            return
        try:
            self._copy.parent.mkdir(parents=True, exist_ok=True)
            _replace(self._copy, raw)
        except OSError as error:
            raise RotaRefused(
                [f"no copy can be kept in {self._copy} ({error.strerror}): correct rota.last_good"]
            ) from None


def _content(file: Path) -> bytes:
    """What is in a file; raises :class:`RotaRefused` for what is no file, or too large to be a rota."""
    state = file.stat()
    if not file.is_file() or state.st_size > MOST_BYTES:
        what = f"it has {state.st_size} bytes" if file.is_file() else "it is no file"
        raise RotaRefused([f"{what}: give a table or a calendar of at most {MOST_BYTES} bytes"])
    with file.open("rb") as opened:
        return opened.read(MOST_BYTES)


def _holds(file: Path, raw: bytes) -> bool:
    try:
        return file.read_bytes() == raw
    except OSError:
        return False


def _replace(file: Path, raw: bytes) -> None:
    """Write a file whole or not at all, for the account that runs Meldbalie only."""
    descriptor, draft = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "wb") as new:
            new.write(raw)
            new.flush()
            os.fsync(new.fileno())
        Path(draft).replace(file)
    finally:
        Path(draft).unlink(missing_ok=True)
