"""What each kind of mail says: an outbox row in, the facts that are put into words out.

What may leave unsealed is a class of facts of its own that holds nothing of a report, so that no
path leads from "there is no usable key" to plaintext. A mail for which there is no such class (the
copy for the IBD) does not leave at all without a key.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime

from sqlalchemy.orm import Session

from ..mailbox import wording_facts as say
from ..mailbox.wording_parts import Label, Match, MayBelong, Rule
from ..models.again import REOPENS, SPLIT_FROM, earlier_of
from ..models.key_problems import reporters_key_problem
from ..models.ledger import LedgerEntry
from ..models.links import make_link
from ..models.outbox import Mail, MailKind
from ..models.owners import AssetKind
from ..models.routing import route
from ..models.states import CLOSE_LABELS, JOINED, NEXT_STEPS, STATE_LABELS, TicketState
from ..models.suggestions import main_ticket, open_suggestions
from ..models.ticket import Event, Message, Ticket
from .desk import response_clock
from .evidence import as_files, evidence_in, identity_of, listed, without_reporter
from .installation import Installation
from .order_replies import order_reply
from .saved_links import address_of
from .speaking_of_alarms import alarm
from .speaking_of_confirmations import to_be_confirmed
from .speaking_of_copies import held_copy, ibd_copy
from .speaking_of_keys import key_alarm, key_refused, key_warning
from .speaking_of_messages import further_message
from .speaking_of_progress import fixed, progress
from .speaking_of_words import asked, assigned, embargo, handed_over, publication, told
from .spoken import Spoken

RULES: Mapping[AssetKind, Rule] = {
    AssetKind.HOST: "host",
    AssetKind.SUFFIX: "suffix",
    AssetKind.CIDR: "network",
}
#: Why a reporter gets a receipt for a ticket that no message opened.
OCCASIONS: Mapping[str, say.Occasion] = {REOPENS: "reopened", SPLIT_FROM: "split"}


def _receipt(place: Installation, session: Session, mail: Mail) -> Spoken:
    ticket = _ticket(mail)
    due_at = response_clock(ticket).due_at
    token = (mail.facts or {}).get("link") or make_link(session, ticket, at=place.clock())
    link = f"{place.config.organisation.public_url}/s/{token}"

    came_from = earlier_of(ticket)
    occasion = OCCASIONS[came_from.kind] if came_from else "reported"
    receipt = say.Receipt(
        ticket=ticket.reference,
        received_at=ticket.arrived_at,
        due_at=due_at,
        link=link,
        occasion="link_renewed" if (mail.facts or {}).get("renewed") else occasion,
        earlier=_number_of(came_from),
    )
    plain = say.ReceiptPlain(**vars(receipt), key_problem=reporters_key_problem(ticket))
    return Spoken(receipt, plain)


def _owner_report(place: Installation, session: Session, mail: Mail) -> Spoken:
    ticket = _ticket(mail)
    due_at = response_clock(ticket).due_at
    message = _message(mail)
    evidence = evidence_in(message, identity_of(ticket))
    return Spoken(
        say.OwnerReport(
            ticket=ticket.reference,
            due_at=due_at,
            matches=_matches(place, session, ticket),
            report=without_reporter(message.text, identity_of(ticket)),
            attachments=listed(evidence),
        ),
        say.OwnerNotice(ticket=ticket.reference, due_at=due_at),
        as_files(evidence),
    )


def _handler_report(place: Installation, session: Session, mail: Mail) -> Spoken:
    ticket, message = _ticket(mail), _message(mail)
    due_at, run_url = response_clock(ticket).due_at, address_of(place, session, ticket)
    suggested = open_suggestions(session, ticket)
    may_belong_to = tuple(MayBelong(one.other.reference, one.why) for one in suggested)
    came_from = earlier_of(ticket)
    occasion, earlier = OCCASIONS[came_from.kind] if came_from else "reported", _number_of(came_from)
    return Spoken(
        say.HandlerReport(
            ticket=ticket.reference,
            occasion=occasion,
            earlier=earlier,
            received_at=ticket.arrived_at,
            due_at=due_at,
            channel="mail",
            was_encrypted=ticket.was_encrypted,
            signature=SIGNATURES.get(ticket.signature, "invalid"),
            key_problem=reporters_key_problem(ticket),
            owner=ticket.owner_name,
            matches=_matches(place, session, ticket),
            may_belong_to=may_belong_to,
            run_url=run_url,
            report=message.text,
            attachments=listed(message.attachments),
        ),
        say.HandlerNotice(
            ticket=ticket.reference,
            occasion=occasion,
            earlier=earlier,
            due_at=due_at,
            may_belong_to=may_belong_to,
            run_url=run_url,
        ),
        as_files(message.attachments),
    )


def _answer(place: Installation, session: Session, mail: Mail) -> Spoken:
    del place, session
    ticket, facts = _ticket(mail), mail.facts or {}
    return Spoken(
        say.Answer(
            ticket=ticket.reference,
            answer=_message(mail).text,
            expected_fix_on=date.fromisoformat(facts["fix_on"]) if facts["fix_on"] else None,
            no_date_because=None if facts["fix_on"] else facts["no_date_because"],
        ),
        say.AnswerPlain(ticket=ticket.reference),
    )


def _state_changed(place: Installation, session: Session, mail: Mail) -> Spoken:
    del place
    ticket, facts = _ticket(mail), mail.facts or {}
    state = TicketState(facts["state"])
    closed = ticket.close_reason if state is TicketState.CLOSED else None
    goes_on = closed is not None and main_ticket(session, ticket).is_open
    label, next_step = Label(*STATE_LABELS[state]), Label(*(JOINED if goes_on else NEXT_STEPS[state]))
    return Spoken(
        say.StateChanged(
            ticket=ticket.reference,
            state=label,
            next_step=next_step,
            reason=facts.get("because") or None,
            closed_because=Label(*CLOSE_LABELS[closed]) if closed else None,
        ),
        say.StateChangedPlain(ticket=ticket.reference, state=label, next_step=next_step),
    )


def _rung(place: Installation, session: Session, mail: Mail) -> Spoken:
    ticket, facts = _ticket(mail), mail.facts or {}
    due_at = datetime.fromisoformat(facts["due_at"]) if "due_at" in facts else response_clock(ticket).due_at
    said = say.Rung(
        ticket=ticket.reference,
        owner=ticket.owner_name,
        clock=facts["clock"],
        share=float(facts["share"]),
        due_at=due_at,
        is_breached=due_at <= mail.created_at,
        words=facts.get("words", "reminder"),
        acknowledge=_acknowledge_link(place, facts),
        acknowledge_by=datetime.fromisoformat(facts["acknowledge_by"]) if "acknowledge" in facts else None,
        run_url=address_of(place, session, ticket) if mail.party == "staff" else None,
    )
    return Spoken(said, said)


def _acknowledge_link(place: Installation, facts: Mapping[str, str]) -> str | None:
    token = facts.get("acknowledge")
    return f"{place.config.organisation.public_url}/a/{token}" if token else None


def _quarantined(place: Installation, session: Session, mail: Mail) -> Spoken:
    del place
    entry = _entry(session, mail)
    said = say.Quarantined(
        entry=entry.id, problem=entry.problem or "unreadable", received_at=entry.arrived_at
    )
    return Spoken(said, said)


def _cannot_open(place: Installation, session: Session, mail: Mail) -> Spoken:
    largest = place.config.limits.size // 2**20
    said = say.CannotOpen(received_at=_entry(session, mail).arrived_at, largest_megabytes=largest)
    return Spoken(said, said)


def _undelivered(place: Installation, session: Session, mail: Mail) -> Spoken:
    del place, session
    facts = mail.facts or {}
    said = say.Undelivered(
        ticket=mail.ticket.reference if mail.ticket else None,
        purpose=say.Kind(facts["mail"]),
        recipient=facts["party"],
        reason=facts["problem"],
    )
    return Spoken(said, said)


SPEAKERS: Mapping[MailKind, Callable[[Installation, Session, Mail], Spoken]] = {
    MailKind.RECEIPT: _receipt,
    MailKind.OWNER_REPORT: _owner_report,
    MailKind.HANDLER_REPORT: _handler_report,
    MailKind.IBD_COPY: ibd_copy,
    MailKind.ANSWER: _answer,
    MailKind.STATE_CHANGED: _state_changed,
    MailKind.FIXED: fixed,
    MailKind.PROGRESS: progress,
    MailKind.TOLD: told,
    MailKind.ASKED: asked,
    MailKind.EMBARGO: embargo,
    MailKind.PUBLICATION: publication,
    MailKind.ASSIGNED: assigned,
    MailKind.HANDED_OVER: handed_over,
    MailKind.MESSAGE: further_message,
    MailKind.ORDER_REPLY: order_reply,
    MailKind.RUNG: _rung,
    MailKind.CONFIRM: to_be_confirmed,
    MailKind.QUARANTINED: _quarantined,
    MailKind.CANNOT_OPEN: _cannot_open,
    MailKind.UNDELIVERED: _undelivered,
    MailKind.HELD_COPY: held_copy,
    MailKind.ALARM: alarm,
    MailKind.KEY_ALARM: key_alarm,
    MailKind.KEY_REFUSED: key_refused,
    MailKind.KEY_WARNING: key_warning,
}

SIGNATURES: Mapping[str, say.Signature] = {
    "good": "verified",
    "none": "unsigned",
    "unknown_key": "unknown_key",
    "mismatch": "other_sender",
    "expired_key": "expired_key",
    "revoked_key": "revoked_key",
}


def _matches(place: Installation, session: Session, ticket: Ticket) -> tuple[Match, ...]:
    routed = route(
        session,
        [target.value for target in ticket.targets],
        on=place.promise.local_day(ticket.arrived_at),
    )
    if routed.asset is None or routed.target is None or routed.owner is not ticket.owner:
        return ()
    rule = RULES[routed.asset.kind]
    return (Match(target=routed.target, asset=routed.asset.value, rule=rule),)


def _number_of(came_from: Event | None) -> str | None:
    return came_from.facts["other"] if came_from else None


def _ticket(mail: Mail) -> Ticket:
    if mail.ticket is None:
        raise LookupError(f"mail {mail.id} ({mail.kind}) belongs to no ticket")
    return mail.ticket


def _message(mail: Mail) -> Message:
    if mail.message is None:
        raise LookupError(f"mail {mail.id} ({mail.kind}) is about no message")
    return mail.message


def _entry(session: Session, mail: Mail) -> LedgerEntry:
    entry = session.get(LedgerEntry, mail.ledger_id)
    if entry is None:
        raise LookupError(f"mail {mail.id} ({mail.kind}) is about no ledger entry")
    return entry
