"""Intake at servers that forbid or lack things, and over links that are cut: no loss, no second ticket."""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from meldbalie.flows.filing import file_entry
from meldbalie.flows.installation import Installation
from meldbalie.flows.intake import put_away, take_waiting
from meldbalie.flows.operator.demo_files import CVD, People, make_people
from meldbalie.flows.shifts import Shift
from meldbalie.mailbox.errors import FolderRefused, ServerUnreachable
from meldbalie.mailbox.imap import IntakeMailbox
from meldbalie.models import ledger
from meldbalie.models.ledger import LedgerEntry
from meldbalie.settings import CONFIG_VARIABLE, settings
from meldbalie.tests.flows.world import Present, World, make_world, post_office
from meldbalie.tests.mailserver_fixtures import FragileLink
from meldbalie.tests.prefect_server import PrefectServer
from sqlalchemy import select

LACKS = pytest.mark.parametrize(
    "lacks", [(), ("MOVE",), ("MOVE", "UIDPLUS")], ids=["MOVE", "UIDPLUS", "neither"]
)


@dataclass
class Desk:
    """An installation, its mail server, and everything that was sent to it."""

    world: World
    sent: list[bytes] = field(default_factory=list)

    def arrives(self) -> None:
        """Let one more report arrive."""
        self.sent.append(self.world.reports(seals=False, key=False))
        self.world.arrives(self.sent[-1])

    def works(self, port: int | None = None) -> None:
        """Do what the intake flow does in a turn, over a link if its port is given."""
        place = self.world.place
        place = replace(place, imap=replace(place.imap, port=port or place.imap.port, timeout=5.0))
        with Shift("intake", place, minutes=0) as shift, IntakeMailbox(place.imap) as mailbox:
            for _ in shift.turns(pause=0):
                take_waiting(place, mailbox, shift)
                for number in undecided(place):
                    file_entry(place, number)
                put_away(place, mailbox)

    def look(self) -> None:
        """Every report is one ticket, and every byte of it is in the ledger once."""
        assert len(self.world.tickets()) == len(self.sent)
        with self.world.place.database.reading() as session:
            assert Counter(session.scalars(select(LedgerEntry.raw))) == Counter(self.sent)

    def held(self, folder: str) -> list[bytes]:
        """What lies in a folder of the mailbox."""
        return self.world.mail.mails(CVD, folder)


def undecided(place: Installation) -> list[int]:
    with place.database.reading() as session:
        return ledger.undecided(session, place.clock())


MakeDesk = Callable[..., Desk]


@pytest.fixture
def make_desk(people_of_the_session: tuple[Path, People]) -> Generator[MakeDesk]:
    """Make a desk without Prefect; the keywords are those of the mail server."""
    home, _ = people_of_the_session
    before = os.environ.get(CONFIG_VARIABLE)

    def make(**options: Any) -> Desk:
        directory = Path(tempfile.mkdtemp(prefix="mbl"))
        directory.chmod(0o755)
        shutil.copytree(home / "keys", directory / "keys", ignore=shutil.ignore_patterns("S.*"))
        people, present = make_people(directory), Present()
        mail = post_office(directory, **options)
        ends.callback(shutil.rmtree, directory, ignore_errors=True)
        ends.callback(mail.kill)
        mail.start()
        nowhere = PrefectServer(4200, directory / "prefect", directory / "log")
        place = make_world(directory, people, mail, nowhere, present)
        ends.callback(place.database.close)
        ends.callback(place.keyring.stop)
        return Desk(World(place, people, mail, present, directory / "meldbalie.toml"))

    with ExitStack() as ends:
        yield make
    if before is None:
        os.environ.pop(CONFIG_VARIABLE, None)
    settings.cache_clear()


@LACKS
def test_a_link_that_is_cut_anywhere_costs_no_report_and_makes_no_second_ticket(
    make_desk: MakeDesk, lacks: tuple[str, ...]
):
    desk = make_desk(lacks=lacks)
    with FragileLink(desk.world.mail.imap_port) as link:
        desk.arrives()
        desk.works(link.port)
        whole = link.bytes_back
    cuts = 0

    # The first half is greeting, login and opening; mailbox/test_broken_links goes through that.
    for number in range(whole // 2, whole, 37):
        desk.arrives()
        with FragileLink(desk.world.mail.imap_port) as link:
            link.cut_after(number)
            try:
                desk.works(link.port)
            except ServerUnreachable:
                cuts += 1
        desk.works()

    assert cuts > 10
    desk.look()
    assert set(desk.held("Archive")) == set(desk.sent)
    if lacks != ("MOVE", "UIDPLUS"):
        assert desk.held("INBOX") == []


@LACKS
def test_a_folder_that_takes_nothing_costs_no_report_and_is_filled_once_it_does(
    make_desk: MakeDesk, lacks: tuple[str, ...]
):
    rights = Path(tempfile.mkdtemp(prefix="mba")) / "acl"
    rights.parent.chmod(0o755)
    rights.write_text("Archive owner lrwst\n")
    lines = f"mail_plugins = acl\nplugin {{\n  acl = vfile:{rights}:cache_secs=0\n}}\n"
    desk = make_desk(lacks=lacks, dovecot=lines)

    for _ in range(3):
        desk.arrives()
        with pytest.raises(FolderRefused, match="put messages into Archive"):
            desk.works()
        desk.look()
    rights.write_text("Archive owner lrwstie\n")
    desk.world.mail.restart()
    desk.works()

    desk.look()
    assert sorted(desk.held("Archive")) == sorted(desk.sent)
    shutil.rmtree(rights.parent)


@pytest.mark.parametrize("lacks", [("MOVE",), ("MOVE", "UIDPLUS")], ids=["UIDPLUS", "neither"])
@pytest.mark.parametrize("rights", ["lrwsie", "lrwsti"], ids=["no deleting", "no expunging"])
def test_messages_that_cannot_leave_the_inbox_are_one_ticket_each_and_copied_once_at_most(
    make_desk: MakeDesk, lacks: tuple[str, ...], rights: str
):
    file = Path(tempfile.mkdtemp(prefix="mba")) / "acl"
    file.parent.chmod(0o755)
    file.write_text(f"INBOX owner {rights}\n")
    desk = make_desk(lacks=lacks, dovecot=f"mail_plugins = acl\nplugin {{\n  acl = vfile:{file}\n}}\n")

    for _ in range(3):
        desk.arrives()
        with suppress(FolderRefused):
            desk.works()
        desk.look()

    assert len(desk.held("INBOX")) == 3
    assert len(desk.held("Archive")) <= 3
    shutil.rmtree(file.parent)


def test_a_mailbox_that_is_full_costs_no_report_and_is_emptied_once_there_is_room(make_desk: MakeDesk):
    lines = (
        "mail_plugins = quota\nplugin {\n  quota = maildir:User quota\n"
        "  quota_rule = *:bytes=100\n  quota_grace = 0\n}\n"
    )
    desk = make_desk(lacks=("MOVE",), dovecot=lines)

    for _ in range(3):
        desk.arrives()
        with pytest.raises(ServerUnreachable, match="OVERQUOTA"):
            desk.works()
        desk.look()
    assert desk.held("Archive") == []
    assert sorted(desk.held("INBOX")) == sorted(desk.sent)
