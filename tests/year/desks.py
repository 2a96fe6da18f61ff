"""The desk of the simulated year: who stands on its ladders, what it promises, and when that changes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any

from meldbalie.flows.installation import promise
from meldbalie.models.people import Correspondent
from meldbalie.models.promise import Promise
from meldbalie.models.rota import OnDuty, Rota
from meldbalie.settings import Settings

BEGIN = datetime(2025, 12, 31, 23, 0, tzinfo=UTC)
END = datetime(2026, 12, 31, 23, 0, tzinfo=UTC)
SWEEP = timedelta(minutes=5)

DOMAIN = "voorbeeld.example"
#: Owners of systems, each with the host that they answer for.
OWNERS = {f"Team {name}": f"{name}.{DOMAIN}" for name in ("web", "net", "zorg", "belasting")}


def address_of(name: str) -> str:
    """Where somebody of the desk is reached."""
    return f"{name.lower().replace(' ', '.')}@{DOMAIN}"


def _person(name: str) -> dict[str, str]:
    return {"name": name, "address": address_of(name)}


_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri")
_HOURS = {day: [["09:00", "12:30"], ["13:00", "17:00"]] for day in _WEEKDAYS}
_LONGER = {day: [["08:30", "17:30"]] for day in _WEEKDAYS[:4]} | {"fri": [["08:30", "12:00"]]}
_RESPONSE = [
    {"share": 0.5, "tell": ["owner"], "acknowledge_minutes": 240},
    {"share": 0.8, "tell": ["lead", "on_call"], "acknowledge_minutes": 60, "words": "escalation"},
    {"share": 1.0, "tell": ["ciso"], "words": "breach"},
]
_LAWS = [
    {"name": "early_warning", "hours": 24, "stops_on": "authority_warned"},
    {"name": "notification", "hours": 72, "stops_on": "authority_notified"},
]
_LADDERS = {
    "update": [{"share": 0.8, "tell": ["owner", "handlers"]}, {"share": 1.0, "tell": ["lead"]}],
    "fix": [
        {"offset_hours": -72, "tell": ["owner"], "acknowledge_minutes": 600},
        {"share": 1.0, "tell": ["owner", "handlers", "lead"]},
        {"offset_hours": 36, "tell": ["ciso"]},
    ],
    "early_warning": [{"share": 0.5, "tell": ["lead", "ciso"], "at_any_hour": True}],
}


@cache
def settings_of(number: int, response: str) -> Settings:
    """The settings: those of January, or the later ones with other hours and durations."""
    later: dict[str, Any] = {"response": response, "update": "6wd"} if number else {"response": response}
    return Settings(
        organisation={"zone": "Europe/Amsterdam", "address": address_of("cvd")},
        ibd={"address": "cert@ibd.example"},
        triage=[_person("Fatima")],
        lead=_person("Lead"),
        on_call=_person("Reserve"),
        ciso=_person("CISO"),
        working_time={"hours": _LONGER if number else _HOURS, "good_friday": bool(number)},
        clocks={"ladder": _RESPONSE, "ladders": _LADDERS, "statutory": _LAWS} | later,
    )


def promise_of(config: Settings) -> Promise:
    """What these settings promise, with the rota of the year."""
    return replace(promise(config), rota=rota())


def rota() -> Rota:
    """Two people take turns, a week each; every fifth week nobody does."""
    weeks = [BEGIN + timedelta(weeks=number) for number in range(54)]
    people = [Correspondent(name, address_of(name)) for name in ("Piet", "Ria")]
    return Rota(
        tuple(
            OnDuty(begins, ends, people[number % 2])
            for number, (begins, ends) in enumerate(pairwise(weeks))
            if number % 5 != 4
        )
    )
