"""The on-call rota (*piketdienst*): who is on duty when.

A shift is a half-open interval of UTC instants. Where shifts overlap the one that began last counts: a
swap is written over what was planned.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from .errors import Refused
from .people import Correspondent

MOST_PROBLEMS = 20
MOST_SHIFTS = 20_000
YEARS = range(1900, 3000)


class RotaRefused(Refused):
    """The rota cannot be used; the message names each line or event, its value, and the way out."""

    def __init__(self, problems: Sequence[str]) -> None:
        more = [f"and {len(problems) - MOST_PROBLEMS} more"] if len(problems) > MOST_PROBLEMS else []
        super().__init__("\n".join([*problems[:MOST_PROBLEMS], *more]))


class WrongShift(ValueError):
    """A shift that cannot be taken; the message has the value and the way out."""


@dataclass(frozen=True)
class KnownPeople:
    """The people of the settings, as a rota names them."""

    by_name: Mapping[str, Correspondent]
    by_address: Mapping[str, Correspondent]

    @classmethod
    def of(cls, people: Iterable[Correspondent]) -> "KnownPeople":
        """Whoever is named twice is known as the first says."""
        listed = list(people)[::-1]
        return cls(
            {one.name.strip().casefold(): one for one in listed},
            {one.address.lower(): one for one in listed},
        )


def instant_of(moment: datetime, zone: ZoneInfo, *, written: str) -> datetime:
    """The instant of a time that a rota names; one without a zone is local.

    A local time that the clocks skip moves forward, one that comes twice is the first. Raises
    :class:`WrongShift` for one that is so far away that it cannot be meant.
    """
    if moment.year not in YEARS:
        raise WrongShift(f"{written} lies too far away: give a year from {YEARS[0]} to {YEARS[-1]}")
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


@dataclass(frozen=True)
class OnDuty:
    """One shift: from when, until when, and who."""

    begins_at: datetime
    ends_at: datetime
    person: Correspondent


@dataclass(frozen=True)
class Gap:
    """A time in which nobody is on duty."""

    begins_at: datetime
    ends_at: datetime


class Duty(Protocol):
    """Whatever knows who is on duty: a rota, or the file that holds one."""

    def on_duty(self, at: datetime) -> Correspondent | None:
        """Who is on duty at an instant; ``None`` in a gap."""
        ...


@dataclass(frozen=True)
class Rota:
    """All shifts that are known."""

    shifts: tuple[OnDuty, ...] = ()

    def on_duty(self, at: datetime) -> Correspondent | None:
        """Who is on duty at an instant; ``None`` in a gap."""
        on = [shift for shift in self.shifts if shift.begins_at <= at < shift.ends_at]
        return max(on, key=lambda shift: shift.begins_at).person if on else None

    def gaps(self, begin: datetime, end: datetime) -> list[Gap]:
        """When nobody is on duty between two instants."""
        return list(self._gaps(begin, end))

    def _gaps(self, begin: datetime, end: datetime) -> Iterator[Gap]:
        covered = begin
        for shift in sorted(self.shifts, key=lambda shift: shift.begins_at):
            if shift.ends_at <= covered or shift.begins_at >= end:
                continue
            if shift.begins_at > covered:
                yield Gap(covered, shift.begins_at)
            covered = shift.ends_at
        if covered < end:
            yield Gap(covered, end)
