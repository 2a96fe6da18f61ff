"""A ticket's clocks as handlers see and move them: on the card, through the form, and on the command line."""

import json
from argparse import Namespace
from datetime import timedelta
from typing import Any

import pytest
from meldbalie.flows.operator import clocks
from meldbalie.flows.ticket import next_form, take_answer
from meldbalie.models.milestones import milestones_of
from meldbalie.models.ticket import ticket_called
from meldbalie.tests.flows.glances import answers, goes_round, history
from meldbalie.tests.flows.world import NAME, World

FIRST = "CVD-2026-0001"


@pytest.fixture
def reported(world: World) -> str:
    """A ticket whose first mails have left."""
    world.arrives(world.reports())
    goes_round(world)
    return FIRST


def fills_in(world: World, **answer: Any) -> str:
    asked = next_form(world.place, FIRST)
    assert asked is not None
    return take_answer(world.place, FIRST, asked[0], {"who": "Balie", **answer})


def card(world: World) -> str:
    asked = next_form(world.place, FIRST)
    assert asked is not None
    return str(asked[1].model_fields) + str(asked[1]._description)


def test_a_handler_notes_and_withdraws_milestones_through_the_form(world: World, reported: str) -> None:
    at = (world.present() + timedelta(minutes=30)).replace(tzinfo=None).isoformat()
    noted = {"action": "note a milestone", "milestone": "fix_deployed", "happened_at": at}

    assert fills_in(world, **noted) == "applied"
    with world.place.database.reading() as session:
        known = milestones_of(session, ticket_called(session, FIRST))
    assert set(known) == {"fix_ready", "fix_deployed"}
    assert fills_in(world, action="note a milestone", milestone="") == "refused"
    assert fills_in(world, action="withdraw a milestone", milestone="fix_deployed") == "refused"
    assert "say why" in card(world)
    withdrawn = {"action": "withdraw a milestone", "milestone": "fix_deployed", "text": "een vergissing"}
    assert fills_in(world, **withdrawn) == "applied"
    assert history(world, FIRST)[-1] == "milestone_withdrawn"


def test_clocks_stand_still_while_a_supplier_is_waited_for_and_the_card_says_so(
    world: World, reported: str
) -> None:
    assert "stands still" not in card(world)
    assert fills_in(world, action="wait for somebody, or go on") == "refused"
    waits = {"action": "wait for somebody, or go on", "wait_for": "supplier", "text": "nieuwe versie"}

    assert fills_in(world, **waits) == "applied"

    shown = card(world)
    assert "Next word to the reporter stands still since" in shown
    assert "**running**, next reminder" in shown
    assert "nieuwe versie" not in shown
    assert fills_in(world, action="wait for somebody, or go on", wait_for="handler") == "applied"
    assert "stands still" not in card(world)


def test_the_command_explains_each_clock(
    world: World, reported: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(world, FIRST)
    goes_round(world)
    monkeypatch.setattr(clocks, "records", lambda: world.place)

    assert clocks.run(Namespace(number=FIRST, json=False)) == 0
    told = capsys.readouterr().out
    assert clocks.run(Namespace(number=FIRST, json=True)) == 0
    machine = json.loads(capsys.readouterr().out)
    assert clocks.run(Namespace(number="CVD-1999-0001", json=False)) == 1

    assert "Answer (response, round 1): stopped" in told
    assert "starts: the report arrived" in told
    assert "stops: the answer reached the reporter" in told
    assert "due: 5d from its start on the calendar of Europe/Amsterdam" in told
    assert "somebody is told next" in told
    assert NAME not in told
    assert [clock["clock"] for clock in machine["clocks"]] == ["response", "share", "update"]
    response = machine["clocks"][0]
    assert response["steps"][0]["at"] == response["started_at"]
    assert response["next_rung_at"] is None
