"""By what a message finds its ticket, and as whom it is heard there.

A message joins a ticket only by what nobody can guess or forge: a token that we gave out, or a verified
signature by the key that is pinned for the ticket's reporter. Whatever else names a ticket (its number
in a subject, a Message-ID, the same sender) makes a suggestion, which a handler decides on.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import islice

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from .absences import stands_in
from .holding import hold
from .links import new_token, token_hash
from .outbox import Thread
from .owners import Owner
from .states import TicketState
from .ticket import Event, Message, Reporter, Ticket
from .vault import digest_of

MOST_TOKENS = 100
MOST_NAMED = 3
FORMER_OWNER = "former_owner"
#: How alike two subjects are when they are taken for one (1.0: the same).
ALIKE = 0.8
_LOOKED_AT = 50
_REPLY_MARK = re.compile(
    r"\s*(?:(?:re|aw|antw|fw|fwd|wg|doorst|tr|sv)\s*(?:\[\d+\])?:|\[[A-Z]{2,12}-\d{4}-\d{4,9}\])",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Claims:
    """What a message says about where it belongs; ``signer`` is a verified key of its only sender."""

    tokens: Sequence[str] = ()
    numbers: Sequence[str] = ()
    message_ids: Sequence[str] = ()
    sender: str | None = None
    subject: str = ""
    signer: str | None = None


@dataclass(frozen=True)
class Standing:
    """The ticket that a message belongs to, and the party as which it is heard there."""

    ticket: Ticket
    party: str


@dataclass(frozen=True)
class Named:
    """A ticket that a message names without proof; ``why`` is a code."""

    ticket: Ticket
    why: str


def belongs_to_a_ticket(session: Session, claims: Claims) -> bool:
    """Whether it is proved that a message belongs to a ticket."""
    if thread_behind(session, claims.tokens) is not None:
        return True
    return _ticket_of_signer(session, claims) is not None


def standing(session: Session, claims: Claims) -> Standing | None:
    """Where a message belongs and as whom it is heard, if that is proved; holds the ticket."""
    thread = thread_behind(session, claims.tokens)
    if thread is not None:
        return standing_of(session, thread)
    ticket = _ticket_of_signer(session, claims)
    if ticket is None:
        return None
    hold(session, ticket)
    return Standing(ticket, "reporter")


def standing_of(session: Session, thread: Thread) -> Standing:
    """As whom the bearer of a token is heard; holds the ticket.

    An owner's token belongs to the owner to whom it was given: after a hand-over it speaks for nobody.
    """
    hold(session, thread.ticket)
    was_handed_over = thread.party == "owner" and not _is_still_owner(session, thread)
    return Standing(thread.ticket, FORMER_OWNER if was_handed_over else thread.party)


def _is_still_owner(session: Session, thread: Thread) -> bool:
    if thread.owner_id is not None:
        is_theirs = thread.owner_id == thread.ticket.owner_id
        return is_theirs or stands_in(session, thread.owner_id, thread.ticket.owner_id)
    assigned = select(Event.facts).where(Event.ticket_id == thread.ticket_id, Event.kind == "assigned")
    return not any("to" in facts for facts in session.scalars(assigned))


def _ticket_of_signer(session: Session, claims: Claims) -> Ticket | None:
    """The first ticket named whose reporter's pinned key has signed the message."""
    if claims.signer is None:
        return None
    named = _called(session, claims)
    return next((one.ticket for one in named if one.ticket.reporter.fingerprint == claims.signer), None)


def named_tickets(session: Session, claims: Claims) -> list[Named]:
    """The tickets that a message may belong to, each once and with the best reason."""
    found: dict[int, Named] = {}
    for one in (*_called(session, claims), *_of_the_same_sender(session, claims)):
        found.setdefault(one.ticket.id, one)
    return list(found.values())[:MOST_NAMED]


def _called(session: Session, claims: Claims) -> Iterator[Named]:
    """The tickets whose number or one of whose Message-IDs is named."""
    if numbers := list(claims.numbers)[:MOST_TOKENS]:
        called = session.scalars(select(Ticket).where(Ticket.reference.in_(numbers)))
        by_number = {ticket.reference: ticket for ticket in called}
        yield from (Named(by_number[number], "number") for number in numbers if number in by_number)
    if not claims.message_ids:
        return
    digests = [digest_of(one) for one in claims.message_ids[:MOST_TOKENS]]
    earlier = select(Ticket).join(Ticket.messages).where(Message.message_id_digest.in_(digests))
    yield from (
        Named(ticket, "message_id") for ticket in session.scalars(earlier.order_by(Ticket.id)).unique()
    )


def _of_the_same_sender(session: Session, claims: Claims) -> Iterator[Named]:
    """The open tickets of the same sender about much the same, the latest first."""
    about = bare_subject(claims.subject)
    if not claims.sender or not about:
        return
    one = aliased(Message)
    first = select(func.min(one.id)).where(one.ticket_id == Ticket.id).correlate(Ticket).scalar_subquery()
    theirs = (
        select(Ticket.id, Message.subject)
        .join(Ticket.reporter)
        .join(Message, Message.id == first)
        .where(Reporter.address_digest == digest_of(claims.sender), Ticket.state != TicketState.CLOSED)
    )
    latest_first = session.execute(theirs.order_by(Ticket.id.desc()).limit(_LOOKED_AT)).tuples()
    alike = (ticket for ticket, subject in latest_first if _are_alike(about, bare_subject(subject)))
    yield from (Named(session.get_one(Ticket, ticket), "sender") for ticket in islice(alike, MOST_NAMED))


def _are_alike(one: str, other: str) -> bool:
    return one == other or SequenceMatcher(None, one, other).ratio() >= ALIKE


def bare_subject(subject: str) -> str:
    """A subject without the marks of replies, for comparing; empty when it says nothing."""
    bare = subject[:200]
    while mark := _REPLY_MARK.match(bare):
        bare = bare[mark.end() :]
    return bare.strip().casefold() if any(character.isalnum() for character in bare) else ""


def thread_behind(session: Session, tokens: Sequence[str]) -> Thread | None:
    """The thread that the first known one of these tokens opens."""
    if not tokens:
        return None
    hashes = [token_hash(token) for token in tokens[:MOST_TOKENS]]
    known = {
        thread.token_hash: thread
        for thread in session.scalars(select(Thread).where(Thread.token_hash.in_(hashes)))
    }
    return next((known[one] for one in hashes if one in known), None)


def thread_token(session: Session, ticket: Ticket, party: str, recipient: str = "") -> str:
    """The token of one party's thread on a ticket; made when it is first needed.

    Every owner has a thread of their own, so that a hand-over takes the word from the one before.
    """
    owner = _owner_called(session, ticket, recipient) if party == "owner" else None
    theirs = select(Thread).where(Thread.ticket_id == ticket.id, Thread.party == party)
    found = session.scalars(theirs.where(Thread.owner_id == owner).order_by(Thread.id)).first()
    if found is None:
        token = new_token()
        found = Thread(ticket=ticket, party=party, owner_id=owner, token=token, token_hash=token_hash(token))
        session.add(found)
    return found.token


def _owner_called(session: Session, ticket: Ticket, recipient: str) -> int | None:
    owner = ticket.owner
    if owner is None or not recipient or owner.address.lower() == recipient.lower():
        return ticket.owner_id
    known = select(Owner.id).where(func.lower(Owner.address) == recipient.lower()).order_by(Owner.id)
    return session.scalars(known.limit(1)).first()
