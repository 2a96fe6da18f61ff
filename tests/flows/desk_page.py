"""The desk as a handler uses it: Prefect's V1 page in a real Chromium, by what can be read and clicked."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from meldbalie.tests.waiting import until
from meldbalie.tests.webhooks.serving import BROWSER_OPTIONS
from selenium import webdriver
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    NoSuchElementException,
    StaleElementReferenceException,
)
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

#: The page gives who has a mouse other widgets than who has none; this browser has one. The graph on a run's
#: page, which shows nothing of a ticket, is not drawn: without a graphics card that takes most of the time.
SWITCHES = (
    "--blink-settings=availableHoverTypes=2,primaryHoverType=2,availablePointerTypes=4,primaryPointerType=4",
    "--disable-software-rasterizer",
)
FIELD = (
    "//div[contains(@class, 'schema-form-property')][./div[contains(@class, 'p-label__header')]"
    "//span[@class='schema-form-property__label'][starts-with(., '{label}')]]"
)
NOT_YET = (
    ElementClickInterceptedException,
    NoSuchElementException,
    StaleElementReferenceException,
    StopIteration,
)
NO_FORM = "Do you want to resume this flow run?"
OOPS = ".p-toast__icon--error"
WIDTH, HEIGHT = 1300, 3000  # what is out of sight is not in the page


class DeskPage:
    """One window of one handler."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        """Take a driver, whose window is made large."""
        self.driver = driver
        driver.set_window_size(WIDTH, HEIGHT)

    @contextmanager
    def small_window(self) -> Generator[None]:
        """As on an ordinary screen, while that is what is looked at."""
        self.driver.set_window_size(1366, 768)
        yield
        self.driver.set_window_size(WIDTH, HEIGHT)

    def finds(self, run: str, *, on: str) -> WebElement:
        """A run in the list at this address."""
        self.driver.get(on)
        return self._once(lambda: self.driver.find_element(By.CSS_SELECTOR, f"a[href*='{run}']"), "the run")

    def lists(self, run: str) -> bool:
        """Whether a run stands on the list."""
        return bool(self._all(f"a[href*='{run}']"))

    def resumes(self, run: str = "", *, shows: str = "Events on the card") -> str:
        """Press Resume, on the run at this address or the one that is open; gives the card as it is read."""
        if run:
            self.driver.get(run)
        self._once(lambda: self._opens(shows), f"{shows!r} in the form")
        return self.form().find_element(By.TAG_NAME, "article").text

    def _opens(self, shows: str) -> bool:
        """Press Resume; a page that is older than its form offers none, and is loaded again."""
        if not self._all(".p-modal__card"):
            self._button("Resume").click()
        read = self.form().text
        if NO_FORM in read:
            self.driver.refresh()
        return shows in read and "Events on the card" in read

    def form(self) -> WebElement:
        """The dialog with card and form."""
        return self.driver.find_element(By.CSS_SELECTOR, ".p-modal__card")

    def field(self, label: str) -> WebElement:
        """A field of the form."""
        return self.form().find_element(By.XPATH, "." + FIELD.format(label=label))

    def chooses(self, label: str, value: str) -> None:
        """Choose from a list, by keyboard and mouse."""
        control = self.field(label).find_element(By.CSS_SELECTOR, ".p-select-button__control")
        control.send_keys(Keys.ARROW_DOWN)
        offered = f'//*[@role="option"][normalize-space(.)="{value}"]'
        self._once(lambda: self.driver.find_element(By.XPATH, offered), f"{value!r} under {label}").click()
        self._once(lambda: value in self.field(label).text, f"{value!r} as {label}")

    def writes(self, label: str, text: str) -> None:
        """Write into a field, in the place of what stands there."""
        box = self.field(label).find_element(By.CSS_SELECTOR, "textarea, input")
        box.send_keys(Keys.CONTROL, "a")
        box.send_keys(Keys.DELETE, text)

    def picks(self, label: str, day: date) -> None:
        """Pick a day of the calendar, month by month from the one that it shows."""
        self.field(label).find_element(By.CSS_SELECTOR, ".p-date-button__control").click()
        calendar = self._once(lambda: self.driver.find_element(By.CSS_SELECTOR, ".p-date-picker"), "calendar")
        following = calendar.find_elements(By.CSS_SELECTOR, ".p-calendar-header__arrow")[-1]
        while f"{day:%B}\n{day:%Y}" not in calendar.text:
            following.click()
        of_month = calendar.find_elements(By.CSS_SELECTOR, ".p-calendar-date-picker__date--in-month")
        of_month[day.day - 1].click()
        next(
            button for button in calendar.find_elements(By.TAG_NAME, "button") if button.text == "Apply"
        ).click()
        self._once(lambda: f"{day:%b} {day.day}" in self.field(label).text, f"{day} as {label}")

    def ticks(self, label: str) -> None:
        """Tick a box."""
        self.field(label).find_element(By.CSS_SELECTOR, "input[type=checkbox], [role=switch]").click()

    def submits(self) -> None:
        """Submit the form, and see it go; again whenever Prefect says that it could not take it just then."""
        self._button("Submit").click()
        failures = 0

        def is_sent() -> bool:
            nonlocal failures
            before, failures = failures, len(self._all(OOPS))
            if failures > before and self._all(".p-modal__card"):
                self._button("Submit").click()
            return not self._all(".p-modal__card")

        self._once(is_sent, "the form to go")

    def reads(self, address: str, *, once_it_says: str) -> str:
        """What a page says, once it says this."""
        self.driver.get(address)
        return self.says(once_it_says)

    def says(self, words: str) -> str:
        """What the page says, once it says this."""
        body = lambda: self.driver.find_element(By.TAG_NAME, "body").text  # noqa: E731
        self._once(lambda: words in body(), f"{words!r} on the page")
        return body()

    def presses(self, button: str) -> None:
        """Press a button of the page."""
        self._button(button).click()

    def lives_in(self, zone: str) -> None:
        """Let the browser's own time be that of another zone."""
        self.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": zone})

    def _button(self, words: str) -> WebElement:
        return next(button for button in self._all("button") if words in button.text)

    def _all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def _once(self, look: Callable[[], Any], what: str) -> Any:
        def patiently() -> Any:
            try:
                return look()
            except NOT_YET:
                return None

        return until(patiently, what)


@contextmanager
def desk_page(profile: Path) -> Generator[DeskPage]:
    """A window of a handler, with a mouse."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for option in (*BROWSER_OPTIONS, *SWITCHES, f"--user-data-dir={profile}"):
        options.add_argument(option)
    with webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver")) as driver:
        yield DeskPage(driver)
