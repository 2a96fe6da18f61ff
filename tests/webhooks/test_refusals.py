"""What is said and written down when something fails."""

import pytest
from flask.testing import FlaskClient
from meldbalie.tests.webhooks.installation import CANARIES, Installation
from meldbalie.webhooks import pages


class Boom(Exception):
    """A failure whose message holds what it must not."""


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object, token: str) -> None:
        raise Boom(f"cannot look up {token} for {CANARIES['address']}")

    monkeypatch.setattr(pages, "ticket_behind", fail)


@pytest.mark.usefixtures("broken")
def test_a_failure_is_written_down_without_any_value(
    client: FlaskClient, installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    token = installation.report()

    client.get(f"/s/{token}")
    client.get("/api/v1/status", headers={"Authorization": f"Bearer {token}"})

    assert "Boom in GET /s/<token>" in caplog.text
    assert "Boom in GET /api/v1/status" in caplog.text
    assert "status_behind" in caplog.text
    assert token not in caplog.text
    assert CANARIES["address"] not in caplog.text
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.usefixtures("broken")
def test_a_failure_has_the_look_and_the_headers_of_every_page(client: FlaskClient) -> None:
    page, told = client.get("/s/token"), client.get("/api/v1/status/token")

    assert (page.status_code, told.status_code) == (500, 500)
    assert "Something went wrong" in page.text
    assert "/static/meldbalie.css" in page.text
    assert "Boom" not in page.text + told.text
    assert told.json
    assert told.json["title"] == "Something went wrong"
    for answer in (page, told):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_a_refusal_that_has_no_words_of_its_own_has_general_ones(client: FlaskClient) -> None:
    page = client.get("/s/x", headers={"Host": "a b"})

    assert page.status_code in (400, 404)
    assert "Gemeente Voorbeeld" in page.text


def test_a_refusal_is_in_the_language_asked_for(client: FlaskClient) -> None:
    assert "<h1>Hier is niets</h1>" in client.get("/s/x?lang=nl").text
    told = client.get("/api/v1/status/x?lang=nl").json
    assert told
    assert told["title"] == "Hier is niets"
