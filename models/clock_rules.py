"""What starts, stops and pauses each clock: one table.

A row that is not in it does nothing: an automatic receipt and a further message of the reporter never
touch the response clock. :mod:`.clock_reading` reads the clocks off a history by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from .calendar import Calendar, Duration


class ClockKind(StrEnum):
    """The clocks that a ticket may have; those of laws are called as the settings call them."""

    RESPONSE = "response"
    SHARE = "share"
    UPDATE = "update"
    FIX = "fix"


RESPONSE, SHARE, UPDATE, FIX = ClockKind


@dataclass(frozen=True)
class Happened:
    """An event of a ticket's history as its clocks see it: when, what, and its facts."""

    at: datetime
    kind: str
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Statutory:
    """A clock that a law starts with a milestone: its name, its hours, and the milestones.

    Such as the early warning of article 14 of the Cyber Resilience Act: 24 hours from the moment
    that one learns of active exploitation.
    """

    name: str
    hours: int
    starts_on: str
    stops_on: str


@dataclass(frozen=True)
class Plan:
    """How long each clock runs, and on which calendar."""

    response: Duration
    share: timedelta
    update: Duration
    calendar: Calendar
    statutory: tuple[Statutory, ...] = ()


class Effect(StrEnum):
    """What an event does to a clock."""

    STARTS = "starts"
    STOPS = "stops"
    ENDS = "ends"


#: Any value of a fact but an empty one.
ANY = object()


@dataclass(frozen=True)
class Rule:
    """One row of the table: which event does what to a clock, and how that is said."""

    effect: Effect
    event: str
    facts: Mapping[str, object]
    because: str

    def applies(self, event: Happened) -> bool:
        """Whether it is such an event, with these facts at least."""
        return event.kind == self.event and all(
            bool(event.facts.get(name)) if wanted is ANY else event.facts.get(name) == wanted
            for name, wanted in self.facts.items()
        )


S, E = Effect.STARTS, Effect.STOPS
_ARRIVED = Rule(S, "opened", {}, "the report arrived")
_SPLIT_OFF = Rule(S, "split_from", {}, "it was split off another ticket")
_SPLIT_OFF_ANSWERED = Rule(
    S, "split_from", {"was_answered": ANY}, "it was split off another ticket, which was answered already"
)
_CLOSED = Rule(Effect.ENDS, "moved", {"to": "CLOSED"}, "the ticket was closed")
_TO_REPORTER = {"party": "reporter"}
_ANSWER = {"mail": "answer"} | _TO_REPORTER

#: The mails that tell a reporter of their report; others are of keys and the like.
WORDS_TO_REPORTER = {
    "receipt": "the receipt", "answer": "an answer", "state_changed": "a new state", "message": "a message",
    "told": "a message", "asked": "a question", "embargo": "an embargo", "publication": "a publication",
    "fixed": "that it is fixed",
}  # fmt: skip

_NOBODY = "nobody can be told: the report came without an address"

#: What an answer is: a mail that was delivered, or a text that stands on the status page of a reporter
#: without an address. A closing is an answer as well. Without an address and without a link nothing more
#: is owed once it was written.
ANSWERS = (
    Rule(E, "delivered", _ANSWER, "the answer reached the reporter"),
    Rule(E, "delivered", {"closing": True} | _TO_REPORTER, "the closing reached the reporter"),
    Rule(E, "published", {"what": "answer"}, "the answer stands on the status page"),
    Rule(E, "published", {"what": "closing"}, "the closing stands on the status page"),
    Rule(E, "unreachable", {"what": "answer"}, _NOBODY),
    Rule(E, "unreachable", {"what": "closing"}, _NOBODY),
)

#: The clocks of every ticket. In histories that version 0.1 wrote it stands that a clock was stopped.
RULES: Mapping[str, tuple[Rule, ...]] = {
    RESPONSE: (
        _ARRIVED,
        _SPLIT_OFF_ANSWERED,
        *ANSWERS,
        Rule(E, "clock_stopped", {"clock": RESPONSE}, "it was answered"),
    ),
    SHARE: (
        _ARRIVED,
        _SPLIT_OFF,
        Rule(E, "delivered", {"mail": "ibd_copy"}, "the copy reached the IBD"),
        Rule(E, "called_spam", {}, "a handler called it spam, which is not shared"),
        Rule(E, "clock_stopped", {"clock": SHARE}, "it was shared"),
    ),
    UPDATE: (
        _ARRIVED,
        _SPLIT_OFF,
        *(
            Rule(S, "delivered", {"mail": kind} | _TO_REPORTER, f"the reporter was told something ({said})")
            for kind, said in WORDS_TO_REPORTER.items()
        ),
        Rule(S, "published", {}, "something was put on the status page"),
        Rule(S, "unreachable", {}, _NOBODY),
        _CLOSED,
    ),
    FIX: (
        Rule(S, "delivered", {"fix_on": ANY} | _ANSWER, "the reporter was promised a fix"),
        Rule(S, "published", {"fix_on": ANY}, "the reporter was promised a fix"),
        Rule(S, "unreachable", {"fix_on": ANY}, "a fix is promised, and nobody can be told"),
        Rule(E, "delivered", {"fix_on": ""} | _ANSWER, "the reporter was told that there is no date now"),
        Rule(E, "published", {"fix_on": ""}, "the reporter was told that there is no date now"),
        Rule(E, "unreachable", {"fix_on": ""}, "there is no date now, and nobody can be told"),
        Rule(E, "milestone", {"what": "fix_deployed"}, "the fix was deployed"),
        _CLOSED,
    ),
}

#: Whom one may wait for without being late, and which clocks stand still meanwhile.
PAUSING = frozenset({"reporter", "supplier"})
PAUSED = frozenset({UPDATE, FIX})


def instant_of(event: Happened) -> datetime:
    """When it happened: a report counts from its arrival, a milestone from the time that it names."""
    named = event.facts.get({"opened": "arrived_at", "milestone": "happened_at"}.get(event.kind, ""))
    return datetime.fromisoformat(named).astimezone(UTC) if named else event.at


def _rules_of_law(law: Statutory) -> tuple[Rule, ...]:
    started, ended = law.starts_on.replace("_", " "), law.stops_on.replace("_", " ")
    return (
        Rule(S, "milestone", {"what": law.starts_on}, f"milestone: {started}"),
        Rule(E, "milestone", {"what": law.stops_on}, f"milestone: {ended}"),
    )


def rules_of(plan: Plan) -> dict[str, tuple[Rule, ...]]:
    """The table with a clock for each law that is configured."""
    return dict(RULES) | {law.name: _rules_of_law(law) for law in plan.statutory}
