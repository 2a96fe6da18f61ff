"""The ladder: what is due fires once, whatever happens to those who sweep."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from meldbalie.models.calendar import Duration
from meldbalie.models.clocks import ClockKind, FiredRung
from meldbalie.models.holding import hold
from meldbalie.models.ladder import Fired, climb, due_clocks
from meldbalie.models.outbox import MailKind
from meldbalie.models.promise import Correspondent, Promise, RungPlan
from meldbalie.models.session import Database
from meldbalie.models.ticket import Ticket, ticket_called
from meldbalie.models.winding import wind
from meldbalie.tests.models import reports
from meldbalie.tests.models.reports import (
    ARRIVED,
    CISO,
    DAY,
    DUE,
    FATIMA,
    HOUR,
    IBD,
    JEROEN,
    LEAD,
    ON_CALL,
    REPORT,
    WEB_TEAM,
    clock_of,
    mails,
    reported,
    together,
    told,
)
from sqlalchemy import delete, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

#: Nothing is heard of the update clock in these tests.
PROMISE = replace(reports.PROMISE, update=Duration.parse("9000d"))
RESPONSE, SHARE = ClockKind.RESPONSE, ClockKind.SHARE
HALF, MOST = ARRIVED + 2.5 * DAY, ARRIVED + 4 * DAY
TICK = timedelta(microseconds=1)


def sweep(database: Database, now: datetime, promise: Promise = PROMISE) -> list[Fired]:
    """What a sweep fires: each clock that is due, in a transaction of its own."""
    with database.reading() as session:
        due = due_clocks(session, now)
    fired: list[Fired | None] = []
    for clock_id in due:
        with database.unit_of_work() as session:
            fired.append(climb(session, clock_id, promise, now=now))
    return [each for each in fired if each is not None]


def climbed(database: Database, clock_id: int, now: datetime) -> Fired | None:
    """What one clock fires."""
    with database.unit_of_work() as session:
        return climb(session, clock_id, PROMISE, now=now)


def share(database: Database, reference: str) -> None:
    """Stop the share clock, so that only the response clock runs."""
    with database.unit_of_work() as session:
        has_left(session, ticket_called(session, reference), "ibd_copy", "ibd", ARRIVED + HOUR / 2)


def has_left(session: Session, ticket: Ticket, kind: str, party: str, at: datetime) -> None:
    """Write into the history that a mail was delivered, and let the clocks follow."""
    ticket.record("delivered", by="deliver", at=at, mail=kind, party=party, number=0)
    wind(session, ticket, PROMISE, now=at)


def until_somebody_waits(database: Database) -> None:
    """Come back when a transaction waits for a lock of another."""
    with database.engine.connect() as connection:
        while not connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            pass


def rungs(database: Database) -> list[tuple[str, bool]]:
    with database.reading() as session:
        found = session.scalars(select(FiredRung).order_by(FiredRung.due_at, FiredRung.id))
        return [(rung.rung, rung.was_superseded) for rung in found]


def who_was_told(database: Database) -> list[str]:
    with database.reading() as session:
        return [mail.recipient for mail in mails(session, MailKind.RUNG)]


@pytest.fixture
def reference(database: Database) -> str:
    """A ticket whose copy the IBD has."""
    reference = reported(database, promise=PROMISE)
    share(database, reference)
    return reference


def test_a_rung_fires_at_its_instant_and_not_before(database: Database, reference: str) -> None:
    assert sweep(database, HALF - TICK) == []
    assert sweep(database, HALF) == [Fired(reference, "50%", 1)]
    assert sweep(database, HALF) == []


def test_each_rung_tells_those_whom_it_names(database: Database, reference: str) -> None:
    for now in (HALF, MOST, DUE):
        sweep(database, now)

    assert who_was_told(database) == [WEB_TEAM, LEAD.address, ON_CALL.address, CISO.address]
    with database.reading() as session:
        assert [mail.party for mail in mails(session, MailKind.RUNG)] == ["owner", "staff", "staff", "staff"]


def test_the_breach_is_recorded_when_the_clock_is_due_and_not_before(
    database: Database, reference: str
) -> None:
    sweep(database, MOST)
    sweep(database, DUE)

    with database.reading() as session:
        ticket = ticket_called(session, reference)
        assert told(ticket)[-2:] == ["escalated", "escalated"]
        assert [entry.facts["breached"] for entry in ticket.history[-2:]] == [False, True]


def test_after_an_outage_the_highest_rung_fires_and_the_lower_ones_are_superseded(
    database: Database, reference: str
) -> None:
    assert sweep(database, DUE + 2 * DAY + HOUR) == [Fired(reference, "100% + 2 days", 1)]

    assert rungs(database) == [
        ("50%", True),
        ("80%", True),
        ("100%", True),
        ("100% + 1 day", True),
        ("100% + 2 days", False),
    ]
    assert who_was_told(database) == [CISO.address]


def test_rungs_go_on_daily_for_years(database: Database, reference: str) -> None:
    sweep(database, DUE + 3 * 365 * DAY)

    assert sweep(database, DUE + (3 * 365 + 1) * DAY + HOUR) == [Fired(reference, "100% + 1096 days", 1)]
    with database.reading() as session:
        assert clock_of(session, reference).next_rung_at == DUE + (3 * 365 + 2) * DAY


def test_a_clock_that_stands_fires_nothing_more(database: Database, reference: str) -> None:
    sweep(database, HALF)
    with database.unit_of_work() as session:
        has_left(session, ticket_called(session, reference), "answer", "reporter", MOST)

    assert sweep(database, DUE + 8 * DAY) == []


def test_a_copy_that_is_not_shared_within_the_hour_is_told_to_the_handlers_daily(database: Database) -> None:
    reference = reported(database, promise=PROMISE)

    assert sweep(database, ARRIVED + HOUR) == [Fired(reference, "100%", 2)]
    assert sweep(database, ARRIVED + HOUR + DAY) == [Fired(reference, "100% + 1 day", 2)]
    assert who_was_told(database) == [FATIMA.address, JEROEN.address] * 2


@pytest.mark.parametrize("owner", [None, WEB_TEAM])
def test_a_rung_that_nobody_can_be_told_of_is_recorded_and_reported(
    database: Database, owner: str | None
) -> None:
    alone = replace(PROMISE, triage=(), lead=None, on_call=None, ciso=None)
    reference = reported(database, promise=alone, owner=owner)
    share(database, reference)

    assert sweep(database, DUE, alone) == [Fired(reference, "100%", 0)]
    assert rungs(database)[-1] == ("100%", False)
    with database.reading() as session:
        assert told(ticket_called(session, reference))[-1] == "escalated"


def test_people_who_share_an_address_do_not_keep_a_rung_from_firing(database: Database) -> None:
    shared = [Correspondent(name, WEB_TEAM) for name in ("Lead", "On call", "CISO")]
    promise = replace(PROMISE, lead=shared[0], on_call=shared[1], ciso=shared[2], ibd=IBD)
    everybody = (RungPlan(1.0, ("owner", "lead", "on_call", "ciso", "handlers")),)
    promise = replace(promise, ladder=everybody, triage=(*shared, FATIMA))
    reference = reported(database, promise=promise)
    share(database, reference)

    assert sweep(database, DUE, promise) == [Fired(reference, "100%", 2)]


def test_a_ladder_that_is_changed_while_a_clock_runs_goes_on_from_there(
    database: Database, reference: str
) -> None:
    sweep(database, HALF)
    finer = replace(
        PROMISE, ladder=(RungPlan(0.25, ("lead",)), RungPlan(0.9, ("lead",)), RungPlan(1, ("ciso",)))
    )

    assert sweep(database, MOST, finer) == [Fired(reference, "25%", 1)]
    assert sweep(database, ARRIVED + 4.5 * DAY, finer) == [Fired(reference, "90%", 1)]
    assert sweep(database, DUE, finer) == [Fired(reference, "100%", 1)]


def test_two_sweepers_at_once_fire_a_rung_once(database: Database, reference: str) -> None:
    for now in (HALF, MOST, DUE, DUE + DAY):
        fired = together(lambda now=now: sweep(database, now))
        assert sum(len(each) for each in fired) == 1

    assert rungs(database) == [(name, False) for name in ("50%", "80%", "100%", "100% + 1 day")]
    with database.reading() as session:
        assert told(ticket_called(session, reference)).count("escalated") == 4


def test_a_sweeper_that_dies_before_its_commit_leaves_the_rung_to_the_next(
    database: Database, reference: str
) -> None:
    def die() -> None:
        with database.unit_of_work() as session:
            climb(session, due_clocks(session, HALF)[0], PROMISE, now=HALF)
            session.flush()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        die()

    assert who_was_told(database) == []
    assert sweep(database, HALF) == [Fired(reference, "50%", 1)]


def test_a_sweeper_that_waited_while_the_clock_was_stopped_fires_nothing(
    postgres_database: Database,
) -> None:
    reference = reported(postgres_database, promise=PROMISE)
    share(postgres_database, reference)
    with ThreadPoolExecutor(1) as thread:
        with postgres_database.unit_of_work() as session:
            ticket = ticket_called(session, reference)
            hold(session, ticket)
            sweeping = thread.submit(sweep, postgres_database, HALF)
            until_somebody_waits(postgres_database)
            has_left(session, ticket, "answer", "reporter", HALF)

        assert sweeping.result() == []


def test_a_sweeper_that_waited_while_the_promise_came_back_fires_nothing(
    postgres_database: Database,
) -> None:
    """What was promised in a mail that came back was not promised: that clock is gone."""
    reference = reported(postgres_database, promise=PROMISE)
    promised = {"mail": "answer", "party": "reporter", "number": 7, "fix_on": "2026-11-20"}
    overdue = ARRIVED + 2 * DAY
    with postgres_database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        ticket.record("delivered", by="deliver", at=ARRIVED, **promised)
        wind(session, ticket, PROMISE, now=ARRIVED)
        fix = clock_of(session, reference, ClockKind.FIX).id
    with ThreadPoolExecutor(1) as thread:
        with postgres_database.unit_of_work() as session:
            ticket = ticket_called(session, reference)
            hold(session, ticket)
            sweeping = thread.submit(climbed, postgres_database, fix, overdue)
            until_somebody_waits(postgres_database)
            ticket.record("bounced", by="intake", at=overdue, party="reporter", number=7)
            wind(session, ticket, PROMISE, now=overdue)

        assert sweeping.result() is None


def test_the_database_itself_refuses_a_rung_twice(database: Database, reference: str) -> None:
    sweep(database, HALF)

    def write_again() -> None:
        with database.unit_of_work() as session:
            ticket = ticket_called(session, reference)
            again = {"ticket_id": ticket.id, "kind": RESPONSE, "round": 1, "rung": "50%"}
            session.add(FiredRung(due_at=HALF, fired_at=HALF, **again))

    with pytest.raises(IntegrityError):
        write_again()


def test_a_clock_that_is_gone_is_no_failure(database: Database) -> None:
    with database.unit_of_work() as session:
        assert climb(session, 4711, PROMISE, now=DUE) is None


def test_the_clock_that_is_due_longest_comes_first(database: Database) -> None:
    late = reported(database, replace(REPORT, arrived_at=ARRIVED + DAY), PROMISE)
    early = reported(database, promise=PROMISE)

    assert [fired.reference for fired in sweep(database, ARRIVED + 2 * DAY)] == [early, late]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.timedeltas(timedelta(minutes=1), timedelta(days=3)), min_size=1, max_size=8))
def test_whenever_it_is_swept_each_rung_is_there_once_and_the_next_lies_ahead(
    sqlite_database: Database, waits: list[timedelta]
) -> None:
    reference = reported(sqlite_database, promise=PROMISE)
    share(sqlite_database, reference)
    now, fired = ARRIVED, 0
    for wait in waits:
        now += wait
        came = sweep(sqlite_database, now)
        fired += len(came)
        with sqlite_database.reading() as session:
            next_at = clock_of(session, reference).next_rung_at
            assert next_at is not None
            assert next_at > now

    with sqlite_database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        rows = list(session.scalars(select(FiredRung).where(FiredRung.ticket_id == ticket.id)))
        passed = {plan.name for plan, at in _until(now)}
        assert {row.rung for row in rows} <= passed  # of the days of an outage only the last are written
        assert {name for name in passed if "day" not in name} <= {row.rung for row in rows}
        if passed:
            assert rows[-1].rung == _until(now)[-1][0].name
        assert sum(not row.was_superseded for row in rows) == fired == told(ticket).count("escalated")
        session.execute(delete(FiredRung))
        clock_of(session, reference).next_rung_at = None


def _until(now: datetime) -> list[tuple[RungPlan, datetime]]:
    found: list[tuple[RungPlan, datetime]] = []
    for plan, at in PROMISE.rungs(RESPONSE, ARRIVED, DUE):
        if at > now:
            return found
        found.append((plan, at))
    raise AssertionError
