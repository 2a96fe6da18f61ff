"""Quotes folded for whoever reads a conversation: what is quoted stands in it already.

Only for display: nothing of a message is ever taken away from the record. Libraries that split replies
(mail-parser-reply, email_reply_parser) give texts back that no longer tell what was left out, and their
patterns take quadratic time on hostile lines; here each line is looked at once, and whatever is
folded is counted.
"""

import re
from collections.abc import Callable, Iterator

FEWEST = 4  # lines that are worth folding
_LONGEST = 300  # characters of a line that are looked at
#: "On … wrote:", in the languages of mail programs here; some break it over two lines.
_ATTRIBUTION = re.compile(r"\b(?:schreef|wrote|schrieb|écrit|escribió|ha scritto|skrev)\b[^:]{0,100}:\s*\Z")
_BEGINS_ATTRIBUTION = re.compile(r"(?:Op|On|Am|Le|El|Il|Den)\b")
#: The same with a time behind it ("CVD schreef op 19-11-2026 14:05:"), and what tells it from prose.
_NAMES_A_MAIL = re.compile(
    r"\b(?:schreef|geschreven|wrote|schrieb|écrit|escribió|ha scritto|skrev)\b.{0,120}:\s*\Z"
)
_NAMES_ITS_WRITER = re.compile(
    r"\A\W{0,3}(?:Op|On|Am|Le|El|Il|Den)\b.{0,200}\d|\S@\S|\d[:.]\d\d\b.{0,3}:\s*\Z"
)
#: What a program says of the mail that it quotes: its sender's address, or its day and minute. People who
#: write "Op 19 november schreef u over het formulier:" say neither, and mean what follows.
_BY_A_PROGRAM = re.compile(r"\S@\S|\b\d{4}\b.{0,40}\d[:.]\d\d\b")
_SPEAKS_TO_SOMEBODY = re.compile(r"\b(?:ik|u|jij|je|wij|we|you|I|ich|Sie|du|wir)\b")
#: From here on a mail program has put the mail that is answered or forwarded, down to the end.
_SEPARATOR = re.compile(
    r"\s*-{2,}\s*(?:original message|oorspronkelijk bericht|ursprüngliche nachricht|message d'origine"
    r"|forwarded message|doorgestuurd bericht|weitergeleitete nachricht)\s*-{2,}\s*\Z"
    r"|\s*(?:begin forwarded message|begin doorgestuurd bericht):\s*\Z",
    re.IGNORECASE,
)
_RULE = re.compile(r"\s*_{10,}\s*\Z")
_HEADER = re.compile(
    r"\**(?:from|sent|to|cc|date|subject|van|verzonden|aan|datum|onderwerp|von|gesendet|an|betreff)\**:\**\s",
    re.IGNORECASE,
)


def folded(text: str, note: Callable[[int], str]) -> str:
    """The text with each quote of some length in one line, which ``note`` makes of the number of lines."""
    lines = text.split("\n")
    shown: list[str] = []
    for start, end, is_quote in _stretches(lines):
        stretch = lines[start:end]
        count = sum(bool(line.strip()) for line in stretch)
        shown += [note(len(stretch))] if is_quote and count >= FEWEST else stretch
    return "\n".join(shown)


def unquoted(text: str) -> str:
    """The text without anything that it quotes, for passing on what somebody wrote themselves.

    Stricter than folding: quotes of any length go, and where a mail program put the mail that is answered
    without marking its lines, all that follows goes. Nobody's record is made of this. What only looks like
    it stays, and :func:`may_quote` says so.
    """
    lines = text.split("\n")
    kept: list[str] = []
    at = 0
    while at < len(lines) and not _begins_unmarked(lines, at):
        end = _end_of_quote(lines, _begin_of_quote(lines, at))
        if end is None and not lines[at].lstrip().startswith(">"):
            kept.append(lines[at])
        at = end or at + 1
    return "\n".join(kept)


def may_quote(text: str) -> bool:
    """Whether a line may say that another mail follows, or that somebody's own words do."""
    lines = text.split("\n")
    return any(_attribution(lines, at) is not None for at in range(len(lines)))


def _begins_unmarked(lines: list[str], at: int) -> bool:
    """Whether the mail that is answered follows here, to the end, with no mark on its lines."""
    if _is_blank(lines, at):
        return False
    if _begins_the_rest(lines, at) or _are_headers(lines, at):
        return True
    found = _attribution(lines, at)
    if found is None or _is_quoted(lines, _after_blanks(lines, found[1])):
        return False
    return _BY_A_PROGRAM.search(found[0]) is not None and not _SPEAKS_TO_SOMEBODY.search(found[0])


def _begin_of_quote(lines: list[str], at: int) -> int:
    """Where the quoted lines begin if something stands here that introduces them; else the place itself."""
    found = _attribution(lines, at)
    after = _after_blanks(lines, found[1]) if found else at
    return after if _is_quoted(lines, after) else at


def _attribution(lines: list[str], at: int) -> tuple[str, int] | None:
    """A line or two that say who wrote a mail, and when, and where what they speak of begins."""
    line, following = lines[at][:_LONGEST], "".join(lines[at + 1 : at + 2])[:_LONGEST]
    said = [(line, at + 1)]
    if _BEGINS_ATTRIBUTION.match(line):
        said.append((f"{line} {following}", at + 2))
    names = (one for one in said if _NAMES_A_MAIL.search(one[0]) and _NAMES_ITS_WRITER.search(one[0]))
    return next(names, None)


def _stretches(lines: list[str]) -> Iterator[tuple[int, int, bool]]:
    """The stretches of lines that are quotes, and those that are not."""
    at = begun = 0
    while at < len(lines):
        end = _end_of_quote(lines, at)
        if end is None:
            at += 1
            continue
        if begun < at:
            yield begun, at, False
        yield at, end, True
        at = begun = end
    if begun < len(lines):
        yield begun, len(lines), False


def _end_of_quote(lines: list[str], at: int) -> int | None:
    """Where the quote that begins at a line ends; ``None`` when none begins there."""
    if _begins_the_rest(lines, at):
        return len(lines)
    start = _after_attribution(lines, at)
    if not _is_quoted(lines, start):
        return None
    end = start
    while _is_quoted(lines, end) or (_is_blank(lines, end) and _is_quoted(lines, end + 1)):
        end += 1
    return end


def _begins_the_rest(lines: list[str], at: int) -> bool:
    """Whether the mail that is answered or forwarded follows, with its headers, to the end."""
    line = lines[at][:_LONGEST]
    if _SEPARATOR.match(line):
        return True
    if _RULE.match(line):
        return _are_headers(lines, at + 1)
    return bool(line.strip()) and _are_headers(lines, at) and (at == 0 or _is_blank(lines, at - 1))


def _are_headers(lines: list[str], at: int) -> bool:
    """Whether a block of mail headers begins here, as Outlook writes them above what it quotes."""
    at = _after_blanks(lines, at)
    block = lines[at : at + 3]
    return len(block) == 3 and all(_HEADER.match(line[:_LONGEST]) for line in block)


def _after_attribution(lines: list[str], at: int) -> int:
    """Where the quoted lines begin if an attribution stands here; the place itself otherwise."""
    line, following = lines[at][:_LONGEST], "".join(lines[at + 1 : at + 2])[:_LONGEST]
    if _ATTRIBUTION.search(line):
        after = _after_blanks(lines, at + 1)
    elif _BEGINS_ATTRIBUTION.match(line) and _ATTRIBUTION.search(f"{line} {following}"):
        after = _after_blanks(lines, at + 2)
    else:
        return at
    return after if _is_quoted(lines, after) else at


def _after_blanks(lines: list[str], at: int) -> int:
    """Past a blank line or two."""
    blanks = (place for place in (at, at + 1) if not _is_blank(lines, place))
    return next(blanks, at + 2)


def _is_quoted(lines: list[str], at: int) -> bool:
    return at < len(lines) and lines[at].startswith(">")


def _is_blank(lines: list[str], at: int) -> bool:
    return at < len(lines) and not lines[at].strip()
