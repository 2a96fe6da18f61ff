"""The words that commands in a mail are made of: days, and words in both languages, mistyped or not."""

import re
from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Any

from babel.dates import get_month_names

SEVERITIES: Mapping[str, str] = {
    "critical": "critical",
    "kritiek": "critical",
    "high": "high",
    "hoog": "high",
    "medium": "medium",
    "midden": "medium",
    "low": "low",
    "laag": "low",
    "none": "none",
    "geen": "none",
}
WAITED_FOR: Mapping[str, str] = {
    "reporter": "reporter",
    "melder": "reporter",
    "supplier": "supplier",
    "leverancier": "supplier",
    "handler": "handler",
    "behandelaar": "handler",
    "owner": "owner",
    "eigenaar": "owner",
    "ibd": "ibd",
}
#: What our form and its reasons are called besides: no command by mail, and no beginning of a message.
OF_THE_FORM = frozenset(
    {"fixed", "closed", "gesloten", "duplicate", "duplicaat", "dubbel", "join", "merge", "samenvoegen"}
    | {"keep apart", "split", "reopen", "heropenen", "forget", "withdraw", "embargo", "lift the", "publish"}
    | {"publication", "publicatie", "propose", "resend", "opmerking", "remark"}
)
_LANGUAGES = ("nl", "en")
_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})|(\d{1,2})-(\d{1,2})-(\d{4})|(\d{1,2}) ([^\W\d_]+)\.? (\d{4})")


def read_day(text: str) -> date | None:
    """The day that is written: ``2026-12-15``, ``15-12-2026`` or ``15 december 2026``; ``None`` for others.

    Slashes mean one day in Dutch and another in English, so they mean none here.
    """
    found = _DAY.fullmatch(" ".join(text.split()).rstrip("."))
    if found is None:
        return None
    year = found[1] or found[6] or found[9]
    month = found[2] or found[5] or _months().get(found[8].casefold())
    day = found[3] or found[4] or found[7]
    try:
        return date(int(year), int(month or 0), int(day))
    except ValueError:
        return None


def last_day(text: str) -> tuple[str, date | None]:
    """A name and the day behind it, if one stands there."""
    words = text.split()
    for count in (1, 3):
        day = read_day(" ".join(words[-count:])) if len(words) > count else None
        if day is not None:
            return " ".join(words[:-count]), day
    return " ".join(words), None


def is_nearly(word: str, meant: str) -> bool:
    """Whether a word is another one mistyped: a letter too many, too few, wrong, or two changed about.

    Of long ones two such mistakes are forgiven.
    """
    allowed = 2 if len(meant) > 7 else 1
    if abs(len(word) - len(meant)) > allowed:
        return False
    return 0 < _mistakes(word, meant) <= allowed


def _mistakes(word: str, meant: str) -> int:
    """The optimal string alignment distance."""
    above: list[int] = []
    row = list(range(len(meant) + 1))
    for i, letter in enumerate(word, 1):
        before, above, row = above, row, [i]
        for j, other in enumerate(meant, 1):
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == meant[j - 2] and word[i - 2] == other:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
    return row[-1]


@cache
def _months() -> Mapping[str, int]:
    """The months by name and by abbreviation, in both languages."""
    known: dict[str, int] = {}
    for language in _LANGUAGES:
        for width in ("wide", "abbreviated"):
            names: Any = get_month_names(width, locale=language)  # its type is not told in full
            known |= {str(names[number]).casefold().rstrip("."): number for number in range(1, 13)}
    return known
