"""A mail is sealed to the key of whom it is for, also where people share an address."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from meldbalie.flows.handlers import handler_called
from meldbalie.flows.installation import Installation, promise
from meldbalie.flows.mails import letter
from meldbalie.flows.spoken import Withheld
from meldbalie.models.confirmations import ask
from meldbalie.models.errors import Refused
from meldbalie.models.filing import Received, open_ticket
from meldbalie.models.outbox import Mail, MailKind, write_mail
from meldbalie.models.owners import Owner
from meldbalie.models.people import Correspondent
from meldbalie.settings import Person
from meldbalie.tests.benchmarks.workbench import records_room
from meldbalie.tests.flows.world import World
from sqlalchemy import select

TEAM = "balie@voorbeeld.example"
HANNAS, BAS_HAS, NEW = "A" * 40, "B" * 40, "C" * 40


@pytest.fixture(scope="module")
def room() -> Iterator[World]:
    with records_room() as room:
        yield room


def staffed(world: World, *people: Person, **more: Any) -> Installation:
    config = world.place.config.model_copy(update={"triage": list(people), **more})
    return replace(world.place, config=config, promise=promise(config))


@pytest.fixture
def place(room: World) -> Installation:
    """Two handlers with one address, each with a key of their own."""
    hanna = Person(name="Hanna", address=TEAM, fingerprint=HANNAS)
    return staffed(room, hanna, Person(name="Bas", address=TEAM, fingerprint=BAS_HAS))


def asked(place: Installation, who: str) -> int:
    """A link to confirm something by, on its way to a handler; gives the number of its mail."""
    with place.database.unit_of_work() as session:
        made = ask(
            session, ticket=None, who=handler_called(place, who), action="forget", wanted={}, seen=0,
            now=place.clock(), lasting=timedelta(hours=1),
        )  # fmt: skip
        session.flush()
        mails = session.scalars(select(Mail).where(Mail.kind == MailKind.CONFIRM))
        return next(mail.id for mail in mails if (mail.facts or {})["confirmation"] == made.id)


def sealed_to(place: Installation, number: int) -> str:
    with place.database.unit_of_work() as session:
        return letter(place, session, session.get_one(Mail, number), sealed=True).fingerprint


def test_a_link_is_sealed_to_the_key_of_who_asked_for_it(place: Installation) -> None:
    assert sealed_to(place, asked(place, "Bas")) == BAS_HAS
    assert sealed_to(place, asked(place, "Hanna")) == HANNAS


def test_a_link_follows_the_key_that_its_person_has_now(room: World, place: Installation) -> None:
    number = asked(place, "Bas")
    hanna, bas = place.config.triage

    renewed = staffed(room, hanna, bas.model_copy(update={"fingerprint": NEW}))

    assert sealed_to(renewed, number) == NEW


@pytest.mark.parametrize("gone", ["the key", "the person"])
def test_a_link_does_not_leave_for_whom_no_key_is_pinned_any_more(
    room: World, place: Installation, gone: str
) -> None:
    number = asked(place, "Bas")
    hanna, bas = place.config.triage
    without = [hanna] if gone == "the person" else [hanna, bas.model_copy(update={"fingerprint": ""})]
    place = staffed(room, *without)

    assert sealed_to(place, number) == ""
    with pytest.raises(Withheld, match="no_usable_key"), place.database.unit_of_work() as session:
        letter(place, session, session.get_one(Mail, number), sealed=False)


def test_who_has_no_key_gets_no_link_by_the_key_of_a_colleague(room: World, place: Installation) -> None:
    hanna, bas = place.config.triage
    place = staffed(room, hanna, bas.model_copy(update={"fingerprint": ""}))

    with pytest.raises(Refused, match="Bas has no pinned key, so no link"):
        asked(place, "Bas")


def mail_of(place: Installation, to: Correspondent, party: str, cause: str, *, reported_by: str = "") -> int:
    """A mail of any other kind on a new ticket; gives its number."""
    now = place.clock()
    with place.database.unit_of_work() as session:
        received = Received(
            arrived_at=now, subject="", text="x", name="Sanne de Vries" if reported_by else None,
            address=reported_by or None, fingerprint=NEW if reported_by else None,
        )  # fmt: skip
        ticket = open_ticket(session, received, place.promise, now=now)
        facts = {"by": "Fatima", "because": ""}
        mail = write_mail(
            session, MailKind.ASSIGNED, to, party=party, cause=cause, now=now, ticket=ticket, facts=facts
        )
        session.flush()
        return mail.id


def test_what_is_for_one_handler_is_sealed_to_their_key(place: Installation) -> None:
    bas = Correspondent("Bas", TEAM, BAS_HAS)

    assert sealed_to(place, mail_of(place, bas, "staff", "one")) == BAS_HAS


def test_a_mail_that_waited_is_sealed_to_the_new_key_of_its_recipient(place: Installation) -> None:
    bas = Correspondent("Bas", TEAM, NEW)

    assert sealed_to(place, mail_of(place, bas, "staff", "old")) == BAS_HAS


def test_a_lead_with_the_address_of_the_team_has_their_own_key(room: World, place: Installation) -> None:
    lead = Person(name="Noor", address=TEAM.capitalize(), fingerprint=NEW)
    place = staffed(room, *place.config.triage, lead=lead)

    assert sealed_to(place, mail_of(place, Correspondent("Noor", lead.address, NEW), "staff", "lead")) == NEW


def test_of_two_owners_with_one_address_each_has_their_own_key(place: Installation) -> None:
    with place.database.unit_of_work() as session:
        for name, key in (("Gegevens", HANNAS), ("Netten", BAS_HAS)):
            session.add(Owner(name=name, address="ict@voorbeeld.example", fingerprint=key))

    netten = Correspondent("Netten", "ict@voorbeeld.example")

    assert sealed_to(place, mail_of(place, netten, "owner", "owner")) == BAS_HAS


def test_a_reporter_with_the_address_of_the_team_gets_mail_for_the_key_of_the_reporter(
    place: Installation,
) -> None:
    reporter = Correspondent("Sanne de Vries", TEAM)

    assert sealed_to(place, mail_of(place, reporter, "reporter", "reporter", reported_by=TEAM)) == NEW
