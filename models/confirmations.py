"""Acts that wait for their second factor: a link in the sealed mail of whoever wants to do them.

What is wanted lies sealed until the link is opened and its button pressed, and is carried out then, once,
as if it had been asked at that moment: what was decided in between refuses it.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .base import Base
from .ticket import Ticket
from .vault import SealedJson, SealedText


class Confirmation(Base):
    """One act that somebody wants to do, who, and how far it is.

    ``action`` is the code of what is done; ``wanted`` is all that it takes, which nobody but us reads.
    ``seen`` is how many events of the ticket's history the person had before them.
    """

    __tablename__ = "confirmations"
    __table_args__ = (
        Index(
            "ix_confirmations_to_be_done",
            "id",
            sqlite_where=text("confirmed_at IS NOT NULL AND done_at IS NULL"),
            postgresql_where=text("confirmed_at IS NOT NULL AND done_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("tickets.id"), index=True)
    who: Mapped[str]
    action: Mapped[str]
    wanted: Mapped[dict[str, Any]] = mapped_column(SealedJson)
    seen: Mapped[int] = mapped_column(default=0)
    token_hash: Mapped[str] = mapped_column(unique=True)
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(SealedText)

    ticket: Mapped[Ticket | None] = relationship()
