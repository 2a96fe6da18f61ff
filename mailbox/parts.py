"""A letter taken apart into parts that know where their bytes lie in it: in one pass, without
recursion.

The standard library's parser recurses (1,500 nested multiparts end it), takes time in proportion to
depth times lines, and forgets the raw bytes that a detached signature covers (RFC 3156). Here a part is
a range of the letter; the standard library's `compat32` message still reads each part's parameters,
behind a fence.
"""

import binascii
import re
from collections.abc import Iterator
from email.message import Message
from email.policy import compat32
from email.utils import collapse_rfc2231_value

from .limits import Limits
from .problem import Problem
from .words import decoded, file_name, from_base64, unfolded

_FIELD = re.compile(rb"([!-9;-~]{1,200})[ \t]*:((?:[^\n]*\n?)(?:[ \t][^\n]*(?:\n|\Z))*+)")
_ENVELOPE = re.compile(rb">?From [^\n]*\n?")
_BLANK = re.compile(rb"\n\r?(?=\n)")
_LONGEST_PARAMETERS = 8 * 1024  # bytes; parsing them takes quadratic time


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
        self._fields = _message(headers)
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
        try:
            found = self._fields.get_param(name, header=header)
            if isinstance(found, tuple):  # in the encoding of RFC 2231
                return collapse_rfc2231_value(found).encode("utf-8", "surrogateescape")
            return found.encode("latin-1") if found is not None else None
        except Exception:  # the standard library has raised five sorts of errors here
            return None

    @property
    def file_name(self) -> str:
        """The name that the sender gave the file, made safe to show; empty for none."""
        named = self.parameter("filename", "content-disposition") or self.parameter("name")
        return file_name(named or "")

    def content(self) -> bytes:
        """Give the bytes behind the transfer encoding; a broken encoding loses only what is broken."""
        encoding = self.headers.text("content-transfer-encoding").lower().partition(";")[0].strip()
        if self.is_multipart:
            return self.body
        if encoding == "base64":
            return from_base64(self.body)
        return binascii.a2b_qp(self.body) if encoding == "quoted-printable" else self.body

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


def _message(headers: Headers) -> "Message[str, str]":
    """Give the headers that have parameters to the standard library, each byte as one character."""
    message: Message[str, str] = Message(policy=compat32)
    for name in ("content-type", "content-disposition"):
        for value in headers.all(name)[:1]:
            message.set_raw(name, value[:_LONGEST_PARAMETERS].decode("latin-1"))
    return message


def _lower(headers: Headers, name: str) -> str:
    value = next(iter(headers.all(name)), b"")
    return value[:_LONGEST_PARAMETERS].partition(b";")[0].strip().lower().decode("ascii", "replace")


def _content_type(headers: Headers, default: str) -> str:
    found = _lower(headers, "content-type")
    return found if found.count("/") == 1 and not any(letter.isspace() for letter in found) else default


def split(raw: bytes, limits: Limits) -> tuple[Part, Problem | None]:
    """Take a letter apart. The second value names the limit that kept some of it undivided."""
    return _Splitter(raw, limits).split()


class _Splitter:
    """One pass over a letter: the multiparts that are open, and the boundaries that they are waiting
    for."""

    def __init__(self, raw: bytes, limits: Limits) -> None:
        self.raw = raw
        self.limits = limits
        self.open: list[tuple[Part, bytes]] = []
        self.levels: dict[bytes, list[int]] = {}
        self.leaf: Part | None = None
        self.count = 0
        self.pattern: re.Pattern[bytes] | None = None
        self.problem: Problem | None = None

    def split(self) -> tuple[Part, Problem | None]:
        start = len(self.raw) - len(self.raw.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n"))
        root = self._entity(start, self.limits.headers, "text/plain")
        position = root.body_start
        while self.open and (found := self._delimiters().search(self.raw, max(0, position - 1))) is not None:
            at = found.start() + len(found.group(1))
            level, is_last = self.levels[found.group(2)][-1], bool(found.group(3))
            position = min(found.end() + 1, len(self.raw))
            self._close(level, at)
            container = self.open[level][0]
            if is_last:
                self._pop()
            elif self.count >= self.limits.parts:
                self._name(Problem.TOO_MANY_PARTS)
                break
            else:
                default = "message/rfc822" if container.content_type == "multipart/digest" else "text/plain"
                child = self._entity(position, self.limits.headers // 10, default)
                container.children.append(child)
                position = child.body_start
        return root, self.problem

    def _name(self, problem: Problem) -> None:
        self.problem = self.problem or problem

    def _delimiters(self) -> re.Pattern[bytes]:
        """Give the pattern of every delimiter line that is waited for, the longest boundary first."""
        if self.pattern is None:
            waiting = sorted((mark for mark, levels in self.levels.items() if levels), key=len, reverse=True)
            either = b"|".join(re.escape(mark) for mark in waiting)
            self.pattern = re.compile(rb"(\A|\n)--(" + either + rb")(--)?[ \t\r]*(?=\n|\Z)")
        return self.pattern

    def _entity(self, start: int, most_fields: int, default: str) -> Part:
        fields, body = self._headers(start, most_fields)
        part = Part(self.raw, start, body, Headers(fields), default)
        self.count += 1
        self.leaf = part
        boundary = part.raw_parameter("boundary") if part.content_type.startswith("multipart/") else None
        if boundary and boundary.strip():
            self._push(part, boundary.rstrip())
        return part

    def _push(self, part: Part, boundary: bytes) -> None:
        if len(self.open) >= self.limits.depth:
            self._name(Problem.TOO_DEEP)
            return
        self.pattern = None
        self.levels.setdefault(boundary, []).append(len(self.open))
        self.open.append((part, boundary))
        self.leaf = None

    def _pop(self) -> Part:
        self.pattern = None
        part, boundary = self.open.pop()
        self.levels[boundary].pop()
        return part

    def _close(self, level: int, at: int) -> None:
        """End everything that is open inside this level; the line end before a delimiter belongs to
        it."""
        end = at - (2 if self.raw[at - 2 : at] == b"\r\n" else 1) if at else 0
        if self.leaf is not None:
            self.leaf.end = max(end, self.leaf.body_start)
            self.leaf = None
        while len(self.open) > level + 1:
            part = self._pop()
            part.end = max(end, part.body_start)

    def _headers(self, start: int, most: int) -> tuple[list[tuple[str, bytes]], int]:
        """Read header fields up to the blank line; a line that is none ends them, and starts the
        body."""
        end, body = self._block(start)
        fields: list[tuple[str, bytes]] = []
        position = start
        while position < end:
            found = _FIELD.match(self.raw, position, end)
            envelope = None if found else _ENVELOPE.match(self.raw, position, end)
            if found is None and envelope is None:
                return fields, position
            if found is not None:
                if len(fields) >= most or position - start > self.limits.header_block:
                    self._name(Problem.TOO_LARGE)
                    break
                first = found.start(2)
                value = self.raw[first : min(found.end(2), first + self.limits.header)]
                fields.append((found.group(1).decode("ascii").lower(), value.strip()))
            position = (found or envelope).end()  # pyright: ignore[reportOptionalMemberAccess]
        return fields, body

    def _block(self, start: int) -> tuple[int, int]:
        """Find where a header block ends, and where the body behind it starts."""
        if self.raw.startswith((b"\n", b"\r\n"), start):
            return start, start + (1 if self.raw.startswith(b"\n", start) else 2)
        dashes = self.raw.find(b"\n--", start) + 1 or len(self.raw)
        blank = _BLANK.search(self.raw, start, min(dashes + 1, len(self.raw)))
        if blank is not None:
            return blank.start() + 1, blank.end() + 1
        return dashes, dashes
