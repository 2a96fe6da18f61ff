"""What falls between asking and doing: a reporter's word, another's closing, a kill, the same form again."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from meldbalie.flows import bulk_acts
from meldbalie.flows.answers import carry_out_confirmed, take_answer
from meldbalie.flows.decided import refuse_if_decided_since, refuse_if_reporter_wrote_since
from meldbalie.flows.history_words import told as in_words
from meldbalie.flows.installation import Records
from meldbalie.models import acts, confirmations, joining
from meldbalie.models.confirmations import Confirmation
from meldbalie.models.errors import Refused
from meldbalie.models.filing import Received, join_ticket, open_ticket
from meldbalie.models.pins import Pin
from meldbalie.models.session import Database
from meldbalie.models.states import CloseReason, TicketState
from meldbalie.models.threads import Standing
from meldbalie.models.ticket import Ticket, ticket_called
from meldbalie.tests.benchmarks.workbench import records_room
from meldbalie.tests.flows.glances import form_of, history
from meldbalie.tests.flows.world import PIN, World
from sqlalchemy import select
from sqlalchemy.orm import Session

FIRST, SECOND, THIRD = "CVD-2026-0001", "CVD-2026-0002", "CVD-2026-0003"
TEXT = "het kanarie-antwoord"
CLOSE = {"who": "Balie", "action": "close", "close_reason": "remediated", "text": TEXT}
DUPLICATES, MERGE = bulk_acts.CLOSE_AS_DUPLICATES, bulk_acts.MERGE


class Killed(BaseException):
    """The process is gone from here on."""


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Generator[World]:
    """Three reports of three people."""
    monkeypatch.setattr("meldbalie.models.pins.COST", 2**4)
    with records_room() as room:
        with room.place.database.unit_of_work() as session:
            for number in range(3):
                open_ticket(session, received(room, number), room.place.promise, now=room.present())
        yield room


def received(world: World, number: int, text: str = "The search form reflects its input.") -> Received:
    return Received(
        arrived_at=world.present(),
        subject=f"XSS {number}",
        text=text,
        name=f"Melder {number}",
        address=f"melder@kanarie-{number}.example",
    )


def does(world: World, reference: str, verb: Any, **facts: Any) -> None:
    who = {"by": "Balie", "because": "", "promise": world.place.promise, "now": world.present()}
    with world.place.database.unit_of_work() as session:
        verb(session, ticket_called(session, reference), **who, **facts)


def closes(world: World, reference: str, reason: CloseReason = CloseReason.REMEDIATED) -> None:
    does(world, reference, acts.accept)
    does(world, reference, acts.close, reason=reason)


def writes(world: World, reference: str) -> None:
    """The reporter of a ticket writes."""
    word = received(world, 2, "It is not fixed, kanarie!")
    with world.place.database.unit_of_work() as session:
        standing = Standing(ticket_called(session, reference), "reporter")
        join_ticket(session, word, standing, world.place.promise, now=world.present())


def ticket(world: World, reference: str) -> Ticket:
    with world.place.database.reading() as session:
        return ticket_called(session, reference)


def card(place: Records) -> str:
    return form_of(place, FIRST).card


def with_links(world: World, **person: str) -> Records:
    """The same installation, where a link in sealed mail is the second factor."""
    config = world.place.config
    triage = [config.triage[0].model_copy(update=person)]
    desk = config.desk.model_copy(update={"second_factor": "link"})
    header = config.prefect.model_copy(update={"account_header": "X-Remote-User" if person else ""})
    changed = {"triage": triage, "desk": desk, "prefect": header}
    return replace(world.place, config=config.model_copy(update=changed))


def asks(place: Records, **account: str) -> int:
    """Balie asks in the form to close the first ticket, and uses the link; gives the number of that."""
    number = form_of(place, FIRST).number
    assert take_answer(place, FIRST, number, {**CLOSE, **account}) == "asked for proof"
    with place.database.unit_of_work() as session:
        asked = session.scalars(select(Confirmation).order_by(Confirmation.id.desc())).first()
        assert asked is not None
        asked.confirmed_at = place.clock()
        return asked.id


def test_a_word_of_a_joined_reporter_keeps_the_ticket_from_being_closed_unseen(world: World) -> None:
    does(world, SECOND, joining.join, to=FIRST)
    does(world, FIRST, acts.accept)
    number, seen = form_of(world.place, FIRST).number, len(history(world, FIRST))
    world.present.passes(minutes=1)
    signed_at = world.present()
    world.present.passes(minutes=1)
    writes(world, SECOND)

    closed = take_answer(world.place, FIRST, number, {**CLOSE, "pin": PIN, "seen": seen})

    assert closed == "refused"
    assert "the reporter wrote meanwhile" in card(world.place)
    assert ticket(world, FIRST).is_open
    with world.place.database.reading() as session:
        main = ticket_called(session, FIRST)
        with pytest.raises(Refused, match="the reporter wrote after this was signed"):
            refuse_if_reporter_wrote_since(main, signed_at)
        refuse_if_decided_since(world.place, main, seen, ends=False)
        told = in_words(world.place, main.history[-1])
        assert told.endswith(f" on {SECOND}, which was joined with this one")
        assert "kanarie" not in str(main.history[-1].facts)


def test_a_link_is_not_carried_out_over_a_word_of_a_joined_reporter(world: World) -> None:
    does(world, SECOND, joining.join, to=FIRST)
    does(world, FIRST, acts.accept)
    place = with_links(world)
    number = asks(place)
    writes(world, SECOND)

    carry_out_confirmed(place, number)

    assert ticket(world, FIRST).is_open
    assert "the reporter wrote meanwhile" in card(place)


@pytest.fixture
def dies_after_the_first_commit(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Do something in a process that is killed as soon as it has committed once."""

    def dies(work: Callable[[], object]) -> None:
        commits = Database.unit_of_work

        @contextmanager
        def killed(database: Database) -> Generator[Session]:
            with commits(database) as session:
                yield session
            raise Killed

        with monkeypatch.context() as patched:
            patched.setattr(Database, "unit_of_work", killed)
            with pytest.raises(Killed):
                work()

    return dies


Dies = Callable[[Callable[[], object]], None]


def test_a_kill_loses_neither_why_a_confirmed_act_was_refused_nor_its_text(
    world: World, dies_after_the_first_commit: Dies
) -> None:
    does(world, FIRST, acts.accept)
    place = with_links(world)
    number = asks(place)
    writes(world, FIRST)

    dies_after_the_first_commit(lambda: carry_out_confirmed(place, number))
    with place.database.reading() as session:
        for left in confirmations.to_be_done(session):
            carry_out_confirmed(place, left)
        outcome = session.get_one(Confirmation, number).outcome or ""

    assert outcome.startswith(confirmations.NOT_DONE)
    assert "the reporter wrote meanwhile" in card(place)
    assert "The text of Balie for *close* is kept" in card(place)


def test_one_wrong_pin_counts_once_however_often_its_form_is_taken(world: World) -> None:
    does(world, FIRST, acts.accept)
    number = form_of(world.place, FIRST).number
    wrong = {**CLOSE, "pin": "99-eenden"}

    taken = [take_answer(world.place, FIRST, number, wrong) for _ in range(6)]

    assert taken == ["refused", *["applied before"] * 5]
    with world.place.database.reading() as session:
        assert session.scalars(select(Pin)).one().failures == 1
    assert "Not done" in card(world.place)


def test_a_form_that_a_later_one_overtook_is_refused_before_its_pin_is_looked_at(world: World) -> None:
    does(world, FIRST, acts.accept)
    earlier, later = (form_of(world.place, FIRST).number for _ in range(2))
    note = {"who": "Balie", "action": "note for the team", "text": "x"}
    assert take_answer(world.place, FIRST, later, note) == "applied"

    assert take_answer(world.place, FIRST, earlier, {**CLOSE, "pin": "99-eenden"}) == "refused"

    assert "a later form was answered before this one" in card(world.place)
    with world.place.database.reading() as session:
        assert session.scalars(select(Pin)).one().failures == 0


def wanted(world: World, action: str, reference: str, other: str) -> dict[str, Any]:
    """What is wanted, as it was asked for in a deployment and mailed to be confirmed."""
    return bulk_acts.ask(world.place, action, {"tickets": [reference], "belongs_to": other}, "Balie").wanted


def is_carried_out(world: World, action: str, what: dict[str, Any]) -> str:
    return bulk_acts.carry_out_confirmed(world.place, action, what, "Balie")


def test_a_merge_into_a_closed_ticket_says_after_a_kill_that_it_was_done(world: World) -> None:
    closes(world, FIRST)
    what = wanted(world, MERGE, SECOND, FIRST)
    assert "linked to CVD-2026-0001" in is_carried_out(world, MERGE, what)
    before = history(world, SECOND)

    again = is_carried_out(world, MERGE, what)

    assert again == f"{SECOND}: is linked to {FIRST} already, which is closed; it goes on by itself"
    assert history(world, SECOND) == before


def test_closing_as_a_duplicate_of_one_that_was_joined_itself_says_after_a_kill_that_it_was_done(
    world: World,
) -> None:
    does(world, SECOND, joining.join, to=FIRST)
    what = wanted(world, DUPLICATES, THIRD, SECOND)
    assert is_carried_out(world, DUPLICATES, what) == f"{THIRD}: closed as a duplicate of {SECOND}"
    before = history(world, THIRD)

    again = is_carried_out(world, DUPLICATES, what)

    assert again == f"{THIRD}: is closed as a duplicate of {SECOND} already"
    assert history(world, THIRD) == before


def test_a_duplicate_of_what_was_joined_with_another_since_is_closed_as_one_still(world: World) -> None:
    does(world, THIRD, joining.join, to=SECOND)
    does(world, SECOND, joining.join, to=FIRST)
    asked = {"tickets": [THIRD], "belongs_to": SECOND}

    assert "is closed as a duplicate of CVD-2026-0002 already" in is_carried_out(world, DUPLICATES, asked)


def test_the_account_of_whoever_asked_for_a_link_stands_in_the_history(world: World) -> None:
    does(world, FIRST, acts.accept)
    place = with_links(world, account="anne")

    carry_out_confirmed(place, asks(place, account="anne"))

    with place.database.reading() as session:
        told = {entry.kind: entry.facts for entry in ticket_called(session, FIRST).history}
    assert told["proof_asked"] == {"action": "close", "account": "anne"}
    assert told["proved"] == {"action": "close", "proof": "link", "account": "anne"}


@pytest.mark.parametrize("reason", [CloseReason.SPAM, CloseReason.REMEDIATED])
@pytest.mark.parametrize("action", [DUPLICATES, MERGE])
def test_nothing_is_joined_with_what_was_closed_since_it_was_asked(
    world: World, action: str, reason: CloseReason
) -> None:
    what = wanted(world, action, SECOND, FIRST)
    closes(world, FIRST, reason)

    with pytest.raises(Refused, match=f"{FIRST} was closed by Balie at .* meanwhile; nothing of yours"):
        is_carried_out(world, action, what)

    assert ticket(world, SECOND).state is TicketState.RECEIVED


def test_nothing_is_joined_with_one_whose_main_ticket_was_closed_since_it_was_asked(world: World) -> None:
    does(world, SECOND, joining.join, to=FIRST)
    what = wanted(world, DUPLICATES, THIRD, SECOND)
    closes(world, FIRST, CloseReason.SPAM)

    with pytest.raises(Refused, match=f"{FIRST} was closed by Balie at .* meanwhile; nothing of yours"):
        is_carried_out(world, DUPLICATES, what)

    assert ticket(world, THIRD).is_open


def test_what_was_closed_when_it_was_asked_may_go_on_closed(world: World) -> None:
    closes(world, FIRST, CloseReason.SPAM)

    done = is_carried_out(world, DUPLICATES, wanted(world, DUPLICATES, SECOND, FIRST))

    assert done == f"{SECOND}: closed as a duplicate of {FIRST}"
