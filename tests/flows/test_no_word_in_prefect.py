"""Prefect knows no word of it: all that the desk does, and then every table, log and file is read.

The canaries are who reports and what they say, what handlers type into every field, PINs and secret
links. The scan itself is tried first: planted on purpose, a canary is found in each kind of place.
"""

import base64
import re
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from meldbalie.flows import overview
from meldbalie.flows.desk import prefect_api as api
from meldbalie.flows.saved_links import OPEN_TICKETS, TODAY
from meldbalie.mailbox.compose import Draft, plain
from meldbalie.mailbox.keyring import Keyring
from meldbalie.models.confirmations import Confirmation, confirm
from meldbalie.models.desk import DeskRun
from meldbalie.models.outbox import MailKind, Thread
from meldbalie.models.ticket import ticket_called
from meldbalie.tests.flows.glances import history, outbox, reply_address, run_of
from meldbalie.tests.flows.office import Office
from meldbalie.tests.flows.prefect_records import files, found, rows, tables_with_rows
from meldbalie.tests.flows.test_desk_of_the_handlers import running
from meldbalie.tests.flows.test_intake_verdicts import bounce, sealed_to_somebody_else
from meldbalie.tests.flows.world import NAME, PHONE, PIN, SENTENCE, World
from meldbalie.tests.prefect_server import PrefectServer, running_prefect
from meldbalie.tests.waiting import until
from prefect import flow, get_run_logger
from prefect.events import emit_event
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.states import Completed
from sqlalchemy import select

FIRST, SECOND, BROKEN, FOURTH = (f"CVD-2026-000{number}" for number in range(1, 5))
SUBJECT, FILE, HOST = "kanarie-onderwerp", "kanarie-bestand.png", "kanariehost.voorbeeld.example"
PLAIN_NAME, PLAIN_ADDRESS = "Karel Kanariepiet", "karel@anders.example"
#: What an exception says that arises while a handler's text is held.
CRASH = "kanarie-in-de-fout"
WRONG_PIN = "59-zwanen"


@pytest.fixture(scope="module")
def prefect_api() -> Generator[PrefectServer]:
    """A Prefect server of our own: what others leave in theirs proves nothing here."""
    with running_prefect() as server:
        yield server


class Words:
    """What handlers type: each text is another canary, named by where it was typed."""

    def __init__(self) -> None:
        self.typed: dict[str, str] = {}
        self._numbers = count(1)

    def __call__(self, where: str) -> str:
        word = f"kanarie-{next(self._numbers)}-getypt"
        self.typed[f"{where} ({word})"] = word
        return word


def planted(word: str) -> str:
    """Plant a canary wherever Prefect keeps something for us; gives the run of it."""

    @flow(name=f"flow-{word}", flow_run_name=f"name-{word}", persist_result=True)
    def planting(parameter: str) -> str:
        get_run_logger().info("log-%s", word)
        emit_event(f"event.{word}", resource={"prefect.resource.id": f"resource.{word}"})
        return parameter

    state = planting(f"parameter-{word}", return_state=True)
    run = state.state_details.flow_run_id
    assert run is not None
    with api() as client:
        client.create_flow_run_input(run, key="suspended-form-1-response", value=f'"answer-{word}"')
        client.set_flow_run_state(run, Completed(message=f"message-{word}"), force=True)
        client.update_flow_run(run, tags=[f"tag-{word}"])
        made = {"key": f"key-{word}", "type": "markdown", "data": "", "description": f"page-{word}"}
        client.request("POST", "/artifacts/", json=made)
        client.create_deployment(client.create_flow_from_name("x"), "x", description=f"about-{word}")
    for worker in (APILogWorker, EventsWorker):
        worker.drain_all()
    return str(run)


def test_the_scan_finds_what_is_planted_in_each_kind_of_place(prefect_api: PrefectServer) -> None:
    word = "kanarie-gepland"
    planted(word)
    (prefect_api.logs / "planted.log").write_text(f"{word.upper()}\n")
    wanted = {"flow.name", "flow_run.name", "flow_run.parameters", "flow_run.tags", "flow_run_state.message"}
    wanted |= {"flow_run_input.value", "artifact.description", "deployment.description", "log.message"}
    wanted |= {"events.event", "event_resources.resource_id"}

    def look() -> bool:
        wanted.difference_update(sight.partition(": ")[0] for sight in found({word: word}, rows(prefect_api)))
        print(wanted)
        return not wanted

    until(look, "what was planted")
    in_files = {sight.partition(": ")[0] for sight in found({word: word}, files(prefect_api.home))}
    assert any("prefect.db" in place for place in in_files)
    assert any("planted.log" in place for place in in_files)
    assert any("storage" in place for place in in_files)
    assert found({"never": "kanarie-nergens"}, rows(prefect_api)) == set()
    (prefect_api.logs / "planted.log").unlink()


@pytest.mark.parametrize("written", ["{}", "before{}behind", "xx{}y", "%22{}%22"])
def test_a_canary_is_found_in_base64_wherever_it_begins(written: str) -> None:
    word = "58-ganzen"
    kept = base64.b64encode(written.format(word).encode())
    assert found({"pin": word}, [("result", kept)]) == {"result: pin"}
