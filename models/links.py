"""The secret link: the reporter's only and sufficient handle. Only its hash is stored."""

import hashlib
import secrets
from datetime import datetime

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from .base import Base
from .ticket import Ticket

TOKEN_BYTES = 24  # 192 random bits; the design asks for at least 128


def new_token() -> str:
    """A fresh unguessable token: 32 URL-safe characters."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_hash(token: str) -> str:
    """What is stored of a token. Looking up by it compares no secret byte by byte."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class SecretLink(Base):
    """A link that opens one ticket's status page."""

    __tablename__ = "secret_links"

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), index=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]

    ticket: Mapped[Ticket] = relationship()


def make_link(session: Session, ticket: Ticket, *, at: datetime) -> str:
    """Add a secret link to a ticket and give its token, which is nowhere else."""
    token = new_token()
    session.add(SecretLink(ticket=ticket, token_hash=token_hash(token), created_at=at))
    return token


def has_link(session: Session, ticket: Ticket) -> bool:
    """Whether anybody can open a ticket's status page."""
    valid = select(SecretLink.id).where(SecretLink.ticket_id == ticket.id, SecretLink.revoked_at.is_(None))
    return session.scalars(valid.limit(1)).first() is not None


def ticket_behind(session: Session, token: str) -> Ticket | None:
    """The ticket that a token opens; ``None`` alike for a wrong, revoked and unknown one."""
    found = select(SecretLink).where(
        SecretLink.token_hash == token_hash(token), SecretLink.revoked_at.is_(None)
    )
    link = session.scalars(found).one_or_none()
    return link.ticket if link else None
