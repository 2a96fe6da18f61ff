"""Whole clocks read off histories, case by worked case: `clock_cases.toml` says why each is as it is."""

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from meldbalie.models.calendar import Duration
from meldbalie.models.clock_reading import Reading, read_clocks
from meldbalie.models.clock_rules import RULES, Happened, Plan, Statutory
from meldbalie.models.due import calendar_from

TABLE = tomllib.loads(Path(__file__).with_name("clock_cases.toml").read_text("utf-8"))
CASES: list[dict[str, str]] = TABLE["case"]
LAWS = (
    Statutory("early_warning", 24, starts_on="exploited", stops_on="authority_warned"),
    Statutory("notification", 72, starts_on="exploited", stops_on="authority_notified"),
)


def plan_named(name: str) -> Plan:
    """A plan of the table, with an hour to share and two clocks of a law."""
    told = TABLE["plans"][name]
    return Plan(
        response=Duration.parse(told["response"]),
        share=timedelta(minutes=60),
        update=Duration.parse(told["update"]),
        calendar=calendar_from(told.get("calendar", {})),
        statutory=LAWS,
    )


def event_in(line: str) -> Happened:
    """An event as a line tells it: instant, kind, facts."""
    at, kind, *pairs = line.split()
    texts = (pair.split("=", 1) for pair in pairs)
    facts = {name: _fact(name, text) for name, text in texts}
    return Happened(datetime.fromisoformat(at).astimezone(UTC), kind, facts)


def _fact(name: str, text: str) -> Any:
    return {"number": int, "closing": bool}.get(name, str)(text)


def clocks_in(case: dict[str, str]) -> dict[str, dict[str, Any] | None]:
    """The clocks that a case names, each as it should be read, or `None`."""
    lines = (line.split() for line in case["clocks"].strip().splitlines())
    return {name: None if told == ["none"] else _clock(told) for name, *told in lines}


def _clock(told: list[str]) -> dict[str, Any]:
    texts = dict(pair.split("=", 1) for pair in told)
    instants = {name: datetime.fromisoformat(text) for name, text in texts.items() if name != "round"}
    return {"stopped": None, "paused": None, "round": int(texts.get("round", "1"))} | instants


def shown(reading: Reading | None, wanted: dict[str, Any] | None) -> dict[str, Any] | None:
    """What of a reading a case looks at."""
    if reading is None:
        return None
    told = {
        "round": reading.round,
        "started": reading.started_at,
        "due": reading.due_at,
        "stopped": reading.stopped_at,
        "paused": reading.paused_since,
    }
    return {name: one for name, one in told.items() if wanted is None or name in wanted}


def read(case: dict[str, str]) -> dict[str, Reading]:
    """The clocks of a case's history, as they are read."""
    history = [event_in(line) for line in case["events"].strip().splitlines()]
    plan = plan_named(case.get("plan", "policy"))
    return {str(reading.kind): reading for reading in read_clocks(history, plan)}


def marked(case: dict[str, str]) -> Any:
    """A case; one that is known to fail carries why, and no longer may once it does not."""
    marks = [pytest.mark.xfail(strict=True, reason=case["fails"])] if "fails" in case else []
    return pytest.param(case, id=case["why"], marks=marks)


@pytest.mark.parametrize("case", [marked(case) for case in CASES])
def test_a_worked_history_gives_the_clocks_as_worked(case: dict[str, str]) -> None:
    readings, wanted = read(case), clocks_in(case)

    assert {name: shown(readings.get(name), wanted[name]) for name in wanted} == wanted, case["why"]


@pytest.mark.parametrize("case", [marked(case) for case in CASES if "fails" not in case])
def test_a_worked_history_is_told_step_by_step(case: dict[str, str]) -> None:
    for reading in read(case).values():
        told = [(step.at, step.told) for step in reading.steps]
        assert (reading.started_at, "starts") in [(at, words.split(":")[0]) for at, words in told]
        assert [at for at, _ in told] == sorted(at for at, _ in told)
        if reading.stopped_at:
            assert any(at == reading.stopped_at and words.startswith("stops: ") for at, words in told)


def test_every_case_says_why_and_no_two_say_the_same() -> None:
    whys = [case["why"] for case in CASES]

    assert len(whys) >= 100
    assert len(set(whys)) == len(whys)


def test_every_row_of_the_table_of_rules_has_a_case() -> None:
    events = [event_in(line) for case in CASES for line in case["events"].strip().splitlines()]

    for rules in RULES.values():
        for rule in rules:
            assert any(rule.applies(event) for event in events), rule
