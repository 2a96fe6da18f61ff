"""How often one address may ask."""

from collections.abc import Callable

import pytest
from meldbalie.settings import SettingsError
from meldbalie.tests.webhooks.installation import Installation
from meldbalie.webhooks.limits import who_asks
from meldbalie.webhooks.site import Site

THREE = {"web": {"rate_limit": "3 per hour"}}


def test_page_and_api_count_together_and_wrong_links_count(
    installation: Installation, app_with: Callable[..., Site]
) -> None:
    client, token = app_with(**THREE).test_client(), installation.report()

    assert client.get(f"/s/{token}").status_code == 200
    assert client.get("/s/wrong").status_code == 404
    assert client.get("/api/v1/status", headers={"Authorization": f"Bearer {token}"}).status_code == 200

    for path in (f"/s/{token}", "/s/wrong", f"/api/v1/status/{token}", "/api/v1/status"):
        refused = client.get(path, headers={"Accept-Language": "en"})
        assert refused.status_code == 429
        assert 0 < int(refused.headers["Retry-After"]) <= 3601
        assert "Too many requests" in refused.text
        assert refused.headers["Cache-Control"] == "no-store"
        assert refused.headers["Referrer-Policy"] == "no-referrer"


def test_what_opens_no_report_is_not_limited(app_with: Callable[..., Site]) -> None:
    client = app_with(**THREE).test_client()

    for path in ("/", "/health/live", "/robots.txt"):
        assert {client.get(path).status_code for _ in range(5)} == {200}


def test_somebody_else_may_still_ask(installation: Installation, app_with: Callable[..., Site]) -> None:
    client, token = app_with(**THREE).test_client(), installation.report()

    for _ in range(4):
        client.get(f"/s/{token}", environ_base={"REMOTE_ADDR": "192.0.2.1"})

    assert client.get(f"/s/{token}", environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 429
    assert client.get(f"/s/{token}", environ_base={"REMOTE_ADDR": "192.0.2.2"}).status_code == 200


def test_an_address_cannot_be_made_up_unless_a_proxy_is_believed(app_with: Callable[..., Site]) -> None:
    bare = app_with(web={"rate_limit": "1 per hour"}).test_client()
    behind = app_with(web={"rate_limit": "1 per hour", "proxies": 1}).test_client()

    def ask_twice(client: object) -> list[int]:
        return [client.get("/s/x", headers={"X-Forwarded-For": f"192.0.2.{n}"}).status_code for n in (1, 2)]

    assert ask_twice(bare) == [404, 429]
    assert ask_twice(behind) == [404, 404]


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("", "unknown"),
        ("not an address", "unknown"),
    ],
)
def test_a_subscriber_is_counted_as_one(app: Site, address: str, counted_as: str) -> None:
    with app.test_request_context(environ_base={"REMOTE_ADDR": address}):
        assert who_asks() == counted_as


def test_a_limit_that_is_not_understood_is_named_at_the_start(app_with: Callable[..., Site]) -> None:
    with pytest.raises(SettingsError, match="'a lot'"):
        app_with(web={"rate_limit": "a lot"})


def test_a_store_that_is_away_does_not_close_the_pages(
    installation: Installation, app_with: Callable[..., Site]
) -> None:
    app = app_with(web={"rate_limit": "2 per hour", "rate_limit_storage": "redis://127.0.0.1:1/0"})
    client, token = app.test_client(), installation.report()

    answers = [client.get(f"/s/{token}").status_code for _ in range(3)]

    assert answers == [200, 200, 429]
