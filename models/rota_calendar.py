"""The on-call rota in a calendar (iCalendar): every event is a shift, with what recurs and what is excepted.

Rules are looked at before anything is worked out: one that recurs by the second, or never goes on, would
keep the libraries busy for ever.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from typing import Any, cast
from zoneinfo import ZoneInfo

from icalendar import Calendar
from icalendar.parser import Contentlines
from recurring_ical_events import of as recurring

from .rota import MOST_SHIFTS, KnownPeople, OnDuty, Rota, RotaRefused, WrongShift, instant_of

RULES = ("RRULE", "EXRULE")
TOO_OFTEN = ("SECONDLY", "MINUTELY")


def read_calendar(raw: bytes, zone: str, people: KnownPeople, *, begin: datetime, end: datetime) -> Rota:
    """The shifts between two instants that an iCalendar file says, with what recurs in it.

    Raises :class:`RotaRefused` that names each wrong event.
    """
    if wrong := [f"the rule {rule!r} {why}" for rule in _rules(raw) if (why := _trouble(rule))]:
        raise RotaRefused(wrong)
    try:
        calendar = Calendar.from_ical(raw)
    except (ValueError, IndexError, KeyError, OverflowError) as error:
        raise RotaRefused([f"this is no calendar ({error}): export it anew as iCalendar (.ics)"]) from None
    local = ZoneInfo(zone)
    shifts: list[OnDuty] = []
    problems: dict[str, None] = {}
    for event in _events(calendar, begin.astimezone(local), end.astimezone(local)):
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            continue
        try:
            shifts.append(_shift_of_event(event, local, people))
        except WrongShift as wrong:
            problems[f"event {_called(event)}: {wrong}"] = None
    if problems:
        raise RotaRefused(list(problems))
    return Rota(tuple(shifts))


def _rules(raw: bytes) -> Iterator[str]:
    """Every rule of recurrence, those of zones too, which are worked out as soon as a calendar is read."""
    for line in cast(Any, Contentlines).from_ical(raw):
        if line.upper().startswith(RULES):
            yield line.partition(":")[2].strip()


def _trouble(rule: str) -> str:
    """Why a rule cannot be worked out, and the way out; empty for one that can."""
    parts = {name.strip(): value.strip() for name, _, value in map(_halves, rule.upper().split(";"))}
    every = parts.get("INTERVAL", "1")
    if not every.isdecimal() or int(every) < 1:
        return f"recurs every {every}: give an INTERVAL of 1 or more, or none"
    if parts.get("FREQ") in TOO_OFTEN or any("," in parts.get(name, "") for name in ("BYMINUTE", "BYSECOND")):
        return "recurs by the minute or the second: a shift recurs by the hour at most; correct it"
    return ""


def _halves(part: str) -> tuple[str, str, str]:
    return part.partition("=")


def _events(calendar: Any, begin: datetime, end: datetime) -> Iterator[Any]:
    for event in calendar.walk("VEVENT"):
        if event.get("DTSTART") is None:
            raise RotaRefused([f"event {_called(event)}: it has no beginning: give it one, or remove it"])
    try:
        events = recurring(calendar).between(begin, end)
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise RotaRefused([f"a recurrence cannot be worked out ({error}): correct the rule"]) from None
    except OverflowError:
        raise RotaRefused(
            ["an event begins or ends too far away: correct its days or its duration"]
        ) from None
    if len(events) > MOST_SHIFTS:
        raise RotaRefused(
            [f"{len(events)} shifts in two months: give {MOST_SHIFTS} at most, with rules that recur less"]
        )
    yield from events


def _shift_of_event(event: Any, zone: ZoneInfo, people: KnownPeople) -> OnDuty:
    begins, ends = (_moment(at, zone) for at in (event.start, event.end))
    if ends <= begins:
        raise WrongShift(f"it ends at {event.end} and begins at {event.start}: correct one of them")
    addresses = [_bare(one) for name in ("ATTENDEE", "ORGANIZER") for one in _each(event.get(name))]
    known = next((people.by_address[one] for one in addresses if one in people.by_address), None)
    known = known or people.by_name.get(str(event.get("SUMMARY", "")).strip().casefold())
    if known is None:
        named = ", ".join([*addresses, repr(str(event.get("SUMMARY", "")))])
        raise WrongShift(f"{named} is nobody of the settings: correct it, or add them to rota.people")
    return OnDuty(begins, ends, known)


def _moment(value: date | datetime, zone: ZoneInfo) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.combine(value, time.min)
    return instant_of(moment, zone, written=str(value))


def _each(value: Any) -> Iterable[Any]:
    """What an event has of a property: nothing, one, or several."""
    if value is None:
        return ()
    return cast(list[Any], value) if isinstance(value, list) else (value,)


def _bare(address: Any) -> str:
    return str(address).lower().removeprefix("mailto:").strip()


def _called(event: Any) -> str:
    """How an event is found again in the calendar that it came from."""
    start = event.get("DTSTART")
    return f"{str(event.get('SUMMARY', event.get('UID', '')))!r} of {start.dt if start else 'no day'}"
