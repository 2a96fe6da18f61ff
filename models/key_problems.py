"""The keys that come with messages: taken for the ticket's reporter, or what is wrong with them.

A problem stands once in the ticket's history. Handlers are told where it may be an attack, or leaves
mail without content; the reporter is told why a key is no good, in the receipt or in a mail of its own.
"""

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from .outbox import MailKind, write_mail
from .promise import Correspondent, Promise
from .ticket import Ticket

if TYPE_CHECKING:
    from .filing import Received

#: Of these a handler must know: somebody else may write in the reporter's name.
ALARMING = frozenset({"changed_key", "revoked", "secret_key"})


def heed_first_key(
    session: Session, ticket: Ticket, received: "Received", promise: Promise, *, now: datetime
) -> None:
    """Write down what is wrong with the key that came with a report; the receipt tells the reporter."""
    if received.key_problem:
        _note(session, ticket, promise, received.key_problem, received.problem_key, "reporter", now)


def heed_key(
    session: Session, ticket: Ticket, received: "Received", party: str, promise: Promise, *, now: datetime
) -> None:
    """Seal to the key that a reporter sends later, as the receipt asks; never in place of another."""
    problem, about = received.key_problem, received.problem_key
    if party != "reporter":
        if problem in ALARMING:
            _note(session, ticket, promise, problem, about, party, now)
        return
    who = ticket.reporter
    if not who.address or who.address.lower() != (received.address or "").lower():
        return
    if received.fingerprint and not who.fingerprint:
        who.fingerprint = received.fingerprint
        ticket.record("key_taken", by="from_reporter", at=now)
    elif received.fingerprint and received.fingerprint != who.fingerprint:
        problem, about = "changed_key", received.fingerprint
    if not problem:
        return
    _note(session, ticket, promise, problem, about, party, now)
    if received.may_be_answered:
        to = Correspondent(who.name or "", who.address, who.fingerprint or "")
        write_mail(
            session,
            MailKind.KEY_REFUSED,
            to,
            party="reporter",
            cause=problem,
            now=now,
            ticket=ticket,
            facts={"problem": problem},
        )


def _note(
    session: Session, ticket: Ticket, promise: Promise, problem: str, about: str, party: str, now: datetime
) -> None:
    note_key_problem(
        session,
        ticket,
        promise,
        problem,
        about=f"key {about}" if about else "",
        party=party,
        by="intake",
        now=now,
        is_alarm=problem in ALARMING,
    )


def note_key_problem(
    session: Session,
    ticket: Ticket,
    promise: Promise,
    problem: str,
    *,
    about: str,
    party: str,
    by: str,
    now: datetime,
    is_alarm: bool,
) -> bool:
    """Write it down, and alarm the handlers; ``False`` when the ticket says so already.

    ``problem`` is a code. ``about`` names the key, which tells who reported: it lies in the encrypted
    column.
    """
    if is_noted(ticket, problem, about):
        return False
    noted = ticket.record("key_problem", by=by, at=now, because=about, problem=problem, party=party)
    for handler in promise.triage if is_alarm else ():
        write_mail(
            session,
            MailKind.KEY_ALARM,
            handler,
            party="staff",
            cause=f"event {noted.seq}",
            now=now,
            ticket=ticket,
            facts={"problem": problem, "party": party},
        )
    return True


def is_noted(ticket: Ticket, problem: str, about: str) -> bool:
    """Whether the history says so already."""
    return any(
        entry.kind == "key_problem" and entry.facts["problem"] == problem and entry.because == about
        for entry in ticket.history
    )


def reporters_key_problem(ticket: Ticket) -> str | None:
    """What was last wrong with the reporter's key, as a code; ``None`` once there is a good one."""
    for entry in reversed(ticket.history):
        if entry.kind in ("key_taken", "key_pinned"):
            return None
        if entry.kind == "key_problem" and entry.facts["party"] == "reporter":
            return entry.facts["problem"]
    return None
