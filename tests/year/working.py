"""The processes of the simulated year: each obeys one order after another until it is killed.

They are forked from the process that lives the year, once it has learned what it takes: one more costs
milliseconds then. No connection to a database crosses a fork.
"""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any

from meldbalie.flows import sweep as sweeps
from meldbalie.flows.calendars import follow_calendar, wind_anew
from meldbalie.flows.installation import Records
from meldbalie.models.session import Database
from meldbalie.tests.year import playing
from meldbalie.tests.year.desks import promise_of, settings_of
from meldbalie.tests.year.script import Act

ROOT = Path(sweeps.__file__).parents[1]
OURS = tuple(f"{ROOT / folder}{os.sep}" for folder in ("flows", "models"))
CONTEXT = get_context("fork")


@dataclass(frozen=True)
class Order:
    """What to do, at which instant, by which settings; and at which statement of ours to die, if at any."""

    what: str
    now: datetime
    later_settings: bool = False
    act: Act | None = None
    is_mail_up: bool = True
    dies_at: int | None = None


@dataclass(frozen=True)
class Answer:
    """How many statements an order took, if they were counted, and what failed."""

    steps: int = 0
    failed: tuple[str, ...] = ()


@dataclass
class Steps:
    """Counts the statements of ours as they begin, and the commits; ends the process at one of them."""

    end: int
    passed: int = 0

    def __enter__(self) -> "Steps":
        sys.settrace(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def step(self) -> None:
        """Count one, and die there if that is the one."""
        self.passed += 1
        if self.passed == self.end:
            os.kill(os.getpid(), signal.SIGKILL)

    def _called(self, frame: FrameType, event: str, given: object) -> Callable[..., Any] | None:
        return self._line if frame.f_code.co_filename.startswith(OURS) else None

    def _line(self, frame: FrameType, event: str, given: object) -> Callable[..., Any]:
        if event == "line":
            self.step()
        return self._line


class Desk:
    """The product at work, at whatever instant an order names."""

    def __init__(self, database: Database, response: str) -> None:
        self.database = database
        self.steps: Steps | None = None
        self._now: datetime | None = None
        configs = [settings_of(number, response) for number in (0, 1)]
        self.places = [Records(one, database, promise_of(one), self._clock) for one in configs]
        self._watch_commits()

    def _clock(self) -> datetime:
        assert self._now is not None
        return self._now

    def _watch_commits(self) -> None:
        dialect = self.database.engine.dialect
        commit = dialect.do_commit

        def watched(connection: Any) -> None:
            if self.steps:
                self.steps.step()
            commit(connection)
            if self.steps:
                self.steps.step()

        dialect.do_commit = watched

    def obey(self, order: Order) -> Answer:
        """Do as ordered."""
        self._now = order.now
        if order.dies_at is None:
            return Answer(failed=tuple(self._do(order)))
        with Steps(order.dies_at) as self.steps:
            failed = self._do(order)
        passed, self.steps = self.steps.passed, None
        return Answer(passed, tuple(failed))

    def _do(self, order: Order) -> list[str]:
        place = self.places[order.later_settings]
        match order.what:
            case "sweep":
                return sweep(place)
            case "deliver":
                playing.deliver(place, is_up=order.is_mail_up)
            case "see":
                playing.see(place)
            case _:
                assert order.act is not None
                playing.play(place, order.act)
        return []


def sweep(place: Records) -> list[str]:
    """Do what the sweep does about clocks, in its order; gives what failed."""
    failed = follow_calendar(place, _unheard)

    def fire() -> None:
        failed.extend(sweeps.fire_what_is_due(place)[1])

    fire()
    return failed + wind_anew(place, _unheard, between=fire)


def _unheard(line: str) -> None:
    del line


def work(desk: Desk, orders: Connection, others: Sequence[Connection]) -> None:
    """Obey until nobody orders any more."""
    for other in others:
        other.close()
    while True:
        try:
            order = orders.recv()
        except (EOFError, ConnectionResetError):
            return
        try:
            answer = desk.obey(order)
        except Exception:
            answer = Answer(failed=(traceback.format_exc(),))
        try:
            orders.send(answer)
        except BrokenPipeError:  # nobody lives the year any more
            return


class Workers:
    """Processes that do one thing after another, and that are started again when they were killed."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._processes: dict[int, tuple[Any, Connection]] = {}

    def order(self, worker: int, order: Order) -> None:
        """Let one begin with something."""
        if worker not in self._processes:
            self._start(worker)
        self._processes[worker][1].send(order)

    def answer(self, worker: int, kill_after: float | None = None) -> Answer | None:
        """What came of it; ``None`` when it was killed, by itself or by us after some seconds."""
        process, orders = self._processes[worker]
        is_killed = kill_after is not None and not orders.poll(kill_after)
        if is_killed:
            process.kill()
        try:
            answer = orders.recv()
        except (EOFError, ConnectionResetError):
            answer = None
        if answer is not None and not is_killed:
            return answer
        process.join()
        assert process.exitcode == -signal.SIGKILL, process.exitcode
        del self._processes[worker]
        orders.close()
        return None

    def stop(self) -> None:
        """Let all of them go."""
        for process, orders in self._processes.values():
            orders.close()
            process.join()

    def _start(self, worker: int) -> None:
        self._desk.database.close()
        orders, theirs = CONTEXT.Pipe()
        others = [orders, *(ours for _, ours in self._processes.values())]
        process = CONTEXT.Process(target=work, args=(self._desk, theirs, others), daemon=True)
        process.start()
        theirs.close()
        self._processes[worker] = (process, orders)
