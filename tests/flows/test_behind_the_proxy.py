"""The desk behind the proxy of docs/install.md: who logs in, what is passed on, and whom pages ask."""

import base64
import http.client
import json
import shutil
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from meldbalie.flows.operator.children import prefect_server
from meldbalie.flows.operator.logs import Logs
from meldbalie.flows.operator.supervisor import Supervisor
from meldbalie.settings import Prefect, Settings
from meldbalie.tests.client_certificates import Certificates, believes_all
from meldbalie.tests.flows.browsing import Browser, Elsewhere, chromium, elsewhere
from meldbalie.tests.flows.hostile_desk import HostileDesk, hostile_desk
from meldbalie.tests.ports import free_port
from meldbalie.tests.reverse_proxy import (
    DESK,
    PASSWORD,
    documented_blocks,
    reverse_proxy,
    with_client_certificates,
)
from meldbalie.tests.waiting import until
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings
from selenium.webdriver.common.by import By

ANNE, BAS = "a.jansen", "b.devries"
SAID = {"who": "Anne Jansen", "note": "looked at it"}
RUN = "CVD-2026-0042"
OPENS_A_WEBSOCKET = """
    const done = arguments[arguments.length - 1];
    const socket = new WebSocket(`wss://${location.host}/api/events/out`, ["prefect"]);
    socket.onopen = () => done("open");
    socket.onerror = () => done("refused");
"""


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A short path of our own."""
    directory = Path(tempfile.mkdtemp(prefix="mby"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def desk(home: Path) -> Iterator[HostileDesk]:
    """A Prefect server that is told of the proxy as docs/install.md says."""
    port = free_port()
    settings = Prefect(port=port, home=home / "p", ui_url=f"https://{DESK}", account_header="X-Remote-User")
    server = prefect_server(Settings(prefect=settings))
    api_url = f"http://127.0.0.1:{port}/api"
    with (
        Supervisor([server], say=lambda line: None, logs=Logs(home / "log", 10**8)),
        temporary_settings({PREFECT_API_URL: api_url, PREFECT_HOME: home}),
        hostile_desk(api_url) as made,
    ):
        yield made


@pytest.fixture(scope="module")
def proxy(home: Path, desk: HostileDesk) -> Iterator[int]:
    """The documented proxy with passwords; its port."""
    (home / "passwords").mkdir()
    block, _ = documented_blocks()
    with reverse_proxy(home / "passwords", block, prefect=desk.port, accounts=(ANNE, BAS)) as port:
        yield port


@pytest.fixture(scope="module")
def others() -> Iterator[Elsewhere]:
    """All other hosts."""
    with elsewhere() as server:
        yield server


@pytest.fixture(scope="module")
def browser(others: Elsewhere, proxy: int) -> Iterator[Browser]:
    """A browser in which Anne has logged in."""
    with chromium(others, {f"{DESK}:443": proxy}) as opened:
        opened.open(f"https://{ANNE}:{quote(PASSWORD)}@{DESK}/ui-settings", shows="api_url")
        opened.asked()
        yield opened


@pytest.mark.parametrize("path", ["/", "/runs", "/deployments", "/settings"])
def test_a_page_behind_the_proxy_does_not_try_to_ask_another_host(
    browser: Browser, others: Elsewhere, path: str
) -> None:
    browser.open(f"https://{DESK}{path}", shows="Flow" if path == "/" else path.strip("/").capitalize())

    assert browser.refused() == set()
    assert browser.asked() == {DESK}
    assert others.calls == []


@pytest.mark.parametrize("path", ["/v2/dashboard", "/v2/runs", "/artifacts/key/overview"])
def test_a_page_behind_the_proxy_that_tries_is_kept_from_it(
    browser: Browser, others: Elsewhere, path: str
) -> None:
    browser.open(f"https://{DESK}{path}", shows="Runs")
    browser.wait(browser.refused)

    assert browser.asked() == {DESK}
    assert others.calls == []


def test_websockets_pass_the_proxy(browser: Browser) -> None:
    browser.open(f"https://{DESK}/dashboard", shows="Dashboard")

    assert browser.driver.execute_async_script(OPENS_A_WEBSOCKET) == "open"


def test_an_answer_in_the_browser_carries_the_account_that_logged_in(
    browser: Browser, others: Elsewhere, desk: HostileDesk
) -> None:
    run = desk.paused_run()
    browser.open(f"https://{DESK}/runs/flow-run/{run}", shows=RUN)
    browser.press("Resume")
    browser.wait(lambda: "Read this first" in browser.text())
    fields = browser.driver.find_elements(By.CSS_SELECTOR, ".p-modal textarea")
    for field, said in zip(fields, SAID.values(), strict=True):
        field.send_keys(said)
    browser.press("Submit")

    assert until(lambda: desk.answer(run), "the answer") == SAID | {"account": ANNE}
    assert browser.asked() == {DESK}
    assert others.calls == []


@pytest.mark.parametrize("login", [{}, {"who": ANNE, "password": "wrong"}, {"who": "nobody"}])
def test_a_wrong_login_is_let_in_nowhere(proxy: int, login: dict[str, str]) -> None:
    headers = as_handler(**login) if login else {}

    for path in ("/", "/v2/", "/api/health", "/api/flow_runs/filter", "/ui-settings"):
        assert ask(proxy, path, headers=headers)[0] == 401


def test_the_account_is_the_proxys_and_never_the_browsers(proxy: int, desk: HostileDesk) -> None:
    run = desk.paused_run()
    forged = {"X-Remote-User": BAS, "x-remote-user": BAS, "X_Remote_User": BAS}
    answer = {"run_input": SAID | {"account": BAS}}

    accepted = post(proxy, f"/api/flow_runs/{run}/resume", answer, as_handler(ANNE) | forged)

    assert accepted == (201, "ACCEPT")
    assert desk.answer(run) == SAID | {"account": ANNE}


@pytest.mark.parametrize("end", ["/", "//", "%2F", "%0A", "/%0A", "%20", ";", "?again"])
def test_no_spelling_of_the_address_leads_past_the_account(proxy: int, desk: HostileDesk, end: str) -> None:
    run = desk.paused_run()
    answer = {"run_input": SAID | {"account": BAS}}

    post(proxy, f"/api/flow_runs/{run}/resume{end}", answer, as_handler(ANNE))

    assert (desk.answer(run) or {}).get("account", ANNE) == ANNE


def test_an_answer_is_not_written_past_the_form(proxy: int, desk: HostileDesk) -> None:
    run = desk.paused_run()
    written = {"key": "form-response", "value": json.dumps(SAID | {"account": BAS})}
    described = {"__prefect_kind": "json", "value": json.dumps(SAID | {"account": BAS})}

    assert post(proxy, f"/api/flow_runs/{run}/input", written, as_handler(ANNE))[0] == 403
    as_json = {"run_input": described}
    assert post(proxy, f"/api/flow_runs/{run}/resume", as_json, as_handler(ANNE))[0] == 422
    assert desk.answer(run) is None


def test_an_answer_that_goes_past_the_proxy_has_no_account(desk: HostileDesk) -> None:
    run = desk.paused_run()

    desk.client.resume_flow_run(run, SAID | {"account": ANNE})

    assert desk.answer(run) == SAID


def test_a_client_certificate_is_an_account_as_well(home: Path, desk: HostileDesk) -> None:
    folder = home / "certificates"
    folder.mkdir()
    people = Certificates(folder)
    with reverse_proxy(folder, with_client_certificates(), prefect=desk.port, accounts=()) as port:
        anne, stranger = people.of("Anne Jansen"), people.of("Zeno")
        run = desk.paused_run()
        answer = {"run_input": SAID}
        accepted = post(port, f"/api/flow_runs/{run}/resume", answer, {"X-Remote-User": BAS}, anne)

        assert accepted == (201, "ACCEPT")
        assert desk.answer(run) == SAID | {"account": ANNE}
        assert ask(port, "/", context=stranger)[0] == 403
        assert ask(port, "/")[0] == 400


def as_handler(who: str, password: str = PASSWORD) -> dict[str, str]:
    """The header with which a browser logs in."""
    return {"Authorization": f"Basic {base64.b64encode(f'{who}:{password}'.encode()).decode()}"}


def post(
    port: int, path: str, body: Any, headers: Mapping[str, str], context: ssl.SSLContext | None = None
) -> tuple[int, str]:
    """What becomes of what a page of Prefect posts: the status, and Prefect's verdict."""
    client = str(uuid4())
    _, token = ask(port, f"/api/csrf-token?client={client}", headers=headers, context=context)
    csrf = {"Prefect-Csrf-Client": client, "Prefect-Csrf-Token": json.loads(token)["token"]}

    def answered() -> tuple[int, str] | None:
        status, answer = ask(port, path, json.dumps(body), {**headers, **csrf}, context)
        if status == 503:  # its SQLite file was locked: Prefect asks to be asked again
            return None
        return status, json.loads(answer)["status"] if status == 201 else ""

    return until(answered, f"an answer other than 503 at {path}")


def ask(
    port: int,
    path: str,
    body: str | None = None,
    headers: Mapping[str, str] | None = None,
    context: ssl.SSLContext | None = None,
) -> tuple[int, bytes]:
    """Ask the proxy as a program does."""
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=60, context=context or believes_all())
    try:
        sent = {"Host": DESK, "Content-Type": "application/json", **(headers or {})}
        connection.request("GET" if body is None else "POST", path, body, sent)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
