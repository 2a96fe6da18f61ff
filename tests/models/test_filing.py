"""A report becomes a ticket with all that follows, or nothing at all."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from meldbalie.models import acts
from meldbalie.models.clocks import ClockKind
from meldbalie.models.filing import (
    ReceivedFile,
    decide,
    join_ticket,
    open_ticket,
)
from meldbalie.models.ledger import LedgerEntry, Place, Verdict, enter
from meldbalie.models.links import new_token, ticket_behind
from meldbalie.models.outbox import Mail, MailKind, MailState, Thread, write_mail
from meldbalie.models.owners import Owner
from meldbalie.models.promise import Correspondent
from meldbalie.models.session import Database
from meldbalie.models.states import CloseReason, TicketState
from meldbalie.models.threads import MOST_TOKENS, standing_of, thread_behind, thread_token
from meldbalie.models.ticket import Direction, Ticket, WaitingOn, ticket_called
from meldbalie.tests.models.reports import (
    ADDRESS,
    ANONYMOUS,
    ARRIVED,
    DUE,
    FATIMA,
    HOUR,
    IBD,
    JEROEN,
    NAME,
    PROMISE,
    REPORT,
    SENTENCE,
    WEB_TEAM,
    add_owner,
    clock_of,
    mails,
    reported,
    together,
    told,
)
from sqlalchemy import select, text

NOW = ARRIVED + timedelta(minutes=1)
FURTHER = replace(REPORT, subject="More", text="And the other form as well.", files=(), targets=())


def joined(database: Database, reference: str, party: str = "reporter", promise=PROMISE) -> list[Mail]:
    """Join a message by the thread of a party; gives the mails that tell of it."""
    with database.unit_of_work() as session:
        token = thread_token(session, ticket_called(session, reference), party)
        session.flush()
        thread = thread_behind(session, [token])
        assert thread is not None
        join_ticket(session, FURTHER, standing_of(session, thread), promise, now=NOW + HOUR)
        return mails(session, MailKind.MESSAGE)


def test_a_report_becomes_a_ticket_with_its_clocks_history_and_mails(database: Database) -> None:
    reference = reported(database)

    with database.reading() as session:
        ticket = ticket_called(session, reference)
        assert (reference, ticket.state, ticket.arrived_at) == (
            "CVD-2026-0001",
            TicketState.RECEIVED,
            ARRIVED,
        )
        assert told(ticket) == ["opened", "routed"]
        assert clock_of(session, reference).due_at == DUE
        assert clock_of(session, reference, ClockKind.SHARE).due_at == ARRIVED + HOUR
        assert ticket.owner is not None
        assert ticket.owner.address == WEB_TEAM
        assert ticket.report.attachments[0].content == b"\x89PNG"
        written = [(mail.kind, mail.party, mail.recipient, mail.state) for mail in mails(session)]
    assert sorted(written) == [
        (MailKind.HANDLER_REPORT, "staff", FATIMA.address, MailState.WAITING),
        (MailKind.HANDLER_REPORT, "staff", JEROEN.address, MailState.WAITING),
        (MailKind.IBD_COPY, "ibd", IBD.address, MailState.WAITING),
        (MailKind.OWNER_REPORT, "owner", WEB_TEAM, MailState.WAITING),
        (MailKind.RECEIPT, "reporter", ADDRESS, MailState.WAITING),
    ]


def test_the_receipt_carries_a_link_that_opens_the_ticket(database: Database) -> None:
    reference = reported(database)

    with database.reading() as session:
        facts = mails(session, MailKind.RECEIPT)[0].facts or {}
        opened = ticket_behind(session, facts["link"])
        assert opened is not None
        assert opened.reference == reference


def test_nothing_of_a_report_or_its_reporter_lies_in_the_clear(database: Database) -> None:
    reference = reported(database, replace(REPORT, text=f"{SENTENCE} {NAME}"))
    joined(database, reference)
    with database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        who: dict[str, Any] = {
            "by": "Fatima",
            "promise": PROMISE,
            "now": NOW,
            "because": f"{NAME} said {SENTENCE}",
        }
        acts.accept(session, ticket, **who)
        acts.close(session, ticket, reason=CloseReason.REMEDIATED, **who)

    with database.reading() as session:
        tables = Ticket.metadata.sorted_tables
        stored = [
            repr(tuple(row))
            for table in tables
            for row in session.execute(text(f"SELECT * FROM {table.name}"))
        ]
        facts = json.dumps([entry.facts for entry in ticket_called(session, reference).history])
    for secret in ("anne", "onderzoek", "kanarie", "proof.png", "formulieren.voorbeeld.example is"):
        assert [row for row in stored if secret in row] == []
    assert ADDRESS not in facts


def test_an_anonymous_report_is_a_ticket_without_mail_to_the_reporter(database: Database) -> None:
    reference = reported(database, ANONYMOUS)

    with database.reading() as session:
        assert MailKind.RECEIPT not in [mail.kind for mail in mails(session)]
        assert len(mails(session)) == 4
        assert told(ticket_called(session, reference)) == ["opened", "routed"]


def test_a_report_is_a_ticket_though_nobody_is_there_to_take_it(database: Database) -> None:
    reference = reported(database, ANONYMOUS, replace(PROMISE, triage=()), owner=None)

    with database.reading() as session:
        assert [mail.kind for mail in mails(session)] == [MailKind.IBD_COPY]
        assert ticket_called(session, reference).owner is None
        assert clock_of(session, reference).next_rung_at is not None


def test_people_who_share_an_address_do_not_cost_a_report(database: Database) -> None:
    everybody = WEB_TEAM
    team = (Correspondent("One", everybody), Correspondent("Two", everybody.upper()))
    crowd = replace(PROMISE, triage=team, ibd=Correspondent("IBD", everybody))
    reference = reported(database, replace(REPORT, address=everybody), crowd)

    assert len(joined(database, reference, promise=crowd)) == 1
    with database.reading() as session:
        assert sorted(mail.kind for mail in mails(session)) == sorted(
            [
                MailKind.HANDLER_REPORT,
                MailKind.IBD_COPY,
                MailKind.MESSAGE,
                MailKind.OWNER_REPORT,
                MailKind.RECEIPT,
            ]
        )


def test_a_machines_report_is_not_answered_and_its_copy_waits_for_a_human(database: Database) -> None:
    reference = reported(database, replace(REPORT, may_be_answered=False))

    with database.reading() as session:
        assert mails(session, MailKind.RECEIPT) == []
        copy = mails(session, MailKind.IBD_COPY)[0]
        assert copy.state is MailState.HELD
        about = [(mail.recipient, mail.facts) for mail in mails(session, MailKind.UNDELIVERED)]
        assert clock_of(session, reference, ClockKind.SHARE).next_rung_at == ARRIVED + HOUR
    facts = {"mail": "ibd_copy", "party": "ibd", "problem": "in_doubt"}
    assert about == [(FATIMA.address, facts), (JEROEN.address, facts)]


def test_the_held_copy_leaves_when_a_human_says_that_it_is_a_report(database: Database) -> None:
    reference = reported(database, replace(REPORT, may_be_answered=False))

    with database.unit_of_work() as session:
        who: dict[str, Any] = {"by": "Fatima", "because": "", "promise": PROMISE, "now": NOW + HOUR}
        acts.confirm(session, ticket_called(session, reference), **who)

    with database.reading() as session:
        copy = mails(session, MailKind.IBD_COPY)[0]
        assert (copy.state, copy.next_try_at, copy.problem) == (MailState.WAITING, NOW + HOUR, None)


def test_the_year_of_a_number_is_that_of_the_organisations_day(database: Database) -> None:
    before = datetime(2026, 12, 31, 22, 59, tzinfo=UTC)
    after = datetime(2026, 12, 31, 23, 0, tzinfo=UTC)  # 2027 in Amsterdam

    assert reported(database, replace(REPORT, arrived_at=before)) == "CVD-2026-0001"
    assert reported(database, replace(REPORT, arrived_at=after)) == "CVD-2027-0001"


@pytest.mark.parametrize(
    "strange", ["a\x00b/c", "text/\udc80", "image/png; x=1", "", "x" * 300 + "/y", "ÉÉ/É"]
)
def test_a_strange_type_of_a_file_does_not_cost_a_report(database: Database, strange: str) -> None:
    odd = ReceivedFile(name="\x00\udc80", type=strange, content=b"\x00", sha256="0" * 64)
    reference = reported(database, replace(REPORT, files=(odd,)))

    with database.reading() as session:
        file = ticket_called(session, reference).report.attachments[0]
        assert (file.type, file.name) == ("application/octet-stream", "\x00\udc80")


def test_strange_text_does_not_cost_a_report(database: Database) -> None:
    strange = "NUL \x00, a lone surrogate \udc80, \U0001f600"
    reference = reported(
        database, replace(REPORT, subject=strange, text=strange, name=strange, targets=("a\x00b", "\udc80"))
    )

    with database.reading() as session:
        ticket = ticket_called(session, reference)
        assert (ticket.report.text, ticket.reporter.name) == (strange, strange)


def test_a_worker_that_dies_before_its_commit_leaves_nothing_behind(database: Database) -> None:
    def die() -> None:
        with database.unit_of_work() as session:
            open_ticket(session, REPORT, PROMISE, now=NOW)
            session.flush()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        die()

    with database.reading() as session:
        assert mails(session) == []
        assert list(session.scalars(select(Ticket))) == []
    assert reported(database) == "CVD-2026-0001"


def test_a_ledger_entry_becomes_one_ticket_whoever_files_it(database: Database) -> None:
    with database.unit_of_work() as session:
        enter(session, Place("inbox", 1), 1, b"a: b", message_id="", arrived_at=ARRIVED, now=NOW)

    def file() -> str | None:
        with database.unit_of_work() as session:
            entry = session.get_one(LedgerEntry, 1, with_for_update=True)
            if entry.verdict is not None:
                return None
            ticket = open_ticket(session, REPORT, PROMISE, now=NOW, entry=entry)
            decide(entry, Verdict.OPENED_TICKET, now=NOW, ticket=ticket)
            return ticket.reference

    assert [reference for reference in together(file) if reference] == ["CVD-2026-0001"]
    with database.reading() as session:
        entry = session.get_one(LedgerEntry, 1)
        assert (entry.verdict, entry.decided_at) == (Verdict.OPENED_TICKET, NOW)
        assert ticket_called(session, "CVD-2026-0001").report.ledger_id == entry.id == entry.ticket_id


def test_a_later_ticket_is_linked_to_the_closed_one(database: Database) -> None:
    reported(database)
    with database.unit_of_work() as session:
        closed = ticket_called(session, "CVD-2026-0001")
        open_ticket(session, FURTHER, PROMISE, now=NOW, linked_to=closed)

    with database.reading() as session:
        assert ticket_called(session, "CVD-2026-0002").linked_to == 1


def test_a_message_of_the_reporter_is_told_to_handlers_and_the_owner(database: Database) -> None:
    reference = reported(database)

    written = joined(database, reference)

    assert [(mail.party, mail.recipient) for mail in written] == [
        ("staff", FATIMA.address),
        ("staff", JEROEN.address),
        ("owner", WEB_TEAM),
    ]
    with database.reading() as session:
        ticket = ticket_called(session, reference)
        assert ticket.messages[-1].direction is Direction.FROM_REPORTER
        assert told(ticket)[-1] == "message"
        assert clock_of(session, reference).next_rung_at == ARRIVED + 60 * HOUR


@pytest.mark.parametrize(
    ("party", "direction"), [("owner", Direction.FROM_OWNER), ("staff", Direction.INTERNAL)]
)
def test_what_owners_and_handlers_write_is_told_to_handlers_only(
    database: Database, party: str, direction: Direction
) -> None:
    reference = reported(database)

    written = joined(database, reference, party)

    assert [mail.recipient for mail in written] == [FATIMA.address, JEROEN.address]
    with database.reading() as session:
        assert ticket_called(session, reference).messages[-1].direction is direction


def test_when_the_reporter_says_more_the_ticket_no_longer_waits_for_them(database: Database) -> None:
    reference = reported(database)
    with database.unit_of_work() as session:
        who: dict[str, Any] = {"by": "Fatima", "because": "which form?", "promise": PROMISE, "now": NOW}
        acts.invalidate(session, ticket_called(session, reference), **who)

    joined(database, reference, "owner")
    with database.reading() as session:
        assert ticket_called(session, reference).waiting_on is WaitingOn.REPORTER
    joined(database, reference)
    with database.reading() as session:
        assert ticket_called(session, reference).waiting_on is WaitingOn.HANDLER


def test_messages_that_join_at_once_are_all_there(database: Database) -> None:
    reference = reported(database)
    with database.unit_of_work() as session:
        token = thread_token(session, ticket_called(session, reference), "reporter")

    def join() -> None:
        with database.unit_of_work() as session:
            thread = thread_behind(session, [token])
            assert thread is not None
            join_ticket(session, FURTHER, standing_of(session, thread), PROMISE, now=NOW)

    together(join)

    with database.reading() as session:
        ticket = ticket_called(session, reference)
        assert len(ticket.messages) == 5
        assert told(ticket).count("message") == 4
        assert len(mails(session, MailKind.MESSAGE)) == 12


def test_a_token_opens_its_thread_and_a_wrong_one_none(database: Database) -> None:
    reference = reported(database)
    with database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        token = thread_token(session, ticket, "reporter")
        assert thread_token(session, ticket, "reporter") == token
        assert thread_token(session, ticket, "owner") != token

    with database.reading() as session:
        opened = thread_behind(session, [new_token(), token])
        assert opened is not None
        assert (opened.party, opened.ticket.reference) == ("reporter", reference)
        assert thread_behind(session, [new_token()]) is None
        assert thread_behind(session, []) is None
        assert token not in repr(list(session.execute(text("SELECT * FROM threads"))))


def test_of_several_known_tokens_the_first_decides(database: Database) -> None:
    reported(database)
    with database.unit_of_work() as session:
        ticket = ticket_called(session, "CVD-2026-0001")
        tokens = [thread_token(session, ticket, party) for party in ("reporter", "owner", "staff")]

    with database.reading() as session:
        for order in (tokens, tokens[::-1]):
            opened = thread_behind(session, order)
            assert opened is not None
            assert opened.token == order[0]


def test_a_flood_of_tokens_does_not_cost_a_message(database: Database) -> None:
    with database.reading() as session:
        assert thread_behind(session, [str(number) for number in range(700 * MOST_TOKENS)]) is None


def test_the_same_cause_writes_the_same_mail_once(database: Database) -> None:
    reference = reported(database)
    with database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        written = [
            write_mail(session, MailKind.MESSAGE, to, party="staff", cause="7", now=NOW, ticket=ticket)
            for to in (FATIMA, replace(FATIMA, address=FATIMA.address.upper()), JEROEN)
        ]
        assert written[0] is written[1]
        assert written[0] is not written[2]


def test_the_key_of_a_mail_names_no_reporter(database: Database) -> None:
    reported(database)

    with database.reading() as session:
        assert [mail.once for mail in mails(session) if ADDRESS in mail.once] == []
        assert mails(session, MailKind.RECEIPT)[0].once == "receipt/CVD-2026-0001/1/reporter"


def test_an_owner_who_has_no_report_to_get_is_told_nothing(database: Database) -> None:
    with database.unit_of_work() as session:
        add_owner(session, "Other team", "other@voorbeeld.example", "elders.voorbeeld.example")

    reference = reported(database, owner=None)

    with database.reading() as session:
        assert ticket_called(session, reference).owner is None
        assert len(list(session.scalars(select(Owner)))) == 1
        assert mails(session, MailKind.OWNER_REPORT) == []
        assert list(session.scalars(select(Thread))) == []
