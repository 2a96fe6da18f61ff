"""The page behind the link in a handler's sealed mail: they confirm what they want to do.

Programs that examine mail open every link in it, so opening the page changes nothing: a button does.
Nobody logs in; the token came in mail that only the handler's key opens. What is confirmed is carried out
elsewhere within about a second, so the page looks again by itself until it can say what came of it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from flask import Blueprint, Response, abort, make_response, render_template

from ..models.confirmations import (
    DONE,
    DONE_IN_PART,
    EXPIRED,
    NOT_DONE,
    REPLACED,
    Confirmation,
    confirm,
    confirmation_behind,
)
from ..models.wanted import Both, act_label, details
from .database import db, writing
from .language import language
from .security import HEADERS
from .site import site

confirming = Blueprint("confirming", __name__)

Stage = Literal["asked", "expired", "replaced", "under_way", "done", "done_in_part", "refused"]
#: How long the page waits before it looks again: at first seconds, then a share of the time that it took.
SOONEST, LATEST, SHARE = 2, 60, 4
LONG = timedelta(seconds=30)


@dataclass(frozen=True)
class Asked:
    """What somebody wants to do, and how far it is."""

    stage: Stage
    ticket: str | None
    act: str
    details: list[tuple[str, str]]
    text: str
    who: str
    asked_at: datetime
    confirm_by: datetime
    outcome: str
    look_again: int
    takes_long: bool


@confirming.get("/c/<token>")
def ask(token: str) -> Response:
    """Show what would be done, and the button; or what came of it."""
    return _page(_behind(token))


@confirming.post("/c/<token>")
def was_confirmed(token: str) -> Response:
    """Note that it is confirmed; a second click changes nothing."""
    _behind(token)
    with writing() as session:
        confirm(session, token, now=site().local_now())
    return _page(_behind(token))


def _behind(token: str) -> Asked:
    """What a token is for; the same 404 for every one that is for nothing."""
    found = confirmation_behind(db.session(), token)
    if found is None:
        abort(404)
    return _asked(found, site().local_now())


def _asked(found: Confirmation, now: datetime) -> Asked:
    waited = now - (found.confirmed_at or now)
    return Asked(
        stage=_stage(found, now),
        ticket=found.ticket.reference if found.ticket else None,
        act=_spoken(act_label(found.action)),
        details=[(_spoken(name), _spoken(value)) for name, value in details(found.wanted)],
        text=str(found.wanted.get("text", "")),
        who=found.who,
        asked_at=found.made_at,
        confirm_by=found.expires_at,
        outcome=_told(found.outcome),
        look_again=min(LATEST, max(SOONEST, waited // timedelta(seconds=SHARE))),
        takes_long=waited > LONG,
    )


def _told(outcome: str | None) -> str:
    if outcome in (None, DONE):
        return ""
    return outcome.removeprefix(NOT_DONE).removeprefix(DONE_IN_PART)


def _stage(found: Confirmation, now: datetime) -> Stage:
    if found.done_at is None:
        before: Stage = "asked" if found.is_open(now) else "expired"
        return before if found.confirmed_at is None else "under_way"
    outcome = found.outcome or DONE
    if outcome.startswith(NOT_DONE):
        return "refused"
    if outcome.startswith(DONE_IN_PART):
        return "done_in_part"
    ended: dict[str, Stage] = {REPLACED: "replaced", EXPIRED: "expired"}
    return ended.get(outcome, "done")


def _spoken(both: Both) -> str:
    dutch, english = both
    return dutch if language() == "nl" else english


def _page(asked: Asked) -> Response:
    """The page, whose form may be sent to nobody but us."""
    response = make_response(render_template("confirm.html", asked=asked))
    policy = HEADERS["Content-Security-Policy"].replace("form-action 'none'", "form-action 'self'")
    response.headers["Content-Security-Policy"] = policy
    return response
