"""What machines answered to the mail of a ticket is forgotten with it: it names whom we wrote to."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from meldbalie.flows.clearing import clear_away
from meldbalie.flows.operator.demo_files import CVD
from meldbalie.models import acts
from meldbalie.models.forgetting import forget
from meldbalie.models.ledger import LedgerEntry, Verdict
from meldbalie.models.states import CloseReason
from meldbalie.models.ticket import ticket_called
from meldbalie.tests.flows.glances import goes_round, history, reply_address, verdicts
from meldbalie.tests.flows.world import NAME, PHONE, SENTENCE, World
from sqlalchemy import select

FIRST, SECOND = "CVD-2026-0001", "CVD-2026-0002"


@pytest.fixture
def reported(world: World) -> World:
    """One ticket, whose reporter has the receipt."""
    world.arrives(world.reports(key=False))
    goes_round(world)
    return world


def receipt(world: World) -> EmailMessage:
    [raw] = world.mail.mails(world.people.reporter.address)
    mail = message_from_bytes(raw, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def is_away(world: World, **headers: str) -> bytes:
    """What the reporter's mailbox says while the reporter is away."""
    away = EmailMessage()
    away["From"], away["To"] = f"{NAME} <{world.people.reporter.address}>", CVD
    away["Subject"], away["Message-ID"] = "Out of office", "<away@onderzoek.example>"
    away["Auto-Submitted"] = "auto-replied"
    for name, value in headers.items():
        del away[name]
        away[name.replace("_", "-")] = value
    away.set_content(f"I am away until Monday. Call me: {PHONE}\n\n> {SENTENCE}\n")
    return away.as_bytes()


def answers_to_our_token(world: World) -> bytes:
    return is_away(world, To=reply_address(world, FIRST))


def answers_our_message(world: World) -> bytes:
    return is_away(world, In_Reply_To=receipt(world)["Message-ID"])


def quotes_our_headers(world: World) -> bytes:
    """It answers to nothing of ours by its own headers, and attaches those of our mail."""
    quoted = f"\nOriginal headers:\nMessage-ID: {receipt(world)['Message-ID']}\n"
    return is_away(world) + quoted.encode()


def brings_our_mail_back(world: World) -> bytes:
    """The reporter's mailbox forwards our own mail to us."""
    return receipt(world).as_bytes()


def could_not_deliver(world: World) -> bytes:
    """A delivery report (RFC 3464), as Postfix makes it."""
    address, mail = world.people.reporter.address, receipt(world)
    report = (
        "From: MAILER-DAEMON@onderzoek.example\nSubject: Undelivered Mail Returned to Sender\n"
        f"To: {mail['Reply-To']}\nMessage-ID: <bounce@onderzoek.example>\nAuto-Submitted: auto-replied\n"
        'MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary="x"\n\n'
        f"--x\n\n<{address}>: {NAME} is gone\n\n--x\nContent-Type: message/delivery-status\n\n"
        "Reporting-MTA: dns; mail.onderzoek.example\n\n"
        f"Final-Recipient: rfc822; {address}\nAction: failed\nStatus: 5.1.1\n\n--x--\n"
    )
    return report.replace("\n", "\r\n").encode()


def closes(world: World, reference: str = FIRST) -> None:
    how: dict[str, Any] = {"by": "Balie", "because": "", "promise": world.place.promise}
    with world.place.database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        acts.close(session, ticket, reason=CloseReason.SPAM, now=world.present(), **how)
    goes_round(world)


def forgets(world: World, reference: str = FIRST) -> None:
    with world.place.database.unit_of_work() as session:
        assert forget(session, ticket_called(session, reference), by="Balie", now=world.present())
    assert clear_away(world.place) == []


def in_ledger(world: World) -> list[tuple[bytes, str]]:
    with world.place.database.reading() as session:
        found = session.scalars(select(LedgerEntry).order_by(LedgerEntry.id))
        return [(entry.raw, entry.message_id) for entry in found]


@pytest.mark.parametrize(
    "made",
    [
        answers_to_our_token,
        answers_our_message,
        quotes_our_headers,
        brings_our_mail_back,
        could_not_deliver,
    ],
)
def test_what_a_machine_answered_is_forgotten_with_its_ticket(reported: World, made: Any) -> None:
    reported.arrives(made(reported))
    goes_round(reported)
    verdict = Verdict.BOUNCED if made is could_not_deliver else Verdict.AUTOMATIC
    assert verdicts(reported) == [Verdict.OPENED_TICKET, verdict]
    closes(reported)

    forgets(reported)

    assert in_ledger(reported) == [(b"", "")] * 2
    assert reported.mail.mails(CVD, "Archive") == []


def test_that_somebody_is_away_is_no_news_on_the_ticket(reported: World) -> None:
    before = history(reported, FIRST)
    reported.arrives(answers_to_our_token(reported))
    goes_round(reported)
    assert history(reported, FIRST) == before


def test_what_belongs_to_another_ticket_or_to_none_stays(reported: World) -> None:
    reported.arrives(reported.reports("Something else at https://www.voorbeeld.example/", key=False))
    goes_round(reported)
    to_none, to_second = is_away(reported), is_away(reported, To=reply_address(reported, SECOND))
    reported.arrives(to_none)
    reported.arrives(to_second)
    goes_round(reported)
    assert verdicts(reported)[2:] == [Verdict.AUTOMATIC] * 2
    closes(reported)

    forgets(reported)

    assert [bool(raw) for raw, _ in in_ledger(reported)] == [False, True, True, True]
    assert len(reported.mail.mails(CVD, "Archive")) == 3


def test_it_is_known_again_when_it_comes_once_more(reported: World) -> None:
    """A copy that is judged anew would be kept for good: no token tells any more whose it is."""
    away = answers_to_our_token(reported)
    reported.arrives(away)
    goes_round(reported)
    closes(reported)
    forgets(reported)

    reported.arrives(b"Return-Path: <>\r\n" + away)
    goes_round(reported)

    assert verdicts(reported)[-1] is Verdict.REPEATED
    assert clear_away(reported.place) == []
    assert in_ledger(reported) == [(b"", "")] * 3
    assert reported.mail.mails(CVD, "Archive") == []
