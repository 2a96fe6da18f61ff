"""How the handlers' desk says times and answers, and the door to Prefect's API: for all that shows a ticket.

What stands in Prefect is the reference, the state, names of owners and handlers, and dates; never a word
of a report, nor who sent it.
"""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from zoneinfo import ZoneInfo

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType

from ..models.clocks import Clock, ClockKind
from ..models.ticket import Ticket
from .installation import Records

#: Said of what was written where a report came without an address, and no link was given out.
NOBODY = "nobody can be told"


@contextmanager
def prefect_api() -> Generator[SyncPrefectClient]:
    """A client of the Prefect API; it tries again by itself what a busy server refuses."""
    with get_client(sync_client=True) as client:
        yield client


def of_flows(*names: str) -> FlowFilter:
    """Asks Prefect for the runs of these flows."""
    return FlowFilter(name=FlowFilterName(any_=list(names)))


def in_states(*types: StateType) -> FlowRunFilterState:
    """Asks Prefect for runs in one of these states."""
    return FlowRunFilterState(type=FlowRunFilterStateType(any_=list(types)))


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
