"""One part of a letter: its headers, where its bytes lie, and what stands in it.

The standard library's `compat32` message reads the parameters of a header, behind a fence: it has raised
five sorts of errors.
"""

import binascii
import re
from collections.abc import Callable, Iterator
from email.message import Message
from email.policy import compat32
from email.utils import collapse_rfc2231_value

from .words import decoded, file_name, from_base64, from_uuencode, unfolded

_TYPE = re.compile(rb"[\s\"]*([^\s;()\"/=]+)\s*(?:/\s*([^\s;()\"/=]*))?")
_TOKEN = re.compile(r"[\w-]+")
_LONGEST_PARAMETERS = 8 * 1024  # bytes; parsing them takes quadratic time
_ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "base64": from_base64,
    "quoted-printable": binascii.a2b_qp,
    **dict.fromkeys(("uuencode", "x-uuencode", "uue", "x-uue"), from_uuencode),
}


class Headers:
    """The header fields of a letter or part, as bytes; a field is decoded when it is asked for."""

    def __init__(self, fields: list[tuple[str, bytes]]) -> None:
        self.fields = fields

    def all(self, name: str) -> tuple[bytes, ...]:
        """Give the raw values of every field of this name, in order."""
        return tuple(value for found, value in self.fields if found == name)

    def text(self, name: str) -> str:
        """Give the first field of this name, decoded, in one line; empty when there is none."""
        values = self.all(name)
        return unfolded(values[0]) if values else ""

    def has(self, name: str) -> bool:
        """Tell whether there is a field of this name."""
        return any(found == name for found, _ in self.fields)


class Part:
    """One part: its headers, and where it starts and ends in the letter."""

    def __init__(
        self, raw: bytes, start: int, body: int, headers: Headers, default: str = "text/plain"
    ) -> None:
        self.raw = raw
        self.start = start
        self.body_start = body
        self.end = len(raw)
        self.headers = headers
        self.children: list[Part] = []
        self._parameters: dict[str, dict[str, bytes]] = {}
        self.content_type = _content_type(headers, default)
        self.disposition = _lower(headers, "content-disposition")

    @property
    def is_multipart(self) -> bool:
        """Tell whether it was divided."""
        return bool(self.children)

    @property
    def entity(self) -> bytes:
        """The raw bytes, headers and all: what a detached signature covers."""
        return self.raw[self.start : self.end]

    @property
    def body(self) -> bytes:
        """The raw bytes behind the headers, still in their transfer encoding."""
        return self.raw[self.body_start : self.end]

    def parameter(self, name: str, header: str = "content-type") -> str | None:
        """Give a parameter of a header, decoded; None when it is missing or cannot be read."""
        octets = self.raw_parameter(name, header)
        return None if octets is None else unfolded(octets)

    def raw_parameter(self, name: str, header: str = "content-type") -> bytes | None:
        """Give a parameter as it was sent, such as a boundary; None when it is missing or cannot be read."""
        if header not in self._parameters:
            self._parameters[header] = _parameters(self.headers, header)
        return self._parameters[header].get(name)

    @property
    def file_name(self) -> str:
        """The name that the sender gave the file, made safe to show; empty for none."""
        named = self.parameter("filename", "content-disposition") or self.parameter("name")
        return file_name(named or "")

    def content(self) -> bytes:
        """Give the bytes behind the transfer encoding; a broken encoding loses only what is broken."""
        if self.is_multipart:
            return self.body
        named = _TOKEN.search(self.headers.text("content-transfer-encoding").lower())
        decode = _ENCODINGS.get(named[0]) if named else None
        return decode(self.body) if decode else self.body

    def text(self) -> str:
        """Give the content as text with line feeds; otherwise every byte stays as it was written."""
        return decoded(self.content(), self.parameter("charset")).replace("\r\n", "\n")

    def walk(self) -> "Iterator[Part]":
        """Give this part and all parts inside, in the order of the letter."""
        waiting: list[Part] = [self]
        while waiting:
            part = waiting.pop()
            yield part
            waiting.extend(reversed(part.children))


def _parameters(headers: Headers, name: str) -> dict[str, bytes]:
    """Let the standard library read the parameters of a header, each byte as one character."""
    message: Message[str, str] = Message(policy=compat32)
    for value in headers.all(name)[:1]:
        message.set_raw(name, value[:_LONGEST_PARAMETERS].decode("latin-1"))
    found: dict[str, bytes] = {}
    try:
        for key, value in message.get_params(failobj=[], header=name)[1:]:
            if isinstance(value, tuple):  # in the encoding of RFC 2231
                octets = collapse_rfc2231_value(value).encode("utf-8", "surrogateescape")
            else:
                octets = value.encode("latin-1")
            found.setdefault(key.lower(), octets)
    except Exception:  # the standard library has raised five sorts of errors here
        return found
    return found


def _lower(headers: Headers, name: str) -> str:
    value = next(iter(headers.all(name)), b"")
    return value[:_LONGEST_PARAMETERS].partition(b";")[0].strip().lower().decode("ascii", "replace")


def _content_type(headers: Headers, default: str) -> str:
    """Give the type of a part; what cannot be read is plain text (RFC 2045, section 5.2)."""
    value = next(iter(headers.all("content-type")), b"")[:_LONGEST_PARAMETERS]
    found = _TYPE.match(value.lower())
    if found is None:
        return default
    sort, subtype = (group.decode("ascii", "replace") for group in found.groups(b""))
    if sort == "multipart":
        return f"multipart/{subtype or 'mixed'}"
    return f"{sort}/{subtype}" if subtype else default
