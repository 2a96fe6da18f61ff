"""The pages and the saved links of the desk in a real Prefect, looked at with a real browser."""

from pathlib import Path
from uuid import uuid4

from meldbalie.flows.artifacts import page, post
from meldbalie.flows.bulk import RARE_ACTS
from meldbalie.flows.desk import prefect_api as api
from meldbalie.flows.installation import Records, utc_now
from meldbalie.flows.open_tickets import WROTE_LAST
from meldbalie.flows.overview import refresh
from meldbalie.flows.saved_links import OPEN_STATES, OPEN_TICKETS, TODAY, runs, saved_links
from meldbalie.flows.serving import deployments
from meldbalie.models.outbox import Mail, MailKind, MailState
from meldbalie.models.owners import Owner
from meldbalie.models.session import Database
from meldbalie.models.ticket import ticket_called
from meldbalie.settings import Settings
from meldbalie.tests.flows.glances import goes_round
from meldbalie.tests.flows.world import NAME, SENTENCE, World
from meldbalie.tests.models.reports import PROMISE
from meldbalie.tests.waiting import until
from meldbalie.tests.webhooks.serving import browser
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.objects import Artifact
from selenium import webdriver
from selenium.webdriver.common.by import By
from sqlalchemy import select

__all__ = ["browser"]

IS_IN_SIGHT = """
    const box = arguments[0].getBoundingClientRect();
    for (let e = arguments[0]; e; e = e.parentElement) {
        if (getComputedStyle(e).overflowX !== "visible" && box.right > e.getBoundingClientRect().right + 1)
            return false;
    }
    return box.right <= innerWidth;
"""
README = Path(__file__).parents[2] / "README.md"
HOSTILE = "[x](http://evil.example/a)| <img src=http://evil.example/i.png> www.evil.example a@evil.example"


def versions(key: str) -> list[Artifact]:
    with api() as client:
        of_key = ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
        return client.read_artifacts(artifact_filter=of_key)


def words(key: str) -> str:
    [artifact] = versions(key)
    return artifact.description or ""


def test_pages_are_changed_where_they_are_and_only_if_they_change(world: World) -> None:
    refresh(world.place)
    before = {key: versions(key)[0].id for key in (OPEN_TICKETS, TODAY)}
    assert "No ticket is open." in words(OPEN_TICKETS)

    assert refresh(world.place) == []
    world.arrives(world.reports())
    goes_round(world)
    assert refresh(world.place) == [OPEN_TICKETS, TODAY]

    assert {key: versions(key)[0].id for key in before} == before
    assert "CVD-2026-0001" in words(OPEN_TICKETS)
    assert words(OPEN_TICKETS).endswith("*Unchanged since Thu 19 Nov 14:05.*")


def test_a_page_that_prefect_lost_or_has_twice_is_one_again(world: World) -> None:
    with api() as client:
        for words_of_then in ("older", "newer"):
            lost = {"key": "probe", "type": "markdown", "data": "", "description": words_of_then}
            client.request("POST", "/artifacts/", json=lost)

        assert post(world.place, "probe", "now")
        assert words("probe").startswith("now\n")
        client.delete_artifact(versions("probe")[0].id)
        assert post(world.place, "probe", "now")
        assert not post(world.place, "probe", "now")
    assert words("probe").startswith("now\n")


def test_the_pages_keep_silent_about_reports_and_reporters(world: World) -> None:
    world.arrives(world.reports(subject="kanarie-onderwerp"))
    world.arrives(world.reports(subject="kanarie-onderwerp", seals=False, text=f"Nog een: {SENTENCE}"))
    goes_round(world)
    world.present.passes(days=6)

    refresh(world.place)

    told = words(OPEN_TICKETS) + words(TODAY)
    assert "CVD-2026-0002" in told
    reporter = world.people.reporter
    identity = (NAME, "Sanne", reporter.address, "onderzoek.example", reporter.fingerprint[-16:])
    assert [word for word in (*identity, SENTENCE, "kanarie", "formulieren.") if word in told] == []


def test_no_name_becomes_a_link_or_an_image_in_either_page_of_prefect(
    world: World, browser: webdriver.Chrome
) -> None:
    with world.place.database.unit_of_work() as session:
        for owner in session.scalars(select(Owner)):
            owner.name = HOSTILE if owner.name == "Webteam" else owner.name
    world.arrives(world.reports())
    goes_round(world)
    world.present.passes(days=5)
    refresh(world.place)

    for key in (OPEN_TICKETS, TODAY):
        for ui in ("", "/v2"):
            browser.get(page(world.place, key).replace("/artifacts", f"{ui}/artifacts"))
            until(lambda: "CVD-2026-0001" in browser.page_source, f"the page {key}")
            shown = browser.find_element(By.TAG_NAME, "body").text.replace("\N{WORD JOINER}", "")
            assert HOSTILE in shown
            assert browser.find_elements(By.CSS_SELECTOR, "[href*=evil], [src*=evil]") == []
            assert browser.find_elements(By.CSS_SELECTOR, "a[href*='/runs']") != []


def runs_like(owner: str, **states: str) -> None:
    """Runs as the desk makes them, each named by its number, in its state and with its tags."""
    with api() as client:
        flow = str(client.create_flow_from_name("ticket"))
        for number, (tag, state) in enumerate(states.items(), 1):
            tags = ["ticket", f"owner:{owner}", f"sla:{tag}", "waiting:reporter"]
            run = {"flow_id": flow, "name": f"CVD-{number} {owner}", "tags": tags}
            kind = "COMPLETED" if state == "Closed" else "PAUSED"
            client.request("POST", "/flow_runs/", json=run | {"state": {"type": kind, "name": state}})


def listed(browser: webdriver.Chrome, address: str, owner: str) -> list[str]:
    """The runs of an owner on a list, as it is shown once it has any."""
    browser.get(address)

    def look() -> list[str]:
        links = browser.find_elements(By.CSS_SELECTOR, "a[href*='/runs/flow-run/']")
        return [link.text.split()[0] for link in links if owner in link.text]

    return until(look, f"a run of {owner}")


def test_the_saved_links_show_what_they_say(world: World, browser: webdriver.Chrome) -> None:
    owner = f"R&D / Zorg, {uuid4().hex[:8]} (#1)"
    runs_like(owner, late="Overdue", soon="Due soon", asked="Waiting for reporter", gone="Closed")
    links = saved_links(world.place, owner=owner)
    browser.set_window_size(1300, 2500)  # a run of the list is in the page while it is in sight

    assert listed(browser, links[f"Of the owner {owner}"], owner) == ["CVD-1", "CVD-2", "CVD-3"]
    assert listed(browser, links["Overdue"], owner) == ["CVD-1"]
    assert listed(browser, links["Due soon"], owner) == ["CVD-2"]
    assert listed(browser, links["All open tickets"], owner) == ["CVD-1", "CVD-2", "CVD-3"]
    assert listed(browser, links["Waiting for the reporter"], owner) == ["CVD-1", "CVD-2", "CVD-3"]
    assert listed(browser, runs(world.place, "sla:asked"), owner) == ["CVD-3"]
    assert listed(browser, runs(world.place, "sla:gone", states=["Closed"]), owner) == ["CVD-4"]


def test_the_link_to_the_acts_lists_what_handlers_start_and_no_machinery(
    world: World, browser: webdriver.Chrome
) -> None:
    for made in deployments(Settings()):
        made.apply()
    browser.set_window_size(1300, 2500)
    browser.get(saved_links(world.place)["Acts on many tickets, and rare ones"])

    def listed_names() -> list[str]:
        links = browser.find_elements(By.CSS_SELECTOR, "a[href*='/deployments/deployment/']")
        return sorted({name for link in links if (name := link.text.strip())})

    assert until(listed_names, "the deployments") == sorted(act.name for act in RARE_ACTS)


def test_what_to_look_at_is_not_cut_off_on_a_small_screen(world: World, browser: webdriver.Chrome) -> None:
    world.arrives(world.reports())
    goes_round(world)
    with world.place.database.unit_of_work() as session:
        ticket = ticket_called(session, "CVD-2026-0001")
        ticket.record("message", by="from_reporter", at=world.present(), doubt=None)
        for mail in session.scalars(select(Mail).where(Mail.kind == MailKind.IBD_COPY)):
            mail.state = MailState.HELD
    refresh(world.place)
    browser.set_window_size(1180, 900)
    browser.get(page(world.place, OPEN_TICKETS))
    until(lambda: browser.find_elements(By.CSS_SELECTOR, "td"), "the table")

    [cell] = [one for one in browser.find_elements(By.CSS_SELECTOR, "td") if WROTE_LAST in one.text]
    assert "copy for the IBD held" in cell.text
    assert browser.execute_script(IS_IN_SIGHT, cell)


def test_the_readme_has_a_saved_link_for_each_view() -> None:
    default = Settings()
    shown = saved_links(Records(default, Database("sqlite://"), PROMISE, utc_now))

    text = README.read_text(encoding="utf-8")
    assert [title for title, address in shown.items() if f"| [{title}]({address}) |" not in text] == []
    assert set(OPEN_STATES) >= {"Overdue", "Due soon", "Received", "Waiting for reporter"}
    assert "Closed" not in OPEN_STATES
