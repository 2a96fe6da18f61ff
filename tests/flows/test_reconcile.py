"""Prefect is made to agree with the database, on a real Prefect server."""

import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from meldbalie.flows import desk
from meldbalie.flows.deliver import deliver
from meldbalie.flows.reconcile import (
    BELIEVED,
    KEEP_HOUSEKEEPING,
    SHIFTS,
    bury_the_dead,
    forget_missed_runs,
    forget_old_runs,
    reconcile,
)
from meldbalie.flows.shifts import BREATH, LEASE, begin_again, start_shifts
from meldbalie.models.leases import give_back, take_lease
from meldbalie.tests.flows.world import World
from prefect.client.schemas.filters import FlowFilter, FlowFilterName, FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound
from prefect.states import Completed, Crashed, Pending, Running


@pytest.fixture
def today(world: World) -> World:
    """The installation in the present of the Prefect server, all of whose shifts are worked."""
    world.present.now = datetime.now(UTC)
    for name in SHIFTS:
        holds(world, name, f"{name} at work")
    return world


def holds(world: World, name: str, holder: str, *, lasting: timedelta = 1000 * LEASE) -> None:
    with world.place.database.unit_of_work() as session:
        give_back(session, name, holder=f"{name} at work", now=world.present())
        assert take_lease(session, name, holder=holder, now=world.present(), lasting=lasting)


def state_of(run: FlowRun) -> str:
    """What a run's state is called now."""
    with desk.prefect_api() as client:
        state = client.read_flow_run(run.id).state
    return state.name if state else ""


def made(name: str) -> FlowRun:
    """A housekeeping run, scheduled now."""
    with desk.prefect_api() as client:
        deployment = client.read_deployment_by_name(f"{name}/{name}")
        return client.create_flow_run_from_deployment(deployment.id)


def there(runs: list[FlowRun]) -> set[UUID]:
    """Which of these runs Prefect still has."""
    with desk.prefect_api() as client:
        wanted = FlowRunFilter(id=FlowRunFilterId(any_=[run.id for run in runs]))
        return {run.id for run in client.read_flow_runs(flow_run_filter=wanted)}


def test_a_shift_that_nobody_works_is_started(today: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world = today
    started: Counter[str] = Counter()

    def starts(names: set[str]) -> None:
        started.update(names)
        start_shifts(names)

    monkeypatch.setattr("meldbalie.flows.reconcile.start_shifts", starts)
    reconcile()
    assert started == {}

    with world.place.database.unit_of_work() as session:
        give_back(session, "deliver", holder="deliver at work", now=world.present())
    reconcile()
    assert started == {"deliver": 1}

    printed = [sys.executable, "-c", "from meldbalie.flows.processes import *; print(this_process())"]
    dead = subprocess.run(printed, capture_output=True, text=True, check=True).stdout.strip()
    with world.place.database.unit_of_work() as session:
        now = world.present()
        assert take_lease(session, "deliver", holder="killed", now=now, lasting=LEASE, process=dead)
    reconcile()
    assert started == {"deliver": 2}

    world.present.now += 1100 * LEASE
    reconcile()
    assert started == {"deliver": 3, "intake": 1, "attend": 1}


@pytest.mark.parametrize(("lived", "later"), [(59, BREATH), (60, timedelta())])
def test_a_shift_that_was_killed_begins_again_and_a_short_one_not_at_once(
    today: World, lived: int, later: timedelta
) -> None:
    forget_missed_runs(today.place)
    began_at = datetime.now(UTC)
    killed = made("deliver").model_copy(update={"start_time": began_at})
    crashed = Crashed(timestamp=began_at + timedelta(seconds=lived))
    with desk.prefect_api() as client:
        client.set_flow_run_state(killed.id, Crashed(), force=True)

    begin_again(deliver, killed, crashed)
    if later:
        begin_again(deliver, killed, crashed)  # one waits to begin: no chain grows

    with desk.prefect_api() as client:
        runs = client.read_flow_runs(flow_filter=FlowFilter(name=FlowFilterName(any_=["deliver"])))
    (successor,) = [run for run in runs if run.id != killed.id and run.created and run.created > began_at]
    assert successor.state is not None
    begins_at = successor.state.state_details.scheduled_time
    assert begins_at is not None
    assert begins_at == crashed.timestamp + later if later else begins_at < crashed.timestamp


def test_a_silent_run_is_crashed_and_an_old_one_deleted_but_never_one_at_work(today: World) -> None:
    world = today
    silent, at_work, waiting, done = (made(name) for name in ("intake", "deliver", "sweep", "sweep"))
    holds(world, "deliver", str(at_work.id))
    with desk.prefect_api() as client:
        client.set_flow_run_state(silent.id, Pending(), force=True)
        client.set_flow_run_state(at_work.id, Running(), force=True)
        client.set_flow_run_state(done.id, Completed(), force=True)
    runs = [silent, at_work, waiting, done]
    bury_the_dead(world.place)
    assert [state_of(run) for run in runs] == ["Pending", "Running", "Scheduled", "Completed"]

    world.present.now += BELIEVED + timedelta(minutes=1)
    bury_the_dead(world.place)
    assert [state_of(run) for run in runs] == ["Crashed", "Running", "Scheduled", "Completed"]

    while forget_old_runs(world.place):
        pass
    assert there(runs) == {run.id for run in runs}
    world.present.now += KEEP_HOUSEKEEPING
    while forget_old_runs(world.place):
        pass
    assert there(runs) == {at_work.id, waiting.id}
    with desk.prefect_api() as client, pytest.raises(ObjectNotFound):
        client.read_flow_run(done.id)
