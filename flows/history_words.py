"""A ticket's history in words, for the card and the command line: a line for each event, without reasons."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from ..mailbox.wording import reason_in_words
from ..models.states import STATE_LABELS, TicketState
from ..models.ticket import Direction, Event
from .clock_words import title
from .desk import NOBODY, local, was_for_nobody
from .installation import Records

#: Events whose facts do not speak for themselves; every other one is told by its kind, actor and facts.
SENTENCES: Mapping[str, str] = {
    "opened": "the report arrived",
    "routed": "went to {owner}",
    "assigned": "assigned to {to} by {actor}",
    "moved": "{actor}: {from} -> {to}",
    "message": "a message by {actor}{doubt}",
    "suggested": "may belong to {other}: {why}",
    "message_on_joined": "a message by {actor} on {other}, which was joined with this one",
    "order_refused": "what {actor} asked by mail was not done",
    "unopened": "a message of the {party} cannot be opened and lies in quarantine",
    "proved": "{actor} proved who they are",
    "answered": "answered by {actor}; the answer counts once it is sent",
    "told": "{actor} wrote to the reporter; that is no answer yet",
    "asked": "{actor} asked the reporter something",
    "noted": "a note by {actor}",
    "embargo_proposed": "{actor} proposed to keep silent until {ends_at}",
    "publication_proposed": "{actor} proposed to publish on {on}",
    "delivered": "sent: {mail} to the {party}",
    "undelivered": "NOT sent: {mail}: {problem}",
    "published": "on the status page: {what}",
    "unreachable": "nobody can be told ({what}): the report came without an address",
    "bounced": "came back undeliverable: mail to the {party}",
    "waiting": "{actor}: waiting for the {on}",
    "milestone": "{actor}: milestone {what}, {happened_at}",
    "milestone_withdrawn": "{actor}: milestone {what} withdrawn",
    "clock_stands": "{clock}: done, {in_time}",
    "clock_runs_on": "{clock}: not done after all, runs on",
    "clock_moved": "{clock}: due moved from {from} to {to}",
    "escalated": "{clock}: rung {rung} fired{breached}",
    "proof_asked": "{actor} has to confirm by mail: {action}",
    "acknowledged": "{clock}: {actor} has seen rung {rung} (by {how})",
    "called_off": "{clock}: a mail of rung {rung} was not needed any more",
    "stood_in": "{owner} is away: {deputy} told instead",
    "reopened": "taken up again by {actor} as {other}",
    "reopens": "{actor} took up {other} again as this ticket",
    "split_off": "split by {actor}: a part of it is {other}",
    "split_from": "{actor} split it off {other}",
    "link_renewed": "a new secret link for the reporter, by {actor}; the earlier ones open nothing now",
    "forgotten": "content and reporter were erased by {actor}",
}
#: What is told instead of these where a fact is empty or there is none.
WITHOUT: Mapping[tuple[str, str], str] = {
    ("assigned", "to"): "given by {actor} to {handler}, who handles it",
    ("acknowledged", "how"): "{clock}: {actor} has seen rung {rung}",
    ("embargo_proposed", "ends_at"): "{actor} took back the proposal to keep silent",
}
#: Who did something, where that is no name.
ACTORS: Mapping[str, str] = {
    Direction.FROM_REPORTER: "the reporter",
    Direction.FROM_OWNER: "the owner",
    Direction.FROM_FORMER_OWNER: "a former owner",
    Direction.FROM_IBD: "the IBD",
    Direction.INTERNAL: "the desk",
}
#: Why a ticket may belong to another one, by its code.
WHYS: Mapping[str, str] = {
    "number": "its number stands in the subject",
    "message_id": "it answers a message of it",
    "sender": "same sender and subject",
    "same_reporter": "same reporter, about the same system, and alike",
    "same_target": "about the same system, and alike",
    "same_asset": "about a system under the same domain or network, and much alike",
    "same_text": "nearly the same text",
}
#: What makes a message doubtful, or why it is only filed, by its code.
DOUBTS: Mapping[str, str] = {
    "other_address": "from another address than the one that we know",
    "other_key": "signed with another key than the one that we know",
    "unsigned": "only filed, since it is not signed",
    "badly_signed": "only filed, since its signature is not valid for all of it",
    "opened_in_part": "only filed, since a part of it cannot be opened",
    "other_signer": "only filed, since its key does not count here",
    "has_no_say": "only filed, since its sender does not answer the reporter here",
    "signed_apart": "only filed, since it is signed at different times",
    "signed_long_ago": "only filed, since it was signed long ago",
    "meant_for_others": "only filed, since it was signed for somebody else",
    "signed_before": "only filed, since what it says was dealt with before",
    "answers_a_notice": "only filed, since it replies to a notice of ours",
    "answers_another": "only filed, since it replies to what somebody else wrote",
    "order_refused": "what it asks was not done",
}
INSTANTS = frozenset({"happened_at", "arrived_at", "sent_at", "ends_at"})
NAMES: Mapping[str, str] = {
    "ibd_copy": "copy for the IBD",
    "handler_report": "report",
    "owner_report": "report",
    "state_changed": "change of state",
    "rung": "deadline mail",
    "confirm": "request to confirm",
    "order_reply": "what came of their mail",
    "progress": "news of how it stands",
    "undelivered": "word of a mail that did not leave",
    "cannot_open": "word that we cannot open it",
    "quarantined": "word of a message that cannot be opened",
    "key_refused": "word that their key is of no use",
    "told": "message",
    "asked": "question",
    "embargo": "end of an embargo",
    "publication": "proposal to publish",
    "assigned": "assignment",
    "handed_over": "notice that it went to another owner",
    "held_copy": "request to look at the copy",
    "fixed": "notice about the fix",
    "ibd": "IBD",
    "staff": "desk",
}


def told(place: Records, entry: Event, *, named: Callable[[str], str] = str) -> str:
    """What happened and by whom, with its facts; ``named`` is how a name is written where it is read."""
    sentence = next(
        (
            otherwise
            for (kind, fact), otherwise in WITHOUT.items()
            if kind == entry.kind and not entry.facts.get(fact)
        ),
        SENTENCES.get(entry.kind),
    )
    words = {name: _in_words(place, entry.kind, name, value, named) for name, value in entry.facts.items()}
    words["actor"] = ACTORS.get(entry.actor) or named(entry.actor)
    if entry.facts.get("clock") == "response" and was_for_nobody(entry.ticket, entry.at):
        words["in_time"] = NOBODY
    try:
        if sentence is not None:
            return sentence.format_map(words)
    except KeyError:  # a history of an earlier version lacks a fact
        pass
    known = (name for name, value in entry.facts.items() if value not in ("", None))
    facts = ", ".join(f"{name} {words[name]}" for name in known)
    return f"{entry.kind.replace('_', ' ')} by {words['actor']}" + (f" ({facts})" if facts else "")


def says_nothing(place: Records, entry: Event) -> bool:
    """Whether a clock was moved by less than what is told of it."""
    if entry.kind != "clock_moved":
        return False
    was, then = (datetime.fromisoformat(entry.facts[name]) for name in ("from", "to"))
    return local(place, was) == local(place, then)


def _in_words(place: Records, kind: str, name: str, value: Any, named: Callable[[str], str]) -> str:
    match name:
        case "clock":
            return title(value)
        case "in_time":
            return "in time" if value else "late"
        case "breached":
            return ", it is overdue" if value else ""
        case "from" | "to" if kind == "moved":
            return STATE_LABELS[TicketState(value)][1]
        case _ if value and (name in INSTANTS or (kind == "clock_moved" and name in ("from", "to"))):
            return local(place, datetime.fromisoformat(value))
        case "doubt":
            return f", {DOUBTS.get(value, value.replace('_', ' '))}" if value else ""
        case "why":
            return WHYS.get(value, str(value).replace("_", " "))
        case "problem" if kind == "undelivered":
            return reason_in_words(value)
        case "mail" | "party" | "what" | "how":
            return NAMES.get(value, str(value).replace("_", " "))
        case _:
            return named(str(value))
