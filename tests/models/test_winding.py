"""Rows follow the history: which clocks a ticket has, when they are due, pause, restart, and are told of."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from meldbalie.models import acts
from meldbalie.models.calendar_versions import make_version
from meldbalie.models.clock_rules import Statutory
from meldbalie.models.clocks import Acknowledgement, Clock, FiredRung
from meldbalie.models.delivery import bounced, claim_next, was_delivered
from meldbalie.models.errors import Refused
from meldbalie.models.filing import join_ticket
from meldbalie.models.ladder import Fired, climb, due_clocks
from meldbalie.models.milestones import milestone, milestones_of, withdraw_milestone
from meldbalie.models.outbox import Mail, MailKind
from meldbalie.models.promise import Promise, RungPlan
from meldbalie.models.rung_mails import acknowledge
from meldbalie.models.session import Database
from meldbalie.models.states import CloseReason
from meldbalie.models.tables import Base
from meldbalie.models.threads import standing_of, thread_behind, thread_token
from meldbalie.models.ticket import Ticket, WaitingOn, first_broken_link, ticket_called
from meldbalie.models.winding import tickets_to_wind, wind
from meldbalie.tests.models import reports
from meldbalie.tests.models.reports import ARRIVED, DAY, DUE, HOUR, REPORT, mails, reported, told
from sqlalchemy import select

EARLY_WARNING = Statutory("early_warning", 24, starts_on="exploited", stops_on="authority_warned")
PROMISE = replace(
    reports.PROMISE,
    statutory=(EARLY_WARNING,),
    ladder=(
        RungPlan(0.5, ("owner",), acknowledge=4 * HOUR, at_any_hour=True),
        RungPlan(0.8, ("lead",), acknowledge=HOUR, at_any_hour=True),
        RungPlan(1.0, ("ciso",)),
    ),
)
RESPONSE, SHARE, UPDATE, FIX, LAW = "response", "share", "update", "fix", "early_warning"
FIX_ON = date(2026, 12, 15)
FIX_DUE = datetime(2026, 12, 15, 23, 0, tzinfo=UTC)
Verb = Callable[..., Any]


@pytest.fixture
def reference(database: Database) -> str:
    """A ticket whose first mails have left, and whose update clock began with the receipt."""
    reference = reported(database, promise=PROMISE)
    deliver_all(database, ARRIVED + HOUR / 2)
    return reference


def deliver_all(database: Database, now: datetime) -> None:
    with database.unit_of_work() as session:
        while (number := claim_next(session, now)) is not None:
            was_delivered(session, session.get_one(Mail, number), PROMISE, sealed=True, now=now)


def does(database: Database, verb: Verb, now: datetime, **how: Any) -> None:
    with database.unit_of_work() as session:
        ticket = session.scalars(select(Ticket)).one()
        verb(session, ticket, by="Fatima", promise=PROMISE, now=now, **how)


def answers(database: Database, now: datetime, fix_on: date | None = FIX_ON) -> None:
    why = "" if fix_on else "we are looking into it"
    does(database, acts.answer, now, text="Thank you.", fix_on=fix_on, no_date_because=why)
    deliver_all(database, now)


def waits(database: Database, on: WaitingOn, now: datetime) -> None:
    does(database, acts.wait, now, on=on, because="a new version")


def happens(database: Database, what: str, at: datetime, now: datetime) -> None:
    does(database, milestone, now, what=what, happened_at=at)


def writes_again(database: Database, now: datetime) -> None:
    """The reporter sends a further message."""
    with database.unit_of_work() as session:
        token = thread_token(session, session.scalars(select(Ticket)).one(), "reporter")
        session.flush()
        thread = thread_behind(session, [token])
        assert thread is not None
        join_ticket(session, REPORT, standing_of(session, thread), PROMISE, now=now)


def comes_back(database: Database, kind: MailKind, now: datetime) -> None:
    """The last mail of a kind that left comes back."""
    with database.unit_of_work() as session:
        mail = [mail for mail in mails(session, kind) if mail.sent_at][-1]
        assert mail.ticket is not None
        bounced(session, mail.ticket, mail.party, PROMISE, now=now, number=mail.id)


def sweep(database: Database, now: datetime) -> list[Fired]:
    fired: list[Fired | None] = []
    with database.unit_of_work() as session:
        fired = [climb(session, clock, PROMISE, now=now) for clock in due_clocks(session, now)]
    return [one for one in fired if one]


def clocks(database: Database) -> dict[str, Clock]:
    with database.reading() as session:
        found = session.scalars(select(Clock).order_by(Clock.id)).all()
        session.expunge_all()
        return {clock.kind: clock for clock in found}


def wound(database: Database, now: datetime, promise: Promise = PROMISE) -> list[str]:
    """Wind the ticket's clocks; gives those that moved."""
    with database.unit_of_work() as session:
        ticket = session.scalars(select(Ticket)).one()
        return [clock.kind for clock in wind(session, ticket, promise, now=now)]


def state_of(database: Database) -> Any:
    """Every clock as it is, and the length of the history, whose chain must hold."""
    columns = ("round", "started_at", "due_at", "stopped_at", "paused_since", "next_rung_at", "calendar")
    rows = {kind: [getattr(row, name) for name in columns] for kind, row in clocks(database).items()}
    with database.reading() as session:
        ticket = session.scalars(select(Ticket)).one()
        assert first_broken_link(ticket) is None
        return rows, len(ticket.history)


def history(database: Database) -> list[str]:
    with database.reading() as session:
        return told(session.scalars(select(Ticket)).one())


def test_a_report_starts_three_clocks(database: Database) -> None:
    reported(database, promise=PROMISE)

    found = clocks(database)

    assert {kind: clock.due_at for kind, clock in found.items()} == {
        RESPONSE: DUE,
        SHARE: ARRIVED + HOUR,
        UPDATE: ARRIVED + 14 * DAY,
    }
    assert found[RESPONSE].next_rung_at == ARRIVED + 2.5 * DAY


def test_the_receipt_and_further_messages_never_move_the_response_clock(
    database: Database, reference: str
) -> None:
    for day in (1, 2):
        writes_again(database, ARRIVED + day * DAY)
        deliver_all(database, ARRIVED + day * DAY)

    response = clocks(database)[RESPONSE]
    assert (response.started_at, response.due_at, response.stopped_at) == (ARRIVED, DUE, None)
    assert "clock_moved" not in history(database)


def test_each_message_to_the_reporter_starts_the_update_clock_anew(
    database: Database, reference: str
) -> None:
    before = clocks(database)[UPDATE]

    answers(database, ARRIVED + DAY)

    after = clocks(database)[UPDATE]
    assert (before.round, after.round) == (2, 3)
    assert (after.started_at, after.due_at) == (ARRIVED + DAY, ARRIVED + 15 * DAY)
    assert "clock_moved" not in history(database)


def test_a_promised_fix_has_a_clock_that_a_new_date_starts_anew_and_no_date_stops(
    database: Database, reference: str
) -> None:
    assert FIX not in clocks(database)

    answers(database, ARRIVED + DAY)
    assert clocks(database)[FIX].due_at == FIX_DUE
    answers(database, ARRIVED + 2 * DAY, date(2027, 1, 10))
    assert (clocks(database)[FIX].round, clocks(database)[FIX].due_at.day) == (2, 10)
    answers(database, ARRIVED + 3 * DAY, None)

    assert clocks(database)[FIX].stopped_at == ARRIVED + 3 * DAY
    assert clocks(database)[FIX].next_rung_at is None


def test_a_promise_that_came_back_is_no_promise_and_its_rungs_are_not_those_of_the_next(
    database: Database, reference: str
) -> None:
    answers(database, ARRIVED + DAY)
    sweep(database, FIX_DUE)
    comes_back(database, MailKind.ANSWER, FIX_DUE + HOUR)
    assert FIX not in clocks(database)
    assert clocks(database)[RESPONSE].stopped_at is None

    answers(database, FIX_DUE + DAY, FIX_ON + 10 * DAY)

    assert clocks(database)[FIX].round == 2
    assert clocks(database)[FIX].next_rung_at == FIX_DUE + 10 * DAY
    rungs = sweep(database, FIX_DUE + 10 * DAY)
    assert Fired(reference, "100%", 2) in rungs
    with database.reading() as session:
        fired = session.scalars(select(FiredRung).where(FiredRung.kind == FIX)).all()
        assert [(rung.round, rung.rung) for rung in fired] == [(1, "100%"), (2, "100%")]


def test_an_answer_that_came_back_lets_the_response_clock_run_on_and_its_rungs_fire(
    database: Database, reference: str
) -> None:
    answers(database, ARRIVED + DAY)
    assert (clocks(database)[RESPONSE].stopped_at, sweep(database, DUE)) == (ARRIVED + DAY, [])

    comes_back(database, MailKind.ANSWER, DUE + HOUR)

    assert clocks(database)[RESPONSE].stopped_at is None
    assert Fired(reference, "100%", 1) in sweep(database, DUE + HOUR)
    assert history(database).count("clock_runs_on") == 1


@pytest.mark.parametrize("whom", [WaitingOn.REPORTER, WaitingOn.SUPPLIER])
def test_while_somebody_else_is_waited_for_update_and_fix_stand_still(
    database: Database, reference: str, whom: WaitingOn
) -> None:
    answers(database, ARRIVED + DAY)
    before = clocks(database)

    waits(database, whom, ARRIVED + 2 * DAY)

    still = clocks(database)
    for kind in (UPDATE, FIX):
        assert (still[kind].paused_since, still[kind].next_rung_at) == (ARRIVED + 2 * DAY, None)
    assert still[RESPONSE].paused_since is None
    assert sweep(database, FIX_DUE + DAY) == []

    waits(database, WaitingOn.HANDLER, ARRIVED + 12 * DAY)

    after = clocks(database)
    for kind in (UPDATE, FIX):
        assert after[kind].due_at - before[kind].due_at == 10 * DAY
        assert after[kind].next_rung_at == after[kind].due_at
    assert history(database).count("clock_moved") == 2


def test_the_response_clock_runs_while_the_reporter_is_waited_for(database: Database, reference: str) -> None:
    does(database, acts.invalidate, ARRIVED + HOUR, because="which form?")

    assert clocks(database)[RESPONSE].next_rung_at == ARRIVED + 2.5 * DAY
    assert Fired(reference, "50%", 1) in sweep(database, ARRIVED + 2.5 * DAY)


def test_waiting_for_somebody_is_said_once_with_its_reason(database: Database, reference: str) -> None:
    with pytest.raises(Refused, match="say what the supplier is to do"):
        does(database, acts.wait, ARRIVED + DAY, on=WaitingOn.SUPPLIER, because=" ")
    with pytest.raises(Refused, match="waits for the handler already"):
        does(database, acts.wait, ARRIVED + DAY, on=WaitingOn.HANDLER, because="")

    waits(database, WaitingOn.SUPPLIER, ARRIVED + DAY)

    with database.reading() as session:
        last = session.scalars(select(Ticket)).one().history[-1]
        assert (last.kind, last.facts, last.because) == ("waiting", {"on": "supplier"}, "a new version")


def test_after_the_closing_nobody_is_reminded_and_nothing_starts(database: Database, reference: str) -> None:
    answers(database, ARRIVED + DAY)
    closed = ARRIVED + 2 * DAY
    does(database, acts.accept, closed, because="")
    does(database, acts.close, closed, because="done", reason=CloseReason.REMEDIATED)
    deliver_all(database, closed + HOUR)

    found = clocks(database)
    assert found[UPDATE].stopped_at == found[FIX].stopped_at == closed
    assert [clock.next_rung_at for clock in found.values()] == [None] * 4
    assert sweep(database, FIX_DUE + 100 * DAY) == []


def test_a_law_counts_from_the_milestone_that_it_names(database: Database, reference: str) -> None:
    learned, noted = ARRIVED - DAY, ARRIVED + HOUR
    happens(database, "exploited", learned, noted)

    clock = clocks(database)[LAW]
    assert (clock.started_at, clock.due_at) == (learned, learned + DAY)
    assert Fired(reference, "100%", 5) in sweep(database, noted)  # a law's ladder names everybody

    happens(database, "authority_warned", ARRIVED - HOUR, noted + HOUR)
    assert clocks(database)[LAW].stopped_at == ARRIVED - HOUR


def test_a_milestone_that_is_withdrawn_had_not_been(database: Database, reference: str) -> None:
    answers(database, ARRIVED + DAY)
    for what in ("exploited", "authority_warned", "fix_deployed"):
        happens(database, what, ARRIVED + 2 * DAY, ARRIVED + 2 * DAY)
    assert clocks(database)[FIX].stopped_at == clocks(database)[LAW].stopped_at == ARRIVED + 2 * DAY

    for what in ("authority_warned", "fix_deployed"):
        does(database, withdraw_milestone, ARRIVED + 3 * DAY, what=what, because="not everywhere")

    assert clocks(database)[FIX].stopped_at is clocks(database)[LAW].stopped_at is None
    does(database, withdraw_milestone, ARRIVED + 3 * DAY, what="exploited", because="a test of ours")
    assert LAW not in clocks(database)
    happens(database, "exploited", ARRIVED + 4 * DAY, ARRIVED + 4 * DAY)
    assert (clocks(database)[LAW].round, clocks(database)[LAW].stopped_at) == (2, None)


def test_a_deployed_fix_was_ready(database: Database, reference: str) -> None:
    happens(database, "fix_deployed", ARRIVED + DAY, ARRIVED + 2 * DAY)

    with database.reading() as session:
        ticket = ticket_called(session, reference)
        assert milestones_of(session, ticket) == {
            "fix_ready": ARRIVED + DAY,
            "fix_deployed": ARRIVED + DAY,
        }


@pytest.mark.parametrize(
    ("what", "at", "says"),
    [
        ("exploited", ARRIVED + 2 * DAY + timedelta(seconds=1), "lies in the future"),
        ("public", ARRIVED, "stands in the history already"),
        ("fix_deployed", ARRIVED - HOUR, "cannot come before the milestone 'fix ready'"),
        ("solved", ARRIVED, "known are fix_ready, fix_deployed, public, exploited, authority_warned"),
    ],
)
def test_a_milestone_that_cannot_be_is_refused(
    database: Database, reference: str, what: str, at: datetime, says: str
) -> None:
    for known in ("public", "fix_ready"):
        happens(database, known, ARRIVED, ARRIVED + HOUR)
    before = state_of(database)

    with pytest.raises(Refused, match=says):
        happens(database, what, at, ARRIVED + 2 * DAY)

    assert state_of(database) == before


@pytest.mark.parametrize(
    ("what", "because", "says"),
    [
        ("fix_deployed", " ", "say why"),
        ("public", "x", "nothing to withdraw"),
        ("fix_ready", "x", "withdraw that first"),
    ],
)
def test_a_milestone_is_withdrawn_with_a_reason_and_the_later_one_first(
    database: Database, reference: str, what: str, because: str, says: str
) -> None:
    happens(database, "fix_deployed", ARRIVED, ARRIVED + HOUR)

    with pytest.raises(Refused, match=says):
        does(database, withdraw_milestone, ARRIVED + 2 * HOUR, what=what, because=because)


def test_a_rung_that_nobody_acknowledges_lets_the_next_one_fire_early(
    database: Database, reference: str
) -> None:
    half = ARRIVED + 2.5 * DAY
    assert sweep(database, half) == [Fired(reference, "50%", 1)]
    assert clocks(database)[RESPONSE].next_rung_at == half + 4 * HOUR

    assert sweep(database, half + 4 * HOUR) == [Fired(reference, "80%", 1)]
    assert clocks(database)[RESPONSE].next_rung_at == half + 5 * HOUR
    assert sweep(database, half + 5 * HOUR) == [Fired(reference, "80%, not acknowledged", 1)]

    assert clocks(database)[RESPONSE].next_rung_at == DUE  # what is told then is not told before
    assert sweep(database, DUE) == [Fired(reference, "100%", 1)]
    with database.reading() as session:
        ticket = ticket_called(session, reference)
        escalated = [entry.facts for entry in ticket.history if entry.kind == "escalated"]
        response = [facts["breached"] for facts in escalated if facts["clock"] == RESPONSE]
        assert response == [False, False, False, True]


def test_a_rung_that_is_acknowledged_does_not(database: Database, reference: str) -> None:
    half = ARRIVED + 2.5 * DAY
    sweep(database, half)
    with database.unit_of_work() as session:
        [mail] = mails(session, MailKind.RUNG)
        assert mail.facts is not None
        token = mail.facts["acknowledge"]
        assert token not in [one.token_hash for one in session.scalars(select(Acknowledgement))]
        assert acknowledge(session, "wrong", now=half) is None
        assert acknowledge(session, token, now=half + HOUR) is not None
        assert acknowledge(session, token, now=half + 2 * HOUR) is not None

    assert sweep(database, half + 4 * HOUR) == []
    assert clocks(database)[RESPONSE].next_rung_at == ARRIVED + 4 * DAY
    assert history(database).count("acknowledged") == 1
    assert sweep(database, ARRIVED + 4 * DAY) == [Fired(reference, "80%", 1)]


def test_winding_again_changes_and_records_nothing(database: Database, reference: str) -> None:
    answers(database, ARRIVED + DAY)
    waits(database, WaitingOn.SUPPLIER, ARRIVED + 2 * DAY)
    happens(database, "exploited", ARRIVED, ARRIVED + 2 * DAY)
    before = state_of(database)

    assert [wound(database, ARRIVED + day * DAY) for day in (2, 3)] == [[], []]

    assert state_of(database) == before


def test_a_new_calendar_moves_what_counts_by_it_and_says_which(database: Database, reference: str) -> None:
    by_working_days = replace(PROMISE, response=PROMISE.response.parse("3wd"))
    wound(database, ARRIVED, by_working_days)
    before = clocks(database)[RESPONSE].due_at
    with database.unit_of_work() as session:
        settings = {"zone": "Europe/Amsterdam", "hours": {"mon": [["09:00", "17:00"]]}}
        version = make_version(session, settings, by_working_days, by="a test", now=ARRIVED)
        assert version is not None
        [stale] = tickets_to_wind(session)
        assert stale == ticket_called(session, reference).id

    assert wound(database, ARRIVED, by_working_days) == [RESPONSE]

    with database.reading() as session:
        assert tickets_to_wind(session) == []
        moved = ticket_called(session, reference).history[-1]
        now_due = clocks(database)[RESPONSE].due_at
        assert moved.facts == {"clock": "response", "from": before.isoformat(), "to": now_due.isoformat()}


def test_rows_that_were_lost_are_made_anew_and_no_rung_fires_twice(
    database: Database, reference: str
) -> None:
    half = ARRIVED + 2.5 * DAY
    sweep(database, half)

    _rows_made_anew_are_the_same(database, half)

    assert sweep(database, half) == []


def test_a_clock_of_a_law_that_was_taken_out_of_the_settings_goes(database: Database, reference: str) -> None:
    happens(database, "exploited", ARRIVED, ARRIVED + HOUR)

    wound(database, ARRIVED + HOUR, reports.PROMISE)

    assert LAW not in clocks(database)


def test_nothing_is_closed_over_what_a_law_asks(database: Database, reference: str) -> None:
    happens(database, "exploited", ARRIVED, ARRIVED + HOUR)
    does(database, acts.accept, ARRIVED + HOUR, because="")
    end = {"because": "done", "reason": CloseReason.REMEDIATED}

    with pytest.raises(
        Refused, match="'early warning' still runs: note the milestone 'authority warned' first"
    ):
        does(database, acts.close, ARRIVED + 2 * HOUR, **end)

    happens(database, "authority_warned", ARRIVED + 2 * HOUR, ARRIVED + 2 * HOUR)
    does(database, acts.close, ARRIVED + 3 * HOUR, **end)
    with database.reading() as session:
        assert not ticket_called(session, reference).is_open


VERBS: dict[str, Callable[[Database, datetime], None]] = {
    "answers with a date": lambda database, now: answers(database, now, date(2027, 6, 1)),
    "answers without one": lambda database, now: answers(database, now, None),
    "the reporter writes": writes_again,
    "waits for the supplier": lambda database, now: waits(database, WaitingOn.SUPPLIER, now),
    "waits for the reporter": lambda database, now: waits(database, WaitingOn.REPORTER, now),
    "goes on": lambda database, now: waits(database, WaitingOn.HANDLER, now),
    "an answer comes back": lambda database, now: comes_back(database, MailKind.ANSWER, now),
    "the copy comes back": lambda database, now: comes_back(database, MailKind.IBD_COPY, now),
    "exploited": lambda database, now: happens(database, "exploited", now - HOUR, now),
    "warned": lambda database, now: happens(database, "authority_warned", now, now),
    "deployed": lambda database, now: happens(database, "fix_deployed", now, now),
    "withdrawn": lambda database, now: does(
        database, withdraw_milestone, now, what="exploited", because="an error"
    ),
    "accepts": lambda database, now: does(database, acts.accept, now, because=""),
    "closes": lambda database, now: does(
        database, acts.close, now, because="done", reason=CloseReason.REMEDIATED
    ),
    "sweeps": lambda database, now: [sweep(database, now)].clear(),
    "mail leaves": deliver_all,
}


@settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink an example takes minutes
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(st.tuples(st.sampled_from(sorted(VERBS)), st.integers(1, 200)), min_size=3, max_size=10))
def test_whatever_happens_the_clocks_that_are_read_again_are_the_same(
    sqlite_database: Database, deeds: list[tuple[str, int]]
) -> None:
    _empty(sqlite_database)
    reported(sqlite_database, promise=PROMISE)
    now = ARRIVED + HOUR / 2
    deliver_all(sqlite_database, now)
    rounds: dict[str, int] = {}
    for deed, hours in deeds:
        now += hours * HOUR
        try:
            VERBS[deed](sqlite_database, now)
        except (Refused, IndexError):
            continue
        kept = state_of(sqlite_database)
        assert wound(sqlite_database, now + DAY) == []
        assert state_of(sqlite_database) == kept, deed
        for kind, clock in clocks(sqlite_database).items():
            assert (clock.due_at == DUE) or kind != RESPONSE
            assert clock.next_rung_at is None or not (clock.stopped_at or clock.paused_since)
            rounds[kind] = max(rounds.get(kind, 0), clock.round)
    _rows_made_anew_are_the_same(sqlite_database, now)


def _rows_made_anew_are_the_same(database: Database, now: datetime) -> None:
    """Clocks whose rows were lost are read off the history as they were."""
    before, length = state_of(database)
    with database.unit_of_work() as session:
        for clock in session.scalars(select(Clock)):
            session.delete(clock)
    wound(database, now)
    assert state_of(database) == (before, length)


def _empty(database: Database) -> None:
    Base.metadata.drop_all(database.engine)
    Base.metadata.create_all(database.engine)
