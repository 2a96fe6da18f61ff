"""What was decided since somebody looked is never overruled unseen: by form, by link, by mail or in bulk."""

from datetime import datetime

from ..models.errors import Refused
from ..models.ticket import Direction, Event, Ticket

#: What somebody decides.
DECISIONS = frozenset(
    {"moved", "answered", "assigned", "rated", "milestone", "milestone_withdrawn", "asked", "told"}
    | {"embargo_proposed", "publication_proposed", "kept_apart", "linked", "took_in", "joined", "released"}
    | {"split_off", "reopened"}
)
REPORTER = Direction.FROM_REPORTER.value


def refuse_if_decided_since(subject: Ticket, seen: int, *, ends: bool) -> None:
    """Refuse what was ordered by somebody who had only ``seen`` so many events of the history.

    What ``ends`` the ticket is refused over a word of the reporter as well, for it may say why not to.
    """
    since = subject.history[seen:]
    decided = [entry for entry in since if entry.kind in DECISIONS or _waits_for_another(entry)]
    if decided:
        raise Refused(f"{_in_words(decided[-1])} meanwhile; nothing of yours was applied: {AGAIN}")
    if ends and any(entry.kind == "message" and entry.actor == REPORTER for entry in since):
        raise Refused(f"the reporter wrote meanwhile; nothing of yours was applied: {AGAIN}")


def refuse_if_reporter_wrote_since(subject: Ticket, at: datetime) -> None:
    """Refuse to end a ticket by what was written before the reporter's last word."""
    if any(entry.kind == "message" and entry.actor == REPORTER for entry in subject.history if entry.at > at):
        raise Refused(f"the reporter wrote after this was signed; nothing of it was done: {AGAIN}")


AGAIN = "look at the ticket and decide again"


def _waits_for_another(entry: Event) -> bool:
    """Whether a person said who is waited for; a message that arrives changes that by itself."""
    return entry.kind == "waiting" and entry.actor not in {direction.value for direction in Direction}


def _in_words(entry: Event) -> str:
    kind = entry.kind.replace("_", " ")
    return f"the ticket was {kind} by {entry.actor} at {entry.at:%Y-%m-%d %H:%M} UTC"
