"""Shifts: a flow that works on end, one run after another, never two at once.

A lease in our own database keeps two runs apart, because Prefect's limits may not (a killed run
holds its slot for minutes, measured). A run works for a shift and starts its successor; when one is
killed, its lease runs out and `reconcile` starts the next, which waits for that.
"""

import logging
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Self
from uuid import uuid4

from prefect.runtime import flow_run

from ..models.leases import did_work, give_back, take_lease
from .desk import prefect_api
from .installation import Installation

LOG = logging.getLogger(__name__)
LEASE = timedelta(seconds=90)
RENEW_AFTER = timedelta(seconds=10)
RELIEF_SECONDS = LEASE.total_seconds() + 5


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
        self._holder = str(flow_run.get_id() or uuid4())
        self._renew_at = self._say_again_at = place.clock()
        self._is_handed_over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._place.database.unit_of_work() as session:
            give_back(session, self.name, holder=self._holder, now=self._place.clock())

    def turns(self, *, pause: float) -> Iterator[None]:
        """Take turns until the shift is over or somebody else has the work; ``pause`` in seconds."""
        self._wait_for_relief()
        while self.is_ours():
            yield
            if self.is_single:
                return
            if self._place.clock() >= self._ends_at:
                self._hand_over()
                return
            time.sleep(pause)

    def _hand_over(self) -> None:
        """Start the successor, one however many loops of this shift end."""
        if not self._is_handed_over:
            start_shifts([self.name])
        self._is_handed_over = True

    def _wait_for_relief(self) -> None:
        """Give a holder that may be dead the time in which its lease runs out."""
        until = time.monotonic() + RELIEF_SECONDS
        while not self.is_single and not self.is_ours() and time.monotonic() < until:
            time.sleep(1)

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

    def worked(self) -> None:
        """Record that the work itself succeeds, for whoever watches that it does."""
        now = self._place.clock()
        if now >= self._say_again_at:
            with self._place.database.unit_of_work() as session:
                did_work(session, self.name, until=now + LEASE)
            self._say_again_at = now + RENEW_AFTER


def start_shifts(names: Iterable[str]) -> None:
    """Start a run for each of these shifts; one too many waits for its turn and ends."""
    with prefect_api() as client:
        for name in names:
            deployment = client.read_deployment_by_name(f"{name}/{name}")
            client.create_flow_run_from_deployment(deployment.id)
            LOG.info("%s: a shift was started", name)
