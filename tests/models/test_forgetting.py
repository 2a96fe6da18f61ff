"""A forgotten ticket says nothing of what was reported or by whom, and counts as it did."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from meldbalie.models import acts, joining
from meldbalie.models.again import reopen
from meldbalie.models.auditing import look_at_bytes, look_at_histories, look_at_records
from meldbalie.models.confirmations import Confirmation, ask
from meldbalie.models.delivery import claim_next, parked, was_delivered
from meldbalie.models.desk import desk_run_of
from meldbalie.models.errors import Refused
from meldbalie.models.filing import decide, open_ticket
from meldbalie.models.forgetting import (
    forget,
    forget_due,
    forget_late_copies,
    to_be_cleared,
    were_cleared,
)
from meldbalie.models.kept import Period, period
from meldbalie.models.ledger import LedgerEntry, Place, Verdict, enter
from meldbalie.models.likeness import Mark, Sketch
from meldbalie.models.links import SecretLink, ticket_behind
from meldbalie.models.outbox import Mail, MailKind, MailState, write_mail
from meldbalie.models.people import Correspondent
from meldbalie.models.quarantine import dismiss, in_quarantine, judge_again
from meldbalie.models.session import Database
from meldbalie.models.states import CloseReason
from meldbalie.models.tables import Base
from meldbalie.models.threads import Claims, standing, thread_token
from meldbalie.models.ticket import Event, Message, Ticket, first_broken_link, ticket_called
from meldbalie.models.undeliverable import fails, is_undeliverable
from meldbalie.models.vault import digest_of, vault
from meldbalie.tests.models.reports import (
    ADDRESS,
    ANONYMOUS,
    ARRIVED,
    DAY,
    FATIMA,
    HOUR,
    NAME,
    PROMISE,
    REPORT,
    SENTENCE,
    mails,
    together,
    told,
)
from sqlalchemy import LargeBinary, create_engine, select, text

FIRST, SECOND = "CVD-2026-0001", "CVD-2026-0002"
CLOSED_AT = ARRIVED + DAY
NOW = CLOSED_AT + 90 * DAY
RAW = f"From: {NAME} <{ADDRESS}>\r\nSubject: {REPORT.subject}\r\n\r\n{SENTENCE}\r\n".encode()
INBOX = Place("meldpunt@mail.example/INBOX", 1)
REASON = "the kanarie-reason of a handler"
#: What may be read nowhere once a ticket is forgotten.
SECRETS = (NAME, ADDRESS, SENTENCE, REPORT.subject, REASON, "proof.png", "C" * 40, "formulieren.")


def arrives(database: Database, raw: bytes = RAW, *, uid: int = 1) -> int:
    """Write a message into the ledger and give its number."""
    with database.unit_of_work() as session:
        entry = enter(
            session, INBOX, uid, raw, message_id="<1@onderzoek.example>", arrived_at=ARRIVED, now=ARRIVED
        )
        session.flush()
        return entry.id


def reported(database: Database, received: Any = REPORT, *, raw: bytes = RAW, uid: int = 1) -> str:
    """Open a ticket for a message of the ledger."""
    number = arrives(database, raw, uid=uid)
    with database.unit_of_work() as session:
        entry = session.get_one(LedgerEntry, number)
        ticket = open_ticket(session, received, PROMISE, now=ARRIVED, entry=entry)
        decide(entry, Verdict.OPENED_TICKET, now=ARRIVED, ticket=ticket)
        return ticket.reference


def closed(database: Database, reference: str = FIRST, *, now: Any = CLOSED_AT) -> None:
    """Answer and close a ticket, with reasons; all mail leaves."""
    who: dict[str, Any] = {"by": "Fatima", "because": REASON, "promise": PROMISE, "now": now}
    with database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        acts.answer(
            session, ticket, text=SENTENCE, fix_on=None, no_date_because=REASON,
            by="Fatima", promise=PROMISE, now=now,
        )  # fmt: skip
        acts.accept(session, ticket, **who)
        desk_run_of(session, ticket).draft = REASON
        acts.close(session, ticket, reason=CloseReason.REMEDIATED, **who)
        thread_token(session, ticket, "reporter")
    leaves(database, now)


def leaves(database: Database, now: Any = CLOSED_AT) -> None:
    """Deliver all mail."""
    with database.unit_of_work() as session:
        while (number := claim_next(session, now)) is not None:
            was_delivered(session, session.get_one(Mail, number), PROMISE, sealed=True, now=now)
            session.flush()


def forgotten(database: Database, reference: str = FIRST, *, now: Any = NOW) -> bool:
    """Forget a ticket."""
    with database.unit_of_work() as session:
        return forget(session, ticket_called(session, reference), by="Fatima", now=now)


def everything_readable(database: Database) -> str:
    """Every row of every table, its protected columns opened."""
    with database.reading() as session:
        rows = (row for table in Base.metadata.sorted_tables for row in session.execute(select(table)))
        return "\n".join(map(repr, rows))


def counted(database: Database) -> Period:
    """What the report counts."""
    with database.reading() as session:
        return period(
            session,
            PROMISE.local_day(ARRIVED),
            PROMISE.local_day(NOW),
            now=NOW,
            calendar=PROMISE.calendar,
            day_of=PROMISE.local_day,
        )


def is_refused(database: Database, why: str) -> None:
    """Forgetting is refused, and nothing has changed."""
    before = everything_readable(database)
    with pytest.raises(Refused, match=why):
        forgotten(database)
    assert everything_readable(database) == before


def test_nothing_of_a_forgotten_report_can_be_read(database: Database) -> None:
    reported(database)
    closed(database)
    before = everything_readable(database)
    assert all(secret in before for secret in SECRETS)
    assert forgotten(database)
    after = everything_readable(database)
    assert not [secret for secret in SECRETS if secret in after]


def test_no_digest_of_the_reporter_is_left(database: Database) -> None:
    reported(database)
    closed(database)
    forgotten(database)
    after = everything_readable(database)
    assert vault.keyed_digest(ADDRESS) not in after


def test_what_is_counted_stays(database: Database) -> None:
    reported(database)
    closed(database)
    with database.reading() as session:
        was = ticket_called(session, FIRST)
    before = counted(database)
    forgotten(database)
    assert counted(database) == before
    with database.reading() as session:
        ticket = ticket_called(session, FIRST)
        for kept in (
            "state",
            "close_reason",
            "arrived_at",
            "closed_at",
            "severity",
            "owner_id",
            "expected_fix_on",
        ):
            assert getattr(ticket, kept) == getattr(was, kept)
        assert ticket.forgotten_at == NOW
        assert len(ticket.clocks) == 3
        assert [message.at for message in ticket.messages] == [ARRIVED, CLOSED_AT]


def test_the_history_says_who_forgot_it_and_still_hangs_together(database: Database) -> None:
    reported(database)
    closed(database)
    with database.reading() as session:
        before = told(ticket_called(session, FIRST))
        head = ticket_called(session, FIRST).history[-1].digest
    forgotten(database)
    with database.reading() as session:
        ticket = ticket_called(session, FIRST)
        assert told(ticket) == [*before, "forgotten"]
        assert (ticket.history[-1].actor, ticket.history[-1].at) == ("Fatima", NOW)
        assert ticket.history[-1].facts == {"history_was": vault.keyed_digest(head)}
        assert all(entry.because == "" for entry in ticket.history)


def test_a_history_that_was_altered_is_found_after_forgetting_as_well(database: Database) -> None:
    reported(database)
    closed(database)
    forgotten(database)
    with database.unit_of_work() as session:
        session.execute(text("UPDATE events SET actor = 'nobody' WHERE seq = 2"))
    with database.reading() as session:
        assert (broken := first_broken_link(ticket_called(session, FIRST))) is not None
        assert broken.seq == 2


def test_an_altered_history_is_not_written_anew(database: Database) -> None:
    reported(database)
    closed(database)
    with database.unit_of_work() as session:
        session.execute(text("UPDATE events SET actor = 'nobody' WHERE seq = 2"))
    is_refused(database, "was altered")


def test_no_digest_tells_what_a_reason_was(database: Database) -> None:
    """Who guesses a reason could check the guess by the plain digest of its event."""
    reported(database)
    closed(database)
    with database.reading() as session:
        with_reasons = [one.digest for one in ticket_called(session, FIRST).history if one.because]
        first = next(one.seq for one in ticket_called(session, FIRST).history if one.because)
        later = [one.digest for one in ticket_called(session, FIRST).history if one.seq >= first]
    forgotten(database)
    after = everything_readable(database)
    assert with_reasons
    assert not [digest for digest in later if digest in after]


def test_links_and_replies_lead_nowhere_any_more(database: Database) -> None:
    reported(database)
    with database.reading() as session:
        link = (mails(session, MailKind.RECEIPT)[0].facts or {})["link"]
    closed(database)
    with database.reading() as session:
        token = thread_token(session, ticket_called(session, FIRST), "reporter")
        assert ticket_behind(session, link) is not None
    forgotten(database)
    with database.unit_of_work() as session:
        assert ticket_behind(session, link) is None
        assert standing(session, Claims(tokens=[token])) is None
        assert session.scalars(select(SecretLink.revoked_at)).all() == [NOW]


def test_what_waits_to_be_confirmed_on_it_is_void(database: Database) -> None:
    reported(database)
    closed(database)
    with database.unit_of_work() as session:
        ticket = ticket_called(session, FIRST)
        asked = ask(
            session, ticket=ticket, who=FATIMA, action="close", wanted={"text": REASON}, seen=1,
            now=CLOSED_AT, lasting=timedelta(days=1),
        )  # fmt: skip
        assert asked.is_open(CLOSED_AT)
    leaves(database)
    forgotten(database)
    with database.reading() as session:
        asked = session.get_one(Confirmation, asked.id)
        assert (asked.wanted, asked.done_at) == ({}, NOW)
        assert not asked.is_open(CLOSED_AT)


def test_nothing_is_left_to_compare_it_by(database: Database) -> None:
    reported(database)
    closed(database)
    with database.reading() as session:
        assert session.scalars(select(Sketch.ticket_id)).all() == [1]
        assert session.scalars(select(Mark.ticket_id)).all()
    forgotten(database)
    with database.reading() as session:
        assert session.scalars(select(Sketch.ticket_id)).all() == []
        assert session.scalars(select(Mark.ticket_id)).all() == []


def test_the_same_mail_again_is_known_and_its_bytes_go_too(database: Database) -> None:
    reported(database)
    closed(database)
    forgotten(database)
    again = arrives(database, RAW, uid=2)
    with database.unit_of_work() as session:
        entry = session.get_one(LedgerEntry, again)
        assert entry.verdict is Verdict.REPEATED
        assert forget_late_copies(session, now=NOW + DAY) == 1
    with database.unit_of_work() as session:
        assert session.get_one(LedgerEntry, again).raw == b""
        assert forget_late_copies(session, now=NOW + DAY) == 0
        assert [one.number for one in to_be_cleared(session)] == [1, again]
        were_cleared(session, [1, again], now=NOW)
        assert to_be_cleared(session) == []


@pytest.mark.parametrize("verdict", [Verdict.AUTOMATIC, Verdict.BOUNCED])
def test_what_a_machine_answers_while_its_ticket_is_forgotten_goes_too(
    database: Database, verdict: Verdict
) -> None:
    reported(database)
    closed(database)
    forgotten(database)
    late = arrives(database, RAW + b"I am away.\r\n", uid=2)
    with database.unit_of_work() as session:
        entry = session.get_one(LedgerEntry, late)
        decide(entry, verdict, now=NOW, ticket=ticket_called(session, FIRST))
    with database.unit_of_work() as session:
        assert forget_late_copies(session, now=NOW + DAY) == 1
    with database.reading() as session:
        assert session.get_one(LedgerEntry, late).raw == b""


@pytest.mark.parametrize("verdict", [Verdict.AUTOMATIC, Verdict.BOUNCED, Verdict.QUARANTINED])
def test_what_led_nowhere_is_judged_again_when_it_comes_again_unless_it_was_erased(
    database: Database, verdict: Verdict
) -> None:
    reported(database)
    machine = RAW + b"I am away.\r\n"
    number = arrives(database, machine, uid=2)
    with database.unit_of_work() as session:
        decide(
            session.get_one(LedgerEntry, number), verdict, now=ARRIVED, ticket=ticket_called(session, FIRST)
        )
    again = arrives(database, machine, uid=3)
    with database.unit_of_work() as session:
        assert session.get_one(LedgerEntry, again).verdict is None
        decide(session.get_one(LedgerEntry, again), verdict, now=ARRIVED)
        if verdict is Verdict.QUARANTINED:
            dismiss(session, number, by="Fatima", because=REASON, now=ARRIVED)
    closed(database)
    forgotten(database)
    later = arrives(database, machine, uid=4)
    with database.unit_of_work() as session:
        assert session.get_one(LedgerEntry, later).verdict is Verdict.REPEATED
        assert forget_late_copies(session, now=NOW + DAY) == 1
    assert not [secret for secret in SECRETS if secret in everything_readable(database)]


def test_every_copy_of_a_message_is_erased_and_another_quarantined_one_is_not(database: Database) -> None:
    reported(database)
    copy = arrives(database, b"Received: by another way\r\n" + RAW, uid=2)
    quarantined = unopened(database, None)
    closed(database)
    forgotten(database)
    with database.reading() as session:
        assert session.get_one(LedgerEntry, copy).raw == b""
        assert session.get_one(LedgerEntry, quarantined).raw
        assert {one.number for one in to_be_cleared(session)} == {1, copy}


def unopened(database: Database, ticket_id: int | None = 1) -> int:
    """A message in quarantine that came with a ticket's token; its sender was told. Gives its number."""
    number = arrives(
        database, f"From: {NAME} <{ADDRESS}>\r\nSubject: {REPORT.subject}\r\n\r\nx".encode(), uid=3
    )
    with database.unit_of_work() as session:
        entry = session.get_one(LedgerEntry, number)
        entry.verdict, entry.ticket_id = Verdict.QUARANTINED, ticket_id
        told = write_mail(
            session, MailKind.CANNOT_OPEN, Correspondent("", ADDRESS), party="reporter",
            cause=f"{digest_of(ADDRESS)}/{ARRIVED:%Y-%m-%d}", now=ARRIVED, ticket=None,
        )  # fmt: skip
        told.ledger_id = number
    return number


def test_what_nobody_could_read_is_read_or_let_go_before_its_ticket_is_forgotten(database: Database) -> None:
    reported(database)
    number = unopened(database)
    closed(database)
    is_refused(database, f"message {number} came on the thread of {FIRST} and nobody has read it")

    with database.unit_of_work() as session:
        judge_again(session, number)
    is_refused(database, f"message {number} came on the thread")


def test_what_was_let_go_unread_is_erased_with_its_ticket(database: Database) -> None:
    reported(database)
    number = unopened(database)
    closed(database)
    with database.unit_of_work() as session:
        dismiss(session, number, by="Fatima", because=f"{REASON}, by {NAME}", now=CLOSED_AT)

    assert forgotten(database)

    after = everything_readable(database)
    assert not [secret for secret in (*SECRETS, vault.keyed_digest(ADDRESS)) if secret in after]
    with database.unit_of_work() as session:
        assert session.get_one(LedgerEntry, number).raw == b""
        assert {one.number for one in to_be_cleared(session)} == {1, number}
        assert in_quarantine(session, dismissed=True) == []
        with pytest.raises(Refused, match=f"message {number} was erased with its ticket"):
            judge_again(session, number)


def test_the_audit_finds_nothing_wrong_with_what_was_forgotten(database: Database) -> None:
    reported(database)
    closed(database)
    forgotten(database)
    with database.reading() as session:
        looks = look_at_records(session, before=NOW, now=NOW)
        looks += [look_at_bytes(session, None), look_at_histories(session, None)]
        assert [look for look in looks if look.wrong] == []


def test_the_audit_finds_bytes_where_none_should_be(database: Database) -> None:
    reported(database)
    closed(database)
    forgotten(database)
    with database.unit_of_work() as session:
        session.get_one(LedgerEntry, 1).raw = RAW
    with database.reading() as session:
        assert look_at_bytes(session, None).wrong == {"1"}


def test_an_open_ticket_is_not_forgotten(database: Database) -> None:
    reported(database)
    leaves(database)
    is_refused(database, r"CVD-2026-0001 is open")


def test_what_is_still_to_be_delivered_is_delivered_first(database: Database) -> None:
    reported(database)
    closed(database)
    with database.unit_of_work() as session:
        mails(session, MailKind.STATE_CHANGED)[0].state = MailState.WAITING
    is_refused(database, "still to be delivered")


@pytest.mark.parametrize("state", [MailState.HELD, MailState.PARKED])
def test_what_the_ibd_lacks_is_not_forgotten(database: Database, state: MailState) -> None:
    reported(database)
    closed(database)
    with database.unit_of_work() as session:
        mails(session, MailKind.IBD_COPY)[0].state = state
    is_refused(database, "the IBD has no copy of CVD-2026-0001 yet")


def test_spam_is_forgotten_with_the_copy_that_never_left(database: Database) -> None:
    reported(database)
    closed(database)
    with database.unit_of_work() as session:
        mails(session, MailKind.IBD_COPY)[0].state = MailState.HELD
        ticket_called(session, FIRST).close_reason = CloseReason.SPAM
    assert forgotten(database)


def test_a_mail_that_could_not_be_delivered_is_called_off(database: Database) -> None:
    """Nothing is left in it that could be sent, and a reporter who is gone for good keeps nothing here."""
    reported(database)
    closed(database)
    with database.unit_of_work() as session:
        mails(session, MailKind.STATE_CHANGED)[0].state = MailState.PARKED
    assert forgotten(database)
    with database.reading() as session:
        assert parked(session) == []
        assert mails(session, MailKind.STATE_CHANGED)[0].state is MailState.CALLED_OFF


def due(database: Database) -> list[str]:
    """What is to be forgotten long afterwards."""
    with database.reading() as session:
        return forget_due(session, NOW + 90 * DAY, 90)


def test_a_ticket_that_an_open_one_took_in_is_not_forgotten(database: Database) -> None:
    reported(database)
    reported(database, raw=RAW + b"more", uid=2)
    leaves(database)
    with database.unit_of_work() as session:
        joining.join(
            session,
            ticket_called(session, FIRST),
            to=SECOND,
            by="Fatima",
            because="",
            promise=PROMISE,
            now=CLOSED_AT,
        )
    leaves(database)
    is_refused(database, "belongs to CVD-2026-0002, which is open")
    assert due(database) == []
    closed(database, SECOND)
    assert due(database) == [FIRST, SECOND]
    assert forgotten(database)


def test_a_ticket_that_was_taken_up_again_is_not_forgotten(database: Database) -> None:
    reported(database)
    closed(database)
    with database.unit_of_work() as session:
        reopen(
            session, ticket_called(session, FIRST), by="Fatima", because="", promise=PROMISE, now=CLOSED_AT
        )
    leaves(database)
    is_refused(database, "belongs to CVD-2026-0002, which is open")
    assert due(database) == []


def test_what_was_forgotten_is_not_taken_up_again(database: Database) -> None:
    reported(database)
    closed(database)
    forgotten(database)
    with pytest.raises(Refused, match="its report was erased"), database.unit_of_work() as session:
        reopen(session, ticket_called(session, FIRST), by="Fatima", because="", promise=PROMISE, now=NOW)


def test_forgetting_twice_is_forgetting_once(database: Database) -> None:
    reported(database)
    closed(database)
    assert forgotten(database)
    before = everything_readable(database)
    assert not forgotten(database, now=NOW + DAY)
    assert everything_readable(database) == before


def test_of_several_who_forget_at_once_one_does(database: Database) -> None:
    reported(database)
    closed(database)
    assert sorted(together(lambda: forgotten(database))) == [False, False, False, True]
    with database.reading() as session:
        assert told(ticket_called(session, FIRST)).count("forgotten") == 1


def test_a_report_of_nobody_is_forgotten(database: Database) -> None:
    reported(database, ANONYMOUS)
    closed(database)
    assert forgotten(database)


def test_nothing_of_another_ticket_is_touched(database: Database) -> None:
    reported(database)
    reported(database, raw=RAW + b"more", uid=2)
    closed(database)
    leaves(database)

    def of_second() -> Any:
        with database.reading() as session:
            ticket = ticket_called(session, SECOND)
            words = [(one.subject, one.text, len(one.attachments)) for one in ticket.messages]
            sent = [(one.recipient, one.facts) for one in mails(session) if one.ticket_id == ticket.id]
            raw = session.get_one(LedgerEntry, 2).raw
            return words, sent, raw, told(ticket), ticket.reporter.address, len(ticket.targets)

    before = of_second()
    forgotten(database)
    assert of_second() == before


def test_that_mail_fails_is_forgotten_with_the_last_report_of_somebody(database: Database) -> None:
    reported(database)
    reported(database, raw=RAW + b"more", uid=2)
    closed(database)
    closed(database, SECOND)
    with database.unit_of_work() as session:
        fails(session, ADDRESS, mail_id=1, now=CLOSED_AT)
    forgotten(database)
    with database.reading() as session:
        assert is_undeliverable(session, ADDRESS)
    forgotten(database, SECOND)
    with database.reading() as session:
        assert not is_undeliverable(session, ADDRESS)


def test_due_is_what_was_closed_so_many_days_ago(database: Database) -> None:
    reported(database)
    reported(database, raw=RAW + b"more", uid=2)
    closed(database, SECOND, now=CLOSED_AT - HOUR)
    closed(database)
    with database.reading() as session:
        assert forget_due(session, NOW - HOUR - timedelta(microseconds=1), 90) == []
        assert forget_due(session, NOW - HOUR, 90) == [SECOND]
        assert forget_due(session, NOW, 90) == [SECOND, FIRST]
    forgotten(database)
    with database.reading() as session:
        assert forget_due(session, NOW, 90) == [SECOND]


def protected_bytes(database: Database) -> set[bytes]:
    """What lies encrypted in every protected column, byte for byte as the file holds it."""
    raw_view = create_engine(database.engine.url)
    with raw_view.connect() as connection:
        found = {
            bytes(value)
            for table in Base.metadata.sorted_tables
            for column in table.columns
            if isinstance(getattr(column.type, "impl", None), LargeBinary)
            for (value,) in connection.execute(text(f'SELECT "{column.name}" FROM "{table.name}"'))
            if value
        }
    raw_view.dispose()
    return found


def test_no_byte_of_it_stays_in_the_file_or_the_log_of_sqlite(sqlite_database: Database) -> None:
    """The columns are encrypted: so the encrypted bytes themselves are looked for, in pieces of 40."""
    database = sqlite_database
    long_report = REPORT.__class__(**{**vars(REPORT), "text": SENTENCE * 2000})  # on overflow pages
    reported(database, long_report)
    closed(database)
    reported(database, raw=RAW + b"more", uid=2)
    before = protected_bytes(database)
    assert forgotten(database)
    database.empty_log()
    erased = before - protected_bytes(database)
    assert len(erased) > 10
    assert all(piece.startswith(b"gAAAA") for piece in erased)
    file = Path(str(database.engine.url.database))
    on_disk = b"".join(one.read_bytes() for one in sorted(file.parent.glob(f"{file.name}*")))
    kept = protected_bytes(database)
    assert all(piece[:400] in on_disk for piece in kept)
    pieces = [one[at : at + 40] for one in erased for at in range(40, len(one) - 40, 400)]
    assert not [piece for piece in pieces if piece in on_disk]


def test_an_application_key_that_is_gone_leaves_history_readable_by_its_digests(database: Database) -> None:
    reported(database)
    closed(database)
    forgotten(database)
    vault.unlock([Fernet.generate_key().decode()])
    with database.reading() as session:
        columns = session.execute(select(Event.kind, Event.digest).order_by(Event.id)).tuples().all()
        assert columns[-1][0] == "forgotten"
        assert session.scalars(select(Ticket.reference)).all() == [FIRST]
        assert session.scalars(select(Message.direction)).all()
