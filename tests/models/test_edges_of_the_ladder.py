"""Where a ladder could fall silent, or speak twice: rungs of one moment, acknowledgements, pauses, moves."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from meldbalie.models import acts
from meldbalie.models.calendar import Duration
from meldbalie.models.calendar_versions import make_version
from meldbalie.models.clock_rules import Statutory
from meldbalie.models.clocks import Clock, FiredRung
from meldbalie.models.delivery import claim_next, was_delivered
from meldbalie.models.ladder import climb, due_clocks
from meldbalie.models.ledger import LedgerEntry, first_arrival
from meldbalie.models.milestones import milestone
from meldbalie.models.outbox import Mail, MailKind, MailState
from meldbalie.models.promise import Promise, RungPlan
from meldbalie.models.rewinding import bring_up_to_date
from meldbalie.models.rung_mails import call_off, hold_until_open, is_needless
from meldbalie.models.session import Database
from meldbalie.models.ticket import Ticket, WaitingOn
from meldbalie.tests.models import reports
from meldbalie.tests.models.reports import (
    ARRIVED,
    CISO,
    DAY,
    DUE,
    FATIMA,
    HOUR,
    LEAD,
    REPORT,
    mails,
    reported,
)
from meldbalie.tests.models.test_reaching_people import OPEN, local
from sqlalchemy import func, select

PROMISE = replace(reports.PROMISE, update=Duration.parse("9000d"))
ALWAYS = {"zone": "Europe/Amsterdam", "hours": {"mon": [["09:00", "17:00"]]}}
CISO_WHEN_DUE = RungPlan(None, ("ciso",), offset=timedelta())


def sweeps(
    database: Database, kind: str, promise: Promise, begin: datetime, end: datetime, step: timedelta
) -> Iterator[tuple[datetime, str]]:
    """What one clock fires while time goes by, and when."""
    now = begin
    while now <= end:
        with database.reading() as session:
            due = due_clocks(session, now)
        for clock_id in due:
            with database.unit_of_work() as session:
                bring_up_to_date(session, clock_id, promise, now=now)
                fired = climb(session, clock_id, promise, now=now)
            if fired and fired.clock == kind:
                yield now, fired.rung
        now += step


def response(
    database: Database, promise: Promise, begin: datetime, end: datetime
) -> list[tuple[datetime, str]]:
    return list(sweeps(database, "response", promise, begin, end, HOUR))


def told_of(database: Database, clock: str) -> list[tuple[str, str]]:
    """Who was told of a clock, and by which rung."""
    with database.reading() as session:
        rungs = [(mail.recipient, mail.facts or {}) for mail in mails(session, MailKind.RUNG)]
    return [(address, facts["rung"]) for address, facts in rungs if facts["clock"] == clock]


def does(database: Database, verb: object, now: datetime, promise: Promise = PROMISE, **how: object) -> None:
    assert callable(verb)
    with database.unit_of_work() as session:
        verb(session, session.scalars(select(Ticket)).one(), by="Fatima", promise=promise, now=now, **how)


def deliver_all(database: Database, now: datetime, promise: Promise = PROMISE) -> None:
    """All mail leaves, but that of rungs that are needless."""
    with database.unit_of_work() as session:
        while (number := claim_next(session, now)) is not None:
            mail = session.get_one(Mail, number)
            if is_needless(session, mail):
                call_off(session, mail, now=now)
            else:
                was_delivered(session, mail, promise, sealed=True, now=now)


def promises_fix(database: Database, day: date, promise: Promise = PROMISE) -> None:
    deliver_all(database, ARRIVED + HOUR / 2, promise)
    does(database, acts.answer, ARRIVED + HOUR, promise, text="Dank.", fix_on=day, no_date_because="")
    deliver_all(database, ARRIVED + 2 * HOUR, promise)


def fix_clock(database: Database) -> Clock:
    with database.reading() as session:
        return session.scalars(select(Clock).where(Clock.kind == "fix")).one()


@pytest.mark.parametrize(
    ("length", "ladder", "addresses"),
    [
        ("5d", (CISO_WHEN_DUE,), {CISO.address}),
        ("5d", (RungPlan(1.0, ("lead",)), CISO_WHEN_DUE), {CISO.address, LEAD.address}),
        ("6d", (RungPlan(0.5, ("ciso",)), RungPlan(None, ("lead",), -3 * DAY)), {CISO.address, LEAD.address}),
    ],
)
def test_rungs_of_one_moment_tell_everybody_whom_they_name(
    database: Database, length: str, ladder: tuple[RungPlan, ...], addresses: set[str]
) -> None:
    promise = replace(PROMISE, response=Duration.parse(length), ladder=ladder)
    reported(database, promise=promise)

    response(database, promise, ARRIVED + 2.9 * DAY, DUE + HOUR)

    assert addresses <= {address for address, _ in told_of(database, "response")}
    assert len({rung for _, rung in told_of(database, "response")}) == 1


def test_two_rungs_of_one_moment_are_as_urgent_as_the_more_urgent_one() -> None:
    mild, urgent = RungPlan(0.5, ("lead",)), RungPlan(0.5, ("ciso",), None, HOUR, True, "breach")

    united = mild.united(urgent)

    assert united == RungPlan(0.5, ("lead", "ciso"), None, HOUR, True, "breach")
    assert urgent.united(mild) == replace(united, tell=("ciso", "lead"))


def test_what_is_due_is_told_when_it_is_and_not_before(database: Database) -> None:
    """Nobody acknowledges: each rung before the due instant comes early, but the breach does not."""
    ladder = (
        RungPlan(0.5, ("lead",), acknowledge=HOUR, at_any_hour=True),
        RungPlan(0.8, ("on_call",), acknowledge=HOUR, at_any_hour=True),
        RungPlan(1.0, ("ciso",), words="breach"),
    )
    promise = replace(PROMISE, ladder=ladder)
    reported(database, promise=promise)

    fired = response(database, promise, ARRIVED, DUE + DAY)

    half = ARRIVED + 60 * HOUR
    assert fired == [
        (half, "50%"),
        (half + HOUR, "80%"),
        (half + 2 * HOUR, "80%, not acknowledged"),
        (DUE, "100%"),
        (DUE + DAY, "100% + 1 day"),
    ]
    assert told_of(database, "response")[2] == (CISO.address, "80%, not acknowledged")


def test_who_is_waited_for_after_the_due_instant_silences_nothing(database: Database) -> None:
    reported(database, promise=PROMISE)
    promises_fix(database, date(2026, 11, 25))
    does(database, acts.wait, local("2026-11-27 13:00"), on=WaitingOn.SUPPLIER, because="a new version")

    clock = fix_clock(database)

    assert (clock.paused_since, clock.due_at) == (None, local("2026-11-26 00:00"))
    assert clock.next_rung_at is not None


def test_a_clock_that_is_due_later_than_it_was_tells_that_it_is_due_again(database: Database) -> None:
    longer = replace(PROMISE, response=Duration.parse("30d"))
    reported(database, promise=PROMISE)
    with database.unit_of_work() as session:
        make_version(session, ALWAYS, PROMISE, by="a test", now=ARRIVED)
    late = ARRIVED + 25 * DAY
    before = response(database, PROMISE, ARRIVED, late)
    assert (before[2], before[-1]) == ((DUE, "100%"), (late, "100% + 20 days"))

    with database.unit_of_work() as session:
        make_version(session, ALWAYS, longer, by="a test", now=late)
        for clock_id in session.scalars(select(Clock.id)).all():
            bring_up_to_date(session, clock_id, longer, now=late)
    after = response(database, longer, late, ARRIVED + 31 * DAY)

    assert after == [(ARRIVED + 30 * DAY, "100%"), (ARRIVED + 31 * DAY, "100% + 1 day")]


def test_a_rung_that_nobody_heard_of_because_of_a_pause_is_told_after_it(database: Database) -> None:
    """It fires on Saturday night and waits for Monday; on Sunday the reporter is waited for, until Monday."""
    ladder = (RungPlan(None, ("owner",), offset=-72 * HOUR), RungPlan(1.0, ("owner", "lead")))
    promise = replace(PROMISE, calendar=OPEN, ladders={"fix": ladder})
    reported(database, promise=promise)
    promises_fix(database, date(2026, 11, 24), promise)
    saturday, monday = local("2026-11-22 00:00"), local("2026-11-23 09:00")
    assert list(sweeps(database, "fix", promise, saturday, saturday, HOUR)) == [(saturday, "due - 72 h")]

    does(database, acts.wait, saturday + 20 * HOUR, promise, on=WaitingOn.REPORTER, because="?")
    deliver_all(database, monday, promise)
    with database.reading() as session:
        states = {
            mail.state for mail in mails(session, MailKind.RUNG) if (mail.facts or {})["clock"] == "fix"
        }
        assert states == {MailState.CALLED_OFF}
    does(database, acts.wait, monday + HOUR, promise, on=WaitingOn.HANDLER, because="")

    # Due 13 hours later than it was: by so much it stood still.
    due_at = local("2026-11-25 00:00") + 14 * HOUR
    assert fix_clock(database).due_at == due_at
    again = list(sweeps(database, "fix", promise, monday + HOUR, due_at - HOUR, HOUR))
    assert [rung for _, rung in again] == ["due - 72 h"]
    deliver_all(database, due_at - HOUR, promise)
    with database.reading() as session:
        sent = [mail for mail in mails(session, MailKind.RUNG) if mail.state is MailState.SENT]
        assert [(mail.facts or {})["rung"] for mail in sent if (mail.facts or {})["clock"] == "fix"] == [
            "due - 72 h"
        ]


def test_a_held_reminder_that_a_mail_server_kept_past_office_hours_waits_for_the_next_ones(
    database: Database,
) -> None:
    promise = replace(PROMISE, calendar=OPEN, ladder=(RungPlan(0.5, ("lead",)),))
    saturday = local("2026-11-21 03:00")
    reported(database, replace(REPORT, arrived_at=saturday - 60 * HOUR), promise, now=saturday - 60 * HOUR)
    assert response(database, promise, saturday, saturday) == [(saturday, "50%")]
    evening, tuesday = local("2026-11-23 19:25"), local("2026-11-24 09:00")

    with database.reading() as session:
        rungs = mails(session, MailKind.RUNG)
        [lead] = [mail.id for mail in rungs if (mail.facts or {})["clock"] == "response"]
    assert lead in held_after_claims(database, evening)
    with database.reading() as session:
        mail = session.get_one(Mail, lead)
        assert (mail.state, mail.next_try_at, mail.tries) == (MailState.WAITING, tuesday, 0)
    assert held_after_claims(database, tuesday) == []


def held_after_claims(database: Database, now: datetime) -> list[int]:
    """Claim all mail that is due, at most ten, each in a transaction of its own; gives what is held again."""
    held: list[int] = []
    for _ in range(10):
        with database.unit_of_work() as session:
            number = claim_next(session, now)
        if number is None:
            break
        with database.unit_of_work() as session:
            if hold_until_open(session, session.get_one(Mail, number), OPEN, now=now):
                held.append(number)
    return held


def test_a_ladder_that_changes_holds_for_clocks_that_run(database: Database) -> None:
    before = replace(PROMISE, ladder=(RungPlan(1.0, ("ciso",)),))
    after = replace(PROMISE, ladder=(RungPlan(0.5, ("handlers",)), RungPlan(1.0, ("ciso",))))
    reported(database, promise=before)
    with database.unit_of_work() as session:
        for number, promise in enumerate((before, after)):
            assert make_version(session, ALWAYS, promise, by="a test", now=ARRIVED + number * HOUR)
        for clock_id in session.scalars(select(Clock.id)).all():
            bring_up_to_date(session, clock_id, after, now=ARRIVED + HOUR)

    half = ARRIVED + 60 * HOUR
    assert response(database, after, ARRIVED + HOUR, half) == [(half, "50%")]


def test_the_clock_of_a_law_warns_before_it_is_due_in_the_night_as_well(database: Database) -> None:
    law = Statutory("early_warning", 24, "exploited", "authority_warned")
    promise = replace(PROMISE, calendar=OPEN, statutory=(law,))
    friday = local("2026-11-20 18:00")
    reported(database, promise=promise)
    does(database, milestone, friday, promise, what="exploited", happened_at=friday)

    fired = list(sweeps(database, "early_warning", promise, friday, friday + DAY, HOUR))

    assert [rung for _, rung in fired] == ["50%", "80%", "100%"]
    with database.reading() as session:
        first = [mail for mail in mails(session, MailKind.RUNG) if (mail.facts or {})["clock"] == law.name]
        assert {mail.next_try_at for mail in first if mail.recipient == FATIMA.address} == {
            friday + 12 * HOUR,
            friday + 20 * HOUR,
            friday + DAY,
        }


def test_of_a_long_outage_only_what_speaks_now_is_written(database: Database) -> None:
    """A mail server that has lost its clock says that a message arrived in 1970."""
    reported(database, replace(REPORT, arrived_at=datetime(1970, 1, 1, tzinfo=UTC)), PROMISE)

    [(_, rung)] = response(database, PROMISE, ARRIVED, ARRIVED)

    assert rung == "100% + 20771 days"
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(FiredRung)) <= 12


def test_an_arrival_in_the_future_counts_from_when_it_was_taken_in() -> None:
    entry = LedgerEntry(arrived_at=ARRIVED + 3650 * DAY, taken_at=ARRIVED)

    assert first_arrival(entry) == ARRIVED


def test_days_that_an_outage_left_out_never_stop_the_ladder(database: Database) -> None:
    """Due in winter time, swept in summer time: 24 hours times the days is not the same instant."""
    winter = datetime(2026, 2, 4, 13, 45, tzinfo=UTC)
    reported(database, replace(REPORT, arrived_at=winter), PROMISE, now=winter)
    summer = datetime(2026, 6, 1, 10, 0, tzinfo=UTC)

    first = response(database, PROMISE, summer, summer)
    with database.reading() as session:
        assert due_clocks(session, summer) == []
    later = response(database, PROMISE, summer + 3 * DAY, summer + 4 * DAY)

    assert [rung for _, rung in (*first, *later)] == ["100% + 111 days", "100% + 114 days", "100% + 115 days"]
