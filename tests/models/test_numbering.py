"""Ticket numbers: one series a year, in order, without gaps, whoever asks at the same time."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from meldbalie.models.numbering import NumberSeries, next_reference
from meldbalie.models.session import Database
from sqlalchemy import text

TOGETHER = 8
EACH = 5
ASKING_PROCESS = """
import sys
from meldbalie.models.numbering import next_reference
from meldbalie.models.session import Database
database = Database(sys.argv[1])
for _ in range(int(sys.argv[2])):
    with database.unit_of_work() as session:
        print(next_reference(session, year=2026))
"""


def test_the_first_ticket_of_a_year_is_number_one(database: Database) -> None:
    with database.unit_of_work() as session:
        references = [next_reference(session, year=year) for year in (2026, 2026, 2027, 2026)]

    assert references == ["CVD-2026-0001", "CVD-2026-0002", "CVD-2027-0001", "CVD-2026-0003"]


def test_beyond_9999_a_number_grows_wider(database: Database) -> None:
    with database.unit_of_work() as session:
        session.add(NumberSeries(year=2026, last=9998))

    with database.unit_of_work() as session:
        assert next_reference(session, year=2026) == "CVD-2026-9999"
        assert next_reference(session, year=2026) == "CVD-2026-10000"


def test_a_number_whose_ticket_was_not_committed_is_given_out_again(database: Database) -> None:
    with database.reading() as session:
        next_reference(session, year=2026)

    with database.unit_of_work() as session:
        assert next_reference(session, year=2026) == "CVD-2026-0001"


def test_threads_that_ask_together_get_every_number_once(database: Database) -> None:
    start = Barrier(TOGETHER)

    def ask() -> list[str]:
        start.wait()
        return _numbers_taken(database)

    with ThreadPoolExecutor(TOGETHER) as threads:
        asked = [threads.submit(ask) for _ in range(TOGETHER)]
        taken = [reference for each in asked for reference in each.result()]

    assert sorted(taken) == [f"CVD-2026-{number:04d}" for number in range(1, TOGETHER * EACH + 1)]


def test_processes_that_ask_together_get_every_number_once(database: Database) -> None:
    command = [sys.executable, "-c", ASKING_PROCESS, database.engine.url.render_as_string(), str(EACH)]

    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    taken = [reference for process in processes for reference in process.communicate()[0].split()]

    assert sorted(taken) == [f"CVD-2026-{number:04d}" for number in range(1, 4 * EACH + 1)]


def test_the_first_of_a_year_waits_for_another_first_that_is_not_committed(
    postgres_database: Database,
) -> None:
    with ThreadPoolExecutor(1) as thread:
        with postgres_database.unit_of_work() as session:
            first = next_reference(session, year=2026)
            second = thread.submit(_numbers_taken, postgres_database, 1)
            waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            while not session.scalar(waiting) and not second.done():
                pass
            assert not second.done()
        assert (first, second.result()) == ("CVD-2026-0001", ["CVD-2026-0002"])


def _numbers_taken(database: Database, how_many: int = EACH) -> list[str]:
    taken: list[str] = []
    for _ in range(how_many):
        with database.unit_of_work() as session:
            taken.append(next_reference(session, year=2026))
    return taken
