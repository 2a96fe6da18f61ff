# flask-smorest carries no types.
# pyright: reportUnknownMemberType=false
"""The status of one report for programs, described at ``/api/v1/openapi.json``.

The header form keeps the token out of URLs, and so out of histories and the logs of proxies; the
form with the token in the path is there for tools that cannot send a header.
"""

from typing import Any

from flask import request
from flask_smorest import Api, Blueprint
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

from . import words
from .pages import status_behind
from .schemas import ProblemSchema, StatusSchema
from .site import Site
from .status import Letter, Problem, Status

PROBLEM = "application/problem+json"
LANG = {
    "in": "query",
    "name": "lang",
    "required": False,
    "schema": {"type": "string", "enum": ["nl", "en"]},
    "description": "The language of labels and sentences; Accept-Language otherwise.",
}

status_api = Blueprint(
    "status",
    __name__,
    url_prefix="/api/v1",
    description="One report, opened by the token of its secret link.",
)


class StatusApi(Api):
    """The API whose refusals are worded where those of the pages are."""

    DEFAULT_ERROR_RESPONSE_NAME = None

    def _register_error_handlers(self) -> None: ...


def offer_api(app: Site, version: str) -> None:
    """Add the API and its description to an app."""
    app.config.update(
        API_TITLE="Meldbalie",
        API_VERSION=version,
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/api/v1",
        OPENAPI_JSON_PATH="openapi.json",
    )
    bearer = {"bearer": {"type": "http", "scheme": "bearer"}}
    servers = [{"url": app.settings.organisation.public_url}]
    api = StatusApi(app, spec_kwargs={"servers": servers, "components": {"securitySchemes": bearer}})
    api.register_blueprint(status_api)


@status_api.route("/status")
@status_api.doc(security=[{"bearer": []}], parameters=[LANG], summary="The status, token in the header")
@status_api.response(200, StatusSchema)
@status_api.alt_response(401, schema=ProblemSchema, content_type=PROBLEM, description="No token was sent.")
@status_api.alt_response(
    404, schema=ProblemSchema, content_type=PROBLEM, description="The token opens nothing."
)
@status_api.alt_response(429, schema=ProblemSchema, content_type=PROBLEM, description="Asked too often.")
def by_header() -> dict[str, Any]:
    """Send the token of the secret link as ``Authorization: Bearer <token>``."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized(www_authenticate=WWWAuthenticate("bearer"))
    return wire(status_behind(token.strip()))


@status_api.route("/status/<token>")
@status_api.doc(parameters=[LANG], summary="The status, token in the path")
@status_api.response(200, StatusSchema)
@status_api.alt_response(
    404, schema=ProblemSchema, content_type=PROBLEM, description="The token opens nothing."
)
@status_api.alt_response(429, schema=ProblemSchema, content_type=PROBLEM, description="Asked too often.")
def by_path(token: str) -> dict[str, Any]:
    """Prefer the header: a URL ends up in histories and in the logs of whatever lies between."""
    return wire(status_behind(token))


# Facts that go out under their own name.
ALIKE = (
    "reference",
    "received_at",
    "response",
    "expected_fix_on",
    "fix_is_late",
    "fixed_at",
    "embargo_ends_at",
    "publish_on",
    "proposals",
    "credit",
    "shares_identity",
    "updated_at",
)


def wire(status: Status) -> dict[str, Any]:
    """The facts as the schema has them, with their words."""
    facts = {name: getattr(status, name) for name in ALIKE}
    return facts | {
        "state": {
            "code": status.state,
            "label": words.state_label(status.state),
            "meaning": words.meaning(status),
            "next_step": words.next_step(status),
        },
        "waiting_on": status.waiting_on
        and {"code": status.waiting_on, "label": str(words.WAITING[status.waiting_on])},
        "shared_with_ibd": status.sharing,
        "closing": None if status.is_open else _closing(status),
        "problem": status.problem and _problem(status.problem),
        "moves": [
            {"at": move.at, "to": move.to, "label": words.state_label(move.to), "because": move.because}
            for move in status.moves
        ],
        "messages": [_message(letter) for letter in status.letters],
    }


def _closing(status: Status) -> dict[str, Any]:
    reason = status.close_reason
    return {"at": status.closed_at, "code": reason, "label": words.close_label(reason) if reason else None}


def _problem(problem: Problem) -> dict[str, Any]:
    progress, reason = problem.progress, problem.progress.close_reason
    return {
        "state": progress.state,
        "label": words.state_label(progress.state),
        "meaning": words.problem_in_words(progress),
        "closed_because": reason,
        "closed_because_label": words.close_label(reason) if reason else None,
        "expected_fix_on": progress.fix_on,
        "fixed_at": progress.fixed_at,
        "embargo_ends_at": problem.embargo_ends_at,
        "publish_on": problem.publish_on,
    }


def _message(letter: Letter) -> dict[str, Any]:
    sender = "organisation" if letter.is_ours else "reporter"
    return {"at": letter.at, "sender": sender, "text": letter.text, "asks": letter.asks}
