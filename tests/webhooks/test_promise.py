"""The page of how the promise was kept: for everybody, and of nobody."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from meldbalie.flows.installation import Records, promise
from meldbalie.flows.report import publish_years
from meldbalie.models.clocks import Clock, ClockKind
from meldbalie.models.ticket import Ticket
from meldbalie.tests.webhooks.installation import Installation, canary_ticket
from meldbalie.tests.webhooks.test_pages import words
from meldbalie.webhooks.promise import term_in_words
from meldbalie.webhooks.site import Site

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ON = {"web": {"rate_limit": "100000 per minute", "publish_report": True}}


def arrived(installation: Installation, year: int, in_time: int, late: int, *, month: int = 2) -> None:
    """Reports of one month, full of canaries, answered in time or late."""
    with installation.database.unit_of_work() as session:
        for number in range(in_time + late):
            ticket: Ticket = canary_ticket(next(installation.numbers), credit="none", shares_identity=False)
            ticket.arrived_at = ticket.opened_at = at = datetime(year, month, 1 + number % 27, 9, tzinfo=UTC)
            session.add(ticket)
            answer = at + (3 * DAY if number < in_time else 8 * DAY)
            for kind, due, stop in (
                (ClockKind.RESPONSE, at + 5 * DAY, answer),
                (ClockKind.SHARE, at + HOUR, at),
            ):
                session.add(Clock(ticket=ticket, kind=kind, started_at=at, due_at=due, stopped_at=stop))


def publishes(installation: Installation, minimum: int = 5) -> None:
    """What the flow `report` does once a day."""
    web = installation.config.web.model_copy(update={"publish_minimum": minimum})
    config = installation.config.model_copy(update={"web": web})
    publish_years(Records(config, installation.database, promise(config), installation.clock))


@pytest.fixture
def reader(installation: Installation, app_with: Callable[..., Site]) -> FlaskClient:
    """Somebody who reads the page of an installation that publishes it."""
    arrived(installation, 2025, 26, 1)
    arrived(installation, 2024, 12, 6)
    publishes(installation)
    client = app_with(**ON).test_client()
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


def test_nothing_is_published_unless_the_organisation_says_so(
    client: FlaskClient, installation: Installation
) -> None:
    arrived(installation, 2025, 26, 6)

    refused = client.get("/promise")

    assert refused.status_code == 404
    assert refused.text == client.get("/elsewhere").text
    assert refused.headers["Cache-Control"] == "no-store"


def test_the_page_shows_what_may_be_told(reader: FlaskClient) -> None:
    page = words(reader.get("/promise").text)

    assert "gets an answer from us within 5 days" in page
    assert "2025 27 23 to 26 <5 85% to 96% 3 - not told 27 0" in page
    assert "2024 18 12 6 66% 3 - not told 18 0" in page
    assert "2024, quarter 1 18 12 6 66% 3 - not told 18 0" in page
    assert "2024, quarter 2 0 0 0" in page
    assert "2025, quarter" not in page


def test_the_page_in_dutch(reader: FlaskClient) -> None:
    page = words(reader.get("/promise?lang=nl").text)

    assert "Hoe wij ons aan onze belofte hielden" in page
    assert "2025 27 23 t/m 26 <5 85% t/m 96% 3 - niet vermeld 27 0" in page
    assert "2024, kwartaal 1" in page


def test_the_chart_says_in_words_what_it_shows(reader: FlaskClient) -> None:
    page = reader.get("/promise").text

    chart = re.search(r'<svg class="chart" role="img" aria-labelledby="([^"]+)".*?</svg>', page, re.DOTALL)
    assert chart
    named = [re.search(f'<(title|desc) id="{each}">(.*?)</', chart[0]) for each in chart[1].split()]
    assert [found and found[2] for found in named] == [
        "Reports answered in time, in per cent of the reports of a year",
        "2025: 85% to 96%. 2024: 66%. ",
    ]
    widths = re.findall(r'<rect class="bar-kept" x="0" y="\d+" width="(\d+)%"', chart[0])
    assert widths == ["85", "66"]
    assert re.findall(r'fill="url\(#between\)" x="(\d+)%" y="\d+" width="(\d+)%"', chart[0]) == [("85", "11")]


def test_the_page_needs_no_script_and_no_style_of_its_own_and_may_be_kept(reader: FlaskClient) -> None:
    answer = reader.get("/promise")

    assert re.findall(r"<script|\bstyle=|<style|\bon\w+=", answer.text) == []
    assert (
        re.findall(r'(?:src|href)="(?:https?:)?//', answer.text.replace("https://voorbeeld.example/cvd", ""))
        == []
    )
    assert "script-src" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    assert "Accept-Language" in answer.headers["Vary"]
    assert "Set-Cookie" not in answer.headers


def test_the_page_names_nobody(reader: FlaskClient) -> None:
    for language in ("nl", "en"):
        page = reader.get(f"/promise?lang={language}").text
        assert "canary" not in page.lower()
        assert "CVD-" not in page


def test_without_a_year_the_page_says_when_there_will_be_one(
    installation: Installation, app_with: Callable[..., Site]
) -> None:
    arrived(installation, installation.now.year, 20, 0)
    publishes(installation)

    page = app_with(**ON).test_client().get("/promise?lang=en").text

    assert "There are no figures yet" in page
    assert "<svg" not in page.partition("<main")[2]


def test_the_figures_stay_as_they_were_published(reader: FlaskClient, installation: Installation) -> None:
    before = reader.get("/promise").text
    arrived(installation, 2025, 10, 0)
    publishes(installation)

    assert reader.get("/promise").text == before


def test_the_page_says_by_which_minimum_its_figures_were_made(
    reader: FlaskClient, installation: Installation
) -> None:
    arrived(installation, 2023, 20, 0)
    publishes(installation, minimum=9)

    page = words(reader.get("/promise").text)

    assert "2023 20 20 0" in page
    assert "we publish no number from 1 to 4" in page


@pytest.mark.parametrize(
    ("response", "english"),
    [
        ("5d", "5 days"),
        ("1d", "one day"),
        ("1wd", "one working day"),
        ("5wd", "5 working days"),
        ("40bh", "40 hours of working time"),
        ("90bm", "1.5 hours of working time"),
    ],
)
def test_the_term_is_said_in_words(app: Site, response: str, english: str) -> None:
    with app.test_request_context("/promise?lang=en"):
        assert term_in_words(response) == english
