"""What Outlook packs into `winmail.dat` (TNEF, [MS-OXTNEF]), unpacked in one pass.

Read here and not by a library: tnefparse, the only one, counts to four thousand million when a stranger
says so, cuts zeros off the ends of files, and gives nothing when one property is damaged.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from .words import decoded

_SIGNATURE = b"\x78\x9f\x3e\x22"
_MESSAGE = bytes.fromhex("0703020000000000c000000000000046")  # IID_IMessage: a letter is attached
_ATTRIBUTE = struct.Struct("<BHHI")
_PROPERTY = struct.Struct("<HH")
_NUMBER = struct.Struct("<I")
_MOST = 5000  # attributes of a file, or properties of an attribute

_BODY, _FILE_DATA, _FILE_TITLE = 0x800C, 0x800F, 0x8010
_FILE_BEGINS, _PROPERTIES, _FILE_PROPERTIES, _CODE_PAGE = 0x9002, 0x9003, 0x9005, 0x9007
_TEXT, _RTF, _HTML, _INTERNET_CODE_PAGE = 0x1000, 0x1009, 0x1013, 0x3FDE
_CONTENT, _NAME, _SHORT_NAME, _LONG_NAME, _MIME_TYPE = 0x3701, 0x3001, 0x3704, 0x3707, 0x370E

_WIDTHS = {1: 0, 2: 4, 3: 4, 4: 4, 10: 4, 11: 4, 5: 8, 6: 8, 7: 8, 0x14: 8, 0x40: 8, 0x48: 16}
_STRING, _WIDE_STRING, _MANY = 0x1E, 0x1F, 0x1000


@dataclass
class PackedFile:
    """A file, or (as `application/ms-tnef`) a letter that is attached."""

    name: str = ""
    content_type: str = "application/octet-stream"
    content: bytes = b""


@dataclass
class Packed:
    """Everything that is of use in a `winmail.dat`."""

    text: str = ""
    html: str = ""
    files: list[PackedFile] = field(default_factory=list[PackedFile])
    is_whole: bool = True
    """Whether all of it was read; something damaged, or of an unknown sort, ended it."""
    has_rtf: bool = False
    """Whether the text is also, or only, there in RTF, which is not read here."""


def is_tnef(content: bytes) -> bool:
    """Tell whether a file is a `winmail.dat`, whatever its name."""
    return content.startswith(_SIGNATURE)


def unpack(content: bytes) -> Packed:
    """Take texts and files out; never raises. What is damaged ends the reading, and is said."""
    packed, code_page = Packed(), "cp1252"
    for identity, value in _attributes(content, packed):
        if identity == _CODE_PAGE and len(value) >= 4:
            code_page = f"cp{_NUMBER.unpack_from(value)[0]}"
        elif identity == _BODY:
            packed.text = packed.text or _string(value, code_page)
        elif identity == _PROPERTIES:
            found = dict(_properties(value, code_page, packed))
            packed.text = _as_text(found.get(_TEXT), code_page) or packed.text
            internet = found.get(_INTERNET_CODE_PAGE)
            page = "utf-8" if internet == "65001" else f"cp{internet}" if internet else code_page
            packed.html = _as_text(found.get(_HTML), page)
            packed.has_rtf = packed.has_rtf or _RTF in found
        elif identity == _FILE_BEGINS:
            packed.files.append(PackedFile())
        elif packed.files:
            _add_to_file(packed, identity, value, code_page)
    return packed


def _attributes(content: bytes, packed: Packed) -> Iterator[tuple[int, bytes]]:
    """Give the attributes in order: identity and value."""
    position = len(_SIGNATURE) + 2
    for _ in range(_MOST):
        if position + _ATTRIBUTE.size > len(content):
            packed.is_whole = packed.is_whole and position == len(content)
            return
        _, identity, _, length = _ATTRIBUTE.unpack_from(content, position)
        start = position + _ATTRIBUTE.size
        position = start + length + 2  # a checksum
        packed.is_whole = packed.is_whole and position <= len(content)
        yield identity, content[start : start + length]
    packed.is_whole = False


def _add_to_file(packed: Packed, identity: int, value: bytes, code_page: str) -> None:
    file = packed.files[-1]
    if identity == _FILE_TITLE:
        file.name = file.name or _string(value, code_page)
    elif identity == _FILE_DATA:
        file.content = value
    elif identity == _FILE_PROPERTIES:
        found = dict(_properties(value, code_page, packed))
        names = (_as_text(found.get(name), code_page) for name in (_LONG_NAME, _SHORT_NAME, _NAME))
        file.name = next(filter(None, names), file.name)
        file.content_type = _as_text(found.get(_MIME_TYPE), code_page) or file.content_type
        inside = found.get(_CONTENT)
        if isinstance(inside, bytes) and inside.startswith(_MESSAGE):
            file.content, file.content_type = inside[len(_MESSAGE) :], "application/ms-tnef"
        elif isinstance(inside, bytes):
            file.content = file.content or inside


def _properties(value: bytes, code_page: str, packed: Packed) -> Iterator[tuple[int, bytes | str]]:
    """Give the properties in order: identity and value, a number in decimal digits."""
    try:
        (count,), position = _NUMBER.unpack_from(value), 4
        packed.is_whole = packed.is_whole and count <= _MOST
        for _ in range(min(count, _MOST)):
            kind, identity = _PROPERTY.unpack_from(value, position)
            position = _behind_name(value, position + 4) if identity >= 0x8000 else position + 4
            found, position = _value(value, position, kind, code_page)
            yield identity, found
    except (struct.error, KeyError):
        packed.is_whole = False


def _behind_name(value: bytes, position: int) -> int:
    """Pass over the set and the name of a property that has one."""
    (kind,) = _NUMBER.unpack_from(value, position + 16)
    (length,) = _NUMBER.unpack_from(value, position + 20)
    return position + 24 + (_padded(length) if kind else 0)


def _value(value: bytes, position: int, kind: int, code_page: str) -> tuple[bytes | str, int]:
    """Give a value, the first of several, and where it ends."""
    sort = kind & ~_MANY
    if sort in _WIDTHS:
        count = _NUMBER.unpack_from(value, position)[0] if kind & _MANY else 1
        position += 4 if kind & _MANY else 0
        number = _NUMBER.unpack_from(value, position)[0] if _WIDTHS[sort] >= 4 and count else 0
        return str(number), position + _WIDTHS[sort] * count
    if sort not in (_STRING, _WIDE_STRING, 0x0D, 0x102):
        raise KeyError(sort)
    (count,), position, first = _NUMBER.unpack_from(value, position), position + 4, b""
    for number in range(count):
        (length,) = _NUMBER.unpack_from(value, position)
        if position + 4 + length > len(value):
            raise struct.error("cut short")
        first = first if number else value[position + 4 : position + 4 + length]
        position += 4 + _padded(length)
    if sort == _WIDE_STRING:
        return first.decode("utf-16-le", "replace").rstrip("\0"), position
    return (_string(first, code_page) if sort == _STRING else first), position


def _padded(length: int) -> int:
    return length + -length % 4


def _as_text(value: bytes | str | None, code_page: str) -> str:
    return _string(value, code_page) if isinstance(value, bytes) else value or ""


def _string(octets: bytes, code_page: str) -> str:
    return decoded(octets.rstrip(b"\0"), code_page)
