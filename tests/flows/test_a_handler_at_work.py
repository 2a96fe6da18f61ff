"""Handlers at work: the product's own processes, a real Prefect, and Chromium, by what stands on its pages.

One installation serves most of these tests, each with reports of its own. What is not filled in on the
page is posted where the page posts it.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from meldbalie.flows.acting import Action
from meldbalie.flows.desk import prefect_api as api
from meldbalie.flows.operator.children import flow_runner, web_app
from meldbalie.flows.operator.demo_files import People, Person, make_people
from meldbalie.flows.operator.logs import Logs
from meldbalie.flows.operator.supervisor import Supervisor
from meldbalie.flows.runs import given
from meldbalie.flows.saved_links import run_address, saved_links
from meldbalie.models.clocks import Clock, ClockKind
from meldbalie.models.desk import DeskRun
from meldbalie.models.pins import set_pin
from meldbalie.models.ticket import Ticket, ticket_called
from meldbalie.settings import CONFIG_VARIABLE, settings, use
from meldbalie.tests.flows.desk_page import DeskPage, desk_page
from meldbalie.tests.flows.world import PIN, Present, World, make_world, post_office
from meldbalie.tests.ports import free_port
from meldbalie.tests.prefect_server import PrefectServer
from meldbalie.tests.waiting import until
from prefect.client.schemas.objects import FlowRun
from selenium.webdriver.common.by import By
from sqlalchemy import select

ANSWER = "We hebben het kanarie-antwoord klaar: het formulier is dicht."
VECTOR = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"
SECRET_LINK = re.compile(r"http://127\.0\.0\.1:[0-9]+/s/\S+")
CONFIRMATION_LINK = re.compile(r"http://127\.0\.0\.1:[0-9]+/c/\S+")
AMSTERDAM, ELSEWHERE = ZoneInfo("Europe/Amsterdam"), "America/New_York"
ACTION, TEXT, FIX_DATE = "Action", "Text or reason", "Expected Fix Date"
ASSIGN_TO, MILESTONE, CLOSE_REASON = "Assign To", "Milestone", "Close Reason"
LISTS = frozenset({ASSIGN_TO, MILESTONE, CLOSE_REASON})

#: The second handler, and the web app on a port of its own.
CONFIGURATION = """
[web]
port = {port}
workers = 1

[[triage]]
name = "Hanna"
address = "{hanna.address}"
fingerprint = "{hanna.fingerprint}"
"""


@dataclass
class AtWork:
    """An installation at work, and the window of a handler."""

    world: World
    page: DeskPage
    done: set[Action] = field(default_factory=set[Action])

    def is_reported(self, *, days_ago: float = 0, **more: Any) -> str:
        """A report comes in; gives its number, once it is on the desk with its mails."""
        known = set(self.world.tickets())
        self.world.present.now = datetime.now(UTC).replace(microsecond=0) - timedelta(days=days_ago)
        before = more.pop("head", b"")
        self.world.arrives(before + self.world.reports(**more))
        [reference] = until(lambda: set(self.world.tickets()) - known, "the ticket")
        self.is_shown(reference)
        return reference

    def is_shown(self, reference: str) -> DeskRun:
        """The ticket's form is on its run."""

        def look() -> DeskRun | None:
            row = self.row(reference)
            return row if row and row.shown else None

        return until(look, f"{reference} on the desk")

    def row(self, reference: str) -> DeskRun | None:
        """What we know of its run."""
        with self.world.place.database.reading() as session:
            return session.get(DeskRun, ticket_called(session, reference).id)

    def run(self, reference: str) -> FlowRun:
        """Its run in Prefect."""
        row = self.row(reference)
        assert row is not None
        with api() as client:
            return client.read_flow_run(row.run_id)

    def address(self, reference: str) -> str:
        """Where its run is in the UI."""
        row = self.row(reference)
        assert row is not None
        return run_address(self.world.place, reference, row.run_id)

    def posts(self, reference: str, action: Action, *, who: str = "Balie", **form: Any) -> None:
        """Give an answer as the page does, again while Prefect says that it could not take it."""
        row = self.is_shown(reference)
        number = row.asked
        filled = {"run_input": {"action": action.value, "who": who, "seen": row.asked_after, **form}}

        def accepted() -> bool:
            with api() as client:
                said = client._client.post(f"/flow_runs/{self.run(reference).id}/resume", json=filled)
            row = self.row(reference)
            is_taken = row is not None and row.applied >= number  # whatever Prefect said
            assert is_taken or said.json()["status"] in ("ACCEPT", "ABORT"), said.text
            return is_taken or said.json()["status"] == "ACCEPT"

        until(accepted, f"a form for {action}")
        self.was_taken(reference, number)

    def does(self, reference: str, action: Action, **form: Any) -> None:
        """An answer that is not refused."""
        self.posts(reference, action, **form)
        self.was_done(reference, action)

    def clicks(self, reference: str, action: Action, fields: Mapping[str, Any]) -> None:
        """The same on the page."""
        number = self.asked(reference)
        self.page.resumes(self.address(reference))
        self.page.chooses(ACTION, action.value)
        self.page.chooses("I am", "Balie")
        for label, value in fields.items():
            if isinstance(value, date):
                self.page.picks(label, value)
            elif label in LISTS:
                self.page.chooses(label, value)
            else:
                self.page.writes(label, value)
        self.page.submits()
        self.was_taken(reference, number)
        self.was_done(reference, action)

    def asked(self, reference: str) -> int:
        """The number of the last form."""
        row = self.row(reference)
        assert row is not None
        return row.asked

    def was_taken(self, reference: str, number: int) -> None:
        """The answer to this form or a later one was taken, and the ticket is shown as it then was."""

        def look() -> bool:
            row = self.row(reference)
            if row is None or row.applied < number or row.shown is None:
                return False
            with api() as client:
                is_answered = given(client, str(row.run_id))
                state = client.read_flow_run(row.run_id).state
            return not is_answered and state is not None and (state.is_paused() or state.is_completed())

        until(look, f"the answer to form {number} of {reference}")

    def was_done(self, reference: str, action: Action) -> None:
        """It was done, and not refused."""
        row = self.row(reference)
        assert row is not None
        assert row.refused_because is None
        assert not any(one["because"] for one in (row.not_done or {}).values())
        self.done.add(action)

    def ticket(self, reference: str) -> Ticket:
        """The ticket as it is now."""
        with self.world.place.database.reading() as session:
            found = ticket_called(session, reference)
            assert [found.history, found.messages]
            return found

    def last(self, reference: str, kind: str) -> Mapping[str, Any]:
        """The facts of the last event of a kind."""
        return [entry for entry in self.ticket(reference).history if entry.kind == kind][-1].facts

    def read(self, person: Person, words: str) -> str:
        """The text of a mail that somebody can read these words in, once it is there."""

        def look() -> str | None:
            return next((mail.text for mail in self.world.read_by(person) if words in mail.text), None)

        return until(look, f"{words!r} in the mail of {person.name}")


@contextmanager
def at_work(keys: Path, prefect: PrefectServer, *, second_factor: str) -> Generator[AtWork]:
    """A fresh installation with two handlers, its processes running, and a window of one of them."""
    directory = Path(tempfile.mkdtemp(prefix="mbh"))
    directory.chmod(0o755)
    shutil.copytree(keys, directory / "keys", ignore=shutil.ignore_patterns("S.*"))
    people, present = make_people(directory), Present(datetime.now(UTC).replace(microsecond=0))
    mail = post_office(directory)
    before = os.environ.get(CONFIG_VARIABLE)
    mail.start()
    try:
        place = make_world(directory, people, mail, prefect, present)
        file = directory / "meldbalie.toml"
        configure(file, people, second_factor)
        with place.database.unit_of_work() as session:
            set_pin(session, "Hanna", PIN, now=place.clock())
        with ExitStack() as stack:
            config = use(file)
            children = [web_app(config), flow_runner(config)]
            logs = Logs(directory / "log", 10**8)
            stack.enter_context(Supervisor(children, say=lambda line: None, logs=logs))
            page = stack.enter_context(desk_page(directory / "window"))
            yield AtWork(World(place, people, mail, present, file), page)
        place.keyring.stop()
        place.database.close()
    finally:
        mail.kill()
        if before is None:
            os.environ.pop(CONFIG_VARIABLE, None)
        settings.cache_clear()
        shutil.rmtree(directory, ignore_errors=True)


def configure(file: Path, people: People, second_factor: str) -> None:
    """Write what these tests ask beside what every world has."""
    port = free_port()
    written = file.read_text().replace('second_factor = "pin"', f'second_factor = "{second_factor}"')
    written = written.replace("[organisation]", f'[organisation]\npublic_url = "http://127.0.0.1:{port}"')
    written = written.replace("sweep_minutes = 1", "sweep_minutes = 60")
    file.write_text(written + CONFIGURATION.format(port=port, hanna=people.network_team))


@pytest.fixture(scope="module", params=["pin"])
def desk(
    request: pytest.FixtureRequest, people_of_the_session: tuple[Path, People], prefect_api: PrefectServer
) -> Generator[AtWork]:
    """The installation of most tests; who acts proves it by PIN."""
    keys = people_of_the_session[0] / "keys"
    with at_work(keys, prefect_api, second_factor=request.param) as work:
        yield work


def test_an_overdue_ticket_is_found_by_filter_and_answered_with_a_fix_date(desk: AtWork) -> None:
    late, fresh = desk.is_reported(days_ago=6), desk.is_reported(text="At https://www.voorbeeld.example/a.")
    page, promised = desk.page, in_days(40)

    page.finds(str(desk.run(fresh).id), on=run_address(desk.world.place, fresh, None))
    assert not page.lists(str(desk.run(late).id))
    page.finds(str(desk.run(late).id), on=saved_links(desk.world.place)["Overdue"]).click()
    assert not page.lists(str(desk.run(fresh).id))
    card = page.resumes(shows=late)
    assert "6 days ago" in card
    assert "Expected fix date: none given yet" in card
    page.chooses(ACTION, Action.ANSWER.value)
    page.chooses("I am", "Balie")
    page.writes(TEXT, ANSWER)
    page.picks(FIX_DATE, promised)
    page.submits()

    reporter = desk.world.people.reporter
    answer = desk.read(reporter, ANSWER)
    assert f"{promised.day} {promised:%B %Y}" in answer
    until(lambda: stopped(desk, late), "the end of the response clock")
    link = SECRET_LINK.search(desk.read(reporter, late))
    assert link is not None
    status = page.reads(f"{link[0]}?lang=en", once_it_says=late)
    assert ANSWER in status
    assert f"On or before {promised:%A} {promised.day} {promised:%B %Y}" in status
    assert "Late Given on" in status
    assert "Balie" not in status
    until(lambda: "sla:answered" in desk.run(late).tags, "the run's new tags")
    head = page.reads(desk.address(late), once_it_says="sla:answered")
    assert f"{late} · Webteam · update due" in head
    assert "Received" in head.splitlines()
    assert "Overdue" not in head


def in_days(days: int) -> date:
    """The day that many days from now."""
    return datetime.now(AMSTERDAM).date() + timedelta(days=days)


def stopped(desk: AtWork, reference: str) -> datetime | None:
    """When the response clock of a ticket stopped."""
    with desk.world.place.database.reading() as session:
        ticket = ticket_called(session, reference)
        clocks = select(Clock.stopped_at).where(Clock.ticket_id == ticket.id)
        return session.scalars(clocks.where(Clock.kind == ClockKind.RESPONSE)).one()


def test_each_action_is_done_by_the_form(desk: AtWork) -> None:
    machine = desk.is_reported(head=b"List-Id: <scans.example>\r\n", seals=False, key=False)
    first, second, third = (desk.is_reported() for _ in range(3))

    desk.does(machine, Action.RELEASE, pin=PIN)
    desk.does(second, Action.KEEP_APART)
    desk.clicks(second, Action.NOTE, {TEXT: "Alleen voor ons."})
    desk.does(second, Action.ASK, text="Welke browser is het?", template="more information needed")
    desk.does(second, Action.WAIT, wait_for="handler")
    desk.does(second, Action.INVALIDATE, text="Het lukt ons niet.")
    desk.does(second, Action.CONFIRM)
    desk.clicks(second, Action.ASSIGN, {ASSIGN_TO: "Netwerkteam"})
    desk.clicks(second, Action.RATE, {"CVSS vector": VECTOR})
    desk.does(second, Action.TELL, text="We zoeken nog.")
    desk.does(second, Action.DEFER, text="Volgende maand.")
    desk.does(second, Action.ACCEPT)
    desk.does(second, Action.ANSWER, no_date_because="De leverancier weet het nog niet.", text=ANSWER)
    silent = datetime.now(AMSTERDAM).replace(tzinfo=None) + timedelta(days=250)
    desk.page.lives_in(ELSEWHERE)
    desk.clicks(second, Action.EMBARGO, {"Embargo Ends At": f"{silent:%Y-%m-%d} 17:00"})
    assert desk.last(second, "embargo_proposed")["ends_at"] == in_utc(silent.replace(hour=17, minute=0))
    desk.does(second, Action.LIFT, text="Het is opgelost.")
    ready = datetime.combine(in_days(-1), time(12))
    desk.clicks(
        second, Action.MILESTONE, {MILESTONE: "fix_deployed", "Happened At": f"{ready:%Y-%m-%d %H:%M}"}
    )
    assert desk.last(second, "milestone")["happened_at"] == in_utc(ready)
    public = in_days(20)
    desk.clicks(second, Action.PUBLICATION, {"Publish On": public})
    assert desk.last(second, "publication_proposed")["on"] == public.isoformat()
    desk.does(second, Action.WITHDRAW, milestone="fix_deployed", text="Het was een andere fix.")
    desk.does(third, Action.JOIN, belongs_to=first, pin=PIN)
    desk.clicks(second, Action.CLOSE, {CLOSE_REASON: "remediated", TEXT: "Opgelost.", "PIN": PIN})

    assert desk.done == set(Action)
    assert "severity:high" in desk.run(second).tags
    page = desk.page.reads(desk.address(second), once_it_says="Closed")
    assert f"{second} · Netwerkteam · answered" in page
    ended = desk.run(second).state
    assert ended is not None
    assert (ended.type.value, ended.message) == ("COMPLETED", f"{second} is closed: remediated")


def in_utc(local: datetime) -> str:
    """A moment of the organisation's own as the history has it."""
    moment = local.replace(second=0, microsecond=0, tzinfo=AMSTERDAM)
    return moment.astimezone(UTC).isoformat()


#: What is refused in the form, and what the card then says.
REFUSED: tuple[tuple[Action, Mapping[str, Any], str], ...] = (
    (Action.ANSWER, {"expected_fix_date": str(in_days(9))}, "the answer has no text"),
    (Action.ANSWER, {"text": ANSWER, "expected_fix_date": str(in_days(-1))}, "has passed"),
    (Action.RATE, {"cvss_vector": VECTOR, "severity": "low"}, "is not that of the CVSS vector"),
    (Action.MILESTONE, {"milestone": "public", "happened_at": "20261201"}, "write a day and a time"),
    (Action.NOTE, {"text": "x", "severity": "low"}, "makes no use of severity"),
    (Action.CLOSE, {"pin": PIN}, "choose the reason for closing"),
    (Action.CLOSE, {"close_reason": "remediated", "pin": "geen-pin"}, "is not the PIN of Balie"),
)


def test_each_refusal_is_seen_on_the_card_and_nothing_is_done(desk: AtWork) -> None:
    reference = desk.is_reported()
    desk.does(reference, Action.ACCEPT)
    before = [entry.kind for entry in desk.ticket(reference).history if entry.actor == "Balie"]

    for action, form, because in REFUSED:
        desk.posts(reference, action, **form)
        card = desk.page.resumes(desk.address(reference), shows="Not done:")
        assert because in card

    assert [entry.kind for entry in desk.ticket(reference).history if entry.actor == "Balie"] == before


def test_the_second_of_two_handlers_is_told_and_sends_the_kept_text(desk: AtWork, tmp_path: Path) -> None:
    """Both have the form open; the first decides, and the second is refused without losing their words."""
    reference = desk.is_reported()
    with desk_page(tmp_path) as other:
        for page, who, action, text in (
            (desk.page, "Balie", Action.ANSWER, ANSWER),
            (other, "Hanna", Action.CONFIRM, "Het klopt."),
        ):
            page.resumes(desk.address(reference))
            page.chooses(ACTION, action.value)
            page.chooses("I am", who)
            page.writes(TEXT, text)
        desk.page.picks(FIX_DATE, in_days(30))
        number = desk.asked(reference)
        other.submits()
        desk.was_taken(reference, number)
        number = desk.asked(reference)
        desk.page.submits()
        desk.was_taken(reference, number)

    card = desk.page.resumes(desk.address(reference), shows="Not done:")
    assert "moved by Hanna" in card
    assert ANSWER not in card
    desk.page.chooses(ACTION, Action.ANSWER.value)
    desk.page.chooses("I am", "Balie")
    desk.page.picks(FIX_DATE, in_days(30))
    desk.page.ticks("Use Kept Text")
    number = desk.asked(reference)
    desk.page.submits()
    desk.was_taken(reference, number)
    assert ANSWER in [message.text for message in desk.ticket(reference).messages]


def test_the_card_stands_whole_above_the_form_in_a_small_window(desk: AtWork) -> None:
    reference = desk.is_reported()
    with desk.page.small_window():
        desk.page.resumes(desk.address(reference))
        card = desk.page.form().find_element(By.TAG_NAME, "article")
        height, content = (int(card.get_property(name)) for name in ("clientHeight", "scrollHeight"))
        assert height >= content > 100
        form = desk.page.field(ACTION)
        assert form.rect["y"] >= card.rect["y"] + content


@pytest.mark.parametrize("desk", ["link"], indirect=True)
def test_closing_is_confirmed_by_the_link_in_sealed_mail(desk: AtWork) -> None:
    reference, page = desk.is_reported(), desk.page
    desk.does(reference, Action.INVALIDATE, text="Het is niet van ons.")

    desk.clicks(reference, Action.CLOSE, {CLOSE_REASON: "out_of_scope", TEXT: "Het is van een ander."})
    card = page.resumes(desk.address(reference), shows="Waits for Balie")
    assert "close, by the link in their mail" in card
    mail = desk.read(desk.world.people.handler, "/c/")
    link = CONFIRMATION_LINK.search(mail)
    assert link is not None
    asked = page.reads(f"{link[0]}?lang=en", once_it_says="Do you want to do this?")
    assert reference in asked
    assert "Het is van een ander." in asked
    page.presses("Yes, do this")
    page.says("It is done")

    assert "Closed" in page.reads(desk.address(reference), once_it_says="Closed")
    ended = until(lambda: (now := desk.run(reference).state) and now.is_final() and now, "the end")
    assert (ended.type.value, ended.name) == ("COMPLETED", "Closed")
    assert ended.message == f"{reference} is closed: out of scope"
    assert desk.last(reference, "proved")["proof"] == "link"
