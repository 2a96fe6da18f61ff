"""The handlers' desk on a real Prefect server, its runs worked by the real runner and by a worker."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from meldbalie.flows.desk import prefect_api as api
from meldbalie.flows.operator.demo_files import Person
from meldbalie.flows.operator.logs import Logs
from meldbalie.flows.operator.supervisor import Child, Supervisor
from meldbalie.models.clocks import Clock, ClockKind
from meldbalie.models.desk import DeskRun
from meldbalie.models.outbox import Mail, MailKind, MailState
from meldbalie.models.ticket import ticket_called
from meldbalie.tests.flows.world import NAME, PHONE, PIN, SENTENCE, World
from meldbalie.tests.prefect_server import PrefectServer
from meldbalie.tests.waiting import until
from prefect.client.schemas.objects import FlowRun
from sqlalchemy import select

ROOT = Path(__file__).parents[2]
ANSWER = "We hebben het kanarie-antwoord klaar: het formulier is donderdag dicht."


@contextmanager
def running(world: World, prefect: PrefectServer, *command: str) -> Generator[Path]:
    """A process of ours at work for this installation; gives the directory of its log."""
    logs = world.config_file.parent / "log"
    child = Child(
        name="worked",
        command=command,
        environment={
            **os.environ,
            "MELDBALIE_CONFIG": str(world.config_file),
            "PREFECT_API_URL": prefect.api_url,
            "PREFECT_HOME": str(prefect.home),
        },
    )
    with Supervisor([child], say=lambda line: None, logs=Logs(logs, 10**8)):
        yield logs


@pytest.fixture
def at_work(world: World, prefect_api: PrefectServer) -> Generator[World]:
    """The installation with its runner at work."""
    with running(world, prefect_api, sys.executable, "-m", "meldbalie", "flows"):
        yield world


def run_that_waits(world: World, reference: str, *, for_form: int = 1) -> FlowRun:
    """The ticket's run, once it waits for a handler with this form."""

    def look() -> FlowRun | None:
        with world.place.database.reading() as session:
            row = session.scalars(
                select(DeskRun).where(DeskRun.ticket_id == ticket_called(session, reference).id)
            ).one_or_none()
        if row is None or row.run_id is None or row.asked < for_form:
            return None
        with api() as client:
            run = client.read_flow_run(row.run_id)
        return run if run.state is not None and run.state.is_paused() else None

    return until(look, f"form {for_form} of {reference}")


def answer(run: FlowRun, **form: Any) -> str:
    """Submit the form as the Prefect UI does; gives the server's verdict."""
    with api() as client:
        verdict = client._client.post(f"/flow_runs/{run.id}/resume", json={"run_input": form})
    return str(verdict.json()["status"])


def the_ticket(world: World) -> str:
    """The number of the one ticket, once there is one."""
    [reference] = until(world.tickets, "a ticket")
    return reference


def test_a_handler_answers_in_the_form_and_the_clock_stops_when_it_is_delivered(
    at_work: World, prefect_api: PrefectServer
) -> None:
    world = at_work
    world.arrives(world.reports())
    reference = the_ticket(world)
    world.mail.wait_for_mail(world.people.reporter.address, 1, 60)

    def has_its_name() -> FlowRun | None:
        run = run_that_waits(world, reference)
        return run if run.name == f"{reference} · Webteam · due Tue 24 Nov 14:05" else None

    run = until(has_its_name, "the copy for the IBD to be sent, and its clock to be stopped")
    assert {"ticket", "owner:Webteam", "state:received"} <= set(run.tags)
    assert run.parameters == {"reference": reference}
    assert answer(run, action="fly", who="Balie") == "REJECT"
    assert answer(run, action="answer the reporter", who="Balie", text=ANSWER) == "ACCEPT"
    until(lambda: "kept text" in card(run), "the refusal on the card")
    assert answer_mails(world) == []
    kept = {"use_kept_text": True, "expected_fix_date": "2126-12-01"}
    assert answer(run, action="answer the reporter", who="Balie", **kept) == "ACCEPT"
    world.mail.wait_for_mail(world.people.reporter.address, 2, 60)

    mail = world.read_by(world.people.reporter)[-1]
    assert mail.was_decrypted
    assert mail.signature.verdict == "good"
    assert ANSWER in mail.text
    assert "1 December 2126" in mail.text
    with world.place.database.reading() as session:
        clock = session.scalars(select(Clock).where(Clock.kind == ClockKind.RESPONSE)).one()
        assert clock.stopped_at is not None
        history = [entry.kind for entry in ticket_called(session, reference).history]
    assert history.count("answered") == 1
    assert until(lambda: name_with(run, "update due"), "the run's new name")
    nothing_leaked(world, prefect_api)


def card(run: FlowRun) -> str:
    """The card that the run shows now."""
    with api() as client:
        state = client.read_flow_run(run.id).state
        keys = state.state_details.run_input_keyset if state else None
        return str(client.read_flow_run_input(run.id, keys["description"])) if keys else ""


def answer_mails(world: World) -> list[MailState]:
    """The answers in the outbox."""
    with world.place.database.reading() as session:
        return list(session.scalars(select(Mail.state).where(Mail.kind == MailKind.ANSWER)))


def name_with(run: FlowRun, word: str) -> str | None:
    """The run's name, once it has a word in it."""
    with api() as client:
        name = client.read_flow_run(run.id).name
    return name if word in name else None


def nothing_leaked(world: World, prefect: PrefectServer) -> None:
    """No sink that may not know it holds the reporter, the report or the answer."""
    [copy] = world.read_by(world.people.ibd)
    fingerprint = world.people.reporter.fingerprint
    identity = (NAME, "Sanne", world.people.reporter.address, "onderzoek.example", PHONE, fingerprint[-16:])
    for who in identity:
        assert who.lower() not in copy.text.lower()
    assert copy.attachments == ()
    sinks = [
        *prefect.home.glob("prefect.db*"),
        *prefect.home.glob("log/*"),
        *(world.config_file.parent / "log").glob("*"),
        *world.config_file.parent.glob("meldbalie.db*"),
    ]
    assert len(sinks) >= 4
    canaries = [canary.encode() for canary in (*identity, SENTENCE, ANSWER)]
    until(lambda: not _holding(sinks, canaries), "the write-ahead log to be emptied")


def _holding(sinks: list[Path], canaries: list[bytes]) -> list[str]:
    return [sink.name for sink in sinks if any(canary in sink.read_bytes() for canary in canaries)]


def test_a_ticket_is_confirmed_accepted_rated_assigned_and_closed(at_work: World) -> None:
    world = at_work
    world.arrives(world.reports())
    reference = the_ticket(world)

    for form in (
        {"action": "accept: it will be fixed", "text": "Het klopt."},
        {"action": "set the severity", "cvss_vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"},
        {"action": "assign", "assign_to": "Netwerkteam"},
        {"action": "close", "close_reason": "remediated", "text": "Opgelost.", "pin": PIN},
    ):
        run = run_that_waits(world, reference)
        assert answer(run, who="Balie", **form) == "ACCEPT"
        until(partial(run_that_waits_or_is_over, run), "what was answered to be taken")
    closed = until(lambda: world_is_closed(world, reference), "the end of the run")

    assert closed.name.startswith(f"{reference} · Netwerkteam · ")
    assert closed.state is not None
    assert closed.state.message == f"{reference} is closed: remediated"
    assert "severity:high" in closed.tags
    until(lambda: told_of_the_report(world, world.people.network_team), "the report at its new owner")
    mails = world.mail.wait_for_mail(world.people.reporter.address, 3, 60)
    assert len(mails) == 3


def told_of_the_report(world: World, owner: Person) -> bool:
    """Whether an owner has the report, beside whatever deadline may be told."""
    return any(SENTENCE in mail.text for mail in world.read_by(owner))


def world_is_closed(world: World, reference: str) -> FlowRun | None:
    """The ticket's run, once it is completed."""
    with world.place.database.reading() as session:
        row = session.get(DeskRun, ticket_called(session, reference).id)
    with api() as client:
        run = client.read_flow_run(row.run_id) if row else None
    return run if run and run.state and run.state.is_completed() else None


def run_that_waits_or_is_over(run: FlowRun) -> bool:
    """Whether nothing of what was answered is still to be taken."""
    with api() as client:
        state = client.read_flow_run(run.id).state
    return state is not None and (state.is_paused() or state.is_completed())


def test_a_worker_runs_what_prefect_yaml_deploys(world: World, prefect_api: PrefectServer) -> None:
    environment = {
        **os.environ,
        "MELDBALIE_CONFIG": str(world.config_file),
        "PREFECT_API_URL": prefect_api.api_url,
        "PREFECT_HOME": str(prefect_api.home),
    }
    prefect = str(Path(sys.executable).with_name("prefect"))
    pool = ("work-pool", "create", "meldbalie", "--type", "process", "--overwrite")
    for words in (pool, ("deploy", "--all")):
        done = subprocess.run(
            [prefect, "--no-prompt", *words], cwd=ROOT, env=environment, check=False, capture_output=True
        )
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    world.arrives(world.reports())
    with api() as client:
        deployment = client.read_deployment_by_name("intake/intake")
        assert deployment.work_pool_name == "meldbalie"
        taken = client.create_flow_run_from_deployment(deployment.id, parameters={"minutes": 0})
    with running(world, prefect_api, prefect, "worker", "start", "--pool", "meldbalie"):
        reference = the_ticket(world)
        run_that_waits(world, reference)
        ended = until(lambda: ended_run(taken), "the end of the intake run")
    assert ended.state is not None
    assert ended.state.is_completed()


def ended_run(run: FlowRun) -> FlowRun | None:
    """A run, once it is over."""
    with api() as client:
        now = client.read_flow_run(run.id)
    return now if now.state is not None and now.state.is_final() else None
