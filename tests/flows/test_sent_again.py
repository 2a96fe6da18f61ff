"""A mail that came back says the same when it is sent again, whatever it is for."""

import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from meldbalie.flows.deliver import deliver
from meldbalie.flows.intake import intake
from meldbalie.flows.key_watch import watch_keys
from meldbalie.flows.sweep import fire_what_is_due
from meldbalie.mailbox.compose import Draft, plain
from meldbalie.mailbox.keyring import Keyring
from meldbalie.models import acts
from meldbalie.models.alarms import AlarmKind, Look, take_note, tell_of_alarms
from meldbalie.models.assigning import give_to_handler
from meldbalie.models.delivery import parked, try_again
from meldbalie.models.filing import Received, open_ticket
from meldbalie.models.joining import join
from meldbalie.models.key_problems import heed_key
from meldbalie.models.outbox import IN_DOUBT, Mail, MailKind, MailState, tell_handlers
from meldbalie.models.owners import Owner
from meldbalie.models.ticket import ticket_called
from meldbalie.tests.flows.glances import answers, fills_in, goes_round, outbox, reply_address
from meldbalie.tests.flows.test_intake_verdicts import bounce, sealed_to_somebody_else
from meldbalie.tests.flows.world import World
from sqlalchemy import select, update

FIRST = "CVD-2026-0001"
#: What handlers do in the form, each with a mail of its own.
IN_THE_FORM: tuple[dict[str, str], ...] = (
    {"action": "write to the reporter: no answer yet", "text": "Wij kijken."},
    {"action": "propose the embargo's end", "embargo_ends_at": "2126-12-01 12:00"},
    {"action": "note a milestone", "milestone": "fix_deployed"},
    {"action": "propose publication", "publish_on": "2126-12-02"},
    {"action": "ask the reporter", "text": "Welke browser?"},
)


@pytest.fixture
def everything_said(world: World) -> World:
    """An installation that has sent at least one mail of every kind."""
    for message in (world.reports(), sealed_to_somebody_else(world)):
        world.arrives(message)
    intake(minutes=0)
    _another_key_comes(world)
    deliver(minutes=0)
    world.arrives(world.reports("And more.", recipient=reply_address(world, FIRST), key=False))
    goes_round(world)
    world.arrives(bounce(world, 1, reply_address(world, FIRST)))
    goes_round(world)
    world.present.passes(days=4)  # to a Monday: at the weekend a reminder would wait
    fire_what_is_due(world.place)
    deliver(minutes=0)
    _key_of_an_owner_ends(world)
    with world.place.database.unit_of_work() as session:
        now, ticket = world.present(), ticket_called(session, FIRST)
        acts.confirm(session, ticket, by="Balie", because="Nagekeken.", promise=world.place.promise, now=now)
        for owner in ("Netwerkteam", ticket.owner_name):
            acts.assign(session, ticket, to=owner, by="Balie", because="", now=now)
        [copy] = session.scalars(select(Mail).where(Mail.kind == MailKind.IBD_COPY, Mail.ticket == ticket))
        tell_handlers(session, copy, IN_DOUBT, world.place.promise, by="deliver", now=now)
        take_note(session, [Look(AlarmKind.UNDECIDED, frozenset({"1"}))], now=now)
        tell_of_alarms(session, world.place.promise, now=now)
    answers(world, FIRST)
    _handlers_are_at_work(world)
    sends_again(world)
    # A confirmation is sent where PINs are not used; sent again it brings a new link (test_confirming).
    assert {mail.kind for mail in outbox(world)} == set(MailKind) - {MailKind.CONFIRM}
    assert {mail.state for mail in outbox(world)} == {MailState.SENT}
    return world


def _another_key_comes(world: World) -> None:
    now = world.present()
    with world.place.database.unit_of_work() as session:
        ticket = ticket_called(session, FIRST)
        offered = Received(
            arrived_at=now,
            subject="",
            text="",
            address=ticket.reporter.address,
            key_problem="changed_key",
            problem_key="D" * 40,
        )
        heed_key(session, ticket, offered, "reporter", world.place.promise, now=now)


def _key_of_an_owner_ends(world: World) -> None:
    """The key ends in 2100, for gpg lives in real time; handlers are warned a century before."""
    address, config = world.people.network_team.address, world.place.config
    with Keyring.throwaway() as theirs:
        key = theirs.make_key("Netwerkteam", address, expires=datetime(2100, 1, 1, tzinfo=UTC))
        world.place.keyring.import_public(theirs.export_public(key))
    with world.place.database.unit_of_work() as session:
        session.scalars(select(Owner).where(Owner.name == "Netwerkteam")).one().fingerprint = key
    pgp = config.pgp.model_copy(update={"warn_days": (36_500,)})
    warns_early = replace(world.place, config=config.model_copy(update={"pgp": pgp}))
    assert watch_keys(warns_early, world.place.keyring) == []


def _handlers_are_at_work(world: World) -> None:
    for form in IN_THE_FORM:
        assert fills_in(world.place, FIRST, **form) == "applied", form
    now = world.present()
    with world.place.database.unit_of_work() as session:
        network_team = world.people.network_team
        again = Received(arrived_at=now, subject="", text="Weer.", address=network_team.address)
        joined = open_ticket(session, again, world.place.promise, now=now)
        join(session, joined, to=FIRST, by="Balie", because="", promise=world.place.promise, now=now)
        ticket, team = ticket_called(session, FIRST), world.place.promise.triage
        give_to_handler(session, ticket, to="Balie", team=team, by="Fatima", because="", now=now)
    order = Draft(
        sender_name="Balie",
        sender=world.people.handler.address,
        recipient=reply_address(world, FIRST, "staff"),
        subject="Ticket",
        body="accept",
        message_id="<unsigned@voorbeeld.example>",
        date=now,
    )
    world.arrives(plain(order))
    goes_round(world)


def sends_again(world: World) -> None:
    """A handler lets everything that is parked leave once more."""
    with world.place.database.unit_of_work() as session:
        for number in parked(session):
            try_again(session, number, now=world.present())
    deliver(minutes=0)


def told(world: World) -> Counter[tuple[str, str, str]]:
    """Who was told what, without secret links: a receipt that is sent again brings a new one."""
    people = world.people
    return Counter(
        (person.name, mail.subject, re.sub(r"/s/[\w-]+", "/s/", mail.text))
        for person in (people.handler, people.web_team, people.network_team, people.reporter, people.ibd)
        for mail in world.read_by(person)
    )


def test_every_mail_says_the_same_when_it_is_sent_again(everything_said: World) -> None:
    world = everything_said
    before = told(world)

    with world.place.database.unit_of_work() as session:
        session.execute(update(Mail).values(state=MailState.PARKED, problem="bounced"))
    sends_again(world)

    states = {mail.kind: mail.state for mail in outbox(world)}
    assert states.pop(MailKind.RUNG) is MailState.CALLED_OFF  # it was answered meanwhile
    assert set(states.values()) == {MailState.SENT}
    not_again = before.keys() - (told(world) - before).keys()
    assert len(not_again) == 1
    assert all("deadline" in subject for _, subject, _ in not_again), not_again
