"""The ladder with real parts: what is due is told to those who stand on it, until an answer is there."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module

import pytest
from meldbalie.flows.deliver import deliver
from meldbalie.flows.discretion import WorkFailed
from meldbalie.flows.operator.demo_files import PLAIN_REPORTER
from meldbalie.flows.sweep import fire_what_is_due, sweep
from meldbalie.models.clocks import FiredRung
from meldbalie.models.leases import did_work
from meldbalie.models.outbox import MailKind
from meldbalie.models.promise import Correspondent
from meldbalie.tests.flows.glances import answers, clocks, goes_round, history, outbox, works_with
from meldbalie.tests.flows.world import SENTENCE, World
from sqlalchemy import select

FIRST = "CVD-2026-0001"


@pytest.fixture
def staffed(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The installation with a team lead and somebody on call, and a CISO without a key."""
    people = world.people
    promise = replace(
        world.place.promise,
        lead=Correspondent("Lead", people.network_team.address, people.network_team.fingerprint),
        on_call=Correspondent("Piket", people.ibd.address, people.ibd.fingerprint),
        ciso=Correspondent("CISO", PLAIN_REPORTER),
    )
    works_with(world, monkeypatch, replace(world.place, promise=promise))
    world.arrives(world.reports())
    goes_round(world)
    return world


def fired(world: World) -> list[tuple[str, bool]]:
    """The rungs in the order in which they fired, and whether each was superseded."""
    with world.place.database.reading() as session:
        rows = session.scalars(select(FiredRung).order_by(FiredRung.id))
        return [(row.rung, row.was_superseded) for row in rows]


def told_of_rungs(world: World) -> list[str]:
    """Who got a mail of a rung, in order."""
    return [mail.recipient for mail in outbox(world, MailKind.RUNG)]


def test_each_rung_fires_once_and_tells_its_people_until_an_answer_is_delivered(staffed: World) -> None:
    world, people = staffed, staffed.people
    owner, lead = people.web_team.address, people.network_team.address
    mails_before = len(world.mail.mails(owner))
    world.present.passes(days=2, hours=11)
    assert sweep() == 0

    told: list[str] = []
    for hours, whom in (
        (1, [owner]),  # 50 %
        (36, [lead, people.ibd.address]),  # 80 %
        (24, [PLAIN_REPORTER]),  # due
        (24, [PLAIN_REPORTER]),
        (24, [PLAIN_REPORTER]),
    ):
        world.present.passes(hours=hours)
        assert sweep() == 1
        assert sweep() == 0
        told += whom
        assert told_of_rungs(world) == told
    names = ["50%", "80%", "100%", "100% + 1 day", "100% + 2 days"]
    assert fired(world) == [(name, False) for name in names]
    assert history(world, FIRST).count("escalated") == len(names)

    deliver(minutes=0)
    assert len(world.mail.mails(owner)) == mails_before + 1
    assert len(world.mail.mails(PLAIN_REPORTER)) == 3
    for mail in (*world.read_by(people.web_team), *world.read_by(people.network_team)):
        assert mail.was_decrypted
    for raw in world.mail.mails(PLAIN_REPORTER):
        assert FIRST.encode() in raw
        assert SENTENCE.encode() not in raw

    answers(world, FIRST)
    world.present.passes(days=1)
    assert sweep() == 1
    deliver(minutes=0)
    before = told_of_rungs(world)
    world.present.passes(days=9)
    assert sweep() == 0
    assert told_of_rungs(world) == before
    assert [stopped is not None for kind, _, stopped, _ in clocks(world) if kind == "response"] == [True]


def test_after_an_outage_one_rung_fires_however_many_sweep(staffed: World) -> None:
    world = staffed
    world.present.passes(days=6, hours=1)

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: fire_what_is_due(world.place), range(4)))

    assert sorted(len(fired_here) for fired_here, _ in results) == [0, 0, 0, 1]
    assert [failed for _, failed in results] == [[]] * 4
    assert fired(world) == [("50%", True), ("80%", True), ("100%", True), ("100% + 1 day", False)]
    assert told_of_rungs(world) == [PLAIN_REPORTER]


def test_a_sweep_that_can_tell_nobody_fails_where_operators_see_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.arrives(world.reports())
    goes_round(world)
    works_with(world, monkeypatch, replace(world.place, promise=replace(world.place.promise, triage=())))
    world.present.passes(days=4)

    state = sweep(return_state=True)

    assert state.is_failed()
    assert state.message is not None
    assert f"nobody reachable for {FIRST}: configure triage" in state.message
    with pytest.raises(WorkFailed):
        state.result()
    world.present.passes(days=1)
    assert sweep(return_state=True).is_failed()


@pytest.mark.parametrize("work", ["reach", "note_stopped", "watch_keys", "watch_rota"])
def test_a_watch_that_fails_does_not_stop_the_others(
    staffed: World, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    done: list[str] = []
    module = import_module("meldbalie.flows.sweep")
    sweep()  # so that there is a sign of life

    def watched(name: str, does: Callable[..., object]) -> Callable[..., object]:
        def watch(*arguments: object) -> object:
            done.append(name)
            if name == work:
                raise RuntimeError(SENTENCE)
            return does(*arguments)

        return watch

    for name in ("reach", "note_stopped", "watch_keys", "watch_rota"):
        monkeypatch.setattr(module, name, watched(name, getattr(module, name)))
    staffed.present.passes(days=2, hours=12)
    with staffed.place.database.unit_of_work() as session:
        did_work(session, "sweep", until=staffed.present())

    with pytest.raises(WorkFailed, match=": RuntimeError at") as failed:
        sweep()

    assert done == ["reach", "note_stopped", "watch_keys", "watch_rota"]
    assert fired(staffed) == [("50%", False)]
    assert SENTENCE not in str(failed.value)
