"""What opens nothing is answered alike, whatever it is."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from hypothesis import example, given, settings
from hypothesis import strategies as st
from meldbalie.models.links import new_token
from meldbalie.tests.webhooks.installation import Installation, closed_app, install
from werkzeug.test import TestResponse


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, FlaskClient]]:
    installation = install(tmp_path_factory.mktemp("desk"))
    for app in closed_app(installation):
        yield installation, app.test_client()
    installation.database.close()


def answer(response: TestResponse) -> tuple[int, dict[str, str], bytes]:
    return response.status_code, dict(response.headers), response.data


def test_wrong_revoked_malformed_and_unknown_are_answered_alike(
    desk: tuple[Installation, FlaskClient],
) -> None:
    installation, client = desk
    token = installation.report()
    assert client.get(f"/s/{token}").status_code == 200
    installation.revoke(token)
    unknown = answer(client.get(f"/s/{new_token()}"))

    for other in (
        token,
        token[:-1],
        token.swapcase(),
        "x",
        "a" * 4000,
        "%00",
        "%ff%fe",
        "..%2f..",
        "a/b",
        "",
    ):
        assert answer(client.get(f"/s/{other}")) == unknown
    assert unknown[0] == 404


@example("..")
@example("/")
@example("?lang=nl")
@given(st.text(min_size=1, max_size=200) | st.binary(min_size=1, max_size=200))
@settings(deadline=None)
def test_no_token_is_answered_otherwise_or_breaks_anything(
    desk: tuple[Installation, FlaskClient], token: str | bytes
) -> None:
    _, client = desk
    raw = token.encode("utf-8", "surrogatepass") if isinstance(token, str) else token
    path = quote(raw, safe="")
    page, api = answer(client.get("/s/none")), answer(client.get("/api/v1/status/none"))

    assert answer(client.get(f"/s/{path}")) == page
    assert answer(client.get(f"/api/v1/status/{path}")) == api


@given(st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=200))
@settings(deadline=None)
def test_no_header_breaks_the_api(desk: tuple[Installation, FlaskClient], credentials: str) -> None:
    _, client = desk

    sent = client.get("/api/v1/status", headers={"Authorization": credentials})
    borne = client.get("/api/v1/status", headers={"Authorization": f"Bearer {credentials}"})

    assert sent.status_code in (401, 404)
    assert borne.status_code == (404 if credentials.strip() else 401)
