"""What handlers write that is no answer, from the order to the mail that the reporter opens."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from meldbalie.flows.acting import Action, Order, carry_out
from meldbalie.flows.deliver import deliver
from meldbalie.flows.history_words import told
from meldbalie.models.clocks import ClockKind
from meldbalie.models.errors import Refused
from meldbalie.models.ticket import WaitingOn, ticket_called
from meldbalie.settings import AnswerText
from meldbalie.tests.flows.glances import clocks, goes_round, reply_address
from meldbalie.tests.flows.world import World

FIRST = "CVD-2026-0001"
QUESTION = "Welke browser was het?\nEn welke versie?"


def orders(world: World, action: Action, **more: Any) -> None:
    """Somebody at the desk orders something, and what follows leaves."""
    with world.place.database.unit_of_work() as session:
        order = Order(action=action, **{"who": "Fatima Yilmaz", **more})
        carry_out(world.place, session, ticket_called(session, FIRST), order)
    deliver(minutes=0)


def refusal(world: World, action: Action, **more: Any) -> str:
    with pytest.raises(Refused) as refused:
        orders(world, action, **more)
    return str(refused.value)


def last_mail(world: World) -> Any:
    """The last mail to the reporter; no handler's name stands in it."""
    mail = world.read_by(world.people.reporter)[-1]
    assert "Fatima" not in f"{mail.subject}{mail.text}"
    return mail


def in_words(world: World) -> list[str]:
    with world.place.database.reading() as session:
        return [told(world.place, entry) for entry in ticket_called(session, FIRST).history]


def is_answered(world: World) -> bool:
    return any(kind == ClockKind.RESPONSE and stopped is not None for kind, _, stopped, _ in clocks(world))


@pytest.fixture
def reported(world: World) -> World:
    """A ticket whose first mails have left."""
    world.arrives(world.reports())
    goes_round(world)
    return world


def test_a_question_reaches_the_reporter_sealed_and_their_reply_is_waited_for(reported: World) -> None:
    orders(reported, Action.ASK, text=QUESTION)

    mail = last_mail(reported)
    assert mail.was_decrypted
    assert QUESTION in mail.text
    assert "Wij wachten op u" in mail.text
    assert "We are waiting for you" in mail.text
    assert "Fatima Yilmaz asked the reporter something" in in_words(reported)
    assert in_words(reported)[-1] == "sent: question to the reporter"
    assert not is_answered(reported)

    reported.arrives(reported.reports("Een oude.", recipient=reply_address(reported, FIRST), key=False))
    goes_round(reported)
    with reported.place.database.reading() as session:
        assert ticket_called(session, FIRST).waiting_on is WaitingOn.HANDLER


def test_a_message_is_no_answer_and_a_note_goes_nowhere(reported: World) -> None:
    orders(reported, Action.TELL, text="Wij kijken in de logs.")
    assert "Wij kijken in de logs." in last_mail(reported).text
    assert "Fatima Yilmaz wrote to the reporter; that is no answer yet" in in_words(reported)
    assert not is_answered(reported)
    before = len(reported.mail.mails(reported.people.reporter.address))

    orders(reported, Action.NOTE, text="De leverancier weet ervan.")

    assert len(reported.mail.mails(reported.people.reporter.address)) == before
    assert in_words(reported)[-1] == "a note by Fatima Yilmaz"
    assert "no text" in refusal(reported, Action.NOTE)
    assert "makes no use of template" in refusal(reported, Action.NOTE, text="x", template="known already")


def test_without_a_key_only_that_a_question_waits_leaves_us(world: World) -> None:
    world.arrives(world.reports(seals=False, key=False))
    goes_round(world)

    orders(world, Action.ASK, text=QUESTION)

    mail = last_mail(world)
    assert not mail.was_decrypted
    assert "browser" not in mail.text
    assert "Over CVD-2026-0001 staat een vraag voor u klaar" in mail.text


def test_an_embargo_is_told_in_local_time_and_lifted_by_an_order_of_its_own(reported: World) -> None:
    orders(reported, Action.EMBARGO, embargo_ends_at="2027-01-04T09:30", text="De leverancier vraagt tijd.")

    text = last_mail(reported).text
    assert "maandag 4 januari 2027 om 09:30 (Nederlandse tijd)" in text
    assert "Monday 4 January 2027 at 09:30 (Dutch time, UTC+1)" in text
    assert "De leverancier vraagt tijd." in text
    assert any("proposed to keep silent until Mon 04 Jan 09:30" in line for line in in_words(reported))
    assert "or lift it" in refusal(reported, Action.EMBARGO, text="nog een maand")
    assert "makes no use of embargo ends at" in refusal(
        reported, Action.LIFT, text="x", embargo_ends_at="2027-01-04T09:30"
    )

    orders(reported, Action.LIFT, text="Het is al bekend.")

    text = last_mail(reported).text
    assert "trekken ons voorstel in" in text
    assert "Het is al bekend." in text
    assert "Fatima Yilmaz took back the proposal to keep silent" in in_words(reported)


def test_a_publication_is_proposed_once_the_problem_is_solved(reported: World) -> None:
    day = date(2026, 12, 4)
    assert "give the day" in refusal(reported, Action.PUBLICATION)
    assert "before the problem is solved" in refusal(reported, Action.PUBLICATION, publish_on=day)
    orders(reported, Action.MILESTONE, milestone="fix_deployed")

    orders(reported, Action.PUBLICATION, publish_on=day)

    text = " ".join(last_mail(reported).text.split())
    assert "om er iets over te publiceren op vrijdag 4 december 2026" in text
    assert "We propose to publish about it on Friday 4 December 2026" in text
    assert "Fatima Yilmaz proposed to publish on 2026-12-04" in in_words(reported)


def test_a_handler_to_whom_a_ticket_is_given_reads_by_whom_and_why(reported: World) -> None:
    orders(reported, Action.ASSIGN, assign_to="Balie", text="Jij kent het zoekformulier.")

    mail = reported.read_by(reported.people.handler)[-1]
    assert mail.was_decrypted
    assert "aan u toegewezen door Fatima Yilmaz" in mail.text
    assert "Jij kent het zoekformulier." in mail.text
    assert "given by Fatima Yilmaz to Balie, who handles it" in in_words(reported)
    with reported.place.database.reading() as session:
        ticket = ticket_called(session, FIRST)
        assert (ticket.handler, ticket.owner_name) == ("Balie", reported.people.web_team.name)


def test_a_template_is_filled_in_and_followed_by_the_handlers_own_words(reported: World) -> None:
    fix_on, name = date(2026, 12, 4), "thank you, with a date"
    assert "no template called 'dank'" in refusal(reported, Action.ANSWER, template="dank")
    assert "names the expected fix date" in refusal(
        reported, Action.ANSWER, template=name, no_date_because="De leverancier"
    )
    assert "names the expected fix date" in refusal(reported, Action.ASK, template=name)

    orders(reported, Action.ANSWER, template=name, text="Mooi gevonden!", expected_fix_date=fix_on)

    text = " ".join(last_mail(reported).text.split())
    assert f"Dank voor uw melding {FIRST}." in text
    assert "op of voor vrijdag 4 december 2026 te hebben opgelost" in text
    assert "If that date changes, you hear it from us. Mooi gevonden!" in text
    assert is_answered(reported)


def test_a_template_alone_is_enough_and_ones_own_take_the_place_of_ours(reported: World) -> None:
    orders(reported, Action.ASK, template="more information needed")
    assert "The exact address: the URL or the IP address." in last_mail(reported).text
    config = reported.place.config
    own = [AnswerText(name="dank", nl="Dank namens {organisation}.")]
    desk = config.desk.model_copy(update={"answers": own})
    reported.place = replace(reported.place, config=config.model_copy(update={"desk": desk}))

    orders(reported, Action.ASK, template="dank")

    assert f"Dank namens {config.organisation.name}." in last_mail(reported).text
    assert "known are: dank" in refusal(reported, Action.ASK, template="more information needed")


def test_time_without_an_offset_is_the_organisations_own_in_summer_too(reported: World) -> None:
    orders(reported, Action.EMBARGO, embargo_ends_at="2027-07-01T12:00")

    with reported.place.database.reading() as session:
        ends_at = ticket_called(session, FIRST).embargo_ends_at
    assert ends_at == datetime.fromisoformat("2027-07-01T10:00:00+00:00")
    assert ends_at.utcoffset() == timedelta()
