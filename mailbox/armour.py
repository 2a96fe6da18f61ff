"""OpenPGP in the middle of other bytes: which stretches of a text are sealed or signed, and what a
file holds."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Sort(StrEnum):
    """What a stretch of bytes is."""

    PLAIN = "plain"
    MESSAGE = "MESSAGE"
    """Sealed, or signed and packed."""
    SIGNED = "SIGNED MESSAGE"
    """Signed and readable."""
    KEY = "PUBLIC KEY BLOCK"


@dataclass(frozen=True)
class Stretch:
    """A run of bytes of one sort."""

    sort: Sort
    octets: bytes


_BEGIN = re.compile(rb"(?m)^-----BEGIN PGP (MESSAGE|SIGNED MESSAGE|PUBLIC KEY BLOCK)-----[ \t\r]*$")
_ENDS = {
    Sort.MESSAGE: re.compile(rb"(?m)^-----END PGP MESSAGE-----[ \t\r]*$\n?"),
    Sort.SIGNED: re.compile(rb"(?m)^-----END PGP SIGNATURE-----[ \t\r]*$\n?"),
    Sort.KEY: re.compile(rb"(?m)^-----END PGP PUBLIC KEY BLOCK-----[ \t\r]*$\n?"),
}
_ARMOURED_LINE = re.compile(rb"(?m)^[A-Za-z0-9+/]{20,76}={0,2}[ \t\r]*$")
_ANY_BLOCK = re.compile(
    r"(?ms)^-----BEGIN PGP ([A-Z ]{1,40})-----[ \t\r]*$.*?(?:^-----END PGP [A-Z ]{1,40}-----|\Z)"
)
_SNIFFED = 4096  # bytes at the start of a file
_MESSAGE_TAGS = frozenset({1, 3, 9, 18, 20})  # session keys and encrypted data, RFC 9580 section 5
_SUFFIXES = (".gpg", ".pgp", ".asc")


def stretches(octets: bytes) -> Iterator[Stretch]:
    """Divide a text into what is sealed, signed, a key, or none of these; together they are all its
    bytes.

    A block without its last line goes on to the end; without a line of armour it is prose about OpenPGP.
    """
    position = 0
    while begin := _BEGIN.search(octets, position):
        if begin.start() > position:
            yield Stretch(Sort.PLAIN, octets[position : begin.start()])
        sort = Sort(begin.group(1).decode())
        end = _ENDS[sort].search(octets, begin.end())
        position = end.end() if end else len(octets)
        is_prose = end is None and not _ARMOURED_LINE.search(octets, begin.end())
        yield Stretch(Sort.PLAIN if is_prose else sort, octets[begin.start() : position])
    if position < len(octets):
        yield Stretch(Sort.PLAIN, octets[position:])


def has_armour(octets: bytes) -> bool:
    """Tell cheaply whether there can be anything of OpenPGP in a text."""
    return b"-----BEGIN PGP " in octets


def without_armour(text: str) -> str:
    """Give a text without its armoured blocks, whose comments and versions name hosts of no
    interest."""
    return _ANY_BLOCK.sub("", text) if "-----BEGIN PGP " in text else text


def is_sealed_file(content: bytes, name: str) -> bool:
    """Tell whether an attachment is an OpenPGP message: armoured, or binary with a telling name."""
    start = content[:_SNIFFED].lstrip()
    if start.startswith(b"-----BEGIN PGP MESSAGE-----"):
        return True
    return name.lower().endswith(_SUFFIXES) and is_binary_message(content)


def is_binary_message(content: bytes) -> bool:
    """Tell whether the first packet can start an encrypted message."""
    tag = packet_tag(content)
    return tag in _MESSAGE_TAGS


def packet_tag(content: bytes) -> int | None:
    """Give the tag of the first OpenPGP packet; None when this is no packet (RFC 9580, section 4.2)."""
    if len(content) < 3 or not content[0] & 0x80:
        return None
    return content[0] & 0x3F if content[0] & 0x40 else (content[0] >> 2) & 0x0F


def is_key_file(content: bytes) -> bool:
    """Tell whether an attachment is an armoured public key."""
    return content[:_SNIFFED].lstrip().startswith(b"-----BEGIN PGP PUBLIC KEY BLOCK-----")


def bare_name(name: str) -> str:
    """Give the name that a sealed file has once it is opened: `report.pdf` for `report.pdf.gpg`."""
    lower = name.lower()
    return name[:-4] if lower.endswith(_SUFFIXES) and len(name) > 4 else name
