"""Armour in whatever state it arrives: what was put in comes out again, and everything else stays text."""

import base64
import time
from codecs import BOM_UTF8

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meldbalie.mailbox.armour import Sort, is_key_file, is_sealed_file, stretches, unarmoured, unarmoured_keys

_MESSAGES = st.binary(min_size=60, max_size=400).map(lambda body: b"\x84\x5e\x03" + body)


def armoured(octets: bytes, checksum: bytes = b"=AAAA\n") -> bytes:
    lines = base64.b64encode(octets)
    wrapped = b"".join(lines[at : at + 64] + b"\n" for at in range(0, len(lines), 64))
    return b"-----BEGIN PGP MESSAGE-----\n\n" + wrapped + checksum + b"-----END PGP MESSAGE-----\n"


@given(
    octets=_MESSAGES,
    checksum=st.sampled_from([b"", b"=AAAA\n", b"\xabCD\n"]),
    margin=st.sampled_from([b"", b"> ", b"    ", b">> ", b"| "]),
    line_end=st.sampled_from([b"\n", b"\r\n", b" \n", b"\n\n"]),
    fields=st.sampled_from([b"", b"Version: x\n", b"Version: x\nComment: https://x.example/y\n"]),
)
def test_what_was_armoured_comes_out_again(
    octets: bytes, checksum: bytes, margin: bytes, line_end: bytes, fields: bytes
) -> None:
    block = armoured(octets, checksum).replace(b"-----\n\n", b"-----\n" + fields + b"\n", 1)
    arrived = b"".join(margin + line + line_end for line in block.splitlines())
    assert unarmoured(arrived) == octets
    assert unarmoured(b"Hallo,\n" + arrived + b"Groet\n") == octets


@given(st.binary(max_size=400))
def test_nothing_is_lost_and_nothing_raised_for_any_bytes(octets: bytes) -> None:
    for text in (
        octets,
        b"-----BEGIN PGP MESSAGE-----\n" + octets,
        octets + armoured(b"\x84\x5e\x03" + octets),
    ):
        assert b"".join(stretch.octets for stretch in stretches(text)) == text.removeprefix(BOM_UTF8)
        unarmoured(text)
        unarmoured_keys(text)
        is_sealed_file(text, "x.gpg")
        is_key_file(text, "x.gpg")


@pytest.mark.parametrize(
    "line",
    [
        b"> > > > >",
        b"-----BEGIN PGP MESSAGE-----",
        b"-----BEGIN PGP SIGNED MESSAGE-----",
        b"=" * 76,
        b"A" * 76,
    ],
)
def test_hostile_text_takes_time_in_proportion_to_its_length(line: bytes) -> None:
    def seconds(times: int) -> float:
        text = b"-----BEGIN PGP MESSAGE-----\n" + (line + b"\n") * times
        started = time.process_time()
        list(stretches(text))
        unarmoured(text)
        return time.process_time() - started

    few, many = (min(seconds(times) for _ in range(3)) for times in (4_000, 40_000))
    assert many < 50 * few  # quadratic time would be a hundred times as much


@pytest.mark.parametrize(
    ("start", "name", "is_sealed"),
    [
        (b"\x85\x01\x0c\x03" + bytes(8) + b"\x01" + bytes(20), "foto.jpg", True),
        (b"\x84\x5e\x03" + bytes(8) + b"\x12" + bytes(20), "", True),
        (b"\x84\x5e\x03" + bytes(8) + b"\x77" + bytes(20), "foto.jpg", False),
        (b"\xd2\x50\x01" + bytes(30), "foto.jpg", False),
        (b"\xd2\x50\x01" + bytes(30), "foto.jpg.gpg", True),
        (b"\xa3\x01" + bytes(30), "rapport.pdf.gpg", True),
        (b"\xa3\x01" + bytes(30), "rapport.pdf", False),
        (b"\x89PNG\r\n\x1a\n", "foto.png.gpg", False),
        (b"\xff\xd8\xff\xe0", "foto.jpg", False),
        (b"PK\x03\x04", "zip.gpg", False),
    ],
)
def test_a_sealed_file_is_told_from_others(start: bytes, name: str, is_sealed: bool) -> None:
    assert is_sealed_file(start, name) is is_sealed


@pytest.mark.parametrize("margin", [b"", b"> ", b"  "])
def test_what_is_written_behind_a_quoted_block_stays_text(margin: bytes) -> None:
    block = b"".join(margin + line + b"\n" for line in armoured(b"\x84\x5e\x03" + bytes(80)).splitlines())
    found = [(stretch.sort, stretch.octets) for stretch in stretches(b"Hallo\n" + block + b"Groet\n")]
    assert found == [(Sort.PLAIN, b"Hallo\n"), (Sort.MESSAGE, block), (Sort.PLAIN, b"Groet\n")]


def test_prose_with_empty_blocks_is_all_plain() -> None:
    prose = b"-----BEGIN PGP MESSAGE-----\n...\n-----END PGP MESSAGE-----\nen\n"
    prose += b"-----BEGIN PGP SIGNED MESSAGE-----\n"
    assert {stretch.sort for stretch in stretches(prose)} == {Sort.PLAIN}
