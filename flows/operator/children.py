"""The processes of an installation: Prefect's server, the flow runner, the web app.

All of them get our Prefect settings and none of the operator's own (``PREFECT_*``), and none of them
speaks for us to systemd.
"""

import base64
import http.client
import json
import os
import sys
from collections.abc import Mapping
from contextlib import closing, suppress
from urllib.parse import urlsplit

from ...settings import Settings, prefect_variables, read_secret
from .supervisor import Child

LOOPBACK = "127.0.0.1"
ANYWHERE = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104  (asked about, never bound)
PROBE_SECONDS = 2.0
LOOKED_AT = "attend/attend"  # flow and deployment
NOT_FOR_CHILDREN = ("PREFECT_", "NOTIFY_SOCKET", "WATCHDOG_", "LISTEN_")


def prefect_server(config: Settings, variables: Mapping[str, str] | None = None) -> Child:
    """Prefect's server with its UI, on loopback; ``variables`` are added to its environment."""
    port, desk = config.prefect.port, urlsplit(config.prefect_ui).netloc
    module = [sys.executable, "-m", "meldbalie.flows.operator.prefect_server"]
    accounts = ["--account-header", config.prefect.account_header]
    return Child(
        name="prefect",
        command=[*module, "--port", str(port), "--also-known-as", desk, *accounts],
        environment={**environment(config), **server_variables(config), **(variables or {})},
        is_ready=lambda: answers(f"http://{LOOPBACK}:{port}/api/ready"),
        listens_on=(LOOPBACK, port),
        port_setting="prefect.port",
        address=config.prefect_ui,
    )


def flow_runner(config: Settings, variables: Mapping[str, str] | None = None) -> Child:
    """The process that runs the flows."""
    return Child(
        name="flows",
        command=[sys.executable, "-m", "meldbalie", "flows"],
        environment={**environment(config), **(variables or {})},
        is_ready=_AsksForWork(config),
        grace=30.0,
    )


def web_app(config: Settings, variables: Mapping[str, str] | None = None) -> Child:
    """The web app behind gunicorn."""
    host, port = config.web.host, config.web.port
    gunicorn = [sys.executable, "-m", "gunicorn", "--config", "python:meldbalie.webhooks.gunicorn_config"]
    return Child(
        name="web",
        command=[*gunicorn, "meldbalie.webhooks.wsgi:app"],
        environment={**environment(config), **(variables or {})},
        is_ready=lambda: answers(f"http://{in_url(host)}:{port}/health/live"),
        listens_on=(host, port),
        port_setting="web.port",
        address=config.organisation.public_url,
    )


def environment(config: Settings) -> dict[str, str]:
    """What a child inherits from us, with our Prefect settings in place of the operator's own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(NOT_FOR_CHILDREN)}
    return {**inherited, "PYTHONUNBUFFERED": "1", **prefect_variables(config, config.prefect_api)}


def server_variables(config: Settings) -> dict[str, str]:
    """What only the server needs: no cross-site callers, the UI that serves a desk better, its keys."""
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(config.prefect_ui))
    variables = {
        "PREFECT_SERVER_API_HOST": LOOPBACK,
        "PREFECT_SERVER_API_PORT": str(config.prefect.port),
        "PREFECT_SERVER_UI_API_URL": "/api",  # whatever name the browser reached the page by
        "PREFECT_SERVER_UI_V2_ENABLED": "false",
        "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(config.prefect.home.absolute() / "ui"),
        "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": origin,
    }
    if credentials := read_secret(config.prefect.auth_file):
        variables["PREFECT_SERVER_API_AUTH_STRING"] = credentials
    if key := read_secret(config.prefect.encryption_key_file):
        variables["PREFECT_SERVER_ENCRYPTION_KEY"] = key
    return variables


class _AsksForWork:
    """Whether a runner asks Prefect for work: what Prefect notes of that changes while we look."""

    def __init__(self, config: Settings) -> None:
        self._url = f"{config.prefect_api}/deployments/name/{LOOKED_AT}"
        self._login = login(config)
        self._seen: set[object] = set()

    def __call__(self) -> bool:
        body = fetched(self._url, self._login)
        self._seen.add(json.loads(body).get("last_polled") if body else None)
        return len(self._seen) > 1


def login(config: Settings) -> dict[str, str]:
    """The header that lets us in at Prefect's API; none where nobody is asked."""
    if not (credentials := read_secret(config.prefect.auth_file)):
        return {}
    return {"Authorization": f"Basic {base64.b64encode(credentials.encode()).decode('ascii')}"}


def answers(url: str) -> bool:
    """Whether a server of ours answers this URL with 200."""
    return fetched(url) is not None


def fetched(url: str, headers: Mapping[str, str] | None = None) -> bytes | None:
    """The body behind a URL; ``None`` unless the answer is 200. Never follows to another place."""
    place = urlsplit(url)
    scheme = http.client.HTTPSConnection if place.scheme == "https" else http.client.HTTPConnection
    connection = scheme(place.hostname or "", place.port, timeout=PROBE_SECONDS)
    with suppress(OSError, http.client.HTTPException), closing(connection):
        connection.request("GET", place.path, headers=dict(headers or {}))
        answer = connection.getresponse()
        body = answer.read()
        return body if answer.status == http.client.OK else None
    return None


def in_url(host: str) -> str:
    """A listening address as it stands in a URL that reaches it."""
    host = ANYWHERE.get(host, host)
    return f"[{host}]" if ":" in host else host
