"""The page behind the link in the mail of a rung: whoever got it says that they have seen it.

Programs that examine mail open every link in it, so opening the page changes nothing: a button does.
Nobody logs in; the token is for one recipient of one rung. The page tells a ticket's number, the clock and
when it is due, which is what the mail said.
"""

from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, Response, abort, make_response, render_template
from sqlalchemy import select

from ..models.clocks import Acknowledgement, Clock
from ..models.rung_mails import acknowledge, acknowledgement_behind
from ..models.ticket import Ticket
from . import words
from .database import db, writing
from .security import HEADERS
from .site import site

acknowledging = Blueprint("acknowledging", __name__)


@dataclass(frozen=True)
class Asked:
    """What was asked of one recipient, and whether somebody has answered."""

    ticket: str
    clock: str
    due_at: datetime
    is_over: bool
    is_missed: bool
    seen_at: datetime | None


@acknowledging.get("/a/<token>")
def ask(token: str) -> Response:
    """Show what there is to see, and the button."""
    return _page(_behind(token))


@acknowledging.post("/a/<token>")
def was_seen(token: str) -> Response:
    """Note that it was seen; a second click changes nothing."""
    _behind(token)
    with writing() as session:
        acknowledge(session, token, now=site().local_now())
    return _page(_behind(token))


def _behind(token: str) -> Asked:
    """What a token is for; the same 404 for every one that is for nothing."""
    found = acknowledgement_behind(db.session(), token)
    if found is None:
        abort(404)
    return _asked(found)


def _asked(found: Acknowledgement) -> Asked:
    session, rung = db.session(), found.rung
    of_rung = select(Clock).where(Clock.ticket_id == rung.ticket_id, Clock.kind == rung.kind)
    clock = session.scalars(of_rung).one_or_none()
    is_over = clock is None or clock.stopped_at is not None or clock.round != rung.round
    due_at = clock.due_at if clock else rung.due_at
    return Asked(
        ticket=session.get_one(Ticket, rung.ticket_id).reference,
        clock=words.clock_label(rung.kind),
        due_at=due_at,
        is_over=is_over,
        is_missed=not is_over and due_at < site().local_now(),
        seen_at=rung.acknowledged_at,
    )


def _page(asked: Asked) -> Response:
    """The page; the only one of ours whose form may be sent, and to nobody but us."""
    response = make_response(render_template("acknowledge.html", asked=asked))
    policy = HEADERS["Content-Security-Policy"].replace("form-action 'none'", "form-action 'self'")
    response.headers["Content-Security-Policy"] = policy
    return response
