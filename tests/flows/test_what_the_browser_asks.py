"""Prefect's pages as the embedded server gives them: whatever stands on them, they ask nobody else."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from meldbalie.tests.flows.browsing import Browser, Elsewhere, chromium, elsewhere
from meldbalie.tests.flows.hostile_desk import HostileDesk, hostile_desk
from meldbalie.tests.prefect_server import PrefectServer
from selenium.webdriver.common.by import By

ANALYTICS = {("connect-src", "sr-client-cfg.amplitude.com")}
PICTURE = ("img-src", "images.elsewhere.example")
RUN = "CVD-2026-0042"
#: The pages, and what shows that they are there.
PLAIN = {
    "/": "Flow Runs",
    "/dashboard": "Flow Runs",
    "/runs": RUN,
    "/runs/flow-run/{run}": RUN,
    "/flows": "asked",
    "/deployments": "asked",
    "/automations": "Automations",
    "/events": "Event Feed",
    "/settings": "Server Settings",
}
WITH_MARKDOWN = {
    "/deployments/deployment/{deployment}?tab=Description": "Read this first",
    "/artifacts": "overview",
    "/artifacts/key/overview": "Read this first",
    "/artifacts/artifact/{artifact}": "Read this first",
}
SHOWS_PICTURES = ("deployment/{deployment}?", "/key/", "/artifact/")
V2 = {
    **{path: text for path, text in PLAIN.items() if path not in ("/", "/settings")},
    **WITH_MARKDOWN,
    "/runs/flow-run/{run}?tab=Artifacts": "overview",
    "/settings": "Color Mode",
}
CALL_OTHERS = """
    const other = "http://images.elsewhere.example", body = document.body;
    const add = (tag, fields) => body.append(Object.assign(document.createElement(tag), fields));
    add("script", {src: other + "/script.js"});
    add("img", {src: other + "/img.png"});
    add("iframe", {src: other + "/frame"});
    add("object", {data: other + "/object"});
    add("video", {src: other + "/video", preload: "auto"});
    add("link", {rel: "stylesheet", href: other + "/style.css"});
    new FontFace("other", `url(${other}/font.woff2)`).load().catch(() => {});
    fetch(other + "/fetch").catch(() => {});
    navigator.sendBeacon(other + "/beacon");
    try { new WebSocket("ws://images.elsewhere.example/socket"); } catch {}
    add("form", {action: other + "/form", method: "post", id: "sent-away"});
    document.getElementById("sent-away").submit();
"""
CALLS_OF_ALL_KINDS = {
    (kind, "images.elsewhere.example")
    for kind in (
        *("script-src-elem", "img-src", "frame-src", "object-src", "media-src", "style-src-elem"),
        *("font-src", "connect-src", "form-action"),
    )
}


@pytest.fixture(scope="module")
def others() -> Iterator[Elsewhere]:
    """All other hosts."""
    with elsewhere() as server:
        yield server


@pytest.fixture(scope="module")
def browser(others: Elsewhere) -> Iterator[Browser]:
    with chromium(others, {}) as opened:
        yield opened


@pytest.fixture(scope="module")
def desk(prefect_api: PrefectServer) -> Iterator[HostileDesk]:
    """Its run, its deployment and its artifact call other hosts, as far as markdown can."""
    with hostile_desk(prefect_api.api_url) as made:
        yield made


def on(desk: HostileDesk, path: str) -> str:
    """The address of a page."""
    filled = path.format(run=desk.run, deployment=desk.deployment, artifact=desk.artifact)
    return f"http://localhost:{desk.port}{filled}"


@pytest.mark.parametrize("path", PLAIN)
def test_a_page_of_the_default_ui_does_not_even_try_to_ask_another_host(
    browser: Browser, others: Elsewhere, desk: HostileDesk, path: str
) -> None:
    browser.open(on(desk, path), shows=PLAIN[path])

    assert browser.refused() == set()
    assert browser.asked() == {"localhost"}
    assert others.calls == []


@pytest.mark.parametrize("path", WITH_MARKDOWN)
def test_markdown_that_calls_another_host_is_kept_from_it(
    browser: Browser, others: Elsewhere, desk: HostileDesk, path: str
) -> None:
    browser.open(on(desk, path), shows=WITH_MARKDOWN[path])
    if any(part in path for part in SHOWS_PICTURES):
        browser.wait(lambda: PICTURE in browser.refused())

    assert {host for _, host in browser.refused()} <= {"images.elsewhere.example"}
    assert browser.asked() == {"localhost"}
    assert others.calls == []


@pytest.mark.parametrize("path", V2)
def test_a_page_of_v2_is_kept_from_the_analytics_host(
    browser: Browser, others: Elsewhere, desk: HostileDesk, path: str
) -> None:
    browser.open(on(desk, f"/v2{path}"), shows=V2[path])
    browser.wait(lambda: browser.refused() >= ANALYTICS)

    assert {host for _, host in browser.refused() - ANALYTICS} <= {"images.elsewhere.example"}
    assert browser.asked() == {"localhost"}
    assert others.calls == []


@pytest.mark.parametrize("ui", ["", "/v2"])
def test_the_form_of_a_run_opens_and_its_card_calls_nobody(
    browser: Browser, others: Elsewhere, desk: HostileDesk, ui: str
) -> None:
    browser.open(on(desk, f"{ui}/runs/flow-run/{{run}}"), shows=RUN)
    if ui:
        browser.press("Open menu")
    browser.press("Resume")
    browser.wait(lambda: "Read this first" in browser.text() and PICTURE in browser.refused())
    fields = "[role=dialog] textarea, .p-modal textarea"
    browser.wait(lambda: len(browser.driver.find_elements(By.CSS_SELECTOR, fields)) == 2)

    assert browser.asked() == {"localhost"}
    assert others.calls == []


@pytest.mark.parametrize("path", ["/dashboard", "/v2/dashboard"])
def test_the_policy_stops_scripts_pictures_frames_forms_and_all_the_rest(
    browser: Browser, others: Elsewhere, desk: HostileDesk, path: str
) -> None:
    browser.open(on(desk, path), shows="Flow Runs")

    browser.driver.execute_script(CALL_OTHERS)
    browser.wait(lambda: browser.refused() >= CALLS_OF_ALL_KINDS)

    assert browser.asked() == {"localhost"}
    assert others.calls == []


def test_another_host_would_have_noticed(browser: Browser, others: Elsewhere) -> None:
    path = f"/{uuid4()}"

    browser.driver.get(f"http://images.elsewhere.example{path}")
    noticed = [call for call in others.calls if call.startswith(f"GET {path} ".encode())]
    others.calls.clear()

    assert len(noticed) == 1
