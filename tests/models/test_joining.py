"""A handler joins a ticket with the one that it belongs to, or keeps it apart."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from meldbalie.models import acts, copies, joining
from meldbalie.models.clocks import ClockKind
from meldbalie.models.delivery import was_delivered
from meldbalie.models.errors import Refused, UnknownTicket
from meldbalie.models.filing import Received, join_ticket, open_ticket
from meldbalie.models.holding import hold
from meldbalie.models.joining import join, keep_apart
from meldbalie.models.outbox import MailKind, MailState
from meldbalie.models.progress import Progress, progress_behind
from meldbalie.models.session import Database
from meldbalie.models.states import CloseReason, TicketState
from meldbalie.models.suggestions import main_ticket, open_suggestions, tickets_joined_with
from meldbalie.models.threads import Claims, Named, Standing, named_tickets
from meldbalie.models.ticket import Ticket, WaitingOn, ticket_called
from meldbalie.tests.models.reports import (
    ARRIVED,
    FATIMA,
    JEROEN,
    PROMISE,
    REPORT,
    WEB_TEAM,
    add_owner,
    clock_of,
    mails,
    reported,
    told,
)
from meldbalie.tests.waiting import until
from sqlalchemy import text
from sqlalchemy.orm import Session

NOW = ARRIVED + timedelta(hours=1)
FIRST, SECOND, THIRD = "CVD-2026-0001", "CVD-2026-0002", "CVD-2026-0003"
HOW: dict[str, Any] = {"by": "Fatima", "now": NOW}
BY = HOW | {"promise": PROMISE}
FOLLOW_UP = replace(REPORT, subject=f"Re: [{FIRST}]", text="And there is more.", files=())
OTHER_REPORTER = replace(FOLLOW_UP, name="Karel", address="karel@anders.example", fingerprint=None)


def suggested(database: Database, received: Received = FOLLOW_UP) -> None:
    """A first ticket, and a second one that names it."""
    reported(database)
    with database.unit_of_work() as session:
        named = named_tickets(session, Claims(numbers=[FIRST]))
        open_ticket(session, received, PROMISE, now=NOW, may_belong_to=named)


def joined(database: Database, reference: str = SECOND, to: str = "", because: str = "") -> None:
    with database.unit_of_work() as session:
        join(session, ticket_called(session, reference), to=to, because=because, **BY)


def closed(session: Session, reference: str) -> None:
    ticket = ticket_called(session, reference)
    acts.invalidate(session, ticket, because="Not seen.", **BY)
    acts.close(session, ticket, reason=CloseReason.NOT_REPRODUCIBLE, because="", **BY)


@pytest.mark.parametrize("to", ["", FIRST, f" {FIRST.lower()} "])
def test_a_joined_ticket_is_a_duplicate_linked_to_the_other(database: Database, to: str) -> None:
    suggested(database)

    joined(database, to=to)

    with database.reading() as session:
        first, second = ticket_called(session, FIRST), ticket_called(session, SECOND)
        assert (second.state, second.close_reason) == (TicketState.CLOSED, CloseReason.DUPLICATE)
        assert second.linked_to == first.id
        assert main_ticket(session, second) is first
        assert tickets_joined_with(session, first) == [second]
        assert open_suggestions(session, second) == []
        assert told(second) == ["opened", "suggested", "routed", "moved", "moved", "moved", "joined"]
        assert told(first)[-1] == "took_in"
        assert first.is_open
        assert clock_of(session, SECOND).next_rung_at is None
        assert [mail.facts for mail in mails(session, MailKind.STATE_CHANGED)] == [
            {"state": "CLOSED", "because": second.history[-2].because}
        ]


@pytest.mark.parametrize("state", [s for s in TicketState if s is not TicketState.CLOSED])
def test_a_ticket_in_any_state_can_be_joined(database: Database, state: TicketState) -> None:
    suggested(database)
    acted = {
        TicketState.INVALID: lambda s, t: acts.invalidate(s, t, because="x", **BY),
        TicketState.VALID: lambda s, t: acts.confirm(s, t, because="", **BY),
        TicketState.ACCEPTED: lambda s, t: acts.accept(s, t, because="", **BY),
        TicketState.DEFERRED: lambda s, t: (
            acts.confirm(s, t, because="", **BY),
            acts.defer(s, t, because="x", **BY),
        ),
    }
    with database.unit_of_work() as session:
        if state in acted:
            acted[state](session, ticket_called(session, SECOND))

    joined(database)

    with database.reading() as session:
        assert ticket_called(session, SECOND).state is TicketState.CLOSED
        told(ticket_called(session, SECOND))


def test_its_response_clock_stops_when_the_reporter_is_told(database: Database) -> None:
    suggested(database)
    joined(database)

    with database.unit_of_work() as session:
        assert clock_of(session, SECOND).stopped_at is None
        [closing] = mails(session, MailKind.STATE_CHANGED)
        was_delivered(session, closing, PROMISE, sealed=True, now=NOW)
        assert clock_of(session, SECOND).stopped_at == NOW
        assert clock_of(session, FIRST).stopped_at is None
        assert clock_of(session, FIRST, ClockKind.SHARE).stopped_at is None


def test_the_reporter_of_both_reads_the_number_and_another_reporter_does_not(database: Database) -> None:
    suggested(database)
    with database.unit_of_work() as session:
        open_ticket(session, OTHER_REPORTER, PROMISE, now=NOW)
    joined(database)
    joined(database, THIRD, FIRST)

    with database.reading() as session:
        [to_both, to_other] = [mail.facts or {} for mail in mails(session, MailKind.STATE_CHANGED)]
        moves = [event.because for event in ticket_called(session, THIRD).history if event.kind == "moved"]
    assert FIRST in to_both["because"]
    assert to_other == {"state": "CLOSED", "because": ""}
    assert [why for why in moves if FIRST in why] == []  # the status page shows them


def test_what_a_handler_writes_is_what_the_reporter_reads(database: Database) -> None:
    suggested(database)
    joined(database, because="Bedankt, dit hoort bij elkaar.")

    with database.reading() as session:
        [mail] = mails(session, MailKind.STATE_CHANGED)
        assert (mail.facts or {})["because"] == "Bedankt, dit hoort bij elkaar."


KAREL, ANONYMOUS = "karel@anders.example", replace(OTHER_REPORTER, name=None, address=None)
FIX_ON = date(2026, 12, 15)


def does(database: Database, act: Any, reference: str = FIRST, **how: Any) -> None:
    """Let a handler do something to a ticket."""
    with database.unit_of_work() as session:
        act(session, ticket_called(session, reference), **(BY | how))


def answers(database: Database, fix_on: date | None = FIX_ON, reference: str = FIRST) -> None:
    why = "" if fix_on else "It depends."
    does(database, acts.answer, reference, text="We know.", fix_on=fix_on, no_date_because=why)


def passed_on(database: Database, reference: str = SECOND) -> list[tuple[str, str, str]]:
    """What the reporter of a joined ticket was mailed: state, reason of closing, expected fix date."""
    with database.reading() as session:
        found = [mail for mail in mails(session, MailKind.PROGRESS) if mail.ticket]
        about = [mail for mail in found if mail.ticket and mail.ticket.reference == reference]
        assert all(mail.recipient == mail.ticket.reporter.address for mail in about if mail.ticket)
        return [
            (facts["state"], facts["reason"], facts["fix_on"]) for facts in (m.facts or {} for m in about)
        ]


def test_what_becomes_of_the_problem_is_told_on_the_joined_ticket_once_each(database: Database) -> None:
    suggested(database, OTHER_REPORTER)
    joined(database)
    assert passed_on(database) == []  # nothing has become of it yet

    answers(database)
    answers(database)  # the same again
    does(database, acts.accept, because="Only for Sanne.")
    answers(database, FIX_ON + timedelta(days=7))
    answers(database, None)
    does(database, acts.defer, because="Only for Sanne.")
    does(database, acts.close, reason=CloseReason.REMEDIATED, because="Only for Sanne.")

    assert passed_on(database) == [
        ("RECEIVED", "", "2026-12-15"),
        ("ACCEPTED", "", "2026-12-15"),
        ("ACCEPTED", "", "2026-12-22"),
        ("ACCEPTED", "", ""),
        ("DEFERRED", "", ""),
        ("CLOSED", "remediated", ""),
    ]
    with database.reading() as session:
        first, second = ticket_called(session, FIRST), ticket_called(session, SECOND)
        assert told(first).count("passed_on") == 6
        assert [entry.facts["to"] for entry in first.history if entry.kind == "passed_on"] == [SECOND] * 6
        assert told(second)[-1] == "joined"
        progress = Progress(TicketState.CLOSED, CloseReason.REMEDIATED)
        assert progress_behind(session, second) == progress
        assert progress_behind(session, first) is None


def test_progress_that_left_stands_in_the_history_and_answers_for_nothing(database: Database) -> None:
    suggested(database, OTHER_REPORTER)
    joined(database)
    answers(database)

    with database.unit_of_work() as session:
        [mail] = mails(session, MailKind.PROGRESS)
        was_delivered(session, mail, PROMISE, sealed=True, now=NOW)
        second = ticket_called(session, SECOND)
        assert second.history[-1].facts["mail"] == "progress"
        assert clock_of(session, SECOND).stopped_at is None  # only its own closing answers it
        assert clock_of(session, FIRST).stopped_at is None


def test_who_is_told_at_joining_what_stands_already(database: Database) -> None:
    suggested(database, OTHER_REPORTER)
    with database.unit_of_work() as session:
        open_ticket(session, replace(OTHER_REPORTER, address="mila@x.example"), PROMISE, now=NOW)
    joined(database, THIRD, SECOND)
    does(database, acts.confirm, because="")
    answers(database)
    joined(database)  # and with it the third, which was joined with the second

    stands = [("VALID", "", "2026-12-15")]
    assert (passed_on(database, SECOND), passed_on(database, THIRD)) == (stands, stands)
    does(database, acts.accept, because="")
    assert (
        passed_on(database, SECOND) == passed_on(database, THIRD) == [*stands, ("ACCEPTED", "", "2026-12-15")]
    )


def test_one_reporter_of_both_hears_of_it_on_the_one(database: Database) -> None:
    suggested(database)
    joined(database)
    answers(database)

    assert passed_on(database) == []
    with database.reading() as session:
        assert len(mails(session, MailKind.ANSWER)) == 1
        assert "passed_on" not in told(ticket_called(session, FIRST))


def test_who_left_no_address_reads_it_on_the_page(database: Database) -> None:
    suggested(database, ANONYMOUS)
    joined(database)
    answers(database)

    with database.reading() as session:
        assert mails(session, MailKind.PROGRESS) == []
        progress = progress_behind(session, ticket_called(session, SECOND))
        assert progress == Progress(fix_on=FIX_ON)
        assert told(ticket_called(session, FIRST))[-1] == "passed_on"


@pytest.mark.parametrize("reason", [CloseReason.WITHDRAWN, CloseReason.NO_RESPONSE, CloseReason.SPAM])
def test_a_reason_that_tells_of_the_other_reporter_is_not_told(
    database: Database, reason: CloseReason
) -> None:
    suggested(database, OTHER_REPORTER)
    joined(database)
    does(database, acts.accept, because="")
    does(database, acts.close, reason=reason, because="")

    assert passed_on(database)[-1] == ("CLOSED", "", "")


def test_a_ticket_that_is_joined_itself_tells_of_the_one_behind_it(database: Database) -> None:
    suggested(database, OTHER_REPORTER)
    with database.unit_of_work() as session:
        open_ticket(session, replace(OTHER_REPORTER, address="mila@x.example"), PROMISE, now=NOW)
    joined(database, SECOND, THIRD)
    joined(database, THIRD, FIRST)

    assert passed_on(database, SECOND) == passed_on(database, THIRD) == []  # not that the third was closed
    answers(database)
    assert passed_on(database, SECOND) == passed_on(database, THIRD) == [("RECEIVED", "", "2026-12-15")]


def test_progress_waits_for_nobody_who_works_on_a_joined_ticket(postgres_database: Database) -> None:
    database = postgres_database
    suggested(database, OTHER_REPORTER)
    joined(database)

    with ThreadPoolExecutor(1) as pool, database.unit_of_work() as session:
        hold(session, ticket_called(session, SECOND))  # such as a message that goes on to the other ticket
        pool.submit(answers, database).result(timeout=60)
        hold(session, ticket_called(session, FIRST))

    assert passed_on(database) == [("RECEIVED", "", "2026-12-15")]


def test_what_comes_in_on_a_joined_ticket_is_told_on_the_other(database: Database) -> None:
    suggested(database, OTHER_REPORTER)
    with database.unit_of_work() as session:
        ticket_called(session, FIRST).waiting_on = WaitingOn.REPORTER
    joined(database)
    with database.reading() as session:
        assert (
            ticket_called(session, FIRST).waiting_on is WaitingOn.HANDLER
        )  # it may be the same one's, from elsewhere

    with database.unit_of_work() as session:
        second = ticket_called(session, SECOND)
        more = replace(OTHER_REPORTER, text="More.")
        message = join_ticket(session, more, Standing(second, "reporter"), PROMISE, now=NOW)

    with database.reading() as session:
        first, second = ticket_called(session, FIRST), ticket_called(session, SECOND)
        assert [one.text for one in second.messages] == [FOLLOW_UP.text, "More."]
        assert [one.text for one in first.messages] == [REPORT.text]
        about = [mail for mail in mails(session, MailKind.MESSAGE) if mail.message_id == message.id]
        assert {mail.ticket.reference for mail in about if mail.ticket} == {SECOND}  # whom a reply is for
        assert [mail.recipient for mail in about] == [FATIMA.address, JEROEN.address, WEB_TEAM]
        assert first.waiting_on is WaitingOn.HANDLER


def test_an_owner_who_has_not_had_it_gets_what_the_reporter_said(database: Database) -> None:
    reported(database)
    with database.unit_of_work() as session:
        add_owner(session, "Network team", "net@voorbeeld.example", "net.voorbeeld.example")
        elsewhere = replace(OTHER_REPORTER, targets=("net.voorbeeld.example",))
        open_ticket(session, elsewhere, PROMISE, now=NOW)
        open_ticket(session, FOLLOW_UP, PROMISE, now=NOW)

    joined(database, SECOND, FIRST)
    joined(database, THIRD, FIRST)

    with database.reading() as session:
        given = [
            (mail.recipient, mail.message.text) for mail in mails(session, MailKind.MESSAGE) if mail.message
        ]
    assert given == [(WEB_TEAM, OTHER_REPORTER.text)]


def test_a_join_with_a_joined_ticket_is_one_with_the_ticket_behind_it(database: Database) -> None:
    suggested(database)
    with database.unit_of_work() as session:
        open_ticket(session, FOLLOW_UP, PROMISE, now=NOW)
    joined(database)
    joined(database, THIRD, SECOND)

    with database.reading() as session:
        first = ticket_called(session, FIRST)
        assert [one.reference for one in tickets_joined_with(session, first)] == [SECOND, THIRD]
        assert ticket_called(session, THIRD).linked_to == first.id


def test_a_closed_ticket_is_only_linked_to(database: Database) -> None:
    suggested(database)
    with database.unit_of_work() as session:
        closed(session, FIRST)
    joined(database)

    with database.reading() as session:
        first, second = ticket_called(session, FIRST), ticket_called(session, SECOND)
        assert second.is_open
        assert second.linked_to == first.id
        assert open_suggestions(session, second) == []
        assert told(second)[-1] == "linked"
        assert main_ticket(session, second) is second
        assert told(first)[-1] != "took_in"


def test_what_cannot_be_joined_is_refused_with_the_way_out(database: Database) -> None:
    suggested(database)
    with database.unit_of_work() as session:
        open_ticket(session, FOLLOW_UP, PROMISE, now=NOW)

    with pytest.raises(UnknownTicket, match="CVD-2026-0099"):
        joined(database, to="CVD-2026-0099")
    with pytest.raises(Refused, match="itself"):
        joined(database, to=SECOND)
    with pytest.raises(Refused, match="fill in the number"):
        joined(database, THIRD)
    joined(database)
    with pytest.raises(Refused, match="is closed"):
        joined(database, to=THIRD)
    with pytest.raises(Refused, match="itself"):
        joined(database, FIRST, SECOND)
    with pytest.raises(Refused, match="nothing is suggested"), database.unit_of_work() as session:
        keep_apart(session, ticket_called(session, SECOND), because="", **HOW)


def test_a_held_copy_for_the_ibd_is_looked_at_before_a_ticket_is_joined(database: Database) -> None:
    suggested(database)
    with database.unit_of_work() as session:
        copy = mails(session, MailKind.IBD_COPY)[1]
        copy.state, copy.problem = MailState.HELD, copies.IN_DOUBT

    with pytest.raises(Refused, match="release it"):
        joined(database)

    with database.reading() as session:
        assert ticket_called(session, SECOND).state is TicketState.RECEIVED
        assert len(open_suggestions(session, ticket_called(session, SECOND))) == 1


def test_a_ticket_kept_apart_goes_on_by_itself(database: Database) -> None:
    suggested(database)
    with database.unit_of_work() as session:
        keep_apart(session, ticket_called(session, SECOND), because="Iets anders.", **HOW)

    with database.reading() as session:
        second = ticket_called(session, SECOND)
        assert second.is_open
        assert open_suggestions(session, second) == []
        assert told(second)[-1] == "kept_apart"
        assert second.history[-1].facts == {"other": FIRST}
        assert mails(session, MailKind.STATE_CHANGED) == []


def test_joining_and_closing_at_once_leave_one_or_the_other(database: Database) -> None:
    suggested(database)
    start = threading.Barrier(2)

    def joins() -> str:
        start.wait()
        try:
            joined(database)
        except Refused as refusal:
            return str(refusal)
        return "joined"

    def closes() -> str:
        start.wait()
        with database.unit_of_work() as session:
            closed(session, FIRST)
        return "closed"

    with ThreadPoolExecutor(2) as pool:
        outcomes = [pool.submit(joins), pool.submit(closes)]
        assert [one.result() for one in outcomes] == ["joined", "closed"]

    with database.reading() as session:
        first, second = ticket_called(session, FIRST), ticket_called(session, SECOND)
        was_joined = main_ticket(session, second) is first
        assert second.is_open is not was_joined
        assert told(second)[-1] == ("joined" if was_joined else "linked")
        assert ("took_in" in told(first)) is was_joined
        assert not first.is_open


def waiting_for_a_lock(database: Database) -> int:
    """How many transactions wait for another one, on PostgreSQL."""
    asked = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    with database.reading() as session:
        return session.scalars(asked).one()


def test_two_tickets_joined_crosswise_at_once_are_joined_once(
    postgres_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = postgres_database
    suggested(database)
    held: list[str] = []

    def holds(session: Session, ticket: Ticket) -> None:
        hold(session, ticket)
        held.append(ticket.reference)
        if len(held) == 1:
            until(lambda: len(held) > 1 or waiting_for_a_lock(database), "the other to hold a ticket or wait")

    def joins(ticket: str, other: str) -> str:
        try:
            joined(database, ticket, other)
        except Refused as refusal:
            return str(refusal)
        return "joined"

    monkeypatch.setattr(joining, "hold", holds)
    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(pool.map(joins, (FIRST, SECOND), (SECOND, FIRST)))

    assert "cannot be joined with itself" in outcomes[0]
    assert outcomes[1] == "joined"


def test_a_join_waits_for_whoever_closes_the_other_ticket(postgres_database: Database) -> None:
    database = postgres_database
    suggested(database)

    with ThreadPoolExecutor(1) as pool:
        with database.unit_of_work() as session:
            closed(session, FIRST)
            session.flush()
            joins = pool.submit(joined, database)
            until(lambda: waiting_for_a_lock(database), "the join to wait for the ticket")
        joins.result()

    with database.reading() as session:
        first, second = ticket_called(session, FIRST), ticket_called(session, SECOND)
        assert second.is_open
        assert told(second)[-1] == "linked"
        assert "took_in" not in told(first)


def test_a_join_and_a_message_at_once_lose_nothing(database: Database) -> None:
    suggested(database)
    start = threading.Barrier(2)

    def joins() -> None:
        start.wait()
        joined(database)

    def writes() -> None:
        start.wait()
        with database.unit_of_work() as session:
            second = ticket_called(session, SECOND)
            join_ticket(session, FOLLOW_UP, Standing(second, "reporter"), PROMISE, now=NOW)

    with ThreadPoolExecutor(2) as pool:
        for one in [pool.submit(joins), pool.submit(writes)]:
            one.result()

    with database.reading() as session:
        first, second = ticket_called(session, FIRST), ticket_called(session, SECOND)
        assert len(second.messages) == 2
        told(first), told(second)
        assert {mail.ticket.reference for mail in mails(session, MailKind.MESSAGE) if mail.ticket} <= {
            FIRST,
            SECOND,
        }


def test_named_tickets_are_suggested_with_their_reason(database: Database) -> None:
    reported(database)
    with database.unit_of_work() as session:
        first = ticket_called(session, FIRST)
        second = open_ticket(session, FOLLOW_UP, PROMISE, now=NOW, may_belong_to=[Named(first, "number")])
        assert second.history[1].facts == {"other": FIRST, "why": "number"}
