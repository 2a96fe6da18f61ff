"""The owner directory as operators write it: a CSV file, one asset a line, taken whole or not at all.

Columns ``owner,address,asset`` and, if wanted, ``fingerprint,kind,valid_from,valid_until``, in any
order; separated by commas or, as Dutch Excel writes, by semicolons; in UTF-8. Everything that cannot
be taken is named with its line, its column, its value and the way out; without its value where it is kept.
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import TypeVar

from .errors import Refused
from .hosts import quoted
from .owner_cells import WrongCell, read_asset, read_day, read_fingerprint, read_mail_address, refuse_trick
from .owners import AssetKind

REQUIRED = ("owner", "address", "asset")
COLUMNS = ("owner", "address", "fingerprint", "asset", "kind", "valid_from", "valid_until")
MOST_BYTES = 64 * 2**20
MOST_PROBLEMS = 100  # are kept and shown; further ones are only counted
LONGEST_NAME = 200

T = TypeVar("T")


@dataclass(frozen=True)
class Problem:
    """Why a line cannot be taken; the column is empty when it is about the whole line.

    The reason says no more of the file than a day or a character: the value is for whoever has the file.
    """

    line: int
    column: str
    value: str
    because: str

    def __str__(self) -> str:
        """One line that can be shown as it is."""
        return self._line(f", {self.column} {quoted(self.value)}")

    @property
    def without_value(self) -> str:
        """One line that may be kept anywhere."""
        return self._line(f", {self.column}")

    def _line(self, where: str) -> str:
        return f"line {self.line}{where if self.column else ''}: {self.because}"


class OwnerFileRefused(Refused):
    """The owner file cannot be taken, and nothing of it was."""

    def __init__(self, problems: list[Problem], more: int = 0) -> None:
        self.problems = tuple(problems)
        self.more = more
        super().__init__("\n".join([*map(str, problems), *self._what_is_left_out()]))

    @property
    def without_values(self) -> str:
        """All that is wrong, a line each, without a cell of the file."""
        return "\n".join([*(one.without_value for one in self.problems), *self._what_is_left_out()])

    def _what_is_left_out(self) -> list[str]:
        if not self.more:
            return []
        return [f"and {self.more} more problems, which are shown once these are corrected"]


@dataclass(frozen=True, slots=True)
class ListedOwner:
    """An owner as the file has it; a fingerprint of ``None`` says nothing about the pinned key."""

    name: str
    address: str
    fingerprint: str | None
    line: int


@dataclass(frozen=True, slots=True)
class ListedAsset:
    """An asset as the file has it."""

    owner: str
    valid_from: date | None
    valid_until: date | None
    line: int


@dataclass
class OwnerFile:
    """What a file says, after everything in it was found good."""

    owners: dict[str, ListedOwner] = field(default_factory=dict[str, ListedOwner])
    assets: dict[tuple[AssetKind, str], ListedAsset] = field(
        default_factory=dict[tuple[AssetKind, str], ListedAsset]
    )


def read_owner_file(csv_bytes: bytes) -> OwnerFile:
    """Read an owner file; raises :class:`OwnerFileRefused` with all that is wrong in it."""
    _refuse_other_encodings(csv_bytes)
    lines = _lines(csv_bytes)
    reading = _Reading(_columns(next((cells for _, cells in lines), list[str]())))
    for line, cells in lines:
        reading.take(line, cells)
    if reading.problems:
        raise OwnerFileRefused(reading.problems, reading.more)
    if not reading.file.assets:
        raise _refused(1, "the file lists no asset, and would take every imported one away")
    return reading.file


class _Reading:
    """What was read so far, and what was wrong with it."""

    def __init__(self, columns: list[str]) -> None:
        self.file = OwnerFile()
        self.problems: list[Problem] = []
        self.more = 0
        self._columns = columns
        self._spellings: dict[str, tuple[str, int]] = {}

    def take(self, line: int, cells: list[str]) -> None:
        """Take one line, or note what is wrong with it."""
        while len(cells) > len(self._columns) and not cells[-1]:
            cells.pop()
        if len(cells) != len(self._columns):
            because = f"it has {len(cells)} cells, and the header names {len(self._columns)} columns"
            self._refuse(line, "", "", because)
            return
        row = dict(zip(self._columns, cells, strict=True))
        if self._is_free_of_tricks(line, row):
            self._take_owner(line, row)
            self._take_asset(line, row)

    def _refuse(self, line: int, column: str, value: str, because: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(line, column, value, because))
        else:
            self.more += 1

    def _read(self, line: int, column: str, cell: str, read: Callable[[str], T]) -> T | None:
        try:
            return read(cell)
        except WrongCell as wrong:
            self._refuse(line, column, cell, str(wrong))
            return None

    def _is_free_of_tricks(self, line: int, row: Mapping[str, str]) -> bool:
        before = len(self.problems) + self.more
        for column, cell in row.items():
            self._read(line, column, cell, refuse_trick)
        return len(self.problems) + self.more == before

    def _take_owner(self, line: int, row: Mapping[str, str]) -> None:
        name = self._read(line, "owner", row["owner"], partial(self._read_name, line))
        address = self._read(line, "address", row["address"], read_mail_address)
        fingerprint = None
        if "fingerprint" in row:
            fingerprint = self._read(line, "fingerprint", row["fingerprint"], read_fingerprint)
        if not name or not address:
            return
        known = self.file.owners.setdefault(name, ListedOwner(name, address, fingerprint, line))
        if known.address != address:
            self._refuse(line, "address", address, _contradiction(known))
        if fingerprint and not known.fingerprint:
            self.file.owners[name] = ListedOwner(name, known.address, fingerprint, line)
        elif fingerprint and known.fingerprint and known.fingerprint != fingerprint:
            self._refuse(line, "fingerprint", fingerprint, _contradiction(known))

    def _read_name(self, line: int, cell: str) -> str:
        if not cell:
            raise WrongCell("the line names no owner")
        if len(cell) > LONGEST_NAME:
            raise WrongCell(f"the name of an owner has at most {LONGEST_NAME} characters")
        spelling, first = self._spellings.setdefault(cell.casefold(), (cell, line))
        if spelling != cell:
            raise WrongCell(f"line {first} writes it otherwise: write one owner one way")
        return cell

    def _take_asset(self, line: int, row: Mapping[str, str]) -> None:
        start = self._read(line, "valid_from", row.get("valid_from", ""), read_day)
        end = self._read(line, "valid_until", row.get("valid_until", ""), read_day)
        if start and end and end < start:
            self._refuse(line, "valid_until", str(end), f"it ends before it starts, on {start}")
        try:
            listing = read_asset(row.get("kind", ""), row["asset"])
        except WrongCell as wrong:
            self._refuse(line, wrong.column, row[wrong.column], str(wrong))
            return
        known = self.file.assets.setdefault(listing, ListedAsset(row["owner"], start, end, line))
        if known.line != line:
            self._refuse(line, "asset", row["asset"], _repetition(known, row["owner"]))


def _contradiction(known: ListedOwner) -> str:
    return f"line {known.line} gives this owner another one: an owner has one, the same on every line"


def _repetition(known: ListedAsset, owner: str) -> str:
    if known.owner == owner:
        return f"it is on line {known.line} already: remove one of the two lines"
    return f"line {known.line} gives it to another owner: an asset has one"


def _refused(line: int, because: str, *, column: str = "", value: str = "") -> OwnerFileRefused:
    return OwnerFileRefused([Problem(line, column, value, because)])


def _refuse_other_encodings(csv_bytes: bytes) -> None:
    if len(csv_bytes) > MOST_BYTES:
        raise _refused(1, f"the file is larger than {MOST_BYTES // 2**20} MiB: is it the right one?")
    try:
        csv_bytes.decode("utf-8")
    except UnicodeDecodeError as error:
        line = csv_bytes.count(b"\n", 0, error.start) + 1
        raise _refused(
            line,
            f"byte 0x{csv_bytes[error.start]:02X} is not UTF-8: save the file as 'CSV UTF-8',"
            " not as plain 'CSV' (Windows-1252) or 'Unicode text' (UTF-16)",
        ) from None


def _lines(csv_bytes: bytes) -> Iterator[tuple[int, list[str]]]:
    """The lines that hold something, numbered as an editor numbers them; the first is the header."""
    header = csv_bytes.partition(b"\n")[0]
    delimiter = ";" if header.count(b";") > header.count(b",") else ","
    text = io.TextIOWrapper(io.BytesIO(csv_bytes), encoding="utf-8-sig", newline="")
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    line = 1
    try:
        for written in reader:
            cells = [cell.strip() for cell in written]
            if any(cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise _refused(line, f"its quotes do not fit ({error}): close each where its cell ends") from None


def _columns(header: list[str]) -> list[str]:
    columns = [name.lower() for name in header]
    while columns and not columns[-1]:
        columns.pop()
    if missing := [name for name in REQUIRED if name not in columns]:
        raise _refused(1, f"the header lacks {', '.join(missing)}: its columns are {', '.join(COLUMNS)}")
    if unknown := [name for name in columns if name not in COLUMNS]:
        known = f"it is none of the columns {', '.join(COLUMNS)}"
        raise _refused(1, known, column="header", value=unknown[0])
    if len(set(columns)) < len(columns):
        raise _refused(1, "the header names a column twice: remove one of the two")
    return columns
