"""Dutch and English: which one a request gets, and how instants and days read in it.

``?lang=nl`` or ``?lang=en`` wins, then Accept-Language. Who names neither language reads English,
who names no language at all reads Dutch. There is no cookie.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal

from flask import Response, has_request_context, request
from flask_babel import Babel, format_date, format_datetime  # pyright: ignore[reportUnknownVariableType] - partly untyped
from markupsafe import Markup

from .site import Site

Language = Literal["nl", "en"]

LANGUAGES: tuple[Language, Language] = ("nl", "en")
#: Our catalogue's name, and the locale whose dates we follow.
LOCALES: Mapping[Language, str] = {"nl": "nl", "en": "en_GB"}
MOMENTS: Mapping[Language, str] = {
    "nl": "EEEE d MMMM y 'om'\u00a0HH:mm\u00a0'uur'",
    "en": "EEEE d MMMM y 'at'\u00a0HH:mm",
}
DAY = "EEEE d MMMM y"
SHORT_DAY = "d MMMM y"


def language() -> Language:
    """The language of this request."""
    if not has_request_context():
        return "en"
    asked = request.args.get("lang", "")
    for known in LANGUAGES:
        if asked == known:
            return known
    if not request.accept_languages:
        return "nl"
    return "nl" if request.accept_languages.best_match(LANGUAGES, "en") == "nl" else "en"


def speak(app: Site) -> None:
    """Give an app its languages, and templates their words for time."""
    Babel(
        app,
        default_locale=LOCALES["en"],
        default_timezone=app.settings.organisation.zone,
        locale_selector=lambda: LOCALES[language()],
    )
    app.add_template_filter(moment, "moment")
    app.add_template_filter(day, "day")
    app.add_template_filter(short_day, "short_day")
    app.add_template_global(language, "language")
    app.after_request(name_the_language)


def name_the_language(response: Response) -> Response:
    """Say in the headers which language an answer has, and what it depends on."""
    if response.mimetype in ("text/html", "application/json", "application/problem+json"):
        response.content_language.add(language())
        response.vary.add("Accept-Language")
    return response


def moment(instant: datetime) -> Markup:
    """An instant in words, local time, as an HTML ``time`` element."""
    return _element(instant.isoformat(timespec="seconds"), format_datetime(instant, MOMENTS[language()]))


def day(which: date) -> Markup:
    """A day in words, as an HTML ``time`` element; of an instant the local day."""
    if isinstance(which, datetime):
        return _element(which.isoformat(timespec="seconds"), format_datetime(which, DAY))
    return _element(which.isoformat(), format_date(which, DAY, rebase=False))


def short_day(instant: datetime) -> Markup:
    """The local day of an instant without its weekday, where there is little room."""
    return _element(instant.isoformat(timespec="seconds"), format_datetime(instant, SHORT_DAY))


def _element(machine: str, words: str) -> Markup:
    return Markup('<time datetime="{}">{}</time>').format(machine, words)
