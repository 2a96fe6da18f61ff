"""A ticket's history in words, for the card and the command line: a line for each event, without reasons."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..models.states import STATE_LABELS, TicketState
from ..models.ticket import Event
from .clock_words import title
from .desk import NOBODY, local, was_for_nobody
from .installation import Records

#: Events whose facts do not speak for themselves; every other one is told by its kind, actor and facts.
SENTENCES: Mapping[str, str] = {
    "opened": "the report arrived",
    "routed": "went to {owner}",
    "assigned": "assigned to {to} by {actor}",
    "moved": "{actor}: {from} -> {to}",
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
    "undelivered": "NOT sent: {mail} ({problem})",
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
    "acknowledged": "{clock}: {actor} has seen rung {rung}",
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
    ("embargo_proposed", "ends_at"): "{actor} took back the proposal to keep silent",
}
INSTANTS = frozenset({"happened_at", "arrived_at", "sent_at", "ends_at"})
NAMES: Mapping[str, str] = {
    "ibd_copy": "copy for the IBD",
    "handler_report": "report",
    "owner_report": "report",
    "state_changed": "change of state",
    "rung": "deadline mail",
    "confirm": "request to confirm",
    "told": "message",
    "asked": "question",
    "embargo": "end of an embargo",
    "publication": "proposal to publish",
    "assigned": "assignment",
    "ibd": "IBD",
    "staff": "desk",
}


def told(place: Records, entry: Event) -> str:
    """What happened and by whom, with its facts."""
    sentence = next(
        (
            otherwise
            for (kind, fact), otherwise in WITHOUT.items()
            if kind == entry.kind and not entry.facts.get(fact)
        ),
        SENTENCES.get(entry.kind),
    )
    words = {name: _in_words(place, entry.kind, name, value) for name, value in entry.facts.items()}
    if entry.facts.get("clock") == "response" and was_for_nobody(entry.ticket, entry.at):
        words["in_time"] = NOBODY
    try:
        if sentence is not None:
            return sentence.format_map(words | {"actor": entry.actor})
    except KeyError:  # a history of an earlier version lacks a fact
        pass
    known = (name for name, value in entry.facts.items() if value not in ("", None))
    facts = ", ".join(f"{name} {words[name]}" for name in known)
    return f"{entry.kind.replace('_', ' ')} by {entry.actor}" + (f" ({facts})" if facts else "")


def _in_words(place: Records, kind: str, name: str, value: Any) -> str:
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
        case "mail" | "party" | "what":
            return NAMES.get(value, str(value).replace("_", " "))
        case _:
            return str(value)
