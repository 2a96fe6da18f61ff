"""A ticket's clocks in words, a line each, for the card and the command line."""

from ..models.calendar import Duration, Unit
from ..models.clocks import Clock
from ..models.ticket import Ticket
from .desk import NOBODY, local, was_for_nobody
from .installation import Records

TITLES = {
    "response": "Answer to the reporter",
    "share": "Copy to the IBD",
    "update": "Progress message to the reporter",
    "fix": "Promised fix",
}
UNITS = {
    Unit.DAYS: "calendar day",
    Unit.WORKING_DAYS: "working day",
    Unit.BUSINESS_HOURS: "business hour",
    Unit.BUSINESS_MINUTES: "business minute",
    Unit.BUSINESS_SECONDS: "business second",
}


def clocks_in_words(place: Records, ticket: Ticket) -> list[str]:
    """Every clock of a ticket: due, standing still since when, or stopped; and when somebody is told."""
    return [f"{title(clock.kind)} {state(place, clock)}" for clock in sorted(ticket.clocks, key=_order)]


def title(kind: str) -> str:
    """What a clock is called; one of a law as the settings name it."""
    return TITLES.get(kind) or kind.replace("_", " ").capitalize()


def in_short(kind: str) -> str:
    """What is due, before the word, where it is not the answer: ``fix due``."""
    return "" if kind == "response" else f"{'copy' if kind == 'share' else kind.replace('_', ' ')} "


def state(place: Records, clock: Clock) -> str:
    """Where a clock stands."""
    due = f"due {local(place, clock.due_at)}"
    if clock.stopped_at is not None:
        late = "in time" if clock.stopped_at <= clock.due_at else "**late**"
        if clock.kind == "response" and was_for_nobody(clock.ticket, clock.stopped_at):
            late = NOBODY
        return f"{due}: stopped {local(place, clock.stopped_at)}, {late}"
    if clock.paused_since is not None:
        return f"stands still since {local(place, clock.paused_since)}; it would be {due}"
    reminder = f", next reminder {local(place, clock.next_rung_at)}" if clock.next_rung_at else ""
    how = "overdue" if clock.due_at <= place.clock() else "running"
    return f"{due}: **{how}**{reminder}"


def length(duration: Duration) -> str:
    """How long a clock runs: ``5 working days``."""
    return f"{duration.amount} {UNITS[duration.unit]}{'' if duration.amount == 1 else 's'}"


def _order(clock: Clock) -> tuple[int, str]:
    return (list(TITLES).index(clock.kind) if clock.kind in TITLES else len(TITLES), clock.kind)
