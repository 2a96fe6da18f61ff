"""The runs of tickets in Prefect: made, named, asked and ended through its API. No process works them.

A ticket's run is made in the state Paused, with a form and a card as its inputs, as Prefect's own
`suspend_flow_run` does; *Resume* then stores an answer and makes it Scheduled. Their deployment has no
worker, so that nobody but :mod:`.attend` takes them up.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, cast
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun, FlowRunInput, State, StateDetails, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.input.run_input import keyset_from_base_key
from prefect.states import Completed, Pending

from .desk import in_states, of_flows
from .view import View

FLOW = "ticket"
DEPLOYMENT = f"{FLOW}/desk"
OF_BEFORE = f"{FLOW}/{FLOW}"  # of version 0.1: a worker would take its runs up
ABOUT = "One run for each ticket: its card and form. Nobody works them; `attend` takes the answers."
FORM_KEYS = "suspended-form-"
RESPONSE = re.compile(r"suspended-form-([0-9]+)-response")
AT_ONCE = 200  # what Prefect gives at once
IN_HAND = (StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)


@dataclass(frozen=True)
class Question:
    """A numbered form and the card above it."""

    number: int
    schema: Mapping[str, Any]
    card: str


@dataclass(frozen=True)
class Given:
    """What a handler filled in, and the form that it answers."""

    number: int
    response: Mapping[str, Any]


def deployment(client: SyncPrefectClient) -> UUID:
    """The deployment that the runs of tickets belong to; made where there is none. Nobody works it."""
    try:
        return client.read_deployment_by_name(DEPLOYMENT).id
    except ObjectNotFound:
        made = client.create_deployment(client.create_flow_from_name(FLOW), "desk", description=ABOUT)
    with suppress(ObjectNotFound):
        client.delete_deployment(client.read_deployment_by_name(OF_BEFORE).id)
    return made


def runs_of(client: SyncPrefectClient, *types: StateType) -> Iterator[FlowRun]:
    """The runs of tickets that are in one of these states, in any order, whatever their deployment.

    When a deployment is deleted, its runs stay and can still be answered.
    """
    which = FlowRunFilter(state=in_states(*types))
    offset = 0
    while True:
        page = client.read_flow_runs(
            flow_filter=of_flows(FLOW),
            flow_run_filter=which,
            limit=AT_ONCE,
            offset=offset,
            sort=FlowRunSort.ID_DESC,
        )
        yield from page
        if len(page) < AT_ONCE:
            return
        offset += len(page)


def make(
    client: SyncPrefectClient, belonging_to: UUID, reference: str, once: str, shown: View, question: Question
) -> tuple[str, list[Given] | None]:
    """Make a ticket's run with its form; who makes the same one again asks the one that is there."""
    run = client.create_flow_run_from_deployment(
        belonging_to,
        parameters={"reference": reference},
        idempotency_key=once,
        name=shown.name,
        tags=shown.tags,
        state=_paused(shown, question.number),
    )
    if shows(run, shown, question.number):
        _give(client, run.id, question)
        return str(run.id), []
    # a predecessor was killed over it
    return str(run.id), ask(client, belonging_to, str(run.id), shown, question)


def ask(
    client: SyncPrefectClient, belonging_to: UUID, run_id: str, shown: View, question: Question
) -> list[Given] | None:
    """Put a form in the place of the one before, unless that was answered; gives what was answered.

    Whoever filled in a new form before an earlier answer is applied would do so in vain. ``None`` is where
    the run is gone, or ended now since it belonged to another deployment, whose worker might work it.
    """
    run = UUID(run_id)
    try:
        if client.read_flow_run(run).deployment_id != belonging_to:
            return end(client, run_id, "Superseded", "another run shows this ticket") or None
        _give(client, run, question)
        if answers := given(client, run_id):
            return answers
        client.set_flow_run_state(run, _paused(shown, question.number), force=True)
        client.update_flow_run(run, name=shown.name, tags=shown.tags)
        kept = {key for number in (question.number, question.number - 1) for key in _keys(number).values()}
        return _clear(client, run, keep=kept)
    except ObjectNotFound:  # somebody deleted it, or Prefect's database is a new one
        return None


def end(
    client: SyncPrefectClient, run_id: str, name: str, message: str, shown: View | None = None
) -> list[Given]:
    """End a run, which takes no answer any more, and leave nothing of its forms behind.

    Gives what was answered to them: until that is deleted the run is in hand and does not end, so that it is
    found by whoever comes after a kill. A run that is gone is at its end.
    """
    run = UUID(run_id)
    try:
        client.set_flow_run_state(run, Pending(name="Ending"), force=True)
        if answers := _clear(client, run, keep=set()):
            return answers
        if shown:
            client.update_flow_run(run, name=shown.name, tags=shown.tags)
        client.set_flow_run_state(run, Completed(name=name, message=message), force=True)
    except ObjectNotFound:
        pass
    return []


def given(client: SyncPrefectClient, run_id: str) -> list[Given]:
    """What handlers answered to a run's forms, the earliest form first."""
    found = client.filter_flow_run_input(UUID(run_id), FORM_KEYS, AT_ONCE, exclude_keys=set())
    answers = [(int(number[1]), one) for one in found if (number := RESPONSE.fullmatch(one.key))]
    return [Given(number, _decoded(one)) for number, one in sorted(answers, key=itemgetter(0))]


def _decoded(one: FlowRunInput) -> Mapping[str, Any]:
    """What was filled in; nothing, where it cannot be read, so that it is refused and gone."""
    try:
        value = one.decoded_value
    except ValueError:
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def forget(client: SyncPrefectClient, run_id: str, number: int) -> None:
    """Delete what was answered to a form: it is applied, and Prefect need not know it any more."""
    try:
        client.delete_flow_run_input(UUID(run_id), key=_keys(number)["response"])
    except ObjectNotFound:
        return


def shows(run: FlowRun, shown: View, number: int) -> bool:
    """Whether a run is as it should be, and asks this form."""
    state = run.state
    if state is None or state.type is not StateType.PAUSED or state.name != shown.state:
        return False
    return (
        state.state_details.run_input_keyset == _keys(number)
        and run.name == shown.name
        and set(run.tags) == set(shown.tags)
    )


def _keys(number: int) -> dict[str, str]:
    """By what Prefect knows the inputs of a form: its schema, its card, and what is answered."""
    keyset = keyset_from_base_key(f"{FORM_KEYS}{number}")
    return {name: str(key) for name, key in keyset.items()}


def _paused(shown: View, number: int) -> State[Any]:
    details = StateDetails(pause_reschedule=True, pause_key=f"form-{number}", run_input_keyset=_keys(number))
    return State(type=StateType.PAUSED, name=shown.state, state_details=details)


def _give(client: SyncPrefectClient, run: UUID, question: Question) -> None:
    keys = _keys(question.number)
    _put(client, run, keys["schema"], question.schema)
    _put(client, run, keys["description"], question.card)


def _clear(client: SyncPrefectClient, run: UUID, *, keep: set[str]) -> list[Given]:
    """Delete earlier forms; gives what was answered to them, which stays until it is applied.

    The last but one stays for a page that was loaded before: its dialog would be empty.
    """
    for one in client.filter_flow_run_input(run, FORM_KEYS, AT_ONCE, exclude_keys=keep):
        if not RESPONSE.fullmatch(one.key):
            client.delete_flow_run_input(run, key=one.key)
    return given(client, str(run))


def _put(client: SyncPrefectClient, run: UUID, key: str, value: Any) -> None:
    """Write an input of a run; one that a killed predecessor left is replaced."""
    written = json.dumps(value)
    try:
        client.create_flow_run_input(run, key=key, value=written)
    except PrefectHTTPStatusError as error:
        if error.response.status_code != int(httpx.codes.CONFLICT):
            raise
        client.delete_flow_run_input(run, key=key)
        client.create_flow_run_input(run, key=key, value=written)
