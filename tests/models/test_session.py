"""A unit of work is one transaction, and what the database is asked to promise it promises."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from threading import Barrier

import pytest
from meldbalie.models.links import SecretLink
from meldbalie.models.numbering import NumberSeries
from meldbalie.models.owners import Owner
from meldbalie.models.session import Database
from meldbalie.models.ticket import Direction, Message, Ticket
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.orm import Session

WHO_LOOKS_FIRST = """
import sys
from sqlalchemy import text
from meldbalie.models.owners import Owner
from meldbalie.models.session import Database
from meldbalie.models.routing import route
from datetime import date
print("ready", flush=True)
sys.stdin.readline()
database = Database(sys.argv[1])
with database.unit_of_work() as session:
    print(session.scalar(text("PRAGMA journal_mode")))
"""


def _owner(name: str = "Web") -> Owner:
    return Owner(name=name, address="web@voorbeeld.example")


def _names(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(Owner.name).order_by(Owner.name)))


def test_a_unit_of_work_that_ends_well_is_committed(database: Database) -> None:
    with database.unit_of_work() as session:
        owner = _owner()
        session.add(owner)

    assert _names(database) == ["Web"]
    assert owner.name == "Web"


def test_a_unit_of_work_that_fails_leaves_nothing(database: Database) -> None:
    def fail_half_way(session: Session) -> None:
        session.add(_owner())
        session.flush()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), database.unit_of_work() as session:
        fail_half_way(session)

    assert _names(database) == []


def test_who_only_looks_waits_for_no_writer_and_sees_what_is_committed(database: Database) -> None:
    with database.unit_of_work() as session:
        session.add(_owner())
        session.flush()

        assert _names(database) == []
    assert _names(database) == ["Web"]


def test_looking_changes_nothing(database: Database) -> None:
    with database.reading() as session:
        session.add(_owner())
        session.flush()

    assert _names(database) == []


def test_writers_of_sqlite_queue_up_before_they_read(sqlite_database: Database) -> None:
    together, each = 4, 10
    start = Barrier(together)
    with sqlite_database.unit_of_work() as session:
        session.add(NumberSeries(year=2026, last=0))

    def count_up() -> None:
        start.wait()
        for _ in range(each):
            with sqlite_database.unit_of_work() as session:
                session.get_one(NumberSeries, 2026).last += 1

    with ThreadPoolExecutor(together) as threads:
        for counting in [threads.submit(count_up) for _ in range(together)]:
            counting.result()

    with sqlite_database.reading() as session:
        assert session.get_one(NumberSeries, 2026).last == together * each


def test_sqlite_gives_what_we_rely_on(sqlite_database: Database) -> None:
    with sqlite_database.reading() as session:
        promised = ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        given = [session.scalar(text(f"PRAGMA {pragma}")) for pragma in promised]

    assert given == ["wal", 1, 2, 30000]


def test_postgresql_may_not_tell_of_a_commit_that_it_may_lose(postgres_database: Database) -> None:
    with postgres_database.engine.connect() as connection:
        off = text("SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit'")
        assert connection.scalar(off) == "off", "the server of the tests is hasty"
        assert connection.scalar(text("SHOW synchronous_commit")) == "on"


def test_processes_that_open_a_new_sqlite_database_together_all_can(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WHO_LOOKS_FIRST, f"sqlite:///{tmp_path}/not/yet/there.db"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(4)]

    ready = [process.stdout.readline() for process in processes if process.stdout]
    said = [process.communicate("go\n")[0] for process in processes]

    assert (ready, said) == (["ready\n"] * 4, ["wal\n"] * 4)


def test_a_reference_to_nothing_is_refused_by_the_database(database: Database) -> None:
    with pytest.raises(IntegrityError), database.unit_of_work() as session:
        session.add(SecretLink(ticket_id=7, token_hash="x", created_at=datetime.now().astimezone()))


def test_an_error_of_the_database_repeats_nothing_that_was_written(
    database: Database, new_ticket: Callable[[Session], Ticket]
) -> None:
    message = Message(direction=Direction.FROM_REPORTER, at=datetime(2026, 11, 21), text="kanarie-7f3a")

    with pytest.raises(StatementError) as error, database.unit_of_work() as session:
        new_ticket(session).messages = [message]

    assert "has no zone" in str(error.value)
    assert "kanarie-7f3a" not in str(error.value)


def test_the_password_is_kept_out_of_the_url() -> None:
    database = Database("postgresql+psycopg://meldbalie@127.0.0.1/meldbalie", password="p@ss/word")

    assert database.engine.url.password == "p@ss/word"
    assert "p@ss" not in str(database.engine.url)
