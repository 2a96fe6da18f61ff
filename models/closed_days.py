"""The public holidays of the Netherlands as closed days, year by year and without horizon.

The dates come from the `holidays` library: Easter and what follows it, King's Day (on the Saturday
when 27 April is a Sunday) and Christmas. Two days that organisations differ on are settings: Good
Friday, which is no day off for most employers, and Liberation Day, which many collective agreements
give once in five years.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from holidays.countries.netherlands import Netherlands

if TYPE_CHECKING:
    from datetime import date

LiberationDay = bool | Literal["lustrum"]
GOOD_FRIDAY = "Goede vrijdag"
LIBERATION_DAY = "Bevrijdingsdag"


class _WithoutHorizon(Netherlands):
    # The library stops at 2100 without a word; its rules go on.
    end_year = 9999


@dataclass(frozen=True)
class DutchClosedDays:
    """The closed days of the Dutch public holidays in any year; a `closed_in` for a `Calendar`.

    `liberation_day` is True for every 5 May, "lustrum" for those of 2025, 2030, … and False for
    none. The years before 1966 have no closed days, because the law that names them begins there.
    Source: Algemene termijnenwet, article 3.
    """

    good_friday: bool = False
    liberation_day: LiberationDay = False

    def __call__(self, year: int) -> frozenset[date]:
        """Give the closed days of one year."""
        return dutch_closed_days(year, self.good_friday, self.liberation_day)


@lru_cache(maxsize=256)
def dutch_closed_days(
    year: int, good_friday: bool = False, liberation_day: LiberationDay = False
) -> frozenset[date]:
    """Give the Dutch public holidays of one year as local dates."""
    return frozenset(day for day, _ in named_closed_days(year, good_friday, liberation_day))


def named_closed_days(
    year: int, good_friday: bool = False, liberation_day: LiberationDay = False
) -> list[tuple[date, str]]:
    """Give the same days with their Dutch names, in order."""
    not_closed = set[str]()
    if not good_friday:
        not_closed.add(GOOD_FRIDAY)
    if not liberation_day or (liberation_day == "lustrum" and year % 5):
        not_closed.add(LIBERATION_DAY)
    found = _WithoutHorizon(years=year, categories=("public", "optional"), language="nl")
    # In 2016 Ascension Day fell on 5 May: one date may carry two names.
    closed = {day: [name for name in found.get_list(day) if name not in not_closed] for day in found}
    return [(day, ", ".join(names)) for day, names in sorted(closed.items()) if names]
