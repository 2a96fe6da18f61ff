"""Links to views of the desk, to be saved: lists of runs by state and tag, and the pages of :mod:`.overview`.

They are of Prefect's V1 UI. Without a range it hides runs of more than a week ago. Of several tags a run has
to have all, of several states one; runs of closed tickets keep most of their tags, so each link names states.
"""

from collections.abc import Sequence
from urllib.parse import urlencode

from sqlalchemy.orm import Session

from ..models.desk import DeskRun
from ..models.states import STATE_LABELS, TicketState
from ..models.ticket import Ticket, WaitingOn
from .artifacts import page
from .installation import Records
from .view import SLA_LABELS, WAITING, Sla

TWO_YEARS = 2 * 365 * 24 * 3600  # in seconds, as the UI counts
OVERDUE, DUE_SOON = (SLA_LABELS[sla] for sla in (Sla.OVERDUE, Sla.DUE_SOON))
#: What the run of an open ticket may be called, the most urgent first.
OPEN_STATES = (
    *SLA_LABELS.values(),
    *(labels[1] for state, labels in STATE_LABELS.items() if state is not TicketState.CLOSED),
    *WAITING.values(),
)
OPEN_TICKETS, TODAY, PROMISE = "open-tickets", "today", "promise"
BY_HAND = "by-hand"  # the tag of the deployments that handlers start


def runs(place: Records, *tags: str, states: Sequence[str] = OPEN_STATES) -> str:
    """The list of the tickets' runs that are in one of these states and have all of these tags, by number."""
    asked = [("tag", "ticket"), *(("tag", tag) for tag in tags), *(("state", state) for state in states)]
    asked += [("type", "span"), ("seconds", f"-{TWO_YEARS}"), ("flow-runs-sort", "NAME_ASC")]
    return f"{place.config.prefect_ui}/runs?{urlencode(asked, safe=':')}"


def deployments_by_hand(place: Records) -> str:
    """The list of the deployments that handlers start, without those that run by themselves."""
    return f"{place.config.prefect_ui}/deployments?{urlencode({'deployments.tags.name': BY_HAND})}"


def run_address(place: Records, reference: str, run_id: str | None) -> str:
    """Where handlers find a ticket's run; while it is not made yet, the list that it will stand in alone."""
    if run_id:
        return f"{place.config.prefect_ui}/runs/flow-run/{run_id}"
    return f"{runs(place)}&{urlencode({'flow-run-search': reference})}"


def address_of(place: Records, session: Session, ticket: Ticket) -> str:
    """Where handlers find a ticket's run."""
    row = session.get(DeskRun, ticket.id)
    return run_address(place, ticket.reference, row.run_id if row else None)


def saved_links(place: Records, *, owner: str = "Webteam", handler: str = "Balie") -> dict[str, str]:
    """The address of every view by what it shows; two are of somebody, whom the link names."""
    reporter, supplier = (f"waiting:{whom.value}" for whom in (WaitingOn.REPORTER, WaitingOn.SUPPLIER))
    return {
        "Today's duty": page(place, TODAY),
        "Open tickets by due date": page(place, OPEN_TICKETS),
        "How the promise was kept": page(place, PROMISE),
        "All open tickets": runs(place),
        "Overdue": runs(place, states=[OVERDUE]),
        "Due soon": runs(place, states=[DUE_SOON]),
        f"Of the owner {owner}": runs(place, f"owner:{owner}"),
        f"Of the handler {handler}": runs(place, f"handler:{handler}"),
        "Waiting for the reporter": runs(place, reporter),
        "Waiting for a supplier": runs(place, supplier),
        "On hold": runs(place, f"state:{TicketState.DEFERRED.value.lower()}"),
        "Acts on many tickets, and rare ones": deployments_by_hand(place),
    }
