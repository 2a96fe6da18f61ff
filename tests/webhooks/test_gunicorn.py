"""The pages as they are served: a real gunicorn, a real browser, real logs."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest
from meldbalie.models.states import TicketState
from meldbalie.models.ticket import WaitingOn
from meldbalie.tests.webhooks.installation import ARRIVAL, CANARIES, Installation, install
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

DAY = timedelta(days=1)
CONFIGURATION = """
[organisation]
name = "Gemeente Voorbeeld"
[database]
url = "sqlite:///{folder}/meldbalie.db"
application_keys_file = "{folder}/application.keys"
[web]
port = {port}
workers = 1
rate_limit = "100000 per minute"
"""
BROWSER_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--lang=nl",
)


@dataclass
class Served:
    """A running gunicorn."""

    installation: Installation
    process: subprocess.Popen[str]
    port: int

    def url(self, path: str) -> str:
        """Where a page is."""
        return f"http://127.0.0.1:{self.port}{path}"

    def ask(self, path: str, method: str = "GET", **headers: str) -> HTTPResponse:
        """Ask as a program does."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            response.read()
            return response
        finally:
            connection.close()

    def raw(self, request: bytes) -> bytes:
        """Send anything at all."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(4096), b""))

    def stop(self) -> str:
        """End it and give all that it logged."""
        self.process.terminate()
        return self.process.communicate(timeout=60)[0]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    installation, port = install(tmp_path), _free_port()
    config = tmp_path / "meldbalie.toml"
    config.write_text(CONFIGURATION.format(folder=tmp_path, port=port))
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "gunicorn",
            "--config",
            "python:meldbalie.webhooks.gunicorn_config",
            "meldbalie.webhooks.wsgi:app",
        ],
        cwd=tmp_path,
        env=os.environ | {"MELDBALIE_CONFIG": str(config)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    for line in process.stdout:
        if "Listening at" in line:
            break
    else:
        pytest.fail(f"gunicorn ended with {process.wait()}")
    yield Served(installation, process, port)
    if process.poll() is None:
        process.terminate()
    process.communicate(timeout=60)
    installation.database.close()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("needs chromium and chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for option in (*BROWSER_OPTIONS, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=Service(driver))
    yield opened
    opened.quit()


def answered(installation: Installation) -> str:
    return installation.report(
        (TicketState.VALID, ARRIVAL + DAY),
        (TicketState.ACCEPTED, ARRIVAL + DAY),
        answered_at=ARRIVAL + DAY,
        fix_on=date(2099, 12, 4),
        waiting_on=WaitingOn.SUPPLIER,
        shared_at=ARRIVAL,
        ours=((ARRIVAL + DAY, "See https://voorbeeld.example/" + "a" * 300),),
        theirs=(ARRIVAL + 2 * DAY,),
    )


def hosts_asked(browser: webdriver.Chrome) -> set[str]:
    """Every host that the browser turned to for its pages."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    return {url.split("/")[2] for url in urls if url.startswith(("http", "ws"))}


@pytest.mark.parametrize(
    ("lang", "label"), [("nl", "In behandeling"), ("en", "Being fixed")], ids=["Dutch", "English"]
)
@pytest.mark.parametrize("width", [1180, 320], ids=["desktop", "telephone"])
def test_a_browser_shows_the_page_whole_and_asks_nobody_else(
    served: Served, browser: webdriver.Chrome, tmp_path: Path, lang: str, label: str, width: int
) -> None:
    token = answered(served.installation)
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    browser.get(served.url(f"/s/{token}?lang={lang}"))

    assert browser.find_element(By.CLASS_NAME, "state-label").text == label
    assert browser.find_element(By.TAG_NAME, "html").get_attribute("lang") == lang
    assert browser.find_element(By.CLASS_NAME, "masthead").value_of_css_property("color") == (
        "rgba(255, 255, 255, 1)"
    )
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert hosts_asked(browser) == {f"127.0.0.1:{served.port}"}
    assert browser.get_log("browser") == []
    assert browser.get_cookies() == []
    assert browser.save_screenshot(str(tmp_path / f"{lang}-{width}.png"))


def test_a_reader_changes_the_language_by_a_link(served: Served, browser: webdriver.Chrome) -> None:
    browser.get(served.url(f"/s/{answered(served.installation)}?lang=nl"))

    browser.find_element(By.LINK_TEXT, "English").click()

    assert browser.find_element(By.CLASS_NAME, "state-label").text == "Being fixed"


def test_a_wrong_link_and_the_door_look_like_the_rest(served: Served, browser: webdriver.Chrome) -> None:
    for path, heading in (("/s/wrong?lang=en", "Nothing here"), ("/?lang=en", "Reporting a vulnerability")):
        browser.get(served.url(path))
        assert browser.find_element(By.TAG_NAME, "h1").text == heading
        assert browser.find_element(By.CLASS_NAME, "masthead").value_of_css_property("background-color") == (
            "rgba(20, 57, 92, 1)"
        )


def test_no_log_holds_a_token_an_address_or_anything_of_a_report(served: Served) -> None:
    token = answered(served.installation)
    assert served.ask(f"/s/{token}").status == 200
    assert served.ask(f"/s/{token}/").status == 404
    assert served.ask(f"/s/{token}", "POST").status == 405
    assert served.ask(f"/api/v1/status/{token}").status == 200
    assert served.ask("/api/v1/status", Authorization=f"Bearer {token}").status == 200
    assert served.ask("/nowhere", Referer=f"http://127.0.0.1/s/{token}").status == 404
    assert b" 400 " in served.raw(f"GET /s/{token} x HTTP/1.1\r\n\r\n".encode())
    assert b" 400 " in served.raw(f"GET /s/{token} {token}\r\n\r\n".encode())
    assert b" 400 " in served.raw(f"GET / HTTP/1.1\r\n{token} : x\r\n\r\n".encode())
    assert b" 414 " in served.raw(b"GET /s/" + token.encode() * 300 + b" HTTP/1.1\r\n\r\n")

    logged = served.stop()

    assert "GET /s/<token> 200" in logged
    assert "POST - 405" in logged
    assert "Invalid request" in logged
    assert token not in logged
    assert "127.0.0.1" not in logged
    assert not [name for name, canary in CANARIES.items() if canary in logged]


def test_the_server_tells_no_version_and_keeps_no_control_socket(served: Served, tmp_path: Path) -> None:
    assert served.ask("/health/live").headers["Server"] == "gunicorn"
    assert not list(tmp_path.rglob("*.ctl"))


def test_a_database_that_is_gone_is_reported_without_a_token(served: Served, tmp_path: Path) -> None:
    token = answered(served.installation)
    assert served.ask(f"/s/{token}").status == 200
    with served.installation.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE secret_links RENAME TO gone")

    assert served.ask(f"/s/{token}").status == 500

    logged = served.stop()
    assert "OperationalError in GET /s/<token>" in logged
    assert token not in logged
