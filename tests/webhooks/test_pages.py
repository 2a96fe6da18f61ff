"""The pages as a reporter reads them."""

import re
from datetime import date, timedelta
from html import unescape
from itertools import zip_longest

import pytest
from flask.testing import FlaskClient
from meldbalie.models.states import CLOSE_LABELS, STATE_LABELS, CloseReason, TicketState
from meldbalie.models.ticket import WaitingOn
from meldbalie.tests.webhooks.installation import ARRIVAL, CANARIES, DUE, Installation
from meldbalie.webhooks.words import CREDITS, WAITING

S = TicketState
DAY = timedelta(days=1)


def read(client: FlaskClient, token: str, lang: str = "en") -> str:
    """The words of a page, as somebody reads them."""
    page = client.get(f"/s/{token}?lang={lang}")
    assert page.status_code == 200
    return words(page.text)


def words(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def test_a_new_report_shows_number_state_day_and_until_when_the_answer_is_promised(
    client: FlaskClient, installation: Installation
) -> None:
    page = read(client, installation.report())

    assert "CVD-2026-0042" in page
    assert "Received We have your report and are assessing it." in page
    assert "By Saturday 21 November 2026 at 10:12 at the latest" in page
    assert "Received Monday 16 November 2026 at 10:12" in page
    assert "Waiting for Us: we are handling your report" in page
    assert "Shared with the IBD Not yet" in page
    assert "Times on this page: Dutch time." in page
    assert "we will not take legal action over your report" in page


def test_dutch_readers_read_dutch(client: FlaskClient, installation: Installation) -> None:
    page = read(client, installation.report(shared_at=ARRIVAL), "nl")

    assert "Ontvangen Wij hebben uw melding en beoordelen haar." in page
    assert "Uiterlijk zaterdag 21 november 2026 om 10:12 uur" in page
    assert "Gedeeld met de IBD maandag 16 november 2026 Zonder uw persoonlijke gegevens." in page
    assert "dan ondernemen wij geen juridische stappen" in page.lower()


def test_an_overdue_answer_is_admitted(client: FlaskClient, installation: Installation) -> None:
    token = installation.report()
    installation.now = DUE + timedelta(seconds=1)

    page = read(client, token)

    assert "Our answer Overdue Promised by Saturday 21 November 2026 at 10:12" in page
    assert "We have not kept our promise." in page


def test_an_answer_shows_its_text_when_it_was_given_and_the_expected_day(
    client: FlaskClient, installation: Installation
) -> None:
    token = installation.report(
        (S.VALID, ARRIVAL + DAY),
        (S.ACCEPTED, ARRIVAL + DAY),
        answered_at=ARRIVAL + DAY,
        fix_on=date(2026, 12, 4),
        waiting_on=WaitingOn.SUPPLIER,
        ours=((ARRIVAL + DAY, "We are on it.\n\n<script>alert(1)</script>"),),
        theirs=(ARRIVAL + 2 * DAY,),
    )

    page = read(client, token)

    assert "Our answer In time Given on Tuesday 17 November 2026 at 10:12" in page
    assert "Solution expected On or before Friday 4 December 2026" in page
    assert "Waiting for The supplier of the system" in page
    assert "We wrote to you We are on it. <script>alert(1)</script>" in page
    assert "<script" not in client.get(f"/s/{token}").text
    assert "Wednesday 18 November 2026 at 10:12 We received a message from you" in page


def test_an_answer_without_a_date_shows_why(client: FlaskClient, installation: Installation) -> None:
    token = installation.report(answered_at=ARRIVAL + DAY, no_date_because="the supplier has not said")

    assert "Solution expected No date yet the supplier has not said" in read(client, token)


def test_a_late_answer_and_a_late_solution_are_admitted(
    client: FlaskClient, installation: Installation
) -> None:
    token = installation.report(answered_at=DUE + DAY, fix_on=date(2026, 11, 30))
    installation.now = ARRIVAL + 30 * DAY

    page = read(client, token)

    assert "Our answer Late Given on Sunday 22 November 2026" in page
    assert "Solution expected Overdue On or before Monday 30 November 2026" in page


def test_a_closed_report_says_why_and_waits_for_nobody(
    client: FlaskClient, installation: Installation
) -> None:
    token = installation.report(
        (S.INVALID, ARRIVAL + DAY, "we could not see it"),
        (S.CLOSED, ARRIVAL + 2 * DAY),
        close_reason=CloseReason.NOT_REPRODUCIBLE,
    )

    page = read(client, token)

    assert "Closed: not reproducible" in page
    assert "New state: Not confirmed we could not see it" in page
    assert "Nobody: your report is closed" in page
    assert "Being fixed passed over" in page


@pytest.mark.parametrize(("lang", "which"), [("nl", 0), ("en", 1)])
def test_every_close_reason_is_said_in_words(
    client: FlaskClient, installation: Installation, lang: str, which: int
) -> None:
    for reason in CloseReason:
        token = installation.report((S.INVALID, ARRIVAL), (S.CLOSED, ARRIVAL), close_reason=reason)

        assert f"{STATE_LABELS[S.CLOSED][which]}: {CLOSE_LABELS[reason][which]}" in read(client, token, lang)


def test_every_choice_and_everyone_waited_for_has_words(
    client: FlaskClient, installation: Installation
) -> None:
    for who, credit in zip_longest(WaitingOn, CREDITS, fillvalue="none"):
        token = installation.report(waiting_on=WaitingOn(who), credit=credit, shares_identity=True)
        page = read(client, token)

        with client.application.test_request_context("/?lang=en"):
            assert str(WAITING[WaitingOn(who)]) in page
            assert str(CREDITS[credit]) in page
        assert "You allow us to share them" in page


def test_nothing_of_the_report_the_people_or_the_notes_is_on_the_page(
    client: FlaskClient, installation: Installation
) -> None:
    token = installation.report(
        (S.VALID, ARRIVAL),
        (S.ACCEPTED, ARRIVAL),
        answered_at=ARRIVAL,
        shared_at=ARRIVAL,
        shares_identity=True,
        credit="name",
        ours=((ARRIVAL, "Thank you"),),
        theirs=(ARRIVAL + DAY,),
    )

    for path in (f"/s/{token}", f"/s/{token}?lang=nl", f"/api/v1/status/{token}", "/health", "/"):
        answer = client.get(path)
        told = f"{answer.headers}{answer.text}".casefold()
        assert not [name for name, canary in CANARIES.items() if canary.casefold() in told]


def test_a_page_repeats_neither_the_token_nor_a_key_of_the_database(
    client: FlaskClient, installation: Installation
) -> None:
    token = installation.report()

    page = client.get(f"/s/{token}")

    assert token not in page.text
    assert token not in str(page.headers)
    assert "<title>Your report CVD-2026-0042 · Gemeente Voorbeeld</title>" in page.text


def test_a_page_has_one_language_one_heading_and_times_for_machines(
    client: FlaskClient, installation: Installation
) -> None:
    page = client.get(f"/s/{installation.report()}").text

    assert '<html lang="en">' in page
    assert page.count("<h1") == 1
    assert '<time datetime="2026-11-21T09:12:00+00:00">' in page
    assert 'aria-current="step"' in page


def test_no_page_has_a_script_a_form_or_anything_from_elsewhere(
    client: FlaskClient, installation: Installation
) -> None:
    for path in ("/", f"/s/{installation.report()}", "/s/wrong"):
        page = client.get(path).text

        loaded = re.findall(r"<(?:link|img|script|iframe)[^>]*?(?:href|src)=\"([^\"]*)\"", page)
        assert loaded == ["/static/favicon.svg", "/static/meldbalie.css"]
        assert not re.findall(r"<(script|form|iframe|img|object|embed|style)\b|style=|\son\w+=", page)


def test_the_door_names_the_policy_and_the_address(client: FlaskClient) -> None:
    page = client.get("/").text

    assert 'href="https://voorbeeld.example/cvd"' in page
    assert 'href="mailto:cvd@voorbeeld.example"' in page


def test_crawlers_are_asked_to_stay_away_and_browsers_find_the_icon(client: FlaskClient) -> None:
    assert client.get("/robots.txt").text == "User-agent: *\nDisallow: /\n"
    with client.get("/favicon.ico") as icon:
        assert (icon.status_code, icon.mimetype) == (200, "image/svg+xml")


def test_head_and_options_are_answered_and_writing_is_refused(
    client: FlaskClient, installation: Installation
) -> None:
    path = f"/s/{installation.report()}"

    assert client.head(path).status_code == 200
    assert client.head(path).text == ""
    assert set(client.options(path).allow) == {"GET", "HEAD", "OPTIONS"}
    for method in ("POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"):
        refused = client.open(path, method=method, data=b"x" * 100_000)
        assert refused.status_code == 405
        assert set(refused.allow) == {"GET", "HEAD", "OPTIONS"}
        assert "Not possible here" in refused.text


def test_silence_and_publication_are_shown_with_day_hour_and_zone(
    client: FlaskClient, installation: Installation
) -> None:
    token = installation.report()
    assert "keep silent" not in read(client, token)
    installation.propose(ARRIVAL, ends_at=ARRIVAL + 10 * DAY, because="The supplier needs time.")
    installation.propose(ARRIVAL + DAY, publish_on=date(2026, 12, 4))

    page, dutch = read(client, token), read(client, token, "nl")

    silence = (
        "Both of us keep silent until Thursday 26 November 2026 at 10:12 (Dutch time) That is our proposal."
    )
    assert silence in page
    assert (
        "We proposed to keep silent until Thursday 26 November 2026 at 10:12 The supplier needs time." in page
    )
    assert "Publication proposed on Friday 4 December 2026 Do you agree?" in page
    assert "Wij en u zwijgen tot donderdag 26 november 2026 om 10:12 uur (Nederlandse tijd)" in dutch
    assert "Publicatie voorgesteld op vrijdag 4 december 2026" in dutch
    assert CANARIES["handler"] not in page

    installation.now = ARRIVAL + 10 * DAY
    assert "That moment has passed." in read(client, token)
    installation.propose(installation.now, because="It is known.")
    assert "We took back our proposal to keep silent It is known." in read(client, token)
    assert "Both of us keep silent until" not in read(client, token)


def test_who_is_waited_for_reads_it_on_the_page(client: FlaskClient, installation: Installation) -> None:
    token = installation.report(waiting_on=WaitingOn.REPORTER, ours=((ARRIVAL, "Which browser was it?"),))

    assert "Waiting for You: we need more information" in read(client, token)
    assert "We wrote to you Which browser was it?" in read(client, token)
