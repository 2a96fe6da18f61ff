"""What handlers do: one verb, one change, one mail to the reporter; and what is refused changes nothing."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from meldbalie.models import acts
from meldbalie.models.clocks import ClockKind
from meldbalie.models.errors import AnswerIncomplete, IllegalMove, Refused
from meldbalie.models.filing import Received
from meldbalie.models.links import SecretLink, make_link, token_hash
from meldbalie.models.outbox import MailKind, MailState, Thread
from meldbalie.models.session import Database
from meldbalie.models.states import (
    NEXT_STATES,
    OF_A_PROBLEM,
    PASSED_THROUGH,
    CloseReason,
    TicketState,
    reasons_to_close,
)
from meldbalie.models.threads import FORMER_OWNER, standing_of
from meldbalie.models.ticket import Direction, Ticket, WaitingOn, ticket_called
from meldbalie.tests.models.reports import (
    ADDRESS,
    ANONYMOUS,
    ARRIVED,
    HOUR,
    PROMISE,
    REPORT,
    WEB_TEAM,
    add_owner,
    clock_of,
    everything_about,
    mails,
    reported,
    together,
    told,
)
from sqlalchemy import select
from sqlalchemy.orm import Session

NOW = ARRIVED + HOUR / 2
TODAY = PROMISE.local_day(NOW)
WHO: dict[str, Any] = {"by": "Fatima", "now": NOW}
MOVES = WHO | {"promise": PROMISE}
S = TicketState
TO_REPORTER = (MailKind.ANSWER, MailKind.STATE_CHANGED)


def answer(session: Session, ticket: Ticket, **changes: Any) -> Any:
    said = {"text": "Thank you.", "fix_on": date(2026, 12, 1), "no_date_because": ""}
    return acts.answer(session, ticket, **{**said, **MOVES, **changes})


def close(session: Session, ticket: Ticket, reason: CloseReason = CloseReason.REMEDIATED) -> None:
    acts.close(session, ticket, reason=reason, because="done", **MOVES)


def act(database: Database, reference: str, verb: Callable[..., Any], *more: Any, **how: Any) -> None:
    """Do something to a ticket in a transaction of its own."""
    with database.unit_of_work() as session:
        verb(session, ticket_called(session, reference), *more, **how)


def simply(verb: Callable[..., Any], because: str = "so") -> Callable[[Session, Ticket], Any]:
    return lambda session, ticket: verb(session, ticket, because=because, **MOVES)


CONFIRM, ACCEPT = simply(acts.confirm), simply(acts.accept)
INVALIDATE, DEFER = simply(acts.invalidate), simply(acts.defer)
#: By which verbs a ticket comes from RECEIVED to each state.
WAY = {
    S.RECEIVED: [],
    S.INVALID: [INVALIDATE],
    S.VALID: [CONFIRM],
    S.ACCEPTED: [ACCEPT],
    S.DEFERRED: [CONFIRM, DEFER],
    S.CLOSED: [ACCEPT, close],
}
OPEN = set(S) - {S.CLOSED}
#: Where each verb leads, and from which states.
VERBS = {
    "confirm": (CONFIRM, S.VALID, {S.RECEIVED, S.INVALID}),
    "invalidate": (INVALIDATE, S.INVALID, {S.RECEIVED}),
    "accept": (ACCEPT, S.ACCEPTED, {S.RECEIVED, S.INVALID, S.VALID, S.DEFERRED}),
    "defer": (DEFER, S.DEFERRED, {S.VALID, S.ACCEPTED}),
    "close": (lambda session, ticket: close(session, ticket, CloseReason.OBSOLETE), S.CLOSED, OPEN),
}


def ticket_in(database: Database, state: TicketState, received: Received = REPORT) -> str:
    reference = reported(database, received)
    for verb in WAY[state]:
        act(database, reference, verb)
    return reference


def refused(database: Database, reference: str, verb: Callable[..., Any], **how: Any) -> Refused:
    """See that something is refused and that nothing of it was done."""
    before = everything_about(database, reference)
    with pytest.raises(Refused) as refusal:
        act(database, reference, verb, **how)
    assert everything_about(database, reference) == before
    return refusal.value


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("state", TicketState)
def test_a_verb_does_what_the_state_allows_and_tells_the_reporter_once(
    sqlite_database: Database, state: TicketState, verb: str
) -> None:
    do, leads_to, allowed = VERBS[verb]
    reference = ticket_in(sqlite_database, state)
    with sqlite_database.reading() as session:
        before = len(mails(session, *TO_REPORTER))

    if state not in allowed:
        assert isinstance(refused(sqlite_database, reference, do), IllegalMove)
        return
    act(sqlite_database, reference, do)

    with sqlite_database.reading() as session:
        ticket = ticket_called(session, reference)
        assert ticket.state is leads_to
        new = mails(session, *TO_REPORTER)[before:]
        assert [(mail.recipient, mail.party, mail.facts) for mail in new] == [
            (ADDRESS, "reporter", {"state": leads_to.value, "because": "done" if verb == "close" else "so"})
        ]
        assert [kind for kind in told(ticket) if kind != "waiting"][-1] == "moved"
    if verb not in ("accept", "close"):
        assert (leads_to in NEXT_STATES[state]) is True


def test_a_refusal_leaves_even_the_uncommitted_ticket_as_it_was(database: Database) -> None:
    reference = ticket_in(database, S.CLOSED)

    with database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        version, length = ticket.version, len(ticket.history)
        for verb in (CONFIRM, INVALIDATE, ACCEPT, DEFER, close, answer):
            with pytest.raises(Refused):
                verb(session, ticket)
        session.flush()
        assert (ticket.version, len(ticket.history)) == (version, length)
        assert (ticket.close_reason, ticket.waiting_on) == (CloseReason.REMEDIATED, WaitingOn.OWNER)


def test_a_report_that_is_accepted_at_once_was_confirmed_by_that(database: Database) -> None:
    reference = ticket_in(database, S.ACCEPTED)

    with database.reading() as session:
        moves = [entry.facts for entry in ticket_called(session, reference).history if entry.kind == "moved"]
        assert moves == [{"from": "RECEIVED", "to": "VALID"}, {"from": "VALID", "to": "ACCEPTED"}]
        assert len(mails(session, MailKind.STATE_CHANGED)) == 1


def test_several_verbs_in_one_transaction_are_several_mails(database: Database) -> None:
    reference = reported(database)

    with database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        for verb in (CONFIRM, DEFER, ACCEPT, DEFER, ACCEPT, answer, answer, close):
            verb(session, ticket)

    with database.reading() as session:
        assert len(mails(session, MailKind.STATE_CHANGED)) == 6
        assert len(mails(session, MailKind.ANSWER)) == 2


@pytest.mark.parametrize(
    ("state", "waits_for"),
    [(S.INVALID, WaitingOn.REPORTER), (S.VALID, WaitingOn.HANDLER), (S.ACCEPTED, WaitingOn.OWNER)],
)
def test_a_state_says_who_is_waited_for(database: Database, state: TicketState, waits_for: WaitingOn) -> None:
    reference = ticket_in(database, state)

    with database.reading() as session:
        assert ticket_called(session, reference).waiting_on is waits_for


def test_a_report_that_is_confirmed_after_all_waits_for_the_reporter_no_longer(database: Database) -> None:
    reference = ticket_in(database, S.INVALID)

    act(database, reference, CONFIRM)

    with database.reading() as session:
        assert ticket_called(session, reference).waiting_on is WaitingOn.HANDLER


@pytest.mark.parametrize("verb", [acts.invalidate, acts.defer])
def test_what_disappoints_the_reporter_needs_a_reason(database: Database, verb: Any) -> None:
    reference = ticket_in(database, S.RECEIVED if verb is acts.invalidate else S.VALID)

    assert "the reporter is told the reason" in str(refused(database, reference, simply(verb, " \n")))


@pytest.mark.parametrize("reason", CloseReason)
def test_a_ticket_is_closed_with_its_reason(sqlite_database: Database, reason: CloseReason) -> None:
    reference = ticket_in(sqlite_database, S.ACCEPTED)

    act(sqlite_database, reference, close, reason)

    with sqlite_database.reading() as session:
        ticket = ticket_called(session, reference)
        assert (ticket.state, ticket.close_reason, ticket.closed_at) == (S.CLOSED, reason, NOW)
        clock = clock_of(session, reference)
        assert (clock.stopped_at, clock.next_rung_at) == (None, None)


def moves_of(ticket: Ticket) -> list[tuple[str, str]]:
    """The states that a ticket came into, each with the reason."""
    return [(entry.facts["to"], entry.because) for entry in ticket.history if entry.kind == "moved"]


@pytest.mark.parametrize(
    ("state", "reason", "through"),
    [
        (S.RECEIVED, CloseReason.SPAM, "INVALID"),
        (S.RECEIVED, CloseReason.OUT_OF_SCOPE, "INVALID"),
        (S.RECEIVED, CloseReason.WITHDRAWN, "INVALID"),
        (S.RECEIVED, CloseReason.DUPLICATE, "VALID DEFERRED"),
        (S.INVALID, CloseReason.NO_RESPONSE, ""),
        (S.VALID, CloseReason.OUT_OF_SCOPE, "DEFERRED"),
        (S.VALID, CloseReason.RISK_ACCEPTED, "DEFERRED"),
        (S.VALID, CloseReason.REMEDIATED, "ACCEPTED"),
        (S.VALID, CloseReason.MITIGATED, "ACCEPTED"),
        (S.DEFERRED, CloseReason.OBSOLETE, ""),
    ],
)
def test_a_ticket_is_closed_in_one_act_from_where_it_stands(
    database: Database, state: TicketState, reason: CloseReason, through: str
) -> None:
    reference = ticket_in(database, state)
    with database.reading() as session:
        mailed, moved = len(mails(session, *TO_REPORTER)), len(moves_of(ticket_called(session, reference)))

    act(database, reference, close, reason)

    with database.reading() as session:
        ticket = ticket_called(session, reference)
        assert moves_of(ticket)[moved:] == [
            *((passed, PASSED_THROUGH) for passed in through.split()),
            ("CLOSED", "done"),
        ]
        assert [mail.facts for mail in mails(session, *TO_REPORTER)[mailed:]] == [
            {"state": "CLOSED", "because": "done"}
        ]
        assert ticket.waiting_on is not WaitingOn.REPORTER or state is S.INVALID


@pytest.mark.parametrize("state", [S.RECEIVED, S.INVALID])
@pytest.mark.parametrize("reason", sorted(OF_A_PROBLEM))
def test_that_there_was_a_problem_is_confirmed_before_it_is_closed_as_solved(
    database: Database, reason: CloseReason, state: TicketState
) -> None:
    reference = ticket_in(database, state)

    refusal = str(refused(database, reference, lambda session, ticket: close(session, ticket, reason)))

    assert "says that there was a problem: confirm or accept it first" in refusal
    assert reason not in reasons_to_close(state)
    assert set(CloseReason) == {*reasons_to_close(S.VALID)}


def test_the_ibd_still_gets_the_copy_of_a_ticket_that_was_closed_quickly(database: Database) -> None:
    reference = ticket_in(database, S.CLOSED)

    with database.reading() as session:
        assert clock_of(session, reference, ClockKind.SHARE).next_rung_at == ARRIVED + HOUR
        assert mails(session, MailKind.IBD_COPY)[0].state is MailState.WAITING


def test_what_a_human_calls_spam_is_not_shared(database: Database) -> None:
    reference = ticket_in(database, S.INVALID)

    act(database, reference, close, CloseReason.SPAM)

    with database.reading() as session:
        share = clock_of(session, reference, ClockKind.SHARE)
        assert (share.stopped_at, share.next_rung_at) == (NOW, None)
        assert mails(session, MailKind.IBD_COPY)[0].state is MailState.HELD
        assert len(mails(session, MailKind.STATE_CHANGED)) == 2


def test_closing_the_ticket_of_somebody_without_an_address_is_an_answer_at_once(database: Database) -> None:
    reference = ticket_in(database, S.CLOSED, ANONYMOUS)

    with database.reading() as session:
        assert clock_of(session, reference).stopped_at == NOW
        assert mails(session, *TO_REPORTER) == []


def test_an_answer_carries_the_date_or_the_reason(database: Database) -> None:
    reference = reported(database)
    act(database, reference, answer)
    act(database, reference, answer, fix_on=None, no_date_because="the supplier has not said")

    with database.reading() as session:
        ticket = ticket_called(session, reference)
        assert [mail.facts for mail in mails(session, MailKind.ANSWER)] == [
            {"fix_on": "2026-12-01", "no_date_because": ""},
            {"fix_on": "", "no_date_because": "the supplier has not said"},
        ]
        assert [message.direction for message in ticket.messages] == [
            Direction.FROM_REPORTER,
            Direction.TO_REPORTER,
            Direction.TO_REPORTER,
        ]
        assert told(ticket)[-2:] == ["answered", "answered"]


def test_an_answer_without_a_date_takes_the_earlier_date_back(database: Database) -> None:
    reference = reported(database)
    act(database, reference, answer)
    act(database, reference, answer, fix_on=None, no_date_because="the supplier has not said")

    with database.reading() as session:
        ticket = ticket_called(session, reference)
        assert ticket.expected_fix_on is None
        assert [entry.facts["fix_on"] for entry in ticket.history[-2:]] == ["2026-12-01", ""]


@pytest.mark.parametrize(
    "missing",
    [
        {"text": " \n"},
        {"fix_on": None},
        {"fix_on": None, "no_date_because": "  "},
        {"fix_on": TODAY - timedelta(days=1)},
    ],
)
def test_an_incomplete_answer_is_refused(database: Database, missing: dict[str, Any]) -> None:
    reference = reported(database)

    assert isinstance(refused(database, reference, answer, **missing), AnswerIncomplete)


def test_a_fix_may_be_promised_for_the_day_that_it_is_here(database: Database) -> None:
    reference = reported(database)
    late = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)  # 00:30 on the 21st in Amsterdam
    here = {"now": late}

    refused(database, reference, answer, fix_on=date(2026, 11, 20), **here)
    act(database, reference, answer, fix_on=date(2026, 11, 21), **here)


def test_a_closed_ticket_is_not_answered(database: Database) -> None:
    reference = ticket_in(database, S.CLOSED)

    assert "linked" in str(refused(database, reference, answer))


def links(database: Database, reference: str, *, revoked: bool = False) -> None:
    """Give somebody a secret link to a ticket."""
    with database.unit_of_work() as session:
        make_link(session, ticket_called(session, reference), at=NOW)
        session.scalars(select(SecretLink)).one().revoked_at = NOW if revoked else None


def test_an_answer_to_somebody_without_an_address_stands_on_the_page_of_their_link(
    database: Database,
) -> None:
    reference = reported(database, ANONYMOUS)
    links(database, reference)
    act(database, reference, answer)

    with database.reading() as session:
        ticket = ticket_called(session, reference)
        assert clock_of(session, reference).stopped_at == NOW
        assert told(ticket)[-3:] == ["answered", "published", "clock_stands"]
        assert ticket.history[-1].facts == {"clock": "response", "in_time": True}


@pytest.mark.parametrize("revoked", [None, True], ids=["no link", "a revoked link"])
def test_an_answer_that_nobody_can_read_is_not_published_and_the_clock_ends(
    database: Database, revoked: bool | None
) -> None:
    reference = reported(database, ANONYMOUS)
    if revoked:
        links(database, reference, revoked=True)
    act(database, reference, answer)
    for verb in (simply(acts.confirm), simply(acts.defer), close):
        act(database, reference, verb)

    with database.reading() as session:
        ticket = ticket_called(session, reference)
        clock = clock_of(session, reference)
        assert (clock.stopped_at, clock.next_rung_at) == (NOW, None)
        assert "published" not in told(ticket)
        unreached = [entry.facts for entry in ticket.history if entry.kind == "unreachable"]
        assert unreached[0] == {"what": "answer", "fix_on": str(ticket.expected_fix_on or "")}
        assert unreached[1:] == [{"what": "state"}, {"what": "state"}, {"what": "closing"}]


def assign(session: Session, ticket: Ticket, to: str, by: str = "Fatima") -> None:
    acts.assign(session, ticket, to=to, because="theirs", team=PROMISE.triage, by=by, now=NOW)


def test_a_new_owner_gets_the_report_each_time_that_it_becomes_theirs(database: Database) -> None:
    reference = reported(database)
    with database.unit_of_work() as session:
        add_owner(session, "Supplier", "cert@leverancier.example")

    for name in ("Supplier", "Web team", "Supplier"):
        act(database, reference, assign, name)

    with database.reading() as session:
        given = [mail.recipient for mail in mails(session, MailKind.OWNER_REPORT)]
        assert given == [WEB_TEAM, "cert@leverancier.example", WEB_TEAM, "cert@leverancier.example"]
        ticket = ticket_called(session, reference)
        assert told(ticket)[-3:] == ["assigned"] * 3
        assert ticket.history[-1].facts == {"from": "Web team", "to": "Supplier"}
        assert mails(session, *TO_REPORTER) == []


def test_owners_who_share_an_address_can_hand_a_ticket_to_each_other(database: Database) -> None:
    reference = reported(database)
    with database.unit_of_work() as session:
        add_owner(session, "Web team, night", WEB_TEAM)

    act(database, reference, assign, "Web team, night")

    with database.reading() as session:
        assert len(mails(session, MailKind.OWNER_REPORT)) == 2


def test_a_ticket_is_not_assigned_to_nobody_nor_to_whoever_has_it(database: Database) -> None:
    reference = reported(database)

    assert "known are: Web team, Fatima, Jeroen" in str(refused(database, reference, assign, to="Nobody"))
    assert "already with Web team" in str(refused(database, reference, assign, to="Web team"))
    act(database, reference, ACCEPT)
    act(database, reference, close)
    assert isinstance(refused(database, reference, assign, to="Web team"), IllegalMove)


def test_without_a_directory_the_refusal_says_so(database: Database) -> None:
    reference = reported(database, owner=None)

    assert "none yet" in str(refused(database, reference, acts.assign, to="Web team", because="", **WHO))


def test_a_handler_gets_a_ticket_to_work_on_and_its_owner_stays_the_owner(database: Database) -> None:
    reference = reported(database)

    act(database, reference, assign, "Jeroen")
    act(database, reference, assign, "Fatima")

    with database.reading() as session:
        ticket = ticket_called(session, reference)
        assert (ticket.handler, ticket.owner_name) == ("Fatima", "Web team")
        [mail] = mails(session, MailKind.ASSIGNED)  # who takes a ticket needs no mail of it
        assert (mail.recipient, mail.party) == ("jeroen@voorbeeld.example", "staff")
        assert mail.facts == {"by": "Fatima", "because": "theirs"}
        assert told(ticket)[-2:] == ["assigned"] * 2
        assert ticket.history[-1].facts == {"handler": "Fatima", "was": "Jeroen"}
        assert len(mails(session, MailKind.OWNER_REPORT)) == 1
    assert "already with Fatima" in str(refused(database, reference, assign, to="Fatima"))
    assert mailed_anew(database, reference) == 2


def mailed_anew(database: Database, reference: str) -> int:
    """How many mails say so when the ticket goes to Jeroen again."""
    act(database, reference, assign, "Jeroen", by="Team lead")
    with database.reading() as session:
        return len(mails(session, MailKind.ASSIGNED))


def test_a_name_of_an_owner_and_of_a_handler_is_the_owners(database: Database) -> None:
    reference = reported(database)
    with database.unit_of_work() as session:
        add_owner(session, "Jeroen", "cert@leverancier.example")

    act(database, reference, assign, "Jeroen")

    with database.reading() as session:
        ticket = ticket_called(session, reference)
        assert (ticket.handler, ticket.owner_name) == (None, "Jeroen")


def test_a_ticket_that_goes_to_a_handler_does_not_silence_its_owner(database: Database) -> None:
    reference = reported(database)
    with database.unit_of_work() as session:
        thread = Thread(
            ticket=ticket_called(session, reference), party="owner", token="t", token_hash=token_hash("t")
        )
        session.add(thread)
        assert standing_of(session, thread).party == "owner"

        assign(session, thread.ticket, "Jeroen")
        assert standing_of(session, thread).party == "owner"

        add_owner(session, "Supplier", "cert@leverancier.example")
        assign(session, thread.ticket, "Supplier")
        assert standing_of(session, thread).party == FORMER_OWNER


def test_only_a_copy_that_waits_for_somebody_is_released(database: Database) -> None:
    reference = reported(database)

    refused(database, reference, acts.release_copy, **WHO)
    with database.unit_of_work() as session:
        mails(session, MailKind.IBD_COPY)[0].state = MailState.PARKED
    act(database, reference, acts.release_copy, **WHO)

    with database.reading() as session:
        copy = mails(session, MailKind.IBD_COPY)[0]
        assert (copy.state, copy.next_try_at, copy.facts) == (MailState.WAITING, NOW, {"released": True})
        assert told(ticket_called(session, reference))[-1] == "released"


def test_a_copy_that_is_held_for_its_content_is_not_released_by_a_confirmation(database: Database) -> None:
    reference = reported(database)
    with database.unit_of_work() as session:
        copy = mails(session, MailKind.IBD_COPY)[0]
        copy.state, copy.problem = MailState.HELD, "still_identifies"

    act(database, reference, CONFIRM)

    with database.reading() as session:
        assert mails(session, MailKind.IBD_COPY)[0].state is MailState.HELD


def test_of_two_handlers_at_once_one_moves_the_ticket_and_the_other_is_refused(database: Database) -> None:
    reference = reported(database)

    def move() -> bool:
        try:
            act(database, reference, CONFIRM)
        except IllegalMove:
            return False
        return True

    assert sorted(together(move)) == [False, False, False, True]
    with database.reading() as session:
        assert len(mails(session, MailKind.STATE_CHANGED)) == 1
        assert told(ticket_called(session, reference)).count("moved") == 1


def test_answers_at_once_are_all_written(database: Database) -> None:
    reference = reported(database)

    together(lambda: act(database, reference, answer))

    with database.reading() as session:
        assert told(ticket_called(session, reference)).count("answered") == 4
        assert len(mails(session, MailKind.ANSWER)) == 4


def test_the_owner_who_had_a_ticket_is_told_who_has_it_now(database: Database) -> None:
    reference = reported(database)
    with database.unit_of_work() as session:
        add_owner(session, "Network team", "network@voorbeeld.example")

    act(database, reference, acts.assign, to="Network team", because="Theirs.", **WHO)
    act(database, reference, acts.assign, to="Fatima", because="", team=PROMISE.triage, **WHO)

    with database.reading() as session:
        [told_so] = mails(session, MailKind.HANDED_OVER)
        assert (told_so.recipient, told_so.party, told_so.facts) == (
            WEB_TEAM,
            "owner",
            {"owner": "Network team"},
        )
        assert told_so.message is None
