"""What intake needs goes away under it and comes back: nothing is lost, and the poller says why it waits."""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from meldbalie.flows import intake as intakes
from meldbalie.flows.discretion import WorkFailed
from meldbalie.flows.shifts import Shift
from meldbalie.mailbox.imap import IntakeMailbox
from meldbalie.models.ledger import LedgerEntry
from meldbalie.tests.flows.killing import ENDLESS, Desk, Poller, make_desk
from meldbalie.tests.postgres import PostgresServer
from meldbalie.tests.waiting import until
from sqlalchemy import Connection, event, func, select

only_sqlite = pytest.mark.parametrize("desk", ["sqlite"], indirect=True)


@only_sqlite
def test_a_full_disk_keeps_messages_in_the_inbox_until_there_is_room(desk: Desk) -> None:
    with desk.poller() as poller:
        until(desk.is_done, "the first messages")
        with _no_room(desk, poller):
            for scenario in ("sealed", "plain", "copy"):
                desk.prepare(scenario)
            until(lambda: poller.says("the database's disk is full"), "words")
            assert _entered(desk) < desk.sent.total()
        until(desk.is_done, "every ticket")
        poller.is_discreet()

    desk.look()
    desk.look_at_every_byte()


@only_sqlite
def test_a_message_for_which_there_is_no_room_does_not_hold_up_the_others(desk: Desk) -> None:
    large, verdict = desk.plain()
    with desk.poller() as poller:
        until(desk.is_done, "the first messages")
        pages = _pages(desk)
        poller.give_room(str(pages + 100))  # of 4 KiB
        desk.arrives((large + b"A" * 10**6 + b"\r\n", verdict))
        desk.prepare("plain")
        until(lambda: _entered(desk) == desk.sent.total() - 1, "the small message")
        until(lambda: poller.says("the database's disk is full"), "words")
        poller.give_room()
        until(desk.is_done, "every ticket")

    desk.look()


@only_sqlite
def test_a_locked_database_is_waited_for(desk: Desk) -> None:
    with desk.poller() as poller:
        until(desk.is_done, "the first messages")
        with _locked(desk):
            for scenario in ("sealed", "plain", "damaged"):
                desk.prepare(scenario)
            until(lambda: poller.says("another process has kept the database locked"), "words")
        until(desk.is_done, "every ticket")
        poller.is_discreet()

    desk.look()
    desk.look_at_every_byte()


def test_a_database_server_that_goes_away_is_waited_for(
    own_postgres_server: PostgresServer, home_of_all: Path
) -> None:
    server = own_postgres_server
    with (
        server.new_database() as name,
        make_desk(home_of_all, server.url(name)) as desk,
        desk.poller() as poller,
    ):
        for _ in range(2):
            poller.is_heard_from_now_on()
            for scenario in ("sealed", "plain", "plain", "damaged"):
                desk.prepare(scenario)
            server.stop()
            until(lambda: poller.says("the database server is"), "words")
            desk.prepare("copy")
            server.start()
        desk.database.close()
        until(desk.is_done, "every ticket")
        poller.is_discreet()
        desk.look()
        desk.look_at_every_byte()


@only_sqlite
def test_a_message_is_not_blamed_for_a_full_disk(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    place = desk.world.place
    monkeypatch.setattr(intakes, "installation", lambda: place)
    desk.world.present.passes(minutes=1)
    report, verdict = desk.plain()
    desk.arrives((report + b"A long line.\r\n" * 20_000, verdict))
    with IntakeMailbox(place.imap) as mailbox, Shift("intake", place, minutes=0) as shift:
        intakes.take_waiting(place, mailbox, shift)
    [number] = intakes._undecided(place)
    room = _pages(desk) + 130

    @event.listens_for(place.database.engine, "begin", insert=True)
    def limit(connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count={room}")

    for _ in range(2 * place.config.intake.tries):
        with pytest.raises(WorkFailed, match=f"message {number}: the database's disk is full"):
            intakes.take_in.fn(number)
    room = int(ENDLESS)

    desk.settle()


@contextmanager
def _no_room(desk: Desk, poller: Poller) -> Generator[None]:
    poller.give_room(str(_pages(desk)))
    yield
    poller.give_room()


@contextmanager
def _locked(desk: Desk) -> Generator[None]:
    with closing(sqlite3.connect(_file(desk), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def _pages(desk: Desk) -> int:
    with closing(sqlite3.connect(_file(desk))) as database:
        return int(database.execute("PRAGMA page_count").fetchone()[0])


def _file(desk: Desk) -> Path:
    return desk.world.config_file.with_name("meldbalie.db")


def _entered(desk: Desk) -> int:
    with desk.database.reading() as session:
        return session.scalars(select(func.count(LedgerEntry.id))).one()
