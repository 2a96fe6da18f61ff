"""What becomes of a message that is hindered to the last: it is never filed empty, and its sender knows."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from meldbalie.flows import filing
from meldbalie.flows.audit import compare, wrong_in
from meldbalie.flows.intake import intake
from meldbalie.mailbox.errors import GpgTimedOut
from meldbalie.mailbox.imap import IntakeMailbox
from meldbalie.mailbox.keyring import Keyring
from meldbalie.mailbox.opening import Opened, Problem, open_letter
from meldbalie.models import acts
from meldbalie.models.alarms import AlarmKind
from meldbalie.models.errors import Refused
from meldbalie.models.forgetting import forget
from meldbalie.models.ledger import LedgerEntry, Verdict
from meldbalie.models.outbox import MailKind
from meldbalie.models.quarantine import dismiss, judge_again
from meldbalie.models.states import CloseReason
from meldbalie.models.ticket import ticket_called
from meldbalie.tests.flows.glances import goes_round, history, outbox, reply_address, states, verdicts
from meldbalie.tests.flows.world import SENTENCE, World
from sqlalchemy import select

FIRST = "CVD-2026-0001"


def fails(*_: object, **__: object) -> None:
    raise GpgTimedOut


def tries_to_the_last(world: World) -> None:
    """Every try is made that the message has."""
    for _ in range(world.place.config.intake.tries):
        intake(minutes=0)
        world.present.passes(hours=2)


@contextmanager
def opened_as(change: Callable[[Opened, int], Opened]) -> Generator[None]:
    """Every opening gives what this makes of it and of how many went before."""
    count = 0

    def opens(*args: object, **more: object) -> Opened:
        nonlocal count
        count += 1
        return change(open_letter(*args, **more), count)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(filing, "open_letter", opens)
        yield


@pytest.mark.parametrize("problem", [None, Problem.HEADERS_TOO_LARGE, Problem.TIMEOUT])
def test_a_second_opening_that_fails_leaves_the_report_as_it_was_opened_first(
    world: World, problem: Problem | None
) -> None:
    def second_fails(opened: Opened, number: int) -> Opened:
        if number == 1:
            return replace(opened, problem=problem)
        return Opened(opened.letter, problem=problem or Problem.TIMEOUT)

    config = world.place.config
    once = config.model_copy(update={"intake": config.intake.model_copy(update={"tries": 1})})
    world.place = replace(world.place, config=once)
    world.arrives(world.reports())
    with opened_as(second_fails), pytest.MonkeyPatch.context() as patched:
        patched.setattr("meldbalie.flows.intake.installation", lambda: world.place)
        intake(minutes=0)

    assert verdicts(world) == [Verdict.OPENED_TICKET]
    with world.place.database.reading() as session:
        ticket = ticket_called(session, FIRST)
        assert SENTENCE in ticket.messages[0].text
        assert ticket.signature == "unknown_key"


def test_the_signature_of_a_key_that_came_along_is_still_verified(world: World) -> None:
    world.arrives(world.reports())
    intake(minutes=0)
    with world.place.database.reading() as session:
        assert ticket_called(session, FIRST).signature == "good"


def test_what_can_be_read_at_the_last_try_becomes_a_ticket_that_says_so(world: World) -> None:
    def in_part(opened: Opened, _: int) -> Opened:
        return replace(opened, problem=Problem.TIMEOUT)

    world.arrives(world.reports(key=False))
    with opened_as(in_part):
        intake(minutes=0)
        assert verdicts(world) == [None]
        world.present.passes(hours=2)
        tries_to_the_last(world)

    assert verdicts(world) == [Verdict.OPENED_TICKET]
    assert "opened_in_part" in history(world, FIRST)
    assert outbox(world, MailKind.QUARANTINED, MailKind.CANNOT_OPEN) == []


def test_the_sender_of_what_never_opened_is_told_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.arrives(world.reports())
    monkeypatch.setattr(Keyring, "decrypt", fails)
    tries_to_the_last(world)
    goes_round(world)
    assert verdicts(world) == [Verdict.QUARANTINED]
    assert states(world, MailKind.CANNOT_OPEN) == states(world, MailKind.QUARANTINED) == ["sent"]

    world.present.passes(days=2)
    with world.place.database.unit_of_work() as session:
        judge_again(session, 1)
    tries_to_the_last(world)
    assert verdicts(world) == [Verdict.QUARANTINED]
    assert len(outbox(world, MailKind.CANNOT_OPEN)) == len(outbox(world, MailKind.QUARANTINED)) == 1


def test_the_ticket_of_what_never_opened_is_not_forgotten_until_somebody_let_it_go(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.arrives(world.reports(key=False))
    goes_round(world)
    world.arrives(world.reports(recipient=reply_address(world, FIRST)))
    monkeypatch.setattr(Keyring, "decrypt", fails)
    tries_to_the_last(world)
    goes_round(world)
    assert verdicts(world) == [Verdict.OPENED_TICKET, Verdict.QUARANTINED]
    assert history(world, FIRST).count("unopened") == 1

    now, spam, place = world.present(), CloseReason.SPAM, world.place
    with place.database.unit_of_work() as session:
        how = {"by": "Balie", "because": "", "now": now}
        acts.close(session, ticket_called(session, FIRST), reason=spam, promise=place.promise, **how)
    goes_round(world)
    with (
        place.database.unit_of_work() as session,
        pytest.raises(Refused, match="message 2 came on the thread"),
    ):
        forget(session, ticket_called(session, FIRST), by="Balie", now=now)
    with place.database.unit_of_work() as session:
        dismiss(session, 2, by="Balie", because="spam", now=now)
    with place.database.unit_of_work() as session:
        assert forget(session, ticket_called(session, FIRST), by="Balie", now=now)
        assert [entry.raw for entry in session.scalars(select(LedgerEntry))] == [b"", b""]


def test_a_machine_is_not_told_of_what_never_opened(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.arrives(b"Auto-Submitted: auto-generated\r\n" + world.reports())
    monkeypatch.setattr(Keyring, "decrypt", fails)
    tries_to_the_last(world)
    assert verdicts(world) == [Verdict.QUARANTINED]
    assert outbox(world, MailKind.CANNOT_OPEN) == []


def test_the_sender_of_a_message_that_killed_every_try_is_told(world: World) -> None:
    world.arrives(world.reports())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(filing, "note_failure", lambda *_: None)
        patched.setattr("meldbalie.flows.intake.note_failure", lambda *_: None)
        patched.setattr(Keyring, "decrypt", fails)
        tries_to_the_last(world)
    assert verdicts(world) == [None]
    goes_round(world)
    assert verdicts(world) == [Verdict.QUARANTINED]
    assert states(world, MailKind.CANNOT_OPEN) == ["sent"]


def test_a_message_whose_headers_fail_is_quarantined_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.arrives(world.reports())
    monkeypatch.setattr(Keyring, "decrypt", fails)
    monkeypatch.setattr("meldbalie.flows.quarantining.why_automatic", fails, raising=False)
    tries_to_the_last(world)
    assert verdicts(world) == [Verdict.QUARANTINED]
    with world.place.database.reading() as session:
        assert session.get_one(LedgerEntry, 1).problem == "timeout"


def test_a_message_that_the_server_lists_and_does_not_give_is_told_of(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.arrives(world.reports())
    world.present.passes(minutes=31)
    with monkeypatch.context() as withheld:
        withheld.setattr(IntakeMailbox, "fetch", lambda *_: None)
        for _ in range(2):
            [look] = wrong_in(compare(world.place))
            assert look.kind is AlarmKind.LEFT_IN_INBOX
            assert len(look.wrong) == 1
    assert verdicts(world) == []
    goes_round(world)
    assert wrong_in(compare(world.place)) == []
    assert world.tickets() == [FIRST]
