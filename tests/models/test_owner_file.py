"""The owner file: what it may say, and what it is refused for, line by line."""

from datetime import date

import pytest
from meldbalie.models.owner_file import (
    MOST_PROBLEMS,
    ListedAsset,
    ListedOwner,
    OwnerFile,
    OwnerFileRefused,
    read_owner_file,
)
from meldbalie.models.owners import AssetKind

HEADER = "owner,address,fingerprint,asset,kind,valid_from,valid_until"
KEY = "0123456789ABCDEF0123456789ABCDEF01234567"
OTHER_KEY = KEY[::-1]
HOST, SUFFIX, CIDR = AssetKind.HOST, AssetKind.SUFFIX, AssetKind.CIDR


def _read(*lines: str, header: str = HEADER) -> OwnerFile:
    return read_owner_file("\r\n".join([header, *lines]).encode())


def _problems(csv_bytes: bytes) -> list[str]:
    with pytest.raises(OwnerFileRefused) as refusal:
        read_owner_file(csv_bytes)
    assert str(refusal.value).splitlines()[:MOST_PROBLEMS] == [str(each) for each in refusal.value.problems]
    return [str(each) for each in refusal.value.problems]


def _refused(*lines: str, header: str = HEADER) -> list[str]:
    return _problems("\r\n".join([header, *lines]).encode())


def _asset_refused(asset: str, kind: str = "") -> str:
    (problem,) = _refused(f"Web,web@voorbeeld.example,,{asset},{kind},,")
    return problem


def test_a_line_is_an_owner_and_an_asset() -> None:
    file = _read(f" Web , web@Voorbeeld.Example ,{KEY.lower()},WWW.Voorbeeld.nl.,HOST,2026-01-01,2026-12-31")

    assert file.owners == {"Web": ListedOwner("Web", "web@voorbeeld.example", KEY, 2)}
    assert file.assets == {
        (HOST, "www.voorbeeld.nl"): ListedAsset("Web", date(2026, 1, 1), date(2026, 12, 31), 2)
    }


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_file_is_read_as_spreadsheets_write_it(mark: bytes, separator: str, line_end: str) -> None:
    written = line_end.join(
        ["Owner,ASSET,Address,,", '"Bürger",*.voorbeeld.nl,b@voorbeeld.example,,', ",,,,", ""]
    )

    file = read_owner_file(mark + written.replace(",", separator).encode())

    assert list(file.owners) == ["Bürger"]
    assert list(file.assets) == [(SUFFIX, "voorbeeld.nl")]


@pytest.mark.parametrize(
    ("asset", "kind", "read"),
    [
        ("www.voorbeeld.nl", "", (HOST, "www.voorbeeld.nl")),
        ("github.io", "", (HOST, "github.io")),
        ("büro.example", "", (HOST, "xn--bro-hoa.example")),
        ("*.voorbeeld.nl", "", (SUFFIX, "voorbeeld.nl")),
        (".voorbeeld.nl", "", (SUFFIX, "voorbeeld.nl")),
        ("voorbeeld.nl", "suffix", (SUFFIX, "voorbeeld.nl")),
        ("*.voorbeeld.github.io", "", (SUFFIX, "voorbeeld.github.io")),
        ("*.gemeente.intern", "", (SUFFIX, "gemeente.intern")),
        ("203.0.113.0/24", "", (CIDR, "203.0.113.0/24")),
        ("203.0.113.9", "", (CIDR, "203.0.113.9/32")),
        ("203.0.113.9", "cidr", (CIDR, "203.0.113.9/32")),
        ("2001:DB8:0:0::/32", "", (CIDR, "2001:db8::/32")),
        ("2001:db8::9", "", (CIDR, "2001:db8::9/128")),
        ("::ffff:203.0.113.0/120", "", (CIDR, "203.0.113.0/24")),
        ("10.0.0.0/8", "", (CIDR, "10.0.0.0/8")),
        ("fc00::/7", "", (CIDR, "fc00::/7")),
    ],
)
def test_the_kind_of_an_asset_follows_from_how_it_is_written(
    asset: str, kind: str, read: tuple[AssetKind, str]
) -> None:
    file = _read(f"Web,web@voorbeeld.example,,{asset},{kind},,")

    assert list(file.assets) == [read]


@pytest.mark.parametrize(
    ("asset", "kind", "problem"),
    [
        ("", "", "asset '': the line names no asset"),
        ("https://www.voorbeeld.nl/", "", "it is a URL: give the host alone, such as www.voorbeeld.nl"),
        ("www.voorbeeld.nl", "domain", "kind 'domain': a kind is host, suffix or cidr, or empty"),
        ("www.*.nl", "", "a * stands only in front, before a dot, as in *.voorbeeld.nl"),
        ("*voorbeeld.nl", "", "a * stands only in front, before a dot, as in *.voorbeeld.nl"),
        ("*.*.voorbeeld.nl", "", "a * stands only in front, before a dot, as in *.voorbeeld.nl"),
        ("*voorbeeld.nl", "suffix", "a * stands only in front, before a dot, as in *.voorbeeld.nl"),
        ("*.voorbeeld.nl", "host", "the asset is a domain with all under it: its kind is suffix"),
        ("203.0.113.9", "host", "the asset is an address: its kind is cidr"),
        (
            "203.0.113.9/24",
            "",
            "it has bits set after its prefix: write the first address of the range before it",
        ),
        ("203.0.113.0/33", "", "it is not an address range, such as 203.0.113.0/24 or 2001:db8::/48"),
        ("www.voorbeeld.nl/pad", "", "it is not an address range, such as 203.0.113.0/24 or 2001:db8::/48"),
        ("0.0.0.0/0", "", "no organisation has more than a /8: check the prefix"),
        ("2000::/3", "", "no organisation has more than a /7: check the prefix"),
        (
            "203.0.113.256",
            "",
            "it is not a host name: give one such as www.voorbeeld.nl, without port or path",
        ),
        ("www.voorbeeld.nl:443", "", "it is not a host name"),
        ("www_.voorbeeld..nl", "", "it is not a host name"),
        (
            "*.nl",
            "",
            "what lies under it belongs to many parties: give the domain under it that is this owner's",
        ),
        ("*.co.uk", "", "'*.co.uk': what lies under it belongs to many parties"),
        ("github.io", "suffix", "what lies under it belongs to many parties"),
        ("*.intern", "", "what lies under it belongs to many parties"),
    ],
)
def test_an_asset_that_cannot_be_routed_by_is_refused(asset: str, kind: str, problem: str) -> None:
    said = _asset_refused(asset, kind)

    assert said.startswith("line 2, ")
    assert problem in said


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (",web@x.example,,a.nl,,,", "line 2, owner '': the line names no owner"),
        ("Web,,,a.nl,,,", "line 2, address '': give one bare mail address, such as beheer@voorbeeld.nl"),
        ("Web,w@x.example w@y.example,,a.nl,,,", "give one bare mail address"),
        ("Web,Web <w@x.example>,,a.nl,,,", "give one bare mail address"),
        ("Web,w@x..example,,a.nl,,,", "give one bare mail address"),
        (f"Web,w@x.example,{KEY[:-1]},a.nl,,,", "give the full fingerprint, 40 hexadecimal digits"),
        (f"Web,w@x.example,{KEY[:-1]}G,a.nl,,,", "give the full fingerprint, 40 hexadecimal digits"),
        ("Web,w@x.example,0x89ABCDEF,a.nl,,,", "give the full fingerprint, 40 hexadecimal digits"),
        (
            "Web,w@x.example,,a.nl,,21-11-2026,",
            "line 2, valid_from '21-11-2026': give a day of the calendar as year",
        ),
        (
            "Web,w@x.example,,a.nl,,,2026-02-30",
            "line 2, valid_until '2026-02-30': give a day of the calendar",
        ),
        ("Web,w@x.example,,a.nl,,20260101,", "give a day of the calendar"),
        ("Web,w@x.example,,a.nl,,2026-05-02,2026-05-01", "it ends before it starts, on 2026-05-02"),
        (
            "=2+5,w@x.example,,a.nl,,,",
            "line 2, owner '=2+5': it begins with \"=\", which a spreadsheet takes",
        ),
        ("\uff1d2+5,w@x.example,,a.nl,,,", "which a spreadsheet takes for a formula"),
        ("@SUM(A1),w@x.example,,a.nl,,,", "which a spreadsheet takes for a formula"),
        ("Web,-w@x.example,,a.nl,,,", "which a spreadsheet takes for a formula"),
        ("Web,+w@x.example,,a.nl,,,", "which a spreadsheet takes for a formula"),
        ("W\x00eb,w@x.example,,a.nl,,,", "line 2, owner 'W\\x00eb': it holds the invisible character U+0000"),
        ("W\u202eeb,w@x.example,,a.nl,,,", "it holds the invisible character U+202E: type the value anew"),
        ('"W\neb",w@x.example,,a.nl,,,', "it holds the invisible character U+000A"),
        ("Web,w@x.example,,a\u200b.nl,,,", "it holds the invisible character U+200B"),
        ("Web,w@x.example,a.nl", "line 2: it has 3 cells, and the header names 7 columns"),
        ("Web,w@x.example,,a.nl,,,,x", "line 2: it has 8 cells, and the header names 7 columns"),
        (f"{'W' * 201},w@x.example,,a.nl,,,", "the name of an owner has at most 200 characters"),
        ('"Web,w@x.example,,a.nl,,,', "line 2: its quotes do not fit"),
        ('"Web"x,w@x.example,,a.nl,,,', "line 2: its quotes do not fit"),
    ],
)
def test_a_line_that_cannot_be_taken_is_named_with_the_way_out(line: str, problem: str) -> None:
    (said,) = _refused(line)

    assert problem in said


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("Web,web@x.example,,www.a.nl,,,", "line 3, asset 'www.a.nl': it is on line 2 already: remove one"),
        ("Web,web@x.example,,WWW.A.NL.,host,2026-01-01,", "it is on line 2 already"),
        ("Net,net@x.example,,www.a.nl,,,", "line 2 gives it to another owner: an asset has one"),
        (
            "Web,other@x.example,,b.nl,,,",
            "address 'other@x.example': line 2 gives this owner another one: an owner has one",
        ),
        (f"Web,web@x.example,{OTHER_KEY},b.nl,,,", f"'{OTHER_KEY}': line 2 gives this owner another one"),
        ("WEB,web@x.example,,b.nl,,,", "owner 'WEB': line 2 writes it otherwise: write one owner one way"),
    ],
)
def test_lines_that_contradict_each_other_are_refused(line: str, problem: str) -> None:
    (said,) = _refused(f"Web,web@x.example,{KEY},www.a.nl,,,", line)

    assert said.startswith("line 3, ")
    assert problem in said


def test_a_fingerprint_need_not_stand_on_every_line_of_its_owner() -> None:
    lines = [
        f"Web,web@x.example,{key},{host},,," for key, host in [("", "a.nl"), (KEY, "b.nl"), ("", "c.nl")]
    ]

    assert _read(*lines).owners["Web"].fingerprint == KEY


def test_a_file_without_the_column_says_nothing_about_fingerprints() -> None:
    with_column = _read("Web,web@x.example,,a.nl,,,")
    without = _read("Web,web@x.example,a.nl", header="owner,address,asset")

    assert with_column.owners["Web"].fingerprint == ""
    assert without.owners["Web"].fingerprint is None


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("", "line 1: the header lacks owner, address, asset: its columns are owner, address, fingerprint"),
        ("owner\taddress\tasset", "the header lacks owner, address, asset"),
        ("owner,asset", "line 1: the header lacks address"),
        ("owner,address,asset,team", "line 1, header 'team': it is none of the columns owner, address"),
        ("owner,address,asset,owner", "the header names a column twice"),
    ],
)
def test_a_header_that_does_not_name_the_columns_is_refused(header: str, problem: str) -> None:
    (said,) = _refused("Web,web@x.example,a.nl", header=header) if header else _problems(b"")

    assert problem in said


def test_a_file_without_assets_is_refused_for_what_it_would_do() -> None:
    assert _refused() == ["line 1: the file lists no asset, and would take every imported one away"]


@pytest.mark.parametrize(
    ("encoding", "mark", "problem"),
    [
        ("cp1252", b"", "line 3: byte 0xFC is not UTF-8: save the file as 'CSV UTF-8'"),
        ("utf-16-le", b"\xff\xfe", "line 1: byte 0xFF is not UTF-8"),
    ],
)
def test_another_encoding_is_named_by_its_first_byte(encoding: str, mark: bytes, problem: str) -> None:
    written = f"{HEADER}\nWeb,web@x.example,,a.nl,,,\nBürger,b@x.example,,b.nl,,,"

    (said,) = _problems(mark + written.encode(encoding))

    assert said.startswith(problem)


def test_a_file_that_is_far_too_large_is_not_read() -> None:
    assert _problems(b"x" * (64 * 2**20 + 1)) == [
        "line 1: the file is larger than 64 MiB: is it the right one?"
    ]


def test_every_problem_of_a_file_is_told_at_once() -> None:
    said = _refused("Web,nobody,KEY,,,,", "", "Net,net@x.example,,b.nl,x,1,2")

    assert [each.partition(":")[0] for each in said] == [
        "line 2, address 'nobody'",
        "line 2, fingerprint 'KEY'",
        "line 2, asset ''",
        "line 4, valid_from '1'",
        "line 4, valid_until '2'",
        "line 4, kind 'x'",
    ]


def test_of_very_many_problems_the_first_are_shown_and_the_others_counted() -> None:
    with pytest.raises(OwnerFileRefused) as refusal:
        _read(*["Web,web@x.example,,*.nl,,,"] * (MOST_PROBLEMS + 7))

    assert (len(refusal.value.problems), refusal.value.more) == (MOST_PROBLEMS, 7)
    assert str(refusal.value).endswith("and 7 more problems, which are shown once these are corrected")


def test_a_cell_of_two_lines_does_not_shift_the_numbers_of_the_lines_after_it() -> None:
    said = _refused('"W\neb",web@x.example,,a.nl,,,', "Web,nobody,,b.nl,,,")

    assert [each.partition(",")[0] for each in said] == ["line 2", "line 4"]
