"""The handlers' desk: one Prefect run per open ticket, made, named and tagged after the ticket.

What stands in Prefect is the reference, the state, the owner and dates; never a word of a report,
nor who sent it. The run can be lost at any time: `reconcile` makes it anew from the ticket.
"""

import logging
import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import ObjectNotFound, PrefectException, PrefectHTTPStatusError
from prefect.states import Completed

from ..models.clocks import Clock, ClockKind
from ..models.desk import DeskRun, desk_run_of
from ..models.severity import UNRATED
from ..models.states import STATE_LABELS
from ..models.ticket import Ticket, ticket_called
from .installation import Installation, Records

LOG = logging.getLogger(__name__)
#: Said of what was written where a report came without an address, and no link was given out.
NOBODY = "nobody can be told"
DEPLOYMENT = "ticket/ticket"


FORM_KEYS = "suspended-form-"
RESPONSE = re.compile(r"suspended-form-([0-9]+)-response")
MOST_INPUTS = 200  # what Prefect gives at once; a form leaves two behind
TWO_YEARS = 2 * 365 * 24 * 3600  # in seconds, as the UI counts
BELIEVED = timedelta(minutes=5)  # a run of a ticket works for seconds and then waits


@dataclass(frozen=True)
class View:
    """What Prefect shows of a ticket."""

    name: str
    tags: list[str]
    is_open: bool
    since: str


@contextmanager
def prefect_api() -> Generator[SyncPrefectClient]:
    """A client of the Prefect API; it tries again by itself what a busy server refuses."""
    with get_client(sync_client=True) as client:
        yield client


def show(place: Installation, reference: str) -> str:
    """Make the ticket's run if there is none, name it after the ticket, and give its id.

    Two who do so at once get the same run: Prefect knows it by its idempotency key.
    """
    with place.database.reading() as session:
        ticket = ticket_called(session, reference)
        view = _view(place, ticket)
        row = session.get(DeskRun, ticket.id)
        run_id, made = (row.run_id, row.made) if row else (None, 0)
    with prefect_api() as client:
        if run_id is not None and _renew(client, run_id, view, place.clock()):
            return run_id
        dead, run_id = run_id, _make(client, reference, made + 1, view)
        if dead is not None:
            _take_over_answers(client, dead, run_id)
    with place.database.unit_of_work() as session:
        row = desk_run_of(session, ticket_called(session, reference))
        row.run_id, row.made = run_id, made + 1
    return run_id


def _view(place: Installation, ticket: Ticket) -> View:
    return View(
        name=run_name(place, ticket),
        tags=run_tags(ticket),
        is_open=ticket.is_open,
        since=ticket.opened_at.isoformat(),
    )


def key_of_form(number: int) -> str:
    """By what Prefect knows the form of this number."""
    return f"form-{number}"


def key_of_response(number: int) -> str:
    """Where Prefect keeps what a handler filled in."""
    return f"suspended-{key_of_form(number)}-response"


def given_answers(run_id: str) -> list[tuple[int, Any]]:
    """What handlers answered to a run's forms, by the forms' numbers."""
    with prefect_api() as client:
        given = client.filter_flow_run_input(UUID(run_id), FORM_KEYS, MOST_INPUTS, exclude_keys=set())
    answers = [(number_of_response(one.key), one.decoded_value) for one in given]
    return sorted(((number, value) for number, value in answers if number), key=itemgetter(0))


def number_of_response(key: str) -> int:
    """Which form an input of a run answers; 0 for one that is no answer."""
    found = RESPONSE.fullmatch(key)
    return int(found[1]) if found else 0


def worklist(place: Installation) -> str:
    """Where handlers find the open tickets. Without a range Prefect hides what is older than a week."""
    return f"{place.config.prefect_ui}/runs?tag=ticket&state=Suspended&type=span&seconds=-{TWO_YEARS}"


def run_address(place: Installation, run_id: str | None) -> str:
    """Where handlers find a ticket's run; the list of all while it is not made yet."""
    return f"{place.config.prefect_ui}/runs/flow-run/{run_id}" if run_id else worklist(place)


def run_name(place: Installation, ticket: Ticket) -> str:
    """What the list of runs shows: number, state, owner, when the answer is due."""
    parts = [ticket.reference, STATE_LABELS[ticket.state][1], ticket.owner_name, _due_in_short(place, ticket)]
    return " · ".join(part for part in parts if part)


def run_tags(ticket: Ticket) -> list[str]:
    """By what the list of runs is filtered."""
    return [
        "ticket",
        f"owner:{ticket.owner_name}",
        f"severity:{ticket.severity or UNRATED}",
        f"state:{ticket.state.value.lower()}",
        f"waiting:{ticket.waiting_on.value}",
    ]


def local(place: Records, instant: datetime) -> str:
    """An instant as handlers read it: ``Thu 26 Nov 14:05``."""
    return f"{instant.astimezone(ZoneInfo(place.config.organisation.zone)):%a %d %b %H:%M}"


def response_clock(ticket: Ticket) -> Clock:
    """The ticket's response clock."""
    return next(clock for clock in ticket.clocks if clock.kind == ClockKind.RESPONSE)


def was_for_nobody(ticket: Ticket, at: datetime) -> bool:
    """Whether what was written then can be told to nobody, so that it was neither in time nor late."""
    return not ticket.reporter.address and any(
        entry.kind == "unreachable" and entry.at == at for entry in ticket.history
    )


def answered(place: Records, ticket: Ticket) -> str:
    """When the reporter was answered; empty while they are not."""
    at = response_clock(ticket).stopped_at
    if at is None:
        return ""
    if was_for_nobody(ticket, at):
        return f"written {local(place, at)}, {NOBODY}"
    return f"answered {local(place, at)}"


def _due_in_short(place: Installation, ticket: Ticket) -> str:
    clock = response_clock(ticket)
    if clock.stopped_at is not None:
        return answered(place, ticket)
    return f"due {local(place, clock.due_at)}" if ticket.is_open else ""


def _renew(client: SyncPrefectClient, run_id: str, view: View, now: datetime) -> bool:
    """Give a run its name and tags; ``False`` when the ticket needs another run."""
    try:
        run = client.read_flow_run(UUID(run_id))
    except ObjectNotFound:
        return False
    if view.is_open and run.state is not None and _cannot_be_answered(run.state, now):
        return False
    if not view.is_open and run.state is not None and run.state.is_paused():
        client.set_flow_run_state(run.id, Completed(name="Closed"), force=True)
    if run.name != view.name or sorted(run.tags) != sorted(view.tags):
        client.update_flow_run(run.id, name=view.name, tags=view.tags)
    return True


def _take_over_answers(client: SyncPrefectClient, dead: str, living: str) -> None:
    """Give what handlers answered to a run that died to the run in its place, and leave nothing behind."""
    try:
        given = client.filter_flow_run_input(UUID(dead), FORM_KEYS, MOST_INPUTS, exclude_keys=set())
    except ObjectNotFound:
        return
    for one in given:
        if number_of_response(one.key):
            _copy_input(client, living, one.key, one.value)
        client.delete_flow_run_input(UUID(dead), key=one.key)


def _copy_input(client: SyncPrefectClient, run_id: str, key: str, value: str) -> None:
    try:
        client.create_flow_run_input(UUID(run_id), key=key, value=value)
    except PrefectHTTPStatusError as error:
        if error.response.status_code != int(httpx.codes.CONFLICT):  # it was copied before
            raise


def _cannot_be_answered(state: State[Any], now: datetime) -> bool:
    """Whether nobody will ever be asked by this run: it is over, or its process died unseen."""
    is_in_hand = state.is_pending() or state.is_running() or state.is_cancelling()
    return state.is_final() or (is_in_hand and state.timestamp < now - BELIEVED)


def _make(client: SyncPrefectClient, reference: str, number: int, view: View) -> str:
    """Make the run; ``since`` tells it from that of another database's ticket of the same number."""
    deployment = client.read_deployment_by_name(DEPLOYMENT)
    run = client.create_flow_run_from_deployment(
        deployment.id,
        parameters={"reference": reference},
        idempotency_key=f"{reference}/{view.since}/{number}",
        name=view.name,
        tags=view.tags,
    )
    return str(run.id)


def show_if_possible(place: Installation, reference: str) -> None:
    """Like :func:`show`, but a Prefect server that is away is left to `reconcile`."""
    try:
        show(place, reference)
    except (httpx.HTTPError, PrefectException) as error:
        LOG.warning("%s is not shown in Prefect yet: %s", reference, type(error).__name__)
