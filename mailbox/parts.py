"""A letter taken apart into parts that know where their bytes lie in it: in one pass, without
recursion.

The standard library's parser recurses (1,500 nested multiparts end it), takes time in proportion to
depth times lines, and forgets the raw bytes that a detached signature covers (RFC 3156). Here a part is
a range of the letter. What Outlook packs into a `winmail.dat` becomes parts as well.
"""

import re
from collections import deque
from urllib.parse import quote

from .limits import Limits
from .part import Headers, Part
from .problem import Problem
from .tnef import PackedFile, is_tnef, unpack

__all__ = ["Headers", "Part", "split"]

_FIELD = re.compile(rb"([!-9;-~]{1,200})[ \t]*:((?:[^\n]*\n?)(?:[ \t][^\n]*(?:\n|\Z))*+)")
_TNEF_TYPES = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})
_PLAIN_TYPE = re.compile(r"[a-zA-Z0-9.+-]{1,80}/[a-zA-Z0-9.+-]{1,80}")
_ENVELOPE = re.compile(rb">?From [^\n]*\n?")
_BLANK = re.compile(rb"\n\r?(?=\n)")
_SHORT = 150  # bytes of boundaries
_DASHES = re.compile(rb"(?:\A|\n)--([^\n]*)")
_OPENING_LINE = re.compile(rb"(?:\A|\n)--([^\s-][^\n]{0,200}?)[ \t\r]*\n(?=[!-9;-~]{1,100}:|\r?\n)")
_SEARCHED = 64 * 1024  # bytes at the start of a body that a boundary is looked for in


def split(raw: bytes, limits: Limits) -> tuple[Part, Problem | None]:
    """Take a letter apart. The second value names the limit that kept some of it undivided."""
    if b"\n" not in raw:
        raw = raw.replace(b"\r", b"\n")
    root, problem = _Splitter(raw, limits).split()
    if not (root.children or problem) and root.content_type.startswith("multipart/"):
        used = _OPENING_LINE.search(root.body[:_SEARCHED])  # the boundary is missing, or is another one
        if used is not None:
            root, problem = _Splitter(raw, limits, boundary=used[1]).split()
    return root, problem or _unpack(root, limits)


def _unpack(root: Part, limits: Limits) -> Problem | None:
    """Give what is packed into `winmail.dat` files to their parts, as parts inside."""
    parts = list(root.walk())
    has_text = any(part.content_type.startswith("text/") and part.body.strip() for part in parts)
    waiting = deque((part, 0) for part in parts if not part.children)
    count = len(parts)
    while waiting:
        part, layer = waiting.popleft()
        if part.content_type not in _TNEF_TYPES and not part.file_name.lower().endswith("winmail.dat"):
            continue
        content = part.content()
        if not is_tnef(content):
            continue
        inside = _unpacked(content, has_text=has_text)
        count += len(inside)
        if layer >= limits.layers:
            return Problem.TOO_DEEP
        if count > limits.parts:
            return Problem.TOO_MANY_PARTS
        part.children = inside
        has_text = has_text or any(child.content_type.startswith("text/") for child in inside)
        waiting.extend((child, layer + 1) for child in inside if child.content_type == "application/ms-tnef")
    return None


def _unpacked(content: bytes, *, has_text: bool) -> list[Part]:
    """Give the parts in a `winmail.dat`: its text where the letter has no other, and its files.

    The file itself is one of them as long as something is only in there.
    """
    packed = unpack(content)
    parts: list[Part] = []
    if not has_text and (packed.text or packed.html):
        sort, text = ("plain", packed.text) if packed.text.strip() else ("html", packed.html)
        parts.append(_made(f"text/{sort}; charset=utf-8", text.encode("utf-8", "replace")))
    parts += [_packed_file(file) for file in packed.files]
    is_text_left = packed.has_rtf and not (has_text or packed.text or packed.html)
    if is_text_left or not packed.is_whole:
        parts.append(_made("application/octet-stream", content, "winmail.dat"))
    return parts


def _packed_file(file: PackedFile) -> Part:
    sort = file.content_type if _PLAIN_TYPE.fullmatch(file.content_type) else "application/octet-stream"
    return _made(sort, file.content, file.name or "unnamed")


def _made(content_type: str, content: bytes, name: str = "") -> Part:
    """Make a part that does not stand in the letter as such."""
    fields = [("content-type", content_type.encode("ascii"))]
    if name:
        named = f"attachment; filename*=utf-8''{quote(name[:500], errors='replace')}"
        fields.append(("content-disposition", named.encode("ascii")))
    return Part(content, 0, 0, Headers(fields))


class _Splitter:
    """One pass over a letter: the multiparts that are open, and the boundaries that they are waiting
    for."""

    def __init__(self, raw: bytes, limits: Limits, boundary: bytes | None = None) -> None:
        self.raw = raw
        self.limits = limits
        self.boundary = boundary
        self.open: list[tuple[Part, bytes]] = []
        self.levels: dict[bytes, list[int]] = {}
        self.pattern: re.Pattern[bytes] | None = None
        self.leaf: Part | None = None
        self.count = 0
        self.problem: Problem | None = None

    def split(self) -> tuple[Part, Problem | None]:
        start = len(self.raw) - len(self.raw.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n"))
        root = self._entity(start, self.limits.headers, "text/plain")
        position = root.body_start
        while self.open and (found := self._delimiter().search(self.raw, max(0, position - 1))) is not None:
            level, is_last = self._delimited(found[1].rstrip(b" \t\r"))
            if level is None:
                position = found.end()
                continue
            at = found.start(1) - 2
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

    def _delimiter(self) -> re.Pattern[bytes]:
        """Give a pattern for the delimiters that are waited for.

        Where few are, it finds just these, however many lines look alike; where they are long or many,
        making such a pattern for each part would take longer than looking at every line of dashes.
        """
        if self.pattern is None:
            waiting = sorted((mark for mark, levels in self.levels.items() if levels), key=len, reverse=True)
            if sum(map(len, waiting)) > _SHORT:
                self.pattern = _DASHES
            else:
                either = b"|".join(map(re.escape, waiting))
                self.pattern = re.compile(rb"(?:\A|\n)--((?:" + either + rb")(?:--)?[ \t\r]*)(?=\n|\Z)")
        return self.pattern

    def _delimited(self, line: bytes) -> tuple[int | None, bool]:
        """Tell which open multipart a line of dashes belongs to, and whether it is its last; the longest
        boundary counts."""
        levels = self.levels.get(line)
        if levels or not line.endswith(b"--"):
            return (levels[-1] if levels else None), False
        levels = self.levels.get(line[:-2])
        return (levels[-1] if levels else None), True

    def _entity(self, start: int, most_fields: int, default: str) -> Part:
        fields, body = self._headers(start, most_fields)
        part = Part(self.raw, start, body, Headers(fields), default)
        self.count += 1
        self.leaf = part
        boundary, self.boundary = self.boundary, None
        if boundary is None and part.content_type.startswith("multipart/"):
            boundary = part.raw_parameter("boundary")
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
                first, last = found.span(2)
                if len(fields) >= most or position - start > self.limits.header_block:
                    self._name(Problem.HEADERS_TOO_LARGE)
                    break
                if last - first > self.limits.header:
                    self._name(Problem.HEADERS_TOO_LARGE)
                value = self.raw[first : min(last, first + self.limits.header)]
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
