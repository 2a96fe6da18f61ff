"""Edges where a name could leak, an answer be lost, or a copy wait for ever."""

import shutil
from email import message_from_bytes
from typing import Any

import pytest
from meldbalie.flows.answers import take_answer
from meldbalie.flows.intake import intake
from meldbalie.mailbox.letter import Letter
from meldbalie.mailbox.opening import Opened
from meldbalie.mailbox.problem import Problem
from meldbalie.models import acts
from meldbalie.models.errors import Refused
from meldbalie.models.ledger import Verdict
from meldbalie.models.outbox import MailKind
from meldbalie.models.states import CloseReason
from meldbalie.models.ticket import ticket_called
from meldbalie.tests.flows.glances import (
    answers,
    fills_in,
    form_of,
    goes_round,
    history,
    outbox,
    reply_address,
    states,
    verdicts,
)
from meldbalie.tests.flows.test_intake_verdicts import sealed_to_somebody_else
from meldbalie.tests.flows.world import NAME, World

FIRST = "CVD-2026-0001"
PLAIN = "Op https://www.voorbeeld.example/ staat een lijst met wachtwoorden open."


def test_a_note_of_the_staff_on_a_closed_ticket_stays_internal(world: World) -> None:
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

    note = world.reports(f"Volgens {NAME} is het nu wel weg.", recipient=reply_address(world, FIRST, "staff"))
    world.arrives(note)
    goes_round(world)

    assert world.tickets() == [FIRST]
    assert verdicts(world) == [Verdict.OPENED_TICKET, Verdict.JOINED_TICKET]
    assert all(NAME not in mail.text for mail in world.read_by(world.people.web_team))


def test_the_key_that_a_reporter_sends_later_is_sealed_to(world: World) -> None:
    world.arrives(world.reports(PLAIN, seals=False, key=False))
    goes_round(world)
    assert not world.read_by(world.people.reporter)[0].was_decrypted

    world.arrives(world.reports("Mijn sleutel.", recipient=reply_address(world, FIRST), seals=False))
    goes_round(world)
    answers(world, FIRST)
    goes_round(world)

    answer = world.read_by(world.people.reporter)[-1]
    assert answer.was_decrypted
    assert "Dank." in answer.text
    assert "key_taken" in history(world, FIRST)


def test_a_host_of_the_reporters_own_is_no_target_for_the_ibd(world: World) -> None:
    world.arrives(world.reports(PLAIN, subject="SSRF, gezien op poc.onderzoek.example"))
    goes_round(world)

    [copy] = world.read_by(world.people.ibd)
    assert "www.voorbeeld.example" in copy.text
    assert "onderzoek.example" not in copy.text


def test_nothing_is_closed_over_a_copy_that_waits_for_a_look(world: World) -> None:
    world.arrives(world.reports(f"{PLAIN}\nIk ben Piet en werk bij Acme."))
    goes_round(world)
    assert states(world, MailKind.IBD_COPY) == ["held"]

    who: dict[str, Any] = {
        "by": "Balie",
        "because": "Opgelost.",
        "promise": world.place.promise,
        "now": world.present(),
    }
    with world.place.database.unit_of_work() as session:
        acts.accept(session, ticket_called(session, FIRST), **who)
    with world.place.database.unit_of_work() as session, pytest.raises(Refused, match="held"):
        acts.close(session, ticket_called(session, FIRST), reason=CloseReason.REMEDIATED, **who)
    with world.place.database.unit_of_work() as session:
        ticket = ticket_called(session, FIRST)
        acts.release_copy(session, ticket, by="Balie", now=world.present())
        acts.close(session, ticket, reason=CloseReason.REMEDIATED, **who)
    goes_round(world)

    assert states(world, MailKind.IBD_COPY) == ["sent"]


def test_an_answer_to_a_machines_report_brings_the_link_to_read_it_by(world: World) -> None:
    report = world.reports(PLAIN, seals=False, key=False)
    world.arrives(b"List-Id: <scans.onderzoek.example>\r\n" + report)
    goes_round(world)
    assert outbox(world, MailKind.RECEIPT) == []

    answers(world, FIRST)
    goes_round(world)

    assert states(world, MailKind.RECEIPT, MailKind.ANSWER) == ["sent", "sent"]


def test_two_open_forms_lose_no_answer_and_apply_none_twice(world: World) -> None:
    world.arrives(world.reports())
    goes_round(world)
    first, second = form_of(world.place, FIRST).number, form_of(world.place, FIRST).number
    confirm = {"action": "confirm", "who": "Balie"}

    said = [take_answer(world.place, FIRST, number, confirm) for number in (second, first, second)]

    assert said == ["applied", "refused", "applied before"]
    assert history(world, FIRST).count("moved") == 1


def test_a_form_that_would_drop_a_field_is_refused(world: World) -> None:
    world.arrives(world.reports())
    goes_round(world)
    accept = {"action": "accept: it will be fixed", "expected_fix_date": "2126-12-01"}

    assert fills_in(world.place, FIRST, **accept) == "refused"

    assert "makes no use of expected fix date" in form_of(world.place, FIRST).card
    assert "moved" not in history(world, FIRST)


def test_a_report_that_we_cannot_open_just_now_is_tried_again(world: World) -> None:
    private = world.people.desk.home / "private-keys-v1.d"
    away = private.with_name("away")
    world.arrives(world.reports())
    shutil.move(private, away)
    world.place.keyring.stop()

    assert intake(minutes=0) == 0
    assert verdicts(world) == [None]
    assert outbox(world) == []

    shutil.rmtree(private, ignore_errors=True)
    shutil.move(away, private)
    world.place.keyring.stop()
    world.present.passes(hours=1)
    goes_round(world)

    assert world.tickets() == [FIRST]
    with world.place.database.reading() as session:
        assert ticket_called(session, FIRST).arrived_at < world.present.now


def test_a_wrong_passphrase_of_ours_quarantines_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "meldbalie.flows.filing.open_letter",
        lambda raw, *args, **more: Opened(Letter.read(raw), was_encrypted=True, problem=Problem.PASSPHRASE),
    )
    world.arrives(world.reports())

    assert intake(minutes=0) == 0

    assert verdicts(world) == [None]
    assert outbox(world) == []


def test_a_message_of_the_ticket_that_nobody_can_open_stands_on_its_card(world: World) -> None:
    world.arrives(world.reports())
    goes_round(world)
    assert "cannot be opened" not in form_of(world.place, FIRST).card

    message = message_from_bytes(sealed_to_somebody_else(world))
    message.replace_header("To", reply_address(world, FIRST))
    world.arrives(message.as_bytes())
    goes_round(world)

    assert verdicts(world)[-1] is Verdict.QUARANTINED
    assert (
        "**1 of its messages cannot be opened:** `meldbalie quarantine`" in form_of(world.place, FIRST).card
    )
    assert "unopened" in history(world, FIRST)
