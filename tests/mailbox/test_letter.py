"""Letters taken apart: honest ones, broken ones, and those that are made to hurt."""

import hashlib
import time
from datetime import UTC, datetime, timedelta, timezone
from encodings.aliases import aliases
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meldbalie.mailbox.addresses import address_of_user_id, mailboxes, same_address
from meldbalie.mailbox.html_text import text_of
from meldbalie.mailbox.letter import Letter
from meldbalie.mailbox.limits import Limits
from meldbalie.mailbox.parts import Part, split
from meldbalie.mailbox.problem import Problem
from meldbalie.mailbox.words import charset, decoded, file_name, from_base64, shown, unfolded


def read(*lines: bytes, body: bytes = b"tekst") -> Letter:
    return Letter.read(b"\r\n".join((*lines, b"", body)))


# Headers


def test_a_message_id_is_kept_and_a_missing_one_is_made_from_the_bytes() -> None:
    without = read(b"Subject: x")
    digest = hashlib.sha256(without.raw).hexdigest()
    assert read(b"Message-ID:\r\n <a.b@c.example> (comment)").message_id == "<a.b@c.example>"
    assert read(b"Message-ID: kaal@c.example").message_id == "<kaal@c.example>"
    assert without.message_id == f"<sha256-{digest}@no-message-id.invalid>"
    assert read(b"Message-ID: <>").message_id.endswith("@no-message-id.invalid>")
    assert Letter.read(without.raw).message_id == without.message_id


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"=?utf-8?q?L=C3=A9k?=", "Lék"),
        (b"=?utf-8?q?L=C3?= =?utf-8?q?=A9k?=", "Lék"),
        (b"=?ISO-8859-1?B?6Q==?= en =?utf-8*nl?b?w6k=?=", "é en é"),
        (b"=?onbekend?q?L=E9k?=", "Lék"),
        (b"=?unicode_escape?q?C:=5Cnew?=", "C:\\new"),
        (b"=?utf-8?b?w6k?= kort", "é kort"),
        (b"=?utf-8?q?vraag?teken?=", "vraag?teken"),
        ("Rauw é".encode(), "Rauw é"),
        ("Rauw é".encode("latin-1"), "Rauw é"),
        (b"een\r\n gevouwen\r\n\tkop", "een gevouwen\tkop"),
        (b"=?utf-8?q?niet af", "=?utf-8?q?niet af"),
        (b"=?utf-8?b?w6lu\r\n IGdldm91d2Vu?= woord", "én gevouwen woord"),
        (b"nul\0byte", "nul\0byte"),
    ],
)
def test_a_header_is_decoded_as_its_sender_meant_it(value: bytes, text: str) -> None:
    assert unfolded(value) == text


def test_a_subject_is_safe_to_show() -> None:
    assert read(b"Subject: a\x00b\x1b[31m \xe2\x80\xae omgekeerd").subject == "a b [31m   omgekeerd"
    assert len(read(b"Subject: " + b"x" * 100_000).subject) == 1000


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (b"Sat, 21 Nov 2026 12:00:00 +0100", datetime(2026, 11, 21, 12, tzinfo=timezone(timedelta(hours=1)))),
        (b"Sat, 21 Nov 2026 12:00:00 -0000", datetime(2026, 11, 21, 12, tzinfo=UTC)),
        (b"gisteren", None),
        (b"Sat, 99 Nov 99999 12:00:00 +0000", None),
        (b"", None),
        (b"\xff" * 200, None),
    ],
)
def test_a_date_is_aware_or_missing(value: bytes, moment: datetime | None) -> None:
    assert read(b"Date: " + value).date == moment


def test_every_address_header_can_be_asked_for() -> None:
    letter = read(
        b"From: R <r@x.example>",
        b"Reply-To: antwoord@x.example",
        b"To: cvd+abc@gemeente.example, B <b@y.example>",
        b"Cc: undisclosed-recipients:;",
        b"Delivered-To: cvd+tok@gemeente.example",
        b"X-Original-To: cvd+tok@gemeente.example",
        b"In-Reply-To: <1@x>",
        b"References: <0@x>\r\n <1@x> <0@x>",
    )
    assert (letter.sender, letter.reply_to, letter.cc) == ("r@x.example", ("antwoord@x.example",), ())
    assert letter.to == ("cvd+abc@gemeente.example", "b@y.example")
    assert letter.delivered_to == ("cvd+tok@gemeente.example",)
    assert (letter.in_reply_to, letter.references) == (("<1@x>",), ("<0@x>", "<1@x>"))


@pytest.mark.parametrize(
    ("value", "address", "is_one"),
    [
        (b"R <r@x.example>", "r@x.example", True),
        (b"r@x.example (Renee (de) Vries)", "r@x.example", True),
        (b'"Vries, R. de" <r@x.example>', "r@x.example", True),
        (b'"jan jansen"@x.example', '"jan jansen"@x.example', True),
        (b"r@x.example <r@x.example>", "r@x.example", True),
        (b'"ander@y.example" <r@x.example>', "r@x.example", True),
        (b"ander@y.example <r@x.example>", "r@x.example", False),
        (b"r@x.example, s@x.example", "r@x.example", False),
        (b"<r@x.example> <s@x.example>", "r@x.example", False),
        (b"<@relay.example:r@x.example>", "r@x.example", True),
        (b"groep: r@x.example;", "r@x.example", True),
        (b"r@[192.0.2.1]", "r@[192.0.2.1]", True),
        (b"Renee r@x.example", "r@x.example", False),
        (b"<mailto:r@x.example>", "r@x.example", False),
        (b"a@x.example b@y.example", None, False),
        (b"niemand", None, False),
        (b"", None, False),
        (b"(((((" * 1000, None, False),
        (b'"' * 1000, None, False),
        (b"<" * 1000, None, False),
    ],
)
def test_the_one_sender_is_known_or_doubted(value: bytes, address: str | None, is_one: bool) -> None:
    letter = read(b"From: " + value)
    assert (letter.sender, letter.has_one_sender) == (address, is_one)


def test_two_from_headers_are_seen() -> None:
    letter = read(b"From: a@x.example", b"FROM: b@x.example")
    assert [one.address for one in letter.from_mailboxes] == ["a@x.example", "b@x.example"]
    assert not letter.has_one_sender
    assert not read(b"From: a@x.example", b"From: a@x.example").has_one_sender


def test_a_hundred_thousand_recipients_cost_no_time() -> None:
    many = b"To: " + b",\r\n ".join(b"naam%d@x.example" % number for number in range(100_000))
    started = time.process_time()
    letter = read(many, b"Subject: erna")
    assert (letter.subject, len(letter.to)) == ("erna", 1000)
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("user_id", "address"),
    [
        ("R <r@x.example>", "r@x.example"),
        ("r@x.example", "r@x.example"),
        ('"a@b.example" <r@x.example>', "r@x.example"),
        ("<a@b.example> <r@x.example>", None),
        ("<r@x.example> achteraan", None),
        ("R <r@x.example\u2028>", None),
        ("geen adres", None),
    ],
)
def test_a_user_id_names_one_address_or_none(user_id: str, address: str | None) -> None:
    assert address_of_user_id(user_id) == address


def test_addresses_are_one_whatever_their_ascii_case_only() -> None:
    assert same_address("R@X.example", "r@x.EXAMPLE")
    assert not same_address("\u212a@x.example", "k@x.example")
    assert not same_address("", "")


# Parts


def tree(part: Part) -> object:
    return [tree(child) for child in part.children] if part.children else part.content()


MIXED = b"""Content-Type: multipart/mixed; boundary="x"

preamble
--x
Content-Type: multipart/alternative; boundary=y

--y

een
--y \t
Content-Type: text/html

twee
--y--
epilogue
--x

drie

--x--
na
"""


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_parts_inside_parts_are_found(line_end: bytes) -> None:
    root, problem = split(MIXED.replace(b"\n", line_end), Limits())
    assert (tree(root), problem) == ([[b"een", b"twee"], b"drie" + line_end], None)


def test_missing_last_delimiters_lose_nothing() -> None:
    assert tree(split(MIXED.replace(b"--y--\nepilogue\n", b""), Limits())[0]) == [
        [b"een", b"twee"],
        b"drie\n",
    ]
    assert tree(split(MIXED.replace(b"--x--\nna\n", b""), Limits())[0]) == [[b"een", b"twee"], b"drie\n\n"]


def test_the_raw_bytes_of_a_part_are_those_between_the_delimiters() -> None:
    root, _ = split(MIXED, Limits())
    assert root.children[0].children[1].entity == b"Content-Type: text/html\n\ntwee"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"geen kop, alleen tekst\nen meer", "geen kop, alleen tekst\nen meer"),
        (b"\n\nSubject: x\n\ntekst", "tekst"),
        (b"From MAILER Sat Nov 21\nSubject: x\n\ntekst", "tekst"),
        (b"\xef\xbb\xbfSubject: x\n\ntekst", "tekst"),
        (b"Subject: x\ngeen kop\n\ntekst", "geen kop\n\ntekst"),
        (b"Subject: x", ""),
        (b"", ""),
        (b"Content-Type: multipart/mixed\n\ntekst", "tekst"),
        (b"Content-Type: multipart/mixed; boundary=nergens\n\ntekst", "tekst"),
        (b"Content-Type: text/plain; name*\n\ntekst", "tekst"),
        (b"Content-Type: \xff\xfe\n\ntekst", "tekst"),
    ],
)
def test_a_broken_letter_keeps_its_text(raw: bytes, text: str) -> None:
    assert Letter.read(raw).root.text() == text


@pytest.mark.parametrize("depth", [60, 1500, 100_000])
def test_nested_multiparts_end_at_the_limit(depth: int) -> None:
    level = b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n'
    letter = Letter.read(b"".join(level % (number, number) for number in range(depth)) + b"\ntekst")
    assert letter.problem is Problem.TOO_DEEP
    assert sum(1 for _ in letter.root.walk()) == Limits().depth + 1


def test_more_parts_than_the_limit_are_not_divided() -> None:
    letter = Letter.read(b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 50_000)
    assert letter.problem is Problem.TOO_MANY_PARTS
    assert len(letter.root.children) == Limits().parts - 1


def test_of_a_letter_beyond_the_size_limit_only_the_headers_are_read() -> None:
    letter = Letter.read(b"Subject: groot\n\n" + b"x" * 1000, Limits(size=500))
    assert (letter.problem, letter.subject, letter.root.text()) == (Problem.TOO_LARGE, "groot", "")


def test_more_header_fields_than_the_limit_are_named() -> None:
    letter = Letter.read(b"Subject: x\n" + b"X: y\n" * 5000 + b"\ntekst")
    assert (letter.problem, letter.subject, letter.root.text()) == (Problem.HEADERS_TOO_LARGE, "x", "tekst")


def test_a_header_field_that_is_cut_is_named() -> None:
    letter = Letter.read(b"Subject: " + b"x" * 100_000 + b"\n\ntekst")
    assert (letter.problem, letter.root.text()) == (Problem.HEADERS_TOO_LARGE, "tekst")


_HOSTILE = {
    "many delimiters that are none": b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n"
    + b"--bb\n" * 1_000_000,
    "delimiters without a blank line": b"Content-Type: multipart/mixed; boundary=b\n\n"
    + b"--b\na:b\n" * 300_000,
    "one endless header": b"X: " + b"a" * 10_000_000 + b"\n\n",
    "one endless fold": b"X: a\n" + b" b\n" * 2_000_000,
    "parameters without end": b"Content-Type: text/plain; " + b'a=";' * 500_000 + b"\n\n",
    "open brackets": b"From: " + b"<(" * 500_000 + b"\n\n",
    "encoded words that never end": b"Subject: " + b"=?utf-8?q?a" * 500_000 + b"\n\n",
    "base64 with blanks": b"Content-Transfer-Encoding: base64\n\n" + b"YWFh \n" * 1_000_000,
    "carriage returns": b"\r" * 10_000_000,
    "spaces behind a delimiter": b"Content-Type: multipart/mixed; boundary=b\n\n--b" + b" " * 5_000_000,
}


@pytest.mark.parametrize("hostile", sorted(_HOSTILE))
def test_a_letter_made_to_hurt_costs_little_time(hostile: str) -> None:
    started = time.process_time()
    letter = Letter.read(_HOSTILE[hostile])
    assert isinstance(letter.subject, str)
    assert letter.sender is None
    for part in letter.root.walk():
        part.text()
    assert time.process_time() - started < 4


# Contents


def test_broken_base64_keeps_what_can_be_decoded() -> None:
    assert from_base64(b"aGVsbG8=") == b"hello"
    assert from_base64(b"aGVs*bG8") == b"hello"
    assert from_base64(b"aGVsbG8=\naGVsbG8=\n") == b"hellohello"
    assert from_base64(b"aGVsbG8=\n______\nDe lijst heeft een voet\n") == b"hello"
    assert from_base64(b"aGVsbG8=aGVsb") == b"hellohel"
    assert from_base64(b"====") == b""


def test_a_transfer_encoding_that_nobody_knows_is_left_alone() -> None:
    assert read(b"Content-Transfer-Encoding: rot13", body=b"=41").root.content() == b"=41"
    assert read(b"Content-Transfer-Encoding: Quoted-Printable", body=b"=41=ZZ").root.content() == b"A=ZZ"


@pytest.mark.parametrize(
    ("octets", "declared", "text"),
    [
        ("é".encode(), "utf-8", "é"),
        ("é".encode("latin-1"), "utf-8", "é"),
        ("é".encode(), "us-ascii", "é"),
        ("é".encode("latin-1"), "us-ascii", "é"),
        ("é€".encode("cp1252"), "iso-8859-1", "é€"),
        (b"plat", "utf-16", "plat"),
        ("é".encode("utf-16"), "utf-16", "é"),
        (b"C:\\new\\temp", "unicode_escape", "C:\\new\\temp"),
        (b"C:\\new\\temp", "rot13", "C:\\new\\temp"),
        (b"C:\\new\\temp", "punycode", "C:\\new\\temp"),
        (b"x" * 10, "zlib", "x" * 10),
        ("é".encode(), "bestaat-niet", "é"),
        ("é".encode(), None, "é"),
        ("日本".encode("shift_jis"), "Shift_JIS", "日本"),
        (b"\xef\xbb\xbfbom", "utf-8", "bom"),
        (
            "een heel lange tekst met één é ".encode() * 3 + b"\xff",
            "utf-8",
            "een heel lange tekst met één é " * 3 + "\ufffd",
        ),
    ],
)
def test_a_charset_that_lies_costs_no_text(octets: bytes, declared: str | None, text: str) -> None:
    assert decoded(octets, declared) == text


def test_every_name_that_python_knows_is_a_charset_or_none() -> None:
    interpreting = {"unicode_escape", "raw_unicode_escape", "idna", "punycode", "undefined", "mbcs"}
    for name in {*aliases, *aliases.values(), *interpreting}:
        assert charset(name) not in interpreting
        assert isinstance(decoded(b"C:\\new \xe9", name), str)


def test_a_strangers_charset_imports_nothing() -> None:
    assert charset("meldbalie") is None
    assert charset("os") is None
    assert charset("aliases") is None
    assert charset(" 'UTF-8' ") == "utf-8"


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\poc.exe", "poc.exe"),
        ("a\u202egpj.exe", "a gpj.exe"),
        ("a\x00b\r\nc", "a b c"),
        ("..", ""),
        ("x" * 1000 + ".pdf", "x" * 200),
    ],
)
def test_a_file_name_is_safe_to_show(name: str, safe: str) -> None:
    assert file_name(name) == safe


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Disposition: attachment; filename*=utf-8''r%C3%A9sum%C3%A9.pdf",
        b"Content-Disposition: attachment; filename*0*=utf-8''r%C3%A9; filename*1*=sum%C3%A9.pdf",
        b'Content-Disposition: attachment; filename="=?utf-8?q?r=C3=A9sum=C3=A9.pdf?="',
        'Content-Disposition: attachment; filename="résumé.pdf"'.encode(),
        'Content-Disposition: attachment; filename="résumé.pdf"'.encode("latin-1"),
        b"Content-Type: application/pdf; name*=utf-8''r%C3%A9sum%C3%A9.pdf",
    ],
)
def test_a_file_name_is_found_however_it_was_written(header: bytes) -> None:
    assert read(header).root.file_name == "résumé.pdf"


def test_the_text_of_a_part_changes_nothing_but_line_ends() -> None:
    assert read(body=b"a\r\nb\rc\n\td  \r\n").root.text() == "a\nb\rc\n\td  \n"


def test_nothing_invisible_is_shown() -> None:
    assert shown("a\u200bb\u2066c\x85d") == "a b c d"


@pytest.mark.parametrize(
    "source",
    [
        "<div>" * 50000 + "woord",
        "<table><tr><td>" * 300 + "woord",
        "<" * 100000 + " woord",
        "<p>x</p>" * 400000 + "woord",
        "<b\x00>woord",
        "<!--" * 10000 + "woord",
        "<a href='" + "x" * 100000 + "'>woord</a>",
    ],
)
def test_html_made_to_hurt_costs_little_time_and_no_words(source: str) -> None:
    started = time.process_time()
    assert "woord" in text_of(source, limit=300_000)
    assert time.process_time() - started < 4


@settings(max_examples=200, deadline=None)
@given(raw=st.binary(max_size=300))
def test_no_bytes_make_an_accessor_raise(raw: bytes) -> None:
    letter = Letter.read(b"Content-Type: " + raw)
    for part in letter.root.walk():
        assert isinstance(part.text() + part.file_name + part.content_type, str)
    every = (letter.message_id, letter.subject, letter.sender, letter.date, letter.to, letter.references)
    assert every
    assert isinstance(unfolded(raw), str)
    assert mailboxes(raw.decode("latin-1")) is not None


def test_a_letter_kept_from_another_day_is_read(tmp_path: Path) -> None:
    letters = Path(__file__).parent.parent / "letters"
    for path in letters.glob("*.eml"):
        assert Letter.read(path.read_bytes()).message_id


def test_half_a_letter_never_comes_out_of_a_charset() -> None:
    """UTF-7 can write a lone surrogate, which no mail and no hash can carry."""
    letter = Letter.read(b"Subject: =?utf-7?q?+2AA-?=\n\nx")

    assert decoded(b"a+2AA-b", "utf-7") == "a\ufffdb"
    assert letter.subject.encode() == "\ufffd".encode()
