"""Checks of the database and of the keys that protect what lies in it."""

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from ...models.errors import WrongApplicationKey
from ...models.ledger import LedgerEntry
from ...models.migrate import missing_revisions
from ...models.session import Database
from ...models.ticket import Message
from ...models.vault import vault
from ...settings import Settings, read_secret
from ..installation import unlock_vault
from .finding import Finding, ok, wrong


def application_keys(config: Settings) -> Iterator[Finding]:
    """The file holds keys that can be used, and they close and open."""
    unlock_vault(config)
    vault.open(vault.close(b"probe"))
    count = len((read_secret(config.database.application_keys_file) or "").split())
    yield ok(f"{count} in {config.database.application_keys_file}, the first one closes")


def database(config: Settings, opened: Database) -> Iterator[Finding]:
    """It answers, it is at the revision of this version, and its columns open."""
    name = opened.engine.url.render_as_string(hide_password=True)
    try:
        missing = missing_revisions(opened)
    except SQLAlchemyError as error:
        yield wrong(f"{name} does not answer: {_first_line(error)}", "start it, or correct database.url")
        return
    if missing:
        yield wrong(
            f"{name} lacks the migrations {', '.join(missing)}", "meldbalie init applies them, and up"
        )
        return
    yield ok(f"{name} answers, and no migration is missing")
    yield from _columns(config, opened)


def _columns(config: Settings, opened: Database) -> Iterator[Finding]:
    """Open the oldest and the newest protected value: what an old and a new key closed."""
    try:
        with opened.reading() as session:
            for column, key in ((LedgerEntry.raw, LedgerEntry.id), (Message.text, Message.id)):
                session.scalars(select(column).order_by(key).limit(1)).first()
                session.scalars(select(column).order_by(key.desc()).limit(1)).first()
    except WrongApplicationKey:
        file = config.database.application_keys_file
        yield wrong(f"{file} opens not everything that is stored", "add the key that it was written with")


def _first_line(error: SQLAlchemyError) -> str:
    return str(error.__cause__ or error).strip().partition("\n")[0]
