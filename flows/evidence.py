"""The files of a report as others may see them: without those that tell who sent it, unnamed."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy.orm import Session

from ..mailbox import compose
from ..mailbox.scrub import Identity, scrub, still_identifies
from ..mailbox.wording_parts import Attachment as AttachmentFacts
from ..models.routing import route
from ..models.ticket import Attachment, Message, Ticket

WITHHELD = "[The text identifies the reporter and is withheld; the desk can tell you what it says.]"
#: Files that are about the sender, whatever is in them.
PERSONAL = frozenset({"application/pgp-keys", "application/pgp-signature", "text/vcard", "text/x-vcard"})


def identity_of(ticket: Ticket) -> Identity:
    """What is known of who reported, for taking it out."""
    who = ticket.reporter
    return Identity(
        names=(who.name,) if who.name else (),
        addresses=(who.address,) if who.address else (),
        fingerprints=(who.fingerprint,) if who.fingerprint else (),
    )


def without_reporter(text: str, identity: Identity) -> str:
    """What a report says without who sent it; nothing at all where that cannot be had."""
    scrubbed = scrub(text, identity).text
    return WITHHELD if still_identifies(scrubbed, identity) else scrubbed


def targets_without_reporter(session: Session, ticket: Ticket, *, on: date) -> tuple[str, ...]:
    """What a report is about, without hosts of the reporter's own, such as one that was called back."""
    identity, (_, _, domain) = identity_of(ticket), (ticket.reporter.address or "").rpartition("@")
    return tuple(
        target.value
        for target in ticket.targets
        if not still_identifies(target.value, identity)
        and (not _lies_under(target.value, domain) or route(session, [target.value], on=on).owner)
    )


def _lies_under(target: str, domain: str) -> bool:
    return bool(domain) and f".{target}".lower().endswith(f".{domain}".lower())


def evidence_in(message: Message, identity: Identity) -> list[Attachment]:
    """The files of a report that do not tell who sent it."""
    return [
        file
        for file in message.attachments
        if file.type not in PERSONAL and not still_identifies(file.content, identity)
    ]


def listed(files: Sequence[Attachment]) -> tuple[AttachmentFacts, ...]:
    return tuple(
        AttachmentFacts(name=_neutral(number), media_type=file.type, size=file.size, sha256=file.sha256)
        for number, file in enumerate(files, 1)
    )


def as_files(files: Sequence[Attachment]) -> tuple[compose.Attachment, ...]:
    return tuple((_neutral(number), file.type, file.content) for number, file in enumerate(files, 1))


def _neutral(number: int) -> str:
    return f"attachment-{number}"
