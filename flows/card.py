"""The card above the form: what a handler should know before filling it in, in markdown.

It is made of our own fields: states, dates, numbers, the names of owners and handlers. Nothing that a
reporter wrote is on it, nor who they are. The report lies sealed in the handlers' own mailboxes.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ..models import confirmations
from ..models.absences import who_hears
from ..models.desk import DeskRun
from ..models.outbox import Mail, MailKind, MailState
from ..models.quarantine import quarantined_on
from ..models.rating import rating_of
from ..models.severity import UNRATED
from ..models.states import STATE_LABELS
from ..models.suggestions import open_suggestions, tickets_joined_with
from ..models.ticket import Ticket
from ..models.unanswered import unanswered
from .artifacts import plain
from .clock_words import clocks_in_words
from .desk import local
from .history_words import WHYS, says_nothing, told
from .installation import Records

LAST_EVENTS = 10
DAY = timedelta(days=1)
COPY = {
    MailState.WAITING: "waits to be sent",
    MailState.SENDING: "is being sent",
    MailState.PARKED: "**could not be sent**: release it to try again",
    MailState.CALLED_OFF: "was called off",
}
#: Why a copy is held, by its code.
HELD: Mapping[str, str] = {
    "unjudged": "is **held**: a machine sent the report; confirm or accept it, and the copy leaves",
    "spam": "is not sent: it was called spam",
}
IN_DOUBT = (
    "is **held**: it may identify the reporter; it stands as it would leave in your sealed mail; look at it,"
    " then release it"
)
#: How the report was signed, by the verdict on its signature.
SIGNED: Mapping[str, str] = {
    "good": "signed with the reporter's key",
    "none": "not signed",
    "unknown_key": "signed with a key that we do not know, which proves nothing",
    "mismatch": "signed, but not all of it, or not with a key of its sender",
    "expired_key": "signed with a key that had expired",
    "revoked_key": "signed with a key that is revoked",
}
TRY_AGAIN = "mend the address or the key, then `meldbalie outbox --retry {}`"


def card(place: Records, session: Session, ticket: Ticket, row: DeskRun) -> str:
    """The card of a ticket as it stands now."""
    return "\n".join(_lines(place, session, ticket, row))


def _lines(place: Records, session: Session, ticket: Ticket, row: DeskRun) -> Iterator[str]:
    yield f"## {ticket.reference} · {STATE_LABELS[ticket.state][1]}"
    yield ""
    yield from _what_went_wrong(row)
    yield from _asked_for_now(place, session, ticket)
    yield f"- Received {local(place, ticket.arrived_at)}, {_age(ticket, place.clock())}"
    yield from (f"- {line}" for line in clocks_in_words(place, ticket))
    yield f"- Severity: {rating_of(ticket) or UNRATED}"
    yield f"- Waiting on the {ticket.waiting_on}"
    yield f"- Expected fix date: {ticket.expected_fix_on or 'none given yet'}"
    if ticket.embargo_ends_at:
        yield f"- Embargo proposed until {local(place, ticket.embargo_ends_at)}"
    if day := _publication(ticket):
        yield f"- Publication proposed on {day}"
    yield f"- Takes part: {', '.join(_participants(place, session, ticket))}"
    yield f"- The reporter {_can_be_reached(session, ticket)}"
    yield f"- The report is {SIGNED.get(ticket.signature, 'signed, but the signature is not valid')}"
    yield f"- The copy for the IBD {_copy(place, session, ticket)}"
    yield from _beside(session, ticket)
    yield from _wrote_last(session, ticket)
    yield (
        f"- To read the report: it lies sealed in your own mailbox, and"
        f" `meldbalie show {ticket.reference}` prints it; `meldbalie clocks {ticket.reference}` says why"
        f" the clocks stand so"
    )
    yield ""
    yield f"**The last of {len(ticket.history)} events**"
    events = [entry for entry in ticket.history if not says_nothing(place, entry)]
    yield from (
        f"- {local(place, entry.at)} {told(place, entry, named=plain)}" for entry in events[-LAST_EVENTS:]
    )


def _what_went_wrong(row: DeskRun) -> Iterator[str]:
    if row.refused_because:
        yield f"> **Not done:** {plain(row.refused_because)}"
        yield ""
    for who, one in (row.not_done or {}).items():
        if one["because"]:
            yield f"> **Not done:** {plain(one['because'])} ({plain(who)})"
            yield ""
        if one["text"]:
            kept = f"The text of {plain(who)} for *{one['action']}* is kept"
            yield f"> {kept}: they may tick *use kept text* instead of typing it again."
            yield ""


def _asked_for_now(place: Records, session: Session, ticket: Ticket) -> Iterator[str]:
    """What a handler is to decide, or has decided and not confirmed."""
    for one in confirmations.open_for(session, ticket, place.clock()):
        until = local(place, one.expires_at)
        yield f"- **Waits for {plain(one.who)}:** {one.action}, by the link in their mail, until {until}"
    for one in open_suggestions(session, ticket):
        why = WHYS.get(one.why, one.why)
        yield f"- **May belong to {one.other.reference}** ({why}): join, or keep apart"


def _age(ticket: Ticket, now: datetime) -> str:
    days = ((ticket.closed_at or now) - ticket.arrived_at) // DAY
    return "today" if days == 0 else f"{days} day{'' if days == 1 else 's'} ago"


def _participants(place: Records, session: Session, ticket: Ticket) -> Iterator[str]:
    now, promise = place.clock(), place.promise
    yield f"{plain(ticket.owner_name)} (owner)"
    if ticket.owner:
        stand_in = who_hears(session, ticket.owner, on=promise.local_day(now))
        if stand_in.is_away:
            yield f"{plain(stand_in.who.name) if stand_in.who else 'the desk'} (while the owner is away)"
    if ticket.handler:
        yield f"{plain(ticket.handler)} (handler)"
    others = [plain(person.name) for person in place.config.triage if person.name != ticket.handler]
    if others:
        yield f"{' and '.join(others)} (desk)"
    if (on_call := promise.rota.on_duty(now) or promise.on_call) is not None:
        yield f"{plain(on_call.name)} (on call)"
    yield plain(promise.ibd.name)


def _publication(ticket: Ticket) -> str:
    """The day that was proposed last; empty where none was."""
    days = [entry.facts["on"] for entry in ticket.history if entry.kind == "publication_proposed"]
    return str(days[-1]) if days else ""


def _can_be_reached(session: Session, ticket: Ticket) -> str:
    if not ticket.reporter.address:
        return "left no address and reads the status page"
    receipt = _last_mail(session, ticket, MailKind.RECEIPT)
    if receipt is not None and receipt.state is MailState.PARKED:
        out = TRY_AGAIN.format(receipt.id)
        return f"**has not been reached**: the receipt with their link did not arrive; {out}"
    return "gets sealed mail" if ticket.reporter.fingerprint else "has no key: answers wait at the link"


def _copy(place: Records, session: Session, ticket: Ticket) -> str:
    copy = _last_mail(session, ticket, MailKind.IBD_COPY)
    if copy is None:
        return "is not written"
    if copy.state is MailState.SENT and copy.sent_at:
        return f"was sent {local(place, copy.sent_at)}"
    if copy.state is MailState.HELD:
        return HELD.get(copy.problem or "", IN_DOUBT)
    return COPY[copy.state]


def _last_mail(session: Session, ticket: Ticket, kind: MailKind) -> Mail | None:
    written = select(Mail).where(Mail.ticket_id == ticket.id, Mail.kind == kind)
    return session.scalars(written.order_by(Mail.id.desc()).limit(1)).first()


def _wrote_last(session: Session, ticket: Ticket) -> Iterator[str]:
    """Who wrote and waits for a word: the reporter, or that of a ticket that was joined with it."""
    numbers = {one.id: one.reference for one in (ticket, *tickets_joined_with(session, ticket))}
    for _, number in unanswered(session, ticket):
        of = "" if number == ticket.id else f" of {numbers[number]}"
        yield f"- **The reporter{of} wrote, not answered yet**"


def _beside(session: Session, ticket: Ticket) -> Iterator[str]:
    """What lies elsewhere: mail of this ticket that did not leave, tickets joined with it, quarantine."""
    parked = select(func.count()).where(
        Mail.ticket_id == ticket.id, Mail.state == MailState.PARKED, Mail.kind != MailKind.IBD_COPY
    )
    if number := session.scalar(parked):
        mails = f"{number} mail{'' if number == 1 else 's'}"
        yield f"- **{mails} could not be sent:** {TRY_AGAIN.format('NUMBER')}; `meldbalie outbox` lists them"
    yield from (f"- {one.reference} was joined with it" for one in tickets_joined_with(session, ticket))
    if number := quarantined_on(session, ticket.id):
        yield f"- **{number} of its messages cannot be opened:** `meldbalie quarantine`"
