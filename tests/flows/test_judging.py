"""What becomes of a message: every rule, and above all that no report is put away unread."""

from collections.abc import Generator
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from meldbalie.flows.judging import RULES, judge
from meldbalie.mailbox.automatic import why_automatic
from meldbalie.mailbox.keyring import Keyring
from meldbalie.mailbox.letter import Letter
from meldbalie.mailbox.opening import Attachment, Opened, Problem, open_letter
from meldbalie.models.ledger import Verdict

LOOP = "voorbeeld.example"
TEXT = "The search form reflects what it is given."
FILE = Attachment(name="proof.png", content_type="image/png", content=b"\x89PNG")

BOUNCE = b"""\
Return-Path: <>
From: Mail Delivery System <MAILER-DAEMON@mx.example>
To: cvd@voorbeeld.example
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b

Could not be delivered.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; sanne@onderzoek.example
Action: failed
Status: 5.1.1
--b--
"""
QUOTED = b"""\
From: Sanne <sanne@onderzoek.example>
To: cvd@voorbeeld.example
Subject: Your mail server tells who exists

   ----- The following addresses had permanent fatal errors -----
<somebody@voorbeeld.example>

   ----- Transcript of session follows -----
550 User unknown

That is what your server answers, and it should not.
"""


@pytest.fixture
def keyring(tmp_path: Path) -> Generator[Keyring]:
    """A keyring that no unsealed letter needs."""
    with Keyring(tmp_path) as empty:
        yield empty


def opened(*headers: str, text: str = TEXT) -> Opened:
    """An unsealed letter with these headers, as it is opened."""
    raw = "\n".join(("From: Sanne <sanne@onderzoek.example>", *headers, "", text)).encode()
    letter = Letter.read(raw)
    because = why_automatic(letter, loop_marker=LOOP)
    return Opened(letter=letter, text=text, automatic=because is not None, automatic_because=because)


def sealed(letter: Opened) -> Opened:
    """The same, had it been sealed to us."""
    return replace(letter, was_encrypted=True, was_decrypted=True, bounced=())


def verdict(letter: Opened, *, names_a_thread: bool = False) -> Verdict:
    return judge(letter, names_a_thread=names_a_thread).verdict


PERSON = opened("Subject: XSS")
UNREADABLE = replace(PERSON, text=" \n", problem=Problem.NO_SECRET_KEY, was_encrypted=True)

VERDICTS = {
    "somebody writes": (PERSON, Verdict.OPENED_TICKET, Verdict.JOINED_TICKET),
    "somebody seals": (sealed(PERSON), Verdict.OPENED_TICKET, Verdict.JOINED_TICKET),
    "a file and no text": (
        replace(PERSON, text="", attachments=(FILE,)),
        Verdict.OPENED_TICKET,
        Verdict.JOINED_TICKET,
    ),
    "nothing but a subject": (replace(PERSON, text=""), Verdict.UNCLEAR, Verdict.JOINED_TICKET),
    "nothing can be opened": (UNREADABLE, Verdict.QUARANTINED, Verdict.QUARANTINED),
    "a sealed letter around one that cannot be opened": (
        replace(UNREADABLE, was_decrypted=True),
        Verdict.QUARANTINED,
        Verdict.QUARANTINED,
    ),
    "some of it can be opened": (
        replace(PERSON, problem=Problem.TAMPERED),
        Verdict.OPENED_TICKET,
        Verdict.JOINED_TICKET,
    ),
    "too large, with a part that was read": (
        replace(UNREADABLE, problem=Problem.TOO_LARGE, attachments=(FILE,)),
        Verdict.OPENED_TICKET,
        Verdict.JOINED_TICKET,
    ),
    "an out-of-office reply": (
        opened("Auto-Submitted: auto-replied"),
        Verdict.AUTOMATIC,
        Verdict.AUTOMATIC,
    ),
    "an out-of-office reply in other words": (
        opened("Auto-Submitted: Auto-Replied (vacation)"),
        Verdict.AUTOMATIC,
        Verdict.AUTOMATIC,
    ),
    "an autoresponder": (opened("X-Autoreply: yes"), Verdict.AUTOMATIC, Verdict.AUTOMATIC),
    "our own mail": (opened(f"X-Loop: {LOOP}"), Verdict.AUTOMATIC, Verdict.AUTOMATIC),
    "our own mail, sealed to ourselves": (
        sealed(opened(f"X-Loop: {LOOP}")),
        Verdict.AUTOMATIC,
        Verdict.AUTOMATIC,
    ),
    "a scanner": (opened("Auto-Submitted: auto-generated"), Verdict.UNCLEAR, Verdict.JOINED_TICKET),
    "a newsletter": (opened("List-Id: <news.example>"), Verdict.UNCLEAR, Verdict.JOINED_TICKET),
    "a mass mailing": (opened("Precedence: bulk"), Verdict.UNCLEAR, Verdict.JOINED_TICKET),
    "a machine with an empty return path": (
        opened("Return-Path: <>"),
        Verdict.UNCLEAR,
        Verdict.AUTOMATIC,
    ),
    "a report that machines read (RFC 5965)": (
        opened("Content-Type: multipart/report; report-type=feedback-report; boundary=b"),
        Verdict.UNCLEAR,
        Verdict.AUTOMATIC,
    ),
    "a machine that seals": (
        sealed(opened("Return-Path: <>")),
        Verdict.OPENED_TICKET,
        Verdict.AUTOMATIC,
    ),
    "a gateway that seals what a machine replies": (
        sealed(opened("Auto-Submitted: auto-replied")),
        Verdict.OPENED_TICKET,
        Verdict.AUTOMATIC,
    ),
    "a delivery report": (
        replace(opened("Return-Path: <>"), bounced=("sanne@onderzoek.example",)),
        Verdict.BOUNCED,
        Verdict.BOUNCED,
    ),
    "somebody who quotes a delivery report": (
        replace(PERSON, bounced=("sanne@onderzoek.example",)),
        Verdict.OPENED_TICKET,
        Verdict.JOINED_TICKET,
    ),
}


@pytest.mark.parametrize(("letter", "alone", "on_a_thread"), VERDICTS.values(), ids=VERDICTS.keys())
def test_each_sort_of_message_has_its_verdict(letter: Opened, alone: Verdict, on_a_thread: Verdict) -> None:
    assert verdict(letter) is alone
    assert verdict(letter, names_a_thread=True) is on_a_thread


def test_a_real_delivery_report_is_a_bounce(keyring: Keyring) -> None:
    assert verdict(open_letter(BOUNCE, keyring)) is Verdict.BOUNCED


def test_a_report_that_quotes_a_delivery_report_is_a_report(keyring: Keyring) -> None:
    letter = open_letter(QUOTED, keyring)

    assert letter.bounced
    assert verdict(letter) is Verdict.OPENED_TICKET
    assert verdict(letter, names_a_thread=True) is Verdict.JOINED_TICKET


@pytest.mark.parametrize(
    "more", [b"", b"List-Id: <cvd.voorbeeld.example>\n", b"X-Auto-Response-Suppress: All\n"]
)
@pytest.mark.parametrize("sender", [b"sanne@onderzoek.example", b"no-reply@bugbounty.example"])
def test_nobody_who_quotes_a_delivery_report_is_taken_for_a_mail_system(
    keyring: Keyring, more: bytes, sender: bytes
) -> None:
    subject = b"Undeliverable mails of your gateway disclose internal hosts"
    raw = QUOTED.replace(b"Your mail server tells who exists", subject)
    letter = open_letter(more + raw.replace(b"sanne@onderzoek.example", sender), keyring)

    assert letter.bounced
    assert verdict(letter) in (Verdict.OPENED_TICKET, Verdict.UNCLEAR)


def test_the_number_of_a_ticket_in_a_subject_counts_for_nothing() -> None:
    assert verdict(opened("Subject: Re: [CVD-2026-0001] XSS")) is Verdict.OPENED_TICKET


@pytest.mark.parametrize("name", VERDICTS)
def test_no_machine_is_ever_answered_and_every_person_may_be(name: str) -> None:
    letter = VERDICTS[name][0]

    for names_a_thread in (False, True):
        assert judge(letter, names_a_thread=names_a_thread).may_be_answered is not letter.automatic


FACTS = (
    (None, "loop", "auto-submitted", "null-return-path", "report", "autoreply", "list", "robot"),
    (None, Problem.NO_SECRET_KEY, Problem.TOO_LARGE),
    ("", TEXT),
    ((), (FILE,)),
    ((), ("sanne@onderzoek.example",)),
    (False, True),
    (False, True),
)


def test_whatever_the_facts_there_is_a_verdict_with_its_reason_and_no_persons_text_is_put_away() -> None:
    put_away = {Verdict.AUTOMATIC, Verdict.BOUNCED, Verdict.QUARANTINED}
    for because, problem, text, files, bounced, was_sealed, names_a_thread in product(*FACTS):
        letter = replace(
            PERSON,
            automatic=because is not None,
            automatic_because=because,
            problem=problem,
            text=text,
            attachments=files,
            bounced=() if was_sealed else bounced,
            was_encrypted=was_sealed,
            was_decrypted=was_sealed,
        )
        judged = judge(letter, names_a_thread=names_a_thread)
        assert judged.because in [why for _, _, why in RULES]
        says_something = bool(text or files)
        if says_something and because is None:
            assert judged.verdict not in put_away
        if says_something and was_sealed and because != "loop" and not names_a_thread:
            assert judged.verdict is Verdict.OPENED_TICKET
        if judged.verdict is Verdict.JOINED_TICKET:
            assert names_a_thread
