"""The organisation's own closed days as a file: CSV with ``date,name``, taken whole or not at all.

Separated by commas or, as Dutch Excel writes, by semicolons; in UTF-8. The file is the whole list: a
day that it lacks is no longer closed. Everything that cannot be taken is named with its line.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import date

from .errors import Refused
from .hosts import quoted
from .owner_cells import WrongCell, read_day, refuse_trick

COLUMNS = ("date", "name")
LONGEST_NAME = 100
MOST_BYTES = 2**20
MOST_PROBLEMS = 20


class OwnDaysRefused(Refused):
    """The file cannot be taken, and nothing of it was; the message has a line for each problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        more = [f"and {len(problems) - MOST_PROBLEMS} more"] if len(problems) > MOST_PROBLEMS else []
        super().__init__("\n".join([*problems[:MOST_PROBLEMS], *more]))


def read_own_days(raw: bytes) -> dict[str, str]:
    """The closed days (date, name) that a file lists; raises :class:`OwnDaysRefused`."""
    lines = csv.reader(io.StringIO(_text(raw)), delimiter=_delimiter(raw), strict=True)
    listed: dict[str, tuple[str, int]] = {}
    problems: list[str] = []
    try:
        columns = _columns(next(lines, list[str]()))
        for written in lines:
            cells = [cell.strip() for cell in written]
            try:
                if any(cells):
                    _take(_row(columns, cells), listed, lines.line_num)
            except WrongCell as wrong:
                problems.append(f"line {lines.line_num}: {wrong}")
    except csv.Error as error:
        problems.append(f"line {lines.line_num}: its quotes do not fit ({error}): close each of them")
    if problems:
        raise OwnDaysRefused(problems)
    return {day: name for day, (name, _) in sorted(listed.items())}


def _text(raw: bytes) -> str:
    if len(raw) > MOST_BYTES:
        most = MOST_BYTES // 2**20
        raise OwnDaysRefused([f"line 1: the file is larger than {most} MiB: is it the right one?"])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise OwnDaysRefused([f"line {line}: it is not UTF-8: save the file as 'CSV UTF-8'"]) from None


def _delimiter(raw: bytes) -> str:
    header = raw.partition(b"\n")[0]
    return ";" if header.count(b";") > header.count(b",") else ","


def _columns(header: list[str]) -> list[str]:
    columns = [name.strip().lower() for name in header]
    if sorted(name for name in columns if name) != sorted(COLUMNS):
        raise OwnDaysRefused([f"line 1: the header is {','.join(header)!r}: give {','.join(COLUMNS)}"])
    return columns


def _row(columns: list[str], cells: list[str]) -> dict[str, str]:
    if any(cells[len(columns) :]):
        raise WrongCell("it has more cells than the header: put a name with a comma in quotes")
    row = dict(zip(columns, cells, strict=False))
    return {name: row.get(name, "") for name in COLUMNS}


def _take(row: Mapping[str, str], listed: dict[str, tuple[str, int]], line: int) -> None:
    day = _day(row["date"])
    for column, cell in row.items():
        try:
            refuse_trick(cell)
        except WrongCell as wrong:
            raise WrongCell(f"{column} {quoted(cell)}: {wrong}") from None
    if not row["name"] or len(row["name"]) > LONGEST_NAME:
        raise WrongCell(f"name {quoted(row['name'])}: say why it is closed, in {LONGEST_NAME} characters")
    if day.isoformat() in listed:
        first = listed[day.isoformat()][1]
        raise WrongCell(f"date {quoted(row['date'])}: it is on line {first} already: remove one of the two")
    listed[day.isoformat()] = (row["name"], line)


def _day(cell: str) -> date:
    try:
        day = read_day(cell)
    except WrongCell as wrong:
        raise WrongCell(f"date {quoted(cell)}: {wrong}") from None
    if day is None:
        raise WrongCell("date '': give a day, such as 2026-12-24")
    return day
