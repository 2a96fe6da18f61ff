"""How the promise was kept, for everybody: whole years, and nothing that tells of a single report.

Off unless `web.publish_report` says so. The figures stand in a table that the flow `report` writes once for
each year (models/published_years.py). What may be told is decided in models/accountability.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from flask import Blueprint, Response, abort, make_response, render_template
from flask_babel import format_decimal, gettext  # pyright: ignore[reportUnknownVariableType] - partly untyped
from markupsafe import Markup

from ..models.accountability import Figures, Published, Year
from ..models.calendar import Duration, Unit
from ..models.published_years import published_years
from .database import db
from .site import site

HOLDS_FOR = timedelta(hours=1)
ROW_HEIGHT = 64
MINUTES = {Unit.BUSINESS_HOURS: 60, Unit.BUSINESS_MINUTES: 1, Unit.BUSINESS_SECONDS: 1 / 60}

promise = Blueprint("promise", __name__)


@dataclass(frozen=True)
class Bar:
    """A year in the chart: per cent in time, at least and at most."""

    name: str
    top: int
    least: int
    most: int

    @property
    def is_range(self) -> bool:
        """Whether a part of it may be either."""
        return self.most > self.least


@promise.get("/promise")
def page() -> Response:
    """The page; the same 404 as for anything unknown while it is not published."""
    if not site().settings.web.publish_report:
        abort(404)
    published = published_years(db.session())
    years = [row.as_year() for row in published]
    answer = make_response(
        render_template(
            "promise.html",
            years=years,
            bars=bars_of(years),
            minimum=min((row.minimum for row in published), default=0),
            term=term_in_words(site().settings.clocks.response),
            share_minutes=site().settings.clocks.share_minutes,
            number=number_in_words,
            row=row_name,
            per_cent=per_cent_in_words,
            days=days_in_words,
            height=ROW_HEIGHT,
        )
    )
    answer.cache_control.public = True
    answer.cache_control.max_age = int(HOLDS_FOR.total_seconds())
    return answer


def bars_of(years: Sequence[Year]) -> list[Bar]:
    """The chart: a bar for each year of which it may be told, the latest on top."""
    told = [(year.whole.name, year.whole.share_in_time()) for year in years]
    shown = [(name, share) for name, share in told if share is not None]
    return [Bar(name, position * ROW_HEIGHT, *share) for position, (name, share) in enumerate(shown)]


def untold() -> Markup:
    """What stands where there is nothing to tell, or nothing that may be told."""
    return Markup('<span aria-hidden="true">-</span><span class="unseen">{}</span>').format(
        gettext("not told")
    )


def number_in_words(number: Published | None) -> str:
    """A count as it may be told."""
    if number is None:
        return untold()
    if number.is_exact:
        return format_decimal(number.high)
    if number.low == 1:
        return f"<{number.high + 1}"
    return gettext("%(low)s to %(high)s", low=number.low, high=number.high)


def per_cent_in_words(figures: Figures | Bar) -> str:
    """How many of a hundred were answered in time."""
    share = figures.share_in_time() if isinstance(figures, Figures) else (figures.least, figures.most)
    if share is None:
        return untold()
    least, most = share
    return f"{least}%" if least == most else gettext("%(low)s%% to %(high)s%%", low=least, high=most)


def row_name(year: Year, quarter: Figures | None = None) -> str:
    """What a row is called."""
    if quarter is None:
        return year.whole.name
    return gettext("%(year)s, quarter %(quarter)s", year=year.whole.name, quarter=quarter.name)


def days_in_words(days: float | None) -> str:
    """A duration in days."""
    return untold() if days is None else format_decimal(days)


def term_in_words(response: str) -> str:
    """The promised term."""
    duration = Duration.parse(response)
    if duration.unit is Unit.DAYS:
        return gettext("one day") if duration.amount == 1 else gettext("%(n)s days", n=duration.amount)
    if duration.unit is Unit.WORKING_DAYS:
        one = duration.amount == 1
        return gettext("one working day") if one else gettext("%(n)s working days", n=duration.amount)
    minutes = duration.amount * MINUTES[duration.unit]
    return gettext("%(n)s hours of working time", n=format_decimal(round(minutes / 60, 1)))
