"""Which language a request gets, and how time reads in it."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from meldbalie.webhooks.language import day, language, moment, short_day
from meldbalie.webhooks.site import Site


@pytest.mark.parametrize(
    ("query", "accepted", "spoken"),
    [
        ("", None, "nl"),
        ("", "", "nl"),
        ("", "nl-NL,nl;q=0.9,en;q=0.8", "nl"),
        ("", "nl-BE", "nl"),
        ("", "en-US,en;q=0.9", "en"),
        ("", "en;q=0.8, nl;q=0.9", "nl"),
        ("", "de-DE,de;q=0.9", "en"),
        ("", "de-DE,nl;q=0.5", "nl"),
        ("", "*", "nl"),
        ("?lang=en", "nl", "en"),
        ("?lang=nl", "en", "nl"),
        ("?lang=fr", "en", "en"),
        ("?lang=", "nl", "nl"),
        ("?lang=nl&lang=en", "en", "nl"),
    ],
)
def test_the_link_wins_then_the_browser_and_dutch_is_for_who_says_nothing(
    app: Site, query: str, accepted: str | None, spoken: str
) -> None:
    headers = {} if accepted is None else {"Accept-Language": accepted}
    with app.test_request_context(f"/{query}", headers=headers):
        assert language() == spoken


def test_time_reads_in_words_in_local_time_on_both_sides_of_summer_time(app: Site) -> None:
    winter, summer = datetime(2026, 11, 21, 23, 30, tzinfo=UTC), datetime(2026, 7, 1, 22, 30, tzinfo=UTC)

    with app.test_request_context("/?lang=nl"):
        assert ">zondag 22 november 2026 om\u00a000:30\u00a0uur<" in moment(winter)
        assert ">donderdag 2 juli 2026 om\u00a000:30\u00a0uur<" in moment(summer)
        assert ">zondag 22 november 2026<" in day(winter)
        assert ">22 november 2026<" in short_day(winter)
    with app.test_request_context("/?lang=en"):
        assert ">Sunday 22 November 2026 at\u00a000:30<" in moment(winter)
        assert day(date(2026, 12, 4)) == '<time datetime="2026-12-04">Friday 4 December 2026</time>'


def test_an_organisation_elsewhere_reads_its_own_time(app_with: Callable[..., Site]) -> None:
    with app_with(organisation={"zone": "America/Curacao"}).test_request_context("/?lang=en"):
        assert "Saturday 21 November 2026 at\u00a019:30" in moment(datetime(2026, 11, 21, 23, 30, tzinfo=UTC))
