"""Owners who are away, and who stands in for them.

On the days of an absence a deputy hears what the owner would hear of clocks; without one, or when the
deputy is away as well, the handlers do. Reports themselves go to the owner all the same.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import CheckConstraint, ForeignKey, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from .base import Base
from .errors import Refused
from .owners import Owner

DAY = timedelta(days=1)


class Absence(Base):
    """Days, the first and the last included, on which somebody else hears what an owner would."""

    __tablename__ = "absences"
    __table_args__ = (CheckConstraint("last_day >= first_day", name="days"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("owners.id"), index=True)
    deputy_id: Mapped[int | None] = mapped_column(ForeignKey("owners.id"))
    first_day: Mapped[date]
    last_day: Mapped[date]

    owner: Mapped[Owner] = relationship(foreign_keys=[owner_id])
    deputy: Mapped[Owner | None] = relationship(foreign_keys=[deputy_id])


@dataclass(frozen=True)
class Hearing:
    """Who hears what an owner would: ``who`` is ``None`` for the handlers."""

    who: Owner | None
    is_away: bool


def who_hears(session: Session, owner: Owner, *, on: date) -> Hearing:
    """The owner, or who stands in for them on a day, and for that one, until somebody is there."""
    passed = {owner.id}
    here: Owner | None = owner
    while here is not None and (absence := _absence_of(session, here, on)) is not None:
        here = absence.deputy
        if here is not None and here.id in passed:
            here = None
        passed |= {here.id} if here else set()
    return Hearing(here, is_away=here is not owner)


def stands_in(session: Session, deputy_id: int, owner_id: int | None) -> bool:
    """Whether one owner was ever made the deputy of another: their replies count as the owner's."""
    found = select(Absence.id).where(Absence.owner_id == owner_id, Absence.deputy_id == deputy_id)
    return session.scalars(found.limit(1)).first() is not None


def go_away(
    session: Session, name: str, *, first_day: date, last_day: date, deputy: str | None = None
) -> Absence:
    """Note that an owner is away, instead of what was noted for these days; raises :class:`Refused`.

    What was noted for the days before and after them stays.
    """
    if last_day < first_day:
        raise Refused(f"--until {last_day} is before --from {first_day}: give the last day of the absence")
    owner = owner_called(session, name)
    stand_in = owner_called(session, deputy) if deputy else None
    if stand_in is owner:
        raise Refused(f"{name} cannot be their own deputy: name another owner, or none for the handlers")
    _make_room(session, owner, first_day, last_day)
    absence = Absence(owner=owner, deputy=stand_in, first_day=first_day, last_day=last_day)
    session.add(absence)
    session.flush()
    return absence


def _make_room(session: Session, owner: Owner, first_day: date, last_day: date) -> None:
    """Take some days out of what was noted for an owner."""
    met = select(Absence).where(
        Absence.owner_id == owner.id, Absence.first_day <= last_day, Absence.last_day >= first_day
    )
    for before in session.scalars(met):
        if before.last_day > last_day:
            session.add(
                Absence(owner=owner, deputy=before.deputy, first_day=last_day + DAY, last_day=before.last_day)
            )
        if before.first_day < first_day:
            before.last_day = first_day - DAY
        else:
            session.delete(before)


def come_back(session: Session, name: str, *, today: date) -> Absence | None:
    """End the absence that holds today, else call off the next; ``None`` when there is none.

    Absences without a day between them are one, with a deputy for each part. Gives the first part.
    """
    owner = owner_called(session, name)
    found = select(Absence).where(Absence.owner_id == owner.id, Absence.last_day >= today)
    ahead = list(session.scalars(found.order_by(Absence.first_day, Absence.id)))
    last_day: date | None = None
    for absence in ahead:
        if last_day is not None and absence.first_day > last_day + DAY:
            break
        last_day = absence.last_day
        if absence.first_day < today:
            absence.last_day = today - DAY
        else:
            session.delete(absence)
    return ahead[0] if ahead else None


def absences_ahead(session: Session, today: date) -> list[Absence]:
    """The absences that are not over, the earliest first."""
    found = select(Absence).where(Absence.last_day >= today).order_by(Absence.first_day, Absence.id)
    return list(session.scalars(found))


def owner_called(session: Session, name: str) -> Owner:
    """The owner of a name; raises :class:`Refused`."""
    owner = session.scalars(select(Owner).where(Owner.name == name)).one_or_none()
    if owner is None:
        raise Refused(f"no owner is called {name!r}: `meldbalie owners list` names them all")
    return owner


def _absence_of(session: Session, owner: Owner, on: date) -> Absence | None:
    found = select(Absence).where(
        Absence.owner_id == owner.id, Absence.first_day <= on, Absence.last_day >= on
    )
    return session.scalars(found.order_by(Absence.id.desc()).limit(1)).first()
