"""Orders by mail: what handlers and owners write in reply is done, or goes to the reporter, or is only filed.

A reply counts as theirs by two things at once: the token of their party on the ticket, which came with it,
and a signature over all of it by the key that is pinned for them, made lately and never heard before.
Handlers are the triage team, the lead and who is on call: they work on tickets, at any hour. The CISO is
told of breaches, and works on no ticket. What is not certain is not done, and the sender is told.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from ..mailbox.addresses import same_address
from ..mailbox.opening import Opened, Verdict
from ..mailbox.orders import Unclear
from ..mailbox.scrub import Identity
from ..mailbox.wording_parts import Label
from ..models.errors import Refused
from ..models.filing import reporter_of
from ..models.links import has_link
from ..models.mail_orders import note_order, owners_of, signature_of, was_heard
from ..models.outbox import Mail, MailKind
from ..models.people import Correspondent
from ..models.threads import Claims, Standing, thread_behind
from ..models.ticket import Message, Ticket
from .acting import Action, carry_out
from .decided import refuse_if_reporter_wrote_since
from .desk import response_clock
from .installation import Installation
from .mail_commands import NotDone, Wanted, wanted_by
from .order_replies import Outcome, tell
from .tokens import ours_among

#: How far a sender's clock may be behind ours, and how long a signed mail may be on its way.
SKEW, ON_ITS_WAY = timedelta(minutes=15), timedelta(days=3)
#: Our mails that speak of what is said on a ticket: who replies to one of them speaks to the reporter.
CONVERSATION = frozenset(
    {
        MailKind.HANDLER_REPORT,
        MailKind.OWNER_REPORT,
        MailKind.MESSAGE,
        MailKind.ORDER_REPLY,
        MailKind.ASSIGNED,
    }
)
STOPS_THE_CLOCK = frozenset({Action.ANSWER, Action.CLOSE})


@dataclass(frozen=True)
class Heard:
    """How a message counts: as whose, by which signature; or why it is only filed, as a code."""

    who: Correspondent | None = None
    is_owner: bool = False
    signature: str = ""
    doubt: str | None = None


NOT_OURS = Heard()


def hear(
    place: Installation, session: Session, opened: Opened, claims: Claims, known: Standing, *, at: datetime
) -> Heard:
    """Whether a message is one that a handler or the owner signed for this ticket. Hold the ticket first.

    ``at`` is when it reached our mailbox. What a machine sent orders nothing, and nobody is told of it.
    """
    if known.party not in ("staff", "owner") or opened.automatic:
        return NOT_OURS
    if (doubt := _why_unsigned(opened)) is not None:
        return Heard(doubt=doubt)
    is_owner, signed = known.party == "owner", opened.signature
    people = _owners(session, known.ticket) if is_owner else handlers(place, at=at)
    who = next((one for one in people if one.fingerprint and one.fingerprint == signed.fingerprint), None)
    if who is None:
        return Heard(doubt="other_signer")
    if signed.signed_at is None:
        return Heard(doubt="signed_apart")
    if signed.signed_at < max(known.ticket.opened_at - SKEW, at - ON_ITS_WAY):
        return Heard(doubt="signed_long_ago")
    if not _is_meant_for(place, session, opened, claims):
        return Heard(doubt="meant_for_others")
    signature = signature_of(who.fingerprint, signed.signed_at)
    if was_heard(session, signature):
        return Heard(doubt="signed_before")
    return Heard(who, is_owner, signature)


def follow(
    place: Installation,
    session: Session,
    opened: Opened,
    message: Message,
    heard: Heard,
    *,
    party: str,
    answered: Iterable[int],
) -> None:
    """Do what a filed message orders, all of it or nothing, and tell its sender what became of it."""
    now = place.clock()
    if heard.who is None:
        sender = _known_sender(place, session, opened, message, party) if heard.doubt else None
        if sender is not None:
            tell(session, message, sender, Outcome("filed", why=heard.doubt or ""), party=party, now=now)
        return
    outcome = _outcome(place, session, opened, message, heard, answered)
    done = outcome.commands if outcome.kind == "done" else ()
    if done:
        message.doubt = None  # whoever signed it may write from whatever address
    else:
        message.doubt = "order_refused" if outcome.kind == "refused" else outcome.why
        message.ticket.record("order_refused", by=heard.who.name, at=now, problem=outcome.why)
    note_order(session, message, heard.signature, who=heard.who.name, done=done, now=now)
    tell(session, message, heard.who, outcome, party=party, now=now)


def _outcome(
    place: Installation,
    session: Session,
    opened: Opened,
    message: Message,
    heard: Heard,
    answered: Iterable[int],
) -> Outcome:
    ticket, commands = message.ticket, ()
    is_notice = not _is_conversation(session, ticket, answered)
    try:
        wanted = wanted_by(
            opened,
            heard.who.name if heard.who else "",
            _everybody(place, session, ticket, at=message.at),
            is_owner=heard.is_owner,
            is_notice=is_notice,
        )
        commands = wanted.commands
        if any(order.action is Action.CLOSE for order in wanted.orders) and opened.signature.signed_at:
            refuse_if_reporter_wrote_since(ticket, opened.signature.signed_at)
        _carry_out(place, session, ticket, wanted)
    except Unclear as unclear:
        return Outcome("refused", why="unclear", because=unclear.why)
    except NotDone as refusal:
        is_filed = refusal.why == "answers_a_notice"
        return Outcome("filed" if is_filed else "refused", why=refusal.why, because=refusal.because)
    except Refused as refusal:
        because = Label(f"({refusal})", str(refusal))
        return Outcome("refused", commands, why="not_allowed", because=because)
    return _with_notes(session, ticket, wanted)


def _carry_out(place: Installation, session: Session, ticket: Ticket, wanted: Wanted) -> None:
    """Do all of it; raises :class:`Refused`, and then nothing of it was done."""
    attempt = session.begin_nested()
    try:
        for order in wanted.orders:
            carry_out(place, session, ticket, order, proof="signature")
        session.flush()
    except Refused:
        attempt.rollback()
        session.expire_all()  # what was tried in memory is not what happened
        raise
    attempt.commit()


def _with_notes(session: Session, ticket: Ticket, wanted: Wanted) -> Outcome:
    """What was done, and what the sender should know about it: above all whether the promise is kept."""
    notes, due_at = list(wanted.notes), None
    actions = {order.action for order in wanted.orders}
    clock = response_clock(ticket)
    if wanted.told and reporter_of(ticket) is None and not has_link(session, ticket):
        notes.append("unreachable")
    if clock.stopped_at is None and not STOPS_THE_CLOCK.isdisjoint(actions):
        notes.append("clock_stops")
    elif clock.stopped_at is None and wanted.told and not _is_answered(ticket):
        notes.append("clock_runs")
        due_at = clock.due_at
    return Outcome("done", wanted.commands, "\n\n".join(wanted.told), tuple(notes), due_at=due_at)


def _is_answered(ticket: Ticket) -> bool:
    """Whether an answer is on its way already."""
    return not ticket.is_open or any(entry.kind == "answered" for entry in ticket.history)


def handlers(place: Installation, *, at: datetime) -> list[Correspondent]:
    """Who works on tickets: the triage team, the lead, and who is on call."""
    promise = place.promise
    others = (promise.lead, promise.on_call, promise.rota.on_duty(at))
    return [*promise.triage, *(one for one in others if one is not None)]


def _owners(session: Session, ticket: Ticket) -> list[Correspondent]:
    return [Correspondent(one.name, one.address, one.fingerprint) for one in owners_of(session, ticket)]


def _everybody(place: Installation, session: Session, ticket: Ticket, *, at: datetime) -> Identity:
    """Everybody who works on a ticket, for taking them out of what the reporter reads.

    The name of a team that its own host tells (``Webteam`` of ``www.voorbeeld.nl`` does not, ``Formulieren``
    of ``formulieren.voorbeeld.nl`` does) is no secret, and taking it out would break the links in a text.
    """
    ciso = place.promise.ciso
    people = [*handlers(place, at=at), *([ciso] if ciso else [])]
    owners = _owners(session, ticket)
    hosts = " ".join(target.value for target in ticket.targets).casefold()
    teams = [one.name for one in owners if not any(word in hosts for word in one.name.casefold().split())]
    return Identity(
        names=tuple(dict.fromkeys((*(one.name for one in people), *teams))),
        addresses=tuple(dict.fromkeys(one.address for one in (*people, *owners))),
        fingerprints=tuple(one.fingerprint for one in (*people, *owners) if one.fingerprint),
    )


def _why_unsigned(opened: Opened) -> str | None:
    """Why a message is nobody's word for certain, as a code; ``None`` when all of it is signed well."""
    if opened.signature.verdict is Verdict.NONE:
        return "unsigned"
    if opened.signature.verdict is not Verdict.GOOD:
        return "badly_signed"
    return "opened_in_part" if opened.problem is not None else None


def _is_meant_for(place: Installation, session: Session, opened: Opened, claims: Claims) -> bool:
    """Whether a message was signed for this thread, as far as it tells: a signed text can be sent on."""
    if not opened.meant_for:
        return True
    is_to_us, tokens = ours_among(opened.meant_for, place.config.organisation.address)
    return is_to_us and (
        not tokens or thread_behind(session, tokens) is thread_behind(session, claims.tokens)
    )


def _is_conversation(session: Session, ticket: Ticket, answered: Iterable[int]) -> bool:
    mails = (session.get(Mail, number) for number in answered)
    return all(
        mail.kind in CONVERSATION for mail in mails if mail is not None and mail.ticket_id == ticket.id
    )


def _known_sender(
    place: Installation, session: Session, opened: Opened, message: Message, party: str
) -> Correspondent | None:
    """Who seems to have sent a message, if it is one of those whose thread it came on."""
    address = opened.letter.sender or ""
    people = _owners(session, message.ticket) if party == "owner" else handlers(place, at=message.at)
    return next((one for one in people if same_address(one.address, address)), None)
