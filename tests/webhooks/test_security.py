"""The headers of every answer."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from meldbalie.tests.webhooks.installation import Installation
from meldbalie.webhooks.site import Site

EVERYWHERE = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
}
PATHS = {
    "status": "/s/{token}",
    "status in Dutch": "/s/{token}?lang=nl",
    "api": "/api/v1/status/{token}",
    "door": "/",
    "health": "/health",
    "live": "/health/live",
    "description": "/api/v1/openapi.json",
    "wrong": "/s/wrong",
    "nowhere": "/nowhere",
    "missing file": "/static/missing.css",
    "no token": "/api/v1/status",
}
KEPT = {"style": "/static/meldbalie.css", "icon": "/favicon.ico", "robots": "/robots.txt"}


@pytest.mark.parametrize("path", [*PATHS.values(), *KEPT.values()], ids=[*PATHS, *KEPT])
def test_every_answer_carries_every_header_once(
    client: FlaskClient, installation: Installation, path: str
) -> None:
    with client.get(path.format(token=installation.report())) as answer:
        assert {name: answer.headers.get_all(name) for name in EVERYWHERE} == {
            name: [value] for name, value in EVERYWHERE.items()
        }
        assert "camera=()" in answer.headers["Permissions-Policy"]


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_nothing_about_a_report_is_kept_anywhere(
    client: FlaskClient, installation: Installation, path: str
) -> None:
    answer = client.get(path.format(token=installation.report()))

    assert answer.headers["Cache-Control"] == "no-store"
    assert "ETag" not in answer.headers
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("path", KEPT.values(), ids=KEPT)
def test_what_is_the_same_for_everybody_may_be_kept(client: FlaskClient, path: str) -> None:
    with client.get(path) as answer:
        assert answer.headers.get("Cache-Control") != "no-store"


def test_pages_say_that_they_depend_on_the_language(client: FlaskClient) -> None:
    answer = client.get("/")

    assert answer.headers["Vary"] == "Accept-Language"
    assert answer.headers["Content-Language"] == "en"


def test_only_https_is_promised_to_stay_https(client: FlaskClient) -> None:
    assert "Strict-Transport-Security" not in client.get("/").headers
    secure = client.get("/", base_url="https://meldbalie.voorbeeld.example")
    assert secure.headers["Strict-Transport-Security"] == "max-age=63072000"


def test_a_forwarded_header_is_believed_only_behind_a_proxy(app_with: Callable[..., Site]) -> None:
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}
    bare, behind = app_with(), app_with(web={"proxies": 1})

    assert "Strict-Transport-Security" not in bare.test_client().get("/", headers=forwarded).headers
    assert "Strict-Transport-Security" in behind.test_client().get("/", headers=forwarded).headers
