"""The on-call rota (*piketdienst*): who is on duty when.

A shift is a half-open interval of UTC instants. Where shifts overlap the one that began last counts: a
swap is written over what was planned.
"""

from dataclasses import dataclass
from datetime import datetime

from .people import Correspondent


@dataclass(frozen=True)
class OnDuty:
    """One shift: from when, until when, and who."""

    begins_at: datetime
    ends_at: datetime
    person: Correspondent


@dataclass(frozen=True)
class Rota:
    """All shifts that are known."""

    shifts: tuple[OnDuty, ...] = ()

    def on_duty(self, at: datetime) -> Correspondent | None:
        """Who is on duty at an instant; ``None`` in a gap."""
        on = [shift for shift in self.shifts if shift.begins_at <= at < shift.ends_at]
        return max(on, key=lambda shift: shift.begins_at).person if on else None
