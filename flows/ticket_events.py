"""Events for automations: what happened to tickets is told to Prefect, once and without exception.

Prefect keeps what it got in memory for some seconds, so what was sent is looked for a little later, and
what was lost with a server that was killed, or never reached one that was away, is sent again.
"""

import logging
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.events.filters import EventFilter, EventIDFilter, EventOccurredFilter
from prefect.events.schemas.events import Event as PrefectEvent
from prefect.exceptions import PrefectException
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from sqlalchemy import func, select
from sqlalchemy.orm import Session, defer, joinedload

from ..models.cursors import Cursor
from ..models.desk import DeskRun
from ..models.owners import Owner
from ..models.ticket import Event, Ticket
from .event_facts import as_events
from .installation import Installation

LOG = logging.getLogger(__name__)
NAME = "prefect events"
AT_A_TIME = 500
LOOKED_FOR_AT_A_TIME = 50  # what Prefect gives at once
SECONDS = 3.0  # for each step of a request: a server that hangs must not hold up the desk
#: Prefect writes what it got within five seconds; until then nobody can say what it has.
TO_BE_WRITTEN = timedelta(seconds=10)
#: How long a missing number may be of a transaction under way; after it, of one that was rolled back.
UNDER_WAY = timedelta(minutes=1)


@dataclass(frozen=True)
class Told:
    """One event of a history as Prefect is told it, in the events that automations want of it."""

    number: int
    events: Sequence[PrefectEvent]


def emit_pending(place: Installation) -> int:
    """Tell Prefect what is new in the histories; gives how many events were sent.

    A Prefect server that is away is never an error: what it missed is sent when it is back. A first look
    begins at the present.
    """
    now = place.clock()
    with place.database.reading() as session:
        cursor = session.get(Cursor, NAME)
        newest = session.scalar(select(func.max(Event.id))) or 0
    if cursor is None:
        _keep(place, Cursor(name=NAME, settled=newest, doubtful=newest, sent=newest))
        return 0
    is_to_be_looked_for = cursor.sent_at is not None and now >= cursor.sent_at + TO_BE_WRITTEN
    sent = _send_again(place, cursor, now) if is_to_be_looked_for else 0
    return sent + (_send_new(place, cursor, now) if newest > cursor.sent else 0)


def _send_new(place: Installation, cursor: Cursor, now: datetime) -> int:
    """Send what follows, up to a number that is missing; that it was tried is written down before."""
    with place.database.reading() as session:
        told = _told(session, after=cursor.sent)
    following = _in_one_piece(told, None if _may_be_passed(cursor, now) else cursor.sent)
    if not following:
        if cursor.waiting_since is None:
            cursor.waiting_since = now
            _keep(place, cursor)
        return 0
    cursor.sent, cursor.waiting_since = following[-1].number, None
    if cursor.sent_at is None:
        cursor.doubtful, cursor.sent_at = cursor.sent, now
    _keep(place, cursor)
    return _deliver(following)


def _send_again(place: Installation, cursor: Cursor, now: datetime) -> int:
    """Look for what was sent, and send what Prefect does not have."""
    with place.database.reading() as session:
        doubtful = _told(session, after=cursor.settled, until=cursor.doubtful)
    try:
        with _prefect() as client:
            known = _known(client, doubtful)
            missing = [replace(one, events=[e for e in one.events if e.id not in known]) for one in doubtful]
            sent = _post(client, missing)
    except (httpx.HTTPError, PrefectException, ValueError) as error:
        LOG.warning("events are not told to Prefect yet: %s", type(error).__name__)
        cursor.sent_at = now
        _keep(place, cursor)
        return 0
    cursor.settled = doubtful[-1].number if len(doubtful) == AT_A_TIME else cursor.doubtful
    if cursor.settled == cursor.doubtful:
        cursor.doubtful, cursor.sent_at = cursor.sent, (now if cursor.sent > cursor.settled else None)
    _keep(place, cursor)
    return sent


def _keep(place: Installation, cursor: Cursor) -> None:
    with place.database.unit_of_work() as session:
        session.merge(cursor)


def _may_be_passed(cursor: Cursor, now: datetime) -> bool:
    return cursor.waiting_since is not None and now >= cursor.waiting_since + UNDER_WAY


def _in_one_piece(told: Sequence[Told], before: int | None) -> list[Told]:
    """Those that follow on each other; PostgreSQL may show a later number before an earlier one."""
    piece = list[Told]()
    for one in told:
        if before is not None and one.number != before + 1:
            break
        piece.append(one)
        before = one.number
    return piece


def _told(session: Session, *, after: int, until: int | None = None) -> list[Told]:
    """Events by their numbers; the sealed columns are not even read."""
    ticket = joinedload(Event.ticket)
    entries = (
        select(Event, DeskRun.run_id)
        .join(DeskRun, DeskRun.ticket_id == Event.ticket_id, isouter=True)
        .where(Event.id > after)
        .order_by(Event.id)
        .limit(AT_A_TIME)
        .options(defer(Event.because, raiseload=True))
        .options(ticket.defer(Ticket.routed_because, raiseload=True), ticket.joinedload(Ticket.owner))
    )
    if until is not None:
        entries = entries.where(Event.id <= until)
    owners = frozenset(session.scalars(select(Owner.name))) | {"triage"}
    return [
        Told(entry.id, list(as_events(entry, run_id, owners)))
        for entry, run_id in session.execute(entries).tuples()
    ]


def _deliver(told: Sequence[Told]) -> int:
    try:
        with _prefect() as client:
            return _post(client, told)
    except (httpx.HTTPError, PrefectException, ValueError) as error:
        LOG.warning("events are not told to Prefect yet: %s", type(error).__name__)
        return 0


@contextmanager
def _prefect() -> Generator[SyncPrefectClient]:
    """A client that gives up soon: who asks comes again."""
    with (
        temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}),
        get_client(sync_client=True, httpx_settings={"timeout": SECONDS}) as client,
    ):
        yield client


def _post(client: SyncPrefectClient, told: Iterable[Told]) -> int:
    events = [event.model_dump(mode="json") for one in told for event in one.events]
    if events:
        client.request("POST", "/events", json=events)
    return len(events)


def _known(client: SyncPrefectClient, told: Iterable[Told]) -> set[UUID]:
    """Which of these events Prefect has written down."""
    events = [event for one in told for event in one.events]
    known = set[UUID]()
    for first in range(0, len(events), LOOKED_FOR_AT_A_TIME):
        some = events[first : first + LOOKED_FOR_AT_A_TIME]
        instants = [event.occurred for event in some]
        wanted = EventFilter(
            id=EventIDFilter(id=[event.id for event in some]),
            occurred=EventOccurredFilter(since=min(instants), until=max(instants)),
        )
        page = client.read_events(wanted, limit=LOOKED_FOR_AT_A_TIME)
        known |= {event.id for event in page.events}
    return known
