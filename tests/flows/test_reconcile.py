"""Prefect is made to agree with the database, on a real Prefect server."""

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from meldbalie.flows import desk
from meldbalie.flows.intake import intake
from meldbalie.flows.reconcile import (
    BELIEVED,
    KEEP_HOUSEKEEPING,
    SHIFTS,
    bury_the_dead,
    forget_old_runs,
    reconcile,
)
from meldbalie.flows.shifts import LEASE, start_shifts
from meldbalie.models import acts
from meldbalie.models.desk import DeskRun
from meldbalie.models.leases import give_back, take_lease
from meldbalie.models.migrate import migrate
from meldbalie.models.session import Database
from meldbalie.models.states import CloseReason
from meldbalie.models.ticket import ticket_called
from meldbalie.tests.flows.glances import works_with
from meldbalie.tests.flows.world import World
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Completed, Crashed, Pending, Running, Suspended

FIRST, SECOND, THIRD = "CVD-2026-0001", "CVD-2026-0002", "CVD-2026-0003"


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


def opens(world: World, number: int = 1) -> None:
    """So many reports arrive and have a run each."""
    for _ in range(number):
        world.arrives(world.reports())
    for name in ("intake",):
        with world.place.database.unit_of_work() as session:
            give_back(session, name, holder=f"{name} at work", now=world.present())
    intake(minutes=0)
    holds(world, "intake", "intake at work")


def run_of(world: World, reference: str) -> FlowRun:
    """The run that shows a ticket."""
    with world.place.database.reading() as session:
        row = session.get_one(DeskRun, ticket_called(session, reference).id)
    with desk.prefect_api() as client:
        return client.read_flow_run(UUID(row.run_id))


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


def test_the_run_of_an_open_ticket_that_is_gone_or_over_is_made_anew(today: World) -> None:
    world = today
    opens(world, 3)
    before = [run_of(world, reference) for reference in (FIRST, SECOND, THIRD)]
    with desk.prefect_api() as client:
        client.delete_flow_run(before[0].id)
        client.set_flow_run_state(before[1].id, Cancelled(), force=True)
        client.set_flow_run_state(before[2].id, Crashed(), force=True)

    assert reconcile() == 3

    after = [run_of(world, reference) for reference in (FIRST, SECOND, THIRD)]
    assert {run.id for run in after}.isdisjoint(run.id for run in before)
    assert [run.name for run in after] == [run.name for run in before]
    assert [run.parameters for run in after] == [{"reference": run.name[:13]} for run in after]
    assert [state_of(run) for run in after] == ["Scheduled"] * 3
    reconcile()
    assert [run_of(world, reference).id for reference in (FIRST, SECOND, THIRD)] == [run.id for run in after]


def test_a_run_that_hangs_is_made_anew_and_one_that_waits_or_works_is_kept(today: World) -> None:
    world = today
    opens(world, 3)
    hanging, waiting, working = (run_of(world, reference) for reference in (FIRST, SECOND, THIRD))
    with desk.prefect_api() as client:
        client.set_flow_run_state(hanging.id, Pending(), force=True)
        client.set_flow_run_state(waiting.id, Suspended(timeout_seconds=None), force=True)
        client.set_flow_run_state(working.id, Running(), force=True)
    reconcile()
    assert run_of(world, FIRST).id == hanging.id

    world.present.now += BELIEVED + timedelta(minutes=1)
    reconcile()

    assert run_of(world, FIRST).id != hanging.id
    assert run_of(world, SECOND).id == waiting.id
    assert run_of(world, THIRD).id != working.id


def test_the_waiting_run_of_a_closed_ticket_is_completed(today: World) -> None:
    world = today
    opens(world)
    run = run_of(world, FIRST)
    with desk.prefect_api() as client:
        client.set_flow_run_state(run.id, Suspended(timeout_seconds=None), force=True)
    with world.place.database.unit_of_work() as session:
        who: dict[str, Any] = {
            "by": "Balie",
            "because": "Ligt bij een ander.",
            "promise": world.place.promise,
            "now": world.present(),
        }
        ticket = ticket_called(session, FIRST)
        acts.invalidate(session, ticket, **who)
        acts.close(session, ticket, reason=CloseReason.OUT_OF_SCOPE, **who)

    reconcile()

    closed = run_of(world, FIRST)
    assert closed.id == run.id
    assert closed.state is not None
    assert closed.state.is_completed()
    assert closed.name.startswith(f"{FIRST} · Closed")
    world.present.passes(days=2)
    assert reconcile() == 0


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
    assert started == {"deliver": 3, "intake": 1}


def test_a_silent_run_is_crashed_and_an_old_one_deleted_but_never_one_at_work(today: World) -> None:
    world = today
    opens(world)
    of_ticket = run_of(world, FIRST)
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
    assert there([of_ticket]) == {of_ticket.id}
    with desk.prefect_api() as client, pytest.raises(ObjectNotFound):
        client.read_flow_run(done.id)


def test_another_installation_on_the_same_server_has_runs_of_its_own(
    today: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, here = today, today.place
    opens(world)
    mine = run_of(world, FIRST)
    database = Database(f"sqlite:///{world.config_file.parent}/elsewhere.db")
    migrate(database)
    works_with(world, monkeypatch, replace(here, database=database))
    world.present.passes(seconds=1)

    opens(world)
    theirs = run_of(world, FIRST)
    reconcile()
    works_with(world, monkeypatch, here)
    reconcile()

    assert world.tickets() == [FIRST]
    assert run_of(world, FIRST).id == mine.id != theirs.id
    assert state_of(mine) == state_of(theirs) == "Scheduled"
    database.close()
