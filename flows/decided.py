"""What was decided since somebody looked is never overruled unseen: by form, by link, by mail or in bulk."""

from collections.abc import Sequence
from datetime import datetime

from ..models.errors import Refused
from ..models.filing import MESSAGE_ON_JOINED
from ..models.states import TicketState
from ..models.ticket import Direction, Event, Ticket
from .desk import local
from .installation import Records

#: What somebody decides.
DECISIONS = frozenset(
    {"moved", "answered", "assigned", "rated", "milestone", "milestone_withdrawn", "asked", "told"}
    | {"embargo_proposed", "publication_proposed", "kept_apart", "linked", "took_in", "joined", "released"}
    | {"split_off", "reopened"}
)
#: What tells that somebody wrote, here or on a ticket that was joined with this one.
MESSAGES = frozenset({"message", MESSAGE_ON_JOINED})
REPORTER = Direction.FROM_REPORTER.value


def refuse_if_decided_since(place: Records, subject: Ticket, seen: int, *, ends: bool) -> None:
    """Refuse what was ordered by somebody who had only ``seen`` so many events of the history.

    What ``ends`` the ticket is refused over a word of the reporter as well, for it may say why not to.
    """
    since = subject.history[seen:]
    decided = [entry for entry in since if entry.kind in DECISIONS or _waits_for_another(entry)]
    if decided:
        raise Refused(f"{_in_words(place, decided[-1])} meanwhile; nothing of yours was applied: {AGAIN}")
    if ends and any(_is_word_of_reporter(entry) for entry in since):
        raise Refused(f"the reporter wrote meanwhile; nothing of yours was applied: {AGAIN}")


def refuse_if_reporter_wrote_since(subject: Ticket, at: datetime) -> None:
    """Refuse to end a ticket by what was written before the reporter's last word."""
    if any(_is_word_of_reporter(entry) for entry in subject.history if entry.at > at):
        raise Refused(f"the reporter wrote after this was signed; nothing of it was done: {AGAIN}")


def refuse_if_decided_after(place: Records, subject: Ticket, at: datetime, *, by: str) -> None:
    """Refuse what somebody signed before another one decided something, however late it arrives."""
    later = (entry for entry in subject.history if entry.at > at and entry.actor != by)
    for entry in later:
        if entry.kind in DECISIONS or _waits_for_another(entry):
            why = f"{_in_words(place, entry)}, after this was signed"
            raise Refused(f"{why}; nothing of it was done: {AGAIN}")


def refuse_if_closed_since(place: Records, other: Ticket, seen: int) -> None:
    """Refuse to join anything with a ticket that was closed after ``seen`` so many events of its history."""
    _refuse_a_closing(place, other, other.history[seen:])


def refuse_if_closed_after(place: Records, other: Ticket, at: datetime) -> None:
    """Refuse to join anything with a ticket that was closed after the link for it was asked for."""
    _refuse_a_closing(place, other, [entry for entry in other.history if entry.at > at])


def _refuse_a_closing(place: Records, other: Ticket, since: Sequence[Event]) -> None:
    for entry in since:
        if entry.kind == "moved" and entry.facts["to"] == TicketState.CLOSED:
            was_closed = f"{other.reference} was closed by {entry.actor} at {local(place, entry.at)}"
            raise Refused(f"{was_closed} meanwhile; nothing of yours was applied: {AGAIN}")


AGAIN = "look at the ticket and decide again"


def _waits_for_another(entry: Event) -> bool:
    """Whether a person said who is waited for; a message that arrives changes that by itself."""
    return entry.kind == "waiting" and entry.actor not in {direction.value for direction in Direction}


def _is_word_of_reporter(entry: Event) -> bool:
    return entry.kind in MESSAGES and entry.actor == REPORTER


def _in_words(place: Records, entry: Event) -> str:
    kind = entry.kind.replace("_", " ")
    return f"the ticket was {kind} by {entry.actor} at {local(place, entry.at)}"
