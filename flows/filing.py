"""Filing one message: open it, judge it, and write all that follows in one transaction."""

from datetime import timedelta

from sqlalchemy.orm import Session

from ..mailbox.opening import Opened, open_letter
from ..mailbox.problem import Problem
from ..mailbox.returned import is_delay
from ..models import delivery
from ..models.again import reopened_as
from ..models.brought_keys import note_brought_key
from ..models.filing import (
    Received,
    ReceivedFile,
    decide,
    join_ticket,
    open_ticket,
)
from ..models.holding import hold
from ..models.ledger import LedgerEntry, Verdict, became_before, first_arrival
from ..models.outage import outage
from ..models.outbox import Thread
from ..models.rung_mails import acknowledge_by_reply
from ..models.suggestions import main_ticket
from ..models.threads import (
    Claims,
    Standing,
    belongs_to_a_ticket,
    named_tickets,
    standing,
    thread_behind,
)
from ..models.ticket import Ticket
from .installation import Installation
from .judging import Judged, judge
from .key_offers import NO_KEY, KeyOffer, adopt_key
from .mail_orders import follow, hear
from .quarantining import give_up, note_on_its_ticket, quarantine, tell_sender
from .tokens import answered_mails, claims_of, returned_mail, returned_tokens

#: Before a message is tried again: a full disk or a stuck gpg is mended in minutes, or in hours.
WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60))


class OpeningHindered(Exception):
    """The message may be opened once what hinders us is mended."""


def file_entry(place: Installation, number: int) -> tuple[Verdict, str | None]:
    """Decide what becomes of a ledger entry, and do it; gives the verdict and the ticket's number."""
    raw, is_last = _begin_try(place, number)
    if raw is None:
        give_up(place, number)
        return Verdict.QUARANTINED, None
    opened = open_letter(raw, place.keyring, limits=place.limits, loop_marker=place.loop_marker)
    if _may_be_opened_later(place, opened) and not (is_last and _can_be_read(opened)):
        raise OpeningHindered(opened.problem)
    claims = claims_of(opened, place.config.organisation.address)
    with place.database.reading() as session:
        judged = judge(opened, names_a_thread=belongs_to_a_ticket(session, claims))
    key = NO_KEY
    if judged.verdict in (Verdict.OPENED_TICKET, Verdict.JOINED_TICKET):
        key = adopt_key(place, opened)
        if key.fingerprint and opened.signature.verdict == "unknown_key":
            opened = _with_signer(place, raw, opened)
    with place.database.unit_of_work() as session:
        entry = session.get_one(LedgerEntry, number, with_for_update=True)
        if entry.verdict is not None:
            return entry.verdict, None
        if (same := became_before(session, entry)) is not None:
            decide(entry, Verdict.REPEATED, now=place.clock())
            entry.ticket_id = same.ticket_id
            return Verdict.REPEATED, None
        return judged.verdict, _file(place, session, entry, opened, judged, claims, key)


def _may_be_opened_later(place: Installation, opened: Opened) -> bool:
    """Whether it is we who cannot open it now, rather than that it cannot be opened."""
    if opened.problem is Problem.NO_SECRET_KEY:
        own = {key.fingerprint for key in place.keyring.own_keys()}
        return place.config.pgp.fingerprint not in own
    return opened.problem in (Problem.TIMEOUT, Problem.UNREADABLE, Problem.PASSPHRASE)


def _can_be_read(opened: Opened) -> bool:
    return bool(opened.text.strip() or opened.attachments)


def _with_signer(place: Installation, raw: bytes, opened: Opened) -> Opened:
    """Open a letter again now that the key of its signer is known, to say who signed it.

    What was judged is what is filed: a second opening that fails or finds less is not taken, and the
    ticket has a signature of an unknown key rather than no report.
    """
    again = open_letter(raw, place.keyring, limits=place.limits, loop_marker=place.loop_marker)
    is_same = (again.problem, again.text, again.attachments) == (
        opened.problem,
        opened.text,
        opened.attachments,
    )
    return again if again.problem is None or is_same else opened


def _begin_try(place: Installation, number: int) -> tuple[bytes | None, bool]:
    """The message, its try counted before it begins, and whether it is the last; ``None`` if none is left.

    A message that kills the process never gets to count its failure, and would be tried for ever.
    """
    with place.database.unit_of_work() as session:
        entry = session.get_one(LedgerEntry, number, with_for_update=True)
        if entry.verdict is None and entry.tries >= place.config.intake.tries:
            return None, True
        entry.next_try_at = place.clock() + WAITS[min(entry.tries, len(WAITS) - 1)]
        entry.tries += 1
        return entry.raw, entry.tries >= place.config.intake.tries


def note_failure(place: Installation, number: int, error: Exception) -> None:
    """Note why a message failed; after the last try it is quarantined, and handlers and its sender are told.

    What the database could not hold is no fault of the message, and counts as no try.
    """
    with place.database.unit_of_work() as session:
        entry = session.get_one(LedgerEntry, number, with_for_update=True)
        if outage(error) and entry.verdict is None:
            entry.tries = max(entry.tries - 1, 0)
            return
        entry.problem = _problem_of(error)
        was_last = entry.tries >= place.config.intake.tries
    if was_last:
        give_up(place, number)


def _problem_of(error: Exception) -> str:
    """A code for handlers: what hindered us, or the kind of a failure that nobody foresaw."""
    return str(error) if isinstance(error, OpeningHindered) else type(error).__name__.lower()


def _file(
    place: Installation,
    session: Session,
    entry: LedgerEntry,
    opened: Opened,
    judged: Judged,
    claims: Claims,
    key: KeyOffer,
) -> str | None:
    now = place.clock()
    match judged.verdict:
        case Verdict.OPENED_TICKET | Verdict.UNCLEAR:
            ticket = open_ticket(
                session,
                _received(entry, opened, judged, key),
                place.promise,
                now=now,
                entry=entry,
                may_belong_to=named_tickets(session, claims),
            )
        case Verdict.JOINED_TICKET if (known := standing(session, claims)) is not None:
            received = _received(entry, opened, judged, key)
            ticket = _join(place, session, entry, opened, received, known, claims)
        case Verdict.BOUNCED | Verdict.AUTOMATIC:
            ticket = _machine_says(place, session, entry, opened, judged, claims)
        case Verdict.QUARANTINED:
            entry.problem = opened.problem
            note_on_its_ticket(session, entry, claims.tokens, now)
            if quarantine(place, session, entry) and judged.may_be_answered:
                tell_sender(place, session, entry, opened.letter)
            return None
        case _:
            ticket = None
    if ticket is not None and opened.problem is not None:
        ticket.record("opened_in_part", by="intake", at=now, problem=opened.problem.value)
    if ticket is not None and key.fingerprint:
        note_brought_key(session, ticket, key.fingerprint)
    decide(entry, judged.verdict, now=now, ticket=ticket)
    return ticket.reference if ticket else None


def _join(
    place: Installation,
    session: Session,
    entry: LedgerEntry,
    opened: Opened,
    received: Received,
    known: Standing,
    claims: Claims,
) -> Ticket:
    """File a message where it belongs; on what is closed a reporter opens a linked ticket.

    Whoever answers the mail of a rung has seen it; what handlers and owners order by mail is done.
    """
    now, at_work = place.clock(), main_ticket(session, known.ticket)
    hold(session, at_work)
    if known.party == "reporter" and (again := reopened_as(session, at_work)) is not None:
        known, at_work = Standing(again, known.party), again
    if not at_work.is_open and known.party == "reporter":
        return open_ticket(session, received, place.promise, now=now, entry=entry, linked_to=known.ticket)
    heard = hear(place, session, opened, claims, known, at=received.arrived_at)
    message = join_ticket(session, received, known, place.promise, now=now, entry=entry, doubt=heard.doubt)
    answered = answered_mails(opened, place.config.organisation.address)
    seen = [
        acknowledge_by_reply(session, known.ticket, number, known.party, how=heard.how, now=now)
        for number in answered
        if not opened.automatic
    ]
    follow(place, session, opened, message, heard, party=known.party, answered=answered, has_seen=any(seen))
    return known.ticket


def _machine_says(
    place: Installation, session: Session, entry: LedgerEntry, opened: Opened, judged: Judged, claims: Claims
) -> Ticket | None:
    """Note what a mail server says of our mail; gives the ticket, if a token of ours proves it."""
    ours, now = place.config.organisation.address, place.clock()
    thread = thread_behind(session, claims.tokens)
    if judged.verdict is Verdict.AUTOMATIC and (thread is None or not is_delay(opened.letter)):
        _keep_beside(session, entry, thread or thread_behind(session, returned_tokens(opened, ours)))
        return None
    if thread is None:
        return None
    if judged.verdict is Verdict.AUTOMATIC:
        hold(session, thread.ticket)
        thread.ticket.record("delayed", by="intake", at=now, party=thread.party)
        return thread.ticket
    delivery.bounced(
        session,
        thread.ticket,
        thread.party,
        place.promise,
        now=now,
        addresses=opened.bounced,
        number=returned_mail(opened, ours, thread.token),
    )
    return thread.ticket


def _keep_beside(session: Session, entry: LedgerEntry, thread: Thread | None) -> None:
    """Let what a machine answered be forgotten with its ticket: it names whom we wrote to, and is no news."""
    if thread is not None:
        hold(session, thread.ticket)
        entry.ticket_id = thread.ticket_id


def _received(entry: LedgerEntry, opened: Opened, judged: Judged, key: KeyOffer) -> Received:
    sender = next(iter(opened.letter.from_mailboxes), None)
    return Received(
        arrived_at=first_arrival(entry),
        subject=opened.subject,
        text=opened.text,
        files=tuple(
            ReceivedFile(name=file.name, type=file.content_type, content=file.content, sha256=file.sha256)
            for file in opened.attachments
        ),
        targets=opened.targets,
        name=sender.name if sender else None,
        address=sender.address if sender else None,
        fingerprint=key.fingerprint,
        key_problem=key.problem,
        problem_key=key.about,
        was_encrypted=opened.was_encrypted,
        signature=opened.signature.verdict,
        may_be_answered=judged.may_be_answered,
        message_id=opened.letter.message_id,
        signer=opened.signature.fingerprint if opened.signature.verdict == "good" else None,
    )
