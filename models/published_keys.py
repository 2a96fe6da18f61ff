"""Our own public keys as the web app publishes them, so that it needs no keyring."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from .base import Base


class PublishedKey(Base):
    """A public key of the intake address: binary OpenPGP octets (RFC 4880, section 11.1)."""

    __tablename__ = "published_keys"

    fingerprint: Mapped[str] = mapped_column(primary_key=True)
    address: Mapped[str]
    octets: Mapped[bytes]
    expires_at: Mapped[datetime | None]
    published_at: Mapped[datetime]
    is_current: Mapped[bool]
