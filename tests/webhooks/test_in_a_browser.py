"""Acknowledging a rung, and the page of the promise, in a real browser: on a telephone, without script."""

import pytest
from meldbalie.models.clocks import FiredRung
from meldbalie.tests.webhooks.serving import Served, hosts_asked
from meldbalie.tests.webhooks.test_acknowledging import told_of
from meldbalie.tests.webhooks.test_promise import arrived, publishes
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from sqlalchemy import select

NO_SCRIPT = {"value": True}
BUTTON_IS_AT_LEAST = 44  # pixels: WCAG 2.2, 2.5.5
WIDTHS = pytest.mark.parametrize("width", [1180, 320], ids=["desktop", "telephone"])


def look(browser: webdriver.Chrome, url: str, width: int = 1180) -> None:
    """Open a page at a width; no script of a page runs."""
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", NO_SCRIPT)
    browser.get(url)


def is_whole(browser: webdriver.Chrome, served: Served, width: int) -> None:
    """Nothing sticks out, nothing was refused, and nobody else was asked."""
    size = browser.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
    assert size["width"] <= width
    assert hosts_asked(browser) == {f"127.0.0.1:{served.port}"}
    assert browser.get_log("browser") == []
    assert browser.get_cookies() == []


def seen(served: Served) -> bool:
    with served.installation.database.reading() as session:
        return session.scalars(select(FiredRung.acknowledged_at)).one() is not None


@WIDTHS
def test_a_rung_is_acknowledged_by_keyboard_and_only_by_the_button(
    served: Served, browser: webdriver.Chrome, width: int
) -> None:
    look(browser, served.url(f"/a/{told_of(served.installation)}?lang=en"), width)
    button = browser.find_element(By.TAG_NAME, "button")
    assert button.size["height"] >= BUTTON_IS_AT_LEAST
    assert button.value_of_css_property("color") == "rgba(255, 255, 255, 1)"
    is_whole(browser, served, width)
    assert not seen(served)

    for _ in range(9):
        if browser.switch_to.active_element == button:
            break
        browser.switch_to.active_element.send_keys(Keys.TAB)
    assert button.value_of_css_property("outline-style") == "solid"
    button.send_keys(Keys.ENTER)

    assert browser.find_element(By.CSS_SELECTOR, "[role=status] strong").text == "Noted: this was seen."
    assert browser.title.startswith("Noted")
    assert browser.find_elements(By.TAG_NAME, "button") == []
    assert seen(served)
    is_whole(browser, served, width)


@WIDTHS
def test_the_promise_is_drawn_and_told_in_a_table_that_keeps_its_row_names_in_sight(
    served: Served, browser: webdriver.Chrome, width: int
) -> None:
    arrived(served.installation, 2025, 26, 1)
    arrived(served.installation, 2024, 12, 6)
    publishes(served.installation)

    look(browser, served.url("/promise?lang=nl"), width)

    is_whole(browser, served, width)
    chart = browser.find_element(By.CLASS_NAME, "chart")
    kept = [bar.rect["width"] for bar in chart.find_elements(By.CLASS_NAME, "bar-kept")[1:]]
    assert [round(100 * one / chart.rect["width"]) for one in kept] == [85, 66]
    name = browser.find_element(By.CSS_SELECTOR, "tbody th")
    at_first = name.rect["x"]
    table = browser.find_element(By.CLASS_NAME, "scroll")
    for _ in range(20):
        table.send_keys(Keys.ARROW_RIGHT)
    assert abs(name.rect["x"] - at_first) < 1 + table.rect["x"]
    assert 0 <= name.rect["x"] < width
