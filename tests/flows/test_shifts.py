"""Shifts: the work is done by one run at a time, and taken over from one that is gone."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from meldbalie.flows import shifts
from meldbalie.flows.installation import Installation
from meldbalie.flows.shifts import LEASE, LONGEST_WORK, RENEW_AFTER, Shift
from meldbalie.models.leases import Lease
from meldbalie.models.session import Database
from meldbalie.models.tables import Base
from meldbalie.tests.postgres import PostgresServer
from meldbalie.tests.waiting import until

TICK = timedelta(microseconds=1)
Clerk = Callable[..., Shift]


DIES_AT_WORK = """
import os, signal, sys
from datetime import datetime
from types import SimpleNamespace
from meldbalie.flows.shifts import Shift
from meldbalie.models.session import Database

now = datetime.fromisoformat(sys.stdin.read())
place = SimpleNamespace(database=Database(sys.argv[1]), clock=lambda: now)
with Shift("deliver", place, minutes=60) as shift:
    assert shift.is_ours()
    os.kill(os.getpid(), signal.SIGKILL)
"""


class Present:
    """The present, which goes by only when somebody waits; it stands in for `time` as well."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 19, 13, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return self.now.timestamp()

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def present(monkeypatch: pytest.MonkeyPatch) -> Present:
    present = Present()
    monkeypatch.setattr(shifts, "time", present)
    return present


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The shifts that were started."""
    names: list[str] = []
    monkeypatch.setattr(shifts, "start_shifts", names.extend)
    return names


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Database]:
    if request.param == "sqlite":
        yield from _opened(f"sqlite:///{tmp_path}/meldbalie.db")
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.new_database() as name:
        yield from _opened(server.url(name))


def _opened(url: str) -> Generator[Database]:
    database = Database(url)
    Base.metadata.create_all(database.engine)
    yield database
    database.close()


@pytest.fixture
def clerk(database: Database, present: Present) -> Clerk:
    """Begin a shift of an hour, or of so many minutes."""
    config = SimpleNamespace(
        prefect=SimpleNamespace(shift_minutes=60), clocks=SimpleNamespace(sweep_minutes=5)
    )
    place: Any = SimpleNamespace(config=config, database=database, clock=present)
    return lambda name="deliver", **how: Shift(name, cast(Installation, place), **how)


def test_of_two_shifts_one_has_the_work(clerk: Clerk) -> None:
    first, second = clerk(), clerk()

    assert [first.is_ours(), second.is_ours(), first.is_ours()] == [True, False, True]


def test_whoever_is_refused_once_stays_refused(clerk: Clerk) -> None:
    first, second = clerk(), clerk()
    first.is_ours()

    assert [second.is_ours() for _ in range(3)] == [False] * 3


def test_different_work_is_done_side_by_side(clerk: Clerk) -> None:
    assert clerk("deliver").is_ours()
    assert clerk("intake").is_ours()


def test_the_lease_of_a_killed_holder_runs_out(clerk: Clerk, present: Present) -> None:
    killed, next_one = clerk(), clerk()
    killed.is_ours()

    present.now += LEASE - TICK
    assert not next_one.is_ours()
    present.now += TICK
    assert next_one.is_ours()


def test_a_holder_that_slept_too_long_finds_the_work_taken(clerk: Clerk, present: Present) -> None:
    sleeper, other = clerk(), clerk()
    sleeper.is_ours()
    present.now += LEASE
    other.is_ours()

    assert [sleeper.is_ours() for _ in range(3)] == [False] * 3
    assert other.is_ours()


def test_a_holder_that_slept_and_was_not_missed_goes_on(clerk: Clerk, present: Present) -> None:
    sleeper = clerk()
    sleeper.is_ours()
    present.now += 10 * LEASE

    assert sleeper.is_ours()


def test_the_lease_is_renewed_in_time(clerk: Clerk, present: Present) -> None:
    first, second = clerk(), clerk()

    for _ in range(20):
        assert first.is_ours()
        present.now += RENEW_AFTER
        assert not second.is_ours()


def test_the_lease_outlives_several_renewals_that_come_late() -> None:
    assert 2 * RENEW_AFTER < LEASE


def test_at_the_end_the_work_is_given_back_at_once(clerk: Clerk) -> None:
    with clerk() as first:
        assert first.is_ours()
        assert not clerk().is_ours()

    assert clerk().is_ours()


def test_the_work_is_given_back_when_a_run_fails(clerk: Clerk) -> None:
    def fail() -> None:
        with clerk() as shift:
            assert shift.is_ours()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()

    assert clerk().is_ours()


def test_whoever_lost_the_work_does_not_give_back_somebody_elses(clerk: Clerk, present: Present) -> None:
    with clerk() as slow:
        slow.is_ours()
        present.now += LEASE
        other = clerk()
        assert other.is_ours()

    assert not clerk().is_ours()
    assert other.is_ours()


def test_a_shift_takes_turns_until_it_is_over_and_starts_its_successor(
    clerk: Clerk, present: Present, started: list[str]
) -> None:
    began = present.now

    with clerk(minutes=2) as shift:
        turns = sum(1 for _ in shift.turns(pause=20))

    assert (turns, present.now - began) == (7, timedelta(minutes=2))
    assert started == ["deliver"]


def test_a_shift_of_several_loops_starts_one_successor(clerk: Clerk, started: list[str]) -> None:
    with clerk(minutes=1) as shift:
        for _ in shift.turns(pause=0):
            for _ in shift.turns(pause=10):
                pass

    assert started == ["deliver"]


def test_the_configured_length_is_that_of_a_shift(clerk: Clerk, present: Present, started: list[str]) -> None:
    began = present.now

    for _ in clerk().turns(pause=20):
        pass

    assert present.now - began == timedelta(minutes=60)


def test_a_single_turn_is_one_turn_and_has_no_successor(
    clerk: Clerk, present: Present, started: list[str]
) -> None:
    began = present.now

    shift = clerk(minutes=0)

    assert sum(1 for _ in shift.turns(pause=20)) == 1
    assert (shift.is_single, present.now, started) == (True, began, [])


def test_a_single_turn_does_not_wait_for_somebody_who_has_the_work(clerk: Clerk, present: Present) -> None:
    clerk().is_ours()
    began = present.now

    assert list(clerk(minutes=0).turns(pause=20)) == []
    assert present.now == began


def test_a_successor_waits_until_its_dead_predecessors_lease_has_run_out(
    clerk: Clerk, present: Present
) -> None:
    clerk().is_ours()
    began = present.now

    turns = clerk().turns(pause=20)
    next(turns)

    assert present.now - began == LEASE


def test_one_successor_too_many_gives_up(clerk: Clerk, present: Present, started: list[str]) -> None:
    at_work = clerk()

    class Alive(Present):
        """Time in which the one at work renews its lease."""

        def sleep(self, seconds: float) -> None:
            present.sleep(seconds)
            assert at_work.is_ours()

        def monotonic(self) -> float:
            return present.monotonic()

    assert at_work.is_ours()
    shifts.time = Alive()  # pyright: ignore
    assert list(clerk().turns(pause=20)) == []
    assert started == []


def test_a_shift_that_loses_the_work_takes_no_further_turn(clerk: Clerk, present: Present) -> None:
    shift = clerk()
    turns = shift.turns(pause=LEASE.total_seconds() - 1)
    next(turns)
    present.now += timedelta(seconds=1)

    other = clerk()
    present.now += LEASE
    assert other.is_ours()

    assert next(turns, "no more") == "no more"


def test_the_lease_of_a_killed_process_is_taken_over_at_once(
    clerk: Clerk, database: Database, present: Present
) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", DIES_AT_WORK, database.engine.url.render_as_string(hide_password=False)],
        input=present.now.isoformat(),
        text=True,
        check=False,
    )
    began = present.now

    next(clerk().turns(pause=20))

    assert killed.returncode == -signal.SIGKILL
    assert present.now == began


def test_work_that_takes_long_keeps_the_lease(
    clerk: Clerk, present: Present, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shifts, "RENEW_AFTER", timedelta(milliseconds=20))
    with clerk() as slow:
        assert slow.is_ours()
        present.now += LEASE - TICK
        until(lambda: _expires_at(slow) > present.now + LEASE / 2, "the beat of a heart")
        present.now += LEASE - TICK

        assert not clerk().is_ours()


def test_work_that_hangs_loses_the_lease(
    clerk: Clerk, present: Present, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shifts, "RENEW_AFTER", timedelta(milliseconds=20))
    with clerk() as hung:
        assert hung.is_ours()
        present.now += LONGEST_WORK
        before = threading.enumerate()
        expires_at = _expires_at(hung)
        for _ in range(20):
            hung._is_over.wait(0.02)

        assert (_expires_at(hung), threading.enumerate()) == (expires_at, before)
        assert clerk().is_ours()


def test_who_lost_the_work_does_not_take_it_back_by_a_beat(
    clerk: Clerk, present: Present, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shifts, "RENEW_AFTER", timedelta(milliseconds=20))
    other = clerk()
    assert other.is_ours()
    with clerk() as refused:
        assert not refused.is_ours()
        present.now += LEASE
        for _ in range(10):
            refused._is_over.wait(0.02)

        assert other.is_ours()


def _expires_at(shift: Shift) -> datetime:
    with shift._place.database.reading() as session:
        return session.get_one(Lease, shift.name).expires_at
