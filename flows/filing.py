"""Filing one message: open it, judge it, and write all that follows in one transaction."""

from datetime import timedelta

from sqlalchemy.orm import Session

from ..mailbox.key_intake import Adopted
from ..mailbox.opening import Opened, open_letter
from ..mailbox.problem import Problem
from ..models import delivery
from ..models.filing import (
    Received,
    ReceivedFile,
    decide,
    join_ticket,
    open_ticket,
    thread_behind,
)
from ..models.ledger import LedgerEntry, Verdict
from ..models.outbox import MailKind, Thread, write_mail
from ..models.promise import Correspondent
from ..models.ticket import Ticket
from ..models.vault import digest_of
from .installation import Installation
from .judging import Judged, judge
from .tokens import tokens_in

#: Before a message is tried again: a full disk or a stuck gpg is mended in minutes, or in hours.
WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60))


class OpeningHindered(Exception):
    """The message may be opened once what hinders us is mended."""


def file_entry(place: Installation, number: int) -> tuple[Verdict, str | None]:
    """Decide what becomes of a ledger entry, and do it; gives the verdict and the ticket's number."""
    raw = _begin_try(place, number)
    if raw is None:
        return Verdict.QUARANTINED, None
    opened = open_letter(raw, place.keyring, limits=place.limits, loop_marker=place.loop_marker)
    if _may_be_opened_later(place, opened):
        raise OpeningHindered(opened.problem)
    tokens = tokens_in(opened, place.config.organisation.address)
    with place.database.reading() as session:
        judged = judge(opened, names_a_thread=thread_behind(session, tokens) is not None)
    key = None
    if judged.verdict in (Verdict.OPENED_TICKET, Verdict.JOINED_TICKET):
        key = adopt_key(place, opened)
        if key and opened.signature.verdict == "unknown_key":
            opened = open_letter(raw, place.keyring, limits=place.limits, loop_marker=place.loop_marker)
    with place.database.unit_of_work() as session:
        entry = session.get_one(LedgerEntry, number, with_for_update=True)
        if entry.verdict is not None:
            return entry.verdict, None
        thread = thread_behind(session, tokens)
        return judged.verdict, _file(place, session, entry, opened, judged, thread, key)


def _may_be_opened_later(place: Installation, opened: Opened) -> bool:
    """Whether it is we who cannot open it now, rather than that it cannot be opened."""
    if opened.problem is Problem.NO_SECRET_KEY:
        own = {key.fingerprint for key in place.keyring.own_keys()}
        return place.config.pgp.fingerprint not in own
    return opened.problem in (Problem.TIMEOUT, Problem.UNREADABLE, Problem.PASSPHRASE)


def _begin_try(place: Installation, number: int) -> bytes | None:
    """The message, its try counted before it begins; ``None`` when the tries are used up.

    A message that kills the process never gets to count its failure, and would be tried for ever.
    """
    with place.database.unit_of_work() as session:
        entry = session.get_one(LedgerEntry, number, with_for_update=True)
        if entry.verdict is None and entry.tries >= place.config.intake.tries:
            entry.problem = entry.problem or "unreadable"
            _quarantine(place, session, entry)
            return None
        entry.next_try_at = place.clock() + WAITS[min(entry.tries, len(WAITS) - 1)]
        entry.tries += 1
        return entry.raw


def adopt_key(place: Installation, opened: Opened) -> str | None:
    """The fingerprint to which answers are sealed: of a key that came along, or that signed."""
    sender = opened.letter.sender
    if sender is None:
        return None
    for offered in opened.keys:
        adopted = place.keyring.adopt(offered.octets, address=sender)
        if isinstance(adopted, Adopted):
            return adopted.key.fingerprint
    return opened.signature.fingerprint if opened.signature.verdict == "good" else None


def note_failure(place: Installation, number: int, error: Exception) -> None:
    """Note why a message failed; after the last try it is quarantined and handlers are told."""
    with place.database.unit_of_work() as session:
        entry = session.get_one(LedgerEntry, number, with_for_update=True)
        entry.problem = type(error).__name__.lower()
        if entry.tries >= place.config.intake.tries and entry.verdict is None:
            _quarantine(place, session, entry)


def _file(
    place: Installation,
    session: Session,
    entry: LedgerEntry,
    opened: Opened,
    judged: Judged,
    thread: Thread | None,
    key: str | None,
) -> str | None:
    now = place.clock()
    match judged.verdict:
        case Verdict.OPENED_TICKET | Verdict.UNCLEAR:
            received = _received(entry, opened, judged, key)
            ticket = open_ticket(session, received, place.promise, now=now, entry=entry)
        case Verdict.JOINED_TICKET if thread is not None:
            ticket = _join(place, session, entry, _received(entry, opened, judged, key), thread)
        case Verdict.BOUNCED if thread is not None:
            ticket = thread.ticket
            delivery.bounced(session, ticket, thread.party, place.promise, now=now, addresses=opened.bounced)
        case Verdict.QUARANTINED:
            entry.problem = opened.problem
            _quarantine(place, session, entry)
            _tell_sender(place, session, entry, opened, judged)
            return None
        case _:
            ticket = None
    if ticket is not None and opened.problem is not None:
        ticket.record("opened_in_part", by="intake", at=now, problem=opened.problem.value)
    decide(entry, judged.verdict, now=now, ticket=ticket)
    return ticket.reference if ticket else None


def _join(
    place: Installation, session: Session, entry: LedgerEntry, received: Received, thread: Thread
) -> Ticket:
    now = place.clock()
    if not thread.ticket.is_open and thread.party == "reporter":
        return open_ticket(session, received, place.promise, now=now, entry=entry, linked_to=thread.ticket)
    join_ticket(session, received, thread, place.promise, now=now, entry=entry)
    return thread.ticket


def _received(entry: LedgerEntry, opened: Opened, judged: Judged, key: str | None) -> Received:
    sender = next(iter(opened.letter.from_mailboxes), None)
    return Received(
        arrived_at=entry.arrived_at,
        subject=opened.subject,
        text=opened.text,
        files=tuple(
            ReceivedFile(name=file.name, type=file.content_type, content=file.content, sha256=file.sha256)
            for file in opened.attachments
        ),
        targets=opened.targets,
        name=sender.name if sender else None,
        address=sender.address if sender else None,
        fingerprint=key,
        was_encrypted=opened.was_encrypted,
        signature=opened.signature.verdict,
        may_be_answered=judged.may_be_answered,
    )


def _quarantine(place: Installation, session: Session, entry: LedgerEntry) -> None:
    now = place.clock()
    decide(entry, Verdict.QUARANTINED, now=now)
    for handler in place.promise.triage:
        told = write_mail(
            session, MailKind.QUARANTINED, handler, party="staff", cause=str(entry.id), now=now, ticket=None
        )
        told.ledger_id = entry.id


def _tell_sender(
    place: Installation, session: Session, entry: LedgerEntry, opened: Opened, judged: Judged
) -> None:
    """One safe note per address and day: who sent it is not proved, and mail could be reflected."""
    sender, now = opened.letter.sender, place.clock()
    if sender is None or not judged.may_be_answered:
        return
    told = write_mail(
        session,
        MailKind.CANNOT_OPEN,
        Correspondent("", sender),
        party="reporter",
        cause=f"{digest_of(sender)}/{place.promise.local_day(now)}",
        now=now,
        ticket=None,
    )
    told.ledger_id = told.ledger_id or entry.id
