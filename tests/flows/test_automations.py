"""What Prefect itself watches: made by us and by `prefect deploy` alike, and firing when it should."""

import os
import subprocess
import sys
from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from meldbalie.flows import automations
from meldbalie.flows.automations import ALIVE, SAY_AGAIN_AFTER, SILENCE, SignsOfLife, watches
from meldbalie.flows.dead_man import NAME, dead_man, let_prefect_watch
from meldbalie.flows.desk import prefect_api
from meldbalie.flows.intake import intake
from meldbalie.flows.shifts import LEASE
from meldbalie.flows.sweep import sweep
from meldbalie.flows.watching import PATIENCE
from meldbalie.models.alarms import open_alarms
from meldbalie.settings import Clocks, Settings
from meldbalie.tests.flows.glances import goes_round, works_with
from meldbalie.tests.flows.world import World
from meldbalie.tests.waiting import until
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import FlowFilter, FlowFilterName
from prefect.client.schemas.objects import FlowRun
from prefect.events import DeploymentEventTrigger
from prefect.events.actions import RunDeployment
from prefect.events.filters import EventFilter, EventNameFilter, EventOccurredFilter
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger

ROOT = Path(__file__).parents[2]
SWEEPS, POLLER = (watch.name or "" for watch in watches(Settings()))
CONTROL = "a window in which something else is expected"
SHORT = timedelta(seconds=40)  # four times as long as Prefect allows: a busy machine lives more slowly


@pytest.fixture
def watched(world: World) -> Generator[World]:
    """An installation whose automations are taken away afterwards: the server serves other tests as well."""
    yield world
    with prefect_api() as client:
        for one in made():
            client.delete_automation(one.id)
        for run in runs_of(NAME):
            client.delete_flow_run(run.id)


def made() -> list[Automation]:
    """The automations of ours that Prefect has."""
    with prefect_api() as client:
        return [one for name in (SWEEPS, POLLER, CONTROL) for one in client.read_automations_by_name(name)]


def runs_of(flow: str) -> list[FlowRun]:
    with prefect_api() as client:
        return client.read_flow_runs(flow_filter=FlowFilter(name=FlowFilterName(any_=[flow])))


def started_for() -> list[list[str]]:
    """Which flows Prefect started the dead man for."""
    return [run.parameters.get("flows", []) for run in runs_of(NAME)]


def alarms(world: World) -> dict[str, list[str]]:
    with world.place.database.reading() as session:
        return {kind: list(about) for kind, about in open_alarms(session).items() if about}


def prefect(world: World, *arguments: str) -> None:
    """Run Prefect's command line as an operator does, in the root of the repository."""
    config = world.place.config
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    subprocess.run(
        [sys.executable, "-m", "prefect", *arguments],
        cwd=ROOT,
        env=inherited | {"PREFECT_API_URL": config.prefect_api, "PREFECT_HOME": str(config.prefect.home)},
        check=True,
        capture_output=True,
        timeout=120,
    )


def forget_what_was_deployed() -> None:
    """Let the next test deploy anew, without the work pool."""
    with prefect_api() as client:
        for deployment in client.read_deployments():
            client.delete_deployment(deployment.id)
        client.delete_work_pool("meldbalie")


def sweeps_every(world: World, monkeypatch: pytest.MonkeyPatch, *, minutes: float) -> None:
    clocks = world.place.config.clocks.model_copy(update={"sweep_minutes": minutes})
    config = world.place.config.model_copy(update={"clocks": clocks})
    works_with(world, monkeypatch, replace(world.place, config=config))


def watch_something_else(world: World) -> None:
    """Let Prefect look at the same runs, for the same time, for a sign that nobody gives."""
    (watch,) = (watch for watch in watches(world.place.config) if ALIVE in watch.expect)
    with prefect_api() as client:
        deployment = client.read_deployment_by_name(f"{NAME}/{NAME}").id
        trigger = EventTrigger(**watch.model_dump() | {"after": {ALIVE}, "expect": {"meldbalie.nothing"}})
        action = RunDeployment(deployment_id=deployment, parameters={"flows": [CONTROL]}, job_variables=None)
        client.create_automation(AutomationCore(name=CONTROL, trigger=trigger, actions=[action]))


def test_what_prefect_yaml_watches_is_what_one_machine_watches() -> None:
    written = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    (triggers,) = (deployment["triggers"] for deployment in written if deployment["name"] == NAME)
    expected = watches(Settings())

    assert [DeploymentEventTrigger.model_validate(one) for one in triggers] == expected


def test_the_watch_over_intake_waits_longer_than_our_own() -> None:
    (watch,) = (watch for watch in watches(Settings()) if ALIVE in watch.expect)

    assert watch.within == SILENCE > PATIENCE + LEASE + SAY_AGAIN_AFTER


def test_the_automations_are_made_once_and_made_anew_when_they_say_something_else(watched: World) -> None:
    let_prefect_watch(watched.place)
    sweeps, poller = made()
    let_prefect_watch(watched.place)
    assert [one.id for one in made()] == [sweeps.id, poller.id]

    with prefect_api() as client:
        client.pause_automation(poller.id)
        other = AutomationCore(**sweeps.model_dump(exclude={"owner_resource"}) | {"trigger": poller.trigger})
        client.update_automation(sweeps.id, other)
        client.create_automation(other)
    let_prefect_watch(watched.place)

    sweeps_anew, poller_anew = made()
    assert {sweeps_anew.id, poller_anew.id}.isdisjoint({sweeps.id, poller.id})
    assert (sweeps_anew.trigger, poller_anew.trigger) == (sweeps.trigger, poller.trigger)
    assert poller_anew.enabled


def test_prefect_deploy_makes_the_same_automations_and_neither_doubles_the_other(
    watched: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweeps_every(watched, monkeypatch, minutes=Clocks().sweep_minutes)  # as prefect.yaml has it
    with prefect_api() as client:
        client.create_work_pool(WorkPoolCreate(name="meldbalie", type="process"))
    try:
        let_prefect_watch(watched.place)
        ours = made()
        prefect(watched, "--no-prompt", "deploy", "--all")
        theirs = made()
        let_prefect_watch(watched.place)

        assert made() == theirs
        assert [one.name for one in theirs] == [SWEEPS, POLLER]
        assert {one.id for one in ours}.isdisjoint(one.id for one in theirs)
        for our, their in zip(ours, theirs, strict=True):
            assert (our.trigger, our.actions) == (their.trigger, their.actions)
    finally:
        forget_what_was_deployed()


def test_prefect_starts_the_dead_man_when_intake_is_silent_and_not_while_it_lives(
    watched: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(automations, "SILENCE", SHORT)
    let_prefect_watch(watched.place)
    watch_something_else(watched)

    def lives_for_a_window() -> bool:
        intake(minutes=0)
        return [CONTROL] in started_for()

    until(lives_for_a_window, "a window in which intake lives")
    assert ["intake"] not in started_for()

    until(lambda: ["intake"] in started_for(), "a run of dead-man for intake")
    assert ["sweep"] not in started_for()


def test_prefect_starts_the_dead_man_when_no_sweep_ends_well(
    watched: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweeps_every(watched, monkeypatch, minutes=1 / 18)  # three are ten seconds
    let_prefect_watch(watched.place)

    sweep()

    until(lambda: ["sweep"] in started_for(), "a run of dead-man for the sweep")


def test_the_dead_man_alarms_starts_what_does_not_run_and_fails(world: World) -> None:
    goes_round(world)
    sweep()
    assert dead_man() == 0
    assert dead_man(["intake"]) == 0
    world.present.passes(hours=1)

    for flow, words in (("sweep", "the sweep does not run"), ("intake", "intake does not work")):
        state = dead_man([flow], return_state=True)

        assert state.is_failed()
        assert words in (state.message or "")
        assert any(run.state is not None and run.state.is_scheduled() for run in runs_of(flow))
    assert {kind: sorted(about) for kind, about in alarms(world).items()} == {
        "flow_stopped": ["intake", "sweep"]
    }

    goes_round(world)
    sweep()
    assert dead_man(["sweep", "intake"]) == 0
    assert alarms(world) == {}


def test_intake_gives_a_sign_of_life_a_minute(world: World) -> None:
    began = datetime.now(UTC)
    signs = SignsOfLife(world.place)

    for minute in range(3):
        signs.give()
        signs.give()
        world.present.passes(minutes=minute < 2)

    def heard() -> bool:
        since = EventOccurredFilter(since=began, until=datetime.now(UTC))
        with prefect_api() as client:
            page = client.read_events(EventFilter(event=EventNameFilter(name=[ALIVE]), occurred=since), 50)
        return page.total == len(range(3))

    until(heard, "three signs of life")
