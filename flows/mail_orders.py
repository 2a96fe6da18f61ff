"""Orders by mail: what handlers and owners write in reply is done, or goes to the reporter, or is only filed.

A reply counts as theirs by two things at once: the token of their party on the ticket, which came with it,
and a signature over all of it by the key that is pinned for them, made lately and never heard before.
Handlers are the triage team, the lead and who is on call: they work on tickets, at any hour. The CISO is
told of breaches, and works on no ticket. What is not certain is not done, and the sender is told.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from ..mailbox.addresses import Mailbox
from ..mailbox.opening import Opened, Verdict
from ..mailbox.orders import Unclear
from ..mailbox.signed_by import signed_by
from ..mailbox.wording_parts import Label
from ..models.errors import Refused
from ..models.filing import reporter_of
from ..models.links import has_link
from ..models.mail_orders import note_order, signature_of, was_heard
from ..models.outbox import Mail, MailKind
from ..models.people import Correspondent
from ..models.suggestions import have_one_reporter, main_ticket
from ..models.threads import FORMER_OWNER, Claims, Standing, thread_behind
from ..models.ticket import Message, Ticket
from .acting import Action, Order, carry_out
from .decided import refuse_if_decided_after, refuse_if_reporter_wrote_since
from .desk import response_clock
from .installation import Installation, Records
from .mail_commands import Answers, NotDone, Wanted, wanted_by
from .order_people import everybody, handlers, known_sender, owners, reader_of, written_to
from .order_replies import OF_ANOTHER, Outcome, tell
from .tokens import ours_among

#: How far a sender's clock may be behind ours, and how long a signed mail may be on its way.
SKEW, ON_ITS_WAY = timedelta(minutes=15), timedelta(days=3)
#: Our mails that speak of what is said on a ticket: who replies to one of them speaks to the reporter.
CONVERSATION = frozenset(
    {MailKind.HANDLER_REPORT, MailKind.OWNER_REPORT, MailKind.MESSAGE, MailKind.ORDER_REPLY}
)
STOPS_THE_CLOCK = frozenset({Action.ANSWER, Action.CLOSE})
#: What can be done on a ticket that was joined with another; the rest belongs on the other.
ON_A_JOINED_TICKET = frozenset({Action.TELL, Action.ASK, Action.NOTE, Action.RELEASE})


@dataclass(frozen=True)
class Heard:
    """How a message counts: as whose, by which signature; or why it is only filed, as a code.

    ``senders`` are all whom its headers name as its writer.
    """

    who: Correspondent | None = None
    is_owner: bool = False
    signature: str = ""
    doubt: str | None = None
    senders: tuple[Mailbox, ...] = ()

    @property
    def how(self) -> str:
        """How a reply proves who wrote it, as a code for the history."""
        if self.who is not None:
            return "signed_reply"
        return "unsigned_reply" if self.doubt == "unsigned" else "doubtful_reply"


NOT_OURS = Heard()


def hear(
    place: Installation, session: Session, opened: Opened, claims: Claims, known: Standing, *, at: datetime
) -> Heard:
    """Whether a message is one that a handler or the owner signed for this ticket. Hold the ticket first.

    ``at`` is when it reached our mailbox. What a machine sent orders nothing, and nobody is told of it.
    """
    if opened.automatic:
        return NOT_OURS
    if known.party == FORMER_OWNER:
        return Heard(doubt="has_no_say")
    if known.party not in ("staff", "owner"):
        return NOT_OURS
    if (doubt := _why_unsigned(opened)) is not None:
        return Heard(doubt=doubt)
    is_owner, signed = known.party == "owner", opened.signature
    people = owners(session, known.ticket) if is_owner else handlers(place, at, signed.signed_at)
    who = next((one for one in people if one.fingerprint and one.fingerprint == signed.fingerprint), None)
    if who is None:
        told = written_to(session, known.ticket, opened.letter.sender or "", known.party)
        is_known = told is not None and told.fingerprint == signed.fingerprint
        return Heard(doubt="has_no_say" if is_known else "other_signer")
    if signed.signed_at is None:
        return Heard(doubt="signed_apart")
    if signed.signed_at < max(known.ticket.opened_at - SKEW, at - ON_ITS_WAY):
        return Heard(doubt="signed_long_ago")
    if not _is_meant_for(place, session, opened, claims):
        return Heard(doubt="meant_for_others")
    covered = signed_by(opened.letter, place.keyring, place.limits)
    signature = signature_of(who.fingerprint, signed.signed_at, covered.digest)
    if was_heard(session, signature):
        return Heard(doubt="signed_before")
    return Heard(who, is_owner, signature, senders=covered.senders)


def follow(
    place: Installation,
    session: Session,
    opened: Opened,
    message: Message,
    heard: Heard,
    *,
    party: str,
    answered: Iterable[int],
    has_seen: bool,
) -> None:
    """Do what a filed message orders, all of it or nothing, and tell its sender what became of it.

    ``has_seen``: the deadline whose mail it answers counts as seen, whatever else comes of it.
    """
    now = place.clock()
    if heard.who is None:
        party = "owner" if party == FORMER_OWNER else party
        sender = _sender(place, session, opened, message, party) if heard.doubt else None
        if sender is not None:
            filed = Outcome("filed", why=heard.doubt or "")
            tell(session, message, sender, filed, party=party, now=now, has_seen=has_seen)
        return
    outcome = _outcome(place, session, opened, message, heard, answered)
    done = outcome.commands if outcome.kind == "done" else ()
    if done:
        message.doubt = None  # whoever signed it may write from whatever address
    else:
        message.doubt = "order_refused" if outcome.kind == "refused" else outcome.why
        message.ticket.record("order_refused", by=heard.who.name, at=now, problem=outcome.why)
    note_order(session, message, heard.signature, who=heard.who.name, done=done, now=now)
    tell(session, message, heard.who, outcome, party=party, now=now, has_seen=has_seen)


def _outcome(
    place: Installation,
    session: Session,
    opened: Opened,
    message: Message,
    heard: Heard,
    answered: Iterable[int],
) -> Outcome:
    ticket, commands, signed_at = message.ticket, (), opened.signature.signed_at
    answers = _what_it_answers(session, ticket, answered)
    try:
        wanted = wanted_by(
            opened,
            heard.who.name if heard.who else "",
            everybody(place, session, ticket, message.at, signed_at, senders=heard.senders, text=opened.text),
            reader_of(ticket),
            is_owner=heard.is_owner,
            answers=answers,
        )
        commands = wanted.commands
        _refuse_what_belongs_elsewhere(session, ticket, wanted.orders)
        if signed_at is not None:
            _refuse_what_was_overtaken(place, ticket, wanted.orders, signed_at)
        _carry_out(place, session, ticket, wanted)
    except Unclear as unclear:
        return Outcome("refused", why="unclear", because=unclear.why)
    except NotDone as refusal:
        is_filed = refusal.why in ("answers_a_notice", "answers_another")
        return Outcome(
            "filed" if is_filed else "refused",
            why=refusal.why,
            because=refusal.because,
            is_of_another=answers is Answers.ANOTHER,
        )
    except Refused as refusal:
        because = Label(str(refusal), str(refusal))
        return Outcome("refused", commands, why="not_allowed", because=because)
    return _with_notes(session, ticket, wanted)


def _refuse_what_belongs_elsewhere(session: Session, ticket: Ticket, orders: Iterable[Order]) -> None:
    """Nothing is decided on a ticket that was joined with another; its reporter can be written to."""
    at_work = main_ticket(session, ticket)
    if at_work is not ticket and not ON_A_JOINED_TICKET.issuperset(order.action for order in orders):
        number = at_work.reference
        raise NotDone("joined", Label(f"Beantwoord een mail over {number}.", f"Reply to a mail on {number}."))


def _refuse_what_was_overtaken(
    place: Records, ticket: Ticket, orders: Sequence[Order], signed_at: datetime
) -> None:
    """What was signed before somebody else decided something, or the reporter wrote, overrules nothing."""
    if any(order.action is Action.CLOSE for order in orders):
        refuse_if_reporter_wrote_since(ticket, signed_at)
    if any(order.action is not Action.NOTE for order in orders):
        refuse_if_decided_after(place, ticket, signed_at, by=orders[0].who)


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


def _what_it_answers(session: Session, ticket: Ticket, answered: Iterable[int]) -> Answers:
    mails = [mail for number in answered if (mail := session.get(Mail, number)) is not None]
    if any(_is_of_another(mail, ticket) for mail in mails):
        return Answers.ANOTHER
    return Answers.THE_REPORTER if all(mail.kind in CONVERSATION for mail in mails) else Answers.A_NOTICE


def _is_of_another(mail: Mail, ticket: Ticket) -> bool:
    """Whether a mail speaks of what somebody else than the reporter of a ticket wrote."""
    about = mail.message.ticket if mail.message is not None else mail.ticket
    is_elsewhere = about is not None and about is not ticket and not have_one_reporter(about, ticket)
    return is_elsewhere or bool((mail.facts or {}).get(OF_ANOTHER))


def _sender(
    place: Installation, session: Session, opened: Opened, message: Message, party: str
) -> Correspondent | None:
    """Who seems to have sent a message that is only filed."""
    address, instants = opened.letter.sender or "", (message.at, opened.signature.signed_at)
    return known_sender(place, session, message.ticket, address, party, *instants)
