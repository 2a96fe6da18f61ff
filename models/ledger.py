"""The ledger: every message that ever lay in the intake mailbox, byte for byte.

A message is written here and committed before the mailbox is touched, so that a crash at any
moment leaves it in at least one of the two places. It is known by where it lay (mailbox,
UIDVALIDITY, UID) and by what it is (:func:`identity_of`), so that the same message again is
recorded and makes nothing new. A server whose mailbox was restored or made anew may give an old UID to
another message, under the same UIDVALIDITY: where the bytes differ there are two messages.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from sqlalchemy import ColumnElement, ForeignKey, Index, UniqueConstraint, and_, or_, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column, object_session

from .base import Base, ImapNumber
from .vault import SealedBytes, SealedText

BATCH = 500
#: One header field as :mod:`..mailbox.parts` reads it; what is none begins the body.
_FIELD = re.compile(rb"(?!--)([!-9;-~]{1,200})[ \t]*:([^\n]*\n?(?:[ \t][^\n]*(?:\n|\Z))*+)")
#: What relays and mail servers add on the way (RFC 5321 4.4, RFC 6376, RFC 7208, RFC 8601, RFC 8617).
_TRACE = re.compile(
    rb"received|received-spf|return-path|delivered-to|envelope-to|delivery-date|dkim-signature"
    rb"|domainkey-signature|authentication-results|arc-.*|x-.*|status",
    re.IGNORECASE,
)


class Verdict(StrEnum):
    """What became of a message."""

    OPENED_TICKET = "opened_ticket"
    JOINED_TICKET = "joined_ticket"
    AUTOMATIC = "automatic"
    BOUNCED = "bounced"
    UNCLEAR = "unclear"
    REPEATED = "repeated"
    QUARANTINED = "quarantined"


#: What led to nothing yet: such a message may still become something.
LEADS_NOWHERE = (Verdict.QUARANTINED, Verdict.REPEATED, Verdict.AUTOMATIC, Verdict.BOUNCED)


class LedgerEntry(Base):
    """One message as it arrived."""

    __tablename__ = "ledger"
    __table_args__ = (
        UniqueConstraint("mailbox", "uidvalidity", "uid", "digest"),
        Index(
            "uq_ledger_first_of_its_kind",
            "identity",
            unique=True,
            sqlite_where=text("same_as IS NULL"),
            postgresql_where=text("same_as IS NULL"),
        ),
        Index(
            "ix_ledger_undecided",
            "id",
            sqlite_where=text("verdict IS NULL"),
            postgresql_where=text("verdict IS NULL"),
        ),
        Index(
            "ix_ledger_in_the_inbox",
            "mailbox",
            "uidvalidity",
            sqlite_where=text("put_away_at IS NULL"),
            postgresql_where=text("put_away_at IS NULL"),
        ),
        Index(
            "ix_ledger_copies",
            "same_as",
            sqlite_where=text("same_as IS NOT NULL"),
            postgresql_where=text("same_as IS NOT NULL"),
        ),
        Index(
            "ix_ledger_to_be_cleared",
            "id",
            sqlite_where=text("forgotten_at IS NOT NULL AND cleared_at IS NULL"),
            postgresql_where=text("forgotten_at IS NOT NULL AND cleared_at IS NULL"),
        ),
        # What is asked of all messages is answered from this: behind `raw` a row is as long as its mail.
        Index("ix_ledger_outcome", "verdict", "ticket_id", "same_as"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    mailbox: Mapped[str]
    uidvalidity: Mapped[int] = mapped_column(ImapNumber)
    uid: Mapped[int] = mapped_column(ImapNumber)
    message_id: Mapped[str] = mapped_column(SealedText)
    identity: Mapped[str] = mapped_column()
    digest: Mapped[str]
    size: Mapped[int]
    arrived_at: Mapped[datetime]
    taken_at: Mapped[datetime]
    raw: Mapped[bytes] = mapped_column(SealedBytes, deferred=True)
    same_as: Mapped[int | None] = mapped_column(ForeignKey("ledger.id"))
    verdict: Mapped[Verdict | None]
    decided_at: Mapped[datetime | None]
    problem: Mapped[str | None]
    tries: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime | None]
    put_away_at: Mapped[datetime | None]
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("tickets.id"))
    forgotten_at: Mapped[datetime | None]
    cleared_at: Mapped[datetime | None]


class Lying(Protocol):
    """A message as the server lists it."""

    @property
    def uid(self) -> int:
        """Its number in its folder."""
        ...

    @property
    def size(self) -> int:
        """How many bytes it has, as the server says."""
        ...

    @property
    def arrived_at(self) -> datetime:
        """When it arrived (INTERNALDATE)."""
        ...


@dataclass(frozen=True)
class Place:
    """Where a message lay: the mailbox and its UIDVALIDITY (RFC 9051, 2.3.1.1)."""

    mailbox: str
    uidvalidity: int


def enter(
    session: Session,
    place: Place,
    uid: int,
    raw: bytes,
    *,
    message_id: str,
    arrived_at: datetime,
    now: datetime,
) -> LedgerEntry:
    """Write a message into the ledger; one that is there already is marked as repeated.

    One that led nowhere before is judged again: it was put back or sent again, and a copy may have come
    with headers of another way that made it look automatic. One that was erased with its ticket is not.
    What lay under this UID before has left.
    """
    identity = identity_of(raw)
    is_first = select(LedgerEntry).where(LedgerEntry.identity == identity, LedgerEntry.same_as.is_(None))
    first = session.scalars(is_first).one_or_none()  # without its bytes: they are deferred
    entry = LedgerEntry(
        mailbox=place.mailbox,
        uidvalidity=place.uidvalidity,
        uid=uid,
        message_id=message_id,
        identity=identity,
        digest=hashlib.sha256(raw).hexdigest(),
        size=len(raw),
        arrived_at=arrived_at,
        taken_at=now,
        raw=raw,
        tries=0,
    )
    if first is not None:
        entry.same_as = first.id
        known = _first_that_led_somewhere(session, first)
        if known is not None:
            entry.ticket_id, entry.verdict, entry.decided_at = known.ticket_id, Verdict.REPEATED, now
    lay_there = update(LedgerEntry).where(*_at(place), LedgerEntry.uid == uid)
    session.execute(lay_there.where(LedgerEntry.put_away_at.is_(None)).values(put_away_at=now))
    session.add(entry)
    return entry


def entered(session: Session, place: Place, lying: Sequence[Lying]) -> set[int]:
    """The UIDs of those messages that the ledger has: with the size and the arrival that it knows.

    A server that tells another size than it delivers has its message fetched again, and no more.
    """
    found: set[tuple[int, int, datetime]] = set()
    columns = LedgerEntry.uid, LedgerEntry.size, LedgerEntry.arrived_at
    for start in range(0, len(lying), BATCH):
        uids = [message.uid for message in lying[start : start + BATCH]]
        found.update(session.execute(select(*columns).where(*_at(place), LedgerEntry.uid.in_(uids))).tuples())
    return {one.uid for one in lying if (one.uid, one.size, one.arrived_at) in found}


def undecided(session: Session, now: datetime) -> list[int]:
    """The numbers of the entries that are to be decided now: least tried first, then oldest."""
    waiting = (
        select(LedgerEntry.id)
        .where(LedgerEntry.verdict.is_(None))
        .where(or_(LedgerEntry.next_try_at.is_(None), LedgerEntry.next_try_at <= now))
        .order_by(LedgerEntry.tries, LedgerEntry.id)
    )
    return list(session.scalars(waiting))


def not_put_away(session: Session, place: Place) -> list[tuple[int, int, Verdict]]:
    """The decided entries that may still lie in the inbox: number, UID, verdict."""
    decided = select(LedgerEntry.id, LedgerEntry.uid, LedgerEntry.verdict).where(
        *_at(place), LedgerEntry.put_away_at.is_(None), LedgerEntry.verdict.is_not(None)
    )
    return [(number, uid, verdict) for number, uid, verdict in session.execute(decided) if verdict]


def were_put_away(session: Session, numbers: Sequence[int], *, now: datetime) -> None:
    """Record that these entries have left the inbox."""
    for start in range(0, len(numbers), BATCH):
        some = LedgerEntry.id.in_(numbers[start : start + BATCH])
        session.execute(update(LedgerEntry).where(some).values(put_away_at=now))


def known_identities(session: Session, identities: Sequence[str]) -> set[str]:
    """Which of these the ledger knows."""
    found: set[str] = set()
    for start in range(0, len(identities), BATCH):
        some = LedgerEntry.identity.in_(identities[start : start + BATCH])
        is_first = LedgerEntry.same_as.is_(None)
        found.update(session.scalars(select(LedgerEntry.identity).where(some, is_first)))
    return found


def first_arrival(entry: LedgerEntry) -> datetime:
    """When a message arrived for the first time, in whichever copy: the promise counts from then."""
    session = object_session(entry)
    copies = select(LedgerEntry.arrived_at).where(_is_copy(entry))
    return min([entry.arrived_at, entry.taken_at, *(session.scalars(copies) if session else ())])


def became_before(session: Session, entry: LedgerEntry) -> LedgerEntry | None:
    """Another copy of a message that led to something already; ``None`` while none has.

    All copies are held until the transaction ends, so that of two that are judged at once one counts.
    """
    first = select(LedgerEntry.id).where(LedgerEntry.id == (entry.same_as or entry.id))
    session.execute(first.with_for_update())
    others = select(LedgerEntry).where(_is_copy(entry), LedgerEntry.verdict.not_in(LEADS_NOWHERE))
    return session.scalars(others.order_by(LedgerEntry.id).limit(1)).first()


def identity_of(raw: bytes) -> str:
    """What a message is, whichever way it came: the SHA-256 of its headers and its body.

    Only what differs between two copies of one message does not count: trace headers, where headers
    are folded, how lines end. In doubt two messages differ: a report that is taken for an earlier one
    is lost, one that is not is merely there twice.
    """
    headers: list[tuple[bytes, bytes]] = []
    position = 0
    while field := _FIELD.match(raw, position):
        name, value = field.group(1).lower(), field.group(2)
        if not _TRACE.fullmatch(name):
            headers.append((name, re.sub(rb"\r?\n", b"", value).strip(b" \t\r")))
        position = field.end()
    headers.sort(key=lambda header: header[0])  # those of one name keep their order
    body = raw[position:].replace(b"\r\n", b"\n").strip(b"\r\n")
    digest = hashlib.sha256()
    for part in (*(part for header in headers for part in header), body):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


def _first_that_led_somewhere(session: Session, first: LedgerEntry) -> LedgerEntry | None:
    if first.verdict not in LEADS_NOWHERE or first.forgotten_at is not None:
        return first
    later = select(LedgerEntry).where(
        LedgerEntry.same_as == first.id,
        or_(LedgerEntry.verdict.is_(None), LedgerEntry.verdict.not_in(LEADS_NOWHERE)),
    )
    return session.scalars(later.order_by(LedgerEntry.id).limit(1)).first()


def _is_copy(entry: LedgerEntry) -> ColumnElement[bool]:
    first = entry.same_as or entry.id
    return and_(LedgerEntry.id != entry.id, or_(LedgerEntry.id == first, LedgerEntry.same_as == first))


def _at(place: Place) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return LedgerEntry.mailbox == place.mailbox, LedgerEntry.uidvalidity == place.uidvalidity
