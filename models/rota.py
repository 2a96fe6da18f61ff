"""The on-call rota (*piketdienst*): who is on duty when.

A shift is a half-open interval of UTC instants. Where shifts overlap the one that began last counts: a
swap is written over what was planned.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from .people import Correspondent


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
