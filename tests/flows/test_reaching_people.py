"""Somebody is told, with real parts: by reply, at an outage of the mail server, when a flow is dead."""

import argparse
import json
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from meldbalie.flows.deliver import deliver
from meldbalie.flows.installation import promise
from meldbalie.flows.intake import intake
from meldbalie.flows.operator import check_rota
from meldbalie.flows.operator.demo_files import PLAIN_REPORTER
from meldbalie.flows.operator.finding import State
from meldbalie.flows.operator.owners import add_arguments
from meldbalie.flows.operator.owners import run as run_owners
from meldbalie.flows.shifts import Shift
from meldbalie.flows.sweep import sweep
from meldbalie.flows.watching import note_stopped
from meldbalie.mailbox.compose import Draft, plain
from meldbalie.models.alarms import open_alarms
from meldbalie.models.clocks import FiredRung
from meldbalie.models.leases import did_work, take_lease
from meldbalie.models.outbox import MailKind
from meldbalie.models.owners import Owner
from meldbalie.models.promise import Correspondent, RungPlan
from meldbalie.settings import LastResort, Rota
from meldbalie.tests.flows.glances import answers, goes_round, history, outbox, states, works_with
from meldbalie.tests.flows.world import SENTENCE, World
from sqlalchemy import select

FIRST = "CVD-2026-0001"
MINUTE = timedelta(minutes=1)


def works_otherwise(world: World, monkeypatch: pytest.MonkeyPatch, **changed: object) -> None:
    """Change the settings, the promise or the mail servers that this world's flows work with."""
    works_with(world, monkeypatch, replace(world.place, **changed))  # type: ignore[arg-type]


@pytest.fixture
def asked(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The person on call, who has no key, was asked whether they have seen a report that is overdue soon."""
    ladder = (RungPlan(0.5, ("on_call",), acknowledge=timedelta(hours=1)),)
    on_call = Correspondent("Piket", PLAIN_REPORTER)
    works_otherwise(world, monkeypatch, promise=replace(world.place.promise, ladder=ladder, on_call=on_call))
    world.arrives(world.reports())
    goes_round(world)
    world.present.passes(days=2, hours=12)
    assert sweep() == 1
    return world


def seen_by(world: World) -> list[str | None]:
    with world.place.database.reading() as session:
        return list(session.scalars(select(FiredRung.acknowledged_by).order_by(FiredRung.id)))


def alarms(world: World) -> dict[str, list[str]]:
    with world.place.database.reading() as session:
        return open_alarms(session)


def test_who_has_no_key_gets_a_mail_without_content_with_the_link(asked: World) -> None:
    deliver(minutes=0)

    (raw,) = asked.mail.mails(PLAIN_REPORTER)
    assert b"/a/" in raw
    assert FIRST.encode() in raw
    assert SENTENCE.encode() not in raw
    assert outbox(asked, MailKind.RUNG)[0].was_sealed is False


@pytest.mark.parametrize("automatic", [False, True])
def test_a_reply_acknowledges_unless_a_machine_wrote_it(asked: World, automatic: bool) -> None:
    deliver(minutes=0)
    (raw,) = asked.mail.mails(PLAIN_REPORTER)
    headers = {
        name.lower(): value for name, _, value in (line.partition(": ") for line in raw.decode().splitlines())
    }
    reply = Draft(
        sender_name="Piket",
        sender=PLAIN_REPORTER,
        recipient=headers["reply-to"],
        subject="Re: gezien",
        body="Ik kijk ernaar.",
        message_id="<gezien@voorbeeld.example>",
        in_reply_to=headers["message-id"],
        date=asked.present(),
        automatic=automatic,
    )

    asked.arrives(plain(reply))
    intake(minutes=0)

    assert seen_by(asked) == ([None] if automatic else ["Piket"])
    assert ("acknowledged" in history(asked, FIRST)) is not automatic


def test_a_mail_of_a_rung_does_not_leave_once_the_answer_has(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead = Correspondent("Lead", PLAIN_REPORTER)
    ladder = (RungPlan(0.5, ("lead",)),)
    works_otherwise(world, monkeypatch, promise=replace(world.place.promise, ladder=ladder, lead=lead))
    world.present.now = datetime(2026, 11, 18, 14, 0, tzinfo=UTC)
    world.arrives(world.reports())
    goes_round(world)
    world.present.now = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)  # a Saturday, before dawn
    assert sweep() == 1
    deliver(minutes=0)
    assert world.mail.mails(PLAIN_REPORTER) == []
    answers(world, FIRST)
    deliver(minutes=0)

    world.present.now = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
    deliver(minutes=0)

    assert world.mail.mails(PLAIN_REPORTER) == []
    assert states(world, MailKind.RUNG) == ["called_off"]
    assert "called_off" in history(world, FIRST)


def shifts_work(world: World) -> None:
    """Intake and deliver give signs of life for as long as a test takes."""
    with world.place.database.unit_of_work() as session:
        for name in ("intake", "deliver", "attend"):
            take_lease(session, name, holder="a test", now=world.present(), lasting=timedelta())
            did_work(session, name, until=world.present() + timedelta(days=365))


def program(directory: Path, *, ends_with: int = 0) -> tuple[LastResort, Path]:
    """A program that writes down what it is told, as an SMS gateway would take it."""
    file, heard = directory / "sms", directory / "heard"
    file.write_text(f'#!/bin/sh\ncat >> "{heard}"\nexit {ends_with}\n')
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return LastResort(command=[str(file)]), heard


def told(heard: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in heard.read_text().splitlines()] if heard.exists() else []


def loses_its_mail_server(world: World, monkeypatch: pytest.MonkeyPatch, alarm: LastResort) -> None:
    config = world.place.config.model_copy(update={"alarm": alarm})
    works_otherwise(world, monkeypatch, config=config, smtp=replace(world.place.smtp, port=1))


def test_when_no_mail_leaves_the_program_is_told_once_and_never_a_word_of_the_report(
    asked: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    alarm, heard = program(tmp_path)
    server = asked.place.smtp
    shifts_work(asked)
    loses_its_mail_server(asked, monkeypatch, alarm)
    deliver(minutes=0)
    assert sweep() == 0
    assert told(heard) == []

    asked.present.passes(minutes=16)
    for _ in range(3):
        deliver(minutes=0)
        assert sweep() == 0

    assert told(heard) == [{"kind": "not_sent", "reference": FIRST, "clock": "response", "rung": "50%"}]
    assert alarms(asked)["nobody_reached"] == [f"{FIRST} response 50%"]
    works_otherwise(asked, monkeypatch, smtp=server)
    asked.present.passes(minutes=2)
    deliver(minutes=0)
    sweep()
    assert "nobody_reached" not in alarms(asked)


@pytest.mark.parametrize("has_program", [False, True])
def test_when_nobody_can_be_told_at_all_the_sweep_fails_with_the_number(
    asked: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, has_program: bool
) -> None:
    alarm = program(tmp_path, ends_with=1)[0] if has_program else LastResort()
    loses_its_mail_server(asked, monkeypatch, alarm)
    asked.present.passes(minutes=16)

    for _ in range(2):  # for as long as it lasts
        state = sweep(return_state=True)
        assert state.is_failed()
        assert f"nobody reachable for {FIRST}" in (state.message or "")


def test_a_program_that_hangs_or_is_not_there_is_as_good_as_none(
    asked: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked.present.passes(minutes=16)
    for command in (["/nonexistent/sms"], ["sleep", "60"]):
        loses_its_mail_server(asked, monkeypatch, LastResort(command=command, timeout_seconds=0.1))

        assert sweep(return_state=True).is_failed()


def test_a_rung_that_names_nobody_is_told_to_the_program(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    alarm, heard = program(tmp_path)
    world.arrives(world.reports())
    goes_round(world)
    nobody = replace(world.place.promise, triage=(), ladder=(RungPlan(0.5, ("ciso",)),))
    config = world.place.config.model_copy(update={"alarm": alarm})
    works_otherwise(world, monkeypatch, promise=nobody, config=config)
    world.present.passes(days=2, hours=12)

    assert sweep() == 1
    assert told(heard) == [{"kind": "nobody_to_tell", "reference": FIRST, "clock": "response", "rung": "50%"}]


def test_a_rung_that_names_nobody_is_told_again_until_the_program_ends_well_and_no_longer(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world.arrives(world.reports())
    goes_round(world)
    shifts_work(world)
    nobody = replace(world.place.promise, triage=(), ladder=(RungPlan(0.5, ("ciso",)),))
    world.present.passes(days=2, hours=12)
    heard = tmp_path / "heard"
    sentence = {"kind": "nobody_to_tell", "reference": FIRST, "clock": "response", "rung": "50%"}

    for ends_with, times in ((1, 1), (1, 2), (0, 3), (0, 3)):
        alarm = program(tmp_path, ends_with=ends_with)[0]
        config = world.place.config.model_copy(update={"alarm": alarm})
        works_otherwise(world, monkeypatch, promise=nobody, config=config)
        assert sweep(return_state=True).is_failed() is bool(ends_with)
        assert told(heard) == [sentence] * times
        world.present.passes(minutes=5)

    answers(world, FIRST)
    deliver(minutes=0)
    sweep()
    assert "nobody_reached" not in alarms(world)


def test_a_gap_of_the_rota_is_told_beforehand_and_once(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "rooster.csv"
    file.write_text("from,until,name,address\n2026-11-01,2026-12-01 09:00,Anne,anne@voorbeeld.example\n")
    config = world.place.config.model_copy(update={"rota": Rota(file=file, last_good=tmp_path / "kept")})
    works_otherwise(world, monkeypatch, config=config, promise=promise(config))
    goes_round(world)
    shifts_work(world)
    sweep()
    assert outbox(world, MailKind.ALARM) == []

    world.present.now = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
    for _ in range(3):
        sweep()
        world.present.passes(minutes=1)
    assert alarms(world) == {"rota_gap": ["2026-12-01 09:00"]}
    assert len(outbox(world, MailKind.ALARM)) == len(world.place.promise.triage)
    (gap,) = check_rota.rota(config, world.present())
    assert gap.state is State.WARNING
    assert gap.what == "nobody is on duty from 2026-12-01 09:00 until 2026-12-25 13:03"

    file.write_text(file.read_text() + "2026-12-01 09:00,2027-12-01,Anne,anne@voorbeeld.example\n")
    sweep()
    assert alarms(world) == {}
    assert [one.state for one in check_rota.rota(config, world.present())] == [State.OK]

    file.write_text("from,until,name\nonzin,2026-12-01,Anne\n")
    sweep()
    assert list(alarms(world)) == ["rota_unusable"]
    (line,) = check_rota.rota(config, world.present())
    assert line.what.endswith(
        "line 2: from 'onzin' is no time: write 2026-11-27 17:00, or 2026-11-27 for midnight"
    )
    on_call = promise(config).rota.on_duty(world.present())  # as the next sweep, a process of its own, knows
    assert on_call is not None
    assert on_call.name == "Anne"


def test_the_owner_command_notes_who_is_away(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)

    def command(*words: str) -> tuple[int, str]:
        status = run_owners(parser.parse_args(words))
        heard = capsys.readouterr()
        return status, heard.out + heard.err

    with world.place.database.reading() as session:
        names = list(session.scalars(select(Owner.name).order_by(Owner.name)))
    name, deputy = names[0], names[1]
    status, said = command("away", name, "--from", "2026-11-20", "--until", "2026-12-01", "--deputy", deputy)
    assert (status, said) == (0, f"{name}, away 2026-11-20 until 2026-12-01: {deputy} hears instead\n")
    assert f", away 2026-11-20 until 2026-12-01: {deputy} hears instead\n" in command("list")[1]
    assert command("back", name)[0] == 0
    assert "away" not in command("list")[1]
    assert command("back", name)[0] == 1
    assert command("away", "Niemand", "--from", "2026-11-20", "--until", "2026-12-01")[0] == 1


def stops_sweeping(world: World) -> None:
    """The sweep's sign of life is old."""
    sweep()
    world.present.passes(minutes=16)


def test_a_shift_notices_that_the_sweep_is_dead_and_alarms_once(world: World) -> None:
    stops_sweeping(world)
    with Shift("deliver", world.place, minutes=60) as shift:
        for _ in shift.turns(pause=0):
            shift.worked()
            assert outbox(world, MailKind.ALARM) == []  # it has only just begun to watch
            for _ in range(3):
                world.present.passes(minutes=16)
                shift.worked()
            break

    assert alarms(world) == {"flow_stopped": ["sweep"]}
    assert len(outbox(world, MailKind.ALARM)) == len(world.place.promise.triage)
    sweep()
    note_stopped(world.place, ["sweep"])
    assert "sweep" not in alarms(world).get("flow_stopped", [])


def test_the_sweep_notices_that_a_shift_is_dead_but_not_after_it_lay_down_itself(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    alarm, heard = program(tmp_path)
    works_otherwise(world, monkeypatch, config=world.place.config.model_copy(update={"alarm": alarm}))
    goes_round(world)
    world.present.passes(hours=8)
    sweep()
    assert alarms(world) == {}

    with world.place.database.unit_of_work() as session:
        for name in ("intake", "attend"):
            take_lease(session, name, holder="a test", now=world.present(), lasting=timedelta())
            did_work(session, name, until=world.present() + 2 * MINUTE)
    world.present.passes(minutes=1)
    sweep()
    assert alarms(world) == {"flow_stopped": ["deliver"]}
    assert told(heard) == [{"kind": "flow_stopped", "flow": "deliver"}]


def test_that_a_flow_is_dead_is_told_again_until_the_program_ends_well_and_by_one_at_a_time(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stops_sweeping(world)
    heard = tmp_path / "heard"

    for ends_with, times in ((1, 1), (0, 2), (0, 2)):
        alarm = program(tmp_path, ends_with=ends_with)[0]
        config = world.place.config.model_copy(update={"alarm": alarm})
        works_otherwise(world, monkeypatch, config=config)
        for _ in range(2):  # intake and deliver both look
            assert note_stopped(world.place, ["sweep"]) == ["sweep"]
        assert told(heard) == [{"kind": "flow_stopped", "flow": "sweep"}] * times
        world.present.passes(minutes=5)

    assert len(outbox(world, MailKind.ALARM)) == len(world.place.promise.triage)
