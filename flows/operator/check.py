"""`meldbalie check`: tries everything that the configuration names, and says what to mend.

A finding is one line: what was tried, how it went, and the way out. A check that breaks is a
finding too. Nothing is changed, except that the mailbox gets the folders that it lacks.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from rich.console import Console
from rich.text import Text
from sqlalchemy import make_url

from ...mailbox.errors import MailboxError
from ...mailbox.keyring import Keyring
from ...models.errors import Refused
from ...models.session import Database
from ...settings import Settings, SettingsError, config_file, settings
from ..installation import open_database, open_keyring
from . import check_accounts, check_database, check_keys, check_proof, check_rota, check_servers
from .finding import Finding, State, ok, warning, wrong

COLOURS = {State.OK: "green", State.WARNING: "yellow", State.WRONG: "bold red"}


class Place:
    """The installation as the checks see it: opened when the first of them asks."""

    def __init__(self, config: Settings, now: datetime) -> None:
        """Take the configuration and the instant that keys are judged at."""
        self.config = config
        self.now = now

    @cached_property
    def database(self) -> Database:
        """The database; raises :class:`SettingsError` rather than make a file."""
        address = make_url(self.config.database.url)
        if address.get_backend_name() == "sqlite" and not Path(address.database or "").exists():
            raise SettingsError(f"{address.database} does not exist: meldbalie init makes it")
        return open_database(self.config)

    @cached_property
    def keyring(self) -> Keyring:
        """The keyring; raises :class:`SettingsError` rather than make one."""
        if not self.config.pgp.home.is_dir():
            raise SettingsError(f"pgp.home = {self.config.pgp.home} does not exist: meldbalie init makes it")
        return open_keyring(self.config)

    def close(self) -> None:
        """Let go of what was opened."""
        if "keyring" in self.__dict__:
            self.keyring.stop()
        if "database" in self.__dict__:
            self.database.close()


Check = Callable[[Place], Iterable[Finding]]


def configuration(place: Place) -> Iterator[Finding]:
    """The file is there, and its secrets are ours alone."""
    file = config_file()
    if file.exists():
        yield ok(f"{file.absolute()} can be used")
    else:
        yield warning(f"{file.absolute()} does not exist, the defaults hold", "make it: meldbalie init")
    for secret in secret_files(place.config):
        if not secret.exists():
            yield wrong(f"{secret} does not exist", "make it, or correct the setting that names it")
        elif secret.stat().st_mode & 0o077:
            yield warning(f"{secret} can be read by others", f"chmod 600 {secret}")


def secret_files(config: Settings) -> list[Path]:
    """The files that hold secrets, as far as they are named."""
    passwords = [server.password_file for server in (config.imap, config.smtp) if server.login == "password"]
    named = (
        *passwords,
        config.oauth.token_file,
        config.oauth.client_secret_file,
        config.oauth.refresh_token_file,
        config.database.application_keys_file,
        config.database.password_file,
        config.pgp.passphrase_file,
        config.prefect.auth_file,
        config.prefect.encryption_key_file,
    )
    return [file for file in named if file is not None]


#: What is tried, in this order.
CHECKS: tuple[tuple[str, Check], ...] = (
    ("configuration", configuration),
    ("application keys", lambda place: check_database.application_keys(place.config)),
    ("database", lambda place: check_database.database(place.config, place.database)),
    ("keyring", lambda place: check_keys.keyring_home(place.config.pgp.home)),
    ("intake key", lambda place: check_keys.intake_key(place.config, place.keyring, place.now)),
    ("pinned keys", lambda place: check_keys.pinned_keys(place.config, place.keyring, place.now)),
    (
        "owners' keys",
        lambda place: check_keys.owners_keys(place.config, place.database, place.keyring, place.now),
    ),
    ("on-call rota", lambda place: check_rota.rota(place.config, place.now)),
    ("incoming mail", lambda place: check_servers.incoming(place.config)),
    ("outgoing mail", lambda place: check_servers.outgoing(place.config)),
    ("Prefect", lambda place: check_servers.prefect(place.config)),
    ("second factor", lambda place: check_proof.second_factor(place.config, place.database)),
    ("accounts", lambda place: check_accounts.accounts(place.config)),
    ("web", lambda place: check_servers.web(place.config)),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command: there are none."""
    del parser


def run(args: argparse.Namespace) -> int:
    """Try everything; 0 when nothing is wrong, else 1."""
    del args
    console = Console(highlight=False, soft_wrap=True)
    try:
        place = Place(settings(), datetime.now(UTC))
    except SettingsError as error:
        show(console, "configuration", wrong(str(error), "correct it, then check again"))
        return 1
    try:
        return 1 if is_anything_wrong(console, place) else 0
    finally:
        place.close()


def is_anything_wrong(console: Console, place: Place) -> bool:
    """Show every finding as it is made."""
    states: set[State] = set()
    for name, check in CHECKS:
        for finding in found_by(check, place):
            show(console, name, finding)
            states.add(finding.state)
    return State.WRONG in states


def found_by(check: Check, place: Place) -> Iterator[Finding]:
    """The findings of a check; one that breaks finds that it broke."""
    try:
        yield from check(place)
    except (SettingsError, MailboxError, Refused) as error:  # these say the way out themselves
        yield wrong(str(error), "")
    except Exception as error:
        first = str(error).strip().partition("\n")[0]
        yield wrong(f"the check broke: {type(error).__name__}: {first}", "mend what is above it first")


def show(console: Console, name: str, finding: Finding) -> None:
    """Print a finding on one line; coloured on a terminal only."""
    line = Text(f"{finding.state:8}", style=COLOURS[finding.state])
    line.append(f"{name}: {finding.what}", style="default")
    if finding.mend:
        line.append(f" -> {finding.mend}", style="default")
    console.print(line)
