"""What mail servers say of our mail in words, and what they only say in passing."""

import pytest
from meldbalie.mailbox.letter import Letter
from meldbalie.mailbox.returned import is_delay, is_failure_in_words

SERVER = "From: Mail Delivery Subsystem <mailer-daemon@mx.example>"


def letter(*lines: str, body: str = "Sorry.") -> Letter:
    return Letter.read("\r\n".join((*lines, "", body)).encode())


FAILURES = {
    "Postfix": (SERVER, "Subject: Undelivered Mail Returned to Sender"),
    "an empty return path": ("Return-Path: <>", "From: a@mx.example", "Subject: Delivery failed"),
    "Exchange in Dutch": (
        "From: postmaster@mx.example",
        "Subject: Onbestelbaar: [CVD-2026-0001] Ons antwoord",
    ),
    "qmail": ("From: MAILER-DAEMON@mx.example", "Subject: failure notice"),
}
NEITHER = {
    "a person": ("From: sanne@onderzoek.example", "Subject: Your delivery of answers"),
    "an absence": ("Return-Path: <>", "From: sanne@onderzoek.example", "Subject: Afwezig: Ons antwoord"),
    "a server about something else": (SERVER, "Subject: Your mailbox is nearly full"),
}


@pytest.mark.parametrize("lines", FAILURES.values(), ids=FAILURES.keys())
def test_a_server_that_tells_people_that_mail_failed(lines: tuple[str, ...]) -> None:
    assert is_failure_in_words(letter(*lines))
    assert not is_delay(letter(*lines))


@pytest.mark.parametrize("lines", NEITHER.values(), ids=NEITHER.keys())
def test_what_is_about_no_mail_of_ours(lines: tuple[str, ...]) -> None:
    assert not is_failure_in_words(letter(*lines))
    assert not is_delay(letter(*lines))


@pytest.mark.parametrize("action", ["delayed", "Delayed", "delivered", "relayed", "expanded"])
def test_a_report_that_mail_waits_or_arrived_is_no_failure(action: str) -> None:
    report = letter(SERVER, "Subject: Delivery Status Notification", body=f"x\r\nAction: {action}\r\n")

    assert not is_failure_in_words(report)
    assert is_delay(report) is (action.lower() == "delayed")


def test_a_delay_told_in_words_is_a_delay() -> None:
    words = letter(SERVER, "Subject: Warning: could not send message for past 4 hours")

    assert is_delay(words)
    assert not is_failure_in_words(words)
