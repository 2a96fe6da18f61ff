"""What every mail says: facts in, subject and body out, Dutch first and then English.

Each kind of mail is a frozen dataclass of exactly the facts it needs, and a template of the same
name in ``templates/``. Subjects are made here from a table and the ticket number alone, so nothing
that a reporter wrote can reach a header. Every fact is put into a body as one line without control
characters; only the filters ``verbatim`` and ``quoted`` let a text keep its own lines.
"""

import re
import textwrap
from dataclasses import fields
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Undefined, pass_context
from jinja2.runtime import Context

from .wording_facts import Facts
from .wording_parts import Desk, Label, Text
from .wording_subjects import SUBJECTS, label_of

Language = Literal["nl", "en"]

WIDTH = 72
DUTCH_ZONE = "Europe/Amsterdam"

SEALED_SUBJECT = Label("Versleuteld bericht", "Encrypted message")

_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_CODE = re.compile(r"[A-Za-z0-9_-]{1,40}")
_LITERAL = re.compile("\x02([^\x03]*)\x03")
_ITEM = re.compile(r"(?:-|\d+\.) ")


class _Literal(str):
    """Text that wrapping leaves alone, between two marks that no fact can contain."""

    __slots__ = ()

    def __new__(cls, text: str) -> "_Literal":
        return super().__new__(cls, f"\x02{text}\x03")


def word(facts: Facts, desk: Desk) -> Text:
    """The mail that these facts make; a missing fact raises instead of leaving a gap."""
    context = {field.name: getattr(facts, field.name) for field in fields(facts)}
    body = _TEMPLATES.get_template(f"{facts.kind}.txt").render(context, desk=desk)
    subject = _subject(label_of(facts), facts)
    outer = _subject(SEALED_SUBJECT, facts) if facts.is_sealed else subject
    return Text(subject=subject, body=_wrapped(body), outer_subject=outer)


def explained(problem: str) -> tuple[Label, Label]:
    """Why a message cannot be opened, and the way out; of an unknown code that it could not be filed."""
    codes: Any = _TEMPLATES.get_template("codes.txt").module
    why = codes.PROBLEMS.get(problem, codes.PROBLEMS["failed"])
    return Label(**why), Label(**codes.WAYS_OUT.get(problem, codes.WAYS_OUT["unreadable"]))


def alarm_in_words(kind: str) -> tuple[str, str]:
    """What an alarm means, and what to do about it, in English."""
    codes: Any = _TEMPLATES.get_template("codes.txt").module
    alarm = codes.ALARMS.get(kind, codes.ALARMS["other"])
    return alarm["en"], alarm["do_en"]


def reason_in_words(problem: str) -> str:
    """Why a mail did not leave, in English."""
    codes: Any = _TEMPLATES.get_template("codes.txt").module
    reason = codes.REASONS.get(problem)
    return str(reason["en"]) if reason else problem.replace("_", " ")


def _subject(label: Label, facts: Facts) -> str:
    number = f"[{facts.ticket}] " if facts.ticket else ""
    return f"{number}{label.nl} / {label.en}"


def in_words(instant: datetime, zone: str, language: Language) -> str:
    """An instant as a person reads it: weekday, date, local time and the zone that it is in.

    Dutch readers are spared the offset, except in the hour that summer time gives twice.
    """
    if instant.tzinfo is None:
        raise ValueError(f"{instant} has no zone: give an instant, such as a datetime in UTC")
    local = instant.astimezone(ZoneInfo(zone))
    if language == "nl":
        written = format_datetime(local, "EEEE d MMMM y 'om' HH:mm", tzinfo=ZoneInfo(zone), locale="nl")
    else:
        written = format_datetime(local, "EEEE d MMMM y 'at' HH:mm", tzinfo=ZoneInfo(zone), locale="en_GB")
    return f"{written} ({_zone_in_words(local, zone, language)})"


def day_in_words(day: date, language: Language) -> str:
    """A calendar day as a person reads it, without a time."""
    locale = "nl" if language == "nl" else "en_GB"
    return format_date(day, "EEEE d MMMM y", locale=locale)


def _zone_in_words(local: datetime, zone: str, language: Language) -> str:
    offset = _offset_in_words(local)
    if zone != DUTCH_ZONE:
        return f"{zone}, {offset}"
    if language == "en":
        return f"Dutch time, {offset}"
    is_twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    return f"Nederlandse tijd, {offset}" if is_twice else "Nederlandse tijd"


def _offset_in_words(local: datetime) -> str:
    offset = local.utcoffset()
    minutes = round(offset.total_seconds() / 60) if offset is not None else 0
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'-' if minutes < 0 else '+'}{hours}" + (f":{rest:02}" if rest else "")


def _shown(text: str) -> str:
    """Make characters visible that could move, hide or forge text on a reader's screen."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _verbatim(text: str) -> _Literal:
    """A text with its own lines, for what our own people wrote."""
    return _Literal(_shown(re.sub(r"\r\n?", "\n", text)).strip("\n"))


def _quoted(text: str) -> _Literal:
    """A text with its own lines, each marked as a quotation: no line can pass for ours."""
    lines = _shown(re.sub(r"\r\n?", "\n", text)).strip("\n").split("\n")
    return _Literal("\n".join(f"> {line}" if line else ">" for line in lines))


def _one_line(value: object) -> str:
    """What any other fact becomes; a value that has no words of its own is a mistake."""
    if isinstance(value, _Literal):
        return value
    if isinstance(value, str | Undefined):
        return _shown(" ".join(str(value).split()))
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise TypeError(f"{value!r} cannot stand in a mail: give text, a number, or use a filter")


@pass_context
def _as_mail(context: Context, facts: Facts) -> _Literal:
    """Another mail as it would leave, quoted."""
    return _quoted(word(facts, context["desk"]).body)


def _row(name: str, value: str, width: int) -> _Literal:
    """A line of a list whose values stand under each other."""
    return _Literal(f"    {_one_line(name) + ':':<{width}}{_one_line(value)}")


def _fingerprint(value: str) -> str:
    """A fingerprint in groups of four, as people compare it."""
    return " ".join(value[start : start + 4] for start in range(0, len(value), 4))


def _code(value: str) -> str:
    """A code of ours as it is; anything that does not look like one stays out of the mail."""
    return value if _CODE.fullmatch(value) else "?"


def _when(context: Context, moment: object, language: Language) -> str:
    """An instant (in the desk's zone) or a calendar day in words."""
    if isinstance(moment, datetime):
        return in_words(moment, context["desk"].zone, language)
    if isinstance(moment, date):
        return day_in_words(moment, language)
    raise TypeError(f"{moment!s} is no date: give an instant or a day")


@pass_context
def _nl(context: Context, moment: object) -> str:
    return _when(context, moment, "nl")


@pass_context
def _en(context: Context, moment: object) -> str:
    return _when(context, moment, "en")


def _wrapped(body: str) -> str:
    """Wrap the prose; literal text, lines indented by four, and links stay whole."""
    parts = _LITERAL.split(body)
    for at in range(0, len(parts), 2):
        parts[at] = _wrapped_prose(parts[at])
    return "".join(parts).strip("\n") + "\n"


def _wrapped_prose(text: str) -> str:
    lines: list[str] = []
    for line in re.sub(r"\n{3,}", "\n\n", text).split("\n"):
        continues = lines and lines[-1] and line.strip() and not _stands_alone(line)
        if continues and not lines[-1].startswith("    "):
            lines[-1] += " " + line.strip()
        else:
            lines.append(line.rstrip())
    return "\n".join(_filled(line) for line in lines)


def _stands_alone(line: str) -> bool:
    return line.startswith("    ") or _ITEM.match(line) is not None


def _filled(line: str) -> str:
    if line.startswith("    ") or not line:
        return line
    item = _ITEM.match(line)
    return textwrap.fill(
        line,
        width=WIDTH,
        subsequent_indent=" " * item.end() if item else "",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - plain text mail, nothing here is HTML
        finalize=_one_line,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters: dict[str, Any] = environment.filters
    filters.update(nl=_nl, en=_en, verbatim=_verbatim, quoted=_quoted, fingerprint=_fingerprint, code=_code)
    filters.update(as_mail=_as_mail, row=_row)
    known: dict[str, Any] = environment.globals
    known["SUBJECTS"] = SUBJECTS
    return environment


_TEMPLATES = _environment()
