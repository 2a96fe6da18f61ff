"""Reporters who wrote last: on open tickets and those joined with them, until somebody writes to them."""

from dataclasses import replace
from typing import Any

import pytest
from meldbalie.models import acts, embargo, joining, telling
from meldbalie.models.filing import join_ticket
from meldbalie.models.session import Database
from meldbalie.models.states import CloseReason
from meldbalie.models.threads import Standing
from meldbalie.models.ticket import ticket_called
from meldbalie.models.unanswered import unanswered
from meldbalie.tests.models.reports import ADDRESS, ARRIVED, DAY, HOUR, PROMISE, REPORT, reported

NOW = ARRIVED + HOUR
WHO: dict[str, Any] = {"by": "Fatima", "promise": PROMISE, "now": NOW}
FIRST, SECOND = "CVD-2026-0001", "CVD-2026-0002"
OTHER = replace(REPORT, address="ander@onderzoek.example", fingerprint=None)


def writes(database: Database, reference: str, party: str = "reporter") -> None:
    """Somebody writes on a ticket."""
    with database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        address = ticket.reporter.address if party == "reporter" else ADDRESS
        further = replace(REPORT, text="En ook dit.", message_id=None, address=address)
        join_ticket(session, further, Standing(ticket, party), PROMISE, now=NOW)


def tells(database: Database, reference: str) -> None:
    """A handler writes to the reporter of a ticket."""
    with database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        telling.tell_reporter(session, ticket, text="Dank.", asks=False, **WHO)


def waiting(database: Database) -> list[tuple[int, int]]:
    with database.reading() as session:
        return unanswered(session)


def test_a_report_alone_waits_for_no_word_but_what_comes_after_it_does(database: Database) -> None:
    reported(database)
    assert waiting(database) == []

    writes(database, FIRST, "owner")
    assert waiting(database) == []
    writes(database, FIRST)
    assert waiting(database) == [(1, 1)]
    writes(database, FIRST, "staff")
    assert waiting(database) == [(1, 1)]

    tells(database, FIRST)
    assert waiting(database) == []
    writes(database, FIRST)
    assert waiting(database) == [(1, 1)]


@pytest.mark.parametrize("word", ["answer", "ask", "embargo"])
def test_every_word_by_hand_answers_and_a_state_does_not(database: Database, word: str) -> None:
    reported(database)
    writes(database, FIRST)
    with database.unit_of_work() as session:
        ticket = ticket_called(session, FIRST)
        acts.confirm(session, ticket, because="", **WHO)
        assert unanswered(session) == [(1, 1)]
        match word:
            case "answer":
                acts.answer(session, ticket, text="Dank.", fix_on=None, no_date_because="later", **WHO)
            case "ask":
                telling.tell_reporter(session, ticket, text="Welke versie?", asks=True, **WHO)
            case _:
                embargo.propose_embargo(session, ticket, ends_at=NOW + DAY, text="", **WHO)
        assert unanswered(session) == []


def test_a_closed_ticket_waits_for_no_word(database: Database) -> None:
    reported(database)
    writes(database, FIRST)
    with database.unit_of_work() as session:
        ticket = ticket_called(session, FIRST)
        acts.invalidate(session, ticket, because="x", **WHO)
        acts.close(session, ticket, reason=CloseReason.OUT_OF_SCOPE, because="x", **WHO)
        assert unanswered(session) == []
        assert unanswered(session, ticket_called(session, "CVD-2026-0001")) == []


@pytest.mark.parametrize("is_same", [True, False], ids=["one reporter", "two reporters"])
def test_what_a_joined_reporter_writes_is_work_of_the_other_ticket(database: Database, is_same: bool) -> None:
    reported(database)
    reported(database, REPORT if is_same else OTHER)
    writes(database, SECOND)
    with database.unit_of_work() as session:
        joining.join(session, ticket_called(session, SECOND), to=FIRST, because="", **WHO)
    assert waiting(database) == []

    writes(database, SECOND)
    assert waiting(database) == [(1, 2)]
    tells(database, FIRST)
    assert waiting(database) == ([] if is_same else [(1, 2)])
    tells(database, SECOND)
    assert waiting(database) == []
