"""How far the folders of the mailbox have been compared with the ledger."""

from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, ImapNumber


class AuditedFolder(Base):
    """The highest UID of a folder up to which every message is known to be in the ledger."""

    __tablename__ = "audited_folders"

    mailbox: Mapped[str] = mapped_column(primary_key=True)
    uidvalidity: Mapped[int] = mapped_column(ImapNumber, primary_key=True, autoincrement=False)
    uid: Mapped[int] = mapped_column(ImapNumber)
