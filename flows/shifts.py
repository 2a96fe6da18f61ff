"""Shifts: a flow that works on end, one run after another, never two at once.

A lease in our own database keeps two runs apart, because Prefect's limits may not (a killed run
holds its slot for minutes, measured). A run works for a shift; when it ends or is killed, its
lease runs out and `reconcile` starts the next.
"""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Self
from uuid import uuid4

from ..models.leases import give_back, take_lease
from .installation import Installation

LEASE = timedelta(seconds=60)
RENEW_AFTER = timedelta(seconds=15)


class Shift:
    """One run's turn at a piece of work, as a context manager.

    ``minutes`` 0 is a single turn; ``None`` is the configured length.
    """

    def __init__(self, name: str, place: Installation, *, minutes: float | None = None) -> None:
        length = place.config.prefect.shift_minutes if minutes is None else minutes
        self.name = name
        self._place = place
        self.is_single = length == 0
        self._ends_at = place.clock() + timedelta(minutes=length)
        self._holder = uuid4().hex
        self._renew_at = place.clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._place.database.unit_of_work() as session:
            give_back(session, self.name, holder=self._holder, now=self._place.clock())

    def turns(self, *, pause: float) -> Iterator[None]:
        """Take turns until the shift is over or somebody else has the work; ``pause`` in seconds."""
        while self.is_ours():
            yield
            if self.is_single or self._place.clock() >= self._ends_at:
                return
            time.sleep(pause)

    def is_ours(self) -> bool:
        """Whether this run may go on; renews the lease in time, and asks before long work."""
        now = self._place.clock()
        if now < self._renew_at:
            return True
        with self._place.database.unit_of_work() as session:
            ours = take_lease(session, self.name, holder=self._holder, now=now, lasting=LEASE)
        if ours:
            self._renew_at = now + RENEW_AFTER
        return ours
