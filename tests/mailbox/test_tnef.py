"""What Outlook packs into winmail.dat comes out: text, files to their last byte, letters inside."""

import base64
import struct
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meldbalie.mailbox.letter import Letter
from meldbalie.mailbox.limits import Limits
from meldbalie.mailbox.parts import Part
from meldbalie.mailbox.problem import Problem
from meldbalie.mailbox.tnef import is_tnef, unpack
from meldbalie.tests.hostile import letter

START = b"\x78\x9f\x3e\x22\x01\x00"
ZEROS = b"%PDF-1.7 \xff\x00\x00\x00"
MESSAGE = bytes.fromhex("0703020000000000c000000000000046")


def attribute(identity: int, value: bytes, level: int = 1) -> bytes:
    return struct.pack("<BHHI", level, identity, 6, len(value)) + value + b"\0\0"


def wide(identity: int, text: str) -> bytes:
    return packed(0x1F, identity, (text + "\0").encode("utf-16-le"))


def packed(kind: int, identity: int, value: bytes) -> bytes:
    return struct.pack("<HHII", kind, identity, 1, len(value)) + value + b"\0" * (-len(value) % 4)


def number(identity: int, value: int) -> bytes:
    return struct.pack("<HHI", 3, identity, value)


UTF_8 = number(0x3FDE, 65001)
TWO_NUMBERS = struct.pack("<HHIII", 0x1003, 9, 2, 1, 2)


def properties(*each: bytes) -> bytes:
    return struct.pack("<I", len(each)) + b"".join(each)


def file(content: bytes, *each: bytes, title: bytes = b"KORT~1.PDF\0") -> bytes:
    return (
        attribute(0x9002, b"\0" * 14, 2)
        + attribute(0x8010, title, 2)
        + attribute(0x800F, content, 2)
        + attribute(0x9005, properties(*each), 2)
    )


def winmail(*attributes: bytes) -> bytes:
    return START + attribute(0x9007, struct.pack("<II", 1252, 0)) + b"".join(attributes)


def in_a_letter(content: bytes, *, text: bytes = b"", kind: bytes = b"application/ms-tnef") -> Letter:
    body = b"--b\r\n\r\n" + text + b"\r\n--b\r\nContent-Type: " + kind + b"; name=winmail.dat\r\n"
    body += b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(content) + b"--b--\r\n"
    return Letter.read(letter(b"multipart/mixed; boundary=b", body))


def leaves(found: Letter) -> list[Part]:
    return [part for part in found.root.walk() if not part.children]


def test_files_keep_their_names_their_types_and_every_byte() -> None:
    report = file(ZEROS, wide(0x3707, "résumé €.pdf"), packed(0x1E, 0x370E, b"application/pdf\0"))
    found = unpack(winmail(report, file(b"x", title=b"caf\xe9.txt\0")))

    assert [(one.name, one.content_type, one.content) for one in found.files] == [
        ("résumé €.pdf", "application/pdf", ZEROS),
        ("café.txt", "application/octet-stream", b"x"),
    ]
    assert found.is_whole


@pytest.mark.parametrize(
    ("attributes", "text", "html"),
    [
        (attribute(0x800C, b"caf\xe9\0"), "café", ""),
        (attribute(0x9003, properties(UTF_8, wide(0x1000, "é\r\n"))), "é\r\n", ""),
        (attribute(0x9003, properties(packed(0x102, 0x1013, b"<b>\xe9"))), "", "<b>é"),
        (attribute(0x9003, properties(UTF_8, packed(0x102, 0x1013, "<b>é".encode()))), "", "<b>é"),
        (attribute(0x9003, properties(TWO_NUMBERS, wide(0x1000, "x"))), "x", ""),
    ],
)
def test_the_text_is_found_wherever_it_stands(attributes: bytes, text: str, html: str) -> None:
    found = unpack(winmail(attributes))
    assert (found.text, found.html, found.is_whole) == (text, html, True)


def test_properties_with_names_are_passed_over() -> None:
    set_of_names, name = b"\1" * 16, "x\0".encode("utf-16-le")
    named = (
        struct.pack("<HH", 3, 0x8001) + set_of_names + struct.pack("<II", 1, len(name)) + name + b"\0\0\0\0"
    )
    numbered = struct.pack("<HH", 0x0B, 0x8002) + set_of_names + struct.pack("<II", 0, 7) + b"\1\0\0\0"
    assert (
        unpack(winmail(attribute(0x9003, properties(named, numbered, wide(0x1000, "tekst"))))).text == "tekst"
    )


def test_a_letter_shows_what_is_in_its_winmail_dat() -> None:
    content = winmail(attribute(0x800C, b"Lek in C:\\new\\temp\0"), file(ZEROS, wide(0x3707, "bewijs.pdf")))
    text, proof = leaves(in_a_letter(content))[-2:]
    assert (text.content_type, text.text()) == ("text/plain", "Lek in C:\\new\\temp")
    assert (proof.file_name, proof.content()) == ("bewijs.pdf", ZEROS)


def test_the_text_of_the_letter_is_not_said_twice() -> None:
    content = winmail(attribute(0x800C, b"Lek\0"), file(ZEROS))
    assert [part.content() for part in leaves(in_a_letter(content, text=b"Lek"))] == [b"Lek", ZEROS]


def test_text_that_is_only_there_in_rtf_is_kept_in_the_file_itself() -> None:
    content = winmail(attribute(0x9003, properties(packed(0x102, 0x1009, b"LZFu"))), file(ZEROS))
    assert [part.content() for part in leaves(in_a_letter(content))[1:]] == [ZEROS, content]
    assert len(leaves(in_a_letter(content, text=b"Lek"))) == 2


@pytest.mark.parametrize("cut", range(20, 200, 9))
def test_what_is_cut_short_is_taken_as_far_as_it_goes_and_kept(cut: int) -> None:
    content = winmail(file(ZEROS * 9, wide(0x3707, "bewijs.pdf")))[:-cut]
    found = leaves(in_a_letter(content))
    assert found[-1].content() == content


def test_letters_inside_each_other_end_at_the_limit() -> None:
    content = winmail(attribute(0x800C, b"Lek\0"))
    for _ in range(3):
        content = winmail(file(b"", packed(0x0D, 0x3701, MESSAGE + content)))
    assert leaves(in_a_letter(content))[-1].text() == "Lek"
    for _ in range(3):
        content = winmail(file(b"", packed(0x0D, 0x3701, MESSAGE + content)))
    assert in_a_letter(content).problem is Problem.TOO_DEEP


def test_more_files_than_parts_are_allowed_stay_packed() -> None:
    content = winmail(*[file(b"x")] * 20)
    body = letter(b"application/ms-tnef", content)
    assert Letter.read(body, Limits(parts=10)).problem is Problem.TOO_MANY_PARTS
    assert Letter.read(body).problem is None


def test_a_name_cannot_become_a_header() -> None:
    found = Letter.read(
        letter(b"application/ms-tnef", winmail(file(b"x", wide(0x3707, '"\r\nX: y;a=\u202e'))))
    )
    assert leaves(found)[0].file_name == '"X: y;a='


@pytest.mark.parametrize(
    "kind", [b"application/ms-tnef", b"application/vnd.ms-tnef", b"application/octet-stream"]
)
def test_a_winmail_dat_is_known_by_type_or_name(kind: bytes) -> None:
    assert leaves(in_a_letter(winmail(file(ZEROS)), kind=kind))[-1].content() == ZEROS


def test_a_file_that_only_calls_itself_so_stays_as_it_is() -> None:
    assert not is_tnef(b"x")
    assert leaves(in_a_letter(b"geen TNEF"))[-1].content() == b"geen TNEF"


_COUNTS = struct.pack("<I", 0xFFFFFFFF)
HOSTILE: dict[str, Callable[[int], bytes]] = {
    "properties without number": lambda size: attribute(0x9003, _COUNTS + b"\1\0" * size),
    "values without number": lambda size: attribute(0x9003, properties(COUNTED_VALUES + b"\0" * size)),
    "widths without number": lambda size: attribute(0x9003, properties(COUNTED_WIDTHS + b"\0" * size)),
    "attributes": lambda size: attribute(0x9002, b"", 2) * size,
    "a length beyond the end": lambda size: struct.pack("<BHHI", 1, 0x800C, 6, 0xFFFFFFFF) + b"x" * size,
}
COUNTED_VALUES = struct.pack("<HHI", 0x101F, 1, 0xFFFFFFFF)
COUNTED_WIDTHS = struct.pack("<HHI", 0x1003, 1, 0xFFFFFFFF)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_winmail_dat_four_times_as_large_costs_no_more_than_its_size(name: str) -> None:
    def cost(size: int) -> float:
        return min(once(size) for _ in range(2))  # the machine may have been busy with something else

    def once(size: int) -> float:
        content, started = winmail(HOSTILE[name](size)), time.process_time()
        assert len(list(Letter.read(letter(b"application/ms-tnef", content)).root.walk())) <= Limits().parts
        return time.process_time() - started

    assert cost(2_000_000) < 10 * max(cost(500_000), 0.05)


def test_what_a_stranger_counts_is_not_believed() -> None:
    content = winmail(attribute(0x9003, _COUNTS + struct.pack("<HH", 1, 1) * 9000 + wide(0x1000, "x")))
    found = unpack(content)
    assert (found.text, found.is_whole) == ("", False)


@settings(max_examples=200, deadline=None)
@given(raw=st.binary(max_size=300), cut=st.integers(0, 400))
def test_no_bytes_make_it_raise(raw: bytes, cut: int) -> None:
    unpack(START + raw)
    unpack((winmail(attribute(0x9003, properties(wide(0x1000, "x"))), file(ZEROS)) + raw)[:cut])
    unpack(winmail(attribute(0x9003, raw)))
