"""The web app as it is served, by a real gunicorn, and a real browser to look at it."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest
from meldbalie.tests.ports import free_port
from meldbalie.tests.webhooks.installation import Installation, install
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

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
publish_report = true
"""
BROWSER_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-dev-shm-usage",  # in a container it is small
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


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    installation, port = install(tmp_path), free_port()
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


def hosts_asked(browser: webdriver.Chrome) -> set[str]:
    """Every host that the browser turned to for its pages."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    return {url.split("/")[2] for url in urls if url.startswith(("http", "ws"))}
