"""What is promised: when clocks are due, when rungs fire, and who is told."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice, takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meldbalie.models.calendar import Duration
from meldbalie.models.clock_reading import read_clocks
from meldbalie.models.clock_rules import Happened
from meldbalie.models.clocks import ClockKind
from meldbalie.models.promise import Correspondent, RungPlan, Told
from meldbalie.tests.models.reports import (
    ARRIVED,
    CISO,
    DAY,
    DUE,
    FATIMA,
    HOUR,
    JEROEN,
    LEAD,
    ON_CALL,
    PROMISE,
)

RESPONSE, SHARE = ClockKind.RESPONSE, ClockKind.SHARE
OWNER = Correspondent("Web team", "web@voorbeeld.example")


def arrival(at: datetime) -> Happened:
    return Happened(at, "opened", {"arrived_at": at.isoformat()})


def first_rungs(ladder: tuple[RungPlan, ...], most: int) -> list[tuple[str, timedelta]]:
    promise = replace(PROMISE, ladder=ladder)
    return [(plan.name, at - ARRIVED) for plan, at in islice(promise.rungs(RESPONSE, ARRIVED, DUE), most)]


def test_an_arrival_starts_the_response_clock_and_the_share_clock() -> None:
    clocks = {reading.kind: reading for reading in read_clocks([arrival(ARRIVED)], PROMISE.plan())}

    assert (clocks[RESPONSE].started_at, clocks[RESPONSE].due_at) == (ARRIVED, DUE)
    assert (clocks[SHARE].started_at, clocks[SHARE].due_at) == (ARRIVED, ARRIVED + HOUR)


def test_five_days_end_at_the_same_wall_time_when_the_clocks_change_between() -> None:
    before = datetime(2026, 10, 22, 12, 0, tzinfo=UTC)  # 14:00 in summer time

    response = read_clocks([arrival(before)], PROMISE.plan())[0]

    assert response.due_at == datetime(2026, 10, 27, 13, 0, tzinfo=UTC)  # 14:00 in winter time


def test_after_the_ladder_a_rung_comes_every_day() -> None:
    assert first_rungs(PROMISE.ladder, 5) == [
        ("50%", 2.5 * DAY),
        ("80%", 4 * DAY),
        ("100%", 5 * DAY),
        ("100% + 1 day", 6 * DAY),
        ("100% + 2 days", 7 * DAY),
    ]


def test_a_ladder_may_be_written_in_any_order() -> None:
    assert first_rungs(PROMISE.ladder[::-1], 9) == first_rungs(PROMISE.ladder, 9)

    last = next(islice(replace(PROMISE, ladder=PROMISE.ladder[::-1]).rungs(RESPONSE, ARRIVED, DUE), 5, None))
    assert last[0].tell == ("ciso",)


def test_two_rungs_at_one_share_are_one_that_tells_both() -> None:
    promise = replace(PROMISE, ladder=(RungPlan(0.5, ("owner",)), RungPlan(0.5, ("lead",))))

    plan, _ = next(promise.rungs(RESPONSE, ARRIVED, DUE))

    assert (plan.name, plan.tell) == ("50%", ("owner", "lead"))


def test_rungs_that_are_near_each_other_have_names_of_their_own() -> None:
    names = [name for name, _ in first_rungs((RungPlan(0.801, ()), RungPlan(0.8014, ())), 3)]

    assert names == ["80.1%", "80.14%", "100%"]


@pytest.mark.parametrize("ladder", [(), (RungPlan(0.5, ("owner",)),), (RungPlan(2.0, ("ciso",)),)])
def test_every_ladder_has_a_rung_for_the_moment_that_the_clock_is_due(ladder: tuple[RungPlan, ...]) -> None:
    promise = replace(PROMISE, ladder=ladder)

    at_due = [plan for plan, at in islice(promise.rungs(RESPONSE, ARRIVED, DUE), 4) if at == DUE]

    assert [(plan.name, plan.tell) for plan in at_due] == [("100%", ("handlers",))]


def test_daily_rungs_wait_for_a_ladder_that_goes_beyond_the_due_instant() -> None:
    assert first_rungs((RungPlan(2.0, ("ciso",)),), 3) == [
        ("100%", 5 * DAY),
        ("200%", 10 * DAY),
        ("200% + 1 day", 11 * DAY),
    ]


@pytest.mark.parametrize("response", ["0d", "5wd", "1bs"])
def test_rungs_follow_each_other_whatever_the_response_clock_is(response: str) -> None:
    promise = replace(PROMISE, response=Duration.parse(response))
    clock = read_clocks([arrival(ARRIVED)], promise.plan())[0]

    instants = [at for _, at in islice(promise.rungs(RESPONSE, clock.started_at, clock.due_at), 20)]

    assert instants == sorted(instants)


def test_an_overdue_clock_costs_as_little_after_three_years_as_after_a_day() -> None:
    now = DUE + 3 * 365 * DAY + HOUR

    rungs = list(
        takewhile(lambda rung: rung[1] <= now, PROMISE.rungs(RESPONSE, ARRIVED, DUE, since=now - DAY))
    )

    assert len(rungs) < 8
    assert rungs[-1][0].name == "100% + 1095 days"


@given(st.timedeltas(timedelta(), timedelta(days=900)), st.timedeltas(timedelta(), timedelta(days=40)))
def test_what_is_left_out_of_an_old_clock_had_passed_before(since: timedelta, further: timedelta) -> None:
    begin, end = ARRIVED + since, ARRIVED + since + further

    def between(rungs: list[tuple[RungPlan, datetime]]) -> list[tuple[str, datetime]]:
        return [(plan.name, at) for plan, at in rungs if at >= begin]

    everything = list(takewhile(lambda rung: rung[1] <= end, PROMISE.rungs(RESPONSE, ARRIVED, DUE)))
    late = list(takewhile(lambda rung: rung[1] <= end, PROMISE.rungs(RESPONSE, ARRIVED, DUE, since=begin)))

    assert between(late) == between(everything)


def test_a_rung_tells_the_roles_that_it_names() -> None:
    assert PROMISE.told_by(RungPlan(0.5, ("owner",)), OWNER) == [Told("owner", OWNER)]
    assert PROMISE.told_by(RungPlan(0.8, ("lead", "on_call")), OWNER) == [
        Told("staff", LEAD),
        Told("staff", ON_CALL, is_on_call=True),
    ]
    assert PROMISE.told_by(RungPlan(1, ("handlers",)), None) == [Told("staff", FATIMA), Told("staff", JEROEN)]


def test_the_triage_team_is_told_where_nobody_has_the_role() -> None:
    triage = [Told("staff", FATIMA), Told("staff", JEROEN)]

    assert PROMISE.told_by(RungPlan(0.5, ("owner",)), None) == triage
    assert PROMISE.told_by(RungPlan(0.5, ()), OWNER) == triage


def test_whoever_has_two_roles_is_told_once() -> None:
    same = replace(PROMISE, lead=CISO, on_call=Correspondent("Piket", CISO.address.upper()))

    assert same.told_by(RungPlan(1, ("ciso", "lead", "on_call")), None) == [
        Told("staff", CISO, is_on_call=True)
    ]


def test_two_of_the_triage_team_with_one_address_get_one_mail() -> None:
    shared = replace(
        PROMISE, triage=(FATIMA, Correspondent("Fatima again", "FATIMA@voorbeeld.example"), JEROEN)
    )

    assert shared.triage == (FATIMA, JEROEN)


def test_a_day_is_the_organisations_day_not_that_of_utc() -> None:
    assert PROMISE.local_day(datetime(2026, 11, 20, 22, 59, tzinfo=UTC)) == date(2026, 11, 20)
    assert PROMISE.local_day(datetime(2026, 11, 20, 23, 0, tzinfo=UTC)) == date(2026, 11, 21)
