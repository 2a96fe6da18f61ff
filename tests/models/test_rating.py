"""A handler rates a ticket: the history says from what to what, and nothing else changes."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from meldbalie.models import acts
from meldbalie.models.errors import Refused
from meldbalie.models.rating import rate, rating_of
from meldbalie.models.session import Database
from meldbalie.models.severity import Rating, Severity
from meldbalie.models.states import CloseReason
from meldbalie.models.ticket import first_broken_link, ticket_called
from meldbalie.tests.models.reports import ARRIVED, HOUR, PROMISE, everything_about, reported, together, told
from meldbalie.tests.models.test_joining import waiting_for_a_lock
from meldbalie.tests.waiting import until

HIGH = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"
WORST = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H"
NOW = ARRIVED + HOUR


def rated(database: Database, reference: str, severity: Severity | None = None, vector: str = "") -> None:
    with database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        rate(session, ticket, severity=severity, vector=vector, by="Fatima", because="so", now=NOW)


def rating_on(database: Database, reference: str) -> Rating | None:
    with database.reading() as session:
        return rating_of(ticket_called(session, reference))


def facts(database: Database, reference: str) -> list[dict[str, Any]]:
    """What the history tells of the ratings; the chain must hold."""
    with database.reading() as session:
        ticket = ticket_called(session, reference)
        assert first_broken_link(ticket) is None
        return [entry.facts for entry in ticket.history if entry.kind == "rated"]


def test_a_ticket_is_rated_and_rated_again(database: Database) -> None:
    reference = reported(database)
    assert rating_on(database, reference) is None

    rated(database, reference, Severity.MEDIUM)
    assert rating_on(database, reference) == Rating(Severity.MEDIUM)
    rated(database, reference, vector=f" {WORST}\n")
    assert rating_on(database, reference) == Rating(Severity.CRITICAL, 10.0, WORST)
    rated(database, reference, Severity.NONE)
    assert rating_on(database, reference) == Rating(Severity.NONE)

    assert facts(database, reference) == [
        {"from": "", "to": "medium", "vector": "", "score": None},
        {"from": "medium", "to": "critical", "vector": WORST, "score": 10.0},
        {"from": "critical", "to": "none", "vector": "", "score": None},
    ]


def test_a_rating_changes_nothing_else(database: Database) -> None:
    reference = reported(database)
    before = everything_about(database, reference)

    rated(database, reference, vector=HIGH)

    columns, *others, history, messages = everything_about(database, reference)
    assert [*others, messages] == [*before[1:-2], before[-1]]
    assert history == [*before[-2], "rated"]
    assert {name for name, value in columns.items() if value != before[0][name]} == {
        "severity", "cvss_vector", "cvss_score", "version",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("severity", "vector", "why"),
    [
        (None, " ", "the rating is empty: give a severity or a CVSS vector"),
        (None, HIGH, r"is rated high, 7.5 \(CVSS:3.1/.*\) already"),
        (None, f"{HIGH}/E:X", "already"),
        (Severity.HIGH, HIGH, "already"),
        (Severity.LOW, WORST, r"severity low is not that of the CVSS vector, which is critical, 10.0: leave"),
        (None, "CVSS:3.1/AV:N", "cannot be read"),
    ],
)
def test_what_is_refused_changes_nothing(
    database: Database, severity: Severity | None, vector: str, why: str
) -> None:
    reference = reported(database)
    rated(database, reference, vector=HIGH)
    before = everything_about(database, reference)

    with pytest.raises(Refused, match=why):
        rated(database, reference, severity, vector)

    assert everything_about(database, reference) == before


def test_the_same_severity_by_another_vector_or_without_one_is_another_rating(database: Database) -> None:
    reference = reported(database)
    rated(database, reference, vector=HIGH)

    rated(database, reference, vector=HIGH.replace("3.1", "3.0"))
    rated(database, reference, Severity.HIGH)

    assert [each["from"] for each in facts(database, reference)] == ["", "high", "high"]
    with pytest.raises(Refused, match="is rated high already"):
        rated(database, reference, Severity.HIGH)


def test_a_closed_ticket_may_still_be_rated(database: Database) -> None:
    reference = reported(database)
    with database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        who: dict[str, Any] = {"by": "Fatima", "because": "so", "promise": PROMISE, "now": NOW}
        acts.invalidate(session, ticket, **who)
        acts.close(session, ticket, reason=CloseReason.NOT_REPRODUCIBLE, **who)

    rated(database, reference, Severity.LOW)

    assert rating_on(database, reference) == Rating(Severity.LOW)


def test_a_rating_waits_for_the_one_before_it_and_is_judged_by_it(postgres_database: Database) -> None:
    reference = reported(postgres_database)
    with ThreadPoolExecutor(1) as threads:
        with postgres_database.unit_of_work() as session:
            rate(session, ticket_called(session, reference), severity=Severity.HIGH, by="Jeroen", now=NOW)
            session.flush()
            second = threads.submit(rated, postgres_database, reference, Severity.HIGH)
            until(lambda: second.done() or waiting_for_a_lock(postgres_database), "the second to wait")

        with pytest.raises(Refused, match="is rated high already"):
            second.result()


def test_the_same_rating_by_several_at_once_is_one(database: Database) -> None:
    reference = reported(database)

    def give() -> str:
        try:
            rated(database, reference, vector=HIGH)
        except Refused as refusal:
            return str(refusal)
        return ""

    said = together(give)

    assert sorted("already" in each for each in said) == [False, True, True, True]
    with database.reading() as session:
        assert told(ticket_called(session, reference)).count("rated") == 1
