"""The pages as they are served: a real gunicorn, a real browser, real logs."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from meldbalie.models.states import TicketState
from meldbalie.models.ticket import WaitingOn
from meldbalie.tests.webhooks.installation import ARRIVAL, CANARIES, Installation
from meldbalie.tests.webhooks.serving import Served, hosts_asked
from selenium import webdriver
from selenium.webdriver.common.by import By

DAY = timedelta(days=1)


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
