"""What a sweep costs over many open tickets, against the bare query for what is due.

    python -m meldbalie.tests.benchmarks.sweep --open 1000 100000 1000000 --on sqlite postgresql

On SQLite and on PostgreSQL, every commit on the disk. The sweep is the flow's own function without
Prefect: calendar, rungs, keys (real gpg), on-call rota, mail that did not leave, signs of life. The bare
query is the same SELECT by the database's own driver. Of several times the
shortest counts, since others work on the machine as well; believe the ratios, not the milliseconds.
"""

import argparse
import logging
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from meldbalie.flows import sweep as sweeping
from meldbalie.flows.key_watch import watch_keys
from meldbalie.models.clocks import Clock
from meldbalie.models.ladder import due_clocks
from meldbalie.models.leases import did_work
from meldbalie.models.outbox import Mail
from meldbalie.models.ticket import Ticket
from meldbalie.tests.benchmarks.workbench import records_room, say, timed
from meldbalie.tests.flows.world import World
from meldbalie.tests.multitude import fill
from meldbalie.tests.postgres import running_server
from sqlalchemy import event, func, select

DATABASES = ("sqlite", "postgresql")
OPEN = (1_000, 100_000)
DUE = 100
TIMES = 20
BARE = {
    "sqlite": "SELECT id FROM clocks WHERE next_rung_at <= ? ORDER BY next_rung_at LIMIT 500",
    "postgresql": "SELECT id FROM clocks WHERE next_rung_at <= %s ORDER BY next_rung_at LIMIT 500",
}


@dataclass(frozen=True)
class Cost:
    """Seconds that each takes: with nothing due, and with a hundred due.

    ``steps`` are the instructions of SQLite's machine in an idle sweep, which no other work disturbs.
    """

    bare: float
    query: float
    idle: float
    keys: float
    bare_due: float
    due: float
    commit: float
    steps: int

    @property
    def rung(self) -> float:
        """What one rung adds to a sweep."""
        return (self.due - self.idle) / DUE


def main(words: list[str] | None = None) -> int:
    """Measure and print; 1 when a sweep did not fire what was due."""
    args = _arguments(words)
    did_fire = True
    for database in args.on:
        costs: list[Cost] = []
        for number in args.open:
            with _filled(database, number) as world:
                cost, fired = measure(world)
            costs.append(cost)
            did_fire &= fired == [DUE] * len(fired)
            _tell(cost)
        if len(costs) > 1:
            least, most = (pick(one.idle for one in costs) for pick in (min, max))
            rungs = [one.rung for one in costs]
            say(f"  of all these, most against least: idle {most / least:.2f}, a rung {_spread(rungs):.2f}")
    return int(not did_fire)


def measure(world: World) -> tuple[Cost, list[int]]:
    """What everything costs in this database; and how many rungs each sweep fired that had a hundred due."""
    place = world.place
    sweeps(world)
    bare, query = _often(lambda: _bare(world)), _often(lambda: _query(world))
    idle, keys = _often(lambda: sweeps(world)), _often(lambda: watch_keys(place, place.keyring))
    commit, steps = _often(lambda: _commit(world)), _steps(world)
    bare_due, due, fired = list[float](), list[float](), list[int]()
    for _ in range(3):
        world.present.now = _when_due(world)
        bare_due.append(_often(lambda: _bare(world)))
        due.append(timed(lambda: fired.append(sweeps(world))))
    return Cost(bare, query, idle, keys, min(bare_due), min(due), commit, steps), fired


def sweeps(world: World) -> int:
    """Sweep as the flow does, without Prefect; gives how many rungs fired."""
    sweeping.installation = lambda: world.place
    sweeping.get_run_logger = lambda: logging.getLogger(__name__)
    return sweeping.sweep.fn()


@contextmanager
def _filled(database: str, number: int) -> Generator[World]:
    if database == "sqlite":
        with records_room() as world:
            yield _fill(world, number)
        return
    with running_server() as server, server.new_database() as name, records_room(server.url(name)) as world:
        yield _fill(world, number)


def _fill(world: World, number: int) -> World:
    took = timed(lambda: fill(world, open_tickets=number))
    with world.place.database.reading() as session:
        tickets, clocks, mails = (
            session.scalar(select(func.count()).select_from(table)) or 0 for table in (Ticket, Clock, Mail)
        )
        name = session.get_bind().dialect.name
    say(f"{name}, {number:,} open of {tickets:,} tickets, {clocks:,} clocks, {mails:,} mails")
    say(f"  (made in {took:.0f} s)")
    return world


def _bare(world: World) -> int:
    """Ask what is due as plainly as can be."""
    engine = world.place.database.engine
    now: Any = world.present()
    if engine.dialect.name == "sqlite":
        now = f"{now:%Y-%m-%d %H:%M:%S.%f}"
    connection: Any = engine.raw_connection()
    try:
        return len(connection.driver_connection.execute(BARE[engine.dialect.name], (now,)).fetchall())
    finally:
        connection.close()


def _query(world: World) -> int:
    with world.place.database.reading() as session:
        return len(due_clocks(session, world.present()))


def _commit(world: World) -> None:
    with world.place.database.unit_of_work() as session:
        did_work(session, "sweep", until=world.present())


def _steps(world: World) -> int:
    """The instructions that SQLite passes in an idle sweep; 0 where it is not SQLite."""
    engine, passed = world.place.database.engine, list[None]()
    if engine.dialect.name != "sqlite":
        return 0

    def count(connection: Any, _record: object) -> None:
        connection.set_progress_handler(lambda: passed.append(None), 100)

    engine.dispose()
    event.listen(engine, "connect", count)
    sweeps(world)
    event.remove(engine, "connect", count)
    engine.dispose()
    return 100 * len(passed)


def _when_due(world: World) -> datetime:
    """The next moment at which a hundred rungs are due."""
    nth = select(Clock.next_rung_at).where(Clock.next_rung_at.is_not(None)).order_by(Clock.next_rung_at)
    with world.place.database.reading() as session:
        return session.scalars(nth.offset(DUE - 1).limit(1)).one() or world.present()


def _often(work: Callable[[], object]) -> float:
    return min(timed(work) for _ in range(TIMES))


def _spread(values: Sequence[float]) -> float:
    return max(values) / min(values)


def _tell(cost: Cost) -> None:
    without_gpg = cost.idle - cost.keys
    say(f"  bare query   {1000 * cost.bare:8.2f} ms; by the model {cost.query / cost.bare:5.1f} times that")
    say(f"  idle sweep   {1000 * cost.idle:8.2f} ms, {cost.idle / cost.bare:6.0f} times the bare query")
    say(f"    but keys   {1000 * without_gpg:8.2f} ms, {without_gpg / cost.bare:6.0f} times")
    if cost.steps:
        say(f"    in SQLite  {cost.steps:8,} instructions of its machine")
    say(f"  {DUE} due      {1000 * cost.due:8.2f} ms, {cost.due / cost.bare_due:6.0f} times the bare query")
    say(f"    each rung  {1000 * cost.rung:8.2f} ms, {cost.rung / cost.commit:6.1f} times a bare commit")


def _arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="meldbalie.tests.benchmarks.sweep", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--open", type=int, nargs="+", default=OPEN, help="how many tickets are open")
    parser.add_argument("--on", nargs="+", choices=DATABASES, default=DATABASES, help="which database")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
