"""The headers of every answer: nothing is kept, framed, indexed, sent on or fetched from elsewhere.

Source: design, "The secret link"; OWASP Secure Headers.
"""

from collections.abc import Mapping

from flask import Response, request

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "accelerometer=(), camera=(), display-capture=(), fullscreen=(), geolocation=(), "
        "gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=()"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
}
TWO_YEARS = 2 * 365 * 24 * 3600
MAY_BE_KEPT = frozenset({"static", "pages.favicon", "pages.robots", "promise.page"})


def protect(response: Response) -> Response:
    """Add the headers to an answer, whatever it is."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint not in MAY_BE_KEPT or response.status_code >= 400:
        response.headers["Cache-Control"] = "no-store"
    if request.is_secure:
        response.headers["Strict-Transport-Security"] = f"max-age={TWO_YEARS}"
    return response
