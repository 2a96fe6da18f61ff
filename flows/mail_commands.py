"""What a reply of a handler or an owner asks for: its commands as orders, and what the reporter would read.

Everything that goes to the reporter goes without those who work on the ticket: no name, address or number
of theirs. Where that is not certain, or nothing is left, nothing of the mail is done.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time
from enum import Enum, auto
from typing import Any

from ..mailbox.opening import Opened
from ..mailbox.orders import REACHES_REPORTER, Command, Verb, read
from ..mailbox.own_words import own_words, passed_on
from ..mailbox.scrub import Identity
from ..mailbox.wording_parts import Label
from ..models.errors import Refused
from ..models.severity import Severity, rating_by_vector
from ..models.states import CLOSE_LABELS, CloseReason
from ..models.ticket import WaitingOn
from .acting import Action, Order
from .evidence import PERSONAL

HANDLERS_ONLY = frozenset(
    {Verb.CONFIRM, Verb.INVALIDATE, Verb.CLOSE, Verb.RELEASE, Verb.ASSIGN, Verb.RATE, Verb.WAIT}
)
ACTIONS: Mapping[Verb, Action] = {
    Verb.FIX: Action.ANSWER,
    Verb.NO_DATE: Action.ANSWER,
    Verb.ACCEPT: Action.ACCEPT,
    Verb.CONFIRM: Action.CONFIRM,
    Verb.INVALIDATE: Action.INVALIDATE,
    Verb.DEFER: Action.DEFER,
    Verb.CLOSE: Action.CLOSE,
    Verb.ASSIGN: Action.ASSIGN,
    Verb.RATE: Action.RATE,
    Verb.WAIT: Action.WAIT,
    Verb.MILESTONE: Action.MILESTONE,
    Verb.RELEASE: Action.RELEASE,
    Verb.ASK: Action.ASK,
    Verb.TELL: Action.TELL,
    Verb.NOTE: Action.NOTE,
}
#: What an answer says whose writer wrote no more than the command.
ONLY_A_DATE = "Wij verwachten dat dit dan is opgelost.\n\nWe expect this to be fixed by then."
ONLY_A_REASON = (
    "Wij kunnen nog geen datum noemen, om de genoemde reden.\n\n"
    "We cannot name a date yet, for the reason that is given."
)
#: The reasons for closing, by every word for them.
REASONS: Mapping[str, str] = {
    word.replace("_", " ").casefold(): reason.value
    for reason in CloseReason
    for word in (reason.value, *CLOSE_LABELS[reason])
}
DOUBTS: Mapping[str, Label] = {
    "nothing_left": Label(
        "zonder het aangehaalde en de ondertekening blijft er geen tekst over",
        "without what it quotes and the signature no text is left",
    ),
    "quote": Label(
        "er staat iets in van een andere mail: haal het aangehaalde weg",
        "something of another mail stands in it: take out what is quoted",
    ),
    "attribution": Label(
        "een regel lijkt een andere mail aan te kondigen (op … schreef …:), en wij weten niet wat daaronder"
        " van u is: schrijf die regel anders, of haal het aangehaalde weg",
        "a line seems to introduce another mail (on … wrote …:), and we cannot tell what below it is yours:"
        " put that line another way, or take out what is quoted",
    ),
    "signed_above": Label(
        "onder een naam staat nog tekst, en wij weten niet of die bij de ondertekening hoort: laat de"
        " ondertekening weg, of zet er een regel met -- boven",
        "text stands under a name, and we cannot tell whether it belongs to the signature: leave the"
        " signature out, or put a line with -- above it",
    ),
    "signature": Label(
        "onder een groet staat nog tekst, en wij weten niet of die bij de ondertekening hoort: laat de"
        " ondertekening weg, of zet er een regel met -- boven",
        "text stands under a farewell, and we cannot tell whether it belongs to the signature: leave the"
        " signature out, or put a line with -- above it",
    ),
    "sign_off": Label(
        "de laatste regel kan een naam zijn: laat die weg", "the last line may be a name: leave it out"
    ),
    "name": Label(
        "er staat een gewoon woord in dat ook de naam van een medewerker is: schrijf het anders",
        "an ordinary word stands in it that is a name of one of the staff as well: put it another way",
    ),
    "address": Label(
        "er staat een mailadres of een naam in die wij er niet uit konden halen",
        "a mail address or a name stands in it that we could not take out",
    ),
}
_GROUPS: Mapping[str, str] = {
    "mail_header": "quote",
    "quoted_mail": "quote",
    "common_name": "name",
    "short_name": "name",
}


class Answers(Enum):
    """What a mail answers, which says how much of it is done."""

    THE_REPORTER = auto()  #: the conversation with the ticket's reporter, or nothing of ours
    A_NOTICE = auto()  #: a mail that is no part of it, such as a reminder: what is spelled out is done
    ANOTHER = (
        auto()
    )  #: what somebody else wrote: nothing is done by which the ticket's reporter would read it


class NotDone(Exception):
    """Nothing of a mail is done; ``why`` is a code, ``because`` are words where there are any."""

    def __init__(self, why: str, because: Label | None = None) -> None:
        super().__init__(why)
        self.why, self.because = why, because


@dataclass(frozen=True)
class Wanted:
    """The orders of a mail, the commands that they come from, and the very words that the reporter reads."""

    orders: tuple[Order, ...]
    commands: tuple[str, ...]
    told: tuple[str, ...]
    notes: tuple[str, ...]


def wanted_by(
    opened: Opened, who: str, people: Identity, reader: Identity, *, is_owner: bool, answers: Answers
) -> Wanted:
    """What a mail orders; raises :class:`~meldbalie.mailbox.orders.Unclear`, :class:`NotDone`."""
    commands = read(own_words(opened.text, people), REASONS)
    if answers is Answers.A_NOTICE and commands[0].is_implied:
        raise NotDone("answers_a_notice")
    if answers is Answers.ANOTHER and any(map(_has_words_for_reporter, commands)):
        raise NotDone("answers_another")
    if is_owner and not HANDLERS_ONLY.isdisjoint(command.verb for command in commands):
        raise NotDone("only_handlers")
    clean = [_without_people(command, people, reader) for command in commands]
    orders = [_order(command, who) for command in clean]
    told = [
        said
        for order, command in zip(orders, clean, strict=True)
        if command.verb in REACHES_REPORTER
        for said in (order.no_date_because, order.text)
        if said
    ]
    notes = ["left_out"] if any(before != after for before, after in _said(commands, clean)) else []
    if told and any(file.content_type not in PERSONAL for file in opened.attachments):
        notes.append("files_kept")
    spelled = tuple(command.spelled for command in commands)
    return Wanted(tuple(orders), spelled, tuple(told), tuple(notes))


def _has_words_for_reporter(command: Command) -> bool:
    has_words = bool(command.words.strip()) or command.verb is Verb.NO_DATE
    return has_words and command.verb in REACHES_REPORTER


def _said(commands: Iterable[Command], clean: Iterable[Command]) -> Iterable[tuple[str, str]]:
    for before, after in zip(commands, clean, strict=True):
        yield before.words.strip(), after.words
        yield before.value.strip(), after.value


def _without_people(command: Command, people: Identity, reader: Identity) -> Command:
    """A command whose words may be sent on; raises :class:`NotDone` where that is doubtful."""
    if command.verb not in REACHES_REPORTER:
        return replace(command, words=command.words.strip())
    reason = command.value if command.verb is Verb.NO_DATE else ""
    return replace(
        command,
        words=_passed_on(command.words, people, reader),
        value=_passed_on(reason, people, reader) or command.value,
    )


def _passed_on(text: str, people: Identity, reader: Identity) -> str:
    if not text.strip():
        return ""
    passed = passed_on(text, people, reader)
    if passed.doubts:
        groups = dict.fromkeys(_GROUPS.get(doubt, doubt) for doubt in passed.doubts)
        labels = [DOUBTS.get(group, DOUBTS["address"]) for group in groups]
        raise NotDone(
            "doubtful", Label("; ".join(one.nl for one in labels), "; ".join(one.en for one in labels))
        )
    return passed.text


def _order(command: Command, who: str) -> Order:
    return Order(action=ACTIONS[command.verb], who=who, **_fields(command))


def _fields(command: Command) -> dict[str, Any]:
    """What an action takes, from what a command says."""
    value, words = command.value, command.words
    match command.verb:
        case Verb.FIX:
            return {"expected_fix_date": command.on, "text": words or ONLY_A_DATE}
        case Verb.NO_DATE:
            return {"no_date_because": value, "text": words or ONLY_A_REASON}
        case Verb.CLOSE:
            return {"close_reason": CloseReason(value), "text": words}
        case Verb.ASSIGN:
            return {"assign_to": value, "text": words}
        case Verb.RATE if value.upper().startswith("CVSS:"):
            return {"cvss_vector": _read_vector(value), "text": words}
        case Verb.RATE:
            return {"severity": Severity(value), "text": words}
        case Verb.WAIT:
            return {"wait_for": WaitingOn(value), "text": words}
        case Verb.MILESTONE:
            at = datetime.combine(command.on, time()) if command.on else None
            return {"milestone": value, "happened_at": at, "text": words}
        case _:
            return {"text": words}


def _read_vector(vector: str) -> str:
    """A CVSS vector that can be rated; raises :class:`NotDone` in the words of both languages."""
    try:
        rating_by_vector(vector)
    except Refused as refusal:
        shown = repr(vector if len(vector) <= 80 else f"{vector[:80]}…")
        raise NotDone(
            "unreadable",
            Label(
                f"De CVSS-vector {shown} is niet te lezen: geef de hele vector zoals een CVSS-rekenhulp die"
                " toont, van versie 3.0, 3.1 of 4.0, zoals CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N,"
                " of alleen een ernst, zoals severity high.",
                f"{str(refusal)[0].upper()}{str(refusal)[1:]}.",
            ),
        ) from None
    return vector
