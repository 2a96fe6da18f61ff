"""From an outbox row to the mail itself: its words, the key it is sealed to, and where bounces go."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..mailbox.compose import Draft, can_be_answered, new_message_id
from ..mailbox.wording import word
from ..mailbox.wording_parts import Desk
from ..models.filing import reporter_of
from ..models.ledger import LedgerEntry
from ..models.outbox import WRITTEN_BY_HAND, Mail, MailKind
from ..models.owners import Owner
from ..models.people import Correspondent
from ..models.threads import thread_token
from ..settings import Person
from .installation import Installation
from .speaking import SPEAKERS
from .spoken import Withheld

#: What a stranger gets first; our key comes with it, so that the reply can be sealed.
INTRODUCTIONS = frozenset({MailKind.RECEIPT, MailKind.CANNOT_OPEN, MailKind.KEY_REFUSED})
#: What answers the report itself: machines of the reporter see by it that it is a reply (RFC 3834).
ANSWERS = WRITTEN_BY_HAND | {MailKind.RECEIPT}
NO_MESSAGE_ID = "@no-message-id.invalid>"


@dataclass(frozen=True)
class Letter:
    """A mail ready to be sealed: its words, the key it is sealed to, and where bounces go."""

    kind: MailKind
    fingerprint: str
    outer_subject: str
    bounces_to: str
    draft: Draft


def letter(place: Installation, session: Session, mail: Mail, *, sealed: bool) -> Letter:
    """The mail in words; raises :class:`Withheld` when it may only leave sealed and cannot."""
    spoken = SPEAKERS[mail.kind](place, session, mail)
    facts = spoken.sealed if sealed else spoken.plain
    if facts is None:
        raise Withheld("no_usable_key")
    text = word(facts, _desk(place))
    organisation = place.config.organisation
    local, _, domain = organisation.address.rpartition("@")
    token = thread_token(session, mail.ticket, mail.party, mail.recipient) if mail.ticket else ""
    ours = f"{local}+{token}@{domain}" if token and organisation.plus_addresses else organisation.address
    answers = _answered(session, mail)
    about = mail.ticket.reference if mail.ticket else "intake"
    return Letter(
        kind=mail.kind,
        fingerprint=_key_of(place, session, mail),
        outer_subject=text.outer_subject,
        bounces_to=ours,
        draft=Draft(
            sender_name=organisation.name,
            sender=organisation.address,
            recipient=mail.recipient,
            subject=text.subject,
            body=text.body,
            attachments=spoken.files if sealed else (),
            message_id=new_message_id(f"{about}.{mail.id}", token or "none", domain),
            reply_to=ours,
            in_reply_to=answers,
            references=(answers,) if answers else (),
            date=mail.created_at,
            automatic=mail.kind not in WRITTEN_BY_HAND,
            is_reply=mail.kind in INTRODUCTIONS,
            loop=place.loop_marker,
            own_key=_own_key(place) if mail.kind in INTRODUCTIONS else b"",
        ),
    )


def _answered(session: Session, mail: Mail) -> str:
    """The Message-ID of the report that a mail to its reporter answers, if it had one of its own."""
    if mail.kind not in ANSWERS or mail.ticket is None or not mail.ticket.messages:
        return ""
    entry = session.get(LedgerEntry, mail.ticket.report.ledger_id or 0)
    if entry is None or entry.message_id.endswith(NO_MESSAGE_ID) or not can_be_answered(entry.message_id):
        return ""
    return entry.message_id


def _key_of(place: Installation, session: Session, mail: Mail) -> str:
    """The key that is pinned now for a recipient: what was pinned when the mail was written may be old.

    Of those who share an address each has a key of their own, so a person is known by name as well. What
    proves who acts is sealed to the key that is pinned for that very person, or does not leave.
    """
    address = mail.recipient.lower()
    people = (one for one in _who_may_be_meant(place, session, mail) if one.address.lower() == address)
    pinned = next((one.fingerprint for one in people if one.fingerprint), "")
    return pinned if mail.kind is MailKind.CONFIRM else pinned or mail.fingerprint


def _who_may_be_meant(place: Installation, session: Session, mail: Mail) -> Iterator[Person | Correspondent]:
    """The reporter and the IBD are one each; others are many, and go by their name."""
    if mail.party == "ibd":
        yield place.promise.ibd
    elif mail.party == "reporter":
        who = reporter_of(mail.ticket) if mail.ticket else None
        yield from (who,) if who else ()
    elif mail.party == "owner":
        named = select(Owner).where(Owner.name == mail.recipient_name)
        yield from (Correspondent(one.name, one.address, one.fingerprint) for one in session.scalars(named))
    else:
        config = place.config
        staff = (*config.triage, config.lead, config.on_call, config.ciso, *config.rota.people)
        yield from (one for one in staff if one and one.name == mail.recipient_name)


def _own_key(place: Installation) -> bytes:
    return place.keyring.export_public(place.config.pgp.fingerprint)


def _desk(place: Installation) -> Desk:
    organisation = place.config.organisation
    return Desk(
        organisation=organisation.name,
        address=organisation.address,
        fingerprint=place.config.pgp.fingerprint,
        policy_url=organisation.policy_url,
        zone=organisation.zone,
    )
