"""`check`: everything that is configured is really tried, and each thing that is amiss is one line."""

import io
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from meldbalie.__main__ import main
from meldbalie.flows.installation import open_database
from meldbalie.flows.operator import check, check_keys, check_servers
from meldbalie.flows.operator.check import CHECKS, Place, is_anything_wrong
from meldbalie.flows.operator.finding import ok
from meldbalie.flows.operator.mailserver import LocalMailServer
from meldbalie.mailbox.keyring import Keyring
from meldbalie.models.ledger import LedgerEntry
from meldbalie.models.owners import Owner
from meldbalie.models.vault import vault
from meldbalie.settings import CONFIG_VARIABLE, settings, use
from meldbalie.tests.identity_provider import CLIENT, SECRET, IdentityProvider, believing
from meldbalie.tests.ports import free_port
from rich.console import Console
from sqlalchemy import text

NOW = datetime.now(UTC)
CVD = "cvd@voorbeeld.example"
TOKEN_LOGINS = (('# login = "password"', 'login = "token"'),) * 2  # the first is that of IMAP


@dataclass
class Desk:
    """An installation on a local mail server, and what `check` says of it."""

    directory: Path
    mail: LocalMailServer
    ibd: str

    def configure(self, *changes: tuple[str, str]) -> None:
        """Replace text in the configuration file; every change must change something."""
        file = self.directory / "meldbalie.toml"
        written = file.read_text()
        for before, after in changes:
            assert before in written
            written = written.replace(before, after, 1)
        file.write_text(written)

    def check(self) -> tuple[bool, list[str]]:
        """Whether something is wrong, and the lines."""
        out = io.StringIO()
        place = Place(use(self.directory / "meldbalie.toml"), NOW)
        is_wrong = is_anything_wrong(Console(file=out, highlight=False, soft_wrap=True), place)
        place.close()
        return is_wrong, out.getvalue().splitlines()

    def wrong(self) -> list[str]:
        """The lines that begin with wrong, without that word."""
        is_wrong, lines = self.check()
        found = [line.removeprefix("wrong").strip() for line in lines if line.startswith("wrong")]
        assert bool(found) == is_wrong
        return found

    def warnings(self) -> list[str]:
        """The lines that begin with warning, without that word."""
        _, lines = self.check()
        return [line.removeprefix("warning").strip() for line in lines if line.startswith("warning")]


@pytest.fixture(scope="module")
def made() -> Iterator[tuple[Path, LocalMailServer, str]]:
    """A complete installation, made by `init`, and a mail server; no test changes them."""
    home = Path(tempfile.mkdtemp(prefix="mbc"))
    home.chmod(0o755)
    server = LocalMailServer(
        home / "mailserver", addresses=[CVD], password="a password", imap_port=free_port()
    )
    with server, pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setenv(CONFIG_VARIABLE, "")
        settings.cache_clear()
        assert main(["init", "--directory", str(home / "i"), "--address", CVD]) == 0
        with Keyring(home / "i/var/gnupg") as keyring:
            ibd = keyring.make_key("IBD", "ibd@voorbeeld.example")
        yield home / "i", server, ibd
    settings.cache_clear()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def desk(made: tuple[Path, LocalMailServer, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A copy of the installation in which everything is in order."""
    original, server, ibd = made
    directory = Path(tempfile.mkdtemp(prefix="mbd")) / "i"
    shutil.copytree(original, directory, ignore=shutil.ignore_patterns("S.*", "*.lock"))
    monkeypatch.chdir(directory)
    monkeypatch.setenv(CONFIG_VARIABLE, str(directory / "meldbalie.toml"))
    monkeypatch.setattr(check_keys, "TOO_SLOW_SECONDS", 60)  # a busy machine lives more slowly
    for name in ("imap", "smtp"):
        secret = directory / f"secrets/{name}.password"
        secret.touch(0o600)
        secret.write_text("a password\n")
    use(directory / "meldbalie.toml")
    desk = Desk(directory, server, ibd)
    desk.configure(
        ("# port = 993", f"port = {server.imap_port}"),
        ('# security = "tls"', 'security = "none"'),
        ("# port = 587", f"port = {server.smtp_port}"),
        ('# security = "starttls"', 'security = "none"'),
        ('fingerprint = ""', f'fingerprint = "{ibd}"'),
        ("# port = 4200", f"port = {free_port()}"),
        ("# port = 8600", f"port = {free_port()}"),
        ("# [[triage]]", f'[[triage]]\nname = "Desk"\naddress = "{CVD}"\nfingerprint = "{ibd}"'),
    )
    yield desk
    settings.cache_clear()
    shutil.rmtree(directory.parent, ignore_errors=True)


def test_an_installation_in_order_is_all_ok_and_every_check_speaks(desk: Desk):
    is_wrong, lines = desk.check()

    assert not is_wrong, lines
    assert [line for line in lines if not line.startswith("ok ")] == []
    named = {re.split(r"\s+", line, maxsplit=1)[1].partition(":")[0] for line in lines}
    assert named == {name for name, _ in CHECKS}


def test_the_command_tells_by_its_exit_status(desk: Desk, capsys: pytest.CaptureFixture[str]):
    settings.cache_clear()
    assert main(["check"]) == 0
    shutil.rmtree("secrets")
    settings.cache_clear()

    assert main(["check"]) == 1
    assert "\x1b" not in capsys.readouterr().out


def test_a_configuration_that_cannot_be_read_is_a_finding(desk: Desk, capsys: pytest.CaptureFixture[str]):
    desk.configure(("\n[imap]", "\n[imap]\nhots = 1"))
    settings.cache_clear()

    assert main(["check"]) == 1

    assert "imap.hots" in capsys.readouterr().out


def test_secrets_that_others_can_read_are_warned_of(desk: Desk):
    Path("secrets/application.keys").chmod(0o644)

    assert desk.warnings() == [
        "configuration: secrets/application.keys can be read by others -> chmod 600 secrets/application.keys"
    ]


def test_a_wrong_passphrase_is_found_by_opening_something(desk: Desk):
    Path("secrets/intake.passphrase").write_text("a guess\n")

    (found,) = desk.wrong()

    assert found.startswith("intake key: the intake key")
    assert "pgp.passphrase_file = secrets/intake.passphrase" in found


def test_an_intake_key_that_is_elsewhere_is_found(desk: Desk):
    fingerprint = settings().pgp.fingerprint
    desk.configure((f'fingerprint = "{fingerprint}"', f'fingerprint = "{"A" * 40}"'))

    (found,) = desk.wrong()

    assert f"intake key: the secret key {'A' * 40} is not in var/gnupg" in found


def test_an_intake_key_that_soon_expires_is_warned_of(desk: Desk):
    with Keyring(settings().pgp.home) as keyring:
        soon = keyring.make_key("CVD", CVD, expires=NOW + timedelta(days=20))
    desk.configure((f'fingerprint = "{settings().pgp.fingerprint}"', f'fingerprint = "{soon}"'))

    (found,) = desk.warnings()

    assert f"intake key: the intake key, {soon}, expires on" in found


def test_an_intake_key_that_costs_too_much_is_warned_of(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(check_keys, "TOO_SLOW_SECONDS", 0)

    (found,) = desk.warnings()

    assert "s2k-count 65536" in found


def test_a_keyring_that_others_can_enter_is_wrong(desk: Desk):
    Path("var/gnupg").chmod(0o755)

    assert desk.wrong() == ["keyring: var/gnupg can be entered by others -> chmod 700 var/gnupg"]


def test_a_missing_keyring_is_found_and_not_made(desk: Desk):
    shutil.rmtree("var/gnupg")

    assert all("does not exist" in line for line in desk.wrong())
    assert not Path("var/gnupg").exists()


@pytest.mark.parametrize(
    ("whose", "before"), [("the key of IBD", "Where copies go."), ("triage: Desk", "[[triage]]")]
)
def test_a_pinned_key_that_is_not_in_the_keyring_is_wrong(desk: Desk, whose: str, before: str):
    written = (desk.directory / "meldbalie.toml").read_text()
    at = written.index(desk.ibd, written.index(before))
    (desk.directory / "meldbalie.toml").write_text(f"{written[:at]}{'B' * 40}{written[at + 40 :]}")

    (found,) = desk.wrong()

    assert whose in found
    assert f"{'B' * 40}, is not in the keyring" in found


def test_people_without_a_key_get_mail_without_content_and_that_is_said(desk: Desk):
    desk.configure(("# [ciso]", f'[ciso]\nname = "C. Iso"\naddress = "{CVD}"'))

    assert desk.warnings() == [
        "pinned keys: ciso: C. Iso has no pinned key and gets mail without content"
        " -> pin their key's fingerprint"
    ]


def test_an_ibd_without_a_key_is_wrong(desk: Desk):
    desk.configure((f'fingerprint = "{desk.ibd}"', 'fingerprint = ""'))

    (found,) = desk.wrong()

    assert "its copies stay here" in found


def test_owners_keys_are_looked_up_in_the_database(desk: Desk):
    database = open_database(settings())
    with database.unit_of_work() as session:
        session.add(Owner(name="Waterwerk", address="w@voorbeeld.example", fingerprint="C" * 40))
        session.add(Owner(name="Zwembad", address="z@voorbeeld.example", fingerprint=desk.ibd))
    database.close()

    (found,) = desk.wrong()

    assert "owners' keys: the key of owner Waterwerk" in found


def test_an_expired_pinned_key_is_wrong(desk: Desk):
    with Keyring(settings().pgp.home) as keyring:
        expiring = keyring.make_key("IBD", "ibd@voorbeeld.example", expires=NOW + timedelta(days=2))
        facts = keyring.facts(expiring)
    assert facts

    later = check.check_keys._usable(settings(), "the key of IBD", facts, expiring, NOW + timedelta(days=3))

    assert "has expired" in later.what


def test_a_database_that_lacks_a_migration_is_wrong(desk: Desk):
    database = open_database(settings())
    with database.engine.begin() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
    database.close()

    (found,) = desk.wrong()

    assert "lacks the migrations 0001" in found


def test_a_missing_database_is_found_and_not_made(desk: Desk):
    for file in Path("var").glob("meldbalie.db*"):
        file.unlink()

    assert all("does not exist: meldbalie init makes it" in line for line in desk.wrong())
    assert not Path("var/meldbalie.db").exists()


def test_a_lost_application_key_is_found_by_opening_what_is_stored(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(vault, "_keys", None)
    vault.unlock(["A" * 43 + "="])
    database = open_database(settings())
    with database.unit_of_work() as session:
        session.add(
            LedgerEntry(
                mailbox="INBOX",
                uidvalidity=1,
                uid=1,
                message_id="",
                identity="x",
                digest="x",
                size=1,
                arrived_at=NOW,
                taken_at=NOW,
                raw=b"raw",
            )
        )
    database.close()

    (found,) = desk.wrong()

    assert "application.keys opens not everything that is stored" in found


def test_a_mail_server_that_refuses_the_login_is_wrong_both_ways(desk: Desk):
    for name in ("imap", "smtp"):
        Path(f"secrets/{name}.password").write_text("a guess\n")

    incoming, outgoing = desk.wrong()

    assert incoming.startswith("incoming mail:")
    assert "refuses the login" in incoming
    assert outgoing.startswith("outgoing mail:")


@pytest.mark.parametrize(
    ("oauth", "says"),
    [
        ("", "give either oauth.token_file or oauth.token_url"),
        (
            'token_file = "secrets/application.keys"\ntoken_url = "https://login.example/"',
            "give either oauth.token_file or",
        ),
        ('token_url = "https://login.example/"', "give oauth.client_id as well"),
        ('token_url = "https://login.example/"\nclient_id = "a"', "or oauth.refresh_token_file"),
    ],
)
def test_a_login_with_tokens_that_come_from_nowhere_is_wrong(desk: Desk, oauth: str, says: str):
    desk.configure(*TOKEN_LOGINS, ("\n[oauth]", f"\n[oauth]\n{oauth}"))

    incoming, outgoing = desk.wrong()

    assert incoming.startswith("incoming mail:")
    assert outgoing.startswith("outgoing mail:")
    assert says in incoming
    assert says in outgoing


def test_a_token_that_nobody_writes_is_wrong(desk: Desk):
    desk.configure(*TOKEN_LOGINS, ("\n[oauth]", '\n[oauth]\ntoken_file = "secrets/access.token"'))

    configuration, incoming, outgoing = desk.wrong()

    assert "configuration: secrets/access.token does not exist" in configuration
    assert "the access token in secrets/access.token cannot be read (No such file" in incoming
    assert "secrets/access.token" in outgoing


def test_an_identity_provider_that_does_not_know_us_is_wrong_without_our_secret(desk: Desk):
    with IdentityProvider(CVD) as provider:
        desk.configure(*TOKEN_LOGINS, ("\n[oauth]", oauth_section(provider)))
        secret("client.secret", "een ander geheim")
        incoming, outgoing = desk.wrong()

    assert "gives no access token (invalid_client AADSTS7000215): correct the client id" in incoming
    assert "invalid_client" in outgoing
    assert "geheim" not in incoming + outgoing


def test_servers_that_take_no_tokens_are_wrong(desk: Desk):
    with IdentityProvider(CVD) as provider:
        desk.configure(*TOKEN_LOGINS, ("\n[oauth]", oauth_section(provider)))
        incoming, outgoing = desk.wrong()

    assert 'takes no access tokens: set login to "password"' in incoming
    assert "takes no access tokens" in outgoing


def test_a_login_with_tokens_from_a_provider_is_ok_and_needs_no_password(desk: Desk):
    directory = Path(tempfile.mkdtemp(prefix="mbo"))
    directory.chmod(0o755)
    server = LocalMailServer(
        directory / "m",
        addresses=[CVD],
        password="x",
        imap_port=free_port(),
        dovecot=believing(directory),
    )
    with server, IdentityProvider(CVD) as provider:
        desk.configure(
            TOKEN_LOGINS[0],
            ("\n[oauth]", oauth_section(provider)),
            (f"port = {desk.mail.imap_port}", f"port = {server.imap_port}"),
        )
        Path("secrets/imap.password").unlink()
        is_wrong, lines = desk.check()
    shutil.rmtree(directory)

    assert not is_wrong, lines
    assert [line for line in lines if f"{CVD} at 127.0.0.1:{server.imap_port} with an access token:" in line]


def test_an_inbox_that_messages_cannot_leave_is_wrong(desk: Desk):
    directory = Path(tempfile.mkdtemp(prefix="mbo"))
    directory.chmod(0o755)
    (directory / "acl").write_text("INBOX owner lrwsie\n")
    server = LocalMailServer(
        directory / "m",
        addresses=[CVD],
        password="a password",
        imap_port=free_port(),
        lacks=("MOVE",),
        dovecot=f"mail_plugins = acl\nplugin {{\n  acl = vfile:{directory / 'acl'}\n}}\n",
    )
    with server:
        desk.configure((f"port = {desk.mail.imap_port}", f"port = {server.imap_port}"))
        (found,) = desk.wrong()
    shutil.rmtree(directory)

    assert found.startswith(f"incoming mail: {CVD} may not delete messages from INBOX")


def oauth_section(provider: IdentityProvider) -> str:
    secret("client.secret", SECRET)
    return (
        f'\n[oauth]\ntoken_url = "{provider.url}"\nclient_id = "{CLIENT}"\n'
        'client_secret_file = "secrets/client.secret"'
    )


def secret(name: str, content: str) -> None:
    file = Path("secrets") / name
    file.touch(0o600)
    file.write_text(content)


def test_a_port_that_something_else_uses_is_wrong(desk: Desk):
    with socket.create_server(("127.0.0.1", 0)) as other:
        own = use(desk.directory / "meldbalie.toml").web.port
        desk.configure((f"port = {own}", f"port = {port_of(other)}"))
        (found,) = desk.wrong()

    assert found.startswith("web: port")
    assert "set web.host and web.port" in found


def test_a_prefect_server_that_is_not_there_is_wrong(desk: Desk):
    desk.configure(('# api_url = ""', f'api_url = "http://127.0.0.1:{free_port()}/api"'))

    (found,) = desk.wrong()

    assert "no Prefect server lets us in" in found


def test_another_version_of_prefect_is_warned_of(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    desk.configure(('# api_url = ""', 'api_url = "http://127.0.0.1:1/api"'))
    monkeypatch.setattr(check_servers, "fetched", lambda *_: b'"2.9.0"')

    (found,) = desk.warnings()

    assert "is Prefect 2.9.0" in found


def test_a_check_that_breaks_is_a_finding_and_the_others_go_on(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    def breaks(place: Place) -> Iterator[object]:
        raise ZeroDivisionError("a\nb")

    def works(place: Place) -> Iterator[object]:
        yield ok("fine")

    monkeypatch.setattr(check, "CHECKS", (("one", breaks), ("two", works)))

    is_wrong, lines = desk.check()

    assert is_wrong
    assert lines == [
        "wrong   one: the check broke: ZeroDivisionError: a -> mend what is above it first",
        "ok      two: fine",
    ]


def port_of(server: socket.socket) -> int:
    return int(server.getsockname()[1])
