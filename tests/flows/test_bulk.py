"""Bulk and rare acts, started in Prefect: each ticket by itself, and confirmed where it is for good."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from imapclient import IMAPClient
from meldbalie.flows import bulk, clearing
from meldbalie.flows.audit import audit, compare, wrong_in
from meldbalie.flows.bulk_acts import carry_out_confirmed
from meldbalie.flows.clearing import clear_away
from meldbalie.flows.desk import prefect_api
from meldbalie.flows.discretion import WorkFailed
from meldbalie.flows.intake import intake
from meldbalie.flows.operator.demo_files import CVD
from meldbalie.mailbox.errors import ServerUnreachable
from meldbalie.mailbox.putting_away import Mover
from meldbalie.models import acts
from meldbalie.models.confirmations import Confirmation, confirm
from meldbalie.models.delivery import claim_next, was_delivered
from meldbalie.models.forgetting import forget, to_be_cleared
from meldbalie.models.ledger import LedgerEntry, Verdict
from meldbalie.models.milestones import FIX_DEPLOYED, milestone
from meldbalie.models.outbox import Mail, MailKind
from meldbalie.models.owners import Owner
from meldbalie.models.states import CloseReason, TicketState
from meldbalie.models.threads import thread_token
from meldbalie.models.ticket import Ticket, ticket_called
from meldbalie.tests.flows.glances import goes_round, history, outbox, reply_address, verdicts, works_with
from meldbalie.tests.flows.prefect_records import found, rows
from meldbalie.tests.flows.world import NAME, REPORT, SENTENCE, World
from meldbalie.tests.prefect_server import PrefectServer
from meldbalie.tests.waiting import until
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import FlowRun
from prefect.states import State
from prefect.types.entrypoint import EntrypointType
from sqlalchemy import select, text

FIRST, SECOND, THIRD = "CVD-2026-0001", "CVD-2026-0002", "CVD-2026-0003"
WHO = "Balie"
OTHER_OWNER = "Netwerkteam"
EMBARGO = "2027-01-01 00:30"
#: What somebody types into the wrong field. Prefect keeps it as a parameter: no canary of another test.
MISTYPED = "wat in een ander veld hoort"


@pytest.fixture
def reported(world: World) -> World:
    """Three tickets whose first mails have left."""
    for number in range(3):
        world.arrives(world.reports(f"{number}: {REPORT}", subject=f"Report {number}"))
    intake(minutes=0)
    settles(world)
    assert world.tickets() == [FIRST, SECOND, THIRD]
    return world


def settles(world: World) -> None:
    """All mail has left, as the outbox says it; nobody reads it here."""
    now = world.present()
    with world.place.database.unit_of_work() as session:
        while (number := claim_next(session, now)) is not None:
            was_delivered(session, session.get_one(Mail, number), world.place.promise, sealed=True, now=now)
            session.flush()


def ticket(world: World, reference: str) -> Ticket:
    with world.place.database.reading() as session:
        found = ticket_called(session, reference)
        found.owner_name, found.reporter, found.messages  # noqa: B018 - read while the session is open
        return found


def owners(world: World) -> list[str]:
    with world.place.database.reading() as session:
        return list(session.scalars(select(Owner.name).order_by(Owner.name)))


def another_owner(world: World, than: str) -> str:
    return next(name for name in owners(world) if name != than)


def runs(flow: Any, **parameters: Any) -> tuple[State[Any], str]:
    """Run a flow on the real server; gives how it ended, and its log."""
    state: State[Any] = flow(**parameters, return_state=True)
    assert state.state_details.flow_run_id
    return state, log_of(state.state_details.flow_run_id)


def log_of(run_id: UUID) -> str:
    """The log of a run, once its last line has come: it is sent while nobody waits for it."""
    which = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run_id]))

    def whole_log() -> str | None:
        with prefect_api() as client:
            found = client._client.post("/logs/filter", json={"logs": which.model_dump(mode="json")}).json()
        log = "\n".join(line["message"] for line in found)
        return log if "Finished in state" in log else None

    return until(whole_log, "the end of the log")


def runs_apart(world: World, server: PrefectServer, flow: Any, **parameters: Any) -> FlowRun:
    """Run a flow in a process of its own, as the runner does; gives how it ended."""
    made = flow.to_deployment(flow.name, entrypoint_type=EntrypointType.MODULE_PATH)
    with prefect_api() as client:
        run = client.create_flow_run_from_deployment(made.apply(), parameters=parameters)
    own = {"MELDBALIE_CONFIG": str(world.config_file), "PREFECT_HOME": str(server.home)}
    environment = {**os.environ, **own, "PREFECT_API_URL": server.api_url}
    subprocess.run([sys.executable, "-m", "prefect.engine", str(run.id)], env=environment, check=False)
    with prefect_api() as client:
        return client.read_flow_run(run.id)


def closes(world: World, *references: str) -> None:
    """Close tickets, and let everything leave."""
    who: dict[str, Any] = {"by": WHO, "because": "", "promise": world.place.promise, "now": world.present()}
    with world.place.database.unit_of_work() as session:
        for reference in references:
            acts.accept(session, ticket_called(session, reference), **who)
            acts.close(session, ticket_called(session, reference), reason=CloseReason.REMEDIATED, **who)
    settles(world)


def confirms(world: World) -> str:
    """Open the last link that was mailed, press its button, and have it carried out as the desk does."""
    with world.place.database.unit_of_work() as session:
        mail = session.scalars(
            select(Mail).where(Mail.kind == MailKind.CONFIRM).order_by(Mail.id.desc())
        ).first()
        assert mail is not None
        token = next(str(fact) for name, fact in (mail.facts or {}).items() if name != "confirmation")
        asked = confirm(session, token, now=world.present())
        assert asked is not None
    return carry_out_confirmed(world.place, asked.action, asked.wanted, asked.who)


def test_many_tickets_are_assigned_and_a_refusal_stops_none_of_the_others(reported: World) -> None:
    owner = another_owner(reported, ticket(reported, FIRST).owner_name)
    closes(reported, SECOND)

    state, log = runs(bulk.assign_many, tickets=[FIRST, SECOND, "CVD-2026-0999", THIRD], owner=owner, who=WHO)

    assert state.is_failed()
    assert state.message is not None
    assert "2 of 4 refused" in state.message
    assert f"refused: {SECOND}: {SECOND} is closed" in log
    assert "there is no ticket CVD-2026-0999" in log
    assert [ticket(reported, one).owner_name for one in (FIRST, THIRD)] == [owner, owner]
    assert history(reported, FIRST)[-1] == "assigned"


def test_a_refusal_names_the_tickets_and_is_not_drowned_in_a_traceback(
    reported: World, prefect_api: PrefectServer
) -> None:
    closes(reported, SECOND)
    owner = another_owner(reported, ticket(reported, FIRST).owner_name)

    run = runs_apart(
        reported, prefect_api, bulk.assign_many, who=WHO, tickets=[FIRST, SECOND, MISTYPED], owner=owner
    )

    assert run.state is not None
    assert run.state.is_failed()
    named = f"assign-many: 2 of 3 refused: {SECOND}, what is no ticket's number; the log says why"
    assert run.state.message == named
    log = log_of(run.id)
    assert f"refused: {SECOND}: {SECOND} is closed" in log
    assert "Traceback" not in log
    assert "unexpected" not in log
    assert MISTYPED.upper() not in log


def test_a_mistyped_owner_is_not_said_back_and_owners_are_what_is_known(reported: World) -> None:
    state, log = runs(bulk.assign_many, who=WHO, tickets=[FIRST], owner="Kanarieteam")

    assert state.is_failed()
    known = ", ".join(owners(reported))
    assert f"refused: {FIRST}: there is no owner of that name; known are: {known}" in log
    assert "Kanarieteam" not in f"{log} {state.message}"


def test_assigning_again_changes_nothing(reported: World) -> None:
    owner = another_owner(reported, ticket(reported, FIRST).owner_name)
    runs(bulk.assign_many, tickets=[FIRST], owner=owner, who=WHO)
    before = history(reported, FIRST), len(outbox(reported))

    state, log = runs(bulk.assign_many, tickets=[FIRST, f" {FIRST.lower()} "], owner=owner, who=WHO)

    assert state.is_completed()
    assert f"{FIRST}: is with {owner} already" in log
    assert (history(reported, FIRST), len(outbox(reported))) == before


def test_nobody_acts_who_is_no_handler(reported: World) -> None:
    before = [history(reported, one) for one in (FIRST, SECOND)], len(outbox(reported))

    for flow, parameters in (
        (bulk.assign_many, {"tickets": [FIRST], "owner": "x"}),
        (bulk.close_as_duplicates, {"of": FIRST, "tickets": [SECOND]}),
        (bulk.merge, {"ticket": FIRST, "into": SECOND}),
        (bulk.split, {"ticket": FIRST}),
        (bulk.reopen, {"ticket": FIRST}),
        (bulk.resend_link, {"ticket": FIRST}),
        (bulk.forget, {}),
        (bulk.forget, {"tickets": [FIRST]}),
        (bulk.propose_embargo, {"ticket": FIRST, "until": EMBARGO}),
        (bulk.propose_publication, {"ticket": FIRST, "on": "2027-01-04"}),
        (bulk.import_owners, {"file": "owners.csv"}),
    ):
        state, _ = runs(flow, **parameters, who="Mallory")
        assert state.is_failed(), flow.name
        assert state.message is not None
        assert "there is no handler of that name" in state.message

    assert ([history(reported, one) for one in (FIRST, SECOND)], len(outbox(reported))) == before


def test_duplicates_are_closed_once_a_link_was_used(reported: World) -> None:
    state, log = runs(bulk.close_as_duplicates, of=FIRST, tickets=[SECOND, THIRD], who=WHO)

    assert state.is_completed()
    assert f"a link to confirm it by for {SECOND}, {THIRD} was mailed to {WHO}" in log
    assert ticket(reported, SECOND).is_open
    goes_round(reported)
    assert any("/c/" in mail.text for mail in reported.read_by(reported.people.handler))

    with reported.place.database.reading() as session:
        wanted = session.scalars(select(Confirmation.wanted)).one()
    done = confirms_with(reported, wanted)

    assert done.splitlines() == [
        f"{SECOND}: closed as a duplicate of {FIRST}",
        f"{THIRD}: closed as a duplicate of {FIRST}",
    ]
    assert {ticket(reported, one).close_reason for one in (SECOND, THIRD)} == {CloseReason.DUPLICATE}
    assert "proved" in history(reported, SECOND)
    again = carry_out_confirmed(reported.place, "close-as-duplicates", wanted, WHO)
    assert "is closed as a duplicate of CVD-2026-0001 already" in again


def confirms_with(world: World, wanted: dict[str, Any]) -> str:
    return carry_out_confirmed(world.place, "close-as-duplicates", wanted, WHO)


def test_what_would_be_refused_is_not_confirmed(reported: World) -> None:
    closes(reported, THIRD)

    state, log = runs(bulk.close_as_duplicates, of=FIRST, tickets=[FIRST, SECOND, THIRD], who=WHO)

    assert state.is_failed()
    assert f"refused: {FIRST}: {FIRST} cannot be joined with itself" in log
    assert f"refused: {THIRD}: {THIRD} is closed" in log
    assert ticket(reported, SECOND).is_open
    assert confirms(reported) == f"{SECOND}: closed as a duplicate of {FIRST}"


def test_a_duplicate_of_a_closed_ticket_is_closed_too(reported: World) -> None:
    closes(reported, FIRST)
    runs(bulk.close_as_duplicates, of=FIRST, tickets=[SECOND], who=WHO)

    assert confirms(reported) == f"{SECOND}: closed as a duplicate of {FIRST}"

    closed = ticket(reported, SECOND)
    assert (closed.state, closed.linked_to) == (TicketState.CLOSED, ticket(reported, FIRST).id)
    assert "is closed as a duplicate" in carry_out_confirmed(
        reported.place, "close-as-duplicates", {"tickets": [SECOND], "belongs_to": FIRST}, WHO
    )


def test_tickets_are_merged_once_a_link_was_used(reported: World) -> None:
    state, _ = runs(bulk.merge, ticket=SECOND, into=FIRST, who=WHO)
    assert state.is_completed()
    assert confirms(reported) == f"{SECOND}: joined with {FIRST}"
    wanted = {"tickets": [SECOND], "belongs_to": FIRST}
    assert (
        carry_out_confirmed(reported.place, "merge", wanted, WHO)
        == f"{SECOND}: is joined with {FIRST} already"
    )
    assert history(reported, FIRST)[-1] == "took_in"


def test_a_report_is_split_and_its_reporter_reads_why(reported: World) -> None:
    owner = another_owner(reported, ticket(reported, FIRST).owner_name)

    state, log = runs(bulk.split, ticket=FIRST, owner=owner, who=WHO)
    goes_round(reported)

    assert state.is_completed()
    assert f"split: CVD-2026-0004 is with {owner}" in log
    receipt = reported.read_by(reported.people.reporter)[-1]
    assert "Your report CVD-2026-0001 is about more than one thing" in " ".join(receipt.text.split())
    assert receipt.was_decrypted
    again, log = runs(bulk.split, ticket=FIRST, owner=owner, who=WHO)
    assert again.is_failed()
    assert "was split already" in log


def test_a_closed_report_is_taken_up_again_and_a_late_word_goes_there(reported: World) -> None:
    closes(reported, FIRST)
    with reported.place.database.unit_of_work() as session:
        thread_token(session, ticket_called(session, FIRST), "reporter")
    old_address = reply_address(reported, FIRST)
    state, log = runs(bulk.reopen, ticket=FIRST, who=WHO)
    goes_round(reported)

    assert state.is_completed()
    assert "taken up again as CVD-2026-0004" in log
    receipt = reported.read_by(reported.people.reporter)[-1]
    assert "We take up your earlier report CVD-2026-0001 again" in " ".join(receipt.text.split())

    reported.arrives(reported.reports("It still works.", recipient=old_address))
    goes_round(reported)
    assert reported.tickets()[-1] == "CVD-2026-0004"
    assert len(ticket(reported, "CVD-2026-0004").messages) == 2


def test_a_reporter_gets_a_new_link(reported: World) -> None:
    before = secret_links(reported)

    state, _ = runs(bulk.resend_link, ticket=FIRST, who=WHO)
    goes_round(reported)

    assert state.is_completed()
    assert len(secret_links(reported) - before) == 1
    receipt = reported.read_by(reported.people.reporter)[-1]
    assert "Your earlier link does not work any more" in " ".join(receipt.text.split())


def test_an_embargo_is_proposed_and_lifted_once_a_ticket_is_closed(reported: World) -> None:
    closes(reported, FIRST)

    state, log = runs(bulk.propose_embargo, ticket=FIRST, until=EMBARGO, who=WHO)
    goes_round(reported)

    assert state.is_completed(), state.message
    assert f"{FIRST}: silence is proposed until Fri 01 Jan 00:30" in log
    assert ticket(reported, FIRST).embargo_ends_at == datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    read = reported.read_by(reported.people.reporter)[-1]
    assert "We propose that we and you make nothing known" in " ".join(read.text.split())
    assert "Our explanation" not in read.text
    assert read.was_decrypted

    state, log = runs(bulk.propose_embargo, ticket=FIRST, lift=True, who=WHO)
    goes_round(reported)

    assert state.is_completed(), state.message
    assert f"{FIRST}: the embargo is lifted" in log
    assert ticket(reported, FIRST).embargo_ends_at is None
    read = reported.read_by(reported.people.reporter)[-1]
    assert "We take back our proposal to make nothing known" in " ".join(read.text.split())


def test_publication_is_proposed_once_a_ticket_is_closed(reported: World) -> None:
    fixes(reported, FIRST)
    closes(reported, FIRST)

    state, log = runs(bulk.propose_publication, ticket=FIRST, on="2027-01-04", who=WHO)
    goes_round(reported)

    assert state.is_completed(), state.message
    assert f"{FIRST}: 2027-01-04 is proposed to publish on" in log
    read = reported.read_by(reported.people.reporter)[-1]
    assert "We propose to publish about it on" in " ".join(read.text.split())


def test_a_deployment_takes_the_day_that_its_form_sends(reported: World, prefect_api: PrefectServer) -> None:
    fixes(reported, FIRST)
    closes(reported, FIRST)

    run = runs_apart(reported, prefect_api, bulk.propose_publication, who=WHO, ticket=FIRST, on="2126-01-04")

    assert run.state is not None
    assert run.state.is_completed(), run.state.message
    assert "publication_proposed" in history(reported, FIRST)


def fixes(world: World, reference: str) -> None:
    """The fix of what was reported is deployed."""
    who: dict[str, Any] = {"by": WHO, "because": "", "promise": world.place.promise, "now": world.present()}
    with world.place.database.unit_of_work() as session:
        milestone(
            session, ticket_called(session, reference), what=FIX_DEPLOYED, happened_at=world.present(), **who
        )


def test_to_propose_the_same_again_mails_nobody(reported: World) -> None:
    fixes(reported, FIRST)
    closes(reported, FIRST)
    for flow, parameters in (
        (bulk.propose_embargo, {"until": EMBARGO}),
        (bulk.propose_publication, {"on": "2027-01-04"}),
        (bulk.propose_embargo, {"lift": True}),
    ):
        state, _ = runs(flow, ticket=FIRST, who=WHO, **parameters)
        assert state.is_completed(), state.message
        settles(reported)
        before = history(reported, FIRST), len(outbox(reported))

        state, log = runs(flow, ticket=FIRST, who=WHO, **parameters)

        assert state.is_failed()
        assert f"refused: {FIRST}: " in log
        assert (history(reported, FIRST), len(outbox(reported))) == before


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"ticket": SECOND, "until": EMBARGO}, f"{SECOND} is open: propose it in the form of its run"),
        ({"ticket": FIRST}, "give the moment at which the embargo ends, or lift it"),
        ({"ticket": FIRST, "until": MISTYPED}, "write a day and a time, such as 2026-12-01 17:00"),
        ({"ticket": FIRST, "until": EMBARGO, "lift": True}, "makes no use of embargo ends at"),
        ({"ticket": FIRST, "lift": True}, "no embargo was proposed"),
    ],
)
def test_an_embargo_is_refused_with_the_way_out(
    reported: World, parameters: dict[str, Any], why: str
) -> None:
    closes(reported, FIRST)
    before = [history(reported, one) for one in (FIRST, SECOND)], len(outbox(reported))

    state, log = runs(bulk.propose_embargo, who=WHO, **parameters)

    assert state.is_failed()
    assert why in log
    assert MISTYPED not in f"{state.message} {log}"
    assert ([history(reported, one) for one in (FIRST, SECOND)], len(outbox(reported))) == before


@pytest.mark.parametrize(
    ("day", "why"), [("2027-01-04", "before the problem is solved"), (MISTYPED, "publish_on: ")]
)
def test_publication_is_refused_with_the_way_out(reported: World, day: str, why: str) -> None:
    closes(reported, FIRST)

    state, log = runs(bulk.propose_publication, ticket=FIRST, on=day, who=WHO)

    assert state.is_failed()
    assert why in log
    assert MISTYPED not in f"{state.message} {log}"


def secret_links(world: World) -> set[str]:
    return {
        link for mail in world.read_by(world.people.reporter) for link in re.findall(r"/s/(\S+)", mail.text)
    }


def forgets(world: World, *references: str) -> None:
    """Forget closed tickets as a confirmed act does."""
    runs(bulk.forget, tickets=list(references), who=WHO)
    confirms(world)


def lie_in_archive(world: World) -> int:
    return len(world.mail.mails(CVD, "Archive"))


def test_what_is_due_is_forgotten_in_the_database_and_in_the_mailbox(reported: World) -> None:
    closes(reported, FIRST, SECOND)
    reported.present.passes(days=89)
    state, log = runs(bulk.forget, who=WHO)
    assert state.is_completed()
    assert "nothing to do" in log
    reported.present.passes(days=1)

    state, log = runs(bulk.forget, who=WHO)
    assert state.is_completed()
    assert f"for {FIRST}, {SECOND} was mailed" in log
    assert ticket(reported, FIRST).forgotten_at is None
    assert confirms(reported).startswith(f"{FIRST}: forgotten")

    assert [ticket(reported, one).forgotten_at is None for one in (FIRST, SECOND, THIRD)] == [
        False,
        False,
        True,
    ]
    assert history(reported, FIRST)[-2:] == ["forgotten", "proved"]
    assert lie_in_archive(reported) == 3
    settles(reported)
    assert audit() == 0
    assert lie_in_archive(reported) == 1
    assert wrong_in(compare(reported.place, whole=True)) == []
    with reported.place.database.reading() as session:
        assert to_be_cleared(session) == []


def test_the_mailbox_is_cleared_later_when_it_is_away(reported: World) -> None:
    closes(reported, FIRST)
    forgets(reported, FIRST)
    reported.mail.kill()

    assert clear_away(reported.place) == [
        "1 forgotten messages may still lie in the mailbox (ServerUnreachable)"
    ]
    with pytest.raises(WorkFailed, match="1 forgotten messages may still lie"):
        audit()

    reported.mail.start()
    assert lie_in_archive(reported) == 3
    assert clear_away(reported.place) == []
    assert lie_in_archive(reported) == 2
    assert clear_away(reported.place) == []


def test_a_process_that_dies_between_mailbox_and_database_clears_again(
    reported: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    closes(reported, FIRST)
    forgets(reported, FIRST)

    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(clearing, "were_cleared", dies)
        with pytest.raises(KeyboardInterrupt):
            clear_away(reported.place)
    assert lie_in_archive(reported) == 2
    assert clear_away(reported.place) == []
    assert lie_in_archive(reported) == 2


def first_message(world: World) -> bytes:
    """What arrived for the first ticket, byte for byte."""
    with world.place.database.reading() as session:
        return session.scalars(select(LedgerEntry).where(LedgerEntry.ticket_id == 1)).one().raw


def in_archive(client: IMAPClient) -> list[bytes]:
    client.select_folder("Archive")
    return [told[b"BODY[]"] for told in client.fetch(client.search(), ["BODY.PEEK[]"]).values()]


def test_only_the_very_message_is_deleted(reported: World) -> None:
    """Somebody else's message may have its size, and be marked as deleted; a second copy goes as well."""
    closes(reported, FIRST)
    raw = first_message(reported)
    other = raw.replace(b"MIME-Version", b"MIME-Versiom")
    assert len(other) == len(raw)
    assert other != raw
    with IMAPClient("127.0.0.1", reported.mail.imap_port, ssl=False) as client:
        client.login(CVD, reported.mail.password)
        client.append("Archive", other, flags=[b"\\Deleted"])
        client.append("Archive", raw)
        assert in_archive(client).count(raw) == 2

        forgets(reported, FIRST)
        assert clear_away(reported.place) == []

        client.noop()
        left = in_archive(client)
    assert len(left) == 3
    assert other in left
    assert raw not in left


def test_a_server_that_cannot_delete_single_messages_is_named(
    reported: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    closes(reported, FIRST)
    forgets(reported, FIRST)
    monkeypatch.setattr(
        "meldbalie.mailbox.imap.Mover",
        lambda client, account, capabilities, may_delete: Mover(
            client, account, capabilities - {"UIDPLUS", "IMAP4REV2"}, may_delete
        ),
    )
    assert clear_away(reported.place) == ["1 forgotten messages may still lie in the mailbox (FolderRefused)"]
    assert lie_in_archive(reported) == 3


def test_the_same_mail_again_is_repeated_and_goes_as_well(reported: World) -> None:
    closes(reported, FIRST)
    raw = first_message(reported)
    forgets(reported, FIRST)
    assert clear_away(reported.place) == []

    reported.arrives(raw)
    goes_round(reported)
    assert verdicts(reported)[-1] is Verdict.REPEATED
    assert reported.tickets() == [FIRST, SECOND, THIRD]
    assert clear_away(reported.place) == []

    with reported.place.database.reading() as session:
        assert {
            entry.raw for entry in session.scalars(select(LedgerEntry).where(LedgerEntry.ticket_id == 1))
        } == {b""}
    assert raw not in reported.mail.mails(CVD, "Archive")


def test_owners_are_imported_from_the_configured_directory_only(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "owners"
    directory.mkdir()
    content = "owner,address,asset\nNieuw team,nieuw@voorbeeld.example,nieuw.voorbeeld.example\n"
    (directory / "owners.csv").write_text(content)
    (tmp_path / "outside.csv").write_text(content)
    (directory / "link.csv").symlink_to(tmp_path / "outside.csv")
    (directory / "bad.csv").write_text("nothing\n")
    desk = world.place.config.desk.model_copy(update={"owner_files": directory})
    config = world.place.config.model_copy(update={"desk": desk})
    before = owners(world)

    state, _ = runs(bulk.import_owners, file="owners.csv", who=WHO)
    assert state.is_failed()  # no directory is configured
    works_with(world, monkeypatch, replace(world.place, config=config))
    for outside in (
        "../outside.csv",
        "link.csv",
        str(tmp_path / "outside.csv"),
        "..",
        "",
        "no.csv",
        "bad.csv",
    ):
        state, _ = runs(bulk.import_owners, file=outside, who=WHO, check_only=False)
        assert state.is_failed(), outside
    state, log = runs(bulk.import_owners, file="owners.csv", who=WHO)
    assert state.is_completed()
    assert "nothing was changed yet" in log
    assert owners(world) == before

    state, log = runs(bulk.import_owners, file="owners.csv", who=WHO, check_only=False)
    assert state.is_completed()
    assert "Nieuw team" in owners(world)
    assert "owners: 1 added" in log


def test_prefect_is_told_no_cell_of_an_owner_file(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefect_api: PrefectServer
) -> None:
    desk = world.place.config.desk.model_copy(update={"owner_files": tmp_path})
    config = world.place.config.model_copy(update={"desk": desk})
    works_with(world, monkeypatch, replace(world.place, config=config))
    known, changed = (f"kanarieteam,{who}@kanarie.example,{key}" for who, key in CHANGES)
    header = "owner,address,fingerprint,asset,kind,valid_from,valid_until"
    (tmp_path / "good.csv").write_text(f"{header}\n{known},www.kanarie.example,,,\n")
    (tmp_path / "changed.csv").write_text(f"{header}\n{changed},www.kanarie.example,,,\n")
    (tmp_path / "header.csv").write_text("owner,address,asset,kanariekolom\n")
    bad = [
        f"{known},www.kanarie.example,,,",
        "kanarieteam,fout@kanarie.example,0123456789ABCDEF,x.kanarie.example,,,",
        f"{changed},y.kanarie.example,,,",
        "Kanarieteam,vast@kanarie.example,,z.kanarie.example,,,",
        "kanarieploeg,ploeg@kanarie.example,,www.kanarie.example,,,",
        "kanarieteam,vast@kanarie.example,,198.51.100.77/24,,,",
        "kanarieteam,vast@kanarie.example,,*.museum,,,",
        "kanarieteam,vast@kanarie.example,,h.kanarie.example,kanariesoort,kanariedag,",
        "=kanarie,kanarie,kanarie\x00,,,,",
        "kanarie,kanarie",
    ]
    (tmp_path / "bad.csv").write_text("\n".join([header, *bad]))

    runs(bulk.import_owners, file="good.csv", who=WHO, check_only=False)
    logs = {
        name: runs(bulk.import_owners, file=f"{name}.csv", who=WHO) for name in ("changed", "header", "bad")
    }

    canaries = ["kanarie", "0123456789ABCDEF", "198.51.100", "museum", *(key for _, key in CHANGES)]
    kept = "\n".join(f"{state.message}\n{log}" for state, log in logs.values())
    assert found({one: one for one in canaries if one != "kanarie"}, rows(prefect_api)) == set()
    assert [one for one in canaries if one.lower() in kept.replace("'kanarieteam'", "").lower()] == []
    state, log = logs["bad"]
    assert state.is_failed()
    assert "line 3, fingerprint: give the full fingerprint" in log
    assert "line 4, address: line 2 gives this owner another one" in log
    assert "meldbalie owners import" in log
    assert "'kanarieteam' gets mail at another address" in logs["changed"][1]


#: Where an owner gets mail and with which key, before and after.
CHANGES = (("vast", "8F" * 20), ("ander", "9E" * 20))


def test_what_prefect_keeps_of_it_says_nothing_of_a_report(reported: World) -> None:
    closes(reported, FIRST)
    logs = [
        runs(flow, **parameters)
        for flow, parameters in (
            (bulk.assign_many, {"tickets": [FIRST, SECOND], "owner": owners(reported)[0], "who": WHO}),
            (bulk.close_as_duplicates, {"of": THIRD, "tickets": [SECOND], "who": WHO}),
            (bulk.reopen, {"ticket": FIRST, "who": WHO}),
            (bulk.split, {"ticket": SECOND, "who": WHO, "owner": owners(reported)[-1]}),
            (bulk.resend_link, {"ticket": SECOND, "who": WHO}),
            (bulk.propose_embargo, {"ticket": FIRST, "until": EMBARGO, "who": WHO}),
            (bulk.propose_publication, {"ticket": FIRST, "on": "2027-01-04", "who": WHO}),
            (bulk.forget, {"tickets": [FIRST], "who": WHO}),
        )
    ]
    everything = "\n".join(f"{state.message}\n{log}" for state, log in logs)
    person = reported.people.reporter
    for secret in (NAME, SENTENCE, person.address, person.fingerprint, "Report 0"):
        assert secret not in everything


Flows: list[Callable[..., Any]] = list(bulk.RARE_ACTS)


@pytest.mark.parametrize("flow", Flows, ids=lambda flow: flow.name)
def test_every_form_says_what_each_field_is(flow: Any) -> None:
    fields = flow.parameters.properties
    assert fields
    for name, field in fields.items():
        assert field["description"].endswith((".", "`.")), name
        assert field["type"] in ("string", "array", "integer", "boolean")
        assert field["title"] != name
    who = fields["who"]
    assert (who["position"], who["title"]) == (0, "Who are you")


def test_a_ticket_that_is_forgotten_while_the_link_waits_is_no_error(reported: World) -> None:
    closes(reported, FIRST)
    runs(bulk.forget, tickets=[FIRST], who=WHO)
    with reported.place.database.unit_of_work() as session:
        forget(session, ticket_called(session, FIRST), by=WHO, now=reported.present())
    assert confirms(reported) == f"{FIRST}: was forgotten before"


def test_an_unforeseen_failure_of_one_ticket_is_told_without_words(
    reported: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise ServerUnreachable(SENTENCE)

    monkeypatch.setattr("meldbalie.models.resending.resend_link", breaks)
    state, log = runs(bulk.resend_link, ticket=FIRST, who=WHO)
    assert state.is_failed()
    assert f"{FIRST}: ServerUnreachable at test_bulk.py" in log
    assert SENTENCE not in log
    with reported.place.database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM tickets")).scalar() == 3
