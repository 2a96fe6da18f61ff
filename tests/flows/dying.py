"""A process that takes in mail and is killed where a test says: the other side of `test_crashes`.

    python -m meldbalie.tests.flows.dying CONFIGURATION

It reads one order a line (JSON), and forks for each a process that takes in what waits, once; so what
takes seconds, importing, is done once. It has no thread and no connection of its own to lose. The
functions are those of the intake flow, in its order; Prefect is left out.
"""

import gc
import json
import os
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any

from meldbalie.flows import intake as intakes
from meldbalie.flows import shifts
from meldbalie.flows.discretion import WorkFailed
from meldbalie.flows.installation import Installation, install
from meldbalie.flows.shifts import Shift
from meldbalie.mailbox.imap import IntakeMailbox
from meldbalie.settings import CONFIG_VARIABLE, settings
from prefect.states import Completed, Failed
from sqlalchemy import Connection, event

ROOT = Path(intakes.__file__).parents[1]
OURS = tuple(f"{ROOT / folder}{os.sep}" for folder in ("flows", "models", "mailbox"))

FAST = 20.0


class Boundaries:
    """Counts the statements of ours as they begin, and the commits; ends the process at one of them."""

    def __init__(self, end: list[Any] | None) -> None:
        self._end = tuple(end) if end else None
        self._times: Counter[tuple[str, Any]] = Counter()
        self.passed: list[tuple[str, Any, int]] = []

    def called(self, frame: FrameType, event: str, given: object) -> Callable[..., Any] | None:
        """Follow a function of ours, and no other."""
        del event, given
        return self._at_a_line if frame.f_code.co_filename.startswith(OURS) else None

    def _at_a_line(self, frame: FrameType, event: str, given: object) -> Callable[..., Any]:
        del given
        if event == "line":
            self.passes(frame.f_code.co_filename[len(str(ROOT)) + 1 :], frame.f_lineno)
        return self._at_a_line

    def passes(self, name: str, place: int | str) -> None:
        """Count a boundary, and die there if that is the one."""
        self._times[name, place] += 1
        passed = (name, place, self._times[name, place])
        self.passed.append(passed)
        if passed == self._end:
            os.kill(os.getpid(), signal.SIGKILL)

    def commits(self, place: Installation) -> None:
        """Make the moment before and the moment after each commit boundaries as well."""
        dialect = place.database.engine.dialect

        def commit(connection: Any) -> None:
            self.passes("commit", "before")
            type(dialect).do_commit(dialect, connection)
            self.passes("commit", "after")

        dialect.do_commit = commit


def take_in(number: int, *, return_state: bool) -> object:
    """Run the task as Prefect does: one that fails does not hold the others up."""
    del return_state
    try:
        TASK.fn(number)
    except WorkFailed as failure:
        print(failure, file=sys.stderr, flush=True)
        return Failed()
    return Completed()


TASK = intakes.take_in


def one_round(place: Installation, order: dict[str, Any]) -> None:
    """Take in what waits, once."""
    boundaries = Boundaries(order.get("end"))
    boundaries.commits(place)
    shift = Shift if order.get("alone", True) else Defeated
    sys.settrace(boundaries.called)
    with shift("intake", place, minutes=0) as shift:
        for _ in shift.turns(pause=0):
            with IntakeMailbox(place.imap) as mailbox:
                intakes._work_through(place, mailbox, shift, set())
    sys.settrace(None)
    if "passed" in order:
        Path(order["passed"]).write_text(json.dumps(boundaries.passed), encoding="utf-8")


class Defeated(Shift):
    """A shift that believes in itself, whoever else is at work."""

    def is_ours(self) -> bool:
        """Tell."""
        return True


def whole_shift(place: Installation, order: dict[str, Any]) -> None:
    """Be the poller until somebody kills it, with less patience and as much room as the order says.

    Its clock goes fast, so that what failed is tried again in seconds.
    """
    if place.database.engine.dialect.name == "sqlite":

        @event.listens_for(place.database.engine, "begin", insert=True)
        def limit(connection: Connection) -> None:
            connection.exec_driver_sql("PRAGMA busy_timeout=300")
            connection.exec_driver_sql(f"PRAGMA max_page_count={Path(order['pages']).read_text()}")

    shifts.OUTAGE_SECONDS = intakes.RECONNECT_SECONDS = 0.2
    intakes.intake.fn(minutes=60)


def start(place: Installation, order: dict[str, Any]) -> int:
    """Begin a round in a process of its own and give its number."""
    child = os.fork()
    if child:
        return child
    os.setpgrp()  # what it starts, such as a server of Prefect's, can be killed with it
    status = 1
    try:
        (whole_shift if "pages" in order else one_round)(place, order)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def main(configuration: str) -> None:
    """Obey until nobody orders any more."""
    os.environ[CONFIG_VARIABLE] = configuration
    now: list[datetime] = []
    began: list[float] = []
    pace: list[float] = []
    place = install(
        settings(), clock=lambda: now[0] + pace[0] * timedelta(seconds=time.monotonic() - began[0])
    )
    intakes.take_in = take_in
    intakes.installation = lambda: place
    for line in sys.stdin:
        order = json.loads(line)
        if "now" in order:
            now[:], began[:] = [datetime.fromisoformat(order["now"])], [time.monotonic()]
            pace[:] = [FAST if "pages" in order else 1.0]
        if "wait" in order:
            answer = os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1])
        elif "learn" in order:
            answer = learn(place)
        else:
            answer = start(place, order)
        print(json.dumps(answer), flush=True)


def learn(place: Installation) -> int:
    """Work a round in this process, so that no child needs to learn what it takes; close everything."""
    one_round(place, {})
    place.database.close()
    gc.collect()
    gc.freeze()
    return 0


if __name__ == "__main__":
    main(sys.argv[1])
