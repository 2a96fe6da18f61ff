"""What happens in the simulated year: reports that arrive, what people then do, and what breaks down.

The same seed gives the same script. What an act finds when its time has come may make it impossible
(nothing to close any more, say): the desk refuses it then, as it would refuse a handler.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from meldbalie.tests.year.desks import BEGIN, END, OWNERS

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REASONS = ("remediated", "mitigated", "risk_accepted", "obsolete", "withdrawn")
#: Hours in which something about the calendar happens; some reports arrive in each of them.
ODD_HOURS = tuple(
    datetime(*local, tzinfo=AMSTERDAM).astimezone(UTC)
    for local in (
        (2026, 1, 1, 0), (2026, 3, 29, 1), (2026, 3, 29, 3), (2026, 4, 3, 16), (2026, 4, 24, 16),
        (2026, 4, 27, 0), (2026, 5, 5, 12), (2026, 10, 25, 1), (2026, 10, 25, 2), (2026, 10, 25, 3),
        (2026, 12, 24, 17), (2026, 12, 25, 12), (2026, 12, 31, 23),
    )
)  # fmt: skip


@dataclass(frozen=True, order=True)
class Act:
    """Something that somebody does at an instant; ``story`` is the number of the report that it is about."""

    at: datetime
    number: int
    story: int = field(compare=False)
    verb: str = field(compare=False)
    how: dict[str, Any] = field(compare=False, default_factory=dict[str, Any])


@dataclass(frozen=True)
class Away:
    """Days, the first and the last included, on which an owner is not there; known since an instant."""

    known_at: datetime
    owner: str
    first_day: date
    last_day: date
    deputy: str | None


@dataclass(frozen=True)
class Script:
    """The whole year: acts in their order, and when the sweeper or the mail server is down."""

    seed: int
    tickets: int
    response: str
    acts: tuple[Act, ...]
    absences: tuple[Away, ...]
    without_sweeper: tuple[tuple[datetime, datetime], ...]
    without_mail: tuple[tuple[datetime, datetime], ...]
    later_settings_at: datetime


def make_script(seed: int, tickets: int, *, response: str = "5d") -> Script:
    """Write the script of a year with so many reports."""
    rng = Random(f"{seed} of the year")
    absences = tuple(_absences(rng))
    told = [story_act for number in range(tickets) for story_act in _story(seed, number)]
    told += [(BEGIN, -1, "owners", {})]
    told += [(away.known_at, -1, "away", vars(away)) for away in absences]
    told += [(_local(2026, month, 3, 15), -1, "own_days", {"days": days}) for month, days in _OWN_DAYS]
    told += [(BEGIN + timedelta(days=day, hours=10), -1, "send_again", {}) for day in range(3, 365, 7)]
    told.sort(key=lambda one: (one[0], one[1]))
    acts = [Act(at, number, story, verb, how) for number, (at, story, verb, how) in enumerate(told)]
    return Script(
        seed=seed,
        tickets=tickets,
        response=response,
        acts=tuple(act for act in acts if act.at < END),
        absences=absences,
        without_sweeper=tuple(
            _outages(rng, hours=(1, 2, 5, 7, 12, 26, 49, 76), around=_local(2026, 3, 28, 22))
        ),
        without_mail=tuple(_outages(rng, hours=(1, 1, 3, 9, 15, 40), around=_local(2026, 12, 24, 9))),
        later_settings_at=_local(2026, 10, 6, 11),
    )


#: The organisation's own closed days, as they are imported: more in March, in July also days that have
#: passed, and fewer in September.
_OWN_DAYS = (
    (3, {"2026-04-28": "Bridge", "2026-05-15": "Bridge", "2026-12-24": "Christmas Eve"}),
    (
        7,
        {
            "2026-07-02": "Flood",
            "2026-07-03": "Flood",
            "2026-09-14": "Training",
            "2026-09-15": "Training",
            "2026-12-24": "Eve",
        },
    ),
    (9, {"2026-12-24": "Christmas Eve", "2026-12-31": "New Year's Eve"}),
)
Told = tuple[datetime, int, str, dict[str, Any]]


def _local(year: int, month: int, day: int, hour: int) -> datetime:
    return datetime(year, month, day, hour, tzinfo=AMSTERDAM).astimezone(UTC)


def _outages(rng: Random, *, hours: tuple[int, ...], around: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Times without something: one for each number of hours, and one from an instant on."""
    begins = [(BEGIN + rng.random() * 355 * DAY, HOUR * many) for many in hours]
    yield from sorted((at, at + long) for at, long in [*begins, (around, 9 * HOUR)])


def _absences(rng: Random) -> Iterator[Away]:
    """Each owner is away now and then, never twice at once; who stands in may be away as well."""
    for owner in OWNERS:
        day = date(2026, 1, 5) + timedelta(days=rng.randrange(20))
        while day < date(2026, 12, 20):
            last = day + timedelta(days=rng.choice((0, 1, 4, 11, 18)))
            deputy = rng.choice([None, *(other for other in OWNERS if other != owner)])
            known = datetime(day.year, day.month, day.day, 11, tzinfo=UTC) - rng.randrange(2, 9) * DAY
            yield Away(known, owner, day, last, deputy)
            day = last + timedelta(days=rng.randrange(15, 60))


def _arrival(rng: Random) -> datetime:
    if rng.random() < 0.1:
        return rng.choice(ODD_HOURS) + rng.choice((0, 1, 60, rng.random() * 3600)) * timedelta(seconds=1)
    return BEGIN + rng.random() * (END - BEGIN)


def _story(seed: int, number: int) -> Iterator[Told]:
    """One report, and what becomes of it."""
    rng = Random(f"{seed} {number}")
    at = _arrival(rng)
    for delay, verb, how in _what_happens(rng, at):
        yield at + delay, number, verb, how


def _what_happens(rng: Random, arrived_at: datetime) -> Iterator[tuple[timedelta, str, dict[str, Any]]]:
    def hours(least: float, most: float) -> timedelta:
        return least * HOUR + rng.random() * (most - least) * HOUR

    intake = timedelta(seconds=20) if rng.random() < 0.95 else hours(0.5, 30)
    host = rng.choice([*OWNERS.values(), f"unknown.{next(iter(OWNERS.values()))}", None])
    how = {"arrived_at": arrived_at, "host": host}
    named = rng.random() < 0.9
    yield intake, "arrive", how | {"named": named, "has_page": not named and rng.random() < 0.5}
    if rng.random() < 0.05:
        since = intake + hours(0, 30)
        yield since, "invalidate", {}
        closed = since + hours(0, 3)
        yield closed, "close", {"reason": "spam"}
        if rng.random() < 0.5:
            yield closed + hours(0, 20), "bounce", {}
        return
    answered = intake + rng.choice((hours(0.2, 24), hours(24, 110), hours(96, 130), hours(120, 300)))
    for _ in range(rng.choice((0, 0, 1, 2))):
        yield intake + hours(0.5, 400), "further_message", {}
    if rng.random() < 0.25:
        yield from _law(rng, intake + hours(1, 300))
    if rng.random() < 0.3:
        yield answered - hours(0, 24) * min(1, (answered - intake) / DAY), "confirm", {}
    yield answered, "answer", {"days": rng.choice((None, None, 0, 3, 9, 30))}
    if rng.random() < 0.15:
        yield answered + hours(0.1, 60), "bounce", {}
        yield answered + hours(60, 150), "answer", {"days": rng.choice((None, 6, 20))}
    since = answered
    for _ in range(rng.choice((0, 1, 1, 2))):
        since += hours(5, 120)
        yield since, "wait", {"on": rng.choice(("reporter", "supplier"))}
        since += hours(1, 300)
        verb, how = rng.choice((("wait", {"on": "handler"}), ("further_message", {})))
        yield since, verb, how
    for _ in range(rng.choice((0, 0, 1, 2))):
        since += hours(10, 160)
        yield since, "answer", {"days": rng.choice((None, 3, 14, 40))}
    if rng.random() < 0.1:
        yield intake + hours(1, 500), "assign", {"to": rng.choice(list(OWNERS))}
    yield from _ending(rng, since + hours(5, 120))


def _law(rng: Random, since: timedelta) -> Iterator[tuple[timedelta, str, dict[str, Any]]]:
    """It is exploited: the authority is to be told, twice; at times all of that was an error."""
    yield since, "milestone", {"what": "exploited", "ago": rng.choice((0, 0.2, 6, 30)) * HOUR}
    if rng.random() < 0.2:
        yield since + rng.random() * 40 * HOUR, "withdraw", {"what": "exploited"}
        yield since + 50 * HOUR, "milestone", {"what": "exploited", "ago": 20 * HOUR}
        since += 50 * HOUR
    yield since + rng.random() * 40 * HOUR, "milestone", {"what": "authority_warned", "ago": HOUR / 4}
    yield since + rng.random() * 120 * HOUR, "milestone", {"what": "authority_notified", "ago": 0 * HOUR}


def _ending(rng: Random, since: timedelta) -> Iterator[tuple[timedelta, str, dict[str, Any]]]:
    if rng.random() < 0.02:
        return
    yield since, "accept", {}
    if rng.random() < 0.3:
        yield since + rng.random() * 5 * DAY, "defer", {}
    since += rng.random() * 8 * DAY
    if rng.random() < 0.5:
        yield since, "milestone", {"what": "fix_deployed", "ago": rng.choice((0, 3, 50)) * HOUR}
    since += rng.random() * 3 * DAY
    yield since, "close", {"reason": rng.choice(REASONS)}
    if rng.random() < 0.1:
        yield since + rng.random() * 3 * DAY, "bounce", {}
