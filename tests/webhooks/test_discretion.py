"""What may stand in a log."""

import logging

import pytest
from meldbalie.models.links import new_token
from meldbalie.tests.webhooks.installation import Installation
from meldbalie.webhooks.discretion import ROUTE_KEY, DiscreetFilter, DiscreetFormatter, masked
from meldbalie.webhooks.site import Site
from werkzeug.test import create_environ

TOKEN = new_token()


@pytest.mark.parametrize(
    "line",
    [
        f'"GET /s/{TOKEN} HTTP/1.1" 200 -',
        f'"GET /s/{TOKEN}?lang=nl HTTP/1.1" 200 -',
        f"Error handling request /s/{TOKEN}",
        f"https://meldbalie.voorbeeld.example/s/{TOKEN}",
        f"'GET /API/V1/STATUS/{TOKEN}'",
        f"Authorization: Bearer {TOKEN}",
        f"authorization: bearer   {TOKEN}",
        f"Invalid request from ip=192.0.2.1: Invalid HTTP Version: '{TOKEN} HTTP/1.1'",
    ],
)
def test_no_line_keeps_a_token(line: str) -> None:
    assert TOKEN not in masked(line)
    assert "192.0.2.1" not in masked(line)
    assert "[secret]" in masked(line)


@pytest.mark.parametrize("line", ["GET /s/<token> 200", "Listening at: http://127.0.0.1:8600 (7)", ""])
def test_other_lines_stay_readable(line: str) -> None:
    assert masked(line) == line


def test_a_traceback_is_masked_as_well() -> None:
    error = ValueError(f"/s/{TOKEN}")
    kind = (ValueError, error, None)
    record = logging.LogRecord("gunicorn.error", logging.ERROR, "", 1, "Error handling %s", ("it",), kind)

    line = DiscreetFormatter().format(record)

    assert "ValueError" in line
    assert TOKEN not in line


@pytest.mark.usefixtures("app")
def test_the_development_server_logs_no_token() -> None:
    record = logging.LogRecord(
        "werkzeug", logging.INFO, "", 1, '"%s" %s', (f"GET /s/{TOKEN} HTTP/1.1", 200), None
    )

    assert DiscreetFilter().filter(record)

    assert record.getMessage() == '"GET /s/[secret] HTTP/1.1" 200'
    assert any(isinstance(one, DiscreetFilter) for one in logging.getLogger("werkzeug").filters)


def test_the_access_log_finds_the_route_and_not_the_path(app: Site, installation: Installation) -> None:
    for path, route in (
        (f"/s/{installation.report()}", "/s/<token>"),
        ("/s/wrong", "/s/<token>"),
        ("/nowhere", "-"),
    ):
        environ = create_environ(path)
        answer = app.wsgi_app(environ, lambda *_: lambda _: None)
        answer.close()
        assert environ[ROUTE_KEY] == route
