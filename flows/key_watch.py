"""The key watch: nobody finds out by a mail without content that a key has ended.

Each sweep looks at the intake key, at everybody whom the configuration and the owner directory name,
and at the keys of reporters of open tickets: among a thousand tickets, the next sweep among the next. A
warning is an outbox row, so each is told once: for a key, its end and a step. It also publishes our own
key for the web app.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ..mailbox.keyring import Keyring
from ..mailbox.keys import KeyFacts
from ..models.holding import hold
from ..models.key_problems import is_noted, note_key_problem
from ..models.outbox import MailKind, write_mail
from ..models.owners import Owner
from ..models.promise import Correspondent, Promise
from ..models.states import TicketState
from ..models.ticket import Reporter, Ticket, ticket_called
from ..settings import Settings
from .discretion import WorkFailed, discreet
from .installation import Records
from .key_ends import KeyTrouble, trouble_with
from .publishing import publish_own_key

INTAKE = "intake"
TICKETS_AT_ONCE = 1000


@dataclass(frozen=True)
class WatchedKey:
    """A key that mail is sealed to by us or to us, and what is wrong with it."""

    role: str
    holder: Correspondent
    facts: KeyFacts | None
    trouble: KeyTrouble | None


def watch_keys(place: Records, keyring: Keyring, *, whole: bool = False) -> list[str]:
    """Publish our key, warn, and note; gives what failed, so that the rungs of a sweep fire all the same.

    ``whole`` looks at the reporters of all open tickets, rather than at those whose turn it is.
    """
    try:
        with discreet("key watch"):
            now = place.clock()
            publish_own_key(place.database, keyring, place.config, now=now)
            keys = known_keys(keyring)
            _warn(place, keys, now)
            _note_on_tickets(place, keys, now, whole=whole)
    except WorkFailed as failure:
        return [str(failure)]
    return []


def known_keys(keyring: Keyring) -> dict[str, KeyFacts]:
    """The whole keyring by fingerprint, asked for once."""
    return {key.fingerprint: key for key in keyring.all_keys()}


def watched_keys(
    session: Session, config: Settings, promise: Promise, keys: Mapping[str, KeyFacts], now: datetime
) -> list[WatchedKey]:
    """The intake key and the pinned keys, each with its trouble; whoever has none is left out."""
    return [
        WatchedKey(
            role,
            holder,
            facts := keys.get(holder.fingerprint),
            trouble_with(facts, now, config.pgp.warn_days),
        )
        for role, holder in _holders(session, config, promise)
        if holder.fingerprint
    ]


def _holders(session: Session, config: Settings, promise: Promise) -> Iterator[tuple[str, Correspondent]]:
    yield INTAKE, Correspondent("", "", config.pgp.fingerprint)
    yield "ibd", promise.ibd
    yield from (("triage", person) for person in promise.triage)
    for role, person in (("lead", promise.lead), ("on_call", promise.on_call), ("ciso", promise.ciso)):
        if person is not None:
            yield role, person
    for owner in session.scalars(select(Owner).order_by(Owner.name)):
        yield "owner", Correspondent(owner.name, owner.address, owner.fingerprint)


def reporters_keys(
    session: Session,
    config: Settings,
    keys: Mapping[str, KeyFacts],
    now: datetime,
    *,
    among: range | None = None,
) -> list[tuple[int, KeyTrouble | None]]:
    """The open tickets whose reporter has a key, and what is wrong with it: all, or ``among`` some."""
    with_key = (
        select(Ticket.id, Reporter.fingerprint)
        .join(Ticket.reporter)
        .where(Ticket.state != TicketState.CLOSED, Reporter.fingerprint.is_not(None))
    )
    if among is not None:
        for number in (Ticket.id, Reporter.ticket_id):
            with_key = with_key.where(number.between(among.start, among.stop - 1))
    return [
        (ticket, trouble_with(keys.get(fingerprint or ""), now, config.pgp.warn_days))
        for ticket, fingerprint in session.execute(with_key.order_by(Ticket.id)).tuples()
    ]


def _warn(place: Records, keys: Mapping[str, KeyFacts], now: datetime) -> None:
    with place.database.reading() as session:
        amiss = [one for one in watched_keys(session, place.config, place.promise, keys, now) if one.trouble]
    if not amiss:
        return
    try:
        with place.database.unit_of_work() as session:
            for one in amiss:
                _warn_of(session, one, place.promise, now)
    except IntegrityError:  # another sweep was first
        return


def _warn_of(session: Session, one: WatchedKey, promise: Promise, now: datetime) -> None:
    trouble, holder = one.trouble, one.holder
    if trouble is None:
        return
    ends_at = trouble.ends_at.isoformat() if trouble.ends_at else ""
    facts = {"holder": holder.name, "address": holder.address.lower(), "fingerprint": holder.fingerprint}
    told = {handler.address.lower(): ("staff", handler) for handler in promise.triage}
    if one.role != INTAKE:
        party = one.role if one.role in ("ibd", "owner") else "staff"
        told.setdefault(holder.address.lower(), (party, holder))
    for party, person in told.values():
        write_mail(
            session,
            MailKind.KEY_WARNING,
            person,
            party=party,
            cause=f"{holder.fingerprint}, {ends_at}, {trouble.problem}, {trouble.step or 0}",
            now=now,
            ticket=None,
            facts=facts | {"problem": trouble.problem, "ends_at": ends_at},
        )


def _note_on_tickets(place: Records, keys: Mapping[str, KeyFacts], now: datetime, *, whole: bool) -> None:
    with place.database.reading() as session:
        among = None if whole else _turn(session, place.config, now)
        some = reporters_keys(session, place.config, keys, now, among=among)
        unusable = [
            (session.get_one(Ticket, number), trouble)
            for number, trouble in some
            if trouble is not None and trouble.is_unusable
        ]
        amiss = [
            (ticket.reference, trouble.problem, about)
            for ticket, trouble in unusable
            if not is_noted(ticket, trouble.problem, about := _in_words(ticket, trouble))
        ]
    for reference, problem, about in amiss:
        with place.database.unit_of_work() as session:
            ticket = ticket_called(session, reference)
            hold(session, ticket)
            note_key_problem(
                session,
                ticket,
                place.promise,
                problem,
                about=about,
                party="reporter",
                by="key watch",
                now=now,
                is_alarm=True,
            )


def _turn(session: Session, config: Settings, now: datetime) -> range:
    """The tickets that a sweep looks at: each takes a thousand, the next sweep the next."""
    last = session.scalar(select(func.max(Ticket.id))) or 0
    sweeps = int(now.timestamp() // (config.clocks.sweep_minutes * 60))
    start = sweeps % (last // TICKETS_AT_ONCE + 1) * TICKETS_AT_ONCE
    return range(start, start + TICKETS_AT_ONCE)


def _in_words(ticket: Ticket, trouble: KeyTrouble) -> str:
    ended = f", ended on {trouble.ends_at:%Y-%m-%d}" if trouble.ends_at else ""
    return f"key {ticket.reporter.fingerprint}{ended}"
