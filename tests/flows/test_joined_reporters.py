"""Two reporters of one problem: each is kept informed, and neither ever learns of the other."""

from collections.abc import Generator
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from meldbalie.flows.mails import letter
from meldbalie.models import acts
from meldbalie.models.again import reopen, reopened_as
from meldbalie.models.embargo import propose_embargo, propose_publication
from meldbalie.models.filing import Received, join_ticket, open_ticket
from meldbalie.models.joining import join
from meldbalie.models.links import make_link
from meldbalie.models.milestones import milestone
from meldbalie.models.outbox import Mail, MailKind
from meldbalie.models.progress import progress_behind
from meldbalie.models.states import CloseReason, TicketState
from meldbalie.models.suggestions import main_ticket
from meldbalie.models.threads import Standing
from meldbalie.models.ticket import Ticket
from meldbalie.tests.benchmarks.workbench import records_room
from meldbalie.tests.flows.world import World
from meldbalie.webhooks.app import create_app
from meldbalie.webhooks.progress import Place, steps_of
from meldbalie.webhooks.status import status_of
from sqlalchemy import select
from sqlalchemy.orm import Session


@dataclass(frozen=True)
class Somebody:
    """A reporter, and all that nobody else may read."""

    name: str
    address: str
    words: str

    def report(self, world: World) -> Received:
        """What they report about the search form."""
        return Received(
            arrived_at=world.present(),
            subject=f"XSS {self.words}",
            text=f"The search form reflects its input unfiltered: cross-site scripting. {self.words}",
            targets=("formulieren.voorbeeld.example",),
            name=self.name,
            address=self.address,
        )


ANNA = Somebody("Anna Annakanarie", "anna@annakanarie.example", "annawoordkanarie")
BRAM = Somebody("Bram Bramkanarie", "bram@bramkanarie.example", "bramwoordkanarie")
TO_ANNA, TO_BRAM = "annaantwoordkanarie", "bramantwoordkanarie"


@pytest.fixture
def world() -> Generator[World]:
    with records_room() as room:
        yield room


def read_by(world: World, session: Session, who: Somebody) -> str:
    """All mail to somebody, as it leaves with a key and without one."""
    written = session.scalars(select(Mail).where(Mail.party == "reporter").order_by(Mail.id)).all()
    letters = [
        letter(world.place, session, mail, sealed=sealed).draft
        for mail in written
        if mail.recipient == who.address
        for sealed in (True, False)
    ]
    told = (value for one in letters for name, value in vars(one).items() if name != "own_key")
    return " ".join(" ".join(str(value) for value in told).split())


def page_of(world: World, link: str) -> str:
    """What a secret link shows: the page in both languages, and the API."""
    app = create_app(world.place.config, clock=world.present)
    client = app.test_client()
    shown = [client.get(f"/s/{link}?lang={language}").text for language in ("nl", "en")]
    shown.append(client.get(f"/api/v1/status/{link}").text)
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()
    return "\n".join(shown)


def two_reports(world: World, session: Session) -> tuple[Ticket, Ticket]:
    """Both report; what Bram reported is joined with what Anna did."""
    promise, now = world.place.promise, world.present()
    first = open_ticket(session, ANNA.report(world), promise, now=now)
    second = open_ticket(session, BRAM.report(world), promise, now=now)
    join(session, second, to="", by="Fatima", because="", promise=promise, now=now)  # as it is suggested
    return first, second


def test_neither_reporter_reads_a_word_of_the_other_in_mail_or_on_the_page(world: World) -> None:
    how = {"by": "Fatima", "promise": world.place.promise, "now": world.present()}
    fix_on = world.place.promise.local_day(world.present()) + timedelta(days=20)
    with world.place.database.unit_of_work() as session:
        first, second = two_reports(world, session)
        numbers = first.reference, second.reference
        acts.answer(session, first, text=TO_ANNA, fix_on=fix_on, no_date_because="", **how)
        acts.accept(session, first, because=TO_ANNA, **how)
        more = replace(BRAM.report(world), text=f"More. {BRAM.words}")
        join_ticket(session, more, Standing(second, "reporter"), world.place.promise, now=world.present())
        links = tuple(make_link(session, one, at=world.present()) for one in (first, second))
    underway = page_of(world, links[1])
    with world.place.database.unit_of_work() as session:
        ticket = session.get_one(Ticket, 1)
        acts.close(session, ticket, reason=CloseReason.REMEDIATED, because=TO_ANNA, **how)
        session.flush()
        annas, brams = read_by(world, session, ANNA), read_by(world, session, BRAM)
    annas += page_of(world, links[0])
    brams += underway + page_of(world, links[1])

    assert TO_ANNA in annas
    assert f"{fix_on:%-d %B %Y}" in brams
    assert "Being fixed" in brams
    assert "Closed: remediated" in brams
    for said, other, number in ((annas, BRAM, numbers[1]), (brams, ANNA, numbers[0])):
        for secret in (other.name, other.name.split()[1], other.address, other.words, number):
            assert secret.casefold() not in said.casefold()
    assert TO_ANNA not in brams
    assert "Fatima" not in annas + brams


def test_the_page_of_a_duplicate_shows_the_closing_and_no_state_that_nobody_gave_it(world: World) -> None:
    with world.place.database.unit_of_work() as session:
        _, second = two_reports(world, session)
        link = make_link(session, second, at=world.present())
        gone_through = [entry.facts["to"] for entry in second.history if entry.kind == "moved"]
        status = status_of(session, second, now=world.present())
    shown = page_of(world, link)

    assert gone_through == ["VALID", "DEFERRED", "CLOSED"]
    assert [move.to for move in status.moves] == [TicketState.CLOSED]
    assert [step.place for step in steps_of(status)[1:3]] == [Place.PASSED_OVER] * 2
    for never_given in ("On hold", "Aangehouden", "VALID", "DEFERRED"):
        assert never_given not in shown


def test_the_page_of_a_duplicate_shows_the_states_that_it_had_been_given_before(world: World) -> None:
    how = {"by": "Fatima", "because": "", "promise": world.place.promise}
    with world.place.database.unit_of_work() as session:
        first = open_ticket(session, ANNA.report(world), world.place.promise, now=world.present())
        second = open_ticket(session, BRAM.report(world), world.place.promise, now=world.present())
        acts.confirm(session, second, now=world.present(), **how)
        world.present.passes(minutes=1)
        join(session, second, to=first.reference, now=world.present(), **how)
        status = status_of(session, second, now=world.present())

    assert [move.to for move in status.moves] == [TicketState.VALID, TicketState.CLOSED]


def test_both_reporters_hear_until_when_to_keep_silent_and_when_we_would_publish(world: World) -> None:
    how = {"by": "Fatima", "text": TO_ANNA, "promise": world.place.promise}
    now = world.present()
    ends_at = now + timedelta(days=10)
    on = world.place.promise.local_day(ends_at) + timedelta(days=1)
    with world.place.database.unit_of_work() as session:
        first, second = two_reports(world, session)
        propose_embargo(session, first, ends_at=ends_at, now=now, **how)
        link = make_link(session, second, at=now)
    silent = page_of(world, link)
    with world.place.database.unit_of_work() as session:
        ticket = session.get_one(Ticket, 1)
        noted = {"what": "fix_deployed", "happened_at": now, "by": "Fatima", "because": ""}
        milestone(session, ticket, promise=world.place.promise, now=now, **noted)
        propose_publication(session, ticket, on=on, now=now, **how)
        propose_embargo(session, ticket, ends_at=ends_at + timedelta(days=5), now=now, **how)
    later = page_of(world, link)
    with world.place.database.unit_of_work() as session:
        propose_embargo(session, session.get_one(Ticket, 1), ends_at=None, now=now, **how)
        session.flush()
        brams = read_by(world, session, BRAM)
        told = proposed(session)

    in_utc = [(ends_at + timedelta(days=days)).isoformat() for days in (0, 5)]
    assert told == [(in_utc[0], ""), ("", ""), ("", str(on)), (in_utc[1], ""), ("lifted", "")]  # each once
    assert "make nothing known about it until" in brams
    assert f"publish about it on {on:%A} {on.day} {on:%B %Y}" in brams
    assert "Both of us keep silent until" in silent
    assert "Publication proposed on" not in silent + later
    assert "Publication proposed on" in page_of(world, link)
    assert ends_at.strftime("%Y-%m-%dT%H:%M:%S") in silent
    assert TO_ANNA not in brams + silent + later


def test_who_comes_later_is_not_told_of_what_was_taken_back_or_has_passed(world: World) -> None:
    how = {"by": "Fatima", "promise": world.place.promise}
    now = world.present()
    with world.place.database.unit_of_work() as session:
        first = open_ticket(session, ANNA.report(world), world.place.promise, now=now)
        propose_embargo(session, first, ends_at=now + timedelta(days=2), text="", now=now, **how)
        propose_embargo(session, first, ends_at=None, text=TO_ANNA, now=now, **how)
        second = open_ticket(session, BRAM.report(world), world.place.promise, now=now)
        join(session, second, to=first.reference, because="", now=now, **how)
        assert proposed(session) == []  # nothing is new to them
        propose_embargo(session, first, ends_at=now + timedelta(days=2), text="", now=now, **how)
        now += timedelta(days=3)
        acts.confirm(session, first, because="", now=now, **how)
        assert [embargo == "" for embargo, _ in proposed(session)] == [False, True]


def test_a_duplicate_that_is_taken_up_again_hears_no_more_of_the_other(world: World) -> None:
    how = {"by": "Fatima", "because": "", "promise": world.place.promise, "now": world.present()}
    with world.place.database.unit_of_work() as session:
        first, second = two_reports(world, session)
        third = reopen(session, second, **how)
        said = len(proposed(session))
        acts.accept(session, first, **how)

        assert len(proposed(session)) == said
        assert reopened_as(session, main_ticket(session, second)) is third  # where a later word goes
        assert progress_behind(session, second) is None


def test_whoever_reported_the_same_hears_that_it_is_taken_up_again(world: World) -> None:
    how = {"by": "Fatima", "because": "Klaar.", "promise": world.place.promise, "now": world.present()}
    with world.place.database.unit_of_work() as session:
        first, _ = two_reports(world, session)
        acts.accept(session, first, **how)
        acts.close(session, first, reason=CloseReason.REMEDIATED, **how)
        reopen(session, first, **how)
        session.flush()
        told = session.scalars(select(Mail.facts).where(Mail.kind == MailKind.PROGRESS).order_by(Mail.id))

        assert [(facts or {})["state"] for facts in told] == ["ACCEPTED", "CLOSED", "RECEIVED"]


def proposed(session: Session) -> list[tuple[str, str]]:
    """What each mail to a joined reporter proposes: until when to keep silent, and when to publish."""
    session.flush()
    told = session.scalars(select(Mail.facts).where(Mail.kind == MailKind.PROGRESS).order_by(Mail.id))
    return [(facts["embargo"], facts["publish_on"]) for facts in told if facts]


def test_one_reporter_of_two_tickets_may_read_the_number_of_the_other(world: World) -> None:
    with world.place.database.unit_of_work() as session:
        promise, now = world.place.promise, world.present()
        open_ticket(session, ANNA.report(world), promise, now=now)
        again = open_ticket(session, ANNA.report(world), promise, now=now)
        join(session, again, to="", by="Fatima", because="", promise=promise, now=now)
        acts.confirm(session, session.get_one(Ticket, 1), by="Fatima", because="", promise=promise, now=now)
        kinds = [mail.kind for mail in session.scalars(select(Mail).where(Mail.party == "reporter"))]
        said = read_by(world, session, ANNA)

    assert "hoort bij uw melding CVD-2026-0001" in said
    assert MailKind.PROGRESS not in kinds
