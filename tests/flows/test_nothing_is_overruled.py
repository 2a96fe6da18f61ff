"""What was decided or said in between is never overruled unseen, and nothing makes a form dead."""

import sqlite3
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from meldbalie.flows import answers as taking
from meldbalie.flows import bulk_acts
from meldbalie.flows.answers import carry_out_confirmed, let_expire, take_answer
from meldbalie.models import acts, again, confirmations, delivery, joining
from meldbalie.models.confirmations import Confirmation
from meldbalie.models.desk import DeskRun
from meldbalie.models.errors import Refused
from meldbalie.models.outbox import Mail, MailKind
from meldbalie.models.people import Correspondent
from meldbalie.models.states import CloseReason, TicketState
from meldbalie.models.suggestions import main_ticket
from meldbalie.models.telling import tell_reporter
from meldbalie.models.ticket import Ticket, WaitingOn, ticket_called
from meldbalie.tests.flows.glances import fills_in, form_of, goes_round, history, outbox, reply_address
from meldbalie.tests.flows.world import PIN, World
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

FIRST, SECOND = "CVD-2026-0001", "CVD-2026-0002"
TEXT = "het kanarie-antwoord"
ANSWER = {"action": "answer the reporter", "who": "Balie", "text": TEXT}
CLOSE = {"action": "close", "who": "Balie", "close_reason": "no_response", "text": "Stil.", "pin": PIN}


@pytest.fixture
def reported(world: World) -> World:
    """A world with a ticket whose first mails have left."""
    world.arrives(world.reports())
    goes_round(world)
    return world


def who(world: World) -> dict[str, Any]:
    return {"by": "Balie", "because": "Zo is het.", "promise": world.place.promise, "now": world.present()}


def does(world: World, reference: str, verb: Any, **facts: Any) -> None:
    with world.place.database.unit_of_work() as session:
        verb(session, ticket_called(session, reference), **who(world), **facts)


def state_of(world: World, reference: str) -> TicketState:
    with world.place.database.reading() as session:
        return ticket_called(session, reference).state


def card(world: World, reference: str = FIRST) -> str:
    """The card as it is read: what Markdown might mean something by is escaped."""
    return form_of(world.place, reference).card.replace("\\", "")


def seen(world: World) -> int:
    return len(history(world, FIRST))


@pytest.mark.parametrize(
    ("field", "filled"),
    [
        ("expected_fix_date", {**ANSWER, "expected_fix_date": "9999-12-31"}),
        ("embargo", {"action": "propose the embargo's end", "embargo_ends_at": "9999-12-31T23:59:59-12:00"}),
        (
            "milestone",
            {"action": "note a milestone", "milestone": "public", "happened_at": "0001-01-01T00:00"},
        ),
        ("seen", {**ANSWER, "seen": "abc", "no_date_because": "later"}),
        ("more seen than shown", {**ANSWER, "seen": 999, "no_date_because": "later"}),
        ("less seen than nothing", {**ANSWER, "seen": -1, "no_date_because": "later"}),
        ("owner", {"action": "assign", "assign_to": TEXT}),
        ("milestone's name", {"action": "note a milestone", "milestone": TEXT}),
        ("who", {**ANSWER, "who": TEXT, "no_date_because": "later"}),
    ],
)
def test_what_nobody_means_is_refused_on_the_card_without_being_said_back(
    reported: World, field: str, filled: dict[str, Any]
) -> None:
    number = form_of(reported.place, FIRST).number

    assert take_answer(reported.place, FIRST, number, {"who": "Balie", **filled}) == "refused", field

    assert "> **Not done:** " in card(reported)
    assert "kanarie" not in card(reported)
    assert fills_in(reported.place, FIRST, action="note for the team", text="x") == "applied"


def test_an_error_that_nobody_foresaw_leaves_a_form_that_works_and_the_text(
    reported: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(taking, "_apply", lambda *_, **__: (_ for _ in ()).throw(KeyError(TEXT)))
        assert fills_in(reported.place, FIRST, **ANSWER, no_date_because="later") == "refused"

    assert "could not be applied (KeyError)" in card(reported)
    assert "kanarie" not in card(reported)
    again = {**ANSWER, "text": "", "use_kept_text": True, "no_date_because": "later"}
    assert fills_in(reported.place, FIRST, **again) == "applied"
    assert len(outbox(reported, MailKind.ANSWER)) == 1


def test_what_is_submitted_again_from_the_same_page_is_done_once_and_not_refused(reported: World) -> None:
    """Prefect may say of an answer that it could not take it, and keep it."""
    confirm = {"action": "confirm", "seen": seen(reported)}
    assert fills_in(reported.place, FIRST, **confirm) == "applied"
    before = history(reported, FIRST)

    assert fills_in(reported.place, FIRST, **confirm) == "applied before"

    assert "Not done" not in card(reported)
    assert history(reported, FIRST) == before
    assert fills_in(reported.place, FIRST, **confirm | {"seen": seen(reported)}) == "refused"
    for _ in range(2):
        note = {"action": "note for the team", "text": TEXT, "seen": seen(reported)}
        assert fills_in(reported.place, FIRST, **note) == "applied"


def test_the_kept_text_of_another_act_is_not_sent_to_the_reporter(reported: World) -> None:
    note = {"action": "note for the team", "text": TEXT, "severity": "low"}
    assert fills_in(reported.place, FIRST, **note) == "refused"

    as_answer = {"action": "answer the reporter", "use_kept_text": True, "no_date_because": "later"}
    assert fills_in(reported.place, FIRST, **as_answer) == "refused"

    assert "your kept text is for 'note for the team'" in card(reported)
    assert outbox(reported, MailKind.ANSWER) == []


def test_a_kept_text_outlives_what_its_writer_does_first(reported: World) -> None:
    assert fills_in(reported.place, FIRST, action="confirm", severity="low", text=TEXT) == "refused"
    assert fills_in(reported.place, FIRST, action="note for the team", text="Eerst dit.") == "applied"

    assert "Not done" not in card(reported)
    assert "The text of Balie for *confirm* is kept" in card(reported)
    assert fills_in(reported.place, FIRST, action="confirm", use_kept_text=True) == "applied"
    assert "is kept" not in card(reported)


def test_each_handler_reads_what_was_refused_them_and_keeps_their_own_text(reported: World) -> None:
    balie = reported.place.config.triage[0]
    two = [balie, balie.model_copy(update={"name": "Jeroen"})]
    place = replace(reported.place, config=reported.place.config.model_copy(update={"triage": two}))
    for name in ("Balie", "Jeroen"):
        said = {"who": name, "action": "confirm", "severity": "low", "text": f"{TEXT} van {name}"}
        assert fills_in(place, FIRST, **said) == "refused"
    assert fills_in(place, FIRST, who="Jeroen", action="note for the team", text="x") == "applied"

    shown = form_of(place, FIRST).card
    (refused,) = [line for line in shown.splitlines() if "Not done" in line]
    assert "makes no use of severity" in refused
    assert refused.endswith("(Balie)")
    assert "The text of Balie for *confirm* is kept" in shown
    assert "The text of Jeroen for *confirm* is kept" in shown
    assert fills_in(place, FIRST, who="Jeroen", action="confirm", use_kept_text=True) == "applied"
    with place.database.reading() as session:
        moved = [one for one in ticket_called(session, FIRST).history if one.kind == "moved"]
    assert moved[-1].because == f"{TEXT} van Jeroen"


def test_what_nobody_confirmed_in_time_stands_on_the_card_and_its_text_is_kept(reported: World) -> None:
    does(reported, FIRST, acts.accept)
    wanted = {"action": "close", "who": "Balie", "close_reason": "remediated", "text": TEXT}
    asks(reported, wanted)
    assert let_expire(reported.place) == []
    reported.present.passes(hours=1)

    assert let_expire(reported.place) == [FIRST]

    assert "it was not confirmed by the link in time" in card(reported)
    again = {"action": "close", "close_reason": "remediated", "use_kept_text": True}
    assert fills_in(reported.place, FIRST, **again) == "applied"
    assert let_expire(reported.place) == []


def test_a_form_of_another_time_is_refused_and_blocks_no_later_one(reported: World) -> None:
    number = form_of(reported.place, FIRST).number + 5

    assert take_answer(reported.place, FIRST, number, {**ANSWER, "no_date_because": "later"}) == "refused"
    assert fills_in(reported.place, FIRST, action="confirm") == "applied"

    assert "moved" in history(reported, FIRST)


def test_nothing_is_closed_over_a_word_of_the_reporter(reported: World) -> None:
    assert fills_in(reported.place, FIRST, action="accept: it will be fixed") == "applied"
    number, before = form_of(reported.place, FIRST).number, seen(reported)
    word = reported.reports("Ik heb nog iets.", recipient=reply_address(reported, FIRST))
    reported.arrives(word)
    goes_round(reported)

    assert take_answer(reported.place, FIRST, number, {**CLOSE, "seen": before}) == "refused"

    assert state_of(reported, FIRST) is TicketState.ACCEPTED
    assert "the reporter wrote meanwhile" in card(reported)
    note = {"action": "note for the team", "who": "Balie", "text": "gelezen", "seen": before}
    assert take_answer(reported.place, FIRST, form_of(reported.place, FIRST).number, note) == "applied"


def test_a_question_that_does_not_arrive_lets_the_clocks_run_on(reported: World) -> None:
    with reported.place.database.unit_of_work() as session:
        ticket = ticket_called(session, FIRST)
        by = {"by": "Balie", "promise": reported.place.promise, "now": reported.present()}
        tell_reporter(session, ticket, text="Welke versie?", asks=True, **by)
        assert ticket.waiting_on is WaitingOn.REPORTER
        session.flush()
        mail = session.scalars(select(Mail).where(Mail.kind == MailKind.ASKED)).one()
        _parks(session, mail, reported)

    with reported.place.database.reading() as session:
        ticket = ticket_called(session, FIRST)
        assert ticket.waiting_on is WaitingOn.HANDLER
        assert all(clock.paused_since is None for clock in ticket.clocks)


def _parks(session: Session, mail: Mail, world: World) -> None:
    number = delivery.claim_next(session, world.present())
    while number is not None and number != mail.id:
        number = delivery.claim_next(session, world.present())
    delivery.was_not_delivered(
        session, mail, "mailrefused", world.place.promise, waits=[], for_good=True, now=world.present()
    )


def asks(world: World, wanted: dict[str, Any]) -> Confirmation:
    """A handler asks for an act on the first ticket that has to be confirmed."""
    handler = world.people.handler
    with world.place.database.unit_of_work() as session:
        return confirmations.ask(
            session,
            ticket=ticket_called(session, FIRST),
            who=Correspondent("Balie", handler.address, handler.fingerprint),
            action=wanted["action"],
            wanted=wanted,
            seen=len(ticket_called(session, FIRST).history),
            now=world.present(),
            lasting=timedelta(hours=1),
        )


def confirmed(world: World, wanted: dict[str, Any]) -> int:
    """The number of such an act that its link confirmed."""
    number = asks(world, wanted).id
    with world.place.database.unit_of_work() as session:
        session.get_one(Confirmation, number).confirmed_at = world.present()
    return number


def test_a_ticket_is_not_joined_by_link_with_one_that_was_closed_meanwhile(reported: World) -> None:
    reported.arrives(reported.reports())
    goes_round(reported)
    does(reported, SECOND, acts.accept)
    number = confirmed(
        reported, {"action": "join: it belongs to another ticket", "who": "Balie", "belongs_to": SECOND}
    )
    reported.present.now += timedelta(minutes=1)
    does(reported, SECOND, acts.close, reason=CloseReason.REMEDIATED)

    carry_out_confirmed(reported.place, number)

    assert "CVD-2026-0002 was closed by Balie at " in card(reported)
    assert "linked" not in history(reported, FIRST)


def test_a_bulk_act_that_was_confirmed_leaves_alone_what_was_decided_since(reported: World) -> None:
    reported.arrives(reported.reports())
    goes_round(reported)
    wanted = {"belongs_to": FIRST, "tickets": [SECOND]}
    asked = bulk_acts.ask(reported.place, "close-as-duplicates", wanted, "Balie")
    does(reported, SECOND, acts.accept)

    with pytest.raises(Refused, match="meanwhile; nothing of yours was applied"):
        bulk_acts.carry_out_confirmed(reported.place, asked.action, asked.wanted, "Balie")

    assert state_of(reported, SECOND) is TicketState.ACCEPTED


def test_a_bulk_act_is_tried_again_after_an_outage_and_says_when_only_part_was_done(
    reported: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        reported.arrives(reported.reports())
    goes_round(reported)
    wanted = {"belongs_to": FIRST, "tickets": [SECOND, "CVD-2026-0003"]}
    asked = bulk_acts.ask(reported.place, "close-as-duplicates", wanted, "Balie")
    locked = OperationalError("", {}, sqlite3.OperationalError("database is locked"))
    with monkeypatch.context() as busy:
        busy.setattr(bulk_acts, "act_of", lambda *_: lambda *_: (_ for _ in ()).throw(locked))
        with pytest.raises(OperationalError):
            bulk_acts.carry_out_confirmed(reported.place, asked.action, asked.wanted, "Balie")
    does(reported, SECOND, acts.accept)

    said = bulk_acts.carry_out_confirmed(reported.place, asked.action, asked.wanted, "Balie")

    assert said.startswith(confirmations.DONE_IN_PART)
    assert state_of(reported, SECOND) is TicketState.ACCEPTED
    assert state_of(reported, "CVD-2026-0003") is TicketState.CLOSED


def test_who_is_no_handler_any_more_does_nothing_by_an_old_link(reported: World) -> None:
    does(reported, FIRST, acts.accept)
    number = confirmed(reported, {"action": "close", "who": "Balie", "close_reason": "remediated"})
    nobody = replace(reported.place, config=reported.place.config.model_copy(update={"triage": []}))

    carry_out_confirmed(nobody, number)

    assert state_of(reported, FIRST) is TicketState.ACCEPTED
    with reported.place.database.reading() as session:
        assert "there is no handler of that name" in (session.get_one(DeskRun, 1).refused_because or "")


def test_a_confirmed_act_that_fails_by_an_error_nobody_foresaw_is_not_tried_for_ever(
    reported: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    does(reported, FIRST, acts.accept)
    wanted = {"action": "close", "who": "Balie", "close_reason": "remediated", "text": TEXT}
    number = confirmed(reported, wanted)
    with monkeypatch.context() as broken:
        broken.setattr(taking, "carry_out", lambda *_, **__: (_ for _ in ()).throw(KeyError(TEXT)))
        carry_out_confirmed(reported.place, number)

    with reported.place.database.reading() as session:
        assert confirmations.to_be_done(session) == []
    assert "could not be applied (KeyError)" in card(reported)
    assert "KeyError at " in caplog.text
    assert "kanarie" not in caplog.text + card(reported)
    again = {"action": "close", "close_reason": "remediated", "text": "", "use_kept_text": True}
    assert fills_in(reported.place, FIRST, **again) == "applied"
    assert state_of(reported, FIRST) is TicketState.CLOSED


def test_what_was_joined_with_a_report_that_is_taken_up_again_belongs_to_the_new_one(reported: World) -> None:
    reported.arrives(reported.reports())
    goes_round(reported)
    does(reported, SECOND, joining.join, to=FIRST)
    does(reported, FIRST, acts.accept)
    does(reported, FIRST, acts.close, reason=CloseReason.REMEDIATED)

    does(reported, FIRST, again.reopen)

    with reported.place.database.reading() as session:
        second: Ticket = ticket_called(session, SECOND)
        assert main_ticket(session, second).reference == "CVD-2026-0003"
