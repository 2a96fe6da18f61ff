"""What the organisation promises, as the installation's configuration says it: durations and people.

From the CVD policy: "Wij reageren binnen vijf dagen op uw melding" (response) and "Wij delen de
ontvangen melding altijd met de IBD" (share).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

from .calendar import Calendar, Duration, Unit, due
from .clocks import Clock, ClockKind


@dataclass(frozen=True)
class Correspondent:
    """Somebody who gets mail: who, where, and the full fingerprint of their pinned key, if any."""

    name: str
    address: str
    fingerprint: str = ""


@dataclass(frozen=True)
class RungPlan:
    """One rung of the ladder: at which share of the clock it fires, and the roles that are told."""

    share: float
    tell: tuple[str, ...]

    @property
    def name(self) -> str:
        """How the rung is known: ``80%``."""
        return f"{self.share * 100:.4f}".rstrip("0").rstrip(".") + "%"


@dataclass(frozen=True)
class Promise:
    """The clocks, the ladder, and who stands on it. Whoever is named twice in the team gets mail once."""

    response: Duration
    share: timedelta
    calendar: Calendar
    ladder: tuple[RungPlan, ...]
    triage: tuple[Correspondent, ...]
    ibd: Correspondent
    lead: Correspondent | None = None
    on_call: Correspondent | None = None
    ciso: Correspondent | None = None

    def __post_init__(self) -> None:
        """Keep one of those who share an address."""
        object.__setattr__(self, "triage", tuple(_by_address(self.triage).values()))

    def clocks_from(self, arrived_at: datetime) -> Iterator[Clock]:
        """The clocks that an arrival starts, each with the instant of its first rung."""
        for kind, due_at in (
            (ClockKind.RESPONSE, due(arrived_at, self.response, self.calendar)),
            (ClockKind.SHARE, arrived_at + self.share),
        ):
            yield Clock(
                kind=kind,
                started_at=arrived_at,
                due_at=due_at,
                next_rung_at=next(self.rungs(kind, arrived_at, due_at))[1],
            )

    def local_day(self, instant: datetime) -> date:
        """The day that it is for the organisation at an instant."""
        return instant.astimezone(ZoneInfo(self.calendar.zone)).date()

    def rungs(
        self, kind: ClockKind, started_at: datetime, due_at: datetime, *, since: datetime | None = None
    ) -> Iterator[tuple[RungPlan, datetime]]:
        """Every rung of a clock with its instant, in order: the ladder, then one a day without end.

        The days that had passed long before ``since`` are left out, so that an old clock costs as
        little as a young one.
        """
        ladder = _complete(self.ladder) if kind is ClockKind.RESPONSE else _complete(())
        for plan in ladder:
            yield plan, started_at + (due_at - started_at) * plan.share
        highest = ladder[-1]
        after = max(due_at, started_at + (due_at - started_at) * highest.share)
        days_passed = (since - after).days if since else 0
        for day in count(max(1, days_passed - 1)):  # a local day is not always 24 hours
            daily = DailyRung(share=highest.share, tell=highest.tell, day=day)
            yield daily, due(after, Duration(day, Unit.DAYS), self.calendar)

    def told_by(self, plan: RungPlan, owner: Correspondent | None) -> list[tuple[str, Correspondent]]:
        """The people whom a rung tells, once each, with the party they belong to.

        The triage team stands in where all the roles that it names are vacant.
        """
        told: dict[str, tuple[str, Correspondent]] = {}
        for role in plan.tell:
            party = "owner" if role == "owner" else "staff"
            for address, person in _by_address(self._people_of(role, owner)).items():
                told.setdefault(address, (party, person))
        return list(told.values()) or [("staff", person) for person in self.triage]

    def _people_of(self, role: str, owner: Correspondent | None) -> list[Correspondent]:
        if role == "handlers":
            return list(self.triage)
        person = {"owner": owner, "lead": self.lead, "on_call": self.on_call, "ciso": self.ciso}[role]
        return [person] if person else []


@dataclass(frozen=True)
class DailyRung(RungPlan):
    """The rungs after the last one of the ladder: every day, until the clock is stopped."""

    day: int = 1

    @property
    def name(self) -> str:
        """How the rung is known: ``100% + 3 days``."""
        return f"{super().name} + {self.day} day{'s' if self.day > 1 else ''}"


def _complete(ladder: Iterable[RungPlan]) -> tuple[RungPlan, ...]:
    """The ladder from low to high, one rung a share, and always one for the moment that a clock is due."""
    rungs: dict[str, RungPlan] = {}
    for plan in ladder:
        before = rungs.get(plan.name)
        rungs[plan.name] = RungPlan(plan.share, (*before.tell, *plan.tell)) if before else plan
    at_due = RungPlan(1.0, ("handlers",))
    rungs.setdefault(at_due.name, at_due)
    return tuple(sorted(rungs.values(), key=lambda rung: rung.share))


def _by_address(people: Iterable[Correspondent]) -> dict[str, Correspondent]:
    found: dict[str, Correspondent] = {}
    for person in people:
        found.setdefault(person.address.lower(), person)
    return found
