"""The desk is kept on a real Prefect server: each open ticket has its run, and answers are applied."""

import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from cryptography.fernet import Fernet
from meldbalie.flows import runs, showing
from meldbalie.flows.attend import Desk, attend
from meldbalie.flows.desk import prefect_api
from meldbalie.flows.installation import unlock_vault
from meldbalie.flows.view import View
from meldbalie.models import acts
from meldbalie.models.desk import DeskRun
from meldbalie.models.migrate import migrate
from meldbalie.models.outbox import MailKind
from meldbalie.models.session import Database
from meldbalie.models.states import CloseReason
from meldbalie.models.ticket import WaitingOn, ticket_called
from meldbalie.models.vault import vault
from meldbalie.tests.flows.glances import (
    answers,
    goes_round,
    history,
    outbox,
    run_of,
    works_with,
)
from meldbalie.tests.flows.world import World
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Cancelled, Completed, Crashed, Failed, Pending, Running, Suspended
from sqlalchemy import event

FIRST, SECOND, THIRD = "CVD-2026-0001", "CVD-2026-0002", "CVD-2026-0003"
ANSWER = {
    "action": "answer the reporter",
    "who": "Balie",
    "text": "Het kanarie-antwoord.",
    "expected_fix_date": "2126-12-01",
}


@pytest.fixture
def desk(world: World) -> Generator[Desk]:
    """A desk with one ticket, which is shown."""
    world.arrives(world.reports())
    goes_round(world)
    with prefect_api() as client:
        made = Desk(world.place, client)
        turns(made)
        yield made


def turns(desk: Desk) -> int:
    """The desk turns until nothing is left to do; gives how many answers it took.

    A busy Prefect server may fail a call, which the next round makes again.
    """
    taken = desk.take_answers()
    for _ in range(2):
        desk.go_round()
        desk.look_around()
        while desk.show_some():
            taken += desk.take_answers()
        if not desk._failed:
            break
    return taken


def resumes(run: FlowRun, **form: Any) -> str:
    """A handler fills in the form; gives the server's verdict."""
    with prefect_api() as client:
        said = client._client.post(f"/flow_runs/{run.id}/resume", json={"run_input": form})
    return str(said.json()["status"])


def inputs(run: FlowRun) -> list[str]:
    """What Prefect keeps of a run's last form, and of answers to any; the form before may stay."""
    kept = inputs_of(run)
    numbers = sorted({int(key.split("-")[2]) for key in kept})
    assert len(numbers) <= 2
    return sorted(key for key in kept if "response" in key or f"-{numbers[-1]}-" in key)


def inputs_of(run: FlowRun) -> list[str]:
    """All that Prefect keeps of a run's forms."""
    with prefect_api() as client:
        return [one.key for one in client.filter_flow_run_input(run.id, "", 200, exclude_keys=set())]


def card(run: FlowRun) -> str:
    """The card of the form that a run asks."""
    assert run.state is not None
    keys = run.state.state_details.run_input_keyset
    assert keys is not None
    with prefect_api() as client:
        return str(client.read_flow_run_input(run.id, keys["description"]))


def named(run: FlowRun) -> str:
    """What a run's state is called."""
    assert run.state is not None
    return f"{run.state.type.value} {run.state.name}"


def sets(run: FlowRun, state: State[Any]) -> None:
    """Somebody sets a run's state by hand."""
    with prefect_api() as client:
        client.set_flow_run_state(run.id, state, force=True)


def does(world: World, reference: str, verb: Callable[..., Any], **facts: Any) -> None:
    """A handler does something beside the form."""
    with world.place.database.unit_of_work() as session:
        who: dict[str, Any] = {
            "by": "Balie",
            "because": "Omdat het zo is.",
            "promise": world.place.promise,
            "now": world.present(),
        }
        verb(session, ticket_called(session, reference), **who, **facts)


def test_a_new_ticket_has_a_run_that_waits_and_no_process_works_it(desk: Desk, world: World) -> None:
    run = run_of(world, FIRST)

    assert named(run) == "PAUSED Received"
    assert run.name == f"{FIRST} · Webteam · due Tue 24 Nov 14:05"
    assert set(run.tags) == {
        "ticket",
        "owner:Webteam",
        "severity:unrated",
        "state:received",
        "sla:ok",
        "waiting:handler",
    }
    assert run.parameters == {"reference": FIRST}
    assert run.run_count == 0
    assert inputs(run) == ["suspended-form-1-description", "suspended-form-1-schema"]
    assert turns(desk) == 0
    assert run_of(world, FIRST).state_id == run.state_id


def test_an_answer_is_applied_and_the_run_asks_again(desk: Desk, world: World) -> None:
    run = run_of(world, FIRST)
    assert resumes(run, action="fly", who="Balie") == "REJECT"
    assert resumes(run, **ANSWER) == "ACCEPT"
    assert resumes(run, **ANSWER) == "ABORT"

    assert turns(desk) == 1

    assert [mail.kind for mail in outbox(world, MailKind.ANSWER)] == [MailKind.ANSWER]
    assert named(run_of(world, FIRST)).startswith("PAUSED ")
    assert inputs(run) == ["suspended-form-2-description", "suspended-form-2-schema"]
    assert "answered by Balie" in card(run_of(world, FIRST))


def test_what_happens_by_mail_web_or_clock_shows_on_the_run(desk: Desk, world: World) -> None:
    answers(world, FIRST)
    goes_round(world)
    turns(desk)
    assert run_of(world, FIRST).name == f"{FIRST} · Webteam · update due Thu 03 Dec 14:05"
    assert "sla:answered" in run_of(world, FIRST).tags

    does(world, FIRST, acts.accept)
    turns(desk)
    assert named(run_of(world, FIRST)) == "PAUSED Being fixed"

    does(world, FIRST, acts.wait, on=WaitingOn.REPORTER)
    turns(desk)
    assert named(run_of(world, FIRST)) == "PAUSED Waiting for reporter"
    assert "waiting:reporter" in run_of(world, FIRST).tags


def test_a_ticket_becomes_due_and_overdue_with_nothing_happening(desk: Desk, world: World) -> None:
    world.present.passes(days=4)
    turns(desk)
    assert named(run_of(world, FIRST)) == "PAUSED Due soon"
    assert "sla:due-soon" in run_of(world, FIRST).tags

    world.present.passes(days=1)
    turns(desk)
    assert named(run_of(world, FIRST)) == "PAUSED Overdue"
    assert "sla:overdue" in run_of(world, FIRST).tags


def test_closing_ends_the_run_with_its_reason_and_leaves_no_form(desk: Desk, world: World) -> None:
    run = run_of(world, FIRST)
    does(world, FIRST, acts.invalidate)
    does(world, FIRST, acts.close, reason=CloseReason.OUT_OF_SCOPE)

    turns(desk)

    closed = run_of(world, FIRST)
    assert closed.id == run.id
    assert named(closed) == "COMPLETED Closed"
    assert closed.state is not None
    assert closed.state.message == f"{FIRST} is closed: out of scope"
    assert [tag for tag in closed.tags if tag.startswith("waiting:")] == []
    assert inputs(run) == []
    assert turns(desk) == 0
    assert named(run_of(world, FIRST)) == "COMPLETED Closed"


@pytest.mark.parametrize(
    "state",
    [Cancelled(), Crashed(), Completed(), Pending(), Running(), Suspended(timeout_seconds=None)],
    ids=lambda state: state.name,
)
def test_a_run_whose_state_somebody_set_is_put_right(desk: Desk, world: World, state: State[Any]) -> None:
    run = run_of(world, FIRST)
    sets(run, state)

    turns(desk)

    again = run_of(world, FIRST)
    assert again.id == run.id
    assert named(again) == "PAUSED Received"
    assert resumes(again, **ANSWER) == "ACCEPT"
    assert turns(desk) == 1
    assert history(world, FIRST).count("answered") == 1


def test_a_run_that_was_deleted_is_made_anew(desk: Desk, world: World) -> None:
    run = run_of(world, FIRST)
    with prefect_api() as client:
        client.delete_flow_run(run.id)

    turns(desk)

    again = run_of(world, FIRST)
    assert again.id != run.id
    assert (again.name, sorted(again.tags)) == (run.name, sorted(run.tags))
    assert resumes(again, **ANSWER) == "ACCEPT"
    assert turns(desk) == 1


def test_a_new_prefect_database_is_filled_again(desk: Desk, world: World) -> None:
    with prefect_api() as client:
        client.delete_deployment(client.read_deployment_by_name(runs.DEPLOYMENT).id)
        client.delete_flow_run(run_of(world, FIRST).id)

    turns(desk)

    assert named(run_of(world, FIRST)) == "PAUSED Received"


def test_a_new_prefect_database_shows_what_is_overdue_before_the_rest(desk: Desk, world: World) -> None:
    answers(world, FIRST)
    world.arrives(world.reports())
    goes_round(world)
    world.present.passes(days=6)
    turns(desk)
    before = run_of(world, FIRST), run_of(world, SECOND)
    assert [named(run) for run in before] == ["PAUSED Received", "PAUSED Overdue"]
    with prefect_api() as client:
        for run in before:
            client.delete_flow_run(run.id)

    desk.go_round()

    assert list(desk._to_show) == [SECOND, FIRST]


def test_a_run_of_a_deployment_that_is_gone_is_not_taken_for_this_one(desk: Desk, world: World) -> None:
    before = run_of(world, FIRST)
    with prefect_api() as client:
        client.delete_deployment(client.read_deployment_by_name(runs.DEPLOYMENT).id)
    with world.place.database.unit_of_work() as session:  # restored: as it was before the run was made
        session.delete(session.get_one(DeskRun, 1))

    turns(desk)

    again = run_of(world, FIRST)
    assert again.id != before.id
    assert resumes(again, **ANSWER) == "ACCEPT"
    assert turns(desk) == 1


def test_what_was_answered_when_the_deployment_had_gone_is_taken(desk: Desk, world: World) -> None:
    before = run_of(world, FIRST)
    with prefect_api() as client:
        client.delete_deployment(client.read_deployment_by_name(runs.DEPLOYMENT).id)
    assert resumes(before, **ANSWER) == "ACCEPT"

    turns(desk)

    assert history(world, FIRST).count("answered") == 1
    assert run_of(world, FIRST).id != before.id
    with prefect_api() as client:
        assert named(client.read_flow_run(before.id)) == "COMPLETED Superseded"
        assert client.filter_flow_run_input(before.id, "", 200, exclude_keys=set()) == []


def test_what_was_answered_in_a_run_that_we_do_not_know_of_is_taken(desk: Desk, world: World) -> None:
    before = run_of(world, FIRST)
    with (
        world.place.database.unit_of_work() as session
    ):  # whoever made it was killed before they wrote it down
        row = session.get_one(DeskRun, 1)
        row.run_id, row.made, row.shown = None, 0, None
    assert resumes(before, **ANSWER) == "ACCEPT"

    turns(desk)

    assert history(world, FIRST).count("answered") == 1
    assert run_of(world, FIRST).id == before.id
    assert named(run_of(world, FIRST)) == "PAUSED Received"


def test_a_ticket_that_cannot_be_shown_is_not_tried_at_once_and_for_ever(
    desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.look_around()
    world.present.passes(days=5)  # what it is called changes by time alone
    with monkeypatch.context() as broken:
        broken.setattr(showing, "show", lambda *_, **__: (_ for _ in ()).throw(httpx.ReadError("500")))
        desk.look_around()
        assert desk.show_some() == 1
        desk.look_around()
        assert desk.show_some() == 0

    desk.go_round()
    desk.look_around()
    assert desk.show_some() == 1
    assert named(run_of(world, FIRST)) == "PAUSED Overdue"


def test_a_new_version_of_our_code_shows_every_ticket_anew(
    desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(showing, "_code", lambda: "of tomorrow")

    turns(desk)

    assert inputs(run_of(world, FIRST)) == ["suspended-form-2-description", "suspended-form-2-schema"]


def test_a_run_that_was_begun_by_hand_ends(desk: Desk, world: World) -> None:
    with prefect_api() as client:
        deployment = client.read_deployment_by_name(runs.DEPLOYMENT)
        made = client.create_flow_run_from_deployment(deployment.id, parameters={"reference": FIRST})

    turns(desk)

    with prefect_api() as client:
        assert named(client.read_flow_run(made.id)) == "COMPLETED Superseded"
    assert named(run_of(world, FIRST)) == "PAUSED Received"


def test_the_second_of_two_handlers_is_told_what_happened_and_keeps_their_text(
    desk: Desk, world: World
) -> None:
    """One decides by mail while the other has the form open: the form knows which card it was."""
    does(world, FIRST, acts.confirm)
    turns(desk)
    run = run_of(world, FIRST)

    assert resumes(run, **ANSWER, seen=1) == "ACCEPT"
    turns(desk)

    assert history(world, FIRST).count("answered") == 0
    shown = card(run_of(world, FIRST))
    assert "> **Not done:** the ticket was moved by Balie" in shown
    assert "kept text" in shown
    assert "kanarie" not in shown
    kept = {**ANSWER, "text": "", "use_kept_text": True}
    assert resumes(run_of(world, FIRST), **kept) == "ACCEPT"
    turns(desk)
    [answer] = outbox(world, MailKind.ANSWER)
    with world.place.database.reading() as session:
        said = session.merge(answer).message
        assert said is not None
        assert said.text == ANSWER["text"]
        assert session.get_one(DeskRun, 1).not_done is None


@pytest.mark.parametrize("is_killed", [False, True])
def test_an_answer_given_while_the_form_is_replaced_is_not_lost(
    desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch, is_killed: bool
) -> None:
    """Resume is pressed between the new form's being written and its being asked; a kill may follow."""
    give = runs._give

    def pressed_meanwhile(client: SyncPrefectClient, run: UUID, question: runs.Question) -> None:
        give(client, run, question)
        monkeypatch.setattr(runs, "_give", give)
        assert resumes(run_of(world, FIRST), **ANSWER) == "ACCEPT"

    monkeypatch.setattr(runs, "_give", pressed_meanwhile)
    world.arrives(world.reports(subject=f"Re: {FIRST}"))
    goes_round(world)
    does(world, FIRST, partial(_note_severity))
    if is_killed:
        with monkeypatch.context() as dying:
            dying.setattr("meldbalie.flows.attend.take_answer", _dies)
            with pytest.raises(Killed):
                turns(desk)
        assert named(run_of(world, FIRST)).startswith("SCHEDULED"), "nobody fills in a form in vain"

    with prefect_api() as client:
        turns(Desk(world.place, client))

    assert history(world, FIRST).count("answered") == 1
    assert named(run_of(world, FIRST)).startswith("PAUSED")


def _note_severity(session: Any, ticket: Any, *, by: str, because: str, promise: Any, now: datetime) -> None:
    del because, promise
    ticket.record("seen", by=by, at=now)


class Killed(BaseException):
    """The process ends here."""


def _dies(*_: Any) -> str:
    raise Killed


@contextmanager
def killed_at(step: int, world: World, monkeypatch: pytest.MonkeyPatch) -> Generator[list[str]]:
    """Let what is done here end before its so-manieth step: a call of Prefect's API, or a commit of ours."""
    steps: list[str] = []

    def counts(name: str) -> None:
        steps.append(name)
        if len(steps) == step:
            raise Killed(name)

    def call(self: Any, method: str, path: str, *args: Any, **more: Any) -> Any:
        counts(f"{method} {path}")
        return request(self, method, path, *args, **more)

    def commits(*_: Any) -> None:
        counts("commit")

    from prefect.client.orchestration.base import BaseClient

    request = BaseClient.request
    engine = world.place.database.engine
    event.listen(engine, "commit", commits)
    with monkeypatch.context() as patch:
        patch.setattr(BaseClient, "request", call)
        try:
            yield steps
        except Killed:
            pass
        finally:
            event.remove(engine, "commit", commits)


@pytest.mark.parametrize("deployment_goes", [False, True])
def test_a_kill_between_any_two_steps_of_an_answer_applies_it_once(
    desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch, deployment_goes: bool
) -> None:
    for number in range(1, 60):
        before = history(world, FIRST).count("answered")
        turns(desk)
        if deployment_goes:
            with prefect_api() as client:
                client.delete_deployment(client.read_deployment_by_name(runs.DEPLOYMENT).id)
        assert resumes(run_of(world, FIRST), **ANSWER) == "ACCEPT"
        with killed_at(number, world, monkeypatch) as steps, prefect_api() as client:
            Desk(world.place, client).take_answers()
        with prefect_api() as client:
            turns(Desk(world.place, client))

        run = run_of(world, FIRST)
        assert history(world, FIRST).count("answered") == before + 1, steps
        assert named(run).startswith("PAUSED"), steps
        assert len(inputs(run)) == 2, steps
        if len(steps) < number:
            break
    else:
        pytest.fail("an answer takes more than sixty steps")
    assert number > 10
    assert len(outbox(world, MailKind.ANSWER)) == number


@pytest.mark.parametrize(
    "state", [Cancelled(), Crashed(), Completed(), Failed(), Running()], ids=lambda state: state.name
)
def test_an_answer_whose_run_somebody_ended_leaves_prefect_when_the_ticket_was_closed(
    desk: Desk, world: World, state: State[Any]
) -> None:
    run = run_of(world, FIRST)
    assert resumes(run, **ANSWER) == "ACCEPT"
    sets(run, state)
    does(world, FIRST, acts.invalidate)
    does(world, FIRST, acts.close, reason=CloseReason.OUT_OF_SCOPE)

    turns(desk)

    assert inputs_of(run) == []
    assert named(run_of(world, FIRST)) == "COMPLETED Closed"
    with world.place.database.reading() as session:
        kept = session.get_one(DeskRun, 1).not_done
    assert kept is not None
    assert kept["Balie"]["text"] == ANSWER["text"]


def test_a_kill_while_a_closed_ticket_is_shown_loses_no_answer(
    desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resume is pressed after it was looked for answers, and before the closing is shown."""
    for number in range(1, 60):
        reference = f"CVD-2026-{number:04}"
        run = run_of(world, reference)
        assert resumes(run, **ANSWER) == "ACCEPT"
        does(world, reference, acts.invalidate)
        does(world, reference, acts.close, reason=CloseReason.OUT_OF_SCOPE)
        with killed_at(number, world, monkeypatch) as steps, prefect_api() as client:
            Desk(world.place, client)._show(reference, anyhow=True)
        with prefect_api() as client:
            turns(Desk(world.place, client))

        with world.place.database.reading() as session:
            kept = session.get_one(DeskRun, number).not_done
        assert kept is not None, steps
        assert kept["Balie"]["text"] == ANSWER["text"], steps
        assert named(run_of(world, reference)) == "COMPLETED Closed", steps
        with prefect_api() as client:
            assert client.filter_flow_run_input(run.id, "", 200, exclude_keys=set()) == [], steps
        if len(steps) < number:
            break
        world.arrives(world.reports())
        goes_round(world)
        turns(desk)
    else:
        pytest.fail("to show a closed ticket takes more than sixty steps")
    assert number > 5


def restored(world: World, monkeypatch: pytest.MonkeyPatch, backup: Path) -> Database:
    """The database is an older one from here on; Prefect's own is as it was."""
    database = Database(f"sqlite:///{backup}")
    works_with(world, monkeypatch, replace(world.place, database=database))
    return database


def ghost(world: World, client: SyncPrefectClient, number: int) -> FlowRun:
    """A run of this desk whose ticket the database does not know, with an answer to its form."""
    reference = f"CVD-2026-{number:04}"
    once = f"{showing._once(reference, world.present())}/made"
    question = runs.Question(1, {"type": "object", "properties": {}}, "The card.")
    shown = View(reference, "Received", ("ticket",), None)
    run_id, _ = runs.make(client, runs.deployment(client), reference, once, shown, question)
    run = client.read_flow_run(UUID(run_id))
    assert resumes(run, **ANSWER) == "ACCEPT"
    return run


@pytest.mark.parametrize("is_answered", [False, True])
@pytest.mark.parametrize("is_given_anew", [False, True])
def test_runs_of_tickets_that_a_restored_database_does_not_know_end_and_swallow_no_answer(
    desk: Desk,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    is_answered: bool,
    is_given_anew: bool,
) -> None:
    backup = world.config_file.parent / "backup.db"
    with closing(sqlite3.connect(world.config_file.parent / "meldbalie.db")) as file:
        file.execute("VACUUM INTO ?", [str(backup)])
    world.arrives(world.reports())
    goes_round(world)
    turns(desk)
    since = run_of(world, SECOND)
    if is_answered:
        assert resumes(since, **ANSWER) == "ACCEPT"

    database = restored(world, monkeypatch, backup)
    world.present.passes(minutes=1)
    if is_given_anew:
        world.arrives(world.reports())
        goes_round(world)
    with prefect_api() as client:
        turns(Desk(world.place, client))
        ended = client.read_flow_run(since.id)
        kept = client.filter_flow_run_input(since.id, "", 200, exclude_keys=set())

    assert named(ended) == "COMPLETED Superseded"
    assert kept == []
    assert (f"{SECOND}: a form was answered" in caplog.text) == is_answered
    assert "kanarie" not in caplog.text
    assert world.tickets() == ([FIRST, SECOND] if is_given_anew else [FIRST])
    for reference in world.tickets():
        assert named(run_of(world, reference)) == "PAUSED Received"
        assert "answered" not in history(world, reference)
    database.close()


def test_a_kill_between_any_two_steps_leaves_no_answer_to_a_ticket_that_nobody_knows(
    desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(1, 60):
        caplog.clear()
        with prefect_api() as client:
            run = ghost(world, client, 900 + number)
            with killed_at(number, world, monkeypatch) as steps:
                Desk(world.place, client).take_answers()
        with prefect_api() as client:
            turns(Desk(world.place, client))
            assert named(client.read_flow_run(run.id)) == "COMPLETED Superseded", steps
            assert client.filter_flow_run_input(run.id, "", 200, exclude_keys=set()) == [], steps
        assert f"{run.parameters['reference']}: a form was answered" in caplog.text, steps
        if len(steps) < number:
            break
    else:
        pytest.fail("it takes more than sixty steps")
    assert number > 5


@pytest.mark.parametrize("is_known", [True, False])
def test_a_run_with_a_key_of_before_is_taken_over_and_ends_or_is_left_alone(
    desk: Desk, world: World, is_known: bool
) -> None:
    """Such a key says no desk: where it names no ticket of ours, the run may be another desk's."""
    reference = FIRST if is_known else THIRD
    with world.place.database.reading() as session:
        opened_at = ticket_called(session, FIRST).opened_at
    question = runs.Question(1, {"type": "object", "properties": {}}, "The card.")
    shown = View(reference, "Received", ("ticket",), None)
    with prefect_api() as client:
        deployment = runs.deployment(client)
        once = f"{reference}/{opened_at.isoformat()}/{deployment}/7"
        run_id, _ = runs.make(client, deployment, reference, once, shown, question)
        before = client.read_flow_run(UUID(run_id))
        assert resumes(before, **ANSWER) == "ACCEPT"

        turns(desk)

        assert history(world, FIRST).count("answered") == int(is_known)
        assert named(client.read_flow_run(before.id)) == (
            "COMPLETED Superseded" if is_known else "SCHEDULED Resuming"
        )
        client.delete_flow_run(before.id)


def test_another_installation_on_the_same_server_has_runs_of_its_own(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = world.place
    world.arrives(world.reports())
    goes_round(world)
    attend(minutes=0)
    mine = run_of(world, FIRST)
    vault.unlock([Fernet.generate_key().decode()])
    database = restored(world, monkeypatch, world.config_file.parent / "elsewhere.db")
    migrate(database)
    world.present.passes(seconds=1)

    for _ in range(2):
        world.arrives(world.reports())
    goes_round(world)
    attend(minutes=0)
    theirs = [run_of(world, FIRST), run_of(world, SECOND)]
    assert resumes(theirs[1], **ANSWER) == "ACCEPT"
    unlock_vault(here.config)
    works_with(world, monkeypatch, here)
    attend(minutes=0)

    assert run_of(world, FIRST).id == mine.id not in [run.id for run in theirs]
    with prefect_api() as client:
        assert named(client.read_flow_run(mine.id)) == named(client.read_flow_run(theirs[0].id))
        assert len(runs.given(client, str(theirs[1].id))) == 1
    database.close()


def test_one_ticket_that_cannot_be_shown_keeps_no_other_from_being_shown(
    desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    prepare = showing.prepare

    def fails(place: Any, reference: str, **more: Any) -> Any:
        if reference == SECOND:
            raise ValueError("het kanarie-geheim")
        return prepare(place, reference, **more)

    monkeypatch.setattr(showing, "prepare", fails)
    for _ in range(2):
        world.arrives(world.reports())
    goes_round(world)

    turns(desk)

    assert named(run_of(world, THIRD)) == "PAUSED Received"
    assert f"{SECOND}: ValueError" in caplog.text
    assert "kanarie" not in caplog.text
