"""Clocks as a ticket's history says them.

Pure: events and plans in, readings out. A clock is never counted on; it is read from the history each
time, so that the same history gives the same clocks whatever was down in between, and each reading can
say why. A mail that came back was not delivered: what it started or stopped is taken back.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from operator import attrgetter
from zoneinfo import ZoneInfo

from .calendar import Calendar, Pause, due, put_off
from .clock_rules import (
    PAUSED,
    PAUSING,
    RULES,
    Effect,
    Happened,
    Plan,
    Rule,
    instant_of,
    rules_of,
)


@dataclass(frozen=True)
class Step:
    """One line of a reading: when, and what happened to the clock."""

    at: datetime
    told: str


@dataclass(frozen=True)
class Reading:
    """A clock as the history says it: all instants in UTC.

    ``round`` counts how often it was started, by what was taken back as well, so that no round is ever
    another one. While ``paused_since`` is set, ``due_at`` moves on with
    the time; it is given as if the pause ended the moment it began.
    """

    kind: str
    round: int
    started_at: datetime
    due_at: datetime
    stopped_at: datetime | None
    paused_since: datetime | None
    steps: tuple[Step, ...]


def read_clocks(history: Iterable[Happened], plan: Plan) -> list[Reading]:
    """Read every clock that has ever started off a history; the events come in their order."""
    events = list(_as_noted_now(history))
    counted = _not_taken_back(events)
    withdrawn = _withdrawn(events)
    readings = (
        _read(kind, rules, events, counted, withdrawn, plan) for kind, rules in rules_of(plan).items()
    )
    return [reading for reading in readings if reading is not None]


def _as_noted_now(history: Iterable[Happened]) -> Iterator[Happened]:
    """The events, with what version 0.1 noted otherwise: the date of an answer, and that it was published."""
    promised, was_mailed = "", False
    for event in history:
        if event.kind == "answered":
            promised, was_mailed = event.facts.get("fix_on", ""), False
        is_mailed = event.kind == "delivered" and event.facts.get("mail") == "answer"
        is_told = event.kind == "clock_stopped" and event.facts.get("clock") == "response"
        if is_mailed and "fix_on" not in event.facts:
            yield Happened(event.at, event.kind, {**event.facts, "fix_on": promised})
        elif is_told and not was_mailed:
            yield Happened(event.at, "published", {"what": "answer", "fix_on": promised})
        else:
            yield event
        was_mailed |= event.kind == "delivered" and event.facts.get("party") == "reporter"


def _not_taken_back(events: Sequence[Happened]) -> set[int]:
    """The positions of the events that count: a delivery that bounced later is left out."""
    counted: dict[int, Happened] = {}
    for position, event in enumerate(events):
        if event.kind == "bounced":
            counted = {at: one for at, one in counted.items() if at not in _came_back(event, counted)}
        if event.kind == "clock_resumed":
            counted = {at: one for at, one in counted.items() if not _is_taken_back_by(event, one)}
        counted[position] = event
    return set(counted)


def _came_back(event: Happened, before: Mapping[int, Happened]) -> set[int]:
    """The deliveries of the mail that came back, and the stops that version 0.1 noted after them."""
    told = event.facts
    number, sent = told.get("number"), (told.get("mail"), told.get("party"), told.get("sent_at"))
    if number is None:
        return set()
    found: set[int] = set()
    for at, one in before.items():
        if one.kind != "delivered":
            continue
        if "number" in one.facts and one.facts["number"] == number:
            found.add(at)
        elif "number" not in one.facts and sent == (
            one.facts.get("mail"),
            one.facts.get("party"),
            one.at.isoformat(),
        ):
            is_noted = at + 1 in before and before[at + 1].kind == "clock_stopped"
            found |= {at, at + 1} if is_noted else {at}
    return found


def _withdrawn(events: Sequence[Happened]) -> set[int]:
    """The positions of the milestones that were withdrawn later."""
    found: set[int] = set()
    standing: dict[str, int] = {}
    for position, event in enumerate(events):
        what = event.facts.get("what", "")
        if event.kind == "milestone":
            standing[what] = position
        elif event.kind == "milestone_withdrawn" and what in standing:
            found.add(standing.pop(what))
    return found


def _is_taken_back_by(event: Happened, one: Happened) -> bool:
    """Whether a clock that version 0.1 let run on had been stopped by this."""
    is_stop = one.kind == "clock_stopped" and one.facts.get("clock") == event.facts.get("clock")
    rules = RULES[event.facts["clock"]]
    has_stopped_it = any(rule.applies(one) for rule in rules if rule.effect is Effect.STOPS)
    return is_stop or (has_stopped_it and "number" not in one.facts)


@dataclass
class _Run:
    """A clock while its history is gone through."""

    rules: Sequence[Rule]
    starts: int = 0
    round: int = 0
    started: Happened | None = None
    stopped_at: datetime | None = None
    has_ended: bool = False
    steps: list[Step] = field(default_factory=list[Step])

    def go_on(self, event: Happened, *, is_withdrawn: bool) -> None:
        """Let one event do what the first rule that applies says."""
        rule = self._rule_for(event)
        if rule is None or self.has_ended:
            return
        at = instant_of(event)
        self.starts += rule.effect is Effect.STARTS
        if is_withdrawn:
            self.steps.append(Step(at, f"does not count, for it was withdrawn: {rule.because}"))
            return
        if rule.effect is Effect.STARTS:
            self.round, self.started, self.stopped_at = self.starts, event, None
            self.steps.append(Step(at, f"starts: {rule.because}"))
            return
        self.has_ended = rule.effect is Effect.ENDS
        if self.started is not None and self.stopped_at is None:
            self.stopped_at = at
            self.steps.append(Step(at, f"stops: {rule.because}"))

    def pass_over(self, event: Happened) -> None:
        """Say that an event would have done something, had it not been taken back."""
        rule = self._rule_for(event)
        if rule is None or self.has_ended:
            return
        self.starts += rule.effect is Effect.STARTS
        self.steps.append(Step(event.at, "does not count: that mail came back"))

    def _rule_for(self, event: Happened) -> Rule | None:
        return next((rule for rule in self.rules if rule.applies(event)), None)


def _read(
    kind: str,
    rules: Sequence[Rule],
    events: Sequence[Happened],
    counted: Container[int],
    withdrawn: Container[int],
    plan: Plan,
) -> Reading | None:
    run = _Run(rules)
    for position in _order(kind, rules, events):
        event = events[position]
        if position in counted:
            run.go_on(event, is_withdrawn=position in withdrawn)
        else:
            run.pass_over(event)
    if run.started is None:
        return None
    begin = instant_of(run.started)
    pauses, paused_since = _pauses(events, run.stopped_at) if kind in PAUSED else ([], None)
    due_at = _due(kind, run.started, plan, pauses)
    if paused_since is not None and paused_since >= due_at:  # it was overdue before anybody was waited for
        paused_since = None
    steps = run.steps + _pauses_told(pauses, paused_since, begin, run.stopped_at)
    return Reading(
        kind=kind,
        round=run.round,
        started_at=begin,
        due_at=due_at,
        stopped_at=run.stopped_at,
        paused_since=None if run.stopped_at else paused_since,
        steps=tuple(sorted(steps, key=attrgetter("at"))),
    )


def _order(kind: str, rules: Sequence[Rule], events: Sequence[Happened]) -> Iterable[int]:
    """The positions of the events as a clock goes through them.

    Milestones may be noted in any order: what a law wants is done when both of its milestones stand.
    """
    positions = range(len(events))
    if kind in RULES:
        return positions
    stops = [rule for rule in rules if rule.effect is not Effect.STARTS]
    return sorted(positions, key=lambda position: any(rule.applies(events[position]) for rule in stops))


def _due(kind: str, started: Happened, plan: Plan, pauses: Sequence[Pause]) -> datetime:
    begin = instant_of(started)
    match kind:
        case "response":
            return due(begin, plan.response, plan.calendar)
        case "share":
            return begin + plan.share
        case "update":
            return due(begin, plan.update, plan.calendar, pauses)
        case "fix":
            promised = end_of_day(date.fromisoformat(started.facts["fix_on"]), plan.calendar)
            return put_off(begin, promised, pauses)
        case name:
            return begin + timedelta(hours=next(law.hours for law in plan.statutory if law.name == name))


def end_of_day(day: date, calendar: Calendar) -> datetime:
    """The instant at which a local day has passed: the first one of the next day."""
    midnight = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(calendar.zone))
    return midnight.astimezone(UTC)


def _pauses(events: Iterable[Happened], stopped_at: datetime | None) -> tuple[list[Pause], datetime | None]:
    """The pauses that have ended, the last one with the clock, and when the one began that has not."""
    ended: list[Pause] = []
    since: datetime | None = None
    for event in events:
        if event.kind != "waiting" or (stopped_at and event.at > stopped_at):
            continue
        if event.facts.get("on") in PAUSING:
            since = since or event.at
        elif since is not None:
            ended.append((since, event.at))
            since = None
    if since is not None and stopped_at:
        return [*ended, (since, stopped_at)], None
    return ended, since


def _pauses_told(
    ended: Iterable[Pause], since: datetime | None, begin: datetime, stopped_at: datetime | None
) -> list[Step]:
    told: list[Step] = []
    for first, last in (*ended, *([(since, None)] if since else ())):
        if (last is None or last > begin) and (stopped_at is None or first < stopped_at):
            told.append(Step(max(first, begin), "stands still: somebody else is waited for"))
            if last is not None:
                told.append(Step(last, "runs on"))
    return told
