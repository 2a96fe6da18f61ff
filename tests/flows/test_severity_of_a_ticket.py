"""How severe a ticket is: set in the form, seen by handlers and the IBD, and not by the reporter."""

from argparse import Namespace
from typing import Any

import pytest
from meldbalie.flows import deliver as delivering
from meldbalie.flows.answers import take_answer
from meldbalie.flows.attend import attend
from meldbalie.flows.operator import show as show_command
from meldbalie.flows.operator import tickets as tickets_command
from meldbalie.models.ticket import ticket_called
from meldbalie.tests.flows.glances import fills_in as fill_in
from meldbalie.tests.flows.glances import form_of, goes_round, history, run_of
from meldbalie.tests.flows.world import World
from meldbalie.webhooks.status import status_of

FIRST = "CVD-2026-0001"
HIGH = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"
WHY = "het kanarie-oordeel van de beheerder"


@pytest.fixture
def reported(world: World) -> World:
    """A world with a ticket whose first mails have left."""
    world.arrives(world.reports())
    goes_round(world)
    return world


def fills_in(world: World, **answer: Any) -> str:
    return fill_in(world.place, FIRST, **{"action": "set the severity", "text": WHY, **answer})


def card(world: World) -> str:
    """The card as it is read: what Markdown might mean something by is escaped."""
    return form_of(world.place, FIRST).card.replace("\\", "")


def test_a_handler_sets_the_severity_and_the_card_says_so(reported: World) -> None:
    assert "- Severity: unrated" in card(reported)

    assert fills_in(reported, severity="medium") == "applied"
    assert "- Severity: medium\n" in card(reported)
    assert fills_in(reported, cvss_vector=HIGH) == "applied"

    shown = card(reported)
    assert f"- Severity: high, 7.5 ({HIGH})" in shown
    assert f"rated by Balie (from medium, to high, vector {HIGH}, score 7.5)" in shown
    assert WHY not in shown
    assert history(reported, FIRST)[-2:] == ["rated", "rated"]


@pytest.mark.parametrize(
    ("filled", "why"),
    [
        ({}, "the rating is empty: give a severity or a CVSS vector"),
        ({"cvss_vector": "AV:N/AC:L/Au:N/C:P/I:P/A:P"}, "'AV:N/AC:L/Au:N/C:P/I:P/A:P' cannot be read"),
        ({"cvss_vector": WHY}, f"the CVSS vector of {len(WHY)} characters cannot be read"),
        ({"severity": "low", "cvss_vector": HIGH}, "leave one of the two empty"),
        ({"severity": "dreadful"}, "the form cannot be read: severity"),
        ({"severity": "low", "wait_for": "owner"}, "makes no use of wait for"),
        ({"action": "confirm", "severity": "low"}, "makes no use of severity"),
    ],
)
def test_what_is_refused_stands_on_the_card_and_changes_nothing(
    reported: World, filled: dict[str, str], why: str
) -> None:
    assert fills_in(reported, **filled) == "refused"

    shown = card(reported)
    assert "> **Not done:** " in shown
    assert why in shown
    assert WHY not in shown
    assert "- Severity: unrated" in shown
    assert "rated" not in history(reported, FIRST)


def test_a_second_handler_is_told_of_the_rating_before_theirs(reported: World) -> None:
    first, second = form_of(reported.place, FIRST), form_of(reported.place, FIRST)
    rates = {
        "who": "Balie",
        "action": "set the severity",
        "seen": first.schema["properties"]["seen"]["default"],
    }

    assert take_answer(reported.place, FIRST, first.number, rates | {"severity": "low"}) == "applied"
    assert take_answer(reported.place, FIRST, second.number, rates | {"severity": "high"}) == "refused"

    shown = card(reported)
    assert "- Severity: low" in shown
    assert "the ticket was rated by Balie" in shown
    assert history(reported, FIRST).count("rated") == 1


def test_the_run_is_found_by_its_severity(reported: World) -> None:
    attend(minutes=0)
    run = run_of(reported, FIRST)
    assert "severity:unrated" in run.tags
    assert fills_in(reported, severity="none") == "applied"

    attend(minutes=0)

    assert run_of(reported, FIRST).id == run.id
    tags = run_of(reported, FIRST).tags
    assert "severity:none" in tags
    assert "severity:unrated" not in tags


def test_the_commands_show_it(
    reported: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (show_command, tickets_command):
        monkeypatch.setattr(command, "records", lambda: reported.place)
    tickets_command.run(Namespace(all=False))
    assert f"{FIRST}  Received        unrated   Webteam" in capsys.readouterr().out
    fills_in(reported, cvss_vector=HIGH)

    tickets_command.run(Namespace(all=False))
    listed = capsys.readouterr().out
    show_command.run(Namespace(number=FIRST, whole=False))
    told = capsys.readouterr().out

    assert f"{FIRST}  Received        high      Webteam" in listed
    assert f"  severity high, 7.5 ({HIGH})" in told
    assert f"rated by Balie (to high, vector {HIGH}, score 7.5) {WHY}" in told


def test_the_reporter_does_not_see_it(reported: World) -> None:
    with reported.place.database.reading() as session:
        before = status_of(session, ticket_called(session, FIRST), now=reported.present())
    mails = len(reported.mail.mails(reported.people.reporter.address))

    fills_in(reported, cvss_vector=HIGH)
    delivering.deliver(minutes=0)

    with reported.place.database.reading() as session:
        after = status_of(session, ticket_called(session, FIRST), now=reported.present())
    assert after == before
    assert len(reported.mail.mails(reported.people.reporter.address)) == mails


def test_a_copy_that_was_held_tells_the_ibd_how_it_was_rated(world: World) -> None:
    world.arrives(world.reports("De lijst staat open.\nIk ben Piet en werk bij Acme."))
    goes_round(world)
    assert fills_in(world, cvss_vector=HIGH) == "applied"
    assert fills_in(world, action="release the copy for the IBD", text="") == "applied"
    delivering.deliver(minutes=0)

    [copy] = world.read_by(world.people.ibd)
    assert f"high, 7.5 ({HIGH})" in copy.text
