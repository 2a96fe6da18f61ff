"""A secret link opens one ticket until it is revoked, and the database does not know it."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from meldbalie.models.links import SecretLink, make_link, new_token, ticket_behind, token_hash
from meldbalie.models.session import Database
from meldbalie.models.ticket import Ticket
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
NewTicket = Callable[[Session], Ticket]


def test_a_token_is_long_url_safe_and_never_the_same() -> None:
    tokens = {new_token() for _ in range(1000)}

    assert len(tokens) == 1000
    assert all(len(token) == 32 for token in tokens)  # 6 bits each: 192
    assert all(token.replace("-", "").replace("_", "").isalnum() for token in tokens)


def test_a_link_opens_its_ticket_and_no_other(database: Database, new_ticket: NewTicket) -> None:
    with database.unit_of_work() as session:
        first, second = new_ticket(session), new_ticket(session)
        tokens = make_link(session, first, at=NOW), make_link(session, second, at=NOW)

    with database.reading() as session:
        opened = [ticket_behind(session, token) for token in tokens]
        assert [ticket.id for ticket in opened if ticket] == [first.id, second.id]


def test_only_the_hash_of_a_token_is_stored(database: Database, new_ticket: NewTicket) -> None:
    with database.unit_of_work() as session:
        token = make_link(session, new_ticket(session), at=NOW)

    with database.reading() as session:
        (row,) = session.execute(text("SELECT * FROM secret_links"))
        assert token not in str(tuple(row))
        assert token_hash(token) in tuple(row)


@pytest.mark.parametrize("wrong", ["", "x" * 32, "\ud800", "\x00", "é" * 5000])
def test_a_wrong_token_opens_nothing(database: Database, new_ticket: NewTicket, wrong: str) -> None:
    with database.unit_of_work() as session:
        token = make_link(session, new_ticket(session), at=NOW)

        assert ticket_behind(session, wrong) is None
        assert ticket_behind(session, token_hash(token)) is None
        assert ticket_behind(session, token.swapcase()) is None


def test_a_revoked_link_opens_nothing_and_a_new_one_does(database: Database, new_ticket: NewTicket) -> None:
    with database.unit_of_work() as session:
        ticket = new_ticket(session)
        old = make_link(session, ticket, at=NOW)
        session.flush()
        session.scalars(select(SecretLink)).one().revoked_at = NOW
        new = make_link(session, ticket, at=NOW)

    with database.reading() as session:
        assert ticket_behind(session, old) is None
        opened = ticket_behind(session, new)
        assert opened is not None
        assert opened.id == ticket.id


def test_one_hash_belongs_to_one_link(database: Database, new_ticket: NewTicket) -> None:
    with database.unit_of_work() as session:
        ticket = new_ticket(session)
        links = [SecretLink(ticket=ticket, token_hash="the same", created_at=NOW) for _ in range(2)]
        session.add_all(links)

        with pytest.raises(IntegrityError):
            session.flush()
        session.rollback()
