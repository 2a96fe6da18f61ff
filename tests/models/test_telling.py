"""What the desk says beside answers: to the reporter, who waits for one still, and among handlers."""

from typing import Any

import pytest
from meldbalie.models import acts
from meldbalie.models.clocks import ClockKind
from meldbalie.models.delivery import was_delivered
from meldbalie.models.errors import Refused
from meldbalie.models.filing import Received
from meldbalie.models.links import make_link
from meldbalie.models.outbox import MailKind
from meldbalie.models.restraint import Limits, Most, why_held_back
from meldbalie.models.session import Database
from meldbalie.models.states import CloseReason
from meldbalie.models.telling import note, tell_reporter
from meldbalie.models.ticket import Direction, WaitingOn, ticket_called
from meldbalie.models.undeliverable import fails
from meldbalie.tests.models.reports import (
    ADDRESS,
    ANONYMOUS,
    ARRIVED,
    DAY,
    HOUR,
    PROMISE,
    REPORT,
    clock_of,
    everything_about,
    mails,
    reported,
    told,
)

NOW = ARRIVED + HOUR
WHO: dict[str, Any] = {"by": "Fatima", "now": NOW}
MOVES = WHO | {"promise": PROMISE}
WORDS = "We look at the logs of the search form."


def tell(database: Database, reference: str, *, asks: bool, text: str = WORDS, **how: Any) -> None:
    with database.unit_of_work() as session:
        tell_reporter(session, ticket_called(session, reference), text=text, asks=asks, **{**MOVES, **how})


def close(database: Database, reference: str) -> None:
    with database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        acts.accept(session, ticket, because="", **MOVES)
        acts.close(session, ticket, reason=CloseReason.REMEDIATED, because="", **MOVES)


@pytest.mark.parametrize(("asks", "kind"), [(False, MailKind.TOLD), (True, MailKind.ASKED)])
def test_a_message_to_the_reporter_is_mailed_and_names_no_handler(
    database: Database, asks: bool, kind: MailKind
) -> None:
    reference = reported(database)

    tell(database, reference, asks=asks)

    with database.reading() as session:
        ticket = ticket_called(session, reference)
        [mail] = mails(session, kind)
        assert (mail.recipient, mail.party, mail.facts) == (ADDRESS, "reporter", {})
        assert mail.message is ticket.messages[-1]
        assert (mail.message.direction, mail.message.text) == (Direction.TO_REPORTER, WORDS)
        assert told(ticket)[-2 if asks else -1 :] == (["asked", "waiting"] if asks else ["told"])
        assert all(WORDS not in (entry.because, *entry.facts.values()) for entry in ticket.history)


def test_who_is_asked_is_waited_for_and_who_is_told_is_not(database: Database) -> None:
    waits, goes_on = reported(database), reported(database)

    tell(database, waits, asks=True)
    tell(database, goes_on, asks=False)

    with database.reading() as session:
        assert ticket_called(session, waits).waiting_on is WaitingOn.REPORTER
        assert ticket_called(session, goes_on).waiting_on is WaitingOn.HANDLER
        assert clock_of(session, waits, ClockKind.UPDATE).paused_since == NOW
        assert clock_of(session, goes_on, ClockKind.UPDATE).paused_since is None
        assert clock_of(session, waits).paused_since is None  # the response clock never stands still


@pytest.mark.parametrize("asks", [False, True])
def test_a_delivered_message_ends_the_silence_and_is_no_answer(database: Database, asks: bool) -> None:
    reference = reported(database)
    tell(database, reference, asks=asks)

    with database.unit_of_work() as session:
        [mail] = mails(session, MailKind.ASKED if asks else MailKind.TOLD)
        was_delivered(session, mail, PROMISE, sealed=True, now=NOW + HOUR)

    with database.reading() as session:
        assert clock_of(session, reference, ClockKind.UPDATE).started_at == NOW + HOUR
        response = clock_of(session, reference)
        assert (response.started_at, response.stopped_at) == (ARRIVED, None)


def test_two_questions_are_two_mails_and_one_wait(database: Database) -> None:
    reference = reported(database)

    tell(database, reference, asks=True)
    tell(database, reference, asks=True, text="Which browser?", now=NOW + HOUR)

    with database.reading() as session:
        assert len(mails(session, MailKind.ASKED)) == 2
        assert told(ticket_called(session, reference)).count("waiting") == 1
        assert clock_of(session, reference, ClockKind.UPDATE).paused_since == NOW


def test_without_an_address_it_stands_on_the_page_that_the_link_opens(database: Database) -> None:
    reference = reported(database, ANONYMOUS)
    with database.unit_of_work() as session:
        make_link(session, ticket_called(session, reference), at=ARRIVED)

    tell(database, reference, asks=True)

    with database.reading() as session:
        ticket = ticket_called(session, reference)
        assert mails(session, MailKind.ASKED, MailKind.TOLD) == []
        assert (ticket.history[-1].kind, ticket.history[-1].facts) == ("published", {"what": "asked"})
        assert clock_of(session, reference, ClockKind.UPDATE).started_at == NOW
        assert clock_of(session, reference).stopped_at is None


def test_nobody_waits_for_one_who_cannot_be_asked(database: Database) -> None:
    reference = reported(database, ANONYMOUS)

    before = everything_about(database, reference)
    with pytest.raises(Refused, match="nobody can be asked"):
        tell(database, reference, asks=True)
    assert everything_about(database, reference) == before

    tell(database, reference, asks=False)
    with database.reading() as session:
        assert ticket_called(session, reference).history[-1].kind == "unreachable"


@pytest.mark.parametrize(("has_link", "waits_for"), [(True, WaitingOn.REPORTER), (False, WaitingOn.HANDLER)])
def test_what_is_not_confirmed_waits_for_a_reporter_who_can_read_so(
    database: Database, has_link: bool, waits_for: WaitingOn
) -> None:
    reference = reported(database, ANONYMOUS)
    who: dict[str, Any] = {"by": "Fatima", "because": "How?", "promise": PROMISE, "now": NOW}
    with database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        if has_link:
            make_link(session, ticket, at=ARRIVED)
        acts.invalidate(session, ticket, **who)

    with database.reading() as session:
        assert ticket_called(session, reference).waiting_on is waits_for


@pytest.mark.parametrize("text", ["", " \n"])
@pytest.mark.parametrize("asks", [False, True])
def test_a_message_without_words_is_refused(database: Database, asks: bool, text: str) -> None:
    reference = reported(database)
    before = everything_about(database, reference)

    with pytest.raises(Refused, match="no text"):
        tell(database, reference, asks=asks, text=text)

    assert everything_about(database, reference) == before


@pytest.mark.parametrize("asks", [False, True])
def test_on_a_closed_ticket_nothing_but_a_note_is_written(database: Database, asks: bool) -> None:
    reference = reported(database)
    close(database, reference)
    before = everything_about(database, reference)

    with pytest.raises(Refused, match="closed"):
        tell(database, reference, asks=asks)
    assert everything_about(database, reference) == before

    with database.unit_of_work() as session:
        note(session, ticket_called(session, reference), text="Mind the cache.", **WHO)
    with database.reading() as session:
        assert told(ticket_called(session, reference))[-1] == "noted"


def test_a_note_lies_sealed_in_the_history_and_nobody_is_mailed(database: Database) -> None:
    reference = reported(database)
    with database.reading() as session:
        before = len(mails(session)), len(ticket_called(session, reference).messages)

    with database.unit_of_work() as session:
        note(session, ticket_called(session, reference), text="The supplier knows it.", **WHO)

    with database.reading() as session:
        ticket = ticket_called(session, reference)
        entry = ticket.history[-1]
        assert (entry.kind, entry.actor, entry.because) == ("noted", "Fatima", "The supplier knows it.")
        assert entry.facts == {}
        assert (len(mails(session)), len(ticket.messages)) == before


@pytest.mark.parametrize("text", ["", "\t"])
def test_a_note_without_words_is_refused(database: Database, text: str) -> None:
    reference = reported(database)

    with database.unit_of_work() as session, pytest.raises(Refused, match="no text"):
        note(session, ticket_called(session, reference), text=text, **WHO)


def test_a_link_is_given_with_the_first_words_to_who_had_none(database: Database) -> None:
    automatic = Received(**{**vars(REPORT), "may_be_answered": False})
    reference = reported(database, automatic)

    tell(database, reference, asks=False)

    with database.reading() as session:
        assert [mail.kind for mail in mails(session, MailKind.RECEIPT, MailKind.TOLD)] == [
            MailKind.RECEIPT,
            MailKind.TOLD,
        ]


def test_what_a_human_wrote_leaves_even_to_an_address_that_failed(database: Database) -> None:
    reference = reported(database)
    tell(database, reference, asks=True)

    with database.unit_of_work() as session:
        [receipt], [question] = mails(session, MailKind.RECEIPT), mails(session, MailKind.ASKED)
        fails(session, ADDRESS, mail_id=receipt.id, now=NOW)
        limits = Limits([Most(0, DAY)], [Most(0, DAY)])
        assert why_held_back(session, receipt, limits) is not None
        assert why_held_back(session, question, limits) is None
