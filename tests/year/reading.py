"""What a ticket's history says of its clocks, read by another hand than the product's.

From `docs/policy.md` and the table of clocks in the design, not from the code that it checks. Durations
are counted by `models.calendar`, which has its own proof.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import count, groupby
from typing import Any
from zoneinfo import ZoneInfo

from meldbalie.models.calendar import Calendar, Duration, due, put_off
from meldbalie.models.due import calendar_from
from meldbalie.models.ticket import Event
from meldbalie.settings import Rung, Settings

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


@dataclass(frozen=True)
class Terms:
    """What clocks are counted by since an instant: a version of the calendar with its durations."""

    number: int
    since: datetime
    response: Duration
    update: Duration
    calendar: Calendar

    @classmethod
    def of(cls, number: int, since: datetime, content: dict[str, Any]) -> "Terms":
        """As a version holds them."""
        clocks = content["clocks"]
        calendar = calendar_from({name: each for name, each in content.items() if name != "clocks"})
        return cls(
            number, since, Duration.parse(clocks["response"]), Duration.parse(clocks["update"]), calendar
        )


@dataclass(frozen=True)
class Face:
    """A clock as it stands."""

    round: int
    started_at: datetime
    due_at: datetime
    stopped_at: datetime | None
    paused_since: datetime | None


@dataclass(frozen=True)
class _Start:
    round: int
    at: datetime
    promised: str = ""


class History:
    """The events of a ticket so far, and the clocks that they make."""

    def __init__(self, laws: dict[str, tuple[int, str, str]]) -> None:
        self.laws = laws
        self.events: list[Event] = []
        self._faces: dict[int, dict[str, Face]] = {}

    def goes_on(self, event: Event) -> None:
        """Something more happened."""
        if event.kind in _MATTERS:
            self.events.append(event)
            self._faces.clear()

    def faces(self, terms: Terms) -> dict[str, Face]:
        """Every clock that has started, as these terms count it."""
        if terms.number not in self._faces:
            self._faces[terms.number] = dict(self._read(terms))
        return self._faces[terms.number]

    @property
    def is_closed(self) -> bool:
        """Whether the ticket is."""
        return any(event.kind == "moved" and event.facts["to"] == "CLOSED" for event in self.events)

    @property
    def owner(self) -> str | None:
        """Whose it is."""
        names = [
            event.facts.get("owner") or event.facts.get("to") for event in self.events if event.kind in _OWNS
        ]
        return None if names[-1] == "triage" else names[-1]

    def _read(self, terms: Terms) -> Iterator[tuple[str, Face]]:
        lost = self._lost()
        valid = [event for event in self.events if event.seq not in lost]
        arrived = datetime.fromisoformat(self.events[0].facts["arrived_at"])
        closed = next(
            (event for event in self.events if event.kind == "moved" and event.facts["to"] == "CLOSED"), None
        )

        def face(start: _Start, due_at: datetime, stopped: datetime | None) -> Face:
            return Face(start.round, start.at, due_at, stopped, None)

        first = _Start(1, arrived)
        yield "response", face(first, due(arrived, terms.response, terms.calendar), _first(valid, _is_answer))
        yield "share", face(first, arrived + timedelta(hours=1), _first(valid, _is_shared))
        open_events = [event for event in self.events if closed is None or event.seq <= closed.seq]
        told = [
            first,
            *(
                _Start(number, event.at)
                for number, event in enumerate(filter(_tells, open_events), 2)
                if event.seq not in lost
            ),
        ]
        start, stopped = told[-1], closed.at if closed else None
        pauses, since = self._pauses(stopped)
        due_at = due(start.at, terms.update, terms.calendar, pauses)
        yield "update", _still(face(start, due_at, stopped), since)
        yield from self._fix(open_events, lost, closed)
        yield from self._of_laws()

    def _fix(
        self, events: Sequence[Event], lost: set[int], closed: Event | None
    ) -> Iterator[tuple[str, Face]]:
        start, stopped, rounds = None, None, 0
        withdrawn = self._withdrawn()
        for event in events:
            promised = event.facts.get("fix_on") if _is_said(event) else None
            rounds += bool(promised)
            if event.seq in lost or event.seq in withdrawn:
                continue
            if promised:
                start, stopped = _Start(rounds, event.at, promised), None
            elif promised == "" or (event.kind == "milestone" and event.facts["what"] == "fix_deployed"):
                stopped = stopped or (_happened(event) if start else None)
            elif event is closed:
                stopped = stopped or event.at
        if start is not None:
            last_day = date.fromisoformat(start.promised)
            midnight = datetime.combine(last_day + timedelta(days=1), time(), AMSTERDAM).astimezone(UTC)
            pauses, since = self._pauses(stopped)
            due_at = put_off(start.at, midnight, pauses)
            yield "fix", _still(Face(start.round, start.at, due_at, stopped, None), since)

    def _of_laws(self) -> Iterator[tuple[str, Face]]:
        """What a law wants is done once both its milestones stand, in whatever order they were noted."""
        withdrawn = self._withdrawn()
        noted = [event for event in self.events if event.kind == "milestone"]
        for name, (hours, starts_on, stops_on) in self.laws.items():
            starts = [event for event in noted if event.facts["what"] == starts_on]
            rounds = [number for number, event in enumerate(starts, 1) if event.seq not in withdrawn]
            if rounds:
                begins = _happened(starts[rounds[-1] - 1])
                stops = (event for event in noted if event.facts["what"] == stops_on)
                stopped = next((_happened(event) for event in stops if event.seq not in withdrawn), None)
                yield name, Face(rounds[-1], begins, begins + timedelta(hours=hours), stopped, None)

    def _lost(self) -> set[int]:
        """The deliveries whose mail came back afterwards."""
        left: dict[int, int] = {}
        lost: set[int] = set()
        for event in self.events:
            number = event.facts.get("number")
            if event.kind == "delivered":
                left[number] = event.seq
            elif event.kind == "bounced" and number in left:
                lost.add(left.pop(number))
        return lost

    def _withdrawn(self) -> set[int]:
        noted: dict[str, int] = {}
        gone: set[int] = set()
        for event in self.events:
            if event.kind == "milestone":
                noted[event.facts["what"]] = event.seq
            elif event.kind == "milestone_withdrawn":
                gone.add(noted.pop(event.facts["what"]))
        return gone

    def _pauses(self, stopped: datetime | None) -> tuple[list[tuple[datetime, datetime]], datetime | None]:
        """The pauses of a clock until it stopped, and since when it stands still if it does."""
        done: list[tuple[datetime, datetime]] = []
        since: datetime | None = None
        for event in self.events:
            if event.kind != "waiting" or (stopped and event.at > stopped):
                continue
            if event.facts["on"] in ("reporter", "supplier"):
                since = since or event.at
            elif since:
                done.append((since, event.at))
                since = None
        if since and stopped:
            return [*done, (since, stopped)], None
        return done, since


def _still(face: Face, since: datetime | None) -> Face:
    """The clock stands still since then, unless it was overdue by then."""
    return replace(face, paused_since=since) if since and since < face.due_at else face


#: Told without a mail: on the status page, or to nobody because there is neither page nor address.
_WRITTEN = ("published", "unreachable")
_OWNS = ("routed", "assigned")
_MATTERS = {
    "opened", "delivered", "bounced", *_WRITTEN, "moved", "waiting", "milestone", "milestone_withdrawn",
    "called_spam", *_OWNS,
}  # fmt: skip


def _tells(event: Event) -> bool:
    """Whether the reporter is told something."""
    return event.kind in _WRITTEN or (event.kind == "delivered" and event.facts["party"] == "reporter")


def _is_said(event: Event) -> bool:
    """Whether it says when a fix is expected, or that nobody knows."""
    return (event.kind in _WRITTEN and event.facts["what"] == "answer") or (
        event.kind == "delivered" and event.facts["mail"] == "answer"
    )


def _is_answer(event: Event) -> bool:
    closes = event.facts.get("closing") or event.facts.get("what") == "closing"
    return _is_said(event) or (_tells(event) and bool(closes))


def _is_shared(event: Event) -> bool:
    return event.kind == "called_spam" or (event.kind == "delivered" and event.facts["mail"] == "ibd_copy")


def _happened(event: Event) -> datetime:
    return datetime.fromisoformat(event.facts["happened_at"]) if event.kind == "milestone" else event.at


def _first(events: Sequence[Event], is_it: Callable[[Event], bool]) -> datetime | None:
    return next((event.at for event in events if is_it(event)), None)


@dataclass(frozen=True)
class Step:
    """A rung of a ladder: its name, when it is due, whom it tells, and what is asked of them."""

    name: str
    at: datetime
    tell: tuple[str, ...]
    answer_within: timedelta | None
    is_loud: bool
    day: int = 0


def ladder(config: Settings, kind: str, face: Face) -> Iterator[Step]:
    """The rungs of a clock in their order, without end; those of one moment are one."""
    rungs = config.clocks.ladder if kind == "response" else config.clocks.ladders.get(kind)
    if rungs is None:
        rungs = OF_A_LAW if any(law.name == kind for law in config.clocks.statutory) else []
    steps = [_step(rung, face) for rung in rungs]
    if not any(step.at == face.due_at for step in steps):
        steps.append(Step("100%", face.due_at, ("handlers",), None, is_loud=False))
    united = [_united(list(same)) for _, same in groupby(sorted(steps, key=_at), key=_at)]
    yield from united
    last = united[-1]
    for day in count(1):
        at = _days_later(max(last.at, face.due_at), day)
        yield Step(f"{last.name} + {day} day{'s' * (day > 1)}", at, last.tell, None, last.is_loud, day)


#: What is promised for the clock of a law where the settings say nothing.
OF_A_LAW = [
    Rung(share=0.5, tell=["handlers", "on_call"], at_any_hour=True),
    Rung(share=0.8, tell=["handlers", "on_call", "lead"], at_any_hour=True),
    Rung(share=1.0, tell=["handlers", "on_call", "lead", "ciso"], at_any_hour=True),
]


def _at(step: Step) -> datetime:
    return step.at


def _united(steps: Sequence[Step]) -> Step:
    waits = [step.answer_within for step in steps if step.answer_within]
    tell = tuple(role for step in steps for role in step.tell)
    is_loud = any(step.is_loud for step in steps)
    return Step(steps[0].name, steps[0].at, tell, min(waits, default=None), is_loud)


def _step(rung: Rung, face: Face) -> Step:
    within = timedelta(minutes=rung.acknowledge_minutes) if rung.acknowledge_minutes else None
    if rung.share is not None:
        at = face.started_at + (face.due_at - face.started_at) * rung.share
        return Step(f"{rung.share * 100:g}%", at, tuple(rung.tell), within, rung.at_any_hour)
    hours = rung.offset_hours or 0
    at = max(face.started_at, face.due_at + timedelta(hours=hours))
    name = f"due {'-' if hours < 0 else '+'} {abs(hours):g} h"
    return Step(name, at, tuple(rung.tell), within, rung.at_any_hour)


@lru_cache(maxsize=100_000)
def _days_later(instant: datetime, days: int) -> datetime:
    return due(instant, Duration.parse(f"{days}d"), Calendar.from_mapping({"zone": "Europe/Amsterdam"}))
