"""Finds a known identity in a text, also behind encodings, and says where it stands."""

import re
from binascii import a2b_base64
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from .scrub_identity import LONG, Identity, Kind, Traces, pattern_of_words, traces_of
from .scrub_phones import DUMP_LINE
from .scrub_shapes import Found
from .scrub_views import View, decodings

_DEPTH = 2
_ONE_WORD = 24
_LETTER = r"[A-Za-z0-9+/_-]"
_BASE64 = re.compile(rf"(?<!{_LETTER})(?:(?:{_LETTER}{{40,}}+\r?\n)++{_LETTER}*+|{_LETTER}{{8,}}+)={{0,2}}")
_HEX = re.compile(r"(?<![0-9a-z])(?:(?:0x)?[0-9a-f]{2}[\s:,\-]{0,2}){6,}+", re.IGNORECASE)
_HEX_WORD = re.compile(r"[0-9a-f]{12,}+", re.IGNORECASE)
_NEXT_LINE = re.compile(r"[^\n]{0,200}\n[ \t>]{0,40}")
_REST_OF_LINE = re.compile(r"[^\r\n]{0,200}")
_READABLE = re.compile(r"[^\x00-\x08\x0e-\x1f\x7f-\x9f\ufffd]{4,}")
_ADDRESS = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_FENCE = "\n0\n"  # keeps what was decoded in one place apart from what was decoded in the next
_FIRST_IDEOGRAM = "\u2e80"


@dataclass(frozen=True)
class Search:
    """What is looked for, made ready once."""

    traces: Traces
    words: tuple[re.Pattern[str], ...]
    mailboxes: re.Pattern[str] | None


def trace(text: str, identity: Identity) -> Iterator[Found]:
    """Every place where the text shows the identity."""
    return _everywhere(text, _search_for(traces_of(identity)), _DEPTH)


def _search_for(traces: Traces) -> Search:
    patterns = (pattern_of_words(traces.words, beside_digits=beside) for beside in (True, False))
    mailboxes = re.compile("|".join(traces.mailboxes)) if traces.mailboxes else None
    return Search(traces, tuple(pattern for pattern in patterns if pattern), mailboxes)


def _everywhere(text: str, search: Search, depth: int) -> Iterator[Found]:
    for view in decodings(text):
        for found in chain(_in_plain(view.text, search), _in_code(view.text, search, depth)):
            yield Found(*view.span(found.start, found.end), found.kind)


def _in_plain(text: str, search: Search) -> Iterator[Found]:
    folded = View(text).folded()
    squashed = View(folded.text).squashed()
    places = chain(
        _spellings(folded.text, squashed, search),
        _words(folded.text, search),
        _mailboxes(folded.text, search),
    )
    for start, end, kind in places:
        yield Found(*folded.span(start, end), kind)


def _spellings(folded: str, squashed: View, search: Search) -> Iterator[tuple[int, int, Kind]]:
    for spelling, kind in search.traces.spellings.items():
        at = squashed.text.find(spelling)
        while at >= 0:
            start, end = squashed.span(at, at + len(spelling))
            if _counts_anywhere(spelling) or _stands_alone(folded, start, end):
                yield _with_prefix(folded, start, kind), end, kind
            at = squashed.text.find(spelling, at + 1)


def _counts_anywhere(spelling: str) -> bool:
    return len(spelling) >= LONG or spelling[0] >= _FIRST_IDEOGRAM


def _stands_alone(text: str, start: int, end: int) -> bool:
    before, after = text[start - 1 : start], text[end : end + 1]
    return not before.isalnum() and not after.isalnum()


_PREFIXES = {
    "key": re.compile(r"(?:(?<![0-9a-z])0x)?[0-9a-f]{0,32}\Z"),
    "phone": re.compile(
        r"(?:(?:(?:\+|00)\d{1,3}[\s.\-/]{0,2}(?:\(0\)|0)?|(?<![\d.])\(?0)[\s.\-/()]{0,2}|\d{1,3})\Z"
    ),
    "handle": re.compile(r"@\Z"),
}


def _with_prefix(text: str, start: int, kind: Kind) -> int:
    """The start with what belongs to it: a country code, ``0x``, an at sign."""
    prefix = _PREFIXES.get(kind)
    found = prefix.search(text, max(0, start - 40), start) if prefix else None
    return found.start() + len(found[0]) - len(found[0].lstrip()) if found else start


def _words(folded: str, search: Search) -> Iterator[tuple[int, int, Kind]]:
    for pattern in search.words:
        for found in pattern.finditer(folded):
            yield found.start(), found.end(), "name"


def _mailboxes(folded: str, search: Search) -> Iterator[tuple[int, int, Kind]]:
    """The known addresses in any form, and others with the same name before the at sign."""
    if search.mailboxes is None:
        return
    for found in search.mailboxes.finditer(folded):
        yield found.start(), found.end(), "address"
    for sign in re.finditer("@", folded):
        window = max(0, sign.start() - 64)
        local = re.search(r"[\w.+%-]{1,64}\Z", folded[window : sign.start()])
        if local and re.sub(r"[\W_]", "", local[0].partition("+")[0]) in search.traces.locals:
            found = _ADDRESS.match(folded, window + local.start())
            if found:
                yield found.start(), found.end(), "address"


def _in_code(text: str, search: Search, depth: int) -> Iterator[Found]:
    """Runs of base64 or hexadecimal digits that decode to the identity; the whole run goes."""
    if depth == 0:
        return
    runs, starts, parts, length = list[tuple[int, int]](), list[int](), list[str](), 0
    for start, end, decoded in _runs(text):
        runs.append((start, end))
        starts.append(length)
        parts.append(decoded + _FENCE)
        length += len(parts[-1])
    for found in _everywhere("".join(parts), search, depth - 1) if parts else ():
        yield Found(*runs[bisect_right(starts, found.start) - 1], "encoded")


def _runs(text: str) -> Iterator[tuple[int, int, str]]:
    """Where a run stands, and the readable stretches of what it decodes to."""
    for start, end, raw in chain(_base64(text), _hex(text), _dumps(text)):
        readable = _READABLE.findall(raw.replace(b"\0", b"").decode("utf-8", "replace"))
        if readable:
            yield start, end, _FENCE.join(readable)


def _base64(text: str) -> Iterator[tuple[int, int, bytes]]:
    for run in _BASE64.finditer(text):
        for raw in _from_base64(run[0]):
            yield *run.span(), raw


def _from_base64(run: str) -> Iterator[bytes]:
    """What a run may stand for; in a long or a joined one the coded text may begin anywhere."""
    letters = re.sub(r"[\r\n=]", "", run).replace("-", "+").replace("_", "/")
    for skip in range(1 if len(run) < _ONE_WORD and run.isalnum() else 4):
        whole = letters[skip : len(letters) - ((len(letters) - skip) % 4 == 1)]
        yield a2b_base64(whole + "=" * (-len(whole) % 4))


def _hex(text: str) -> Iterator[tuple[int, int, bytes]]:
    """Runs of bytes as a whole, and each word of them by itself: its neighbour may be of something else."""
    for run in _HEX.finditer(text):
        end = run.start() + len(run[0].rstrip(" \t\r\n:,-"))
        digits = re.sub(r"(?i)0x", " ", run[0])
        for part in dict.fromkeys((re.sub(r"(?i)[^0-9a-f]", "", digits), *_HEX_WORD.findall(digits))):
            yield run.start(), end, bytes.fromhex(part)


def _dumps(text: str) -> Iterator[tuple[int, int, bytes]]:
    """Hex dumps as one run of bytes, without their offsets and columns of characters."""
    lines: list[re.Match[str]] = []
    for line in DUMP_LINE.finditer(text):
        if lines and not _NEXT_LINE.fullmatch(text, lines[-1].end(), line.start()):
            yield _dump(text, lines)
            lines = []
        lines.append(line)
    if lines:
        yield _dump(text, lines)


def _dump(text: str, lines: list[re.Match[str]]) -> tuple[int, int, bytes]:
    digits = "".join("".join((line[1] or line[2]).split()) for line in lines)
    column = _REST_OF_LINE.match(text, lines[-1].end())
    end = column.end() if column else lines[-1].end()
    return lines[0].start(), end, bytes.fromhex(digits[: len(digits) // 2 * 2])
