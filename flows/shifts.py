"""Shifts: a flow that works on end, one run after another, never two at once.

A lease in our own database keeps two runs apart, because Prefect's limits may not (a killed run
holds its slot for minutes, measured). A run works for a shift and starts its successor. When one is
killed, whoever started its process starts the next (and else `reconcile` does), which takes over at once
on the same machine, and elsewhere when the lease has run out.
"""

import logging
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Any, Self
from uuid import uuid4

from prefect import Flow
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Scheduled
from sqlalchemy.exc import DBAPIError

from ..models.leases import did_work, give_back, take_lease
from ..models.outage import outage
from .desk import in_states, of_flows, prefect_api
from .discretion import discreet
from .installation import Installation
from .processes import has_died, this_process
from .watching import SWEEP, note_stopped, patience

LOG = logging.getLogger(__name__)
LEASE = timedelta(seconds=90)
RENEW_AFTER = timedelta(seconds=10)
RELIEF_SECONDS = LEASE.total_seconds() + 5
LONGEST_WORK = timedelta(minutes=10)  # one piece of it: a large mail over a slow line; more is a hung worker
OUTAGE_SECONDS = 5.0
SHORTEST_LIFE = timedelta(minutes=1)
BREATH = timedelta(seconds=10)


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
        self._began_at, self._length = place.clock(), timedelta(minutes=length)
        self._holder = str(flow_run.get_id() or uuid4())
        self._renew_at = self._say_again_at = place.clock()
        self._is_handed_over = self._holds = False
        self._seen_at = time.monotonic()
        self._is_over = Event()
        self._heart = Thread(target=self._beat, name=f"the lease {name}", daemon=True)

    def __enter__(self) -> Self:
        self._heart.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._heart.join()
        with _passing_over_outages(), self._place.database.unit_of_work() as session:
            give_back(session, self.name, holder=self._holder, now=self._place.clock())

    def turns(self, *, pause: float) -> Iterator[None]:
        """Take turns until the shift is over or somebody else has the work; ``pause`` in seconds."""
        self._wait_for_relief()
        while self._may_go_on():
            yield
            if self.is_single:
                return
            if self._place.clock() >= self._ends_at:
                self._hand_over()
                return
            time.sleep(pause)

    @contextmanager
    def enduring(self) -> Generator[None]:
        """Outlive an outage of the database: say what it is, and leave the rest to the next turn.

        A single turn has no next one, and fails.
        """
        try:
            yield
        except DBAPIError as error:
            why = outage(error)
            if why is None or self.is_single:
                raise
            tell(f"{self.name}: {why}; nothing is lost, trying again")
            self.ask_anew()

    def _may_go_on(self) -> bool:
        """Like :meth:`is_ours`, and waits for a database that is out of use."""
        while True:
            with self.enduring():
                return self.is_ours()
            time.sleep(OUTAGE_SECONDS)

    def _hand_over(self) -> None:
        """Start the successor, one however many loops of this shift end."""
        if not self._is_handed_over:
            start_shifts([self.name])
        self._is_handed_over = True

    def _wait_for_relief(self) -> None:
        """Give a holder that may be dead the time in which its lease runs out."""
        until = time.monotonic() + RELIEF_SECONDS
        while not self.is_single and not self._may_go_on() and time.monotonic() < until:
            time.sleep(1)

    def is_ours(self) -> bool:
        """Whether this run may go on; renews the lease in time, and asks before long work."""
        self._seen_at = time.monotonic()
        now = self._place.clock()
        if now < self._renew_at:
            return True
        self._holds = self._take()
        if self._holds:
            self._renew_at = now + RENEW_AFTER
        return self._holds

    def ask_anew(self) -> None:
        """Let the next :meth:`is_ours` ask the database: something failed, perhaps for everybody."""
        self._renew_at = self._place.clock()

    def _take(self) -> bool:
        with self._place.database.unit_of_work() as session:
            return take_lease(
                session,
                self.name,
                holder=self._holder,
                now=self._place.clock(),
                lasting=LEASE,
                process=this_process(),
                has_died=has_died,
            )

    def _beat(self) -> None:
        """Keep the lease while one piece of work takes long, but not for one that hangs."""
        while not self._is_over.wait(RENEW_AFTER.total_seconds()):
            is_alive = time.monotonic() - self._seen_at < LONGEST_WORK.total_seconds()
            if self._holds and is_alive:
                with _passing_over_outages():
                    self._take()

    def worked(self) -> None:
        """Record that the work itself succeeds, for whoever watches that it does."""
        now = self._place.clock()
        if now >= self._say_again_at:
            with self._place.database.unit_of_work() as session:
                did_work(session, self.name, until=now + LEASE)
            self._say_again_at = now + RENEW_AFTER
            if not self.is_single:
                self._look_after_the_sweep()

    def _look_after_the_sweep(self) -> None:
        """Alarm when the sweep is dead; a shift that has only just begun gives it time."""
        time_to_come = min(patience(self._place), self._length / 2)
        note_stopped(self._place, [SWEEP], forgiven_until=self._began_at + time_to_come)


@contextmanager
def _passing_over_outages() -> Generator[None]:
    """For what the next turn does again, or time does by itself."""
    try:
        yield
    except DBAPIError as error:
        if outage(error) is None:
            raise


def tell(words: str, level: int = logging.WARNING) -> None:
    """Tell the operator in the run's log, which Prefect shows; where there is no run, in ours."""
    try:
        log = get_run_logger()
    except MissingContextError:
        log = LOG
    log.log(level, words)


def start_shifts(names: Iterable[str], *, at: datetime | None = None) -> None:
    """Start a run for each of these shifts, now or later; one too many waits for its turn and ends."""
    with prefect_api() as client:
        for name in names:
            deployment = client.read_deployment_by_name(f"{name}/{name}")
            client.create_flow_run_from_deployment(deployment.id, state=Scheduled(scheduled_time=at))
            LOG.info("%s: a shift was started", name)


def begin_again(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Start the successor of a run whose process was killed; for Prefect to call when it crashes.

    What killed one that lived for less than a minute may kill the next as well, which therefore comes later,
    and only where none waits to begin.
    """
    began_at = flow_run.start_time or flow_run.expected_start_time
    was_short = began_at is None or state.timestamp - began_at < SHORTEST_LIFE
    with discreet(flow.name):
        if not was_short:
            start_shifts([flow.name])
        elif not _waits_to_begin(flow.name):
            start_shifts([flow.name], at=state.timestamp + BREATH)


def _waits_to_begin(name: str) -> bool:
    scheduled = FlowRunFilter(state=in_states(StateType.SCHEDULED))
    with prefect_api() as client:
        return bool(client.read_flow_runs(flow_filter=of_flows(name), flow_run_filter=scheduled, limit=1))
