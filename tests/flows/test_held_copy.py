"""What handlers and owners read: a copy that is held, a ticket that moved on, one that is taken up again."""

from typing import Any

from meldbalie.flows import deliver as delivering
from meldbalie.models import acts
from meldbalie.models.again import reopen
from meldbalie.models.outbox import MailKind
from meldbalie.models.owners import Owner
from meldbalie.models.states import CloseReason
from meldbalie.models.ticket import ticket_called
from meldbalie.tests.flows.glances import fills_in, form_of, goes_round, history, outbox, states
from meldbalie.tests.flows.world import NAME, World

FIRST = "CVD-2026-0001"
DOUBTFUL = f"Op https://www.voorbeeld.example/ staat een wachtwoord.\nIk werk bij Acme.\n\nGroet,\n{NAME}\n"


def on_the_first(world: World, verb: Any, **how: Any) -> None:
    """Do something to the first ticket."""
    with world.place.database.unit_of_work() as session:
        ticket = ticket_called(session, FIRST)
        verb(session, ticket, by="Balie", now=world.present(), **how)


def test_a_held_copy_is_mailed_to_the_handlers_as_it_would_leave(world: World) -> None:
    world.arrives(world.reports(DOUBTFUL))
    goes_round(world)

    [mail] = [mail for mail in world.read_by(world.people.handler) if "Judge the copy" in mail.subject]
    assert mail.was_decrypted
    assert mail.signature.verdict == "none"  # it quotes what somebody else wrote
    assert "an employer or a school" in mail.text
    assert '"release the copy for the IBD"' in " ".join(mail.text.split())
    assert NAME not in mail.text
    assert outbox(world, MailKind.UNDELIVERED) == []

    assert fills_in(world.place, FIRST, action="release the copy for the IBD") == "applied"
    goes_round(world)
    [copy] = world.read_by(world.people.ibd)
    quoted = [line.removeprefix(">").removeprefix(" ") for line in mail.text.splitlines()]
    assert {line.strip() for line in copy.text.splitlines()} <= {line.strip() for line in quoted}


def test_without_a_key_handlers_hear_where_to_look_and_nothing_of_the_report(world: World) -> None:
    world.arrives(world.reports(DOUBTFUL))
    goes_round(world)
    [mail] = outbox(world, MailKind.HELD_COPY)

    plain = delivering._letter(world.place, mail.id, sealed=False).draft

    assert f"meldbalie show {FIRST}" in plain.body
    assert "release the copy for the IBD" in plain.body
    assert "wachtwoord" not in plain.body + plain.subject
    assert "Acme" not in plain.body + plain.subject


def test_spam_is_closed_from_the_form_in_one_act_with_one_message(world: World) -> None:
    world.arrives(world.reports())
    goes_round(world)
    asked = form_of(world.place, FIRST).schema["properties"]
    before = len(outbox(world, MailKind.STATE_CHANGED))

    assert "close" in asked["action"]["enum"]
    assert "spam" in asked["close_reason"]["enum"]
    assert "remediated" not in asked["close_reason"]["enum"]
    assert fills_in(world.place, FIRST, action="close", close_reason="remediated") == "refused"
    assert "confirm or accept it first" in form_of(world.place, FIRST).card
    assert fills_in(world.place, FIRST, action="close", close_reason="spam", text="Reclame.") == "applied"
    goes_round(world)

    assert len(outbox(world, MailKind.STATE_CHANGED)) == before + 1
    last = world.read_by(world.people.reporter)[-1].text
    assert "Afgesloten" in last
    assert "meer informatie" not in last
    assert states(world, MailKind.STATE_CHANGED) == ["sent"]
    assert "waiting" not in history(world, FIRST)


def test_the_owner_who_had_it_reads_who_has_it_now_and_nothing_of_the_report(world: World) -> None:
    world.arrives(world.reports())
    goes_round(world)
    with world.place.database.unit_of_work() as session:
        session.add(Owner(name="Team Nieuw", address="nieuw@voorbeeld.example"))
    on_the_first(world, acts.assign, to="Team Nieuw", because="Dat is hun machine.")
    goes_round(world)

    last = world.read_by(world.people.web_team)[-1]
    assert last.was_decrypted
    assert "Het ligt nu bij Team Nieuw." in " ".join(last.text.split())
    assert "hun machine" not in last.text
    assert "kanarie" not in last.text


def test_the_mail_of_a_reopened_ticket_says_which_it_takes_up_again(world: World) -> None:
    world.arrives(world.reports())
    goes_round(world)
    how: dict[str, Any] = {"because": "", "promise": world.place.promise}
    on_the_first(world, acts.close, reason=CloseReason.OUT_OF_SCOPE, **how)
    on_the_first(world, reopen, **how)
    goes_round(world)

    last = world.read_by(world.people.handler)[-1]
    assert f"Ticket {FIRST} wordt opnieuw behandeld, onder een nieuw nummer." in last.text
    assert "Er is een nieuw ticket" not in last.text
