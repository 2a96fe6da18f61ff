"""What a handler or an owner hears of a reply of theirs: what it did, or why it did nothing."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from ..mailbox import wording_orders as say
from ..mailbox.wording_parts import Label
from ..models.outbox import Mail, MailKind, write_mail
from ..models.people import Correspondent
from ..models.suggestions import main_ticket
from ..models.ticket import Message
from .installation import Installation
from .order_labels import in_words
from .spoken import Spoken

#: The fact that a mail goes on speaking of what somebody else than the ticket's reporter wrote.
OF_ANOTHER = "of_another"


@dataclass(frozen=True)
class Outcome:
    """What became of a mail: ``why`` and ``notes`` are codes, ``told`` is what the reporter reads of it.

    ``is_of_another``: it answered the word of somebody else than the ticket's reporter.
    """

    kind: say.Outcome
    commands: tuple[str, ...] = ()
    told: str = ""
    notes: tuple[str, ...] = ()
    why: str = ""
    because: Label | None = None
    due_at: datetime | None = field(default=None)
    is_of_another: bool = False


def tell(
    session: Session,
    message: Message,
    to: Correspondent,
    outcome: Outcome,
    *,
    party: str,
    now: datetime,
    has_seen: bool = False,
) -> None:
    """Write the one mail that tells the sender of a message what became of it.

    ``has_seen``: the deadline whose mail it answers counts as seen.
    """
    because = outcome.because
    facts = {
        "outcome": outcome.kind,
        "ordered": "\n".join(outcome.commands),
        "told": outcome.told,
        "notes": " ".join(outcome.notes),
        "why": outcome.why,
        "because_nl": because.nl if because else "",
        "because_en": because.en if because else "",
        "due_at": outcome.due_at.isoformat() if outcome.due_at else "",
        OF_ANOTHER: "yes" if outcome.is_of_another else "",
        "seen": "yes" if has_seen else "",
    }
    write_mail(
        session,
        MailKind.ORDER_REPLY,
        to,
        party=party,
        cause=str(message.id),
        now=now,
        ticket=message.ticket,
        about=message,
        facts=facts,
    )


def order_reply(place: Installation, session: Session, mail: Mail) -> Spoken:
    """To who wrote to us: all of it where it can be sealed, else only whether it was done."""
    del place
    if mail.ticket is None:
        raise LookupError(f"mail {mail.id} ({mail.kind}) belongs to no ticket")
    facts, at_work = mail.facts or {}, main_ticket(session, mail.ticket)
    seen = bool(facts.get("seen"))
    notice = say.OrderNotice(ticket=mail.ticket.reference, outcome=facts["outcome"], has_seen=seen)
    reply = say.OrderReply(
        **vars(notice),
        ordered=tuple(map(in_words, facts["ordered"].splitlines())),
        why=facts["why"] or None,
        because=Label(facts["because_nl"], facts["because_en"]) if facts["because_en"] else None,
        notes=tuple(facts["notes"].split()),
        due_at=datetime.fromisoformat(facts["due_at"]) if facts["due_at"] else None,
        joined_with=at_work.reference if at_work is not mail.ticket else None,
        told=facts["told"] or None,
    )
    return Spoken(reply, notice)
