"""`meldbalie init`: a configuration, the secrets it names, the intake key, the tables.

It never overwrites anything: run again, it says what is there and makes what is missing. The intake
key is protected by a long random passphrase in a file of its own, so that a stolen keyring is
worth nothing without that file. gpg derives the passphrase anew for every mail; `s2k-count 65536`
keeps that at 0.02 s instead of 0.4 s, which only a long random passphrase makes harmless.
"""

import argparse
import os
import secrets
import tempfile
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path

from cryptography.fernet import Fernet

from ...mailbox.errors import MailboxError
from ...mailbox.keyring import Keyring
from ...models.errors import Refused
from ...models.migrate import migrate
from ...settings import Pgp, Settings, config_file, settings, use
from ..installation import open_database, open_keyring, utc_now
from ..publishing import publish_at_start
from .intake_key import try_key
from .reference import commented_file
from .supervisor import Say

OURS_ALONE = 0o077
SECRETS = Path("secrets")
PASSPHRASE = SECRETS / "intake.passphrase"
PUBLIC_KEY = Path("intake-key.asc")
PASSPHRASE_BYTES = 32


class CannotInit(Refused):
    """Something is in the way; the message says what to do about it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--directory", type=Path, help="where everything goes (here)")
    parser.add_argument("--organisation", metavar="NAME", help="the name in mails and on pages")
    parser.add_argument("--address", help="the intake address")
    parser.add_argument("--import-key", type=Path, metavar="FILE", help="a secret key to use for the intake")
    parser.add_argument(
        "--passphrase-file", type=Path, metavar="FILE", help="the file that holds its passphrase"
    )


def run(args: argparse.Namespace) -> int:
    """Make what is missing; 1 when something is in the way."""
    directory: Path = args.directory or Path()
    given = {"organisation.name": args.organisation, "organisation.address": args.address}
    key = args.import_key.absolute() if args.import_key else None
    passphrase = args.passphrase_file.absolute() if args.passphrase_file else None
    umask = os.umask(OURS_ALONE)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with chdir(directory):
            if args.directory:
                use(Path("meldbalie.toml"))
            init({name: value for name, value in given.items() if value}, key=key, passphrase=passphrase)
    except (Refused, MailboxError, OSError) as error:
        print(f"init: {error}")
        return 1
    finally:
        os.umask(umask)
    return 0


def init(
    given: dict[str, str], *, key: Path | None = None, passphrase: Path | None = None, say: Say = print
) -> None:
    """Make what this directory lacks; raises :class:`CannotInit`, and leaves what was made."""
    file, config = config_file(), _configuration(given, key, passphrase)
    _make_directory(SECRETS, say)
    _make_file(config.database.application_keys_file, Fernet.generate_key() + b"\n", say, "application key")
    if key is None and (file_of_phrase := config.pgp.passphrase_file):
        _make_passphrase(file_of_phrase, config.pgp.home, say)
    with open_keyring(config) as keyring:
        fingerprint = _intake_key(keyring, config, key, say)
        public = keyring.export_public(fingerprint)
    _make_file(PUBLIC_KEY, public, say, "public intake key, to be published", mode=0o644)
    _write_configuration(file, config, fingerprint, say)
    _migrate(config, say)
    config = use(file)
    if publish_at_start(config, now=utc_now()):
        say("published: the intake key, which the web app serves")
    for line in _what_is_next(file, config, fingerprint):
        say(line)


def _configuration(given: dict[str, str], key: Path | None, passphrase: Path | None) -> Settings:
    """The configuration that is there, else the one that will be written."""
    config = settings()
    if config_file().exists():
        return config
    organisation = config.organisation.model_dump()
    organisation |= {name.partition(".")[2]: value for name, value in given.items()}
    file = passphrase or (None if key else PASSPHRASE)
    pgp = Pgp(home=config.pgp.home, passphrase_file=file)
    return Settings.model_validate(
        {**config.model_dump(), "organisation": organisation, "pgp": pgp.model_dump()}
    )


def _make_passphrase(file: Path, home: Path, say: Say) -> None:
    """Make a passphrase, unless there is a key already: a new one would not open it."""
    if file.exists() or not any(home.glob("private-keys-v1.d/*")):
        phrase = secrets.token_urlsafe(PASSPHRASE_BYTES)
        _make_file(file, f"{phrase}\n".encode(), say, "passphrase of the intake key")


def _intake_key(keyring: Keyring, config: Settings, key: Path | None, say: Say) -> str:
    """The fingerprint of the intake key, which is found, imported or made."""
    address = config.organisation.address
    own = [facts.fingerprint for facts in keyring.own_keys() if facts.belongs_to(address)]
    if config.pgp.fingerprint in {facts.fingerprint for facts in keyring.own_keys()}:
        fingerprint, done = config.pgp.fingerprint, "there already"
    elif key is not None:
        fingerprint, done = keyring.import_secret(key.read_bytes()), "imported"
    elif own:
        fingerprint, done = own[0], "there already"
    else:
        fingerprint, done = keyring.make_key(config.organisation.name, address), "made"
    _require_usable(keyring, config, fingerprint)
    say(f"{done}: the intake key {fingerprint} in {config.pgp.home}")
    return fingerprint


def _require_usable(keyring: Keyring, config: Settings, fingerprint: str) -> None:
    if problem := try_key(keyring, fingerprint).problem:
        raise CannotInit(
            f"the intake key {fingerprint} cannot be used ({problem}): is its passphrase the one in"
            f" {config.pgp.passphrase_file or 'a file named by --passphrase-file'}, and has it not expired?"
        )


def _write_configuration(file: Path, config: Settings, fingerprint: str, say: Say) -> None:
    if not file.exists():
        text = commented_file(_values(config, fingerprint))
        _make_file(file, text.encode(), say, "configuration")
        return
    say(f"there already: {file}")
    if config.pgp.fingerprint != fingerprint:
        say(f'  it lacks the intake key: under [pgp] write  fingerprint = "{fingerprint}"')


def _values(config: Settings, fingerprint: str) -> dict[str, object]:
    values: dict[str, object] = {
        "organisation.name": config.organisation.name,
        "organisation.address": config.organisation.address,
        "organisation.policy_url": config.organisation.policy_url,
        "organisation.public_url": config.organisation.public_url,
        "imap.host": config.imap.host,
        "imap.user": config.imap.user or config.organisation.address,
        "imap.password_file": config.imap.password_file or SECRETS / "imap.password",
        "smtp.host": config.smtp.host,
        "smtp.user": config.smtp.user or config.organisation.address,
        "smtp.password_file": config.smtp.password_file or SECRETS / "smtp.password",
        "pgp.fingerprint": fingerprint,
        "ibd.address": config.ibd.address,
        "ibd.fingerprint": config.ibd.fingerprint,
    }
    if config.pgp.passphrase_file:
        values["pgp.passphrase_file"] = config.pgp.passphrase_file
    return values


def _migrate(config: Settings, say: Say) -> None:
    database = open_database(config)
    applied = migrate(database)
    where = database.engine.url.render_as_string(hide_password=True)
    database.close()
    say(f"{'migrated' if applied else 'there already'}: the tables in {where}")


def _make_directory(directory: Path, say: Say) -> None:
    done = "there already" if directory.exists() else "made"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    say(f"{done}: {directory}/")


def _make_file(file: Path, content: bytes, say: Say, what: str, mode: int = 0o600) -> None:
    """Write a file, whole or not at all, and never over another."""
    if file.exists():
        say(f"there already: {file} ({what})")
        return
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.") as draft:
        draft.write(content)
        draft.flush()
        os.fchmod(draft.fileno(), mode)
        os.fsync(draft.fileno())
        os.link(draft.name, file)  # unlike a rename, this fails when the name is taken
    say(f"made: {file} ({what})")


def _what_is_next(file: Path, config: Settings, fingerprint: str) -> Sequence[str]:
    passwords = (("the mailbox", config.imap.password_file), ("the mail server", config.smtp.password_file))
    return (
        "next:",
        f"  fill in {file}: the mail servers, the IBD, the people",
        *(f"  put the password of {whose} into {at}" for whose, at in passwords if at and not at.exists()),
        "  import the keys of the IBD and the people: meldbalie keys import FILE",
        f"  publish {PUBLIC_KEY} and its fingerprint {fingerprint}",
        f"  keep a copy of {SECRETS}/ apart from the backups of the rest: without it nobody reads them",
        "  meldbalie check, then meldbalie up",
    )
