"""Attend: the handlers' desk is kept, in one long-running shift.

Every turn takes up the runs whose *Resume* was pressed, carries out what was confirmed, and shows the
tickets whose history has grown. Now and then all runs are compared with all open tickets, so that what
was deleted, cancelled or changed by hand, or a new Prefect database, is mended. The database is the
truth; nothing here is needed for a ticket to go on.
"""

import logging
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from datetime import timedelta

import httpx
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import PrefectException
from sqlalchemy import select

from ..models import confirmations
from ..models.desk import (
    DeskRun,
    Shown,
    ticket_of_run,
    tickets_changed_by_time,
    tickets_of_the_last_events,
    tickets_to_show,
)
from ..models.ticket import Ticket
from . import overview, runs, showing, ticket_events
from .answers import carry_out_confirmed, let_expire, take_answer
from .desk import prefect_api
from .discretion import WorkFailed, discreet
from .installation import Installation, installation
from .runs import Given
from .saved_links import OPEN_STATES
from .shifts import Shift, begin_again, tell

PAUSE_SECONDS = 0.5
ROUND_SECONDS = 20.0
REFRESH_SECONDS = 30.0
LOOK_BACK = 1_000  # events: those of transactions that end later than one that began after them
AT_ONCE = 10  # tickets shown before it is looked again whether somebody pressed Resume
OUTAGE_SECONDS = 5.0
LATELY = timedelta(days=1)
GIVEN_UP = (
    "a form was answered of a ticket that the database does not know, as after restoring an older one; the"
    " answer is deleted unread: tell the handlers to look which ticket it is now, and to decide again"
)


@flow(name="attend", flow_run_name="attend", on_crashed=[begin_again])
def attend(minutes: float | None = None) -> int:
    """Keep the desk, for a shift or (``minutes`` 0) once; gives how many answers were taken."""
    with discreet("attend"):
        place, taken = installation(), 0
        with Shift("attend", place, minutes=minutes) as shift, prefect_api() as client:
            desk = Desk(place, client)
            for _ in shift.turns(pause=PAUSE_SECONDS):
                with shift.enduring():
                    taken += _turn(desk, shift)
        return taken


def _turn(desk: "Desk", shift: Shift) -> int:
    taken = 0
    try:
        while shift.is_ours():
            taken += desk.carry_out_confirmed()  # first, for it needs no Prefect
            taken += desk.take_answers()
            desk.look_around()
            if not desk.show_some():
                break
        shift.worked()
    except (httpx.HTTPError, PrefectException) as error:
        if shift.is_single:
            raise
        tell(f"Prefect is out of reach ({type(error).__name__}); trying again")
        time.sleep(OUTAGE_SECONDS)
    return taken


class Desk:
    """The runs of all open tickets, and what is to be done about them."""

    def __init__(self, place: Installation, client: SyncPrefectClient) -> None:
        self._place = place
        self._client = client
        self._deployment = runs.deployment(client)
        self._to_show: dict[str, bool] = {}
        self._failed = set[str]()
        self._seen = set[int]()
        self._next_round = self._next_refresh = 0.0

    def take_answers(self) -> int:
        """Apply what handlers answered; gives how many of them."""
        taken = 0
        for run in list(runs.runs_of(self._client, StateType.SCHEDULED)):
            reference = self._ticket_of(str(run.id)) or self._ticket_of_stray(run)
            with _by_itself(reference or "a run of no ticket"):
                if reference is not None:
                    taken += self._take(reference, runs.given(self._client, str(run.id)), str(run.id))
                self._end_if_stray(run)
        return taken

    def look_around(self) -> None:
        """Find what is to be shown: news, what changes by time, and now and then whatever differs."""
        now = time.monotonic()
        if now >= self._next_round:
            self.go_round()
            self._next_round = now + ROUND_SECONDS
        for reference in self._news():
            if reference not in self._failed:
                self._to_show.setdefault(reference, False)
        if now >= self._next_refresh:
            with _by_itself("overview"):
                overview.refresh(self._place)
            with _by_itself("confirmations"):
                self._to_show.update(dict.fromkeys(let_expire(self._place), True))
            self._next_refresh = now + REFRESH_SECONDS
        with _by_itself("events"):
            ticket_events.emit_pending(self._place)

    def show_some(self) -> int:
        """Show some of the tickets that are to be shown; gives how many.

        What fails is tried again in the next round, not at once and for ever.
        """
        some = list(self._to_show)[:AT_ONCE]
        for reference in some:
            anyhow = self._to_show.pop(reference)
            self._failed.add(reference)
            with _by_itself(reference):
                self._show(reference, anyhow=anyhow)
                self._failed.remove(reference)
        return len(some)

    def _show(self, reference: str, *, anyhow: bool) -> None:
        run_id, answers = showing.show(self._place, self._client, self._deployment, reference, anyhow=anyhow)
        if run_id and answers:
            self._take(reference, answers, run_id)

    def _take(self, reference: str, answers: Iterable[Given], run_id: str) -> int:
        """Apply answers, delete them from Prefect, and ask anew."""
        taken = 0
        for one in answers:
            outcome = take_answer(self._place, reference, one.number, one.response)
            runs.forget(self._client, run_id, one.number)
            tell(f"{reference}: {outcome}", logging.INFO)
            taken += 1
        self._show(reference, anyhow=True)
        return taken

    def carry_out_confirmed(self) -> int:
        """Do what was confirmed by links; gives how many of them."""
        with self._place.database.reading() as session:
            waiting = confirmations.to_be_done(session)
        for number in waiting:
            with _by_itself(f"confirmation {number}"):
                reference = carry_out_confirmed(self._place, number)
                if reference:
                    self._to_show[reference] = True
        return len(waiting)

    def _ticket_of(self, run_id: str) -> str | None:
        with self._place.database.reading() as session:
            return ticket_of_run(session, run_id)

    def _ticket_of_stray(self, run: FlowRun) -> str | None:
        """The ticket of a run of ours that nobody knows of: whoever made it was killed over it."""
        reference, key = str(run.parameters.get("reference", "")), run.idempotency_key
        theirs = select(Ticket.opened_at).where(Ticket.reference == reference)
        with self._place.database.reading() as session:
            opened_at = session.scalars(theirs).one_or_none()
        is_ours = key and opened_at and showing.is_of(key, reference, opened_at)
        return reference if is_ours else None

    def _end_if_stray(self, run: FlowRun) -> None:
        """End a run that was started by hand, whose ticket another one shows, or that is of none."""
        reference, key, run_id = self._ticket_of_stray(run), run.idempotency_key, str(run.id)
        shows = select(DeskRun.run_id).join(Ticket).where(Ticket.reference == reference)
        with self._place.database.reading() as session:
            shown_by = session.scalars(shows).one_or_none()
        if key is None or shown_by not in (None, run_id):
            self._end(run_id, "another run shows this ticket", reference)
        elif reference is None and showing.is_ours(key) and self._ticket_of(run_id) is None:
            self._end(run_id, "the database has no such ticket", None, was=key.partition("/")[0])

    def _end(self, run_id: str, why: str, reference: str | None, *, was: str = "a run made by hand") -> None:
        """End a run for good; what was answered is applied first, or deleted where no ticket is known."""
        answers = runs.end(self._client, run_id, "Superseded", why)
        if not answers:
            return
        if reference is not None:
            self._take(reference, answers, run_id)
        else:
            for one in answers:
                tell(f"{was}: {GIVEN_UP}", logging.ERROR)
                runs.forget(self._client, run_id, one.number)
        runs.end(self._client, run_id, "Superseded", why)

    def _news(self) -> list[str]:
        """The tickets of events that were not seen yet, and those that are shown otherwise by now."""
        with self._place.database.reading() as session:
            found = tickets_of_the_last_events(session, LOOK_BACK)
            changed = tickets_changed_by_time(session, self._place.clock())
        news = [reference for number, reference in found.items() if number not in self._seen]
        self._seen = set(found)
        return news + changed

    def go_round(self) -> None:
        """Compare every run with its ticket."""
        self._deployment = runs.deployment(self._client)
        self._failed.clear()
        alive = {str(run.id): run for run in runs.runs_of(self._client, StateType.PAUSED, *runs.IN_HAND)}
        look, closed_after = showing.look(self._place), self._place.clock() - LATELY
        with self._place.database.reading() as session:
            tickets = tickets_to_show(session, closed_after=closed_after)
        for one in sorted(tickets, key=_urgency):
            run = alive.pop(one.row.run_id or "", None) if one.row else None
            was_pressed = run is not None and run.state is not None and run.state.is_scheduled()
            is_ours = run is None or run.deployment_id == self._deployment
            if not was_pressed and not (is_ours and _is_right(one, run, look)):
                self._to_show[one.reference] = True
        for run_id, run in alive.items():
            if reference := self._ticket_of(run_id):  # it was closed long ago
                self._to_show[reference] = True
            else:
                with _by_itself(f"run {run_id}"):
                    self._end_if_stray(run)


def _urgency(one: Shown) -> int:
    """Where a ticket stands among those that have to be shown anew, by how it was shown last."""
    shown = showing.was_shown(one.row)
    return OPEN_STATES.index(shown.state) if shown and shown.state in OPEN_STATES else len(OPEN_STATES)


def _is_right(one: Shown, run: FlowRun | None, look: str) -> bool:
    """Whether Prefect shows a ticket as it is."""
    row, shown = one.row, showing.was_shown(one.row)
    if row is None or row.shown is None or shown is None or row.shown["seq"] != one.seq:
        return False
    if not one.is_open:
        return run is None
    return run is not None and row.shown["look"] == look and runs.shows(run, shown, row.shown["number"])


@contextmanager
def _by_itself(work: str) -> Generator[None]:
    """Do one thing; that it fails is told, and keeps nothing else from being done."""
    try:
        with discreet(work):
            yield
    except WorkFailed as failure:
        tell(str(failure), logging.ERROR)
