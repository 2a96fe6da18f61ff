"""What becomes of a message, from the mailbox to everybody's mail, with real parts."""

import re
import threading
from base64 import b64decode, encodebytes
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from email import message_from_bytes
from typing import Any, cast

import pytest
from imapclient import IMAPClient
from meldbalie.flows import filing
from meldbalie.flows import intake as intakes
from meldbalie.flows.deliver import deliver
from meldbalie.flows.filing import file_entry
from meldbalie.flows.intake import intake, put_away, take_waiting
from meldbalie.flows.shifts import Shift
from meldbalie.mailbox.compose import Draft, sealed
from meldbalie.mailbox.imap import IntakeMailbox
from meldbalie.mailbox.keyring import Keyring
from meldbalie.mailbox.opening import Opened
from meldbalie.models import acts, ledger
from meldbalie.models.clocks import ClockKind
from meldbalie.models.ledger import LedgerEntry, Verdict
from meldbalie.models.outbox import Mail, MailKind, MailState
from meldbalie.models.states import CloseReason
from meldbalie.models.ticket import ticket_called
from meldbalie.tests.flows.glances import (
    answers,
    clocks,
    fills_in,
    goes_round,
    history,
    outbox,
    reply_address,
    states,
    verdicts,
    what_prefect_keeps,
)
from meldbalie.tests.flows.world import NAME, PHONE, SENTENCE, World
from meldbalie.tests.packets import altered
from meldbalie.tests.prefect_server import PrefectServer
from sqlalchemy import select

FIRST, SECOND = "CVD-2026-0001", "CVD-2026-0002"
ADDITION = "The aanvulling: parameter vervolgkanarie does it too."
AUTOMATIC = b"Auto-Submitted: auto-replied\r\n"


def told(world: World, kind: MailKind) -> list[tuple[str, MailState, bool | None]]:
    """Who got mails of a kind, how far they are, and whether sealed."""
    return [(mail.party, mail.state, mail.was_sealed) for mail in outbox(world, kind)]


def test_a_plain_report_gets_a_receipt_that_holds_no_word_of_it(world: World) -> None:
    world.arrives(world.reports(seals=False, key=False, subject="Kanariegeel lek in zoeken"))

    goes_round(world)

    [raw] = world.mail.mails(world.people.reporter.address)
    [receipt] = world.read_by(world.people.reporter)
    assert not receipt.was_encrypted
    assert FIRST in receipt.text
    assert receipt.automatic_because == "auto-submitted"
    assert message_from_bytes(raw)["Reply-To"] == reply_address(world, FIRST)
    said = (receipt.subject + receipt.text).lower()
    words = re.findall(r"[\w-]{4,}", f"Kanariegeel zoeken {SENTENCE} formulieren {NAME}".lower())
    assert [word for word in words if word in said and word not in {"what", "that", "given"}] == []
    assert PHONE not in said
    assert [state for party, state, _ in told(world, MailKind.RECEIPT)] == [MailState.SENT]


def test_a_reply_with_our_token_joins_its_ticket_and_a_guessed_number_joins_none(world: World) -> None:
    world.arrives(world.reports())
    goes_round(world)
    [receipt] = world.mail.mails(world.people.reporter.address)
    before = clocks(world)

    to_token = message_from_bytes(receipt)["Reply-To"]
    in_reply_to = message_from_bytes(receipt)["Message-ID"]
    world.arrives(world.reports(ADDITION, recipient=to_token, key=False))
    world.arrives(world.reports(f"{ADDITION} Again.", in_reply_to=in_reply_to, key=False))
    guess = world.reports("Let me in.", subject=f"Re: [{FIRST}] your report", seals=False, key=False)
    world.arrives(guess)
    world.present.passes(hours=1)
    goes_round(world)

    assert verdicts(world) == [
        Verdict.OPENED_TICKET,
        Verdict.JOINED_TICKET,
        Verdict.JOINED_TICKET,
        Verdict.OPENED_TICKET,
    ]
    assert world.tickets() == [FIRST, SECOND]
    assert clocks(world)[: len(before)] == before
    assert history(world, FIRST).count("message") == 2
    sent = MailState.SENT, True
    assert told(world, MailKind.MESSAGE) == [("staff", *sent), ("owner", *sent)] * 2
    for person in (world.people.handler, world.people.web_team):
        further = [mail for mail in world.read_by(person) if ADDITION in mail.text]
        assert len(further) == 2
        assert all(mail.was_decrypted and not mail.partly_encrypted for mail in further)


def test_a_reply_on_a_closed_ticket_opens_a_linked_one(world: World) -> None:
    world.arrives(world.reports())
    goes_round(world)
    with world.place.database.unit_of_work() as session:
        who: dict[str, Any] = {
            "by": "Balie",
            "because": "Ligt bij een ander.",
            "promise": world.place.promise,
            "now": world.present(),
        }
        ticket = ticket_called(session, FIRST)
        acts.invalidate(session, ticket, **who)
        acts.close(session, ticket, reason=CloseReason.OUT_OF_SCOPE, **who)

    world.arrives(world.reports(ADDITION, recipient=reply_address(world, FIRST), key=False))
    goes_round(world)

    assert world.tickets() == [FIRST, SECOND]
    with world.place.database.reading() as session:
        closed, opened = ticket_called(session, FIRST), ticket_called(session, SECOND)
        assert not closed.is_open
        assert opened.linked_to == closed.id
        assert opened.is_open
        assert len(closed.messages) == 1


def test_a_vacation_reply_gets_no_answer_and_changes_nothing(world: World) -> None:
    world.arrives(world.reports())
    goes_round(world)
    before = clocks(world), history(world, FIRST), len(outbox(world))

    away = world.reports("I am away.", recipient=reply_address(world, FIRST), seals=False, key=False)
    world.arrives(AUTOMATIC + away)
    goes_round(world)

    assert verdicts(world)[-1] is Verdict.AUTOMATIC
    assert (clocks(world), history(world, FIRST), len(outbox(world))) == before
    assert world.tickets() == [FIRST]


BOUNCE = """\
Return-Path: <>
From: MAILER-DAEMON@mx.onderzoek.example (Mail Delivery System)
To: {to}
Subject: Undelivered Mail Returned to Sender
Message-ID: <{number}.bounce@mx.onderzoek.example>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=-b"

--=-b
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

--=-b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.onderzoek.example
Arrival-Date: Thu, 19 Nov 2026 14:06:00 +0100 (CET)

Final-Recipient: rfc822; {failed}
Original-Recipient: rfc822; {failed}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <{failed}>: user unknown

--=-b
Content-Type: text/rfc822-headers

From: CVD-meldpunt <cvd@voorbeeld.example>
To: {failed}
Subject: ...

--=-b--
"""


def bounce(world: World, number: int, to: str) -> bytes:
    """What the reporter's server says of a mail that it could not deliver."""
    failed = world.people.reporter.address
    return BOUNCE.format(to=to, number=number, failed=failed).replace("\n", "\r\n").encode()


def test_a_bounce_is_believed_by_its_token_and_an_answer_that_came_back_is_none(world: World) -> None:
    world.arrives(world.reports())
    goes_round(world)
    answers(world, FIRST)
    deliver(minutes=0)
    kind, _, stopped, _ = clocks(world)[0]
    assert (kind, stopped) == (ClockKind.RESPONSE.value, world.present())

    world.present.passes(minutes=5)
    world.arrives(bounce(world, 1, world.people.desk.address))
    goes_round(world)
    assert verdicts(world)[-1] is Verdict.BOUNCED
    assert states(world, MailKind.ANSWER) == ["sent"]
    assert "bounced" not in history(world, FIRST)

    world.arrives(bounce(world, 2, reply_address(world, FIRST)))
    goes_round(world)

    assert verdicts(world)[-1] is Verdict.BOUNCED
    [answer] = outbox(world, MailKind.ANSWER)
    assert (answer.state, answer.problem) == (MailState.PARKED, "bounced")
    assert clocks(world)[0][2] is None
    assert history(world, FIRST)[-4:] == ["bounced", "undelivered", "clock_runs_on", "delivered"]
    assert told(world, MailKind.UNDELIVERED) == [("staff", MailState.SENT, True)]
    assert "came back" in world.read_by(world.people.handler)[-1].text
    assert len(world.mail.mails(world.people.reporter.address)) == 2
    assert world.tickets() == [FIRST]


def sealed_to_somebody_else(world: World) -> bytes:
    """A report that only its writer can open."""
    reporter = world.people.reporter
    draft = Draft(
        sender_name=reporter.name,
        sender=reporter.address,
        recipient=world.people.desk.address,
        subject="Kanariegeel lek",
        body=SENTENCE,
        message_id="<wrong-key@onderzoek.example>",
        date=world.present(),
    )
    with Keyring(reporter.home) as keyring:
        return sealed(
            draft,
            outer_subject="Kanariegele buitenkant",
            keyring=keyring,
            to=reporter.fingerprint,
            signed_by=reporter.fingerprint,
        )


def tampered(message: bytes) -> bytes:
    """A sealed report of which a few bits were changed on the way."""
    start, armour, end = re.split(rb"(?<=BEGIN PGP MESSAGE-----\r\n\r\n)|(?==[\w+/]{4}\r\n-----END)", message)
    octets = b64decode(armour)
    return start + encodebytes(altered(octets, len(octets) - 100)).replace(b"\n", b"\r\n") + end[7:]


def test_what_cannot_be_opened_is_quarantined_and_its_sender_told_once_a_day(world: World) -> None:
    world.arrives(sealed_to_somebody_else(world))
    world.arrives(tampered(world.reports()))
    goes_round(world)

    desk, reporter = world.people.desk.address, world.people.reporter.address
    assert verdicts(world) == [Verdict.QUARANTINED] * 2
    assert world.tickets() == []
    assert world.mail.mails(desk, "INBOX") == world.mail.mails(desk, "Archive") == []
    assert len(world.mail.mails(desk, "Quarantine")) == 2
    notices = world.read_by(world.people.handler)
    assert [notice.was_decrypted for notice in notices] == [True, True]
    assert "a key that we do not have" in notices[0].text
    assert "damaged or altered" in notices[1].text
    [note] = world.mail.mails(reporter)
    for secret in (b"kanariege", b"wrong-key", b"onderzoek.example>\r\nIn-Reply-To", SENTENCE.encode()):
        assert secret.lower() not in note.lower()
    assert b"begin pgp message" not in note.lower()
    assert message_from_bytes(note)["Auto-Submitted"] == "auto-replied"

    world.present.passes(days=1)
    world.arrives(tampered(world.reports("Another one.")))
    goes_round(world)

    assert len(world.mail.mails(reporter)) == 2
    assert len(world.mail.mails(desk, "Quarantine")) == 3


def test_a_message_whose_filing_fails_is_quarantined_at_last_and_stops_no_other(
    world: World,
    prefect_api: PrefectServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    canary = "struikelkanarie-in-de-foutmelding"
    real = cast("Callable[..., Opened]", filing.open_letter)  # pyright: ignore

    def stumbles(raw: bytes, *args: Any, **more: Any) -> Opened:
        if b"struikelsteen" in raw:
            raise UnicodeError(f"{canary}: {SENTENCE}")
        return real(raw, *args, **more)

    monkeypatch.setattr(filing, "open_letter", stumbles)
    world.arrives(world.reports("The struikelsteen.", seals=False))
    world.arrives(world.reports())

    assert intake(minutes=0) == 1

    assert world.tickets() == [FIRST]
    assert verdicts(world) == [None, Verdict.OPENED_TICKET]
    assert len(world.mail.mails(world.people.desk.address, "INBOX")) == 1
    tries = world.place.config.intake.tries
    for _ in range(tries - 1):
        assert verdicts(world)[0] is None
        assert intake(minutes=0) == 0
        world.present.passes(hours=1)
        intake(minutes=0)
    with world.place.database.reading() as session:
        entry = session.get_one(LedgerEntry, 1)
        assert (entry.verdict, entry.tries, entry.problem) == (Verdict.QUARANTINED, tries, "unicodeerror")
    goes_round(world)
    assert len(world.mail.mails(world.people.desk.address, "Quarantine")) == 1
    assert world.mail.mails(world.people.desk.address, "INBOX") == []
    assert told(world, MailKind.QUARANTINED) == [("staff", MailState.SENT, True)]
    assert states(world, MailKind.CANNOT_OPEN) == ["sent"]
    kept = what_prefect_keeps(prefect_api, once_it_has="message 1: UnicodeError at")
    shown = caplog.text
    assert "message 1: UnicodeError at" in shown
    for secret in (canary, SENTENCE, "struikelsteen", NAME):
        assert secret.encode() not in kept
        assert secret not in shown


def test_what_a_machine_reports_is_a_ticket_that_a_handler_releases(world: World) -> None:
    world.arrives(b"List-Id: <scans.onderzoek.example>\r\n" + world.reports(seals=False, key=False))
    goes_round(world)

    assert verdicts(world) == [Verdict.UNCLEAR]
    assert world.tickets() == [FIRST]
    assert outbox(world, MailKind.RECEIPT) == []
    assert world.mail.mails(world.people.reporter.address) == []
    assert [(mail.state, mail.problem) for mail in outbox(world, MailKind.IBD_COPY)] == [
        (MailState.HELD, "unjudged")
    ]
    assert world.mail.mails(world.people.ibd.address) == []
    assert told(world, MailKind.HANDLER_REPORT) == told(world, MailKind.UNDELIVERED)

    assert fills_in(world.place, FIRST, action="release the copy for the IBD") == "applied"
    deliver(minutes=0)

    [copy] = world.read_by(world.people.ibd)
    assert copy.was_decrypted
    assert SENTENCE in copy.text
    assert NAME not in copy.text
    assert [stopped for kind, _, stopped, _ in clocks(world) if kind == "share"] == [world.present()]


class Ours(Shift):
    """A shift that goes on although its lease has run out, as one does that was asleep."""

    def is_ours(self) -> bool:
        return True

    def enduring(self) -> AbstractContextManager[None]:
        return nullcontext()


def test_two_intakes_at_once_make_one_ticket_of_a_message(world: World) -> None:
    for number in range(3):
        world.arrives(world.reports(f"Number {number} at https://www.voorbeeld.example/"))
    together = threading.Barrier(2, timeout=60)
    shift = Ours("intake", world.place, minutes=0)

    def takes_in(_: int) -> None:
        with IntakeMailbox(world.place.imap) as mailbox:
            together.wait()
            take_waiting(world.place, mailbox, shift)
            together.wait()
            with world.place.database.reading() as session:
                numbers = ledger.undecided(session, world.present())
            together.wait()
            for entry in numbers:
                file_entry(world.place, entry)
            together.wait()
            put_away(world.place, mailbox)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(takes_in, range(2)))

    assert verdicts(world) == [Verdict.OPENED_TICKET] * 3
    assert len(world.tickets()) == 3
    assert len(outbox(world)) == 12
    desk = world.people.desk.address
    assert world.mail.mails(desk, "INBOX") == []
    archived = world.mail.mails(desk, "Archive")
    assert len(set(archived)) == 3  # of one that both moved at once Dovecot keeps two copies


def test_a_mailbox_that_was_made_anew_makes_no_second_ticket_and_a_read_mail_is_read_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.arrives(world.reports())
    with monkeypatch.context() as dying:
        dying.setattr(intakes, "put_away", lambda *_: 0)
        intake(minutes=0)
    maildir = world.mail.drop.inbox(world.people.desk.address)
    assert len(world.mail.mails(world.people.desk.address, "INBOX")) == 1

    world.mail.stop()
    for file in (*maildir.glob("dovecot-uidlist*"), *maildir.glob("dovecot.index*")):
        file.unlink()
    world.arrives(world.reports("Read before we came: https://www.voorbeeld.example/"))
    world.mail.start()
    with IMAPClient("127.0.0.1", world.mail.imap_port, ssl=False) as somebody:
        somebody.login(world.people.desk.address, world.mail.password)
        somebody.select_folder("INBOX")
        somebody.add_flags(somebody.search(), [b"\\Seen", b"\\Flagged"])
    intake(minutes=0)

    with world.place.database.reading() as session:
        lay = session.execute(select(LedgerEntry.uidvalidity, LedgerEntry.verdict)).all()
        assert len(session.scalars(select(Mail.id)).all()) == 8
    assert len({uidvalidity for uidvalidity, _ in lay}) == 2
    verdicts = {Verdict.OPENED_TICKET: 2, Verdict.REPEATED: 1}  # a list made anew may have any order
    assert Counter(verdict for _, verdict in lay) == verdicts
    assert world.tickets() == [FIRST, SECOND]
    assert world.mail.mails(world.people.desk.address, "INBOX") == []
