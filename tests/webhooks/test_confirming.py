"""The page on which a handler confirms what they want to do."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from flask.testing import FlaskClient
from meldbalie.models.confirmations import DONE, DONE_IN_PART, TOKEN, Confirmation, ask, was_done
from meldbalie.models.links import new_token
from meldbalie.models.outbox import Mail, MailKind
from meldbalie.models.people import Correspondent
from meldbalie.models.ticket import Ticket
from meldbalie.tests.webhooks.installation import Installation
from meldbalie.tests.webhooks.serving import Served
from meldbalie.tests.webhooks.test_in_a_browser import BUTTON_IS_AT_LEAST, WIDTHS, is_whole, look
from meldbalie.webhooks.discretion import masked
from meldbalie.webhooks.site import Site
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait
from sqlalchemy import select

HANDLER = Correspondent("Fatima", "fatima@voorbeeld.example", "A" * 40)
TEXT = "Het lek is gedicht.\nDank voor <b>uw</b> melding."
CLOSE = {"action": "close", "who": "Fatima", "close_reason": "remediated", "text": TEXT}


@pytest.fixture
def token(installation: Installation) -> str:
    """The token of a handler who wants to close a ticket."""
    return wants(installation)


def wants(installation: Installation, *, on_ticket: bool = True, **more: Any) -> str:
    """Somebody wants to close a ticket; gives the token of their link."""
    if on_ticket:
        installation.report()
    given = {
        "who": HANDLER,
        "action": "close",
        "wanted": CLOSE,
        "seen": 1,
        "lasting": timedelta(days=1),
    } | more
    with installation.database.unit_of_work() as session:
        ticket = session.scalars(select(Ticket)).one() if on_ticket else None
        ask(session, ticket=ticket, now=installation.now, **given)
        mails = session.scalars(select(Mail).where(Mail.kind == MailKind.CONFIRM).order_by(Mail.id))
        return (mails.all()[-1].facts or {})[TOKEN]


def came_to(installation: Installation, outcome: str) -> None:
    """The desk carries it out, or refuses it."""
    with installation.database.unit_of_work() as session:
        was_done(session, session.scalars(select(Confirmation)).one(), outcome, now=installation.now)


def confirmed_at(installation: Installation) -> datetime | None:
    with installation.database.reading() as session:
        return session.scalars(select(Confirmation)).one().confirmed_at


def test_opening_the_link_changes_nothing_since_mail_scanners_open_it_too(
    client: FlaskClient, installation: Installation, token: str
) -> None:
    page = client.get(f"/c/{token}")

    assert (page.status_code, page.headers["Cache-Control"]) == (200, "no-store")
    assert page.headers["Referrer-Policy"] == "no-referrer"
    for shown in ("Do you want to do this?", "CVD-2026-0042", "Close", "Reason for closing", "Fatima"):
        assert shown in page.text
    assert "Dank voor &lt;b&gt;uw&lt;/b&gt; melding." in page.text
    assert '<form method="post">' in page.text
    assert "http-equiv" not in page.text
    assert client.head(f"/c/{token}").status_code == 200
    assert confirmed_at(installation) is None


def test_the_button_confirms_once(client: FlaskClient, installation: Installation, token: str) -> None:
    page = client.post(f"/c/{token}")
    at = installation.now
    installation.now += timedelta(seconds=5)
    client.post(f"/c/{token}")

    assert "It is being carried out" in page.text
    assert '<meta http-equiv="refresh" content="2">' in page.text
    assert "<form" not in page.text
    assert confirmed_at(installation) == at


def test_two_who_press_at_once_confirm_once(app: Site, installation: Installation, token: str) -> None:
    both = Barrier(2)

    def press() -> int:
        client = app.test_client()
        both.wait(60)
        return client.post(f"/c/{token}").status_code

    with ThreadPoolExecutor(2) as threads:
        pressed = [threads.submit(press) for _ in range(2)]
        assert [each.result() for each in pressed] == [200, 200]
    assert confirmed_at(installation) == installation.now


def test_the_page_tells_what_came_of_it_and_looks_no_further(
    client: FlaskClient, installation: Installation, token: str
) -> None:
    client.post(f"/c/{token}")
    came_to(installation, DONE)

    page = client.get(f"/c/{token}").text

    assert "<title>It is done · CVD-2026-0042 · Gemeente Voorbeeld</title>" in page
    assert "http-equiv" not in page
    assert "Het lek is gedicht" not in page
    assert client.post(f"/c/{token}").text == page


def test_a_refusal_stands_there_in_words(client: FlaskClient, installation: Installation, token: str) -> None:
    client.post(f"/c/{token}")
    came_to(installation, "not done: CVD-2026-0042 is Closed <since>")

    page = client.get(f"/c/{token}?lang=nl").text

    assert "Het is niet gedaan" in page
    assert '<p class="letter" lang="en">CVD-2026-0042 is Closed &lt;since&gt;</p>' in page


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_link_that_came_too_late_says_so(
    client: FlaskClient, installation: Installation, token: str, method: str
) -> None:
    installation.now += timedelta(days=1)

    page = getattr(client, method)(f"/c/{token}")

    assert (page.status_code, "This link has expired" in page.text, "<form" in page.text) == (
        200,
        True,
        False,
    )
    assert confirmed_at(installation) is None


def test_an_older_link_says_that_there_is_a_newer_one(
    client: FlaskClient, installation: Installation, token: str
) -> None:
    with installation.database.unit_of_work() as session:
        ticket = session.scalars(select(Ticket)).one()
        day = timedelta(days=1)
        ask(
            session,
            ticket=ticket,
            who=HANDLER,
            action="close",
            wanted=CLOSE,
            seen=1,
            now=installation.now,
            lasting=day,
        )

    for page in (client.get(f"/c/{token}"), client.post(f"/c/{token}")):
        assert "You have asked again since" in page.text
        assert "<form" not in page.text


def test_what_takes_long_is_looked_for_less_and_less_often(
    client: FlaskClient, installation: Installation, token: str
) -> None:
    client.post(f"/c/{token}")
    seconds: list[str] = []
    for waited in (0, 20, 40, 60, 7200):
        installation.now += timedelta(seconds=waited)
        page = client.get(f"/c/{token}").text
        seconds.append(page.split('http-equiv="refresh" content="')[1].split('"')[0])

    assert seconds == ["2", "5", "15", "30", "60"]
    assert "It takes longer than usual" in page


def test_one_about_several_tickets_names_them(client: FlaskClient, installation: Installation) -> None:
    batch = {"action": "close many", "who": "Fatima", "tickets": ["CVD-2026-0007", "CVD-2026-0008"]}
    token = wants(installation, on_ticket=False, action="close many", wanted=batch)

    page = client.get(f"/c/{token}").text

    assert "close many" in page
    assert "CVD-2026-0007, CVD-2026-0008" in page


def test_of_several_tickets_it_is_told_what_came_of_each(
    client: FlaskClient, installation: Installation
) -> None:
    token = wants(installation, on_ticket=False, action="merge", wanted={"tickets": ["CVD-2026-0007"]})
    client.post(f"/c/{token}")
    came_to(installation, f"{DONE_IN_PART}refused: CVD-2026-0007: it is closed\nCVD-2026-0008: joined")

    page = client.get(f"/c/{token}").text

    assert "<h1>Part of it was done</h1>" in page
    assert "refused: CVD-2026-0007: it is closed\nCVD-2026-0008: joined</p>" in page


def test_the_page_may_send_its_form_to_us_and_to_nobody_else(client: FlaskClient, token: str) -> None:
    policy = client.get(f"/c/{token}").headers["Content-Security-Policy"]

    assert "form-action 'self'" in policy
    assert "default-src 'none'" in policy
    assert "script-src" not in policy


def test_the_page_speaks_dutch_and_keeps_its_button(client: FlaskClient, token: str) -> None:
    page = client.get(f"/c/{token}?lang=nl").text

    for shown in ("Wilt u dit doen?", "Sluiten", "Reden van sluiten", "Ja, doe dit"):
        assert shown in page
    assert "Het wordt uitgevoerd" in client.post(f"/c/{token}?lang=nl").text


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_wrong_token_is_the_same_404_for_both(client: FlaskClient, token: str, method: str) -> None:
    for wrong in (new_token(), token[:-1], "x" * 5000, token.swapcase()):
        answer = getattr(client, method)(f"/c/{wrong}")
        assert answer.status_code == 404
        assert "Nothing here" in answer.text


def test_the_page_says_nothing_of_the_report_or_of_who_reported_it(client: FlaskClient, token: str) -> None:
    assert "CANARY" not in client.get(f"/c/{token}").text.upper()


def test_a_log_line_does_not_hold_the_token(token: str) -> None:
    assert token not in masked(f'"GET /c/{token} HTTP/1.1" 200')


def test_who_asks_too_often_has_to_wait(
    installation: Installation, app_with: Callable[..., Site], token: str
) -> None:
    client = app_with(web={"rate_limit": "2 per minute"}).test_client()

    assert [client.get(f"/c/{new_token()}").status_code for _ in range(3)] == [404, 404, 429]


def test_a_get_with_another_method_s_name_does_nothing(
    client: FlaskClient, installation: Installation, token: str
) -> None:
    for method in ("put", "delete", "patch"):
        assert getattr(client, method)(f"/c/{token}").status_code == 405
    assert confirmed_at(installation) is None


@WIDTHS
def test_it_is_confirmed_by_keyboard_without_script_and_the_outcome_appears_by_itself(
    served: Served, browser: webdriver.Chrome, width: int
) -> None:
    made = served.installation
    made.now = datetime.now(made.now.tzinfo)
    look(browser, served.url(f"/c/{wants(made)}?lang=en"), width)
    button = browser.find_element(By.TAG_NAME, "button")
    assert button.size["height"] >= BUTTON_IS_AT_LEAST
    is_whole(browser, served, width)
    assert confirmed_at(made) is None

    button.send_keys(Keys.ENTER)

    WebDriverWait(browser, 60).until(lambda seen: seen.title.startswith("It is being carried out"))
    assert confirmed_at(made) is not None
    came_to(made, DONE)
    WebDriverWait(browser, 60).until(lambda seen: seen.title.startswith("It is done"))
    assert browser.find_elements(By.TAG_NAME, "button") == []
    assert "?lang=en" in browser.current_url
    is_whole(browser, served, width)
