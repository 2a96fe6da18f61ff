"""The audit: whatever moves, vanishes or differs is noticed, and no report is lost or doubled by it."""

import shutil
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from imapclient import IMAPClient
from meldbalie.flows.audit import audit, compare, wrong_in
from meldbalie.flows.deliver import deliver
from meldbalie.flows.discretion import WorkFailed
from meldbalie.flows.intake import intake
from meldbalie.flows.operator.audit import run as run_command
from meldbalie.models.alarms import AlarmKind, open_alarms
from meldbalie.models.ledger import LedgerEntry, Verdict
from meldbalie.models.outbox import MailKind
from meldbalie.tests.flows.glances import goes_round, outbox, states, verdicts
from meldbalie.tests.flows.test_intake_verdicts import bounce, sealed_to_somebody_else, tampered
from meldbalie.tests.flows.world import NAME, SENTENCE, World
from sqlalchemy import select

FIRST, SECOND = "CVD-2026-0001", "CVD-2026-0002"


@contextmanager
def by_hand(world: World) -> Generator[IMAPClient]:
    """Somebody who has the mailbox open in a mail program."""
    with IMAPClient("127.0.0.1", world.mail.imap_port, ssl=False) as client:
        client.login(world.people.desk.address, world.mail.password)
        yield client


def moves(world: World, source: str, target: str) -> None:
    """Somebody, or a rule, moves everything from one folder to another."""
    with by_hand(world) as client:
        if not client.folder_exists(target):
            client.create_folder(target)
        client.select_folder(source)
        client.move(client.search(), target)


def differs(world: World, **more: Any) -> dict[AlarmKind, set[str]]:
    """What an audit finds."""
    return {look.kind: set(look.wrong) for look in wrong_in(compare(world.place, **more))}


def lie_in(world: World, folder: str) -> int:
    return len(world.mail.mails(world.people.desk.address, folder))


def settings_of(world: World, **changes: int) -> World:
    """This world with other settings of the audit."""
    config = world.place.config
    changed = config.model_copy(update={"audit": config.audit.model_copy(update=changes)})
    world.place = replace(world.place, config=changed)
    return world


def test_a_desk_that_did_everything_is_quiet_however_often_it_is_audited(world: World) -> None:
    for message in (
        world.reports(),
        b"List-Id: <scans.onderzoek.example>\r\n" + world.reports("A scan.", seals=False, key=False),
        b"Auto-Submitted: auto-replied\r\n" + world.reports("Away.", seals=False, key=False),
        bounce(world, 1, world.people.desk.address),
        sealed_to_somebody_else(world),
    ):
        world.arrives(message)
    goes_round(world)
    mails = len(outbox(world))

    world.present.passes(hours=2)
    assert [differs(world), differs(world, whole=True), audit()] == [{}, {}, 0]

    assert len(outbox(world)) == mails
    assert world.tickets() == [FIRST, SECOND]
    with world.place.database.reading() as session:
        assert open_alarms(session) == {}


@pytest.mark.parametrize("folder", ["Archive", "Quarantine"])
def test_a_report_that_a_rule_moved_before_we_read_it_becomes_a_ticket_and_handlers_are_told_once(
    world: World, folder: str
) -> None:
    world.arrives(world.reports())
    moves(world, "INBOX", folder)
    assert intake(minutes=0) == 0
    arrived = world.present()
    world.present.passes(hours=1)

    assert differs(world) == {AlarmKind.NOT_IN_LEDGER: {"1"}}
    goes_round(world)
    world.present.passes(hours=1)
    assert differs(world) == {}
    goes_round(world)

    assert world.tickets() == [FIRST]
    with world.place.database.reading() as session:
        entry = session.get_one(LedgerEntry, 1)
        assert (entry.arrived_at, entry.verdict) == (arrived, Verdict.OPENED_TICKET)
        assert entry.put_away_at == arrived + timedelta(hours=1)
        assert open_alarms(session) == {}
    assert (lie_in(world, "INBOX"), lie_in(world, folder)) == (0, 1)
    assert states(world, MailKind.ALARM) == ["sent"]
    [told] = [mail for mail in world.read_by(world.people.handler) if "not_in_ledger" in mail.text]
    assert told.was_decrypted
    for secret in (SENTENCE, NAME, "XSS"):
        assert secret not in told.text


def test_a_report_that_the_spam_filter_ate_is_a_ticket_if_it_is_sealed_and_else_counted_once_a_day(
    world: World,
) -> None:
    world.arrives(world.reports())
    world.arrives(world.reports("A cheap watch.", seals=False, key=False))
    moves(world, "INBOX", "Junk")

    assert differs(world) == {AlarmKind.NOT_IN_LEDGER: {"1"}}
    goes_round(world)
    assert differs(world) == {}
    world.present.passes(hours=1)
    world.arrives(world.reports("A cheaper watch.", seals=False, key=False))
    moves(world, "INBOX", "Junk")
    assert differs(world) == {}

    assert world.tickets() == [FIRST]
    assert lie_in(world, "Junk") == 3
    assert len(outbox(world, MailKind.ALARM)) == 1
    with world.place.database.reading() as session:
        assert open_alarms(session) == {"junk": ["2026-11-19"]}
    world.present.passes(days=1)
    assert differs(world) == {}
    with world.place.database.reading() as session:
        assert open_alarms(session) == {}
    moves(world, "Junk", "INBOX")
    goes_round(world)
    assert sorted(filter(None, verdicts(world))) == ["opened_ticket"] * 3 + ["repeated"]
    assert differs(world) == {}


def test_a_folder_full_of_somebody_else_s_mail_is_not_made_into_tickets_unasked(world: World) -> None:
    settings_of(world, most_taken_in=1)
    for number in range(2):
        world.arrives(world.reports(f"Number {number} of https://www.voorbeeld.example/"))
    moves(world, "INBOX", "Archive")

    for _ in range(2):
        assert differs(world) == {AlarmKind.MANY_NOT_IN_LEDGER: {"archive"}}
        deliver(minutes=0)
        world.present.passes(hours=1)
    assert verdicts(world) == []
    assert len(outbox(world, MailKind.ALARM)) == 1

    assert differs(world, takes_all=True) == {AlarmKind.NOT_IN_LEDGER: {"1", "2"}}
    goes_round(world)
    assert world.tickets() == [FIRST, SECOND]
    assert differs(world) == {}


def test_what_lies_in_the_inbox_too_long_is_taken_in_and_the_intake_does_the_rest(world: World) -> None:
    world.arrives(world.reports())
    assert differs(world) == {}
    world.present.passes(minutes=31)

    found = differs(world)
    assert list(found) == [AlarmKind.LEFT_IN_INBOX]
    assert verdicts(world) == [None]
    deliver(minutes=0)
    world.present.passes(minutes=31)
    assert differs(world) == {AlarmKind.UNDECIDED: {"1"}}

    goes_round(world)
    assert world.tickets() == [FIRST]
    assert lie_in(world, "INBOX") == 0
    assert differs(world) == {}


def test_what_is_filed_and_cannot_be_put_away_is_noticed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.arrives(world.reports())
    with monkeypatch.context() as hindered:
        hindered.setattr("meldbalie.flows.intake.put_away", lambda *_: 0)
        goes_round(world)
    world.present.passes(minutes=31)
    deliver(minutes=0)

    assert differs(world) == {AlarmKind.NOT_PUT_AWAY: {"1"}}
    goes_round(world)
    assert differs(world) == {}


def forgets_numbers(world: World, *folders: str, same: bool = False) -> None:
    """The server numbers the messages of these folders anew, as after a restore.

    It may do so under the ``same`` UIDVALIDITY, so that another message gets an old UID.
    """
    inbox = world.mail.drop.inbox(world.people.desk.address)
    world.mail.stop()
    for folder in folders:
        maildir = inbox if folder == "INBOX" else inbox / f".{folder}"
        numbers = maildir / "dovecot-uidlist"
        version, validity, _, folder_id, *_ = numbers.read_text().split()
        for file in (*maildir.glob("dovecot-uidlist*"), *maildir.glob("dovecot.index*")):
            file.unlink()
        if same:
            numbers.write_text(f"{version} {validity} N1 {folder_id}\n")
            shutil.chown(numbers, maildir.owner(), maildir.group())
    world.mail.start()


def test_folders_that_the_server_numbers_anew_make_no_second_ticket_and_no_alarm(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.arrives(world.reports())
    world.arrives(sealed_to_somebody_else(world))
    goes_round(world)
    world.arrives(world.reports("Filed, and not put away: https://www.voorbeeld.example/"))
    with monkeypatch.context() as dying:
        dying.setattr("meldbalie.flows.intake.put_away", lambda *_: 0)
        goes_round(world)
    world.present.passes(hours=1)

    forgets_numbers(world, "INBOX", "Archive", "Quarantine")
    assert differs(world) == {AlarmKind.LEFT_IN_INBOX: {left_in_inbox(world)}}
    goes_round(world)
    world.present.passes(hours=1)
    goes_round(world)

    assert differs(world, whole=True) == {}
    assert world.tickets() == [FIRST, SECOND]
    assert lie_in(world, "INBOX") == 0
    assert len(outbox(world, MailKind.RECEIPT)) == 2


def test_a_report_that_gets_the_number_of_an_earlier_one_is_not_taken_for_it(world: World) -> None:
    world.arrives(world.reports())
    goes_round(world)
    forgets_numbers(world, "INBOX", same=True)
    world.present.passes(minutes=1)
    world.arrives(world.reports("Another one at https://www.voorbeeld.example/"))
    world.present.passes(minutes=31)

    differs(world)
    goes_round(world)

    with world.place.database.reading() as session:
        lay = session.execute(select(LedgerEntry.uidvalidity, LedgerEntry.uid)).all()
    assert len(lay) == 2
    assert len(set(lay)) == 1
    assert world.tickets() == [FIRST, SECOND]
    assert lie_in(world, "INBOX") == 0


def left_in_inbox(world: World) -> str:
    with world.place.database.reading() as session:
        last = session.scalars(select(LedgerEntry).order_by(LedgerEntry.id.desc())).first()
        assert last is not None
        return f"{last.uidvalidity}-{last.uid}"


def test_a_mailbox_that_was_made_anew_with_its_old_mail_makes_no_second_ticket(world: World) -> None:
    world.arrives(world.reports())
    goes_round(world)
    with by_hand(world) as client:
        client.delete_folder("Archive")
    forgets_numbers(world, "INBOX")
    with world.place.database.reading() as session:
        raw = session.get_one(LedgerEntry, 1).raw
    world.arrives(b"Received: from backup.example\r\n" + raw)
    world.arrives(raw)
    goes_round(world)

    assert differs(world, whole=True) == {}
    assert verdicts(world) == [Verdict.OPENED_TICKET, Verdict.REPEATED, Verdict.REPEATED]
    assert world.tickets() == [FIRST]
    assert lie_in(world, "INBOX") == 0


def test_one_mail_in_two_folders_is_one_ticket_whichever_is_seen_first(world: World) -> None:
    for number, first_seen in enumerate(("inbox", "archive")):
        world.arrives(world.reports(f"Report {number} on https://www.voorbeeld.example/"))
        with by_hand(world) as client:
            if not client.folder_exists("Archive"):
                client.create_folder("Archive")
            client.select_folder("INBOX")
            client.copy(client.search(), "Archive")
        if first_seen == "archive":
            assert differs(world) == {AlarmKind.NOT_IN_LEDGER: {"2"}}
        goes_round(world)
        goes_round(world)
        assert differs(world) == {}

    assert world.tickets() == [FIRST, SECOND]
    assert len(outbox(world, MailKind.RECEIPT)) == 2
    assert lie_in(world, "INBOX") == 0


def test_a_filed_report_that_somebody_puts_back_is_put_away_again(world: World) -> None:
    world.arrives(world.reports())
    goes_round(world)
    moves(world, "Archive", "INBOX")
    goes_round(world)

    assert verdicts(world) == [Verdict.OPENED_TICKET, Verdict.REPEATED]
    assert world.tickets() == [FIRST]
    assert (lie_in(world, "INBOX"), lie_in(world, "Archive")) == (0, 1)
    assert differs(world) == {}
    assert len(outbox(world, MailKind.RECEIPT)) == 1


def test_two_audits_at_once_take_a_stray_report_in_once_and_tell_of_it_once(world: World) -> None:
    for number in range(3):
        world.arrives(world.reports(f"Number {number} of https://www.voorbeeld.example/"))
    moves(world, "INBOX", "Archive")
    together = threading.Barrier(2, timeout=60)

    def audits(_: int) -> dict[AlarmKind, set[str]]:
        together.wait()
        return differs(world)

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(audits, range(2)))

    taken = [about for one in found for about in one.get(AlarmKind.NOT_IN_LEDGER, set())]
    assert sorted(taken) == ["1", "2", "3"]
    goes_round(world)
    assert len(world.tickets()) == 3
    assert len(outbox(world, MailKind.ALARM)) in (1, 2)  # each may have found some
    assert differs(world) == {}


def test_a_mailbox_out_of_reach_is_an_alarm_that_settles_nothing_else(world: World) -> None:
    settings_of(world, most_taken_in=0)
    world.arrives(world.reports())
    moves(world, "INBOX", "Archive")
    assert differs(world) == {AlarmKind.MANY_NOT_IN_LEDGER: {"archive"}}

    world.mail.stop()
    assert differs(world) == {AlarmKind.MAILBOX_CLOSED: {"ServerUnreachable"}}
    with world.place.database.reading() as session:
        assert open_alarms(session) == {
            "mailbox_closed": ["ServerUnreachable"],
            "many_not_in_ledger": ["archive"],
        }
    world.mail.start()
    assert differs(world) == {AlarmKind.MANY_NOT_IN_LEDGER: {"archive"}}


def test_a_large_folder_is_compared_in_goes_and_no_message_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meldbalie.flows.audit_folders.MOST_COMPARED", 2)
    for number in range(5):
        world.arrives(world.reports(f"Number {number} of https://www.voorbeeld.example/", key=False))
    moves(world, "INBOX", "Archive")

    found = [differs(world).get(AlarmKind.NOT_IN_LEDGER, set()) for _ in range(4)]
    assert found == [{"1", "2"}, {"3", "4"}, {"5"}, set()]


def test_the_run_in_prefect_and_the_command_tell_kinds_and_numbers_only(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("meldbalie.flows.operator.audit.installation", lambda: world.place)
    world.arrives(world.reports())
    moves(world, "INBOX", "Archive")

    with pytest.raises(WorkFailed, match=r"^audit: 1 not_in_ledger$"):
        audit()
    world.arrives(tampered(world.reports()))
    goes_round(world)
    capsys.readouterr()

    class Asked:
        whole = take_in = False

    assert run_command(Asked()) == 0  # type: ignore[arg-type]
    said = capsys.readouterr().out
    assert "nothing differs" in said
    assert "waits for a human: 1 messages in quarantine" in said
    world.present.passes(hours=1)
    world.arrives(world.reports("Another, of https://www.voorbeeld.example/"))
    moves(world, "INBOX", "Archive")
    assert run_command(Asked()) == 1  # type: ignore[arg-type]
    said = capsys.readouterr().out
    assert "differs: not_in_ledger 3: Messages outside the inbox" in said
    for secret in (SENTENCE, NAME, world.people.reporter.address):
        assert secret not in said
