"""Telephone numbers in a report, however they are spaced, and what only looks like one.

A number that nobody but a telephone has the form of is a ``phone``. What has as many digits and begins
as one does is a ``number``: it goes as well, but it may be evidence, so a human looks. Reports are full
of digits: dates, versions, bytes, identifiers; those are told apart here, and stay.
"""

import re
from collections.abc import Iterator

from .scrub_shapes import Found
from .scrub_views import View

# What people put between digits, in a text that is folded: no thin or non-breaking spaces are left.
_MARKS = r" .\-/()\u2010-\u2015\u2212\u2044\u2215\u00b7"
_GAP = rf"[{_MARKS}]{{0,4}}"  # four in "(030) - 123"
_NO_DIGIT_BEFORE = r"(?<![\w+])(?<!\d[.:,/\-])"
_NO_DIGIT_AFTER = r"(?![\w])(?![.:,/\-]\d)"
_NOT_A_DATE = r"(?!\d{1,2} ?[.\-/\u2013] ?\d{1,2} ?[.\-/\u2013] ?(?:19|20)\d\d(?!\d))"
_NOT_AN_IP = r"(?!\d{1,3}(?:\.\d{1,3}){3}(?!\d))"
_PHONES = (
    re.compile(  # +31 (0)6 1234 5678, 0031-6-12345678, + 49 (0) 30 - 123456
        rf"{_NO_DIGIT_BEFORE}(?:\+|00|\+ (?=\d{{1,3}}[{_MARKS}]))[1-9]"
        rf"(?:[{_MARKS}]{{0,3}}\(0\))?(?:{_GAP}\d){{7,13}}{_NO_DIGIT_AFTER}"
    ),
    re.compile(  # 06-12345678, (020) 123 45 67, 06 - 12 34 56 78, (0)6 12345678
        rf"{_NO_DIGIT_BEFORE}{_NOT_A_DATE}(?!0123456789)(?:\(0\) ?|\(?0)[1-9](?:{_GAP}\d){{8}}"
        rf"{_NO_DIGIT_AFTER}"
    ),
    re.compile(  # (415) 555-0123
        rf"{_NO_DIGIT_BEFORE}(?:\(\d{{3}}\) ?|\d{{3}}[.\-])\d{{3}}[.\-]\d{{4}}{_NO_DIGIT_AFTER}"
    ),
    re.compile(  # whatever somebody calls a phone number
        r"(?i:\b(?:tel|telefoon|telefoonnummer|phone|mobiel|mobile|gsm|whatsapp|signal|call me"
        r"(?: at| on)?|bel (?:me|mij)(?: op)?)\b[ .:=\-]{0,4})"
        rf"{_NOT_A_DATE}{_NOT_AN_IP}([+(]?\d(?:{_GAP}\d){{5,14}}){_NO_DIGIT_AFTER}"
    ),
)
# Digits behind a plus or a zero, up to where none follow; one line may end in between.
_RUN = re.compile(
    rf"(?<![\w+#=/\\\-])(?<!\d[.:,])(?:\(?\+ ?\(?[1-9]|\(?0)"
    rf"(?:(?:{_GAP}|_)\d)++(?:[{_MARKS}]{{0,2}}\r?\n[ ]?\d(?:{_GAP}\d){{2,}}+)?+"
)
_IS_DIALLED = re.compile(r"\(?(?:\+|00 ?[1-9]|0[1-9]|\(0\) ?[1-9]|0 [1-9] )")
_GOES_ON = re.compile(r"-?\w|[.:,/]\d|%")
_HAS_A_DATE = re.compile(
    r"(?<!\d)\d{1,2} ?[.\-/\u2013] ?\d{1,2} ?[.\-/\u2013] ?(?:19|20)\d\d(?!\d)"
    r"|(?<!\d)(?:19|20)\d\d[.\-/]\d\d[.\-/]\d\d(?!\d)|\d\d[.\-/](?:19|20)\d\d\D+\d\d[.\-/](?:19|20)\d\d\Z"
)
_IS_ANOTHER = re.compile(r"\d{3}(?:\.\d{3}){3}|0\d{4}-\d{4}")  # an address with zeros, a ZIP code
# What a report calls something else than a telephone.
_IS_CALLED = re.compile(
    r"\b(?:cve|cwe|rfc|versi(?:e|on)|v|firmware|release|rev|build|patch|ticket|zaak|case|incident|issue"
    r"|order|serial|s/n|isbn|kvk|bsn|imei|oid|p?id|port|poort|offset|size|length|hash|crc|timestamp"
    r"|tijdstip|dat(?:e|um)|seq|ack|mode)(?:nummer|number|s)?[ .:=\-]{0,3}\Z"
)
_BEFORE = 30
_SHORTEST, _DUTCH, _LONGEST, _MOST_GROUPS = 9, 10, 13, 7
DUMP_LINE = re.compile(  # as xxd and hexdump write it: an offset and bytes, or many bytes
    r"(?<![0-9a-z.:\-])(?:(?:0x)?[0-9a-f]{4,16}(?::[ \t]{1,4}|[ \t]{2,4})"
    r"((?:[0-9a-f]{2,8}[ \t]{1,2}){3,32}(?:[0-9a-f]{2,8}(?!\S))?)"
    r"|((?:[0-9a-f]{2,8}[ \t]{1,2}){7,32}(?:[0-9a-f]{2,8}(?!\S))?))",
    re.IGNORECASE,
)
_BYTES = re.compile(r"\d\d(?: \d\d)+")


def phones(text: str) -> Iterator[Found]:
    """Numbers that are telephone numbers by their form, or may be, outside hex dumps."""
    view = View(text).folded()
    readable = DUMP_LINE.sub(_hidden, view.text)
    for pattern in _PHONES:
        group = pattern.groups
        for found in pattern.finditer(readable):
            if not _is_among_bytes(readable, *found.span(group)):
                yield Found(*view.span(*found.span(group)), "phone")
    for start, end in _perhaps(_without_phones(readable)):
        yield Found(*view.span(start, end), "number")


def _hidden(part: re.Match[str]) -> str:
    return "x" * len(part[0])


def _without_phones(text: str) -> str:
    for pattern in _PHONES:
        text = pattern.sub(_hidden, text)
    return text


def _perhaps(text: str) -> Iterator[tuple[int, int]]:
    """Where a number stands that could be dialled, and that is not known to be anything else."""
    for run in _RUN.finditer(text):
        called = _IS_CALLED.search(text[max(0, run.start() - _BEFORE) : run.start()])
        if not called and not _GOES_ON.match(text, run.end()) and _may_be_dialled(run[0]):
            yield run.span()


def _may_be_dialled(run: str) -> bool:
    """Whether somebody may write a telephone number so; lists, dates, bytes and binary digits are none."""
    groups = re.findall(r"\d+", run)
    digits, begins = "".join(groups), _IS_DIALLED.match(run)
    if begins is None or not _SHORTEST <= len(digits) <= _LONGEST or len(set(digits)) < 3:
        return False
    if len(digits) != _DUTCH and ("\n" in run or begins[0].startswith("0 ")):
        return False
    if "0123456789" in digits or _HAS_A_DATE.search(run) or _IS_ANOTHER.fullmatch(run):
        return False
    sizes = {len(group) for group in groups}
    if sizes == {1}:
        return True
    is_list = len(groups) > 1 and all(group.startswith("0") for group in groups)
    return not is_list and len(groups) <= _MOST_GROUPS and not (sizes == {2} and len(groups) > 5)


def _is_among_bytes(text: str, start: int, end: int) -> bool:
    """Whether pairs of digits go on as pairs of hexadecimal digits on either side."""
    if not _BYTES.fullmatch(text, start, end):
        return False
    before = re.search(r"((?:\b[0-9a-f]{2} ){0,3})\Z", text[max(0, start - 9) : start])
    after = re.match(r"(?: [0-9a-f]{2}\b){0,3}", text[end : end + 9])
    return sum(len(side[0]) for side in (before, after) if side) >= 6
