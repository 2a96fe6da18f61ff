"""The page on which somebody says that they have seen a rung of the ladder."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Event

import pytest
from flask.testing import FlaskClient
from meldbalie.models.clocks import Acknowledgement, Clock, FiredRung
from meldbalie.models.links import new_token, token_hash
from meldbalie.models.ticket import Ticket
from meldbalie.tests.webhooks.installation import DUE, Installation
from meldbalie.webhooks.database import db
from meldbalie.webhooks.site import Site
from sqlalchemy import event, select, update


@pytest.fixture
def token(installation: Installation) -> str:
    """The token of somebody who was told of the response clock."""
    return told_of(installation)


def told_of(installation: Installation) -> str:
    """Report, and let somebody be told of the response clock; gives their token."""
    installation.report()
    token = new_token()
    with installation.database.unit_of_work() as session:
        ticket = session.scalars(select(Ticket)).one()
        rung = FiredRung(
            ticket_id=ticket.id,
            kind="response",
            rung="80%",
            due_at=installation.now,
            fired_at=installation.now,
            acknowledge_by=installation.now + timedelta(hours=1),
        )
        session.add(rung)
        session.flush()
        session.add(Acknowledgement(rung_id=rung.id, token_hash=token_hash(token), who="Lead"))
    return token


def seen(installation: Installation) -> tuple[datetime | None, str | None, list[str]]:
    with installation.database.reading() as session:
        rung = session.scalars(select(FiredRung)).one()
        told = [entry.kind for entry in session.scalars(select(Ticket)).one().history]
        return rung.acknowledged_at, rung.acknowledged_by, told


def test_opening_the_link_changes_nothing_since_mail_scanners_open_it_too(
    client: FlaskClient, installation: Installation, token: str
) -> None:
    page = client.get(f"/a/{token}")

    assert (page.status_code, page.headers["Cache-Control"]) == (200, "no-store")
    assert "CVD-2026-0042" in page.text
    assert "Answer to the reporter" in page.text
    assert '<form method="post">' in page.text
    assert "Times on this page: Dutch time." in page.text
    assert "Overdue" not in page.text
    assert client.head(f"/a/{token}").status_code == 200
    assert seen(installation) == (None, None, ["note"])


def test_the_button_acknowledges_once(client: FlaskClient, installation: Installation, token: str) -> None:
    page = client.post(f"/a/{token}")
    at = installation.now
    installation.now += timedelta(minutes=5)
    client.post(f"/a/{token}")

    assert "Noted: this was seen." in page.text
    assert "<title>Noted · A deadline of CVD-2026-0042 · Gemeente Voorbeeld</title>" in page.text
    assert "Monday 16 November 2026 at\u00a013:12" in page.text
    assert "<form" not in page.text
    assert seen(installation) == (at, "Lead", ["note", "acknowledged"])


def test_somebody_who_writes_meanwhile_does_not_keep_it_from_being_noted(
    client: FlaskClient, app: Site, installation: Installation, token: str
) -> None:
    written: list[datetime] = []

    def write_meanwhile(connection: object, cursor: object, statement: str, *_: object) -> None:
        if "FROM acknowledgements" in statement and not written:
            written.append(installation.now)
            installation.lease("deliver", installation.now)

    with app.app_context():
        event.listen(db.engine, "after_cursor_execute", write_meanwhile)
    page = client.post(f"/a/{token}")

    assert written
    assert (page.status_code, "Noted: this was seen." in page.text) == (200, True)
    assert seen(installation)[1] == "Lead"


def test_it_waits_for_its_turn_to_write(
    client: FlaskClient, app: Site, installation: Installation, token: str
) -> None:
    comes = Event()

    def is_about_to_write(connection: object, cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("BEGIN IMMEDIATE"):
            comes.set()

    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", is_about_to_write)
    with ThreadPoolExecutor(1) as threads:
        with installation.database.unit_of_work():
            page = threads.submit(client.post, f"/a/{token}")
            assert comes.wait(60)
        assert page.result().status_code == 200
    assert seen(installation)[1] == "Lead"


def test_the_page_may_send_its_form_to_us_and_to_nobody_else(client: FlaskClient, token: str) -> None:
    policy = client.get(f"/a/{token}").headers["Content-Security-Policy"]

    assert "form-action 'self'" in policy
    assert "default-src 'none'" in policy
    assert "form-action 'none'" in client.get("/").headers["Content-Security-Policy"]


def test_the_page_speaks_dutch_and_keeps_its_button(client: FlaskClient, token: str) -> None:
    page = client.get(f"/a/{token}?lang=nl").text

    assert "Ik heb dit gezien" in page
    assert "Antwoord aan de melder" in page
    assert "Genoteerd: dit is gezien." in client.post(f"/a/{token}?lang=nl").text


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_wrong_token_is_the_same_404_for_both(client: FlaskClient, token: str, method: str) -> None:
    for wrong in (new_token(), token[:-1], "x" * 5000, token.swapcase()):
        answer = getattr(client, method)(f"/a/{wrong}")
        assert answer.status_code == 404
        assert "Nothing here" in answer.text


def test_what_is_done_already_asks_for_nothing(
    client: FlaskClient, installation: Installation, token: str
) -> None:
    with installation.database.unit_of_work() as session:
        session.execute(update(Clock).values(stopped_at=DUE, next_rung_at=None))

    page = client.get(f"/a/{token}").text

    assert "This is done already." in page
    assert "<form" not in page


def test_a_deadline_that_was_missed_is_called_overdue_and_can_still_be_seen(
    client: FlaskClient, installation: Installation, token: str
) -> None:
    installation.now = DUE + timedelta(seconds=1)

    page = client.get(f"/a/{token}").text

    assert "Overdue" in page
    assert "<form" in page


def test_the_page_says_nothing_of_the_report_or_of_people(client: FlaskClient, token: str) -> None:
    assert "CANARY" not in client.get(f"/a/{token}").text.upper()


def test_who_asks_too_often_has_to_wait(installation: Installation, app_with: object, token: str) -> None:
    app = app_with(web={"rate_limit": "2 per minute"})  # type: ignore[operator]
    client = app.test_client()

    assert [client.get(f"/a/{new_token()}").status_code for _ in range(3)] == [404, 404, 429]
