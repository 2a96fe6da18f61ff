"""What the handlers' desk costs with very many open tickets, on a real Prefect server.

    python -m meldbalie.tests.benchmarks.desk --open 100 1000

How long a new Prefect database takes until every ticket has its run, its card and its form; what a turn
costs when nothing happens and when all runs are compared; how long an answer takes from *Resume* to the
outbox, among all those tickets. Times of a shared machine: believe the ratios.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import copy_context
from threading import Event, Thread
from uuid import UUID

from meldbalie.flows import attend
from meldbalie.flows.desk import prefect_api
from meldbalie.models.desk import DeskRun
from meldbalie.models.outbox import Mail, MailKind
from meldbalie.models.ticket import Ticket
from meldbalie.tests.benchmarks.workbench import records_room, say, timed
from meldbalie.tests.flows.world import World
from meldbalie.tests.multitude import fill
from meldbalie.tests.prefect_server import running_prefect
from sqlalchemy import func, select

OPEN = (100, 1_000)
ANSWERS = 20
TIMES = 5
PATIENCE_SECONDS = 30.0


def main(words: list[str] | None = None) -> int:
    """Measure and print; 1 when a ticket was not shown, or an answer not taken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--open", type=int, nargs="+", default=OPEN, metavar="TICKETS")
    args = parser.parse_args(words)
    measured = [measure(number) for number in args.open]
    return int(not all(measured))


def measure(number: int) -> bool:
    """Measure with so many open tickets."""
    with records_room() as world, running_prefect(), prefect_api() as client:
        fill(world, open_tickets=number)
        desk = attend.Desk(world.place, client)
        shown = timed(lambda: _until_quiet(desk))
        missing = _without_run(world)
        idle = min(timed(lambda: _turn(desk)) for _ in range(TIMES))
        whole = min(timed(desk.go_round) for _ in range(TIMES))
        with _kept(desk):
            waits = sorted(_answer(world, reference) for reference in _some(world))
        say(f"{number:,} open: all shown in {shown:.1f} s ({shown / number * 1000:.0f} ms each)")
        say(f"  idle turn {idle * 1000:.0f} ms; all compared in {whole:.2f} s")
        say(f"  Resume to outbox: median {statistics.median(waits):.2f} s, 95 % {waits[-2]:.2f} s")
        return missing == 0


def _turn(desk: attend.Desk) -> int:
    desk.take_answers()
    desk.look_around()
    return desk.show_some()


def _until_quiet(desk: attend.Desk) -> None:
    while _turn(desk):
        pass


def _without_run(world: World) -> int:
    open_tickets = select(func.count()).select_from(Ticket).where(Ticket.closed_at.is_(None))
    shown = select(func.count()).select_from(DeskRun).where(DeskRun.run_id.is_not(None))
    with world.place.database.reading() as session:
        return (session.scalar(open_tickets) or 0) - (session.scalar(shown) or 0)


@contextmanager
def _kept(desk: attend.Desk) -> Generator[None]:
    """The desk as its shift keeps it, at work beside us."""
    is_over = Event()

    def keep() -> None:
        while not is_over.is_set():
            if not _turn(desk):
                is_over.wait(attend.PAUSE_SECONDS)

    here = copy_context()  # which says what Prefect server it is
    shift = Thread(target=here.run, args=(keep,))
    shift.start()
    try:
        yield
    finally:
        is_over.set()
        shift.join()


def _some(world: World) -> list[str]:
    open_tickets = select(Ticket.reference).where(Ticket.closed_at.is_(None)).order_by(Ticket.id.desc())
    with world.place.database.reading() as session:
        return list(session.scalars(open_tickets.limit(ANSWERS)))


def _answer(world: World, reference: str) -> float:
    """Answer as a handler does; gives how long it took until the mail waited in the outbox."""
    written = select(func.count()).select_from(Mail).where(Mail.kind == MailKind.ANSWER)
    with world.place.database.reading() as session:
        run_id = session.scalars(
            select(DeskRun.run_id).join(Ticket).where(Ticket.reference == reference)
        ).one()
        before = session.scalar(written)
    form = {
        "action": "answer the reporter",
        "who": world.place.promise.triage[0].name,
        "text": "Dank.",
        "no_date_because": "wordt bekeken",
    }
    with prefect_api() as client:
        started = time.perf_counter()
        client.resume_flow_run(UUID(run_id), run_input=form)
    while time.perf_counter() < started + PATIENCE_SECONDS:
        with world.place.database.reading() as session:
            if session.scalar(written) != before:
                return time.perf_counter() - started
        time.sleep(0.01)
    raise TimeoutError(f"the answer on {reference} was not taken in {PATIENCE_SECONDS:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
