"""Parts of a mail that point to its writer whoever that is: signatures, quotations, keys.

A shape is found by its form, without knowing the reporter. Each finder gives places in the text;
none of them can take more than linear time, because every repetition in a pattern is bounded.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .scrub_identity import Kind


@dataclass(frozen=True, order=True)
class Found:
    """A place that has to go: the original characters from ``start`` to ``end``."""

    start: int
    end: int
    kind: Kind


_LONGEST_SIGNATURE = 12
_LONGEST_LINE = 72
_LONGEST_ATTRIBUTION = 300

_FAREWELLS = (
    r"met (?:de )?(?:vriendelijke|hartelijke|beste) groet(?:en)?|(?:vriendelijke|hartelijke) groet(?:en)?"
    r"|hoogachtend|(?:with )?(?:kind|best|warm|kindest|warmest|many) (?:regards|wishes|thanks)"
    r"|(?:yours )?(?:sincerely|faithfully|truly)(?: yours)?|m\.?v\.?g|mit freundlichen gr(?:ü|ue)(?:ß|ss)en"
)
_SHORT_FAREWELLS = (
    r"groet(?:en|jes)?|gr|regards|rgds|best|cheers|thanks|thank you|thx|bedankt|dank(?: u| je)?"
    r"|alvast (?:bedankt|dank)|greetings|ciao"
)
_END = r"[ \t]*\r?$"
FAREWELL = re.compile(
    rf"^[ \t]{{0,40}}(?:(?:{_FAREWELLS})[ \t]*[,.!]*(?:[ \t]+[^\s]{{1,30}}){{0,5}}"
    rf"|(?:{_SHORT_FAREWELLS})[ \t]*(?:[,.!]+(?:[ \t]+[^\s]{{1,30}}){{0,3}})?){_END}",
    re.IGNORECASE | re.MULTILINE,
)
# RFC 3676, 4.3; some clients drop the space, clear-signed text escapes the dashes.
DELIMITER = re.compile(r"^(?:- )?--[ ]?\r?$", re.MULTILINE)
_REPORT_LINE = re.compile(
    r"[ \t]{0,40}(?:[-*•][ \t]|\d{1,3}[.)][ \t]|>|p\.?s\.?\b|n\.?b\.?\b|```|curl\b|(?:GET|POST|PUT)[ ]/"
    r"|[$#][ ])",
    re.IGNORECASE,
)
_FIELDS = (
    r"from|van|to|aan|cc|bcc|sent|verzonden|date|datum|subject|onderwerp|reply-to|message-id"
    r"|return-path|received|delivered-to|sender|user-agent|x-[\w-]{1,40}|dkim-signature"
    r"|in-reply-to|references|autocrypt|authentication-results"
)
_WROTE = re.compile(r"\b(?:wrote|schreef|schrieb)\b([^\n]{0,160})(?:\n([^\n]{0,80}))?", re.IGNORECASE)
_ATTRIBUTION_START = re.compile(r"[ \t>]{0,20}(?:on|op|am)[ ]", re.IGNORECASE)
_QUOTED_LINES = re.compile(r"\r?\n?(?:[ \t]*\r?\n){0,3}(?:[ \t]*>[^\n]*(?:\n|\Z))+")
_QUOTED_FIELD = re.compile(
    rf"^[ \t]{{0,20}}>[ \t>]{{0,20}}(?:{_FIELDS})[ \t]*:[^\n]*(?:\n|\Z)", re.IGNORECASE | re.MULTILINE
)
ORIGINAL = re.compile(
    r"^[ \t>]{0,20}-{2,20}[ \t]*(?:original message|oorspronkelijk bericht|forwarded message"
    r"|doorgestuurd bericht|original appointment)[ \t]*-{0,20}[ \t]*\r?\n"
    rf"(?:[ \t>]*\r?\n){{0,3}}(?:[ \t>*]*(?:{_FIELDS})[ \t]*:[^\n]*(?:\n|\Z)){{0,20}}",
    re.IGNORECASE | re.MULTILINE,
)
_ARMOUR = re.compile(r"^[ \t>-]{0,20}-----BEGIN PGP ([A-Z ]{1,40})-----[^\n]*\n?", re.MULTILINE)
_ARMOUR_LINE = re.compile(r"[ \t>]*(?:[A-Za-z]{1,20}: [^\n]*|[A-Za-z0-9+/=]{0,80})[ \t]*\r?\n?\Z")
_HASHES = re.compile(r"(?:Hash: [^\n]{0,80}\n){0,4}\r?\n?")
_KEY_ID = re.compile(
    r"(?i:\b(?:pgp|gpg|openpgp|key[ -]?id|sleutel-id)\b[^\n]{0,60}?)"
    r"(?<![0-9A-Za-z])((?:0[xX])?(?:[0-9A-Fa-f]{4}[ :\xa0]{0,2}){1,9}[0-9A-Fa-f]{4})(?![0-9A-Za-z])"
)
_GPG_FINGERPRINT = re.compile(
    r"(?<![0-9A-Za-z])(?:[0-9A-F]{4} ){5} (?:[0-9A-F]{4} ){4}[0-9A-F]{4}(?![0-9A-Za-z])"
)


def shapes(text: str) -> Iterator[Found]:
    """Everything in a text that has the form of its writer's traces."""
    yield from quotations(text)
    yield from armour(text)
    yield from signatures(text)
    for pattern, group in ((_KEY_ID, 1), (_GPG_FINGERPRINT, 0)):
        for found in pattern.finditer(text):
            if len(re.sub(r"[^0-9A-Fa-f]", "", found[group].lower().removeprefix("0x"))) >= 8:
                yield Found(*found.span(group), "key")


def quotations(text: str) -> Iterator[Found]:
    """Earlier mail: an attribution with the quoted lines under it, and quoted header fields."""
    for wrote in _WROTE.finditer(text):
        end = _attribution_end(wrote)
        start = _attribution_start(text, wrote.start())
        if end is None or start is None:
            continue
        lines = _QUOTED_LINES.match(text, end)
        if lines or re.search(r"[@<]", text[start:end]):
            yield Found(start, lines.end() if lines else end, "quote")
    for pattern in (ORIGINAL, _QUOTED_FIELD):
        for found in pattern.finditer(text):
            yield Found(found.start(), found.end(), "quote")


def _attribution_end(wrote: re.Match[str]) -> int | None:
    """Where the line ends that introduces a quotation, if this is one: after a colon."""
    for group in (1, 2):
        if (wrote[group] or "").rstrip().endswith(":"):
            return wrote.end(group)
    return None


def _attribution_start(text: str, wrote: int) -> int | None:
    """Where it begins: at ``On`` or ``Op`` on this line or the one before, or with an address."""
    line = _line_start(text, wrote)
    if line is None:
        return None
    for start in (line, _line_start(text, line - 1)):
        if start is not None and _ATTRIBUTION_START.match(text, start):
            return start
    return line if re.search(r"<[^<>\n]{3,80}>", text[line:wrote]) else None


def _line_start(text: str, place: int) -> int | None:
    """Where the line of a place begins, if that is near."""
    if place <= 0:
        return 0
    end = text.rfind("\n", max(0, place - _LONGEST_ATTRIBUTION), place)
    return None if end < 0 and place > _LONGEST_ATTRIBUTION else end + 1


def armour(text: str) -> Iterator[Found]:
    """OpenPGP blocks; of a clear-signed message the frame goes and the text stays."""
    for begin in _ARMOUR.finditer(text):
        if begin[1] == "SIGNED MESSAGE":
            frame = _HASHES.match(text, begin.end())
            yield Found(begin.start(), frame.end() if frame else begin.end(), "key")
        else:
            yield Found(begin.start(), _armour_end(text, begin), "key")


def _armour_end(text: str, begin: re.Match[str]) -> int:
    last = f"-----END PGP {begin[1]}-----"
    following = text.find("-----BEGIN PGP ", begin.end())
    end = text.find(last, begin.end(), following if following >= 0 else len(text))
    if end >= 0:
        return end + len(last)
    place = begin.end()
    for line in re.compile(r"[^\n]*\n|[^\n]+\Z").finditer(text, begin.end()):
        if not _ARMOUR_LINE.match(line[0]):
            break
        place = line.end()
    return place


def signatures(text: str) -> Iterator[Found]:
    """A delimiter or a farewell, with the short lines that belong to it."""
    for pattern in (DELIMITER, FAREWELL):
        for found in pattern.finditer(text):
            yield Found(found.start(), _signature_end(text, found.end()), "signature")


def _signature_end(text: str, start: int) -> int:
    """The end of the text if all that follows is short, else of the first paragraph of it."""
    end = start
    lines = 0
    for line in re.compile(r"\r?\n([^\n]*)").finditer(text, start):
        words = line[1].strip()
        if not words:
            continue
        is_over = lines >= _LONGEST_SIGNATURE or len(words) > _LONGEST_LINE
        if is_over or _REPORT_LINE.match(line[1]) or words.startswith("-----BEGIN"):
            return _first_paragraph_end(text, start, end)
        lines += 1
        end = line.end() - line[1].endswith("\r")
    return end


def _first_paragraph_end(text: str, start: int, limit: int) -> int:
    paragraph = re.compile(r"(?:\r?\n[ \t]*(?=\r?\n)){0,3}(?:\r?\n(?![ \t]*\r?\n)[^\n]+){0,12}")
    found = paragraph.match(text, start, limit)
    return found.end() if found else start
