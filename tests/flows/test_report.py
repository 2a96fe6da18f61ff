"""The report as an operator reads it, and as Prefect shows it."""

import argparse
import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from meldbalie.flows import report as flow
from meldbalie.flows.desk import prefect_api
from meldbalie.flows.installation import Records
from meldbalie.flows.operator import report as command
from meldbalie.models.accountability import Published
from meldbalie.models.errors import Refused
from meldbalie.models.owners import Owner
from meldbalie.models.published_years import published_years
from meldbalie.models.session import Database
from meldbalie.models.severity import Severity
from meldbalie.models.ticket import Ticket
from meldbalie.tests.flows.glances import goes_round
from meldbalie.tests.flows.test_calendars import arrives, desk_on
from meldbalie.tests.flows.world import NAME, SENTENCE, World
from meldbalie.tests.models.conftest import application_key, sqlite_database
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from sqlalchemy import select

__all__ = ["application_key", "sqlite_database"]


@pytest.fixture
def place(sqlite_database: Database) -> Records:
    """A desk with two reports; one is rated, and belongs to somebody with a name that spreadsheets run."""
    made = desk_on(sqlite_database)
    arrives(made, 2)
    with sqlite_database.unit_of_work() as session:
        ticket = session.scalars(select(Ticket)).first()
        assert ticket
        ticket.owner = Owner(name="=1+1|2", address="x@voorbeeld.example")
        ticket.severity = Severity.HIGH
    return made


def ran(monkeypatch: pytest.MonkeyPatch, place: Records, *words: str) -> int:
    monkeypatch.setattr(command, "records", lambda: place)
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(words))


def test_the_three_forms_say_the_same(
    place: Records, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran(monkeypatch, place) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("2026-01-01 to 2026-12-21\n  received                           2\n")
    ran(monkeypatch, place, "--json")
    whole = json.loads(capsys.readouterr().out)
    assert (whole["from"], whole["until"]) == ("2026-01-01", "2026-12-21")
    assert [whole["whole"][name] for name in ("received", "pending", "share_overdue")] == [2, 2, 2]
    assert whole["open_by_age"]["under 7 days"] == 2
    ran(monkeypatch, place, "--csv")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["by"], row["group"], row["received"]) for row in rows] == [
        ("all", "all", "2"),
        ("month", "2026-12", "2"),
        ("owner", "'=1+1|2", "1"),
        ("owner", "triage", "1"),
        ("severity", "high", "1"),
        ("severity", "unrated", "1"),
    ]
    assert "by severity received in time late" in " ".join(shown.split())
    assert [each["group"] for each in whole["by_severity"]] == ["high", "unrated"]
    assert {each["group"]: each["received"] for each in whole["by_owner"]} == {"=1+1|2": 1, "triage": 1}


def test_a_period_is_one_or_it_is_refused(
    place: Records, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran(monkeypatch, place, "--until", "2025-06-30", "--json")
    assert json.loads(capsys.readouterr().out)["from"] == "2025-01-01"
    ran(monkeypatch, place, "--from", "2026-12-21", "--json")
    assert json.loads(capsys.readouterr().out)["whole"]["received"] == 2
    with pytest.raises(Refused, match="lies before"):
        ran(monkeypatch, place, "--from", "2026-02-01", "--until", "2026-01-01")
    for wrong in ("yesterday", "0001-01-01", "2026-02-30"):
        with pytest.raises(SystemExit):
            ran(monkeypatch, place, "--from", wrong)
        assert "invalid day (as 2026-11-21) value" in capsys.readouterr().err


def test_prefect_shows_it_and_no_word_of_a_report(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.arrives(world.reports())
    goes_round(world)
    monkeypatch.setattr(flow, "installation", lambda: world.place)

    flow.report()

    with prefect_api() as client:
        latest = client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["promise"]))
        )
    [artifact] = latest
    assert artifact.type == "markdown"
    told = str(artifact.description)
    assert "# The promise from 2026-01-01 to 2026-11-19" in told
    assert "| Webteam | 1 | 0 | 0 | 0 | 0 | 1 |" in told
    assert "| unrated | 1 | 0 | 0 | 0 | 0 | 1 |" in told
    assert [word for word in (NAME, SENTENCE, "onderzoek.example", "CVD-") if word in told] == []


def in_february(place: Records, *, publish: bool) -> Records:
    """The same desk in February of the next year, once its reports are overdue."""
    web = place.config.web.model_copy(update={"publish_report": publish})
    config = place.config.model_copy(update={"web": web})
    return replace(place, config=config, clock=lambda: datetime(2027, 2, 1, 12, 0, tzinfo=UTC))


def published(place: Records) -> list[tuple[int, Published]]:
    with place.database.reading() as session:
        return [(row.year, row.as_year().whole.received) for row in published_years(session)]


def test_the_flow_publishes_a_year_that_is_over_once_and_only_if_it_may(
    place: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    seven = [(2026, Published(7, 7))]
    for may, shown in ((False, []), (True, seven), (True, seven)):
        monkeypatch.setattr(flow, "installation", lambda may=may: in_february(place, publish=may))
        flow.report()
        assert published(place) == shown
        arrives(place, 5)


def test_a_year_is_published_anew_by_hand(
    place: Records, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    flow.publish_years(in_february(place, publish=True))
    arrives(place, 5)

    assert ran(monkeypatch, in_february(place, publish=True), "--publish", "2026") == 0

    assert capsys.readouterr().out == "published: 2026, as it is counted now\n"
    assert published(place) == [(2026, Published(7, 7))]


def test_a_year_that_may_not_be_published_is_refused(place: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused, match=r"2026 cannot be published yet: .* 1 February"):
        ran(monkeypatch, place, "--publish", "2026")
    with pytest.raises(Refused, match="2020 cannot be published: there is no report of it"):
        ran(monkeypatch, place, "--publish", "2020")
    assert published(place) == []
