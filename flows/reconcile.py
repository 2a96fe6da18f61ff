"""Reconcile: what lies down is started, and Prefect is cleared of what it would keep for good.

A shift that nobody works is begun, runs whose process died are marked, old housekeeping runs are
deleted. The runs of tickets are kept right by :mod:`.attend`, which is one of the shifts.
"""

from collections.abc import Sequence
from datetime import timedelta

from prefect import flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterStartTime,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.runtime import flow_run
from prefect.states import Crashed
from sqlalchemy import select

from ..models.leases import Lease
from . import dead_man
from .desk import in_states, of_flows, prefect_api
from .discretion import discreet
from .installation import Installation, installation
from .processes import has_died
from .shifts import start_shifts

SHIFTS = ("intake", "deliver", "attend")
SCHEDULED = ("sweep", "reconcile", "audit")
HOUSEKEEPING = (*SCHEDULED, *SHIFTS, dead_man.NAME)
KEEP_HOUSEKEEPING = timedelta(days=2)
BELIEVED = timedelta(minutes=15)
IN_HAND = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
AT_A_TIME = 200


@flow(name="reconcile", flow_run_name="reconcile")
def reconcile() -> int:
    """Mend what differs; gives how many shifts were begun."""
    with discreet("reconcile"):
        place = installation()
        stopped = set(SHIFTS) - set(_holders(place).values())
        start_shifts(stopped)
        bury_the_dead(place)
        forget_old_runs(place)
        dead_man.let_prefect_watch(place)
    return len(stopped)


def bury_the_dead(place: Installation) -> int:
    """Mark runs as crashed that Prefect believes in, though their process ended without a word."""
    at_work = {*_holders(place), flow_run.get_id()}
    before = FlowRunFilterStartTime.model_validate({"before_": place.clock() - BELIEVED})
    silent = FlowRunFilter(state=in_states(*IN_HAND), start_time=before)
    with prefect_api() as client:
        dead = [run for run in _runs_of(client, HOUSEKEEPING, silent) if str(run.id) not in at_work]
        for run in dead:
            client.set_flow_run_state(run.id, Crashed(message="its process ended silently"), force=True)
    return len(dead)


def forget_missed_runs(place: Installation) -> int:
    """Delete the sweeps, reconciliations and shifts that an outage made late; the next does their work."""
    missed = FlowRunFilterExpectedStartTime.model_validate({"before_": place.clock()})
    late = FlowRunFilter(state=in_states(StateType.SCHEDULED), expected_start_time=missed)
    return _delete(HOUSEKEEPING, late)


def forget_old_runs(place: Installation) -> int:
    """Delete housekeeping runs that ended days ago; runs of tickets stay."""
    before = FlowRunFilterEndTime.model_validate({"before_": place.clock() - KEEP_HOUSEKEEPING})
    return _delete(HOUSEKEEPING, FlowRunFilter(end_time=before))


def _delete(flows: Sequence[str], which: FlowRunFilter) -> int:
    with prefect_api() as client:
        runs = _runs_of(client, flows, which)
        for run in runs:
            client.delete_flow_run(run.id)
    return len(runs)


def _runs_of(client: SyncPrefectClient, flows: Sequence[str], which: FlowRunFilter) -> list[FlowRun]:
    return client.read_flow_runs(flow_filter=of_flows(*flows), flow_run_filter=which, limit=AT_A_TIME)


def _holders(place: Installation) -> dict[str, str]:
    """The runs that hold a lease, and which shift they work."""
    live = select(Lease).where(Lease.expires_at > place.clock())
    with place.database.reading() as session:
        leases = session.scalars(live).all()
    return {lease.holder: lease.name for lease in leases if not (lease.process and has_died(lease.process))}
