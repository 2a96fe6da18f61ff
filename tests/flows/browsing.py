"""A real Chromium for which every other host is one of ours, which notes each connection."""

import json
import re
import socketserver
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import element_to_be_clickable
from selenium.webdriver.support.ui import WebDriverWait

SWITCHES = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--window-size=1400,1400"),
    "--disable-dev-shm-usage",  # in a container it is small
)
SECONDS = 60
#: Where Chromium turns to for itself, whatever page it shows: they do not exist here.
OF_THE_BROWSER_ITSELF = ("*.google.com", "*.googleapis.com", "*.gstatic.com", "*.gvt1.com")
TLS_HANDSHAKE = b"\x16"
A_HOST = re.compile(rb"(?:[a-z0-9-]+\.)+[a-z]{2,}")
NOTE_REFUSALS = """
    window.refused = [];
    addEventListener("securitypolicyviolation", (event) => {
        window.refused.push([event.effectiveDirective, event.blockedURI]);
    });
"""


class Elsewhere(socketserver.ThreadingTCPServer):
    """All other hosts: notes what comes in, and answers nothing of use."""

    daemon_threads = True

    def __init__(self) -> None:
        """Listen on a free port of loopback."""
        self.calls: list[bytes] = []
        super().__init__(("127.0.0.1", 0), _Call)

    @property
    def port(self) -> int:
        """Where."""
        return int(self.server_address[1])


class _Call(socketserver.BaseRequestHandler):
    server: Elsewhere

    def handle(self) -> None:
        said = self.request.recv(4096)
        if said.startswith(TLS_HANDSHAKE):
            said = b"TLS, " + b" ".join(A_HOST.findall(said))
        self.server.calls.append(said)
        self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@contextmanager
def elsewhere() -> Generator[Elsewhere]:
    """All other hosts, while they answer."""
    with Elsewhere() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Browser:
    """A Chromium that tells whom its pages asked, and whom they were kept from asking."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        """Take a driver that has its performance log on."""
        self.driver = driver
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": NOTE_REFUSALS})
        self.asked()

    def open(self, url: str, shows: str) -> None:
        """Open a page and wait until it shows something."""
        self.driver.get(url)
        self.wait(lambda: shows in self.text())

    def text(self) -> str:
        """What can be read on the page."""
        return self.driver.find_element(By.TAG_NAME, "body").text

    def wait(self, look: Callable[[], object]) -> None:
        """Wait until a look at the page finds something."""
        WebDriverWait(self.driver, SECONDS).until(lambda _: look())

    def press(self, button: str) -> None:
        """Press a button, or choose from a menu, once it is there."""
        path = f"//*[self::button or @role='menuitem'][contains(., '{button}')]"
        WebDriverWait(self.driver, SECONDS).until(element_to_be_clickable((By.XPATH, path))).click()

    def refused(self) -> set[tuple[str, str]]:
        """What the policy kept the page from, as directive and host."""
        noted: list[tuple[str, str]] = self.driver.execute_script("return window.refused")
        return {(directive, urlsplit(url).hostname or url) for directive, url in noted}

    def asked(self) -> set[str]:
        """Every host that a page sent something to since the last time, requests and WebSockets alike."""
        events = [json.loads(one["message"])["message"] for one in self.driver.get_log("performance")]
        urls = {event["params"]["requestId"]: url for event in events if (url := _url(event))}
        for event in events:  # a request that the policy stops is logged, and never sent
            if event["method"] == "Network.loadingFailed" and event["params"].get("blockedReason") == "csp":
                urls.pop(event["params"]["requestId"], None)
        return {urlsplit(url).hostname or url for url in urls.values() if url.startswith(("http", "ws"))}


def _url(event: dict[str, Any]) -> str:
    match event["method"]:
        case "Network.requestWillBeSent":
            return event["params"]["request"]["url"]
        case "Network.webSocketCreated":
            return event["params"]["url"]
        case _:
            return ""


@contextmanager
def chromium(others: Elsewhere, names: Mapping[str, int]) -> Generator[Browser]:
    """A browser that finds these names at these ports of loopback, and all others at ``others``."""
    rules = [f"MAP {name} 127.0.0.1:{port}" for name, port in names.items()]
    rules += [f"MAP {host} ~NOTFOUND" for host in OF_THE_BROWSER_ITSELF]
    rules += [f"MAP * 127.0.0.1:{others.port}", "EXCLUDE localhost", "EXCLUDE 127.0.0.1"]
    options = Options()
    options.binary_location = "/usr/bin/chromium"
    for switch in (*SWITCHES, f"--host-resolver-rules={', '.join(rules)}"):
        options.add_argument(switch)
    options.accept_insecure_certs = True
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    with webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver")) as driver:
        yield Browser(driver)
