"""The process that keeps the desk is killed (SIGKILL) again and again: each answer is applied once."""

import json
import os
import random
import signal
import sys
from collections import Counter
from contextlib import suppress
from threading import Timer
from typing import Any

from meldbalie.flows.desk import prefect_api as api
from meldbalie.flows.processes import has_died
from meldbalie.models.desk import DeskRun
from meldbalie.models.leases import Lease
from meldbalie.models.outbox import MailKind
from meldbalie.models.ticket import Direction, ticket_called
from meldbalie.tests.flows.glances import history, outbox, run_of
from meldbalie.tests.flows.test_desk_of_the_handlers import running
from meldbalie.tests.flows.world import World
from meldbalie.tests.prefect_server import PrefectServer
from meldbalie.tests.waiting import until
from prefect.client.schemas.objects import FlowRun
from sqlalchemy import select

TICKETS = [f"CVD-2026-000{number}" for number in range(1, 4)]
ANSWERS = 10
KILLED_WITHIN_SECONDS = 2.0  # of Resume: what is to be done with an answer takes about one


def attending(world: World) -> str | None:
    """The process that keeps the desk, unless it is dead."""
    with world.place.database.reading() as session:
        process = session.scalars(select(Lease.process).where(Lease.name == "attend")).one_or_none()
    return None if process is None or has_died(process) else process


def kill(world: World) -> None:
    """Kill whoever keeps the desk; nobody does when they are not back yet from the last time."""
    if (process := attending(world)) is not None:
        with suppress(ProcessLookupError):  # another kill was faster
            os.kill(int(process.split("/")[-2]), signal.SIGKILL)


def asked(world: World, reference: str) -> tuple[FlowRun, dict[str, Any]] | None:
    """The ticket's run, and what its form is filled in with already, while it waits for a handler."""
    with world.place.database.reading() as session:
        row = session.get(DeskRun, ticket_called(session, reference).id)
    if row is None or row.run_id is None:
        return None
    run = run_of(world, reference)
    keys = run.state.state_details.run_input_keyset if run.state else None
    if run.state is None or not run.state.is_paused() or keys is None:
        return None
    with api() as client:
        form = json.loads(client.read_flow_run_input(run.id, keys["schema"]))["properties"]
    return run, {name: about["default"] for name, about in form.items() if "default" in about}


def kept(world: World, reference: str) -> bool:
    """Whether a text is kept whose answer was refused, since another one was applied meanwhile."""
    with world.place.database.reading() as session:
        row = session.get(DeskRun, ticket_called(session, reference).id)
        return row is not None and bool((row.not_done or {}).get("Balie", {}).get("text"))


def answers(world: World, reference: str, text: str = "") -> None:
    """A handler answers the reporter, as the page in their browser does; with their kept text, if any."""

    def resumed() -> bool:
        run, form = until(lambda: asked(world, reference), f"the form of {reference}")
        form |= {"action": "answer the reporter", "who": "Balie", "text": text}
        form |= {"expected_fix_date": "2126-12-01"}
        form |= {"use_kept_text": True} if kept(world, reference) else {}
        with api() as client:
            said = client._client.post(f"/flow_runs/{run.id}/resume", json={"run_input": form})
        return said.json().get("status") == "ACCEPT"

    until(resumed, f"{text} to be taken by Prefect")


def told(world: World) -> Counter[str]:
    """What was said to the reporters, and how often; a kept text stands above the one after it."""
    with world.place.database.reading() as session:
        messages = [one for name in TICKETS for one in ticket_called(session, name).messages]
    texts = [one.text for one in messages if one.direction is Direction.TO_REPORTER]
    return Counter(part for text in texts for part in text.split("\n\n"))


def all_told(world: World, texts: set[str]) -> bool:
    """Whether all was said; what was refused is answered again, as its handler does who reads so."""
    for reference in TICKETS:
        if kept(world, reference):
            answers(world, reference)
    return texts <= set(told(world))


def responses(world: World) -> list[str]:
    """The answers that lie in Prefect."""
    with api() as client:
        kept = [
            client.filter_flow_run_input(run_of(world, name).id, "", 200, exclude_keys=set())
            for name in TICKETS
        ]
    return [one.key for inputs in kept for one in inputs if one.key.endswith("-response")]


def test_killed_while_answers_are_taken_each_is_applied_once(
    world: World, prefect_api: PrefectServer
) -> None:
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    texts = [f"Antwoord {number}." for number in range(ANSWERS)]
    timers = list[Timer]()
    for number in range(len(TICKETS)):
        world.arrives(world.reports(f"{number}: https://www.voorbeeld.example/{number}"))
    with running(world, prefect_api, sys.executable, "-m", "meldbalie", "flows"):
        until(lambda: len(world.tickets()) == len(TICKETS), "the tickets")
        for number, text in enumerate(texts):
            answers(world, TICKETS[number % len(TICKETS)], text)
            timers.append(Timer(chance.uniform(0, KILLED_WITHIN_SECONDS), kill, [world]))
            timers[-1].start()
        for timer in timers:
            timer.join()
        until(lambda: all_told(world, set(texts)), f"all answers (seed {seed})")
        until(lambda: not responses(world), f"the answers to be deleted (seed {seed})")

    assert told(world) == Counter(texts), seed
    answered = sum(history(world, name).count("answered") for name in TICKETS)
    assert len(outbox(world, MailKind.ANSWER)) == answered, seed
