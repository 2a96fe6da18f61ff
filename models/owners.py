"""The owners of systems and the assets that reports are matched with."""

from datetime import date
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .base import Base


class AssetKind(StrEnum):
    """How an asset is written."""

    HOST = "host"
    SUFFIX = "suffix"
    CIDR = "cidr"


class Source(StrEnum):
    """Where an asset came from; manual beats imported."""

    MANUAL = "manual"
    IMPORTED = "imported"


class Owner(Base):
    """A team or supplier that answers for systems."""

    __tablename__ = "owners"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    address: Mapped[str]
    fingerprint: Mapped[str] = mapped_column(default="")

    assets: Mapped[list["Asset"]] = relationship(back_populates="owner")


class Asset(Base):
    """A host, a domain suffix or an address range of an owner.

    The value is in the form that routing compares: ``www.voorbeeld.nl``, ``voorbeeld.nl`` for itself
    and all under it, ``203.0.113.0/24``.
    """

    __tablename__ = "assets"
    __table_args__ = (
        UniqueConstraint("kind", "value", "source"),
        CheckConstraint("valid_until >= valid_from", name="validity"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("owners.id"), index=True)
    kind: Mapped[AssetKind]
    value: Mapped[str] = mapped_column(index=True)
    source: Mapped[Source] = mapped_column(default=Source.IMPORTED)
    valid_from: Mapped[date | None]
    valid_until: Mapped[date | None]

    owner: Mapped[Owner] = relationship(back_populates="assets")
