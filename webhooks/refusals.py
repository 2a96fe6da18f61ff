"""Every answer that is not a page: for people in the look of the site, for programs as RFC 9457.

A refusal says nothing about what was asked for, so a wrong, a revoked and an unknown link cannot
be told apart.
"""

from collections.abc import Mapping
from http import HTTPStatus
from time import time

from flask import Response, json, render_template, request
from flask_babel import LazyString, lazy_gettext  # pyright: ignore[reportUnknownVariableType] - partly untyped
from flask_limiter import Limiter, RateLimitExceeded
from werkzeug.exceptions import HTTPException

from .site import Site

Words = tuple[LazyString, LazyString]

WORDS: Mapping[int, Words] = {
    401: (
        lazy_gettext("Token missing"),
        lazy_gettext("Send the token of your secret link as Authorization: Bearer."),
    ),
    404: (
        lazy_gettext("Nothing here"),
        lazy_gettext(
            "There is no page at this address. If you followed a secret link: check that you copied all"
            " of it. It may also have been withdrawn."
        ),
    ),
    405: (
        lazy_gettext("Not possible here"),
        lazy_gettext("This address can be read, and nothing else."),
    ),
    429: (
        lazy_gettext("Too many requests"),
        lazy_gettext("You have asked very often in a short time. Wait a moment, then try again."),
    ),
    500: (
        lazy_gettext("Something went wrong"),
        lazy_gettext("The fault is ours, not yours. Your report is safe with us. Try again later."),
    ),
}
OTHERWISE: Words = (
    lazy_gettext("Not understood"),
    lazy_gettext("We cannot answer this request as it was sent."),
)


def refuse_alike(app: Site, limiter: Limiter) -> None:
    """Give every refusal of an app the same look."""

    def refuse(refusal: HTTPException) -> Response:
        response = refuse_with(refusal)
        limit = limiter.current_limit
        if isinstance(refusal, RateLimitExceeded) and limit:
            response.headers["Retry-After"] = str(max(1, limit.reset_at - int(time())))
        return response

    app.register_error_handler(HTTPException, refuse)


def refuse_with(refusal: HTTPException) -> Response:
    """The answer to a request that cannot be served; headers such as Allow are kept."""
    code = refusal.code or HTTPStatus.INTERNAL_SERVER_ERROR
    title, detail = WORDS.get(code, WORDS[500] if code >= 500 else OTHERWISE)
    response = Response(status=code, headers=_headers_of(refusal))
    if _is_for_programs():
        response.data = json.dumps(
            {"type": "about:blank", "title": str(title), "status": code, "detail": str(detail)}
        )
        response.content_type = "application/problem+json"
    else:
        response.data = render_template("refusal.html", title=title, detail=detail, code=code)
        response.content_type = "text/html; charset=utf-8"
    return response


def _headers_of(refusal: HTTPException) -> list[tuple[str, str]]:
    kept = ("allow", "www-authenticate", "retry-after")
    return [(name, value) for name, value in refusal.get_headers() if name.lower() in kept]


def _is_for_programs() -> bool:
    return request.path.startswith("/api/")
