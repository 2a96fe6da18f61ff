"""The pages for people: the door, and one report's status behind its secret link."""

from pathlib import Path

from flask import Blueprint, Response, abort, render_template, send_from_directory

from ..models.links import ticket_behind
from . import words
from .database import db
from .progress import happenings_of, steps_of
from .site import site
from .status import Status, status_of

STATIC = Path(__file__).parent / "static"

pages = Blueprint("pages", __name__)
secret_pages = Blueprint("secret_pages", __name__)


@pages.get("/")
def door() -> str:
    """What this is, and where to go instead."""
    return render_template("door.html")


@pages.get("/robots.txt")
def robots() -> Response:
    """Ask crawlers to stay away from all of it."""
    return Response("User-agent: *\nDisallow: /\n", mimetype="text/plain")


@pages.get("/favicon.ico")
def favicon() -> Response:
    """The icon, for browsers that ask without reading the page."""
    return send_from_directory(STATIC, "favicon.svg", mimetype="image/svg+xml")


@secret_pages.get("/s/<token>")
def status_page(token: str) -> str:
    """One report's status."""
    status = status_behind(token)
    return render_template(
        "status.html", status=status, steps=steps_of(status), happenings=happenings_of(status), words=words
    )


def status_behind(token: str) -> Status:
    """What a token opens; the same 404 for every one that opens nothing."""
    session = db.session()
    ticket = ticket_behind(session, token)
    if ticket is None:
        abort(404)
    return status_of(session, ticket, now=site().local_now())
