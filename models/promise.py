"""What the organisation promises, as the installation's configuration says it: durations and people.

From the CVD policy: "Wij reageren binnen vijf dagen op uw melding" (response) and "Wij delen de
ontvangen melding altijd met de IBD" (share).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

from .calendar import Calendar, Duration, Unit, due
from .clock_rules import RESPONSE, ClockKind, Plan, Statutory
from .people import Correspondent
from .rota import Duty, Rota

__all__ = ["NO_ROTA", "Correspondent", "Promise", "RungPlan", "Told"]

HOUR = timedelta(hours=1)
FORTNIGHT = Duration(14, Unit.DAYS)
NO_ROTA = Rota()


@dataclass(frozen=True)
class RungPlan:
    """One rung of a ladder: when it fires, and the roles that are told.

    It fires at a share of the clock, or so long after it is due (``offset``, negative: before). Where
    ``acknowledge`` is set and nobody has said within it that they have seen it, the next rung fires. Outside
    business hours only the person on call is mailed at once, unless ``at_any_hour``. With ``unheard`` it
    stands for the rung of that name, which nobody acknowledged.
    """

    share: float | None
    tell: tuple[str, ...]
    offset: timedelta | None = None
    acknowledge: timedelta | None = None
    at_any_hour: bool = False
    words: str = "reminder"
    day: int = 0
    unheard: str = ""

    @property
    def name(self) -> str:
        """How the rung is known: ``80%``, ``due - 2 h``, or ``100% + 3 days`` for one of the daily ones."""
        if self.unheard:
            return f"{self.unheard}, not acknowledged"
        if self.offset is None:
            name = f"{(self.share or 0) * 100:.4f}".rstrip("0").rstrip(".") + "%"
        else:
            sign = "-" if self.offset < timedelta() else "+"
            name = f"due {sign} {abs(self.offset) / HOUR:g} h"
        return name + (f" + {self.day} day{'s' if self.day > 1 else ''}" if self.day else "")

    def at(self, started_at: datetime, due_at: datetime) -> datetime:
        """When it fires on a clock."""
        if self.offset is not None:
            return max(started_at, due_at + self.offset)
        return started_at + (due_at - started_at) * (1 if self.share is None else self.share)

    def united(self, other: "RungPlan") -> "RungPlan":
        """One rung for two of the same moment: it tells both, and asks for the more urgent of the two."""
        waits = [each.acknowledge for each in (self, other) if each.acknowledge]
        return replace(
            self,
            tell=tuple(dict.fromkeys((*self.tell, *other.tell))),
            acknowledge=min(waits, default=None),
            at_any_hour=self.at_any_hour or other.at_any_hour,
            words=max(self.words, other.words, key=WORDS.index),
        )


#: How a rung speaks, the mildest first.
WORDS = ("reminder", "escalation", "breach")
#: What every ladder has, whatever is configured: somebody hears when a clock is due.
AT_DUE = RungPlan(1.0, ("handlers",), words="breach")
#: The ladder of a law's clock where none is configured: hours count, and nights do.
OF_A_LAW = (
    RungPlan(0.5, ("handlers", "on_call"), at_any_hour=True, words="escalation"),
    RungPlan(0.8, ("handlers", "on_call", "lead"), at_any_hour=True, words="escalation"),
    RungPlan(1.0, ("handlers", "on_call", "lead", "ciso"), at_any_hour=True, words="breach"),
)


@dataclass(frozen=True)
class Told:
    """Somebody whom a rung tells: as whom, and whether also in the middle of the night."""

    party: str
    person: Correspondent
    is_on_call: bool = False


@dataclass(frozen=True)
class Promise:
    """The clocks, the ladders, and who stands on them. Whoever is named twice in the team gets mail once."""

    response: Duration
    share: timedelta
    calendar: Calendar
    ladder: tuple[RungPlan, ...]
    triage: tuple[Correspondent, ...]
    ibd: Correspondent
    lead: Correspondent | None = None
    on_call: Correspondent | None = None
    ciso: Correspondent | None = None
    update: Duration = FORTNIGHT
    statutory: tuple[Statutory, ...] = ()
    ladders: Mapping[str, tuple[RungPlan, ...]] = field(default_factory=dict[str, tuple[RungPlan, ...]])
    rota: Duty = NO_ROTA

    def __post_init__(self) -> None:
        """Keep one of those who share an address."""
        object.__setattr__(self, "triage", tuple(_by_address(self.triage).values()))

    def plan(self) -> Plan:
        """What clocks are read by as the settings say it."""
        return Plan(
            response=self.response,
            share=self.share,
            update=self.update,
            calendar=self.calendar,
            statutory=self.statutory,
        )

    def local_day(self, instant: datetime) -> date:
        """The day that it is for the organisation at an instant."""
        return instant.astimezone(ZoneInfo(self.calendar.zone)).date()

    def rungs(
        self, kind: str, started_at: datetime, due_at: datetime, *, since: datetime | None = None
    ) -> Iterator[tuple[RungPlan, datetime]]:
        """Every rung of a clock with its instant, in order: the ladder, then one a day without end.

        Rungs of the same moment are one. Where none is configured for the moment that the clock is due,
        the handlers are told.

        The days that had passed long before ``since`` are left out, so that an old clock costs as
        little as a young one.
        """
        ladder: dict[datetime, RungPlan] = {}
        for plan in self.ladder_of(kind):
            at = plan.at(started_at, due_at)
            ladder[at] = ladder[at].united(plan) if at in ladder else plan
        ladder.setdefault(due_at, AT_DUE)
        for at in sorted(ladder):
            yield ladder[at], at
        highest_at = max(ladder)
        highest = ladder[highest_at]
        after = max(due_at, highest_at)
        days_passed = (since - after).days if since else 0
        for day in count(max(1, days_passed - 1)):  # a local day is not always 24 hours
            daily = replace(highest, day=day, acknowledge=None)
            yield daily, due(after, Duration(day, Unit.DAYS), self.calendar)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The clocks that a ticket may have."""
        return (*ClockKind, *(law.name for law in self.statutory))

    def ladder_of(self, kind: str) -> tuple[RungPlan, ...]:
        """The rungs of a clock as they are configured."""
        if kind == RESPONSE:
            return self.ladder
        is_of_a_law = any(law.name == kind for law in self.statutory)
        return self.ladders.get(kind, OF_A_LAW if is_of_a_law else ())

    def told_by(
        self, plan: RungPlan, owner: Correspondent | None, *, at: datetime | None = None
    ) -> list[Told]:
        """The people whom a rung tells at an instant, once each, with the party they belong to.

        The triage team stands in where all the roles that it names are vacant.
        """
        told: dict[str, Told] = {}
        for role in plan.tell:
            party = "owner" if role == "owner" else "staff"
            for address, person in _by_address(self._people_of(role, owner, at)).items():
                known = told.setdefault(address, Told(party, person, role == "on_call"))
                if role == "on_call" and not known.is_on_call:
                    told[address] = replace(known, is_on_call=True)
        return list(told.values()) or [Told("staff", person) for person in self.triage]

    def _people_of(self, role: str, owner: Correspondent | None, at: datetime | None) -> list[Correspondent]:
        if role == "handlers":
            return list(self.triage)
        if role == "on_call":
            return self._on_call(at)
        person = {"owner": owner, "lead": self.lead, "ciso": self.ciso}[role]
        return [person] if person else []

    def _on_call(self, at: datetime | None) -> list[Correspondent]:
        """Who is on call; in a gap of the rota somebody is told all the same."""
        person = (self.rota.on_duty(at) if at else None) or self.on_call
        if person is None and self.rota is not NO_ROTA:
            return [self.lead] if self.lead else list(self.triage)
        return [person] if person else []


def _by_address(people: Iterable[Correspondent]) -> dict[str, Correspondent]:
    found: dict[str, Correspondent] = {}
    for person in people:
        found.setdefault(person.address.lower(), person)
    return found
