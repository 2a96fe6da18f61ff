"""What a handler filled in, read as an order; what cannot be read is refused without being said back."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from ..models.errors import Refused
from .acting import Order

NOT_THE_CARDS = "the field 'Events on the card' does not say what the card showed: leave it as it is"
#: Fields that say a day and a time; a number would be read as seconds, and a day alone as its midnight.
MOMENTS = ("embargo_ends_at", "happened_at")
DAY_FIRST = re.compile(r"(\d{1,2})-(\d{1,2})-(\d{4})(?=[ T])")
A_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?")


def as_order(given: Mapping[str, Any]) -> Order:
    """The order that the fields of a form make; raises :class:`Refused`."""
    moments = {name: _year_first(str(given[name]).strip()) for name in MOMENTS if name in given}
    for name, written in moments.items():
        if not A_MOMENT.fullmatch(written):
            raise Refused(f"{name.replace('_', ' ')}: write a day and a time, such as 2026-12-01 17:00")
    try:
        return Order.model_validate({**given, **moments})
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}"
            for one in error.errors(include_input=False, include_url=False, include_context=False)
        )
        raise Refused(f"the form cannot be read: {wrong}") from None


def _year_first(written: str) -> str:
    """A moment with its day as computers write it, where it is written as in Dutch: ``31-12-2026 17:00``."""
    day = DAY_FIRST.match(written)
    return f"{day[3]}-{int(day[2]):02}-{int(day[1]):02}{written[day.end() :]}" if day else written


def seen_in(given: Mapping[str, Any]) -> int | None:
    """How much of the history the card showed."""
    seen = given.get("seen")
    if seen is None or isinstance(seen, int):
        return seen
    raise Refused(NOT_THE_CARDS)


def digest(given: Mapping[str, Any]) -> str | None:
    """What tells a form that is submitted twice: the same words over the same history."""
    if "seen" not in given:
        return None
    return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()
