"""Sealed columns: unreadable in the database, opened by every application key that is given."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from meldbalie.models.base import Base
from meldbalie.models.confirmations import Confirmation
from meldbalie.models.desk import DeskRun
from meldbalie.models.errors import VaultLocked, WrongApplicationKey
from meldbalie.models.ledger import LedgerEntry
from meldbalie.models.likeness import Sketch
from meldbalie.models.outbox import Mail, MailKind, Thread
from meldbalie.models.pins import Pin
from meldbalie.models.quarantine import Dismissal
from meldbalie.models.session import Database
from meldbalie.models.ticket import Attachment, Direction, Message, Target, Ticket
from meldbalie.models.undeliverable import UndeliverableAddress
from meldbalie.models.vault import SealedBytes, SealedJson, SealedText, Vault, digest_of, vault
from sqlalchemy import Column, select, text
from sqlalchemy.orm import Session

CANARY = "kanarie-7f3a"


def _key() -> str:
    return Fernet.generate_key().decode()


def _sealed_columns() -> list[Column[Any]]:
    tables = Base.metadata.sorted_tables
    sealed = (SealedBytes, SealedJson, SealedText)
    return [column for table in tables for column in table.columns if isinstance(column.type, sealed)]


def _canary_for(column: Column[Any]) -> Any:
    if isinstance(column.type, SealedBytes):
        return CANARY.encode()
    return {"word": CANARY} if isinstance(column.type, SealedJson) else CANARY


@pytest.fixture
def ticket(database: Database, new_ticket: Callable[[Session], Ticket]) -> Ticket:
    """A ticket, and a row in every table that has a sealed column."""
    with database.unit_of_work() as session:
        ticket = new_ticket(session)
        at = ticket.opened_at
        message = Message(at=at, direction=Direction.FROM_REPORTER, text="")
        message.attachments = [Attachment(name="", type="text/plain", size=0, sha256="", content=b"")]
        ticket.messages = [message]
        ticket.targets = [Target(value="")]
        ticket.record("opened", by="intake", at=at)
        session.add(DeskRun(ticket=ticket))
        session.add(Thread(ticket=ticket, party="owner", token_hash="", token=""))
        session.add(
            Mail(once="", kind=MailKind.RECEIPT, party="", recipient="", created_at=at, next_try_at=at)
        )
        entry = LedgerEntry(
            mailbox="INBOX", uidvalidity=1, uid=1, message_id="", identity="", digest="", size=0,
            arrived_at=at, taken_at=at, raw=b"",
        )  # fmt: skip
        session.add(entry)
        session.add(UndeliverableAddress(address_digest="", address="", failed_at=at))
        session.flush()
        session.add(Dismissal(ledger_id=entry.id, at=at, by="", because=""))
        session.add(Pin(person="", hashed="", set_at=at))
        session.add(Sketch(ticket_id=ticket.id, traits={}))
        session.add(
            Confirmation(
                ticket=ticket, who="", action="", wanted={}, token_hash="", made_at=at, expires_at=at
            )
        )
    return ticket


def test_no_sealed_column_can_be_read_from_the_database_itself(
    database: Database, ticket: Ticket, tmp_path: Path
) -> None:
    columns = _sealed_columns()
    with database.unit_of_work() as session:
        for column in columns:
            written = session.execute(column.table.update().values({column.name: _canary_for(column)}))
            assert written.rowcount > 0, f"the test has no row in {column.table}"

    with database.reading() as session:
        opened = [session.scalars(select(column)).first() for column in columns]
        raw = [
            bytes(value)
            for table in {column.table for column in columns}
            for row in session.execute(text(f"SELECT * FROM {table.name}"))
            for value in row
            if isinstance(value, bytes | memoryview)
        ]
        spelled_out = [
            str(tuple(row))
            for table in {column.table for column in columns}
            for row in session.execute(text(f"SELECT * FROM {table.name}"))
        ]

    assert opened == [_canary_for(column) for column in columns]
    assert len(raw) >= len(columns)
    assert all(value.startswith(b"gAAAA") for value in raw)
    assert CANARY not in "\n".join(spelled_out)
    assert CANARY.encode() not in b"".join(file.read_bytes() for file in tmp_path.glob("meldbalie.db*"))


def test_the_sealed_columns_are_those_of_the_design() -> None:
    assert {str(column) for column in _sealed_columns()} >= {
        "attachments.content",
        "attachments.name",
        "confirmations.outcome",
        "confirmations.wanted",
        "desk_runs.last_done",
        "desk_runs.not_done",
        "desk_runs.refused_because",
        "events.because",
        "ledger.message_id",
        "ledger.raw",
        "messages.subject",
        "messages.text",
        "outbox.facts",
        "outbox.recipient",
        "pins.hashed",
        "reporters.address",
        "reporters.fingerprint",
        "reporters.name",
        "sketches.traits",
        "targets.value",
        "threads.token",
        "tickets.routed_because",
    }


def test_after_a_rotation_the_old_key_opens_and_the_new_one_seals(
    database: Database, ticket: Ticket, application_key: str
) -> None:
    old, new = application_key, _key()
    with database.unit_of_work() as session:
        session.get_one(Ticket, ticket.id).reporter.name = "sealed by the old key"

    vault.unlock([new, old])
    with database.unit_of_work() as session:
        reporter = session.get_one(Ticket, ticket.id).reporter
        assert reporter.name == "sealed by the old key"
        reporter.address = "sealed by the new key"

    vault.unlock([new])
    with database.reading() as session:
        sealed = text("SELECT name, address FROM reporters")
        name, address = (bytes(value) for value in session.execute(sealed).one())
        assert vault.open(address) == b"sealed by the new key"
        with pytest.raises(WrongApplicationKey):
            vault.open(name)


def test_an_address_is_known_again_while_a_key_is_added() -> None:
    old = _key()
    vault.unlock([old])
    before = digest_of("sanne@onderzoek.example")

    vault.unlock([_key(), old])

    assert digest_of("Sanne@onderzoek.example") == before


def test_a_wrong_key_is_told_with_the_way_out(database: Database, ticket: Ticket) -> None:
    vault.unlock([_key()])

    with (
        database.reading() as session,
        pytest.raises(WrongApplicationKey, match="add the key that they were written with"),
    ):
        session.scalars(select(Target.value)).all()


def test_a_locked_vault_writes_nothing_and_repeats_nothing(
    database: Database, new_ticket: Callable[[Session], Ticket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault, "_keys", None)

    with pytest.raises(VaultLocked) as refusal, database.unit_of_work() as session:
        session.add(Target(ticket=Ticket(reference=CANARY), value=CANARY))

    assert CANARY not in str(refusal.value)
    with database.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM tickets")) == 0


@pytest.mark.parametrize("keys", [[], [""], ["short"], ["é" * 44], [_key(), "x"]])
def test_a_bad_application_key_is_refused_with_the_way_out(keys: list[str]) -> None:
    with pytest.raises(VaultLocked, match="one key a line"):
        Vault().unlock(keys)


@pytest.mark.parametrize("written", ["", "é\u20ac", "\ud800 lone", "a\x00b", None])
def test_any_text_survives_the_vault(database: Database, ticket: Ticket, written: str | None) -> None:
    with database.unit_of_work() as session:
        session.get_one(Ticket, ticket.id).reporter.name = written

    with database.reading() as session:
        assert session.get_one(Ticket, ticket.id).reporter.name == written


def test_the_same_text_is_sealed_differently_each_time() -> None:
    assert vault.close(b"the same") != vault.close(b"the same")
