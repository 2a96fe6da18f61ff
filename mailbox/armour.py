"""OpenPGP in the middle of other bytes: which stretches of a text are sealed or signed, and what a
file holds.

Gpg 2.2 is given the packets, not the armour: it takes armour without a checksum, which newer programs
write (RFC 9580, section 6.1), for a damaged message. What guards against alteration is in the packets.
"""

import base64
import binascii
import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from .packets import Tag, first_packet, without_newer
from .words import from_base64


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


# A sealed block or a key may be quoted or indented; a signed text may not, for its lines count.
_MARGIN = rb"[ \t>|]{0,40}"
_BEGIN = re.compile(
    rb"(?m)^(?:(?P<margin>"
    + _MARGIN
    + rb")-----BEGIN PGP (?P<sort>MESSAGE|PUBLIC KEY BLOCK)|"
    + rb"-----BEGIN PGP (?P<signed>SIGNED MESSAGE))-----[ \t\r]*$"
)
_ENDS = {
    Sort.MESSAGE: re.compile(rb"(?m)^" + _MARGIN + rb"-----END PGP MESSAGE-----[ \t\r]*$\n?"),
    Sort.SIGNED: re.compile(rb"(?m)^-----END PGP SIGNATURE-----[ \t\r]*$\n?"),
    Sort.KEY: re.compile(rb"(?m)^" + _MARGIN + rb"-----END PGP PUBLIC KEY BLOCK-----[ \t\r]*$\n?"),
}
_ARMOURED_LINE = re.compile(rb"(?m)^" + _MARGIN + rb"[A-Za-z0-9+/]{20,}(?:={0,2}|(?:=3D){1,2})[ \t\r]*$")
_ANY_BEGIN = re.compile(rb"(?m)^" + _MARGIN + rb"-----BEGIN PGP [A-Z ]{1,40}-----[ \t\r]*\n")
# Headers, also without the empty line behind them, or with an empty line behind each (Outlook).
_NO_DATA = re.compile(rb"(?:(?![ \t>|]*+(?:[A-Za-z0-9+/]{20}|[A-Za-z0-9+/=]+[ \t\r]*(?:\n|\Z)))[^\n]*\n)*+")
_CHARSET = re.compile(rb"(?im)^" + _MARGIN + rb"charset:[ \t]*([!-~]{1,40})")
_QUOTES = re.compile(rb"(?m)^[ \t>|]+")
_DATA_END = re.compile(rb"=|-----")
_LINE = 64  # characters of armour
_SIGNATURE = re.compile(rb"(?m)^-----BEGIN PGP SIGNATURE-----[ \t\r]*$")
_ANY_BLOCK = re.compile(
    r"(?ms)^-----BEGIN PGP (?!SIGNED )([A-Z ]{1,40})-----[ \t\r]*$.*?(?:^-----END PGP [A-Z ]{1,40}-----|\Z)"
)
_SEAL = b"-----BEGIN PGP MESSAGE"
_SEALS = (
    _SEAL,
    b"application/pgp-encrypted",
    *(base64.b64encode(bytes(before) + _SEAL)[4 : 4 * (len(_SEAL) // 3)] for before in range(3)),
)
_SNIFFED = 4096  # bytes at the start of a file
# What a message starts with. Only a session key is told from any other bytes without a name that says it.
_MESSAGE_TAGS = frozenset(
    {Tag.PASSPHRASE, Tag.ONE_PASS, Tag.COMPRESSED, Tag.UNPROTECTED, Tag.PROTECTED, Tag.AEAD}
)
_LARGEST_SIGNATURE = 60_000  # bytes
_SUFFIXES = (".gpg", ".pgp", ".asc")
_KEY_SUFFIXES = (*_SUFFIXES, ".key", ".pub")


def stretches(octets: bytes) -> Iterator[Stretch]:
    """Divide a text into what is sealed, signed, a key, or none of these; together they are all its
    bytes but a byte order mark.

    A block without its last line goes on to the end; without a line of armour it is prose about OpenPGP.
    """
    octets = octets.removeprefix(codecs.BOM_UTF8)
    position = 0
    while begin := _BEGIN.search(octets, position):
        if begin.start() > position:
            yield Stretch(Sort.PLAIN, octets[position : begin.start()])
        sort = Sort((begin["sort"] or begin["signed"]).decode())
        end = _ENDS[sort].search(octets, begin.end())
        position = end.end() if end else len(octets)
        is_prose = not _ARMOURED_LINE.search(octets, begin.end(), position)
        yield Stretch(Sort.PLAIN if is_prose else sort, octets[begin.start() : position])
    if position < len(octets):
        yield Stretch(Sort.PLAIN, octets[position:])


def has_armour(octets: bytes) -> bool:
    """Tell cheaply whether there can be anything of OpenPGP in a text."""
    return b"-----BEGIN PGP " in octets


def named_charset(block: bytes) -> str | None:
    """Give the charset that a block of armour says its text is in (RFC 4880, section 6.2)."""
    found = _CHARSET.search(block, 0, _SNIFFED)
    return found[1].decode("ascii") if found else None


def seems_to_hold_a_seal(letter: bytes) -> bool:
    """Tell cheaply whether there can be anything sealed in an attached letter, also in base64."""
    return any(mark in letter for mark in _SEALS)


def without_armour(text: str) -> str:
    """Give a text without its armoured blocks, whose comments and versions name hosts of no
    interest."""
    return _ANY_BLOCK.sub("", text) if "-----BEGIN PGP " in text else text


def unarmoured(octets: bytes) -> bytes:
    """Give the packets in the first block of armour; the bytes themselves where there is none.

    The checksum is not looked at (RFC 9580, section 6.1), and what quoting and mail servers have added
    is passed over.
    """
    octets = as_ascii(octets)
    begin = _ANY_BEGIN.search(octets) if has_armour(octets) and not _is_binary(octets) else None
    if begin is None:
        return octets
    headers = _NO_DATA.match(octets, begin.end())
    start = headers.end() if headers else begin.end()
    end = _DATA_END.search(octets, start)
    lines = octets[start : end.start() if end else len(octets)]
    return _from_lines(lines, is_padded=end is not None and end.group() == b"=")


def _from_lines(lines: bytes, *, is_padded: bool) -> bytes:
    """Decode lines of armour; behind them came padding, a checksum, or neither."""
    if any(mark in lines for mark in (b" ", b"\t", b">", b"|")):
        lines = _QUOTES.sub(b"", lines)
    before, _, last = lines.rstrip().rpartition(b"\n")
    if len(last) == 3 and not is_padded:  # what quoted-printable has left of a checksum such as `=9aBc`
        lines = before
    if b" " in lines or b"\t" in lines:
        return from_base64(lines)
    try:
        return binascii.a2b_base64(lines + b"===")
    except binascii.Error:
        return from_base64(lines)


def unarmoured_keys(octets: bytes) -> bytes:
    """Give the packets of all public keys in a file or a text, one behind the other."""
    octets = as_ascii(octets)
    if not has_armour(octets) or _is_binary(octets):
        return octets
    return b"".join(unarmoured(part.octets) for part in stretches(octets) if part.sort is Sort.KEY)


def with_known_signatures(block: bytes) -> tuple[bytes, bytes]:
    """Give a clear-signed block with the armour of its signature written anew, for gpg; and all the
    signatures that stood there, also those that gpg does not read."""
    begin = _SIGNATURE.search(block)
    claimed = unarmoured(block[begin.start() :]) if begin else b""
    known = without_newer(claimed)
    if begin is None or not known or len(known) > _LARGEST_SIGNATURE:
        return block, claimed
    return block[: begin.start()] + armoured(known, "SIGNATURE"), claimed


def armoured(packets: bytes, kind: str) -> bytes:
    """Give packets in armour, such as a `PUBLIC KEY BLOCK` (RFC 4880, section 6.2).

    Without the checksum gpg 2.2 reads on into the last line.
    """
    encoded = base64.b64encode(packets)
    lines = [encoded[start : start + _LINE] for start in range(0, len(encoded), _LINE)]
    checksum = b"=" + base64.b64encode(_crc24(packets).to_bytes(3, "big"))
    begin, end = (f"-----{word} PGP {kind}-----".encode() for word in ("BEGIN", "END"))
    return b"\n".join((begin, b"", *lines, checksum, end, b""))


def _crc24(octets: bytes) -> int:
    """Give the checksum of armour (RFC 4880, section 6.1)."""
    crc = 0xB704CE
    for byte in octets:
        crc ^= byte << 16
        for _ in range(8):
            crc = (crc << 1) ^ 0x1864CFB if crc & 0x800000 else crc << 1
    return crc & 0xFFFFFF


def as_ascii(content: bytes) -> bytes:
    """Give armour as ASCII: a Windows shell writes it in UTF-16, an editor puts a mark before it."""
    for mark, codec in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if content.startswith(mark) and "-----BEGIN PGP ".encode(codec) in content[:_SNIFFED]:
            return content[2:].decode(codec, "replace").encode("utf-8", "replace")
    return content.removeprefix(codecs.BOM_UTF8)


def begins_with(content: bytes, sort: Sort) -> bool:
    """Tell whether a file begins with a block of this sort."""
    return as_ascii(content[:_SNIFFED]).lstrip().startswith(b"-----BEGIN PGP " + sort.encode() + b"-----")


def is_sealed_file(content: bytes, name: str) -> bool:
    """Tell whether an attachment is an OpenPGP message, armoured or binary."""
    if begins_with(content, Sort.MESSAGE) or is_binary_message(content):
        return True
    packet = first_packet(content) if name.lower().endswith(_SUFFIXES) else None
    return packet is not None and packet.tag in _MESSAGE_TAGS


def is_binary_message(content: bytes) -> bool:
    """Tell whether the first packet can only be the session key of an encrypted message."""
    packet = first_packet(content)
    return packet is not None and packet.is_session_key


def _is_binary(octets: bytes) -> bool:
    packet = first_packet(octets)
    return packet is not None and (packet.is_known or packet.tag in _MESSAGE_TAGS)


def is_key_file(content: bytes, name: str) -> bool:
    """Tell whether an attachment is a public key: armoured, or binary with a telling name."""
    if begins_with(content, Sort.KEY):
        return True
    packet = first_packet(content) if name.lower().endswith(_KEY_SUFFIXES) else None
    return packet is not None and packet.tag == Tag.PUBLIC_KEY and packet.is_known


def bare_name(name: str) -> str:
    """Give the name that a sealed file has once it is opened: `report.pdf` for `report.pdf.gpg`."""
    lower = name.lower()
    return name[:-4] if lower.endswith(_SUFFIXES) and len(name) > 4 else name
