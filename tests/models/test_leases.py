"""A lease has one holder at a time, until it is given back or no sign of life comes."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

from meldbalie.models.leases import Lease, give_back, take_lease
from meldbalie.models.session import Database
from sqlalchemy import select

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def _take(database: Database, holder: str, now: datetime = NOW, name: str = "intake") -> bool:
    with database.unit_of_work() as session:
        return take_lease(session, name, holder=holder, now=now, lasting=MINUTE)


def _give_back(database: Database, holder: str, now: datetime = NOW) -> None:
    with database.unit_of_work() as session:
        give_back(session, "intake", holder=holder, now=now)


def test_a_lease_has_one_holder(database: Database) -> None:
    assert _take(database, "one")
    assert not _take(database, "two")


def test_leases_of_different_names_have_nothing_to_do_with_each_other(database: Database) -> None:
    assert _take(database, "one")
    assert _take(database, "two", name="deliver")


def test_the_lease_of_a_process_that_has_died_is_free_at_once(database: Database) -> None:
    def take(holder: str, process: str | None, dead: str = "") -> bool:
        with database.unit_of_work() as session:
            return take_lease(
                session,
                "intake",
                holder=holder,
                now=NOW,
                lasting=MINUTE,
                process=process,
                has_died=lambda name: name == dead,
            )

    assert take("one", "process 1")
    assert not take("two", "process 2")
    assert take("two", "process 2", dead="process 1")
    assert not take("one", "process 1", dead="process 1")
    assert take("three", None, dead="process 2")
    assert not take("four", "process 4", dead="")


def test_of_many_who_want_the_lease_of_a_dead_process_one_gets_it(database: Database) -> None:
    together = 8
    start = Barrier(together)
    with database.unit_of_work() as session:
        take_lease(session, "intake", holder="dead", now=NOW, lasting=MINUTE, process="dead")

    def want(holder: int) -> bool:
        start.wait()
        with database.unit_of_work() as session:
            return take_lease(
                session,
                "intake",
                holder=str(holder),
                now=NOW,
                lasting=MINUTE,
                process=str(holder),
                has_died=lambda name: name == "dead",
            )

    with ThreadPoolExecutor(together) as threads:
        assert list(threads.map(want, range(together))).count(True) == 1


def test_a_lease_that_has_run_out_is_free_from_that_instant(database: Database) -> None:
    _take(database, "one")

    assert not _take(database, "two", NOW + MINUTE - timedelta(microseconds=1))
    assert _take(database, "two", NOW + MINUTE)
    assert not _take(database, "one", NOW + MINUTE)


def test_its_holder_renews_a_lease(database: Database) -> None:
    _take(database, "one")
    renewed = NOW + MINUTE / 2

    assert _take(database, "one", renewed)
    assert not _take(database, "two", NOW + MINUTE)
    assert _take(database, "two", renewed + MINUTE)


def test_a_lease_that_was_given_back_is_free(database: Database) -> None:
    _take(database, "one")

    _give_back(database, "one")

    assert _take(database, "two")


def test_nobody_gives_back_the_lease_of_another(database: Database) -> None:
    _take(database, "one")

    _give_back(database, "two")

    assert not _take(database, "two")


def test_giving_back_a_lease_that_nobody_took_is_no_error(database: Database) -> None:
    _give_back(database, "one")


def test_of_many_who_want_a_new_lease_at_once_one_gets_it(database: Database) -> None:
    together = 8
    start = Barrier(together)

    def want(holder: int) -> bool:
        start.wait()
        return _take(database, str(holder))

    with ThreadPoolExecutor(together) as threads:
        got = list(threads.map(want, range(together)))

    assert got.count(True) == 1
    with database.reading() as session:
        assert session.scalars(select(Lease.holder)).all() == [str(got.index(True))]


def test_of_many_who_want_a_lease_that_has_run_out_one_gets_it(database: Database) -> None:
    together = 8
    start = Barrier(together)
    _take(database, "before")

    def want(holder: int) -> bool:
        start.wait()
        return _take(database, str(holder), NOW + MINUTE)

    with ThreadPoolExecutor(together) as threads:
        got = list(threads.map(want, range(together)))

    assert got.count(True) == 1
