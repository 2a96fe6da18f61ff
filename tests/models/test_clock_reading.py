"""Clocks read from histories: what starts, stops, restarts and pauses each, and why."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from meldbalie.models.calendar import Calendar, Duration, Unit, put_off
from meldbalie.models.clock_reading import Reading, end_of_day, read_clocks
from meldbalie.models.clock_rules import FIX, PAUSED, RESPONSE, SHARE, UPDATE, Happened, Plan, Statutory

ARRIVED = datetime(2026, 11, 19, 13, 5, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
EARLY_WARNING = Statutory("early_warning", 24, starts_on="exploited", stops_on="authority_warned")
PLAN = Plan(
    response=Duration.parse("5d"),
    share=HOUR,
    update=Duration.parse("14d"),
    calendar=Calendar(),
    statutory=(EARLY_WARNING,),
)


def at(hours: float, kind: str, **facts: Any) -> Happened:
    """An event so many hours after the arrival."""
    return Happened(ARRIVED + hours * HOUR, kind, facts)


OPENED = at(0.1, "opened", arrived_at=ARRIVED.isoformat())
RECEIPT = at(0.2, "delivered", mail="receipt", party="reporter", number=1)
COPY = at(0.3, "delivered", mail="ibd_copy", party="ibd", number=2)


def answered(hours: float, *, number: int = 7, fix_on: str = "2026-12-15") -> Happened:
    return at(hours, "delivered", mail="answer", party="reporter", number=number, fix_on=fix_on)


def read(*events: Happened, plan: Plan = PLAN) -> dict[str, Reading]:
    return {reading.kind: reading for reading in read_clocks(events, plan)}


def test_the_response_clock_runs_from_the_arrival_and_not_from_our_receipt():
    clock = read(OPENED, RECEIPT)[RESPONSE]

    assert clock.started_at == ARRIVED
    assert clock.due_at == datetime(2026, 11, 24, 13, 5, tzinfo=UTC)
    assert clock.stopped_at is None


@pytest.mark.parametrize(
    "event",
    [
        RECEIPT,
        at(3, "message", by="from_reporter"),
        at(3, "answered", fix_on="2026-12-15"),
        at(3, "delivered", mail="answer", party="owner", number=9),
        at(3, "delivered", mail="state_changed", party="reporter", number=9),
        at(3, "moved", **{"from": "RECEIVED", "to": "VALID"}),
        at(3, "waiting", on="reporter"),
        at(3, "milestone", what="fix_deployed"),
    ],
    ids=lambda event: f"{event.kind} {event.facts}",
)
def test_what_never_touches_the_response_clock(event: Happened):
    before, after = read(OPENED)[RESPONSE], read(OPENED, event, at(4, "waiting", on="handler"))[RESPONSE]

    assert after == before


@pytest.mark.parametrize(
    "event",
    [
        answered(30),
        at(30, "delivered", mail="state_changed", party="reporter", number=9, closing=True),
        at(30, "published", what="answer", fix_on=""),
        at(30, "published", what="closing"),
        at(30, "clock_stopped", clock="response"),
    ],
    ids=lambda event: f"{event.kind} {event.facts}",
)
def test_what_stops_the_response_clock(event: Happened):
    assert read(OPENED, event, answered(50, number=8))[RESPONSE].stopped_at == ARRIVED + 30 * HOUR


def test_an_answer_that_came_back_lets_the_clock_run_on():
    history = [OPENED, answered(30), at(31, "bounced", party="reporter", number=7)]

    clock = read(*history)[RESPONSE]

    assert clock.stopped_at is None
    assert "does not count: that mail came back" in [step.told for step in clock.steps]
    assert read(*history, answered(40))[RESPONSE].stopped_at == ARRIVED + 40 * HOUR


def test_one_of_two_answers_that_came_back_leaves_the_other():
    history = [OPENED, answered(30), answered(40, number=8), at(41, "bounced", party="reporter", number=7)]

    assert read(*history)[RESPONSE].stopped_at == ARRIVED + 40 * HOUR


def test_a_bounce_of_the_first_version_took_its_answer_back():
    unnumbered = at(30, "delivered", mail="answer", party="reporter")
    history = [OPENED, unnumbered, at(30, "clock_stopped", clock="response")]

    assert read(*history)[RESPONSE].stopped_at == ARRIVED + 30 * HOUR
    assert read(*history, at(31, "clock_resumed", clock="response"))[RESPONSE].stopped_at is None


def test_the_share_clock_stops_when_the_ibd_has_its_copy_or_it_is_spam():
    assert read(OPENED)[SHARE].due_at == ARRIVED + HOUR
    assert read(OPENED, COPY)[SHARE].stopped_at == COPY.at
    assert read(OPENED, at(2, "called_spam"))[SHARE].stopped_at == ARRIVED + 2 * HOUR
    assert read(OPENED, COPY, at(2, "bounced", number=2))[SHARE].stopped_at is None


def test_the_update_clock_starts_anew_with_each_message_to_the_reporter():
    clock = read(OPENED, RECEIPT, answered(30))[UPDATE]

    assert (clock.round, clock.started_at) == (3, ARRIVED + 30 * HOUR)
    assert clock.due_at == ARRIVED + 30 * HOUR + 14 * DAY


def test_nothing_starts_update_or_fix_after_the_closing():
    closing = at(51, "delivered", mail="state_changed", party="reporter", number=9, closing=True)
    clocks = read(OPENED, answered(30), at(50, "moved", to="CLOSED"), closing, answered(60, number=10))

    assert clocks[UPDATE].stopped_at == clocks[FIX].stopped_at == ARRIVED + 50 * HOUR


def test_the_fix_clock_is_due_when_the_promised_day_has_passed():
    clock = read(OPENED, answered(30))[FIX]

    assert clock.due_at == datetime(2026, 12, 15, 23, 0, tzinfo=UTC)


def test_no_fix_clock_runs_without_a_promised_day():
    assert FIX not in read(OPENED, answered(30, fix_on=""))


def test_a_promise_that_is_taken_back_stops_and_a_new_one_starts_anew():
    history = [OPENED, answered(30), answered(60, number=8, fix_on="")]

    assert read(*history)[FIX].stopped_at == ARRIVED + 60 * HOUR
    renewed = read(*history, answered(70, number=9, fix_on="2027-01-10"))[FIX]
    assert (renewed.round, renewed.stopped_at) == (2, None)
    assert renewed.due_at == datetime(2027, 1, 10, 23, 0, tzinfo=UTC)


def test_a_deployed_fix_stops_the_fix_clock_at_the_time_that_it_names():
    deployed = at(99, "milestone", what="fix_deployed", happened_at="2026-12-01T09:30:00+01:00")

    assert read(OPENED, answered(30), deployed)[FIX].stopped_at == datetime(2026, 12, 1, 8, 30, tzinfo=UTC)


def test_waiting_for_the_reporter_moves_update_and_fix_by_as_long_as_it_lasted():
    waits = [at(40, "waiting", on="reporter"), at(64, "waiting", on="handler")]
    before, after = read(OPENED, answered(30)), read(OPENED, answered(30), *waits)

    assert after[UPDATE].due_at - before[UPDATE].due_at == 24 * HOUR
    assert after[FIX].due_at - before[FIX].due_at == 24 * HOUR
    assert after[RESPONSE] == before[RESPONSE]


def test_a_clock_that_stands_still_says_since_when():
    clocks = read(OPENED, answered(30), at(40, "waiting", on="supplier"), at(50, "waiting", on="reporter"))

    assert clocks[FIX].paused_since == clocks[UPDATE].paused_since == ARRIVED + 40 * HOUR
    assert clocks[RESPONSE].paused_since is None


def test_a_statutory_clock_runs_from_its_milestone():
    exploited = at(50, "milestone", what="exploited", happened_at="2026-11-20T10:00:00Z")
    clock = read(OPENED, exploited)["early_warning"]

    assert clock.due_at == datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
    assert "early_warning" not in read(OPENED)
    warned = read(OPENED, exploited, at(55, "milestone", what="authority_warned"))["early_warning"]
    assert warned.stopped_at == ARRIVED + 55 * HOUR
    withdrawn = at(55, "milestone_withdrawn", what="exploited")
    assert "early_warning" not in read(OPENED, exploited, withdrawn)
    again = read(OPENED, exploited, withdrawn, at(60, "milestone", what="exploited"))["early_warning"]
    assert (again.round, again.started_at, again.stopped_at) == (2, ARRIVED + 60 * HOUR, None)


def test_a_reading_says_why():
    told = [step.told for step in read(OPENED, RECEIPT, answered(30))[RESPONSE].steps]

    assert told == ["starts: the report arrived", "stops: the answer reached the reporter"]


@pytest.mark.parametrize(
    ("day", "zone", "end"),
    [
        ("2026-03-29", "Europe/Amsterdam", "2026-03-29T22:00:00+00:00"),  # 23 hours long
        ("2026-10-25", "Europe/Amsterdam", "2026-10-25T23:00:00+00:00"),  # 25 hours long
        ("2018-11-03", "America/Sao_Paulo", "2018-11-04T03:00:00+00:00"),  # midnight does not exist
    ],
)
def test_the_end_of_a_day_where_the_clocks_change(day: str, zone: str, end: str):
    assert end_of_day(date.fromisoformat(day), Calendar(zone=zone)) == datetime.fromisoformat(end)


def test_a_pause_before_the_start_does_not_put_off():
    pause = (ARRIVED - 2 * DAY, ARRIVED - DAY)

    assert put_off(ARRIVED, ARRIVED + DAY, [pause]) == ARRIVED + DAY
    assert put_off(ARRIVED, ARRIVED + DAY, [(ARRIVED - DAY, ARRIVED + HOUR)]) == ARRIVED + DAY + HOUR


EVENTS = st.sampled_from(
    [
        ("delivered", {"mail": "answer", "party": "reporter", "number": 1, "fix_on": "2026-12-15"}),
        ("delivered", {"mail": "answer", "party": "reporter", "number": 2, "fix_on": ""}),
        ("delivered", {"mail": "receipt", "party": "reporter", "number": 3}),
        ("delivered", {"mail": "ibd_copy", "party": "ibd", "number": 4}),
        ("bounced", {"number": 1}),
        ("bounced", {"number": 4}),
        ("waiting", {"on": "reporter"}),
        ("waiting", {"on": "handler"}),
        ("moved", {"to": "CLOSED"}),
        ("milestone", {"what": "fix_deployed"}),
        ("milestone", {"what": "exploited"}),
        ("message", {}),
    ]
)
HISTORIES = (
    st.lists(st.tuples(st.integers(1, 500), EVENTS), max_size=12)
    .map(
        lambda drawn: [OPENED, *(at(hours, kind, **facts) for hours, (kind, facts) in sorted(drawn, key=str))]
    )
    .map(lambda events: sorted(events, key=lambda event: event.at))
)


@given(HISTORIES)
def test_reading_again_reads_the_same(history: list[Happened]):
    assert read_clocks(history, PLAN) == read_clocks(list(history), PLAN)


@given(HISTORIES)
def test_what_a_clock_ignores_does_not_change_it(history: list[Happened]):
    noisy = [one for event in history for one in (event, Happened(event.at, "escalated", {"clock": "fix"}))]

    assert read_clocks(noisy, PLAN) == read_clocks(history, PLAN)


@given(HISTORIES)
def test_the_response_clock_is_due_at_the_same_instant_whatever_happens(history: list[Happened]):
    clocks = read(*history)

    assert clocks[RESPONSE].due_at == ARRIVED + 5 * DAY
    assert clocks[RESPONSE].round == clocks[SHARE].round == 1
    assert all(clock.due_at >= clock.started_at for clock in clocks.values() if clock.kind != FIX)


def test_an_answer_that_the_first_version_sent_and_that_comes_back_now_was_none():
    unnumbered = at(30, "delivered", mail="answer", party="reporter")
    noted = at(30, "clock_stopped", clock="response")
    sent_at = unnumbered.at.isoformat()
    came_back = at(31, "bounced", party="reporter", number=7, mail="answer", sent_at=sent_at)
    another = at(31, "bounced", party="reporter", number=6, mail="receipt", sent_at=OPENED.at.isoformat())

    assert read(OPENED, unnumbered, noted, came_back)[RESPONSE].stopped_at is None
    assert read(OPENED, unnumbered, noted, another)[RESPONSE].stopped_at == ARRIVED + 30 * HOUR


def test_a_round_is_never_that_of_a_message_that_came_back():
    history = [OPENED, answered(30), at(31, "bounced", party="reporter", number=7)]

    assert read(*history)[UPDATE].round == 1
    assert read(*history, answered(40, number=8))[UPDATE].round == 3
    assert FIX not in read(*history)
    assert read(*history, answered(40, number=8))[FIX].round == 2


def test_a_milestone_that_was_withdrawn_stops_nothing():
    deployed = at(50, "milestone", what="fix_deployed")
    withdrawn = at(51, "milestone_withdrawn", what="fix_deployed")

    assert read(OPENED, answered(30), deployed, withdrawn)[FIX].stopped_at is None
    again = read(OPENED, answered(30), deployed, withdrawn, at(60, "milestone", what="fix_deployed"))[FIX]
    assert again.stopped_at == ARRIVED + 60 * HOUR


# Laws of readings: any plan, any zone, histories around the changes of the clocks.

laws = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
FIRST_DAYS = [datetime(2026, 3, 24, tzinfo=UTC), datetime(2026, 10, 20, tzinfo=UTC), ARRIVED]
OF_ANY_KIND = st.sampled_from(
    [
        ("delivered", {"mail": "answer", "party": "reporter", "number": 1, "fix_on": "2026-12-15"}),
        ("delivered", {"mail": "answer", "party": "reporter", "number": 2, "fix_on": "2026-04-10"}),
        ("delivered", {"mail": "answer", "party": "reporter", "number": 3, "fix_on": ""}),
        ("delivered", {"mail": "state_changed", "party": "reporter", "number": 4, "closing": True}),
        ("delivered", {"mail": "ibd_copy", "party": "ibd", "number": 5}),
        ("published", {"what": "answer", "fix_on": "2026-11-29"}),
        ("published", {"what": "state"}),
        ("waiting", {"on": "reporter"}),
        ("waiting", {"on": "supplier"}),
        ("waiting", {"on": "handler"}),
        ("called_spam", {}),
        ("moved", {"from": "ACCEPTED", "to": "CLOSED"}),
        ("milestone", {"what": "fix_deployed", "happened_at": "2026-10-26T08:00:00+00:00"}),
        ("milestone", {"what": "exploited", "happened_at": "2026-03-28T12:00:00+00:00"}),
        ("milestone", {"what": "authority_warned"}),
        ("clock_stopped", {"clock": "response"}),
    ]
)
THAT_TAKE_BACK = st.sampled_from(
    [
        *(("bounced", {"party": "reporter", "number": number}) for number in (1, 2, 3, 4)),
        ("bounced", {"party": "ibd", "number": 5}),
        ("milestone_withdrawn", {"what": "fix_deployed"}),
        ("milestone_withdrawn", {"what": "exploited"}),
        ("milestone_withdrawn", {"what": "authority_warned"}),
        ("clock_resumed", {"clock": "response"}),
    ]
)
WAITS = st.sampled_from([("waiting", {"on": whom}) for whom in ("reporter", "supplier", "handler", "owner")])
IRRELEVANT = st.sampled_from(
    [
        ("message", {"by": "from_reporter"}),
        ("delivered", {"mail": "owner_report", "party": "owner", "number": 90}),
        ("delivered", {"mail": "answer", "party": "owner", "number": 91, "fix_on": "2026-12-24"}),
        ("undelivered", {"mail": "answer", "problem": "refused"}),
        ("bounced", {"party": "owner", "number": 90}),
        ("bounced", {"party": "reporter"}),
        ("escalated", {"clock": "response", "rung": "breach", "breached": True}),
        ("acknowledged", {"clock": "response", "rung": "half"}),
        ("clock_stands", {"clock": "response", "in_time": True}),
        ("clock_runs_on", {"clock": "response"}),
        ("clock_moved", {"clock": "update", "from": "2026-12-01", "to": "2026-12-02"}),
        ("moved", {"from": "RECEIVED", "to": "VALID"}),
        ("milestone", {"what": "public"}),
        ("milestone_withdrawn", {"what": "public"}),
        ("released", {"mail": "ibd_copy"}),
        ("assigned", {"from": "one", "to": "other"}),
    ]
)


@st.composite
def openings_of_a_week(draw: st.DrawFn) -> dict[str, list[list[str]]]:
    week = {"mon": [["00:00", "24:00"]]}
    for name in ("tue", "wed", "thu", "fri", "sat", "sun"):
        bounds = sorted(draw(st.sets(st.integers(0, 24), max_size=4)))
        pairs = zip(bounds[::2], bounds[1::2], strict=False)
        week[name] = [[f"{opening:02}:00", f"{closing:02}:00"] for opening, closing in pairs]
    return week


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    zones = ["Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "America/Havana", "UTC"]
    durations = st.builds("{}{}".format, st.integers(1, 20), st.sampled_from(["d", "wd", "bh"]))
    week = {"zone": draw(st.sampled_from(zones)), "hours": draw(openings_of_a_week())}
    return Plan(
        response=Duration.parse(draw(durations)),
        share=HOUR,
        update=Duration.parse(draw(durations)),
        calendar=Calendar.from_mapping(week),
        statutory=(EARLY_WARNING,),
    )


@st.composite
def lives(draw: st.DrawFn, after: st.SearchStrategy[Any] = OF_ANY_KIND | THAT_TAKE_BACK) -> list[Happened]:
    """A history: an arrival and what came after it, with whole hours between, some at the same instant."""
    # 121 hours on, Amsterdam changes its clocks half an hour after the arrival.
    now = draw(st.sampled_from(FIRST_DAYS)) + draw(st.integers(0, 150) | st.just(121)) * HOUR
    history = [Happened(now, "opened", {"arrived_at": (now - HOUR / 2).isoformat()})]
    for hours, (kind, facts) in draw(st.lists(st.tuples(st.integers(0, 120), after), max_size=10)):
        now += hours * HOUR
        history.append(Happened(now, kind, _not_to_come(facts, now)))
    return history


def _not_to_come(facts: Mapping[str, Any], now: datetime) -> Mapping[str, Any]:
    """A milestone is noted when it has happened, or later."""
    if "happened_at" not in facts:
        return facts
    happened_at = min(now, datetime.fromisoformat(facts["happened_at"]))
    return {**facts, "happened_at": happened_at.isoformat()}


@laws
@given(lives(), plans(), st.integers(2, 4))
def test_a_history_gives_the_same_clocks_any_number_of_times(history: list[Happened], plan: Plan, times: int):
    fresh = Plan(plan.response, plan.share, plan.update, _again(plan.calendar), plan.statutory)
    first = read_clocks(history, plan)

    assert all(read_clocks(tuple(history), plan) == first for _ in range(times))
    assert read_clocks(iter(history), fresh) == first


def _again(calendar: Calendar) -> Calendar:
    """An equal calendar that has worked nothing out yet."""
    return Calendar(zone=calendar.zone, hours=calendar.hours, closed=calendar.closed)


@laws
@given(lives(), plans(), st.data())
def test_events_that_are_in_no_rule_change_no_clock(history: list[Happened], plan: Plan, data: st.DataObject):
    noisy = [history[0]]
    for before, event in zip(history, [*history[1:], None], strict=True):
        for kind, facts in data.draw(st.lists(IRRELEVANT, max_size=3)):
            noisy.append(Happened(before.at, kind, facts))
        if event is not None:
            noisy.append(event)

    assert read_clocks(noisy, plan) == read_clocks(history, plan)


def _after(history: list[Happened], more: list[Happened]) -> list[Happened]:
    """What follows the arrival in another history, as far after the end of this one."""
    end, arrival = history[-1].at, more[0].at
    return [Happened(end + (one.at - arrival), one.kind, one.facts) for one in more[1:]]


def _stopped_and_still(
    history: list[Happened], later: list[Happened], plan: Plan
) -> list[tuple[Reading, Reading]]:
    """The clocks that had stopped by the end of a history, each with what it is later in that round."""
    after = {reading.kind: reading for reading in read_clocks([*history, *later], plan)}
    before = [reading for reading in read_clocks(history, plan) if reading.stopped_at]
    return [(one, after[one.kind]) for one in before if after[one.kind].round == one.round]


@laws
@given(lives(), lives(OF_ANY_KIND), plans())
def test_what_has_stopped_stays_stopped_whatever_comes_after_it(
    history: list[Happened], more: list[Happened], plan: Plan
):
    later = _after(history, more)

    for before, after in _stopped_and_still(history, later, plan):
        assert (after.started_at, after.stopped_at) == (before.started_at, before.stopped_at)
        if before.kind not in PAUSED:
            assert after.due_at == before.due_at
            assert after.steps == before.steps


@laws
@given(lives(), lives(WAITS), plans())
def test_what_has_stopped_is_due_when_it_was_whoever_is_waited_for(
    history: list[Happened], more: list[Happened], plan: Plan
):
    closed = [*history, Happened(history[-1].at, "moved", {"from": "ACCEPTED", "to": "CLOSED"})]
    later = _after(closed, more)

    for before, after in _stopped_and_still(closed, later, plan):
        assert after.due_at == before.due_at


@laws
@given(lives(OF_ANY_KIND), st.data(), plans())
def test_the_response_clock_once_stopped_starts_only_by_what_takes_back(
    history: list[Happened], data: st.DataObject, plan: Plan
):
    part = history[: data.draw(st.integers(1, len(history)))]
    then, now = ({one.kind: one for one in read_clocks(events, plan)} for events in (part, history))

    assert now[RESPONSE].due_at == then[RESPONSE].due_at
    assert now[SHARE].due_at == then[SHARE].due_at
    for kind in (RESPONSE, SHARE):
        assert then[kind].stopped_at is None or now[kind] == then[kind]


@laws
@given(lives(), plans())
def test_hours_are_real_hours_for_share_and_laws(history: list[Happened], plan: Plan):
    for reading in read_clocks(history, plan):
        if reading.kind in (SHARE, "early_warning"):
            hours = 1 if reading.kind == SHARE else 24
            assert reading.due_at - reading.started_at == hours * HOUR


@laws
@given(lives(), plans(), st.integers(0, 100), st.integers(0, 100))
def test_waiting_for_somebody_puts_off_by_as_long_as_it_lasts_and_never_brings_forward(
    history: list[Happened], plan: Plan, hours: int, lasts: int
):
    without = [event for event in history if event.kind != "waiting"]
    begin = without[-1].at + hours * HOUR
    waits = [Happened(begin, "waiting", {"on": "reporter"})]
    waits.append(Happened(begin + lasts * HOUR, "waiting", {"on": "handler"}))

    readings = zip(read_clocks(without, plan), read_clocks([*without, *waits], plan), strict=True)

    for alone, paused in readings:
        assert paused.due_at >= alone.due_at
        assert paused.kind in PAUSED or paused == alone
        is_in_real_time = paused.kind == FIX or (paused.kind == UPDATE and plan.update.unit is Unit.DAYS)
        if is_in_real_time and not alone.stopped_at and begin < alone.due_at:
            assert paused.due_at - alone.due_at == lasts * HOUR
