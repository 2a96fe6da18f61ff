"""Whenever and wherever intake is killed, nothing is lost and nothing is there twice.

Each time a message arrives, the process that takes it in is killed (SIGKILL) at one statement, another
one does what is left, and everything is counted. `make crash` goes through every statement, each time
that it is reached; the ordinary run takes a part of them.
"""

import random
import signal
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from meldbalie.tests.flows.killing import SCENARIOS, Boundary, Desk, make_desk
from meldbalie.tests.waiting import until

DESKS = 3  # side by side: much of a round is waiting for others
#: What reaches the database, the mailbox or the keyring; between two statements of the rest nothing
#: that lasts has changed.
EFFECTS = (
    *("commit", "flows/intake.py", "flows/filing.py", "flows/shifts.py", "mailbox/imap.py"),
    *("mailbox/keyring.py", "mailbox/key_", "mailbox/gpg_home.py", "models/session.py"),
    *("models/ledger.py", "models/filing.py", "models/outbox.py", "models/leases.py", "models/numbering.py"),
)
Plan = list[tuple[str, Boundary]]


@pytest.fixture(scope="module")
def desks(home_of_all: Path) -> Generator[list[Desk]]:
    """Some installations."""
    with ExitStack() as stack:
        yield [stack.enter_context(make_desk(home_of_all)) for _ in range(DESKS)]


@pytest.mark.timeout(1200)  # half a minute on an idle machine
def test_intake_may_die_at_any_statement(desks: list[Desk], record_property: Callable[..., None]) -> None:
    every = _all_boundaries(desks[0])
    first, later, seen = Plan(), Plan(), set[tuple[str, object]]()
    for scenario, (name, place, times) in every:
        (later if (name, place) in seen else first).append((scenario, (name, place, times)))
        seen.add((name, place))
    touching = [one for one in first if one[1][0].startswith(EFFECTS)]
    others = [one for one in first if not one[1][0].startswith(EFFECTS)]
    commits = [one for one in later if one[1][0] == "commit"]
    plan = [*touching[::4], *others[::20], *commits, *later[:: len(later) // 20]]

    killed = _die_everywhere(desks, plan)

    print(f"killed at {killed} of {len(plan)} boundaries tried; there are {len(every)}")
    record_property("boundaries", killed)
    assert killed > 0.95 * len(plan) > 200


@pytest.mark.crash
def test_intake_may_die_at_every_statement(desks: list[Desk]) -> None:
    every = _all_boundaries(desks[0])

    killed = _die_everywhere(desks, every)

    print(f"killed at {killed} of {len(every)} boundaries")
    assert killed > 0.95 * len(every)


@pytest.mark.parametrize("desk", ["postgresql"], indirect=True)
def test_intake_may_die_around_every_commit_on_postgresql(desk: Desk) -> None:
    plan = [one for one in _all_boundaries(desk) if one[1][0] == "commit"]
    plan += random.Random(1).sample(_all_boundaries(desk), 10)

    killed = _die_everywhere([desk], plan)

    assert killed > 0.9 * len(plan)


def _all_boundaries(desk: Desk) -> Plan:
    """Every boundary of every scenario, in the order in which they are passed."""
    plan = Plan()
    for scenario in SCENARIOS:
        desk.prepare(scenario)
        plan += [(scenario, boundary) for boundary in desk.boundaries()]
    return plan


def _die_everywhere(desks: Sequence[Desk], plan: Plan) -> int:
    """Die at each boundary of a plan; gives at how many it came to that."""

    def die(desk: Desk, part: Plan) -> int:
        return sum(desk.dies(scenario, boundary) for scenario, boundary in part)

    with ThreadPoolExecutor(len(desks)) as threads:
        parts = [plan[number :: len(desks)] for number in range(len(desks))]
        killed = sum(threads.map(die, desks, parts))
    for desk in desks:
        desk.look_at_every_byte()
    return killed


def test_two_at_once_make_nothing_twice_even_when_one_of_them_dies(desk: Desk) -> None:
    chance = random.Random(2)
    every = _all_boundaries(desk)
    for scenario, boundary in chance.sample(every, 8):
        for each in (scenario, "plain", "copy", "plain", "sealed"):
            desk.prepare(each)
        order = {"now": desk.world.present().isoformat(), "alone": False}

        both = [desk.dying.start(**order, end=boundary), desk.dying.start(**order)]

        assert [desk.dying.wait(one) for one in both] in ([0, 0], [-signal.SIGKILL, 0])
        desk.settle()
    desk.look_at_every_byte()


def test_a_mail_server_that_goes_away_and_comes_back_is_waited_for(desk: Desk) -> None:
    for _ in range(3):
        desk.prepare("sealed")
    with desk.poller():
        for _ in range(3):
            desk.world.mail.restart()
            for scenario in ("plain", "copy"):
                desk.prepare(scenario)
        until(desk.is_done, "every ticket")
    desk.look()
    desk.look_at_every_byte()
