"""Whose word counts on a ticket by mail, who is told what became of theirs, and whom reporters never read."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..mailbox.addresses import Mailbox, mailboxes, same_address
from ..mailbox.own_words import addresses_at
from ..mailbox.scrub import Identity
from ..models.mail_orders import owners_of
from ..models.outbox import Mail
from ..models.people import Correspondent
from ..models.suggestions import main_ticket
from ..models.ticket import Ticket
from ..models.vault import digest_of
from .installation import Installation

#: Words of a team's name that tell nobody which one it is.
ANY_TEAM = frozenset({"team", "afdeling", "department"})


def handlers(place: Installation, *instants: datetime | None) -> list[Correspondent]:
    """Who works on tickets: the triage team, the lead, and who is on call or was at one of the instants."""
    promise = place.promise
    on_duty = [promise.rota.on_duty(at) for at in instants if at is not None]
    return [*promise.triage, *(one for one in (promise.lead, promise.on_call, *on_duty) if one is not None)]


def owners(session: Session, ticket: Ticket) -> list[Correspondent]:
    """Who speaks as the owner of a ticket."""
    return [Correspondent(one.name, one.address, one.fingerprint) for one in owners_of(session, ticket)]


def everybody(
    place: Installation,
    session: Session,
    ticket: Ticket,
    *instants: datetime | None,
    senders: Sequence[Mailbox] = (),
    text: str = "",
) -> Identity:
    """Everybody who works on a ticket, for taking them out of what the reporter reads.

    The configuration often names a team, so whoever ``senders`` and the pinned keys name is taken out as
    well, and so is each address of the organisation in the ``text``, but for the intake address.
    The name of a team that its own host tells (``Webteam`` of ``www.voorbeeld.nl`` does not, ``Formulieren``
    of ``formulieren.voorbeeld.nl`` does) is no secret, and taking it out would break the links in a text.
    """
    ciso, at_work = place.promise.ciso, main_ticket(session, ticket)
    people = [*handlers(place, *instants), *([ciso] if ciso else [])]
    theirs = [*owners(session, ticket), *(owners(session, at_work) if at_work is not ticket else ())]
    labels = {label for one in (ticket, at_work) for target in one.targets for label in _words(target.value)}
    teams = [one.name for one in theirs if not labels.issuperset(_words(one.name) - ANY_TEAM)]
    named = [*senders, *_in_their_keys(place, (*people, *theirs))]
    told = {*labels, *_words(place.config.organisation.name), *ANY_TEAM}
    return Identity(
        names=tuple(dict.fromkeys((*(one.name for one in people), *teams, *_telling(named, told)))),
        addresses=tuple(_addresses(place, ticket, (*people, *theirs), named, text)),
        fingerprints=tuple(one.fingerprint for one in (*people, *theirs) if one.fingerprint),
    )


def reader_of(ticket: Ticket) -> Identity:
    """The reporter of a ticket, who may be greeted by their own name."""
    name, address = ticket.reporter.name, ticket.reporter.address
    return Identity(names=(name,) if name else (), addresses=(address,) if address else ())


def _in_their_keys(place: Installation, people: Iterable[Correspondent]) -> list[Mailbox]:
    """Who the keys of people say that these are."""
    keys = [place.keyring.facts(print_) for print_ in dict.fromkeys(one.fingerprint for one in people)]
    return [named for key in keys if key is not None for uid in key.uids for named in _named_by(uid)]


def _named_by(user_id: str) -> tuple[Mailbox, ...]:
    return mailboxes(user_id) or (Mailbox("", user_id),)


def _telling(named: Iterable[Mailbox], told: set[str]) -> list[str]:
    """The names without what is added in brackets, and without words that tell nobody who somebody is."""
    names = (re.sub(r"\([^()]*\)|\[[^\[\]]*\]", " ", one.name) for one in named)
    left = (
        " ".join(word for word in re.findall(r"[^\W_]+", name) if word.casefold() not in told)
        for name in names
    )
    return [name for name in left if name]


def _addresses(
    place: Installation, ticket: Ticket, people: Iterable[Correspondent], named: Iterable[Mailbox], text: str
) -> list[str]:
    desk, reporter = place.config.organisation.address, ticket.reporter.address or ""
    theirs = [one.address for one in people]
    domains = {address.rpartition("@")[2].casefold() for address in (desk, *theirs) if address}
    found = (*theirs, *(one.address for one in named), *addresses_at(text, domains))
    return [one for one in dict.fromkeys(found) if one and not _is_one_of(one, desk, reporter)]


def _is_one_of(address: str, *others: str) -> bool:
    """Whether mail to an address, tagged or not, comes to one of the others."""
    local, _, domain = address.rpartition("@")
    return any(same_address(f"{local.partition('+')[0]}@{domain}", other) for other in others)


def known_sender(
    place: Installation,
    session: Session,
    ticket: Ticket,
    address: str,
    party: str,
    *instants: datetime | None,
) -> Correspondent | None:
    """Who seems to have sent a message: somebody of its party, or anybody whom we wrote to as one of them.

    So the CISO, a former owner and whoever was on call hear that what they wrote was only filed.
    """
    people = owners(session, ticket) if party == "owner" else handlers(place, *instants)
    found = (one for one in people if same_address(one.address, address))
    return next(found, None) or written_to(session, ticket, address, party)


def written_to(session: Session, ticket: Ticket, address: str, party: str) -> Correspondent | None:
    """Somebody at an address whom we wrote to about a ticket as one of a party."""
    theirs = select(Mail).where(Mail.ticket_id == ticket.id, Mail.party == party)
    latest = theirs.where(Mail.recipient_digest == digest_of(address)).order_by(Mail.id.desc()).limit(1)
    mail = session.scalars(latest).first()
    return Correspondent(mail.recipient_name, mail.recipient, mail.fingerprint) if mail else None


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", text.casefold()))
