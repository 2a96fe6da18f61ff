"""Automatic mail is recognised and says why; a person's mail is not taken for it."""

import time

import pytest
from meldbalie.mailbox.automatic import bounced_addresses, why_automatic
from meldbalie.mailbox.keyring import Keyring
from meldbalie.mailbox.letter import Letter
from meldbalie.mailbox.opening import open_letter

BOUNCE = b"""Return-Path: <>
From: Mail Delivery System <MAILER-DAEMON@mx.example>
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b

Could not be delivered.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; weg@melder.example
Action: failed
Status: 5.1.1

Final-Recipient: rfc822; later@melder.example
Action: delayed
Status: 4.2.2
--b--
"""


def why(*lines: bytes, sender: bytes = b"Renee <renee@melder.example>") -> str | None:
    return why_automatic(
        Letter.read(b"\n".join((b"From: " + sender, *lines, b"", b"tekst"))), loop_marker="ons"
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"Auto-Submitted: auto-replied", "auto-submitted"),
        (b"Auto-Submitted: auto-generated; x=y", "auto-submitted"),
        (b"Auto-Submitted: no", None),
        (b"Auto-Submitted: No (really)\nAuto-Submitted: auto-replied", "auto-submitted"),
        (b"Return-Path: <>", "null-return-path"),
        (b"Return-Path: <renee@melder.example>", None),
        (b"Content-Type: multipart/report; boundary=b", "report"),
        (b"Precedence: bulk", "precedence"),
        (b"Precedence: LIST", "precedence"),
        (b"Precedence: first-class", None),
        (b"List-Id: <lijst.x.example>", "list"),
        (b"List-Unsubscribe: <mailto:x@y.example>", "list"),
        (b"X-Auto-Response-Suppress: All", "suppress"),
        (b"X-Auto-Response-Suppress: None", None),
        (b"X-Autoreply: yes", "autoreply"),
        (b"X-Autorespond: afwezig", "autoreply"),
        (b"X-Loop: ons", "loop"),
        (b"X-Loop: anders", None),
        (b"X-Ander: x", None),
    ],
)
def test_each_header_rule_says_why(line: bytes, reason: str | None) -> None:
    assert why(line) == reason


@pytest.mark.parametrize(
    ("sender", "reason"),
    [
        (b"MAILER-DAEMON@mx.example", "robot"),
        (b"postmaster@mx.example", "robot"),
        (b"no-reply@mx.example", "robot"),
        (b"noreply+1@mx.example", "robot"),
        (b"do-not-reply@mx.example", "robot"),
        (b"DoNotReply@mx.example", "robot"),
        (b"bounces+x=y@mx.example", "robot"),
        (b"norbert.eply@mx.example", None),
        (b"renee@no-reply.example", None),
        (b"", None),
    ],
)
def test_the_addresses_of_robots_are_known(sender: bytes, reason: str | None) -> None:
    assert why(sender=sender) == reason


def test_the_rules_are_asked_in_their_order() -> None:
    assert why(b"X-Loop: ons", b"Precedence: bulk", b"Auto-Submitted: auto-replied") == "loop"
    assert why(b"Precedence: bulk", b"Auto-Submitted: auto-replied") == "auto-submitted"


def test_the_addresses_that_a_bounce_names_are_found() -> None:
    letter = Letter.read(BOUNCE)
    assert bounced_addresses(letter) == ("weg@melder.example",)
    assert why_automatic(letter) == "null-return-path"


def test_a_bounce_without_a_sender_is_still_read() -> None:
    lines = [line for line in BOUNCE.split(b"\n") if not line.startswith(b"From")]
    assert bounced_addresses(Letter.read(b"\n".join(lines)))


def test_a_bounce_in_prose_is_automatic_by_what_it_says() -> None:
    person = b"From: x@mx.example\nSubject: Lek\n\nweg@melder.example:\nSorry, no mailbox here.\n"
    prose = b"""From: x@mx.example
Subject: Mail delivery failed

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients.  This is a permanent error.  The following address(es) failed:

  weg@melder.example
    unknown user

------ This is a copy of the message, including all the headers. ------
"""
    with Keyring.throwaway() as keyring:
        opened = open_letter(prose, keyring)
        assert not open_letter(person, keyring).automatic
    assert opened.bounced == ("weg@melder.example",)
    assert (opened.automatic, opened.automatic_because) == (True, "bounce")


def test_a_persons_letter_bounces_nothing() -> None:
    assert (
        bounced_addresses(
            Letter.read(b"From: a@b.example\n\nIk kreeg mijn mail niet bezorgd bij c@d.example.")
        )
        == ()
    )


@pytest.mark.parametrize("line", [b"a" * 5000, b"a@" * 2000, b"<" * 5000, b" " * 5000, b"x", b""])
def test_looking_for_bounces_costs_little_time(line: bytes) -> None:
    starts = b"failed addresses follow:\nthe following addresses had\nYour message\n"
    started = time.perf_counter()
    bounced_addresses(Letter.read(b"From: a@b.example\n\n" + starts + (line + b"\n") * 20_000))
    assert time.perf_counter() - started < 3
