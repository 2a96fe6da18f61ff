"""The facts that a secret link shows."""

from datetime import date, datetime, timedelta

import pytest
from meldbalie.models.links import ticket_behind
from meldbalie.models.states import CloseReason, TicketState
from meldbalie.models.ticket import Ticket, WaitingOn
from meldbalie.tests.webhooks.installation import ARRIVAL, DUE, Installation
from meldbalie.webhooks.status import Outcome, Status, outcome_of, status_of
from sqlalchemy import event, select

SECOND = timedelta(seconds=1)
LONG_AFTER = DUE + timedelta(days=30)


def facts(installation: Installation, token: str, now: datetime | None = None) -> Status:
    with installation.database.reading() as session:
        ticket = ticket_behind(session, token)
        assert ticket
        return status_of(session, ticket, now=now or installation.now)


@pytest.mark.parametrize(
    ("answered_at", "closed_at", "now", "outcome"),
    [
        (None, None, DUE - SECOND, Outcome.RUNNING),
        (None, None, DUE, Outcome.RUNNING),
        (None, None, DUE + SECOND, Outcome.OVERDUE),
        (DUE, None, LONG_AFTER, Outcome.IN_TIME),
        (DUE + SECOND, None, LONG_AFTER, Outcome.LATE),
        (DUE, DUE + SECOND, LONG_AFTER, Outcome.IN_TIME),
        (None, DUE, LONG_AFTER, Outcome.LAPSED),
        (None, DUE + SECOND, LONG_AFTER, Outcome.OVERDUE),
    ],
)
def test_the_promised_answer_is_kept_up_to_and_at_the_due_instant(
    answered_at: datetime | None, closed_at: datetime | None, now: datetime, outcome: Outcome
) -> None:
    assert outcome_of(DUE, answered_at, closed_at, now) is outcome


def test_a_report_without_a_response_clock_shows_no_promise(installation: Installation) -> None:
    token = installation.report(due_at=None)

    assert facts(installation, token).response is None


def test_a_solution_is_late_once_the_local_day_is_over(installation: Installation) -> None:
    token = installation.report(fix_on=date(2026, 12, 4))
    zone = timedelta(hours=1)  # Amsterdam in December
    midnight = datetime.fromisoformat("2026-12-05T00:00:00+01:00")
    assert midnight.utcoffset() == zone

    assert not facts(installation, token, midnight - SECOND).fix_is_late
    assert facts(installation, token, midnight).fix_is_late


def test_a_solution_that_is_in_place_is_not_late_unless_that_was_an_error(installation: Installation) -> None:
    token = installation.report(fix_on=date(2026, 12, 4))
    with installation.database.unit_of_work() as session:
        ticket = session.scalars(select(Ticket)).one()
        fixed = {"what": "fix_deployed", "happened_at": DUE.isoformat()}
        ticket.record("milestone", by="Balie", at=DUE, **fixed)

    assert not facts(installation, token, LONG_AFTER).fix_is_late

    with installation.database.unit_of_work() as session:
        ticket = session.scalars(select(Ticket)).one()
        ticket.record("milestone_withdrawn", by="Balie", at=DUE, because="an error", what="fix_deployed")
    assert facts(installation, token, LONG_AFTER).fix_is_late


def test_a_solution_is_never_late_on_a_closed_report(installation: Installation) -> None:
    token = installation.report(
        (TicketState.INVALID, ARRIVAL),
        (TicketState.CLOSED, DUE),
        fix_on=date(2026, 12, 4),
        close_reason=CloseReason.WITHDRAWN,
        waiting_on=WaitingOn.REPORTER,
    )

    closed = facts(installation, token, LONG_AFTER)

    assert not closed.fix_is_late
    assert closed.waiting_on is None
    assert closed.close_reason is CloseReason.WITHDRAWN


def test_a_copy_that_still_waits_is_not_shared(installation: Installation) -> None:
    waiting, sent = installation.report(), installation.report(shared_at=ARRIVAL + SECOND)

    assert facts(installation, waiting).sharing is None
    sharing = facts(installation, sent).sharing
    assert sharing
    assert sharing.at == ARRIVAL + SECOND
    assert not sharing.with_identity


def test_the_last_change_is_the_last_that_the_reporter_can_see(installation: Installation) -> None:
    quiet = installation.report()
    busy = installation.report(
        (TicketState.VALID, ARRIVAL + SECOND),
        answered_at=ARRIVAL + 2 * SECOND,
        shared_at=ARRIVAL + 3 * SECOND,
        ours=((ARRIVAL + 2 * SECOND, "Hello"),),
        theirs=(ARRIVAL + 4 * SECOND,),
    )

    assert facts(installation, quiet).updated_at == ARRIVAL
    assert facts(installation, busy).updated_at == ARRIVAL + 4 * SECOND


def test_the_reporter_is_told_why_a_report_is_not_confirmed_held_or_closed_and_nothing_else(
    installation: Installation,
) -> None:
    token = installation.report(
        (TicketState.INVALID, ARRIVAL, "we cannot see it"),
        (TicketState.VALID, ARRIVAL, "internal"),
        (TicketState.ACCEPTED, ARRIVAL, "internal"),
        (TicketState.DEFERRED, ARRIVAL, "the supplier is away"),
        (TicketState.CLOSED, ARRIVAL + SECOND, "it is gone"),
        answered_at=ARRIVAL,
        no_date_because="we do not know yet",
    )

    status = facts(installation, token)

    assert [move.because for move in status.moves] == [
        "we cannot see it",
        "",
        "",
        "the supplier is away",
        "it is gone",
    ]
    assert status.response
    assert status.response.no_date_because == "we do not know yet"


def test_a_status_takes_as_many_queries_for_a_long_conversation_as_for_a_short_one(
    installation: Installation,
) -> None:
    short = installation.report()
    long = installation.report(
        ours=tuple((ARRIVAL + n * SECOND, f"message {n}") for n in range(30)),
        theirs=tuple(ARRIVAL + n * SECOND for n in range(30)),
    )
    statements: list[str] = []
    event.listen(
        installation.database.engine, "before_cursor_execute", lambda *given: statements.append(given[2])
    )

    facts(installation, short)
    for_short = len(statements)
    status = facts(installation, long)

    assert len(status.letters) == 60
    assert len(statements) == 2 * for_short
    assert for_short <= 6


def test_silence_is_shown_to_the_instant_and_its_end_is_its_last(installation: Installation) -> None:
    token, ends_at = installation.report(), ARRIVAL + timedelta(days=10)
    installation.propose(ARRIVAL, ends_at=ends_at + SECOND, because="longer")
    installation.propose(ARRIVAL + SECOND, ends_at=ends_at, because="sooner")

    before, after = facts(installation, token, ends_at - SECOND), facts(installation, token, ends_at)

    assert (before.embargo_ends_at, before.embargo_has_ended) == (ends_at, False)
    assert (after.embargo_ends_at, after.embargo_has_ended) == (ends_at, True)
    assert [(one.ends_at, one.because) for one in before.proposals] == [
        (ends_at + SECOND, "longer"),
        (ends_at, "sooner"),
    ]
    assert before.updated_at == ARRIVAL + SECOND


def test_a_day_to_publish_on_is_the_last_and_never_lies_in_the_silence(installation: Installation) -> None:
    token, midnight = installation.report(), datetime.fromisoformat("2026-12-05T00:00:00+01:00")
    present = midnight - timedelta(days=9)
    installation.propose(ARRIVAL, publish_on=date(2026, 12, 1))
    installation.propose(ARRIVAL + SECOND, publish_on=date(2026, 12, 4))

    assert facts(installation, token, present).publish_on == date(2026, 12, 4)
    installation.propose(ARRIVAL + 2 * SECOND, ends_at=midnight - SECOND)
    assert facts(installation, token, present).publish_on == date(2026, 12, 4)
    installation.propose(ARRIVAL + 3 * SECOND, ends_at=midnight)
    assert facts(installation, token, present).publish_on is None
    installation.propose(ARRIVAL + 4 * SECOND, because="it is known")
    assert facts(installation, token, present).publish_on == date(2026, 12, 4)


def test_notes_and_who_handles_it_stay_inside(installation: Installation) -> None:
    token = installation.report()
    with installation.database.unit_of_work() as session:
        ticket = session.scalars(select(Ticket)).one()
        ticket.handler = "Fatima"
        ticket.record("noted", by="Fatima", at=ARRIVAL, because="we think it is Jan")
        ticket.record("assigned", by="Fatima", at=ARRIVAL, because="ask Jan", handler="Jeroen", was="")

    status = facts(installation, token)

    assert not any(word in repr(status) for word in ("Fatima", "Jeroen", "Jan"))


def test_states_that_a_report_passed_through_as_it_was_closed_are_not_shown(
    installation: Installation,
) -> None:
    closed_at = ARRIVAL + timedelta(days=1)
    token = installation.report(
        (TicketState.VALID, ARRIVAL),
        (TicketState.DEFERRED, closed_at, "passed through as it was closed"),
        (TicketState.CLOSED, closed_at, "Not ours."),
        close_reason=CloseReason.OUT_OF_SCOPE,
    )

    told = [(move.to, move.because) for move in facts(installation, token).moves]
    assert told == [(TicketState.VALID, ""), (TicketState.CLOSED, "Not ours.")]


def test_a_message_that_asks_something_says_so(installation: Installation) -> None:
    asked_at = ARRIVAL + timedelta(days=1)
    token = installation.report(ours=((ARRIVAL, "We are on it."), (asked_at, "Which form?")))
    with installation.database.unit_of_work() as session:
        session.scalars(select(Ticket)).one().record("asked", by="Balie", at=asked_at)

    assert [letter.asks for letter in facts(installation, token).letters] == [False, True]
