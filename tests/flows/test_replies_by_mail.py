"""What handlers and owners write by mail reaches whom it answers, or nobody, and overrules nothing unseen."""

from collections.abc import Generator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from meldbalie.flows.operator.demo_files import Person
from meldbalie.models import acts, joining
from meldbalie.models.outbox import Mail, MailKind
from meldbalie.models.owners import Owner
from meldbalie.models.people import Correspondent
from meldbalie.models.states import CloseReason, TicketState
from meldbalie.models.ticket import Message, Target, WaitingOn, ticket_called
from meldbalie.tests.flows import office as offices
from meldbalie.tests.flows.office import BAS, HANNA, Office, words
from sqlalchemy import select

WORDS = "Wij hebben het lek gevonden en maken een aanpassing."
BRAM = b"bram@elders.example"
TO_BRAM = "Ja, uw voorbeeld met de kanarie-omleiding werkt hier ook."

desk, office = offices.desk, offices.office


def how(office: Office) -> dict[str, Any]:
    """As another handler, at the desk."""
    return {"by": BAS, "because": "", "promise": office.world.place.promise, "now": office.world.present()}


def answering(office: Office, mail: Mail, *, party: str = "staff") -> str:
    """The header by which a program says which mail of ours is answered."""
    local, _, domain = office.token(party).partition("@")
    return f"In-Reply-To: <{office.reference}.{mail.id}.{local.partition('+')[2]}@{domain}>\r\n"


def from_bram(office: Office, text: str, **more: Any) -> bytes:
    mail = office.world.reports(text, seals=False, key=False, **more)
    return mail.replace(office.world.people.reporter.address.encode(), BRAM)


def bram_writes(office: Office, *, owner: str = "") -> tuple[str, str]:
    """What Bram reported is joined with the ticket, and he writes once more; gives both numbers."""
    first = office.reference
    office.arrives(from_bram(office, "https://www.voorbeeld.example/zoeken reflects. Bram.", subject="other"))
    office.delivers()
    second = office.world.tickets()[-1]
    with office.world.place.database.unit_of_work() as session:
        ticket = ticket_called(session, second)
        if owner:
            ticket.owner = session.scalars(select(Owner).where(Owner.name == owner)).one()
        joining.join(session, ticket, to=first, **how(office))
    office.delivers()
    office.reference = second
    office.arrives(
        from_bram(office, "Does my kanarie example work?", subject="x", recipient=office.token("reporter"))
    )
    office.delivers()
    return first, second


def told_to(office: Office, text: str, since: str) -> list[tuple[str, str]]:
    """To whom a text was written, on which ticket, from one of these tickets on."""
    with office.world.place.database.reading() as session:
        about = select(Mail).join(Message, Mail.message_id == Message.id).where(Mail.party == "reporter")
        found = session.scalars(about.order_by(Mail.id))
        return [
            (mail.recipient, mail.ticket.reference)
            for mail in found
            if mail.ticket and mail.ticket.reference >= since
            if mail.message and text in mail.message.text
        ]


def mail_to(office: Office, kind: MailKind, who: Person) -> Mail:
    return [mail for mail in office.outbox(kind) if mail.recipient == who.address][-1]


def test_a_reply_to_a_joined_reporters_word_reaches_that_reporter_alone(office: Office) -> None:
    first, second = bram_writes(office)
    (got,) = [mail for mail in office.read_by(office.hanna) if "kanarie example" in mail.text]
    assert f"Your reply goes to the reporter of {second} and not to that of {first}." in words(got)
    assert f"Belongs to: {first}, with which" in words(got)
    mail = mail_to(office, MailKind.MESSAGE, office.hanna)

    told = office.hands_in(TO_BRAM, headers=answering(office, mail))

    assert told_to(office, TO_BRAM, first) == [(BRAM.decode(), second)]
    assert f"Your text goes to the reporter of {second}, and not to that of {first}." in words(told)
    assert f"[{second}]" in told.subject
    office.arrives(office.writes(office.second, "ask: welke versie was het?", name=BAS))
    assert told_to(office, "welke versie", first)[0][1] == second
    office.reference = first
    assert not [text for text in office.to_reporter() if "kanarie" in text and "Sanne" not in text]
    assert office.said() == []


def test_the_problem_is_decided_on_the_ticket_at_work(office: Office) -> None:
    first, second = bram_writes(office)

    for command in (f"fix {office.fix_on}\n\n{WORDS}", "accept", "close duplicate", f"assign {BAS}"):
        told = office.hands_in(command)
        assert f"Reply to a mail on {first}." in words(told), command
    office.hands_in("intern: hij stelt goede vragen")
    office.reference = first
    office.hands_in(f"accept\nfix {office.fix_on}\n\n{WORDS}")

    assert office.ticket().expected_fix_on == office.fix_on
    assert [number for _, number in told_to(office, WORDS, first)] == [first]
    assert second not in "\n".join(office.to_reporter())


def test_nobody_is_written_to_about_what_is_over(office: Office) -> None:
    first, second = bram_writes(office)
    with office.world.place.database.unit_of_work() as session:
        ticket = ticket_called(session, first)
        acts.accept(session, ticket, **how(office))
        acts.close(session, ticket, reason=CloseReason.REMEDIATED, **how(office))

    told = office.hands_in(TO_BRAM)

    assert f"{second} is closed" in words(told)
    assert told_to(office, TO_BRAM, first) == []


def test_an_owner_of_both_answers_the_joined_reporter_as_well(office: Office) -> None:
    first, second = bram_writes(office)

    office.hands_in(TO_BRAM, office.owner, name="Webteam")

    assert told_to(office, TO_BRAM, first) == [(BRAM.decode(), second)]


def test_an_owner_who_has_no_thread_with_the_joined_reporter_reaches_nobody(office: Office) -> None:
    first, _ = bram_writes(office, owner="Netwerkteam")
    office.reference = first
    mail = mail_to(office, MailKind.MESSAGE, office.owner)
    got = office.read_by(office.owner, "New message")[-1]
    assert "What you reply goes to neither reporter" in words(got)
    assert "goes to the reporter, without your name" not in words(got)
    heard = answering(office, mail, party="owner")

    for text in (TO_BRAM, f"message: {TO_BRAM}", f"ask: {TO_BRAM}", f"accept\n\n{TO_BRAM}"):
        told = office.hands_in(text, office.owner, name="Webteam", headers=heard)
        assert "a message of somebody else than the reporter of this ticket" in words(told)
        assert office.last_message().doubt == "answers_another"
    about = answering(office, mail_to(office, MailKind.ORDER_REPLY, office.owner), party="owner")
    office.hands_in(
        TO_BRAM, office.owner, name="Webteam", headers=about
    )  # the same once more, in reply to that
    assert office.last_message().doubt == "answers_another"

    assert told_to(office, TO_BRAM, first) == []
    assert office.ticket().state is TicketState.RECEIVED
    office.hands_in("accept", office.owner, name="Webteam", headers=heard)
    assert office.ticket().state is TicketState.ACCEPTED


def test_an_owners_name_is_kept_from_the_reporter_unless_the_host_tells_it(office: Office) -> None:
    called(office, "Ans el Idrissi")
    try:
        for text in (f"{WORDS}\n\nAns el Idrissi", "Ik, Ans el Idrissi, pas het morgen aan."):
            office.hands_in(text, office.owner, name="Ans el Idrissi")
        assert len(office.said()) == 2
        assert not any(name in said for said in office.said() for name in ("Ans", "Idrissi"))
        with office.world.place.database.unit_of_work() as session:
            ticket = ticket_called(session, office.reference)
            ticket.targets.append(Target(value="zaken.voorbeeld.example"))
        called(office, "Team Zaken")
        office.hands_in("Zie zaken.voorbeeld.example/nieuw.", office.owner, name="Team Zaken")
        assert "Zie zaken.voorbeeld.example/nieuw." in office.said()[-1]
    finally:
        called(office, "Webteam")


def called(office: Office, name: str) -> None:
    """The owner of the ticket has another name from now on."""
    with office.world.place.database.unit_of_work() as session:
        owner = ticket_called(session, office.reference).owner
        assert owner
        owner.name = name


def test_an_older_mail_overrules_nothing_that_another_handler_decided_since(office: Office) -> None:
    close, note = (
        office.writes(office.hanna, text)
        for text in ("close not reproducible\n\nWij zien het niet.", "intern: wij zien het niet")
    )
    office.world.present.passes(minutes=5)
    office.arrives(office.writes(office.second, f"accept\nfix {office.fix_on}\n\n{WORDS}", name=BAS))
    office.world.present.passes(hours=20)

    office.arrives(close)

    assert office.ticket().state is TicketState.ACCEPTED
    told = office.hears(office.hanna)
    assert f"was answered by {BAS}" in words(told) or f"was moved by {BAS}" in words(told)
    assert "look at the ticket and decide again" in words(told)
    office.world.present.passes(seconds=1)
    office.arrives(note)
    assert office.last_message().doubt != "order_refused"
    office.world.present.passes(hours=-20)  # the other cases have this installation too


def test_what_the_same_handler_decided_and_what_was_signed_later_stand_in_no_way(office: Office) -> None:
    first = office.writes(office.hanna, "hold: wij wachten")
    office.world.present.passes(seconds=30)
    office.hands_in("confirm")
    office.arrives(first)
    assert office.ticket().state is TicketState.DEFERRED

    office.arrives(office.writes(office.second, "wait supplier: de patch", name=BAS))
    office.hands_in("accept")
    assert office.ticket().state is TicketState.ACCEPTED
    before = office.writes(office.hanna, "hold: wij wachten weer")
    office.world.present.passes(minutes=1)
    with office.world.place.database.unit_of_work() as session:
        wanted = how(office) | {"because": "de patch"}
        acts.wait(session, ticket_called(session, office.reference), on=WaitingOn.SUPPLIER, **wanted)
    office.arrives(before)
    assert office.ticket().state is TicketState.ACCEPTED
    assert f"waiting by {BAS}" in words(office.hears(office.hanna))


def test_a_reply_to_an_assignment_is_no_message_to_the_reporter(office: Office) -> None:
    office.hands_in(f"assign {BAS}: jij kent dit systeem")
    heard = answering(office, mail_to(office, MailKind.ASSIGNED, office.second))

    office.arrives(office.writes(office.second, "Prima, die melder weer.", name=BAS, headers=heard))

    assert office.said() == []
    assert "is not the reporter's" in words(office.hears(office.second))
    office.arrives(office.writes(office.second, "accept", name=BAS, headers=heard))
    assert office.ticket().state is TicketState.ACCEPTED


class Shift:
    """A rota on which one person is on duty until an instant."""

    def __init__(self, person: Correspondent, until: datetime) -> None:
        self.person, self.until = person, until

    def on_duty(self, at: datetime) -> Correspondent | None:
        return self.person if at < self.until else None


@pytest.fixture
def only_hanna(office: Office) -> Generator[Office]:
    """The second handler is none any more."""
    place = office.world.place
    promise = replace(place.promise, triage=place.promise.triage[:1])
    office.world.place = replace(place, promise=promise)
    yield office
    office.world.place = place


def test_who_was_on_duty_when_they_signed_is_heard(only_hanna: Office) -> None:
    office, second = only_hanna, only_hanna.second
    piet = Correspondent("Piet Piket", second.address, second.fingerprint)
    place = office.world.place
    shift = Shift(piet, office.world.present() + timedelta(minutes=3))
    office.world.place = replace(place, promise=replace(place.promise, rota=shift))
    signed = office.writes(second, f"fix {office.fix_on}\n\nZei Piet Piket.", name="Piet Piket")
    office.world.present.passes(minutes=10)
    late = office.writes(second, "accept", name="Piet Piket")

    office.arrives(signed)
    office.arrives(late)

    assert office.said() == ["Zei […]."]
    assert office.ticket().state is TicketState.RECEIVED
    assert office.last_message().doubt == "has_no_say"
    assert "was only filed" in words(office.hears(second))


def test_the_ciso_hears_that_a_reply_was_only_filed(only_hanna: Office) -> None:
    office, second = only_hanna, only_hanna.second
    place = office.world.place
    ciso = Correspondent("Carla Ciso", second.address, second.fingerprint)
    office.world.place = replace(place, promise=replace(place.promise, ciso=ciso))
    office.deadline_is_told()

    office.arrives(office.writes(second, f"fix {office.fix_on}\n\n{WORDS}", name="Carla Ciso"))
    signed_well = office.last_message().doubt
    assert "do not answer the reporter" in words(office.hears(second))
    before = len(office.outbox(MailKind.ORDER_REPLY))
    unsigned = office.seals(second, b"\r\naccept\r\n")
    office.arrives(office.mail(second, unsigned, name="Carla Ciso"))

    assert signed_well == "has_no_say"
    assert office.last_message().doubt == "unsigned"
    assert "the mail is not signed" in words(office.hears(second))
    assert len(office.outbox(MailKind.ORDER_REPLY)) == before + 1
    assert office.ticket().state is TicketState.RECEIVED
    assert office.said() == []


MEANT_FOR_US = (
    "spam",
    "sluiten",
    "on hold",
    "Opgelost",
    "join CVD-2026-0001",
    "no-date: x\n\nHoi,\n\naccept",
)


def test_words_of_the_form_are_no_message(office: Office) -> None:
    for text in MEANT_FOR_US:
        told = office.hands_in(text)
        assert "was NOT done" in told.text, text
    for text in ("Notitie: melder is een oude bekende", "note: only for us"):
        told = office.hands_in(text)
        assert "No text of yours was sent" in words(told)

    assert office.said() == []


def test_what_may_be_cut_off_or_tell_who_writes_is_not_sent(office: Office) -> None:
    sentence = (
        "Op 19 november schreef u over het zoekformulier:\ndat is een terecht punt.\n\nWij lossen het op."
    )
    told = office.hands_in(f"fix {office.fix_on}\n\nBeste melder,\n\n{sentence}")
    assert "seems to introduce another mail" in words(told)
    told = office.hands_in(f"{WORDS}\n\n{HANNA}\nAdviseur informatiebeveiliging\nGemeente Voorbeeld")
    assert "text stands under a name" in words(told)

    assert office.said() == []
    assert office.ticket().expected_fix_on is None
