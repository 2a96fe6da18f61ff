"""A ticket's clocks as handlers see and move them: on the card, through the form, and on the command line."""

import json
from argparse import Namespace
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from meldbalie.flows.clock_words import clocks_in_words
from meldbalie.flows.desk import answered
from meldbalie.flows.history_words import SENTENCES, told
from meldbalie.flows.operator import clocks
from meldbalie.models.milestones import milestones_of
from meldbalie.models.ticket import Event, ticket_called
from meldbalie.tests.flows.glances import answers, form_of, goes_round, history
from meldbalie.tests.flows.glances import fills_in as fill_in
from meldbalie.tests.flows.world import NAME, World
from meldbalie.tests.models.reports import ANONYMOUS
from meldbalie.tests.models.reports import reported as files

FIRST = "CVD-2026-0001"


@pytest.fixture
def reported(world: World) -> str:
    """A ticket whose first mails have left."""
    world.arrives(world.reports())
    goes_round(world)
    return FIRST


def fills_in(world: World, **answer: Any) -> str:
    return fill_in(world.place, FIRST, **answer)


def card(world: World) -> str:
    asked = form_of(world.place, FIRST)
    return f"{asked.schema}{asked.card}"


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


def test_a_milestone_that_just_happened_is_taken_while_time_goes_on(world: World, reported: str) -> None:
    ticks = count()
    place = replace(world.place, clock=lambda: world.present() + timedelta(microseconds=next(ticks)))
    assert fill_in(place, FIRST, action="note a milestone", milestone="exploited") == "applied"


def test_clocks_stand_still_while_a_supplier_is_waited_for_and_the_card_says_so(
    world: World, reported: str
) -> None:
    assert "stands still" not in card(world)
    assert fills_in(world, action="wait for somebody, or go on") == "refused"
    waits = {"action": "wait for somebody, or go on", "wait_for": "supplier", "text": "nieuwe versie"}

    assert fills_in(world, **waits) == "applied"

    shown = card(world)
    assert "Progress message to the reporter stands still since" in shown
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

    assert "Answer to the reporter (response): stopped" in told
    assert "starts: the report arrived" in told
    assert "stops: the answer reached the reporter" in told
    assert "due: 5 calendar days after it started" in told
    assert "somebody is told next" in told
    assert NAME not in told
    assert [clock["clock"] for clock in machine["clocks"]] == ["response", "share", "update"]
    response = machine["clocks"][0]
    assert response["steps"][0]["at"] == response["started_at"]
    assert response["next_rung_at"] is None


AT = "2026-11-19T14:00:00+00:00"
CLOCK: dict[str, Any] = {
    "clock": "update",
    "round": 2,
    "due_at": "2026-12-03T13:00:00+00:00",
    "because": "14 calendar days after it started last",
    "stopped_at": None,
    "paused_since": None,
    "steps": [{"at": "2026-11-19T13:00:00+00:00", "told": "starts: the reporter was told something"}],
    "moves": [],
    "rungs": [],
    "next_rung_at": None,
    "read_by_calendar": 3,
}
RUNG: dict[str, Any] = {
    "rung": "80%",
    "round": 2,
    "due_at": AT,
    "fired_at": AT,
    "was_superseded": False,
    "voided_at": None,
    "acknowledge_by": None,
    "acknowledged_at": None,
    "acknowledged_by": None,
}


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({}, "rung '80%' fired"),
        ({"round": 1}, "rung '80%' fired, for an earlier start of this clock"),
        ({"voided_at": AT}, "counts no more since Thu 19 Nov 2026 15:00:00 CET and may fire again"),
        ({"was_superseded": True}, "rung '80%' of Thu 19 Nov 2026 15:00:00 CET is passed over: a higher"),
        (
            {"acknowledge_by": "2026-11-20T12:00:00+00:00"},
            "somebody has to say by Fri 20 Nov 2026 13:00:00 CET that they have seen it",
        ),
        (
            {"acknowledge_by": "2026-11-19T15:00:00+00:00"},
            "nobody said by Thu 19 Nov 2026 16:00:00 CET to have seen it",
        ),
        (
            {"acknowledge_by": "2026-11-20T12:00:00+00:00", "acknowledged_at": AT, "acknowledged_by": "Anne"},
            "Anne has seen it (Thu 19 Nov 2026 15:00:00 CET)",
        ),
    ],
)
def test_what_became_of_a_rung_is_a_sentence(facts: dict[str, Any], says: str) -> None:
    told = explained(CLOCK | {"rungs": [RUNG | facts]}, "2026-11-20T00:00:00+00:00")

    assert says in told
    assert "(by version 3 of the calendar)" in told


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({}, "Progress message to the reporter (update): runs until Thu 03 Dec 2026 14:00:00 CET"),
        ({"due_at": AT}, "OVERDUE since Thu 19 Nov 2026 15:00:00 CET"),
        ({"due_at": AT, "stopped_at": AT}, "stopped Thu 19 Nov 2026 15:00:00 CET, in time"),
        (
            {"due_at": AT, "stopped_at": AT, "steps": [{"at": AT, "told": "stops: nobody can be told: …"}]},
            "stopped Thu 19 Nov 2026 15:00:00 CET, nobody can be told\n",
        ),
        ({"next_rung_at": AT}, "somebody is told next (at the next sweep)"),
        ({"next_rung_at": "2026-11-30T09:00:00+00:00"}, "somebody is told next\n"),
    ],
)
def test_where_a_clock_stands_is_a_sentence(facts: dict[str, Any], says: str) -> None:
    assert says in explained(CLOCK | facts, "2026-11-20T00:00:00+00:00")


def explained(clock: dict[str, Any], now: str) -> str:
    told = {"ticket": FIRST, "calendar": 4, "zone": "Europe/Amsterdam", "clocks": [clock]}
    return "\n".join(clocks.lines(told, datetime.fromisoformat(now))) + "\n"


def test_the_history_is_told_in_sentences(world: World, reported: str) -> None:
    noted = {"action": "note a milestone", "milestone": "fix_deployed"}
    assert fills_in(world, **noted) == "applied"
    with world.place.database.reading() as session:
        history = ticket_called(session, FIRST).history
        told_by = [told(world.place, entry) for entry in history]
        bare = [Event(kind=kind, actor="somebody", facts={}) for kind in SENTENCES]
        of_before = [told(world.place, entry) for entry in bare]

    assert "the report arrived" in told_by
    assert "sent: copy for the IBD to the IBD" in told_by
    assert "Copy to the IBD: done, in time" in told_by
    assert any(line.startswith("Balie: milestone fix deployed, Thu 19 Nov") for line in told_by)
    assert "clock stands by somebody" in of_before


def test_where_nobody_can_be_told_nothing_says_that_it_was_in_time(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = world.place
    files(place.database, replace(ANONYMOUS, arrived_at=place.clock()), place.promise, now=place.clock())
    assert (
        fills_in(world, action="answer the reporter", text="Thank you.", no_date_because="The supplier")
        == "applied"
    )
    monkeypatch.setattr(clocks, "records", lambda: place)

    clocks.run(Namespace(number=FIRST, json=False))
    explained = capsys.readouterr().out.split("\n\n")[1]
    with place.database.reading() as session:
        ticket = ticket_called(session, FIRST)
        told_by = [told(place, entry) for entry in ticket.history]
        on_card = clocks_in_words(place, ticket)[0]
        listed = answered(place, ticket)

    assert "nobody can be told (answer): the report came without an address" in told_by
    assert "Answer to the reporter: done, nobody can be told" in told_by
    assert on_card.startswith("Answer to the reporter due ")
    assert on_card.endswith(", nobody can be told")
    assert "nobody can be told: the report came without an address" in explained
    assert [words for words in (*told_by, on_card, explained) if "in time" in words] == []
    assert "nobody can be told" in listed
