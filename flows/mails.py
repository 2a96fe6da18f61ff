"""From an outbox row to the mail itself: its words, the key it is sealed to, and where bounces go."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from ..mailbox.compose import Draft, new_message_id
from ..mailbox.wording import word
from ..mailbox.wording_parts import Desk
from ..models.filing import reporter_of, thread_token
from ..models.ladder import owner_of
from ..models.outbox import Mail, MailKind
from .installation import Installation
from .speaking import SPEAKERS, Withheld

#: What a stranger gets first; our key comes with it, so that the reply can be sealed.
INTRODUCTIONS = frozenset({MailKind.RECEIPT, MailKind.CANNOT_OPEN})


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
    token = thread_token(session, mail.ticket, mail.party) if mail.ticket else ""
    ours = f"{local}+{token}@{domain}" if token else organisation.address
    about = mail.ticket.reference if mail.ticket else "intake"
    return Letter(
        kind=mail.kind,
        fingerprint=_key_of(place, mail),
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
            date=mail.created_at,
            automatic=mail.kind is not MailKind.ANSWER,
            loop=place.loop_marker,
            own_key=_own_key(place) if mail.kind in INTRODUCTIONS else b"",
        ),
    )


def _key_of(place: Installation, mail: Mail) -> str:
    """The key that is pinned now for a recipient: what was pinned when the mail was written may be old."""
    ticket, promise = mail.ticket, place.promise
    known = [promise.ibd, *promise.triage, promise.lead, promise.on_call, promise.ciso]
    if ticket is not None:
        known += [reporter_of(ticket)] if mail.party == "reporter" else [owner_of(ticket)]
    pinned = (one.fingerprint for one in known if one and one.address.lower() == mail.recipient.lower())
    return next((key for key in pinned if key), mail.fingerprint)


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
