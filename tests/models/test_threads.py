"""By what a message finds its ticket: what proves it, what only suggests it, and as whom it is heard."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from meldbalie.models import acts
from meldbalie.models.filing import Received, join_ticket, open_ticket
from meldbalie.models.outbox import MailKind, Thread
from meldbalie.models.session import Database
from meldbalie.models.states import CloseReason
from meldbalie.models.suggestions import open_suggestions
from meldbalie.models.threads import (
    ALIKE,
    FORMER_OWNER,
    MOST_NAMED,
    Claims,
    bare_subject,
    belongs_to_a_ticket,
    named_tickets,
    standing,
    standing_of,
    thread_behind,
    thread_token,
)
from meldbalie.models.ticket import Direction, ticket_called
from meldbalie.tests.models.reports import (
    ADDRESS,
    ARRIVED,
    FATIMA,
    JEROEN,
    PROMISE,
    REPORT,
    WEB_TEAM,
    add_owner,
    mails,
    reported,
    together,
    told,
)
from sqlalchemy import select, update

NOW = ARRIVED + timedelta(hours=1)
FIRST, SECOND = "CVD-2026-0001", "CVD-2026-0002"
PINNED = "C" * 40
OWN_ID = "<report@onderzoek.example>"
FROM_OWNER = Received(arrived_at=NOW, subject="Re", text="Het klopt.", address=WEB_TEAM)


def token_of(database: Database, reference: str, party: str, recipient: str = "") -> str:
    with database.unit_of_work() as session:
        return thread_token(session, ticket_called(session, reference), party, recipient)


def assigned(database: Database, reference: str = FIRST) -> None:
    """Hand the ticket over to the network team."""
    with database.unit_of_work() as session:
        add_owner(session, "Network team", "net@voorbeeld.example")
        ticket = ticket_called(session, reference)
        acts.assign(session, ticket, to="Network team", by="Fatima", because="", now=NOW)


@pytest.mark.parametrize(
    "named", [{"numbers": [FIRST]}, {"message_ids": [OWN_ID]}, {"numbers": ["CVD-2026-0009", FIRST]}]
)
def test_the_pinned_key_of_the_reporter_proves_where_a_message_belongs(
    database: Database, named: dict[str, list[str]]
) -> None:
    reported(database, replace(REPORT, message_id=OWN_ID))

    with database.unit_of_work() as session:
        proved = Claims(**named, signer=PINNED)
        assert belongs_to_a_ticket(session, proved)
        found = standing(session, proved)
        assert found is not None
        assert (found.ticket.reference, found.party) == (FIRST, "reporter")


@pytest.mark.parametrize(
    "claims",
    [
        Claims(numbers=[FIRST]),
        Claims(numbers=[FIRST], signer="D" * 40),
        Claims(message_ids=[OWN_ID]),
        Claims(sender=ADDRESS, subject=REPORT.subject),
        Claims(sender=ADDRESS, subject=REPORT.subject, signer=PINNED),
        Claims(tokens=["A" * 32], numbers=[FIRST]),
        Claims(signer=PINNED),
    ],
)
def test_nothing_less_proves_it(database: Database, claims: Claims) -> None:
    reported(database, replace(REPORT, message_id=OWN_ID))

    with database.unit_of_work() as session:
        assert not belongs_to_a_ticket(session, claims)
        assert standing(session, claims) is None


def test_a_reporter_without_a_key_is_proved_by_no_signature(database: Database) -> None:
    reported(database, replace(REPORT, fingerprint=None))

    with database.reading() as session:
        assert not belongs_to_a_ticket(session, Claims(numbers=[FIRST], signer=PINNED))


def test_what_a_message_names_is_suggested_once_and_with_the_best_reason(database: Database) -> None:
    reported(database, replace(REPORT, message_id=OWN_ID))
    reported(database, replace(REPORT, subject="Something else", message_id="<2@onderzoek.example>"))
    claims = Claims(
        numbers=[SECOND, SECOND, "CVD-2026-0099"],
        message_ids=[OWN_ID, "<unknown@x.example>"],
        sender=ADDRESS.upper(),
        subject=f"Re: AW: [{FIRST}] {REPORT.subject}",
    )

    with database.unit_of_work() as session:
        named = named_tickets(session, claims)
        assert [(one.ticket.reference, one.why) for one in named] == [
            (SECOND, "number"),
            (FIRST, "message_id"),
        ]
        ticket = open_ticket(session, REPORT, PROMISE, now=NOW, may_belong_to=named)
        assert [one.other.reference for one in open_suggestions(session, ticket)] == [SECOND, FIRST]
        assert told(ticket)[:3] == ["opened", "suggested", "suggested"]


@pytest.mark.parametrize(
    ("subject", "is_alike"),
    [
        (REPORT.subject, True),
        (f"RE: re: {REPORT.subject.upper()}", True),
        (f"Antw: {REPORT.subject} (2)", True),
        ("A leak in the payment page", False),
        ("", False),
        ("...", False),
        ("Re: ", False),
    ],
)
def test_the_same_sender_is_suggested_for_much_the_same_subject(
    database: Database, subject: str, is_alike: bool
) -> None:
    reported(database)

    with database.reading() as session:
        named = named_tickets(session, Claims(sender=ADDRESS, subject=subject))
        assert [one.why for one in named] == (["sender"] if is_alike else [])
        assert named_tickets(session, Claims(sender="x@y.example", subject=subject)) == []


def test_a_closed_ticket_is_not_suggested_by_its_sender_and_only_the_latest_are(database: Database) -> None:
    references = [reported(database) for _ in range(MOST_NAMED + 2)]
    with database.unit_of_work() as session:
        last = ticket_called(session, references[-1])
        who: dict[str, Any] = {"by": "Fatima", "because": "x", "promise": PROMISE, "now": NOW}
        acts.invalidate(session, last, **who)
        acts.close(session, last, reason=CloseReason.OBSOLETE, **who)

    with database.reading() as session:
        named = named_tickets(session, Claims(sender=ADDRESS, subject=REPORT.subject))
        assert [one.ticket.reference for one in named] == references[-2 : -2 - MOST_NAMED : -1]
        by_number = named_tickets(session, Claims(numbers=[references[-1]]))
        assert [one.ticket.reference for one in by_number] == [references[-1]]


def test_marks_of_replies_say_nothing() -> None:
    assert bare_subject(" Re: AW: Fwd: [CVD-2026-0001] Re[2]: XSS ") == "xss"
    assert bare_subject("Reading: a leak") == "reading: a leak"
    assert bare_subject("Re:" * 60) == ""
    assert 0.5 < ALIKE < 1


def test_an_owner_loses_the_word_with_the_ticket(database: Database) -> None:
    reported(database)
    token = token_of(database, FIRST, "owner", WEB_TEAM)

    def heard() -> str:
        with database.unit_of_work() as session:
            thread = thread_behind(session, [token])
            assert thread is not None
            return standing_of(session, thread).party

    assert heard() == "owner"
    assigned(database)
    assert heard() == FORMER_OWNER
    assert token_of(database, FIRST, "owner", "net@voorbeeld.example") != token
    assert token_of(database, FIRST, "owner", WEB_TEAM.upper()) == token


def test_a_former_owner_is_heard_by_handlers_only_and_named_as_such(database: Database) -> None:
    reported(database)
    token = token_of(database, FIRST, "owner", WEB_TEAM)
    assigned(database)

    with database.unit_of_work() as session:
        known = standing(session, Claims(tokens=[token]))
        assert known is not None
        message = join_ticket(session, FROM_OWNER, known, PROMISE, now=NOW)
        assert message.direction is Direction.FROM_FORMER_OWNER
        about = [mail for mail in mails(session, MailKind.MESSAGE) if mail.message is message]
        assert [mail.recipient for mail in about] == [FATIMA.address, JEROEN.address]


def test_a_token_of_before_the_upgrade_speaks_for_the_owner_until_a_hand_over(database: Database) -> None:
    reported(database)
    token = token_of(database, FIRST, "owner")
    with database.unit_of_work() as session:
        session.execute(update(Thread).values(owner_id=None))

    def party() -> str:
        with database.unit_of_work() as session:
            found = standing(session, Claims(tokens=[token]))
            return found.party if found else ""

    assert party() == "owner"
    assigned(database)
    assert party() == FORMER_OWNER


@pytest.mark.parametrize(
    ("party", "changes", "doubt"),
    [
        ("reporter", {}, None),
        ("reporter", {"address": ADDRESS.upper()}, None),
        ("reporter", {"address": "eve@elders.example"}, "other_address"),
        ("reporter", {"address": None}, "other_address"),
        ("reporter", {"signer": PINNED}, None),
        ("reporter", {"signer": "D" * 40}, "other_key"),
        ("owner", {"address": WEB_TEAM}, None),
        ("owner", {}, "other_address"),
        ("staff", {"address": "anybody@x.example"}, None),
    ],
)
def test_who_uses_the_token_of_another_is_heard_with_a_doubt(
    database: Database, party: str, changes: dict[str, str | None], doubt: str | None
) -> None:
    reported(database)
    token = token_of(database, FIRST, party, WEB_TEAM if party == "owner" else "")

    with database.unit_of_work() as session:
        known = standing(session, Claims(tokens=[token]))
        assert known is not None
        message = join_ticket(session, replace(REPORT, **changes), known, PROMISE, now=NOW)
        assert message.doubt == doubt
        assert known.ticket.history[-1].facts["doubt"] == doubt


def test_a_key_of_another_address_is_never_taken(database: Database) -> None:
    reported(database, replace(REPORT, fingerprint=None))
    token = token_of(database, FIRST, "reporter")

    with database.unit_of_work() as session:
        known = standing(session, Claims(tokens=[token]))
        assert known is not None
        eve = replace(REPORT, address="eve@elders.example", fingerprint="E" * 40)
        join_ticket(session, eve, known, PROMISE, now=NOW)
        assert known.ticket.reporter.fingerprint is None
        join_ticket(session, replace(REPORT, fingerprint="F" * 40), known, PROMISE, now=NOW)
        assert known.ticket.reporter.fingerprint == "F" * 40


def test_two_messages_of_one_sender_at_once_are_both_filed(database: Database) -> None:
    reported(database)
    token = token_of(database, FIRST, "reporter")

    def joins() -> None:
        with database.unit_of_work() as session:
            known = standing(session, Claims(tokens=[token]))
            assert known is not None
            join_ticket(session, REPORT, known, PROMISE, now=NOW)

    def opens() -> str:
        with database.unit_of_work() as session:
            named = named_tickets(session, Claims(sender=ADDRESS, subject=REPORT.subject))
            return open_ticket(session, REPORT, PROMISE, now=NOW, may_belong_to=named).reference

    together(joins)
    references = together(opens)

    assert len(set(references)) == 4
    with database.reading() as session:
        ticket = ticket_called(session, FIRST)
        assert len(ticket.messages) == 5
        assert told(ticket).count("message") == 4
        for reference in references:
            assert open_suggestions(session, ticket_called(session, reference))


def test_one_party_keeps_one_thread(database: Database) -> None:
    reported(database)

    for party in ("reporter", "staff", "ibd", "owner"):
        assert token_of(database, FIRST, party) == token_of(database, FIRST, party)
    with database.reading() as session:
        assert len(session.scalars(select(Thread)).all()) == 4
