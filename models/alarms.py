"""Alarms: what is wrong with the desk itself, from the first time that it was seen until it is mended.

A check looks at something again and again. What is wrong is an alarm once, however often it is seen;
when a later look finds it mended the alarm is settled, and may be raised again.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, Index, Select, UniqueConstraint, Update, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from .base import Base
from .outbox import MailKind, write_mail
from .promise import Promise


class AlarmKind(StrEnum):
    """What the audit may find wrong; in brackets what such an alarm is about."""

    MAILBOX_CLOSED = "mailbox_closed"  # (the kind of failure)
    LEFT_IN_INBOX = "left_in_inbox"  # (UIDVALIDITY-UID)
    NOT_IN_LEDGER = "not_in_ledger"  # (ledger number that it got)
    MANY_NOT_IN_LEDGER = "many_not_in_ledger"  # (folder)
    JUNK = "junk"  # (day)
    UNDECIDED = "undecided"  # (ledger number)
    WITHOUT_TICKET = "without_ticket"  # (ledger number)
    WITHOUT_VERDICT = "without_verdict"  # (ledger number)
    TWO_TICKETS = "two_tickets"  # (ledger number of the first)
    NOT_PUT_AWAY = "not_put_away"  # (ledger number)
    BYTES_ALTERED = "bytes_altered"  # (ledger number)
    COPY_MISSING = "copy_missing"  # (ticket number)
    RECEIPT_MISSING = "receipt_missing"  # (ticket number)
    CLOCK_MISSING = "clock_missing"  # (ticket number)
    HISTORY_BROKEN = "history_broken"  # (ticket number)
    MAIL_OVERDUE = "mail_overdue"  # (mail number)
    MAIL_SERVER_AWAY = "mail_server_away"  # (the kind of failure)
    ROTA_GAP = "rota_gap"  # (the instant that nobody is on duty from)
    ROTA_UNUSABLE = "rota_unusable"  # (the day)
    FLOW_STOPPED = "flow_stopped"  # (flow)
    NOBODY_REACHED = "nobody_reached"  # (ticket number, clock and rung)


#: What asks for a look of a human without anything being wrong.
NOTICES = frozenset({AlarmKind.JUNK.value, AlarmKind.ROTA_GAP.value})


class Alarm(Base):
    """One thing that is wrong: its kind, and what it is about (a number or a code, never a person).

    ``tell_at`` is when the operator's program may be told of it next; none once it was. Most kinds are
    told by mail alone.
    """

    __tablename__ = "alarms"
    __table_args__ = (
        UniqueConstraint("kind", "about"),
        Index(
            "ix_alarms_open",
            "kind",
            sqlite_where=text("settled_at IS NULL"),
            postgresql_where=text("settled_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    about: Mapped[str]
    raised_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    tell_at: Mapped[datetime | None]


@dataclass(frozen=True)
class Look:
    """What one check saw: what is wrong, and of what it looked at (``None``: of all there is)."""

    kind: AlarmKind
    wrong: frozenset[str] = frozenset()
    among: frozenset[str] | None = None


def take_note(session: Session, looks: Iterable[Look], *, now: datetime) -> int:
    """Raise what is newly wrong and settle what is mended; gives how many alarms are new.

    Of two who note the same at once one raises the alarm.
    """
    raised = 0
    for look in looks:
        open_ones = set(session.scalars(_open(look.kind)))
        raised += sum(_raise(session, look.kind, about, now) for about in sorted(look.wrong - open_ones))
        looked_at = open_ones if look.among is None else open_ones & look.among
        for alarm in _alarms(session, look.kind, looked_at):
            alarm.seen_at = now
            if alarm.about not in look.wrong:
                alarm.settled_at = now
    return raised


def tell_of_alarms(session: Session, promise: Promise, *, now: datetime) -> None:
    """Write the handlers one mail about all alarms that were raised now."""
    facts = {"raised_at": now.isoformat()}
    for handler in promise.triage:
        write_mail(
            session,
            MailKind.ALARM,
            handler,
            party="staff",
            cause=now.isoformat(),
            now=now,
            ticket=None,
            facts=facts,
        )


def untold(session: Session, kind: AlarmKind) -> list[str]:
    """What the open alarms of a kind are about that the program was not told of; longest waiting first."""
    waiting = _open(kind).where(Alarm.tell_at.is_not(None))
    return list(session.scalars(waiting.order_by(Alarm.tell_at, Alarm.id)))


def claim_telling(session: Session, kind: AlarmKind, about: str, *, now: datetime, until: datetime) -> bool:
    """Let one process alone tell of an alarm, until an instant; ``False`` when another does or has."""
    theirs = _only(kind, about).where(Alarm.tell_at <= now).values(tell_at=until)
    return session.scalars(theirs.returning(Alarm.id)).first() is not None


def note_told(session: Session, kind: AlarmKind, about: str) -> None:
    """Record that the program was told of an alarm."""
    session.execute(_only(kind, about).values(tell_at=None))


def raised_at(session: Session, instant: datetime) -> dict[str, list[str]]:
    """What was raised at an instant: about what, by kind."""
    return _by_kind(session, Alarm.raised_at == instant)


def open_alarms(session: Session) -> dict[str, list[str]]:
    """What is wrong by what was seen last: about what, by kind."""
    return _by_kind(session, Alarm.settled_at.is_(None))


def is_anything_wrong(session: Session) -> bool:
    """Whether an alarm is open that is more than a notice."""
    wrong = select(Alarm.id).where(Alarm.settled_at.is_(None), Alarm.kind.not_in(NOTICES))
    return session.scalars(wrong.limit(1)).first() is not None


def _raise(session: Session, kind: AlarmKind, about: str, now: datetime) -> bool:
    """Raise an alarm that is not open; ``False`` when somebody else was first."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    row = {"kind": kind.value, "about": about, "raised_at": now, "seen_at": now, "tell_at": now}
    again = (
        insert(Alarm)
        .values(row)
        .on_conflict_do_update(
            index_elements=[Alarm.kind, Alarm.about],
            set_={"raised_at": now, "seen_at": now, "settled_at": None, "tell_at": now},
            where=Alarm.settled_at.is_not(None),
        )
    )
    return session.connection().execute(again.returning(Alarm.id)).first() is not None


def _open(kind: AlarmKind) -> Select[tuple[str]]:
    return select(Alarm.about).where(Alarm.kind == kind.value, Alarm.settled_at.is_(None))


def _only(kind: AlarmKind, about: str) -> Update:
    return update(Alarm).where(Alarm.kind == kind.value, Alarm.about == about, Alarm.settled_at.is_(None))


def _alarms(session: Session, kind: AlarmKind, about: Collection[str]) -> Iterator[Alarm]:
    """The open alarms of a kind that are about one of these."""
    found = select(Alarm).where(Alarm.kind == kind.value, Alarm.settled_at.is_(None))
    return (alarm for alarm in session.scalars(found) if alarm.about in about)


def _by_kind(session: Session, which: ColumnElement[bool]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    rows = session.execute(select(Alarm.kind, Alarm.about).where(which).order_by(Alarm.kind, Alarm.id))
    for kind, about in rows.tuples():
        found.setdefault(kind, []).append(about)
    return found
