"""A ticket as Prefect shows it: written down what is to be shown, told to Prefect, written down that it was.

A kill between any two steps leaves ``DeskRun.shown`` empty, and the ticket is shown again. What was
answered to a form that was replaced meanwhile is given back, to be applied.
"""

import hashlib
import inspect
import json
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient

from ..models.desk import DeskRun, desk_run_of
from ..models.states import CLOSE_LABELS
from ..models.ticket import Ticket, ticket_called
from ..models.vault import vault
from . import acting, card, forms, runs, view
from .answer_templates import answer_templates
from .desk import local
from .installation import Records
from .runs import Given, Question
from .view import View

MOST_MADE = 10


@dataclass(frozen=True)
class Showing:
    """What is to be shown of a ticket; without a question it is closed."""

    reference: str
    view: View
    question: Question | None
    end: str
    digest: str
    seq: int
    run_id: str | None
    made: int
    once: str


def show(
    place: Records, client: SyncPrefectClient, deployment: UUID, reference: str, *, anyhow: bool = False
) -> tuple[str | None, list[Given]]:
    """Show a ticket as it is now; gives its run, and what was answered while that was done.

    ``anyhow``: Prefect may show something else than what it was told.
    """
    wanted = prepare(place, reference, anyhow=anyhow)
    if wanted is None:
        return None, []
    run_id, made, answers = wanted.run_id, wanted.made, list[Given]()
    if wanted.question is not None:
        run_id, made, answers = _ask(client, deployment, wanted, wanted.question)
    elif run_id:
        answers = runs.end(client, run_id, "Closed", wanted.end, wanted.view)
    _was_shown(place, wanted, run_id, made, is_whole=not answers)
    return run_id, answers


def _ask(
    client: SyncPrefectClient, deployment: UUID, wanted: Showing, question: Question
) -> tuple[str, int, list[Given]]:
    if wanted.run_id:
        answers = runs.ask(client, deployment, wanted.run_id, wanted.view, question)
        if answers is not None:
            return wanted.run_id, wanted.made, answers
    for made in range(wanted.made + 1, wanted.made + MOST_MADE):
        once = f"{wanted.once}/{deployment}/{made}"
        run_id, answers = runs.make(client, deployment, wanted.reference, once, wanted.view, question)
        if answers is not None:
            return run_id, made, answers
    raise LookupError(f"{wanted.reference}: no number is left for its run")


def prepare(place: Records, reference: str, *, anyhow: bool) -> Showing | None:
    """What is to be shown, its form numbered; ``None`` when Prefect was told so already."""
    now = place.clock()
    with place.database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        row = desk_run_of(session, ticket)
        shown = view.view(place, session, ticket)
        schema, written = dict[str, Any](), ""
        if ticket.is_open:
            schema = forms.form(forms.offer(place, session, ticket, row)).model_json_schema()
            written = card.card(place, session, ticket, row)
        digest = _digest(shown, {**schema, "properties": _without_seen(schema)}, written)
        if not anyhow and row.shown is not None and row.shown.get("digest") == digest:
            _note(row, shown, digest, row.shown["number"], len(ticket.history), place)
            return None
        if ticket.is_open:
            row.asked += 1
            row.asked_after = len(ticket.history)
        row.shown = None
        stands = f"{written}\n\n*As it stands {local(place, now)}.*"
        return Showing(
            reference=reference,
            view=shown,
            question=Question(row.asked, schema, stands) if ticket.is_open else None,
            end=_end(ticket),
            digest=digest,
            seq=len(ticket.history),
            run_id=row.run_id,
            made=row.made,
            once=_once(reference, ticket.opened_at),
        )


def _was_shown(place: Records, wanted: Showing, run_id: str | None, made: int, *, is_whole: bool) -> None:
    """Write down what Prefect was told; only where, while answers are to be taken: after a kill they are."""
    with place.database.unit_of_work() as session:
        row = desk_run_of(session, ticket_called(session, wanted.reference))
        row.run_id, row.made = run_id, made
        number = wanted.question.number if wanted.question else 0
        if is_whole:
            _note(row, wanted.view, wanted.digest, number, wanted.seq, place)


def _note(row: DeskRun, shown: View, digest: str, number: int, seq: int, place: Records) -> None:
    row.shown_until = shown.until
    row.shown = {
        "name": shown.name,
        "state": shown.state,
        "tags": list(shown.tags),
        "number": number,
        "seq": seq,
        "digest": digest,
        "look": look(place),
    }


def was_shown(row: DeskRun | None) -> View | None:
    """What Prefect was last told; ``None`` while it was not told all of it."""
    if row is None or row.shown is None:
        return None
    return View(row.shown["name"], row.shown["state"], tuple(row.shown["tags"]), row.shown_until)


def look(place: Records) -> str:
    """A digest of how tickets are shown: of our code and of what the settings offer in forms.

    Where it changes every ticket is shown anew.
    """
    offered = [[person.name for person in place.config.triage], list(answer_templates(place.config))]
    settings = place.config.desk.model_dump_json()
    return hashlib.sha256(f"{_code()}{offered}{settings}".encode()).hexdigest()[:16]


@cache
def _code() -> str:
    return "".join(inspect.getsource(module) for module in (acting, card, forms, runs, view))


def is_of(idempotency_key: str, reference: str, opened_at: datetime) -> bool:
    """Whether a run was made for this ticket, and not for that of another database's same number."""
    return idempotency_key.startswith(f"{_ticket(reference, opened_at)}/")


def is_ours(idempotency_key: str) -> bool:
    """Whether this desk made a run, be it for a ticket that a restored database does not know."""
    return idempotency_key.split("/")[2:3] == [_desk()]


def _once(reference: str, opened_at: datetime) -> str:
    return f"{_ticket(reference, opened_at)}/{_desk()}"


def _ticket(reference: str, opened_at: datetime) -> str:
    return f"{reference}/{opened_at.isoformat()}"


def _desk() -> str:
    """What tells this desk from others on the same Prefect server, and stays when a backup is restored."""
    return vault.keyed_digest("runs in Prefect")[:16]


def _digest(shown: View, schema: dict[str, Any], written: str) -> str:
    content = [shown.name, shown.state, shown.tags, schema, written]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def _without_seen(schema: dict[str, Any]) -> dict[str, Any]:
    return {name: field for name, field in schema.get("properties", {}).items() if name != "seen"}


def _end(ticket: Ticket) -> str:
    if ticket.close_reason is None:
        return f"{ticket.reference} is closed"
    return f"{ticket.reference} is closed: {CLOSE_LABELS[ticket.close_reason][1]}"
