"""Letters made to hurt, or written by broken programs: bounded in time and memory, and no text is lost."""

import base64
import binascii
import time
import tracemalloc

import pytest
from meldbalie.mailbox.automatic import bounced_addresses, why_automatic
from meldbalie.mailbox.html_text import text_of
from meldbalie.mailbox.letter import Letter
from meldbalie.mailbox.limits import Limits
from meldbalie.mailbox.parts import Part
from meldbalie.mailbox.targets import find_targets
from meldbalie.mailbox.words import decoded, from_base64
from meldbalie.tests.hostile import FAMILIES, HEAD, Family, letter

REPORT = "Lek in C:\\new\\temp\t é  \n\nnog een regel\n"
LIMITS = Limits()
WORTH_COMPARING = 0.05  # seconds; less says nothing on a busy machine


def read_in_full(raw: bytes) -> Letter:
    """Ask everything of a letter that can be asked without gpg."""
    found = Letter.read(raw)
    text = "".join(shown(part) for part in found.root.walk() if not part.children)[: LIMITS.text]
    find_targets(text)
    assert isinstance(found.message_id + found.subject + str(found.date), str)
    assert found.has_one_sender in (True, False)
    asked = (found.reply_to, found.to, found.cc, found.delivered_to, found.in_reply_to, found.references)
    assert asked is not None
    why_automatic(found)
    bounced_addresses(found)
    return found


def shown(part: Part) -> str:
    text = part.text() + part.file_name
    return text_of(text, limit=LIMITS.html) if part.content_type == "text/html" else text


def cost(family: Family, size: int) -> float:
    """The processor time for a letter of this size: the better of two."""
    raw, took = family(size), list[float]()
    for _ in range(2):
        started = time.process_time()
        read_in_full(raw)
        took.append(time.process_time() - started)
    return min(took)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_letter_four_times_as_large_costs_no_more_than_its_size(name: str) -> None:
    family, size = FAMILIES[name], 500
    while (took := cost(family, size)) < WORTH_COMPARING and len(family(size * 4)) < 2_000_000:
        size *= 2

    ratio = cost(family, size * 4) / max(took, WORTH_COMPARING)

    assert ratio < 10, f"quadratic would be 16, of {size}"


def test_long_boundaries_make_a_letter_no_dearer() -> None:
    short, long = (cost(FAMILIES["siblings below long boundaries"], size) for size in (10, 20_000))
    assert long < 20 * max(short, 0.01)


def test_a_layout_that_outgrows_its_page_is_not_used() -> None:
    source = "<ul><li>" * 100 + "x<br>" * 20_000
    assert len(text_of(source, limit=LIMITS.html)) <= len(source)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_letter_takes_memory_in_proportion_to_its_size(name: str) -> None:
    raw = FAMILIES[name](1_000)
    tracemalloc.start()
    try:
        read_in_full(raw)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 30_000_000 + 20 * len(raw)


# Broken letters


def text_of_letter(raw: bytes) -> str:
    parts = [part for part in Letter.read(raw).root.walk() if not part.is_multipart]
    return "".join(part.text() for part in parts)


ENCODED = base64.encodebytes(REPORT.encode())
PART = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" + ENCODED
PARTS = b"--aaa\r\n" + PART + b"\r\n--aaa--\r\n"


@pytest.mark.parametrize(
    "content_type",
    [
        b"multipart/mixed; boundary=aaa",
        b"multipart/mixed (comment); boundary=aaa",
        b"multipart/mixed boundary=aaa",
        b"multipart/mixed",
        b"multipart; boundary=aaa",
        b"multipart/; boundary=aaa",
        b"Multipart / Mixed; boundary=aaa",
        b"multipart/mixed; boundary=AAA",
        b"multipart/mixed; boundary=anders",
        b"multipart/mixed; boundary=bbb; boundary=aaa",
        b'multipart/mixed; boundary=""',
        b'multipart/mixed; boundary="aaa',
        b"multipart/mixed; boundary*0=a; boundary*1=aa",
        b"multipart/mixed; boundary*=us-ascii''aaa",
        b'multipart/mixed; boundary="a\\aa"',
    ],
)
def test_a_boundary_is_found_whatever_the_header_says(content_type: bytes) -> None:
    assert text_of_letter(letter(content_type, PARTS)) == REPORT
    assert text_of_letter(letter(content_type, b"This is a multi-part message.\r\n" + PARTS)) == REPORT


def test_a_boundary_is_not_made_up_in_prose() -> None:
    prose = b"multipart/mixed", b"Dit is\r\n-- geen grens\r\n--\r\nSanne\r\n"
    assert text_of_letter(letter(*prose)) == "Dit is\n-- geen grens\n--\nSanne\n"


@pytest.mark.parametrize("boundary", [b"x" * 2000, b"x" * 7000, b"[.*]", b"--", b"x--", b"a b", b"\xe9\xff"])
def test_any_boundary_divides(boundary: bytes) -> None:
    body = b"--" + boundary + b"\r\n\r\neen\r\n--" + boundary + b"\r\n\r\ntwee\r\n--" + boundary + b"--\r\n"
    found = Letter.read(letter(b'multipart/mixed; boundary="' + boundary + b'"', body))
    assert [part.content() for part in found.root.children] == [b"een", b"twee"]


@pytest.mark.parametrize(
    "content_type", [b"text", b"text/", b"/plain", b"/", b"plain", b"text/plain/x", b"\xff"]
)
def test_a_type_that_cannot_be_read_is_plain_text(content_type: bytes) -> None:
    assert Letter.read(letter(content_type, b"x")).root.content_type == "text/plain"


@pytest.mark.parametrize("line_end", [b"\r", b"\n", b"\r\n"])
def test_a_letter_has_lines_of_any_sort(line_end: bytes) -> None:
    raw = letter(b"multipart/mixed; boundary=aaa", PARTS).replace(b"\r\n", b"\n").replace(b"\n", line_end)
    found = Letter.read(raw)
    assert (found.subject, found.sender, found.raw) == ("lek", "r@melder.example", raw)
    assert text_of_letter(raw) == REPORT


UUENCODED = b"".join(
    binascii.b2a_uu(REPORT.encode()[start : start + 45]) for start in range(0, len(REPORT.encode()), 45)
)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (b"BASE64", ENCODED),
        (b'"base64"', ENCODED),
        (b"base64 (comment)", ENCODED),
        (b"base64;", ENCODED),
        (b"base64", ENCODED.rstrip(b"=\n")),
        (b"base64", b"\r\n".join(ENCODED[start : start + 4] for start in range(0, len(ENCODED), 4))),
        (b"base64", b"  ".join(ENCODED[start : start + 8] for start in range(0, len(ENCODED), 8))),
        (b"base64", ENCODED + b"--\nDe lijst heeft een voet\n"),
        (b"base64", REPORT.encode()),
        (b"uuencode", b"begin 644 x.txt\n" + UUENCODED + b"`\nend\n"),
        (b"x-uuencode", b"zie onder\nbegin 644 x.txt\n" + UUENCODED + b"end\n"),
        (b"x-uue", REPORT.encode()),
        (b"rot13", REPORT.encode()),
    ],
)
def test_a_transfer_encoding_is_undone_however_it_is_written(encoding: bytes, body: bytes) -> None:
    raw = letter(b"text/plain; charset=utf-8", body, b"Content-Transfer-Encoding: " + encoding)
    assert text_of_letter(raw) == REPORT


def test_prose_that_calls_itself_base64_is_kept() -> None:
    assert from_base64(b"Van de lijst:\n" + ENCODED) == REPORT.encode()
    assert from_base64(b"Dit is geen base64, maar tekst.") == b"Dit is geen base64, maar tekst."


@pytest.mark.parametrize(
    ("declared", "text"),
    [
        ("cp037", "C:\\new\\temp"),
        ("cp500", "~{}|^ $PATH"),
        ("utf-32", "C:\\new\\temp"),
        ("shift_jis_2004", "C:\\new\\temp ~"),
        ("shift_jis", "C:\\new\\temp ~ 日本①"),
        ("windows-31j", "日本①"),
        ("x-euc", "日本"),
        ("ks_c_5601-1987", "한국 똠"),
        ("x-mac-cyrillic", "Привет"),
        ("tis-620", "สวัสดี“"),
        ("iso-8859-9", "İş€"),
    ],
)
def test_a_charset_is_what_its_senders_mean(declared: str, text: str) -> None:
    written = {
        "shift_jis": "cp932",
        "windows-31j": "cp932",
        "x-euc": "euc_jp",
        "ks_c_5601-1987": "cp949",
        "x-mac-cyrillic": "mac_cyrillic",
        "tis-620": "cp874",
        "iso-8859-9": "cp1254",
    }
    assert decoded(text.encode(written.get(declared, "ascii")), declared) == text


# What a reader sees


def test_a_senders_name_is_decoded_and_safe_to_show() -> None:
    raw = b'From: =?utf-8?q?Ren=C3=A9e?= "de \\"Vries\\"" =?utf-8?b?4oCu?= <r@x.example>\n\n'
    (sender,) = Letter.read(raw).from_mailboxes
    assert (sender.name, sender.address) == ('Renée de "Vries"', "r@x.example")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<p>Open</p><div style='display:none'>dicht</div>", "Open\n\n[hidden: dicht]"),
        ("a<span style='font-size:0px'>b</span>c", "a[hidden: b]c"),
        ("<p hidden>dicht</p>", "[hidden: dicht]"),
        ("<style>.h{display:none}</style><b class='a h'>dicht</b>", "[hidden: dicht]"),
        ("<style>#h, p.h {visibility : hidden !important}</style><b id=h>dicht</b>", "[hidden: dicht]"),
        ("<style>@media (max-width:9px){.m{display:none}}</style><b class=m>open</b>", "open"),
        ("<p style='text-indent:-9999px'>dicht", "[hidden: dicht]"),
        ("<p style='opacity:0.9;line-height:0.5em;height:100%;font-size:10px'>open", "open"),
        ("<div hidden><img src=x></div>open", "open"),
        ("<span>C:\\new</span><span>\\temp</span>", "C:\\new\\temp"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c<td>d</table>", "a b\nc d"),
        ("<pre>a\n\tb   c</pre>", "a\n\tb   c"),
        ("<ul><li>" * 200 + "woord", "woord"),
    ],
)
def test_html_shows_what_was_shown_and_says_what_was_hidden(source: str, text: str) -> None:
    assert text_of(source, limit=100_000) == text


def test_every_byte_of_a_proof_of_concept_stays() -> None:
    text = "C:\\new\\temp\t  \n%0d%0a=41 +AOk- &amp; <b>\n\x0b\x1b[31m\u202e\u200b\n" + "x" * 100_000 + " \n"
    raw = HEAD + b"\r\n" + text.replace("\n", "\r\n").encode()
    assert text_of_letter(raw) == text
    assert Letter.read(raw).raw is raw
