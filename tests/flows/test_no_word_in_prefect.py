"""Prefect knows no word of it: all that the desk does, and then every table, log and file is read.

The canaries are who reports and what they say, what handlers type into every field, PINs and secret
links. The scan itself is tried first: planted on purpose, a canary is found in each kind of place.
"""

import base64
import re
import sqlite3
import sys
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from meldbalie.flows import overview
from meldbalie.flows.desk import prefect_api as api
from meldbalie.flows.operator.demo_files import Person
from meldbalie.mailbox.compose import Draft, plain
from meldbalie.mailbox.keyring import Keyring
from meldbalie.models.confirmations import Confirmation, confirm
from meldbalie.models.desk import DeskRun
from meldbalie.models.outbox import MailKind, Thread
from meldbalie.models.ticket import ticket_called
from meldbalie.tests.flows.glances import history, outbox, reply_address
from meldbalie.tests.flows.office import Office
from meldbalie.tests.flows.prefect_records import files, found, rows, tables_with_rows
from meldbalie.tests.flows.test_desk_of_the_handlers import running
from meldbalie.tests.flows.test_intake_verdicts import bounce, sealed_to_somebody_else
from meldbalie.tests.flows.world import NAME, PHONE, PIN, SENTENCE, World
from meldbalie.tests.prefect_server import PrefectServer, running_prefect
from meldbalie.tests.waiting import until
from prefect import flow, get_run_logger
from prefect.events import Event, Resource
from prefect.logging.handlers import APILogWorker
from prefect.states import Failed
from sqlalchemy import select

SUBJECT, FILE, HOST = "kanarie-onderwerp", "kanarie-bestand.png", "kanariehost.voorbeeld.example"
PLAIN_NAME, PLAIN_ADDRESS = "Karel Kanariepiet", "karel@anders.example"
#: What an exception says that arises while a handler's text is held.
CRASH = "kanarie-in-de-fout"
WRONG_PIN = "59-zwanen"


@pytest.fixture(scope="module")
def prefect_api() -> Generator[PrefectServer]:
    """A Prefect server of our own: what others leave in theirs proves nothing here."""
    with running_prefect() as server:
        yield server


class Words:
    """What handlers type: each text is another canary, named by where it was typed."""

    def __init__(self) -> None:
        self.typed: dict[str, str] = {}
        self._numbers = count(1)

    def __call__(self, where: str) -> str:
        word = f"kanarie-{next(self._numbers)}-getypt"
        self.typed[f"{where} ({word})"] = word
        return word


def planted(word: str) -> str:
    """Plant a canary wherever Prefect keeps something for us; gives the run of it."""

    @flow(name=f"flow-{word}", flow_run_name=f"name-{word}", persist_result=True)
    def planting(parameter: str) -> str:
        get_run_logger().info("log-%s", word)
        return parameter

    state = planting(f"parameter-{word}", return_state=True)
    run = state.state_details.flow_run_id
    assert run is not None
    with api() as client:
        client.create_flow_run_input(run, key="planted", value=f'"answer-{word}"')
        client.set_flow_run_state(run, Failed(message=f"message-{word}"), force=True)
        client.update_flow_run(run, tags=[f"tag-{word}"])
        made = {"key": f"key-{word}", "type": "markdown", "data": "", "description": f"page-{word}"}
        client.request("POST", "/artifacts/", json=made)
        client.create_deployment(client.create_flow_from_name("x"), "x", description=f"about-{word}")
        told = Event(event=f"event.{word}", resource=Resource({"prefect.resource.id": f"resource.{word}"}))
        client.request("POST", "/events", json=[told.model_dump(mode="json")])
    APILogWorker.drain_all()
    return str(run)


def test_the_scan_finds_what_is_planted_in_each_kind_of_place(prefect_api: PrefectServer) -> None:
    word = "kanarie-gepland"
    planted(word)
    (prefect_api.logs / "planted.log").write_text(f"{word.upper()}\n")
    wanted = {"flow.name", "flow_run.name", "flow_run.parameters", "flow_run.tags", "flow_run_state.message"}
    wanted |= {"flow_run_input.value", "artifact.description", "deployment.description", "log.message"}
    wanted |= {"events.event", "event_resources.resource_id"}

    def look() -> bool:
        wanted.difference_update(sight.partition(": ")[0] for sight in found({word: word}, rows(prefect_api)))
        return not wanted

    until(look, "what was planted")
    in_files = {sight.partition(": ")[0] for sight in found({word: word}, files(prefect_api.home))}
    assert any("prefect.db" in place for place in in_files)
    assert any("planted.log" in place for place in in_files)
    assert any("storage" in place for place in in_files)
    assert found({"never": "kanarie-nergens"}, rows(prefect_api)) == set()
    (prefect_api.logs / "planted.log").unlink()


@pytest.mark.parametrize("written", ["{}", "before{}behind", "xx{}y", "%22{}%22"])
def test_a_canary_is_found_in_base64_wherever_it_begins(written: str) -> None:
    word = "58-ganzen"
    kept = base64.b64encode(written.format(word).encode())
    assert found({"pin": word}, [("result", kept)]) == {"result: pin"}


@contextmanager
def broken(world: World, reference: str) -> Iterator[None]:
    """Whatever is written into one ticket's history fails, with an error that says a canary."""
    with closing(sqlite3.connect(world.config_file.parent / "meldbalie.db", timeout=30)) as database:
        with world.place.database.reading() as session:
            number = ticket_called(session, reference).id
        database.execute("PRAGMA secure_delete=ON")
        database.execute(
            f"CREATE TRIGGER broken BEFORE INSERT ON events WHEN NEW.ticket_id = {number}"
            f" BEGIN SELECT RAISE(ABORT, '{CRASH}'); END"
        )
        database.commit()
        yield
        database.execute("DROP TRIGGER broken")
        database.commit()


class Desk:
    """What handlers do at the desk, each thing when the one before it was taken."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.words = Words()

    def row(self, reference: str) -> DeskRun | None:
        """What the desk knows of a ticket's run; nothing while a form is being made."""
        with self.world.place.database.reading() as session:
            row = session.get(DeskRun, ticket_called(session, reference).id)
        return row if row and row.shown and row.run_id else None

    def gives(self, reference: str, **form: Any) -> tuple[str, int]:
        """Press Resume on the form that is asked; gives the server's verdict, and what was applied before."""
        row = until(lambda: self.row(reference), f"the form of {reference}")
        with api() as client:
            body = {"run_input": {"who": "Balie", **form}}
            said = client._client.post(f"/flow_runs/{row.run_id}/resume", json=body)
        return str(said.json().get("status", said.status_code)), row.applied

    def does(self, reference: str, **form: Any) -> str:
        """Answer the form, and wait until that is dealt with; gives why it was refused, if it was."""

        def taken() -> tuple[str, int] | None:
            verdict, before = self.gives(reference, **form)
            return (verdict, before) if verdict in ("ACCEPT", "REJECT") else None

        verdict, before = until(taken, f"{form['action']} to be looked at by Prefect")
        if verdict == "REJECT":
            return "not what the form offers"

        def applied() -> DeskRun | None:
            row = self.row(reference)
            return row if row and row.applied > before else None

        row = until(applied, f"{form['action']} to be dealt with")
        because = [one["because"] for one in (row.not_done or {}).values()]
        return "".join(filter(None, (row.refused_because, *because)))

    def starts(self, deployment: str, **parameters: Any) -> str:
        """Start a bulk act, and wait for its end; gives the name of its last state."""
        with api() as client:
            found = client.read_deployment_by_name(f"{deployment}/{deployment}")
            run = client.create_flow_run_from_deployment(found.id, parameters=parameters)

            def ended() -> str | None:
                state = client.read_flow_run(run.id).state
                return state.name if state and state.is_final() else None

            return until(ended, f"the end of {deployment}")


def test_no_word_of_anybody_is_in_prefect_after_all_of_it(world: World, prefect_api: PrefectServer) -> None:
    world.present.now = datetime.now(UTC)
    desk = Desk(world)
    with running(world, prefect_api, sys.executable, "-m", "meldbalie", "flows"):
        mail_comes_in(world)
        everything_is_answered(desk)
        an_error_arises_while_a_text_is_held(desk, prefect_api)
        orders_come_by_mail(desk)
        many_are_dealt_with_at_once(desk)
        it_is_shown(world, prefect_api)
    world.place.database.empty_log()
    canaries = {**who_and_what(world), **desk.words.typed}
    sealed = [world.config_file.parent / name for name in ("keys", "mailserver", "imap.password")]
    directory = world.config_file.parent

    def looked() -> set[str]:
        kept = files(prefect_api.home, directory, beside=sealed)
        return found(canaries, (*rows(prefect_api), *kept))

    assert {"artifact", "events", "flow_run_input", "flow_run_state", "log"} <= tables_with_rows(prefect_api)
    assert [place for place, _ in rows(prefect_api) if place == "flow_run_input.key"]
    assert not [key for place, key in rows(prefect_api) if place.endswith(".key") and b"-response" in key]
    sightings = [looked()]
    with suppress(AssertionError):  # what is deleted leaves the files some moments later
        until(lambda: sightings.append(looked()) or not sightings[-1], "the files to be overwritten")
    assert sightings[-1] == set()


def mail_comes_in(world: World) -> None:
    """Reports in the clear and under seal, one with a file, one that nobody can open; and a bounce."""
    for number in range(4):
        text = f"{number}: At https://{HOST}/zoeken {SENTENCE}. {NAME}, {PHONE}"
        world.arrives(world.reports(text, subject=SUBJECT, seals=number != 1))
        until(lambda number=number: len(world.tickets()) == number + 1, f"ticket {number + 1}")
    until(lambda: MailKind.RECEIPT in {mail.kind for mail in outbox(world)}, "a receipt")
    first, second, *_ = world.tickets()
    with_file = Draft(
        sender_name=PLAIN_NAME,
        sender=PLAIN_ADDRESS,
        recipient=reply_address(world, first),
        subject=SUBJECT,
        body=f"And {SENTENCE}.",
        attachments=((FILE, "image/png", b"kanarie"),),
        message_id="<kanarie-nummer@anders.example>",
        date=world.present(),
    )
    for message in (plain(with_file), sealed_to_somebody_else(world)):
        world.arrives(message)
    until(lambda: "message" in history(world, first), "the message")
    until(lambda: outbox(world, MailKind.QUARANTINED), "the quarantine")
    world.mail.wait_for_mail(world.people.reporter.address, 4, 60)
    world.arrives(bounce(world, 1, reply_address(world, second)))
    until(lambda: "bounced" in history(world, second), "the bounce")


def everything_is_answered(desk: Desk) -> None:
    """Every action of the form, with a canary in every field that takes one; done, and refused."""
    words = desk.words
    first, second, *_ = desk.world.tickets()
    for field in ("action", "assign_to", "severity", "close_reason", "milestone", "wait_for", "template"):
        form = {"action": "note for the team", "text": words(f"beside {field}"), field: words(field)}
        assert desk.does(first, **form), form
    refused: tuple[dict[str, Any], ...] = (
        {"action": "answer the reporter"},
        {"action": "answer the reporter", "no_date_because": words("no_date_because"), "cvss_vector": "x"},
        {"action": "answer the reporter", "expected_fix_date": words("expected_fix_date")},
        {"action": "set the severity", "cvss_vector": words("cvss_vector")},
        {"action": "set the severity", "cvss_vector": f"CVSS:3.1/{words('cvss_vector')}"},
        {"action": "propose the embargo's end", "embargo_ends_at": words("embargo_ends_at")},
        {"action": "note a milestone", "milestone": "fix_ready", "happened_at": words("happened_at")},
        {"action": "join: it belongs to another ticket", "belongs_to": words("belongs_to"), "pin": WRONG_PIN},
        {"action": "join: it belongs to another ticket", "belongs_to": words("belongs_to"), "pin": PIN},
        {"action": "close", "close_reason": "remediated", "pin": WRONG_PIN},
        {"action": "close", "close_reason": "remediated", "pin": words("pin")},
        {"action": "note for the team", "who": words("who")},
        {"action": "confirm", "severity": "high"},
    )
    for form in refused:
        refusal = desk.does(first, **{"text": words(f"refused: {form}"), **form})
        assert refusal, form
        assert not found(words.typed, [("the card", refusal.encode())]), form
    seen = len(history(desk.world, first))
    assert not desk.does(first, action="confirm", use_kept_text=True, text=words("besides the kept text"))
    late = desk.does(first, action="put on hold", text=words("late"), seen=seen)
    assert "nothing of" in late
    done: tuple[dict[str, Any], ...] = (
        {"action": "put on hold", "use_kept_text": True},
        {"action": "note for the team"},
        {"action": "answer the reporter", "no_date_because": words("no_date_because")},
        {"action": "answer the reporter", "expected_fix_date": "2126-12-01"},
        {"action": "ask the reporter"},
        {"action": "write to the reporter: no answer yet", "account": words("account"), words("?"): "x"},
        {"action": "accept: it will be fixed"},
        {"action": "set the severity", "severity": "high"},
        {"action": "assign", "assign_to": "Netwerkteam"},
        {"action": "note a milestone", "milestone": "fix_deployed"},
        {"action": "propose publication", "publish_on": "2126-12-01"},
        {"action": "withdraw a milestone", "milestone": "fix_deployed"},
        {"action": "wait for somebody, or go on", "wait_for": "supplier"},
        {"action": "propose the embargo's end", "embargo_ends_at": "2126-12-01T12:00"},
        {"action": "lift the embargo"},
        {"action": "close", "close_reason": "remediated", "pin": PIN},
    )
    for form in done:
        assert not desk.does(first, text=words(f"done: {form}"), **form), form
    assert not desk.does(second, action="not confirmed", text=words("not confirmed"))


def an_error_arises_while_a_text_is_held(desk: Desk, server: PrefectServer) -> None:
    """An answer, a bulk act and a message fail with an exception that has a word too many."""
    third = desk.world.tickets()[2]
    with broken(desk.world, third):
        refusal = desk.does(third, action="confirm", text=desk.words("held in an error"))
        assert "IntegrityError" in refusal
        assert CRASH not in refusal
        assert desk.starts("assign-many", tickets=[third], owner="Netwerkteam", who="Balie") == "Failed"
        until(lambda: f"{third}: IntegrityError" in logged(server), "the bulk act that fails")
        desk.world.arrives(desk.world.reports(SENTENCE, recipient=reply_address(desk.world, third)))
        until(lambda: re.search(r"message \d+: IntegrityError", logged(server)), "the message that fails")
    until(lambda: "message" in history(desk.world, third), "the message after all")


def logged(server: PrefectServer) -> str:
    """All that stands in the logs that Prefect keeps, and in the states of runs."""
    places = ("log.message", "flow_run_state.message", "task_run_state.message")
    return b"\n".join(value for place, value in rows(server) if place in places).decode()


def orders_come_by_mail(desk: Desk) -> None:
    """A handler's signed mails: done, refused, and in doubt."""
    world, handler = desk.world, desk.world.people.handler
    second = world.tickets()[1]
    office = Office(world, handler, second)
    with Keyring(world.people.desk.home) as ours:
        public = ours.export_public(world.people.desk.fingerprint)
    with Keyring(handler.home) as theirs:
        theirs.import_public(public)
    for order in ("fix 2126-12-15\n\n{}", "accept: {}", "{}", "intern: {}", "fix {}", "clsoe remediated {}"):
        known = len(outbox(world, MailKind.ORDER_REPLY))
        text = order.format(desk.words(f"by mail: {order!r}"))
        world.present.now = datetime.now(UTC)
        world.arrives(office.writes(handler, text, name="Balie"))
        until(lambda known=known: len(outbox(world, MailKind.ORDER_REPLY)) > known, f"a reply to {order!r}")
    assert {"answered", "order_refused"} <= set(history(world, second))


def many_are_dealt_with_at_once(desk: Desk) -> None:
    """Bulk acts by their references, one of them confirmed by the link in the handler's mail."""
    first, second, third, fourth, *_ = desk.world.tickets()
    assert (
        desk.starts("assign-many", tickets=[second, third], owner="Netwerkteam", who="Balie") == "Completed"
    )
    assert desk.starts("resend-link", ticket=third, who="Balie") == "Completed"
    assert desk.starts("reopen", ticket=first, who="Balie") == "Completed"
    assert desk.starts("split", ticket=second, who="Nobody") == "Failed"
    assert desk.starts("close-as-duplicates", of=third, tickets=[fourth], who="Balie") == "Completed"
    handler = desk.world.people.handler

    def pressed() -> bool:
        with desk.world.place.database.unit_of_work() as session:
            links = secret_links(desk.world, handler)
            asked = [confirm(session, link, now=datetime.now(UTC)) for link in links]
            return any(asked)

    until(pressed, "the link in the mail")

    def outcome() -> str | None:
        with desk.world.place.database.reading() as session:
            return session.scalars(select(Confirmation.outcome)).one()

    assert "closed as a duplicate" in until(outcome, "what is confirmed to be carried out")


def secret_links(world: World, person: Person) -> list[str]:
    """The tokens of the links that somebody was mailed."""
    found = (re.findall(r"https?://\S+/[a-z]/([\w-]{20,})", mail.text) for mail in world.read_by(person))
    return [token for tokens in found for token in tokens]


def it_is_shown(world: World, server: PrefectServer) -> None:
    """The pages are as they stand now, and all of it was told as events."""
    until(lambda: not overview.refresh(world.place), "the pages to be up to date")

    def told() -> bool:
        return any(value.startswith(b"meldbalie.ticket.closed") for _, value in rows(server))

    until(told, "the events")


def who_and_what(world: World) -> dict[str, str]:
    """Who reports, what they say, and what is secret."""
    reporter = world.people.reporter
    with world.place.database.reading() as session:
        tokens = list(session.scalars(select(Thread.token)))
    links = [*secret_links(world, reporter), *secret_links(world, world.people.handler)]
    assert len(links) >= 3
    return {
        "name": NAME,
        "first name": "Sanne",
        "address": reporter.address,
        "domain": "onderzoek.example",
        "phone": PHONE,
        "key": reporter.fingerprint[-16:],
        "other name": PLAIN_NAME,
        "other address": PLAIN_ADDRESS,
        "sentence": SENTENCE,
        "word": "kanarie-parameter",
        "subject": SUBJECT,
        "inner subject": "Kanariegeel",
        "file": FILE,
        "host": HOST,
        "error": CRASH,
        "PIN": PIN,
        "wrong PIN": WRONG_PIN,
        **{f"thread {number}": token for number, token in enumerate(tokens)},
        **{f"link {number}": token for number, token in enumerate(links)},
    }
