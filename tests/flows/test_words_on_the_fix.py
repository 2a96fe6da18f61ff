"""What reporters hear of the fix, and of a report that was joined with another: in mail and on their page."""

from collections.abc import Generator
from datetime import timedelta
from typing import Any

import pytest
from meldbalie.models import acts
from meldbalie.models.filing import open_ticket
from meldbalie.models.joining import join
from meldbalie.models.links import make_link
from meldbalie.models.milestones import milestone, withdraw_milestone
from meldbalie.models.outbox import Mail, MailKind
from meldbalie.models.states import CloseReason
from meldbalie.models.ticket import Ticket
from meldbalie.tests.benchmarks.workbench import records_room
from meldbalie.tests.flows.test_joined_reporters import ANNA, BRAM, page_of, read_by, two_reports
from meldbalie.tests.flows.world import World
from sqlalchemy import select
from sqlalchemy.orm import Session

OPENS_ANOTHER = ("opent een nieuwe melding", "openen wij een nieuwe melding", "opens a new report")
JOINS_THIS = ("komt vanzelf bij deze melding", "joins this report by itself")


@pytest.fixture
def world() -> Generator[World]:
    with records_room() as room:
        yield room


def how(world: World) -> dict[str, Any]:
    return {"by": "Fatima", "because": "redenkanarie", "promise": world.place.promise, "now": world.present()}


def is_fixed(world: World, session: Session) -> None:
    """The fix of the first ticket is deployed now."""
    ticket = session.get_one(Ticket, 1)
    milestone(session, ticket, what="fix_deployed", happened_at=world.present(), **how(world))


def is_not_fixed(world: World, session: Session) -> None:
    """That was an error."""
    withdraw_milestone(session, session.get_one(Ticket, 1), what="fix_deployed", **how(world))


def kinds_to(session: Session, address: str) -> list[str]:
    """What was written to somebody, but for the receipt."""
    session.flush()
    written = [mail for mail in session.scalars(select(Mail).order_by(Mail.id)) if mail.recipient == address]
    return [mail.kind.value for mail in written if mail.kind is not MailKind.RECEIPT]


def test_both_reporters_hear_that_it_is_fixed_and_that_it_is_not_after_all(world: World) -> None:
    fix_on = world.place.promise.local_day(world.present()) + timedelta(days=20)
    with world.place.database.unit_of_work() as session:
        first, second = two_reports(world, session)
        acts.answer(
            session, first, text="Dank.", fix_on=fix_on, no_date_because="",
            by="Fatima", promise=world.place.promise, now=world.present(),
        )  # fmt: skip
        acts.accept(session, first, **how(world))
        links = [make_link(session, one, at=world.present()) for one in (first, second)]
        told = [len(kinds_to(session, one.address)) for one in (ANNA, BRAM)]
    before = [page_of(world, link) for link in links]
    with world.place.database.unit_of_work() as session:
        is_fixed(world, session)
        assert kinds_to(session, ANNA.address)[told[0] :] == ["fixed"]
        assert kinds_to(session, BRAM.address)[told[1] :] == ["progress"]
        annas, brams = read_by(world, session, ANNA), read_by(world, session, BRAM)
    fixed = [page_of(world, link) for link in links]
    world.present.passes(minutes=1)
    with world.place.database.unit_of_work() as session:
        is_not_fixed(world, session)
        assert kinds_to(session, ANNA.address)[told[0] :] == ["fixed", "fixed"]
        assert kinds_to(session, BRAM.address)[told[1] :] == ["progress", "progress"]
        annas_after, brams_after = read_by(world, session, ANNA), read_by(world, session, BRAM)
    after = [page_of(world, link) for link in links]

    day = f"{world.present():%A} {world.present().day} {world.present():%B %Y}"
    assert f"was fixed on {day}" in annas
    assert f"The fix has been in place since {day}" in brams
    assert "has not been fixed yet" in annas_after
    assert "has not been fixed yet" in brams_after
    assert "redenkanarie" not in brams_after + fixed[1] + after[1]
    assert annas_after.count("redenkanarie") == annas.count("redenkanarie")  # of the state, not of the fix
    for page in fixed:
        assert "Fixed on" in page
        assert "Opgelost op" in page
        assert "On or before" not in page
        assert "We are fixing" not in page
        assert "A fix is being worked on" not in page
    for page in (*before, *after):
        assert "On or before" in page
        assert "<dt>Fixed on" not in page
    assert "The problem has not been fixed after all" in after[0]
    assert '"fixed_at":null' in after[0].replace(" ", "")


def test_nothing_is_mailed_of_a_fix_after_the_closing_but_the_page_shows_it(world: World) -> None:
    with world.place.database.unit_of_work() as session:
        ticket = open_ticket(session, ANNA.report(world), world.place.promise, now=world.present())
        acts.accept(session, ticket, **how(world))
        acts.close(session, ticket, reason=CloseReason.REMEDIATED, **how(world))
        link, told = make_link(session, ticket, at=world.present()), kinds_to(session, ANNA.address)
        is_fixed(world, session)
        assert kinds_to(session, ANNA.address) == told

    assert "Fixed on" in page_of(world, link)


def test_whoever_left_no_address_reads_of_the_fix_on_the_page(world: World) -> None:
    with world.place.database.unit_of_work() as session:
        ticket = open_ticket(session, ANNA.report(world), world.place.promise, now=world.present())
        ticket.reporter.address = None
        make_link(session, ticket, at=world.present())
        is_fixed(world, session)

        assert ticket.history[-1].facts == {"what": "fixed"}


def test_a_joined_reporter_is_told_what_becomes_of_their_words(world: World) -> None:
    with world.place.database.unit_of_work() as session:
        _, second = two_reports(world, session)
        link = make_link(session, second, at=world.present())
        mail = read_by(world, session, BRAM)
    joined = page_of(world, link)
    with world.place.database.unit_of_work() as session:
        acts.close(session, session.get_one(Ticket, 1), reason=CloseReason.OUT_OF_SCOPE, **how(world))
    closed = page_of(world, link)

    assert "Wij werken aan het probleem en houden u op de hoogte." in mail
    assert "is read by those who work on it" in mail
    assert "It reaches those who work on the problem." in joined
    for said in OPENS_ANOTHER:
        assert said not in mail + joined
    for said in JOINS_THIS:
        assert said not in mail + joined + closed
    assert "we open a new, linked report" in closed


def test_one_that_is_linked_to_a_closed_ticket_still_opens_another(world: World) -> None:
    with world.place.database.unit_of_work() as session:
        first = open_ticket(session, ANNA.report(world), world.place.promise, now=world.present())
        acts.close(session, first, reason=CloseReason.OUT_OF_SCOPE, **how(world))
        second = open_ticket(session, BRAM.report(world), world.place.promise, now=world.present())
        join(session, second, to=first.reference, **how(world))
        acts.close(session, second, reason=CloseReason.DUPLICATE, **how(world))
        mail = read_by(world, session, BRAM)

    assert "Een nieuw bericht opent een nieuwe melding." in mail
