"""Reconcile: what Prefect shows is made to agree with the database, and what lies down is started.

The database is the truth. A run that was deleted, cancelled or crashed is made anew, one that has
an old name gets the new one, and a shift that nobody works is begun. Old housekeeping runs are
deleted, because Prefect keeps every run for good.
"""

import logging
from datetime import timedelta

from prefect import flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from sqlalchemy import or_, select

from ..models.leases import Lease
from ..models.states import TicketState
from ..models.ticket import Ticket
from . import desk
from .discretion import discreet
from .installation import Installation, installation

LOG = logging.getLogger(__name__)
SHIFTS = ("intake", "deliver")
HOUSEKEEPING = ("sweep", "reconcile", "intake", "deliver")
KEEP_HOUSEKEEPING = timedelta(days=2)
CLOSED_LATELY = timedelta(days=1)
AT_A_TIME = 200


@flow(name="reconcile", flow_run_name="reconcile")
def reconcile() -> int:
    """Mend what differs; gives how many tickets were looked at."""
    with discreet("reconcile"):
        place = installation()
        start_idle_shifts(place)
        references = _tickets_to_show(place)
        for reference in references:
            desk.show(place, reference)
        forget_old_runs(place)
        return len(references)


def start_idle_shifts(place: Installation) -> list[str]:
    """Start the shifts whose lease nobody holds."""
    idle = [name for name in SHIFTS if not _is_worked(place, name)]
    with desk.prefect_api() as client:
        for name in idle:
            deployment = client.read_deployment_by_name(f"{name}/{name}")
            if not _is_on_its_way(client, name):
                client.create_flow_run_from_deployment(deployment.id)
                LOG.info("nobody was at work on %s: started", name)
    return idle


def forget_old_runs(place: Installation) -> int:
    """Delete housekeeping runs that ended days ago; runs of tickets stay."""
    before = FlowRunFilterEndTime.model_validate({"before_": place.clock() - KEEP_HOUSEKEEPING})
    with desk.prefect_api() as client:
        old = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=list(HOUSEKEEPING))),
            flow_run_filter=FlowRunFilter(end_time=before),
            limit=AT_A_TIME,
        )
        for run in old:
            client.delete_flow_run(run.id)
    return len(old)


def _is_worked(place: Installation, shift: str) -> bool:
    with place.database.reading() as session:
        lease = session.get(Lease, shift)
        return lease is not None and lease.expires_at > place.clock()


def _is_on_its_way(client: SyncPrefectClient, flow_name: str) -> bool:
    coming = FlowRunFilterStateType(any_=[StateType.SCHEDULED, StateType.PENDING])
    return bool(
        client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[flow_name])),
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=coming)),
            limit=1,
        )
    )


def _tickets_to_show(place: Installation) -> list[str]:
    """The open tickets, and those closed so lately that their run may not know it yet."""
    lately = place.clock() - CLOSED_LATELY
    shown = select(Ticket.reference).where(or_(Ticket.state != TicketState.CLOSED, Ticket.closed_at > lately))
    with place.database.reading() as session:
        return list(session.scalars(shown.order_by(Ticket.id)))
