"""How far the folders of the mailbox have been compared with the ledger."""

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from .base import Base, ImapNumber
from .ledger import Place


class AuditedFolder(Base):
    """The highest UID of a folder up to which every message is known to be in the ledger."""

    __tablename__ = "audited_folders"

    mailbox: Mapped[str] = mapped_column(primary_key=True)
    uidvalidity: Mapped[int] = mapped_column(ImapNumber, primary_key=True, autoincrement=False)
    uid: Mapped[int] = mapped_column(ImapNumber)


def audited_up_to(session: Session, place: Place) -> int:
    """The UID up to which a folder was compared; a folder that the server made anew begins at 0."""
    mark = session.scalar(select(AuditedFolder.uid).where(*_at(place)))
    return mark or 0


def note_audited(session: Session, place: Place, uid: int) -> None:
    """Move the mark of a folder up; it never goes back, whoever else moves it."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    row = {"mailbox": place.mailbox, "uidvalidity": place.uidvalidity, "uid": uid}
    connection = session.connection()
    connection.execute(insert(AuditedFolder).values(row).on_conflict_do_nothing())
    connection.execute(update(AuditedFolder).where(*_at(place), AuditedFolder.uid < uid).values(uid=uid))


def _at(place: Place) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return AuditedFolder.mailbox == place.mailbox, AuditedFolder.uidvalidity == place.uidvalidity
