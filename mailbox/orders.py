"""What a reply orders: the words of a handler or an owner in, commands out. Nothing is guessed.

The first lines of a reply may be commands, each on a line of its own. What begins with the word of a
command, or with one mistyped, is a command: one that is not whole raises :class:`Unclear`, and nothing is
done. So does a command further down, or ``intern:`` where it comes too late: what a handler meant for us
must not reach the reporter as prose. ``message:`` on the first line says that all that follows is prose.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from .order_words import OF_THE_FORM, SEVERITIES, WAITED_FOR, is_nearly, last_day, read_day
from .wording_parts import Label


class Verb(StrEnum):
    """What a line can order; the value is a code for histories and mails."""

    FIX = "fix"
    NO_DATE = "no_date"
    ACCEPT = "accept"
    CONFIRM = "confirm"
    INVALIDATE = "not_confirmed"
    DEFER = "hold"
    CLOSE = "close"
    ASSIGN = "assign"
    RATE = "severity"
    WAIT = "wait"
    MILESTONE = "milestone"
    RELEASE = "release"
    ASK = "ask"
    TELL = "message"
    NOTE = "internal"


@dataclass(frozen=True)
class Command:
    """One thing that is ordered: with what, by which day, and in which words.

    A text without any command is an implied message.
    """

    verb: Verb
    value: str = ""
    on: date | None = None
    words: str = ""
    is_implied: bool = False

    @property
    def spelled(self) -> str:
        """The command as it is understood, without its words."""
        value = "" if self.verb is Verb.NO_DATE else self.value
        parts = (self.verb.value.replace("_", " "), value, self.on.isoformat() if self.on else "")
        return " ".join(part for part in parts if part)


class Unclear(Exception):
    """It cannot be told for certain what is ordered; says why, and what would be clear."""

    def __init__(self, nl: str, en: str) -> None:
        super().__init__(en)
        self.why = Label(nl, en)


#: The words of each command, in both languages.
WORDS: Mapping[str, Verb] = {
    "not confirmed": Verb.INVALIDATE,
    "niet bevestigd": Verb.INVALIDATE,
    "geen datum": Verb.NO_DATE,
    "no date": Verb.NO_DATE,
    "wijs toe": Verb.ASSIGN,
    "toewijzen": Verb.ASSIGN,
    "assign": Verb.ASSIGN,
    "fix": Verb.FIX,
    "oplossing": Verb.FIX,
    "accept": Verb.ACCEPT,
    "accepteer": Verb.ACCEPT,
    "confirm": Verb.CONFIRM,
    "bevestig": Verb.CONFIRM,
    "on hold": Verb.DEFER,
    "put on hold": Verb.DEFER,
    "hold": Verb.DEFER,
    "defer": Verb.DEFER,
    "aanhouden": Verb.DEFER,
    "close": Verb.CLOSE,
    "sluit": Verb.CLOSE,
    "sluiten": Verb.CLOSE,
    "severity": Verb.RATE,
    "ernst": Verb.RATE,
    "wait": Verb.WAIT,
    "wacht": Verb.WAIT,
    "milestone": Verb.MILESTONE,
    "mijlpaal": Verb.MILESTONE,
    "release": Verb.RELEASE,
    "vrijgeven": Verb.RELEASE,
    "ask": Verb.ASK,
    "vraag": Verb.ASK,
    "message": Verb.TELL,
    "bericht": Verb.TELL,
    "internal": Verb.NOTE,
    "intern": Verb.NOTE,
    "note": Verb.NOTE,
    "notitie": Verb.NOTE,
}
#: What has a text of its own, which takes the lines below the commands.
SPEAKING = frozenset({Verb.FIX, Verb.NO_DATE, Verb.ASK, Verb.TELL, Verb.NOTE})
#: Whose words reach the reporter; of the others they are the reason in our own history.
REACHES_REPORTER = frozenset(
    {Verb.ACCEPT, Verb.CONFIRM, Verb.INVALIDATE, Verb.DEFER, Verb.CLOSE}
) | SPEAKING - {Verb.NOTE}
_LEADS = frozenset({Verb.ASK, Verb.TELL, Verb.NOTE})
_ALONE = frozenset({Verb.ACCEPT, Verb.CONFIRM, Verb.INVALIDATE, Verb.DEFER, Verb.RELEASE})
_PROSE = (
    " Is het gewone tekst voor de melder? Zet dan op de eerste regel: message:",
    " If it is plain text for the reporter, put on the first line: message:",
)
_HEAD = re.compile(r"[^\w]*(\w+)(?: (\w+))?", re.UNICODE)
_VECTOR = re.compile(r"cvss:\S+", re.IGNORECASE)
_NOTE = "|".join(phrase for phrase, verb in WORDS.items() if verb is Verb.NOTE)
#: A line that begins as a note, behind whatever marks: a colon follows, or a mark that sets its word apart.
_LATE_NOTE = re.compile(
    rf"[\W\d_]*(?:interne )?(?:{_NOTE})(?:[*_\])}}>;:\uff1a]|[\s-].*:| [-\u2013\u2014] |[\W_]*\Z)",
    re.IGNORECASE,
)


def read(text: str, reasons: Mapping[str, str]) -> tuple[Command, ...]:
    """The commands of a reply, at least one; raises :class:`Unclear`. ``reasons`` names those for closing."""
    lines = text.strip("\n").split("\n")
    commands: list[Command] = []
    at = 0
    while at < len(lines) and (command := _command(lines[at], reasons)) is not None:
        commands.append(command)
        at += 1
        if command.verb in _LEADS:
            break
    rest = "\n".join(lines[at:]).strip("\n")
    if not commands:
        if not rest.strip():
            raise Unclear("de mail heeft geen eigen tekst", "the mail has no words of its own")
        commands.append(Command(Verb.TELL, is_implied=True))
    elif len({one.verb for one in commands}) < len(commands):
        raise Unclear("dezelfde opdracht staat er twee keer", "the same command stands there twice")
    if at == 0 or commands[-1].verb not in (Verb.NOTE, Verb.TELL):
        _refuse_late_commands(lines[at:], reasons)
    return _with_text(commands, rest)


def _command(line: str, reasons: Mapping[str, str]) -> Command | None:
    """The command on a line; ``None`` when it is prose."""
    bare = " ".join(line.split())
    if _VECTOR.fullmatch(bare):
        return Command(Verb.RATE, bare)
    phrase = _phrase(bare)
    if phrase is None:
        if _is_attempt(bare, reasons):
            raise _not_whole(bare)
        return None
    verb, rest = WORDS[phrase], bare[len(phrase) :]
    if verb in _LEADS or verb is Verb.NO_DATE:
        return _led(verb, rest, bare)
    argument, _, words = (rest, "", "") if _VECTOR.search(rest) else rest.partition(":")
    argument = argument.strip()
    if verb in _ALONE:
        if argument.strip(". "):
            raise _not_whole(bare)
        return Command(verb, words=words.strip())
    made = _with_argument(verb, argument, reasons)
    if made is None:
        raise _not_whole(bare)
    return replace(made, words=words.strip())


def _phrase(line: str) -> str | None:
    """The words of a command with which a line begins, and which end there; ``no-date`` is ``no date``."""
    folded = line.casefold().replace("-", " ")
    fits = (phrase for phrase in WORDS if re.match(rf"{phrase}(?=[\s:]|\.?\Z)", folded))
    return next(fits, None)


def _led(verb: Verb, rest: str, line: str) -> Command:
    """A command that words follow, behind a colon or on the next lines."""
    before, colon, words = rest.partition(":")
    if before.strip(". ") or (verb in (Verb.TELL, Verb.NOTE) and not colon):
        raise _not_whole(line)
    return Command(verb, words.strip()) if verb is Verb.NO_DATE else Command(verb, words=words.strip())


def _with_argument(verb: Verb, argument: str, reasons: Mapping[str, str]) -> Command | None:
    """A command with what it takes; ``None`` when that is missing or is not known."""
    known = " ".join(argument.casefold().rstrip(".").replace("_", " ").replace("-", " ").split())
    match verb:
        case Verb.FIX:
            day = read_day(argument)
            return Command(verb, on=day) if day else None
        case Verb.CLOSE:
            return Command(verb, reasons[known]) if known in reasons else None
        case Verb.RATE:
            value = argument if _VECTOR.fullmatch(argument) else SEVERITIES.get(known)
            return Command(verb, value) if value else None
        case Verb.WAIT:
            whom = WAITED_FOR.get(known.removeprefix("for ").removeprefix("op "))
            return Command(verb, whom) if whom else None
        case Verb.MILESTONE:
            name, day = last_day(argument)
            return Command(verb, name.casefold().replace(" ", "_").replace("-", "_"), day) if name else None
        case _:
            name = re.sub(r"\A(?:to|aan) ", "", argument, flags=re.IGNORECASE)
            return Command(verb, name) if name else None


def _is_attempt(line: str, reasons: Mapping[str, str]) -> bool:
    """Whether a line that is no command was meant as one: it begins with its word, or nearly so.

    So was what our form calls something, such as a reason for closing on a line of its own.
    """
    folded = line.casefold().replace("-", " ").replace("_", " ")
    found = _HEAD.match(folded)
    if found is None:
        return False
    first, both = found[1], f"{found[1]} {found[2] or ''}".strip()
    if first in WORDS or both in WORDS or first.startswith("intern"):
        return True
    if _chosen(folded) in {*reasons, *SEVERITIES, *WAITED_FOR}:
        return True
    is_short = len(line.split()) <= 4 and line[-1] not in ".!?,"
    is_led = line[found.end(1) :].lstrip().startswith(":") or line[found.end() :].lstrip().startswith(":")
    if not (is_short or is_led):
        return False
    if first in OF_THE_FORM or both in OF_THE_FORM:
        return True
    has_more = line[found.end(1) :].strip()
    return any(
        is_nearly(both if " " in phrase else first, phrase)
        for phrase in WORDS
        if len(phrase) > 3 or not has_more or any(character.isdigit() for character in has_more)
    )


def _chosen(folded: str) -> str:
    """The words of a line, without what is put around them or at their end."""
    return " ".join(re.findall(r"\w+", folded))


def _refuse_late_commands(lines: Sequence[str], reasons: Mapping[str, str]) -> None:
    """What stands as a command below prose was meant as one, and prose above it for whom nobody knows."""
    for line in lines:
        bare = " ".join(line.split())
        phrase = _phrase(bare)
        is_command = phrase is not None and WORDS[phrase] not in _LEADS and ":" not in bare
        if _LATE_NOTE.match(bare) or (is_command and _is_whole(bare, reasons)):
            raise Unclear(
                f"een opdracht staat te laat in de mail: {bare!r}. Opdrachten staan op de eerste regels,"
                f" zonder lege regel ertussen.{_PROSE[0]}",
                f"a command stands too far down: {bare!r}. Commands stand on the first lines, with no empty"
                f" line between them.{_PROSE[1]}",
            )


def _is_whole(line: str, reasons: Mapping[str, str]) -> bool:
    try:
        return _command(line, reasons) is not None
    except Unclear:
        return False


def _with_text(commands: Sequence[Command], text: str) -> tuple[Command, ...]:
    """The commands with the text below them, which belongs to one of them."""
    speaking = [one for one in commands if one.verb in SPEAKING]
    if len(speaking) > 1:
        names = " + ".join(one.verb.value.replace("_", " ") for one in speaking)
        raise Unclear(
            f"niet duidelijk is bij welke opdracht de tekst hoort ({names}): stuur twee mails",
            f"it is not clear to which command the text belongs ({names}): send two mails",
        )
    takes = [one for one in commands if one.verb is not Verb.RELEASE]
    theirs = [one for one in takes if one.verb in REACHES_REPORTER]
    taker = next(iter((*speaking, *theirs[-1:], *takes[-1:])), None)
    if taker is None and text.strip():
        raise Unclear(
            "bij deze opdracht hoort geen tekst: laat die weg", "this command takes no text: leave it out"
        )
    return tuple(_taking(one, text) if one is taker else one for one in commands)


def _taking(command: Command, text: str) -> Command:
    if command.verb is Verb.NO_DATE and not command.value:
        return replace(command, value=" ".join(text.split()))
    return replace(command, words="\n".join(part for part in (command.words, text) if part.strip()))


def _not_whole(line: str) -> Unclear:
    shown = line if len(line) <= 80 else f"{line[:80]}…"
    return Unclear(
        f"dit lijkt een opdracht en is er geen die wij kennen: {shown!r}.{_PROSE[0]}",
        f"this looks like a command and is none that we know: {shown!r}.{_PROSE[1]}",
    )
