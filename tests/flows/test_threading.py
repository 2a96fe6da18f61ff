"""A message joins a ticket by proof only; whatever else names one is for a handler to decide."""

import argparse
from dataclasses import replace
from email import message_from_bytes

import pytest
from meldbalie.flows.deliver import deliver
from meldbalie.flows.operator import outbox as outbox_command
from meldbalie.flows.operator import show
from meldbalie.models import acts
from meldbalie.models.ledger import Verdict
from meldbalie.models.outbox import MailKind, MailState
from meldbalie.models.owners import Owner
from meldbalie.models.states import CloseReason, TicketState
from meldbalie.models.ticket import ticket_called
from meldbalie.tests.flows.glances import (
    answers,
    clocks,
    goes_round,
    history,
    outbox,
    reply_address,
    states,
    verdicts,
    works_with,
)
from meldbalie.tests.flows.glances import fills_in as fill_in
from meldbalie.tests.flows.test_intake_verdicts import bounce
from meldbalie.tests.flows.world import NAME, World
from sqlalchemy import update

FIRST, SECOND, THIRD = "CVD-2026-0001", "CVD-2026-0002", "CVD-2026-0003"
MORE = "The vervolgkanarie parameter does it too."
STRANGER = b"karel@anders.example"
QUOTED = "\n".join(["Yes.", "", "On Thursday, CVD wrote:", *(f"> quoted line {one}" for one in range(6))])


def from_stranger(world: World, message: bytes) -> bytes:
    """The same message from somebody else's address."""
    return message.replace(world.people.reporter.address.encode(), STRANGER)


def decides(world: World, reference: str, **answer: str) -> str:
    """A handler fills in the form of a ticket."""
    return fill_in(world.place, reference, **answer)


def test_the_signature_of_the_reporter_joins_and_that_of_another_does_not(world: World) -> None:
    first = world.reports()
    world.arrives(first)
    goes_round(world)
    own_id = message_from_bytes(first)["Message-ID"]
    before = clocks(world)

    world.arrives(world.reports(MORE, subject=f"Re: [{FIRST}] hidden inside", key=False))
    world.arrives(world.reports(f"{MORE} And.", in_reply_to=own_id, key=False))
    goes_round(world)
    assert verdicts(world) == [Verdict.OPENED_TICKET, Verdict.JOINED_TICKET, Verdict.JOINED_TICKET]
    assert clocks(world) == before

    world.arrives(
        from_stranger(world, world.reports("Let me in.", in_reply_to=own_id, seals=False, key=False))
    )
    world.arrives(world.reports("Me too.", in_reply_to=own_id, seals=False, key=False))
    goes_round(world)
    assert verdicts(world)[3:] == [Verdict.OPENED_TICKET] * 2
    assert [one for one in history(world, SECOND) if one == "suggested"] == ["suggested"]
    assert history(world, FIRST).count("message") == 2


def test_a_guess_is_suggested_in_the_mail_and_on_the_card_and_joined_by_a_handler(world: World) -> None:
    world.arrives(world.reports())
    goes_round(world)
    world.arrives(world.reports(MORE, subject=f"Re: [{FIRST}] XSS", seals=False, key=False))
    goes_round(world)

    assert world.tickets() == [FIRST, SECOND]
    told = [
        mail.text for mail in world.read_by(world.people.handler) if "This may belong to another" in mail.text
    ]
    assert len(told) == 1
    assert f"{FIRST}: its number stands in the subject" in told[0]
    shown = "\n".join(show.lines(world.place, SECOND))
    assert f"may belong to {FIRST}: its number stands in the subject" in shown

    assert decides(world, SECOND, action="join: it belongs to another ticket") == "applied"
    deliver(minutes=0)

    with world.place.database.reading() as session:
        first, second = ticket_called(session, FIRST), ticket_called(session, SECOND)
        assert (second.state, second.close_reason) == (TicketState.CLOSED, CloseReason.DUPLICATE)
        assert first.is_open
    closing = world.read_by(world.people.reporter)[-1]
    assert FIRST in closing.text or not closing.was_decrypted
    whole = "\n".join(show.lines(world.place, FIRST))
    assert MORE in whole
    assert f"(on {SECOND})" in whole
    assert f"took in {SECOND}" in whole
    assert [stopped is not None for kind, _, stopped, _ in clocks(world) if kind == "response"] == [
        False,
        True,
    ]

    world.arrives(
        world.reports("And once more.", recipient=reply_address(world, SECOND), seals=False, key=False)
    )
    goes_round(world)
    assert world.tickets() == [FIRST, SECOND]
    last = world.read_by(world.people.handler)[-1]
    assert "And once more." in last.text
    assert f"Came on:    {SECOND}" in last.text
    assert f"[{FIRST}]" in last.subject


def test_another_reporter_of_a_joined_ticket_stays_apart_and_unnamed(world: World) -> None:
    world.arrives(world.reports())
    goes_round(world)
    karel = world.reports(f"{MORE} Karel Jansen", seals=False, key=False, subject=f"[{FIRST}]")
    karel = from_stranger(world, karel).replace(NAME.encode(), b"Karel Jansen")
    world.arrives(karel)
    goes_round(world)
    mails = len(world.mail.mails(world.people.reporter.address))
    owner = world.people.web_team
    before = len(world.mail.mails(owner.address))

    assert decides(world, SECOND, action="join: it belongs to another ticket", belongs_to=FIRST) == "applied"
    deliver(minutes=0)

    assert len(world.mail.mails(world.people.reporter.address)) == mails
    for raw in world.mail.mails(STRANGER.decode()):
        assert FIRST.encode() not in raw
        assert NAME.encode() not in raw
    given = world.read_by(owner)[before:]
    assert [MORE in mail.text for mail in given] == [True]
    for secret in ("Karel Jansen", STRANGER.decode(), NAME):
        assert all(secret not in mail.text for mail in given)


def test_a_ticket_is_kept_apart(world: World) -> None:
    world.arrives(world.reports())
    world.arrives(world.reports(MORE, subject=f"[{FIRST}]", seals=False, key=False))
    goes_round(world)

    assert decides(world, FIRST, action="keep apart: it belongs to no other ticket") == "refused"
    assert (
        decides(world, SECOND, action="keep apart: it belongs to no other ticket", text="Anders.")
        == "applied"
    )

    assert history(world, SECOND)[-1] == "kept_apart"
    assert not any(line.strip().startswith("may belong") for line in show.lines(world.place, SECOND))


def test_a_forwarded_token_is_heard_and_handlers_are_told_that_it_is_another(world: World) -> None:
    world.arrives(world.reports(key=False))
    goes_round(world)
    to = reply_address(world, FIRST)

    world.arrives(from_stranger(world, world.reports(MORE, recipient=to, seals=False, key=False)))
    goes_round(world)

    assert verdicts(world)[-1] is Verdict.JOINED_TICKET
    said = world.read_by(world.people.handler)[-1].text
    assert "another mail address than the one that we know" in said
    assert "another mail address" not in world.read_by(world.people.web_team)[-1].text
    assert "(other address)" in "\n".join(show.lines(world.place, FIRST))
    with world.place.database.reading() as session:
        assert ticket_called(session, FIRST).reporter.address == world.people.reporter.address


def test_a_former_owner_speaks_no_longer_for_the_ticket(world: World) -> None:
    world.arrives(world.reports())
    goes_round(world)
    old = reply_address(world, FIRST, "owner")
    with world.place.database.unit_of_work() as session:
        ticket = ticket_called(session, FIRST)
        acts.assign(session, ticket, to="Netwerkteam", by="Balie", because="", now=world.present())
    goes_round(world)

    world.arrives(world.reports("It is solved.", recipient=old, seals=False, key=False))
    goes_round(world)

    assert "from a former owner, to whom this ticket is no longer assigned" in " ".join(
        world.read_by(world.people.handler)[-1].text.split()
    )
    assert all("It is solved." not in mail.text for mail in world.read_by(world.people.network_team))
    assert "from former owner" in "\n".join(show.lines(world.place, FIRST))


@pytest.mark.parametrize("party", ["staff", "ibd"])
def test_mail_of_our_own_is_announced_as_such_also_to_who_has_no_key(
    world: World, monkeypatch: pytest.MonkeyPatch, party: str
) -> None:
    world.arrives(world.reports())
    goes_round(world)
    to = reply_address(world, FIRST, party)
    promise, config = world.place.promise, world.place.config
    keyless = tuple(replace(one, fingerprint="") for one in promise.triage)
    unknown = [one.model_copy(update={"fingerprint": ""}) for one in config.triage]
    without = replace(
        world.place,
        promise=replace(promise, triage=keyless),
        config=config.model_copy(update={"triage": unknown}),
    )
    works_with(world, monkeypatch, without)

    world.arrives(world.reports(MORE, recipient=to, seals=False, key=False))
    goes_round(world)

    notice = world.read_by(world.people.handler)[-1]
    assert not notice.was_encrypted
    assert ("a member of the desk" if party == "staff" else "from the IBD") in " ".join(notice.text.split())
    assert "from the reporter" not in " ".join(notice.text.split())


def test_quotes_are_folded_for_readers_and_whole_in_the_record(world: World) -> None:
    world.arrives(world.reports())
    goes_round(world)
    world.arrives(world.reports(QUOTED, recipient=reply_address(world, FIRST), key=False))
    goes_round(world)

    for reader in (world.people.handler, world.people.web_team):
        said = world.read_by(reader)[-1].text
        assert "> Yes." in said
        assert "7 aangehaalde regels / quoted lines" in said
        assert "quoted line 3" not in said
    assert "meldbalie show CVD-2026-0001 --whole" in world.read_by(world.people.handler)[-1].text
    assert "quoted line 3" not in "\n".join(show.lines(world.place, FIRST))
    assert "quoted line 3" in "\n".join(show.lines(world.place, FIRST, whole=True))
    with world.place.database.reading() as session:
        assert ticket_called(session, FIRST).messages[-1].text.rstrip() == QUOTED


def test_a_report_is_never_folded(world: World) -> None:
    world.arrives(world.reports(QUOTED, key=False))
    goes_round(world)

    assert "quoted line 3" in world.read_by(world.people.handler)[-1].text
    assert "quoted line 3" in "\n".join(show.lines(world.place, FIRST))


# What comes back.


def test_mail_to_an_address_that_fails_is_parked_until_it_works_again(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.arrives(world.reports())
    goes_round(world)
    world.arrives(bounce(world, 1, reply_address(world, FIRST)))
    goes_round(world)
    assert states(world, MailKind.RECEIPT) == ["parked"]

    with world.place.database.unit_of_work() as session:
        acts.confirm(
            session,
            ticket_called(session, FIRST),
            by="Balie",
            because="",
            promise=world.place.promise,
            now=world.present(),
        )
    answers(world, FIRST)
    goes_round(world)
    assert [mail.problem for mail in outbox(world, MailKind.STATE_CHANGED)] == ["undeliverable"]
    assert states(world, MailKind.ANSWER) == ["sent"]
    assert len(outbox(world, MailKind.UNDELIVERED)) == 1

    monkeypatch.setattr(outbox_command, "records", lambda: world.place)
    assert outbox_command.run(argparse.Namespace(retry="nonsense")) == 1
    assert outbox_command.run(argparse.Namespace(retry="undeliverable")) == 0
    assert "waits to be sent" in capsys.readouterr().out
    goes_round(world)
    assert states(world, MailKind.STATE_CHANGED) == ["sent"]
    assert outbox_command.run(argparse.Namespace(retry="all")) == 0
    goes_round(world)
    assert {mail.state for mail in outbox(world)} == {MailState.SENT}


DELAYED = """\
Return-Path: <>
From: MAILER-DAEMON@mx.onderzoek.example
To: {to}
Subject: Delivery Status Notification (Delay)
Message-ID: <delay@mx.onderzoek.example>
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.onderzoek.example

Final-Recipient: rfc822; {failed}
Action: delayed
Status: 4.4.1

--b--
"""
IN_WORDS = """\
Return-Path: <>
From: Mail Delivery System <MAILER-DAEMON@mx.onderzoek.example>
To: {to}
Subject: Onbestelbaar: uw bericht
Message-ID: <words@mx.onderzoek.example>

Het is niet gelukt. Message-ID: {returned}
"""


def test_a_delay_is_noted_and_changes_nothing(world: World) -> None:
    world.arrives(world.reports())
    goes_round(world)
    before = states(world)

    failed = world.people.reporter.address
    world.arrives(DELAYED.format(to=reply_address(world, FIRST), failed=failed).encode())
    goes_round(world)

    assert history(world, FIRST)[-1] == "delayed"
    assert states(world) == before


@pytest.mark.parametrize("has_token_in_address", [True, False])
def test_a_bounce_in_words_is_matched_by_what_it_brings_back(
    world: World, has_token_in_address: bool
) -> None:
    world.arrives(world.reports())
    goes_round(world)
    answers(world, FIRST)
    goes_round(world)
    receipt, answer = world.mail.mails(world.people.reporter.address)

    to = reply_address(world, FIRST) if has_token_in_address else "cvd@voorbeeld.example"
    returned = message_from_bytes(receipt)["Message-ID"]
    words = IN_WORDS.format(to=to, returned=returned)
    if not has_token_in_address:
        words = words.replace("\n\n", f"\nIn-Reply-To: {returned}\n\n", 1)
    world.arrives(words.encode())
    goes_round(world)

    assert verdicts(world)[-1] is Verdict.BOUNCED
    assert states(world, MailKind.RECEIPT) == ["parked"]
    assert states(world, MailKind.ANSWER) == ["sent"]
    assert clocks(world)[0][2] is not None
    assert message_from_bytes(answer)["In-Reply-To"] is not None


def test_without_plus_addresses_replies_and_bounces_find_their_ticket_by_message_id(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    organisation = world.place.config.organisation.model_copy(update={"plus_addresses": False})
    config = world.place.config.model_copy(update={"organisation": organisation})
    works_with(world, monkeypatch, replace(world.place, config=config))
    world.arrives(world.reports(key=False))
    goes_round(world)
    [receipt] = [message_from_bytes(raw) for raw in world.mail.mails(world.people.reporter.address)]
    assert receipt["Reply-To"] == receipt["Return-Path"].strip("<>") == "cvd@voorbeeld.example"

    world.arrives(world.reports(MORE, in_reply_to=receipt["Message-ID"], seals=False, key=False))
    back = bounce(world, 1, "cvd@voorbeeld.example")
    world.arrives(back.replace(b"Subject: ...\r\n", f"Message-ID: {receipt['Message-ID']}\r\n".encode()))
    goes_round(world)

    assert verdicts(world)[1:] == [Verdict.JOINED_TICKET, Verdict.BOUNCED]
    assert states(world, MailKind.RECEIPT) == ["parked"]


def test_the_owner_directory_may_change_under_a_thread(world: World) -> None:
    world.arrives(world.reports())
    goes_round(world)
    to = reply_address(world, FIRST, "owner")
    with world.place.database.unit_of_work() as session:
        session.execute(
            update(Owner).where(Owner.name == "Webteam").values(address="nieuw@voorbeeld.example")
        )

    world.arrives(world.reports("Solved.", recipient=to, seals=False, key=False))
    goes_round(world)

    assert "from the owner of the system" in " ".join(world.read_by(world.people.handler)[-1].text.split())
