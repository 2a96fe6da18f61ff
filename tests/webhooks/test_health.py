"""What a monitor is told."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from meldbalie.models.alarms import AlarmKind, Look, take_note
from meldbalie.tests.webhooks.installation import DUE, Installation
from meldbalie.webhooks.site import Site

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def healthy(installation: Installation) -> Installation:
    for name in ("intake", "deliver", "attend", "audit", "sweep"):
        installation.lease(name, installation.now + MINUTE)
    return installation


def parts(client: FlaskClient) -> tuple[int, str, dict[str, str]]:
    answer = client.get("/health")
    assert answer.json
    return answer.status_code, answer.json["status"], answer.json["parts"]


def test_all_is_well(client: FlaskClient, healthy: Installation) -> None:
    well = dict.fromkeys(("database", "intake", "deliver", "attend", "sweep", "clocks", "audit"), "ok")

    assert parts(client) == (200, "ok", well)
    assert client.get("/health/live").json == {"status": "ok"}


def test_a_flow_that_never_ran_is_late(client: FlaskClient, installation: Installation) -> None:
    installation.lease("deliver", installation.now + MINUTE)

    code, status, found = parts(client)

    assert (code, status, found["intake"], found["deliver"]) == (200, "degraded", "late", "ok")
    assert found["attend"] == "late"


@pytest.mark.parametrize("flow", ["intake", "deliver", "attend"])
@pytest.mark.parametrize(
    ("ago", "code", "status", "condition"),
    [
        (2 * MINUTE, 200, "ok", "ok"),
        (2 * MINUTE + SECOND, 200, "degraded", "late"),
        (17 * MINUTE, 200, "degraded", "late"),
        (17 * MINUTE + SECOND, 503, "down", "down"),
    ],
)
def test_a_lease_may_run_out_between_two_shifts_but_not_for_long(
    client: FlaskClient,
    healthy: Installation,
    flow: str,
    ago: timedelta,
    code: int,
    status: str,
    condition: str,
) -> None:
    healthy.lease(flow, healthy.now - ago)

    found = parts(client)

    assert (found[0], found[1], found[2][flow]) == (code, status, condition)


@pytest.mark.parametrize(
    ("ago", "code", "status", "sweep"),
    [
        (0 * MINUTE, 200, "ok", "ok"),
        (SECOND, 200, "degraded", "late"),
        (15 * MINUTE, 200, "degraded", "late"),
        (15 * MINUTE + SECOND, 503, "down", "down"),
    ],
)
def test_a_sweep_that_gives_no_sign_of_life_is_late_and_then_down(
    client: FlaskClient, healthy: Installation, ago: timedelta, code: int, status: str, sweep: str
) -> None:
    healthy.lease("sweep", healthy.now - ago)

    found = parts(client)

    assert (found[0], found[1], found[2]["sweep"]) == (code, status, sweep)


@pytest.mark.parametrize(
    ("after", "clocks"),
    [
        (10 * MINUTE, "ok"),
        (10 * MINUTE + SECOND, "late"),
        (25 * MINUTE, "late"),
        (25 * MINUTE + SECOND, "down"),
    ],
)
def test_clocks_that_nobody_sweeps_are_noticed(
    client: FlaskClient, installation: Installation, after: timedelta, clocks: str
) -> None:
    installation.report()
    installation.now = DUE + after

    assert parts(client)[2]["clocks"] == clocks


def test_a_database_that_does_not_answer_is_down_and_nothing_is_told_about_it(
    tmp_path: Path, app_with: Callable[..., Site], caplog: pytest.LogCaptureFixture
) -> None:
    keys = next(tmp_path.glob("*.keys"))
    app = app_with(database={"url": f"sqlite:///{tmp_path}/empty.db", "application_keys_file": str(keys)})

    assert parts(app.test_client()) == (503, "down", {"database": "down"})
    assert str(tmp_path) not in caplog.text
    assert "OperationalError" in caplog.text


def wrong(installation: Installation, kind: AlarmKind, *about: str) -> None:
    """The audit finds this wrong, and nothing else of its kind."""
    with installation.database.unit_of_work() as session:
        take_note(session, [Look(kind, frozenset(about))], now=installation.now)


def test_what_the_audit_found_is_told_without_what_it_is_about(
    client: FlaskClient, healthy: Installation
) -> None:
    wrong(healthy, AlarmKind.JUNK, "2026-11-19")
    assert parts(client)[1] == "ok"

    wrong(healthy, AlarmKind.COPY_MISSING, "CVD-2026-0042")
    code, status, found = parts(client)
    assert (code, status, found["audit"]) == (200, "degraded", "alarm")
    assert "0042" not in client.get("/health").get_data(as_text=True)

    wrong(healthy, AlarmKind.COPY_MISSING)
    assert parts(client)[1] == "ok"


def test_an_audit_that_is_not_made_is_late_and_takes_no_page_away(
    client: FlaskClient, healthy: Installation
) -> None:
    healthy.lease("audit", healthy.now - timedelta(days=3))

    code, status, found = parts(client)

    assert (code, status, found["audit"]) == (200, "degraded", "late")
