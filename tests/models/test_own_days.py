"""The organisation's own closed days as a file."""

import pytest
from meldbalie.models.own_days import OwnDaysRefused, read_own_days


@pytest.mark.parametrize(
    "raw",
    [
        b"date,name\n2026-12-24,Kerstsluiting\n2026-12-28,Kerstsluiting\n",
        b"\xef\xbb\xbfName;Date\r\nKerstsluiting;2026-12-28\r\n\r\n;\r\nKerstsluiting;2026-12-24\r\n",
        b'date,name,\n2026-12-24,"Kerstsluiting",\n2026-12-28, Kerstsluiting\n,,\n',
    ],
    ids=["plain", "dutch excel", "empty cells"],
)
def test_a_list_is_read_as_spreadsheets_write_it(raw: bytes) -> None:
    assert read_own_days(raw) == {"2026-12-24": "Kerstsluiting", "2026-12-28": "Kerstsluiting"}


def test_a_list_may_be_empty() -> None:
    assert read_own_days(b"date,name\n") == {}


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "line 1: the header is '': give date,name"),
        (b"day,name\n", "line 1: the header is 'day,name': give date,name"),
        (b"date,date\n", "line 1: the header is 'date,date': give date,name"),
        (b"date,name\n24-12-2026,x\n", "line 2: date '24-12-2026': give a day of the calendar"),
        (b"date,name\n2026-02-30,x\n", "line 2: date '2026-02-30': give a day of the calendar"),
        (b"date,name\n,x\n", "line 2: date '': give a day"),
        (b"date,name\n2026-12-24,\n", "line 2: name '': say why it is closed"),
        (b"date,name\n2026-12-24\n", "line 2: name '': say why it is closed"),
        (b"date,name\n2026-12-24," + b"x" * 101, "line 2: name"),
        (b"date,name\n2026-12-24,=1+1\n", "which a spreadsheet takes for a formula"),
        (b"date,name\n2026-12-24,a\x1b[2J\n", "invisible character U+001B"),
        (b"date,name\n2026-12-24,Kerst, sluiting\n", "line 2: it has more cells than the header"),
        (b'date,name\n2026-12-24,"Kerst\n', "its quotes do not fit"),
        (b"date,name\n2026-12-24,a\n\n2026-12-24,b\n", "line 4: date '2026-12-24': it is on line 2 already"),
        (b"date,name\n2026-12-24,Op\xe9n\n", "line 2: it is not UTF-8"),
        (b"x" * (2**20 + 1), "larger than 1 MiB"),
    ],
)
def test_what_cannot_be_taken_is_named_with_its_line(raw: bytes, problem: str) -> None:
    with pytest.raises(OwnDaysRefused, match="line") as refused:
        read_own_days(raw)

    assert problem in str(refused.value)


def test_every_wrong_line_is_named_and_many_are_counted() -> None:
    raw = b"date,name\n" + b"".join(b"x,%d\n" % number for number in range(25))

    with pytest.raises(OwnDaysRefused, match="line") as refused:
        read_own_days(raw)

    lines = str(refused.value).splitlines()
    assert len(lines) == 21
    assert lines[0].startswith("line 2: ")
    assert lines[-1] == "and 5 more"
