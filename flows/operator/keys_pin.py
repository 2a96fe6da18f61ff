"""``keys pin``: which key is somebody's, said by a human who has compared the fingerprint."""

from collections.abc import Iterator

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from ...mailbox.keyring import Keyring
from ...mailbox.keys import KeyFacts, is_fingerprint
from ...mailbox.limits import Limits
from ...mailbox.opening import open_letter
from ...models.errors import Refused
from ...models.holding import hold
from ...models.ledger import LedgerEntry
from ...models.owners import Owner
from ...models.ticket import Ticket, ticket_called
from ...settings import Person, Settings
from ..installation import Records

TICKET = "CVD-"


def pin(place: Records, keyring: Keyring, who: str, fingerprint: str, *, by: str) -> None:
    """Pin a key for somebody, or print the line that does; raises :class:`Refused` with the way out."""
    wanted = normal(fingerprint)
    if who.upper().startswith(TICKET):
        _pin_for_reporter(place, keyring, who.upper(), wanted, by=by)
        return
    if setting := _in_settings(place.config, who):
        key = _usable(keyring, wanted, place)
        table, address = setting
        _warn_of_other_address(key, address)
        print(f'write into the configuration, at {table}:\n  fingerprint = "{wanted}"')
        return
    with place.database.unit_of_work() as session:
        is_called = or_(Owner.name == who, func.lower(Owner.address) == who.lower())
        owner = session.scalars(select(Owner).where(is_called)).one_or_none()
        if owner is None:
            raise Refused(
                f"nobody is called {who!r}: give ibd, the name or address of somebody in the configuration or"
                " of an owner, or the number of a ticket"
            )
        key = _usable(keyring, wanted, place)
        _warn_of_other_address(key, owner.address)
        before, owner.fingerprint = owner.fingerprint, wanted
        name = owner.name
    print(f"pinned for owner {name}: {wanted}{f' in place of {before}' if before else ''}")
    print("write it into your owner file as well: the next import takes what stands there")


def normal(fingerprint: str) -> str:
    """A fingerprint as gpg prints it; raises :class:`Refused` for what is none."""
    bare = "".join(fingerprint.split()).upper()
    if not is_fingerprint(bare):
        raise Refused(f"{fingerprint!r} is no full fingerprint: give its 40 hexadecimal digits")
    return bare


def _in_settings(config: Settings, who: str) -> tuple[str, str] | None:
    """The table of somebody in the configuration, and their address."""
    for table, person in _tables(config):
        if who.lower() in (table.strip("[]"), person.name.lower(), person.address.lower()):
            return table, person.address
    if who.lower() in ("ibd", config.ibd.name.lower(), config.ibd.address.lower()):
        return "[ibd]", config.ibd.address
    return None


def _tables(config: Settings) -> Iterator[tuple[str, Person]]:
    for person in config.triage:
        yield "[[triage]]", person
    for role, person in (("lead", config.lead), ("on_call", config.on_call), ("ciso", config.ciso)):
        if person is not None:
            yield f"[{role}]", person


def _usable(keyring: Keyring, fingerprint: str, place: Records) -> KeyFacts:
    key = keyring.facts(fingerprint)
    if key is None:
        raise Refused(f"{fingerprint} is not in the keyring: meldbalie keys import FILE")
    if not key.can_encrypt(place.clock()):
        raise Refused(f"nothing can be sealed to {fingerprint}: it was revoked, has expired, or only signs")
    return key


def _warn_of_other_address(key: KeyFacts, address: str) -> None:
    if not key.belongs_to(address):
        print(f"mind: the key names {', '.join(key.addresses) or 'nobody'}, not {address}")


def _pin_for_reporter(place: Records, keyring: Keyring, reference: str, wanted: str, *, by: str) -> None:
    with place.database.reading() as session:
        address = ticket_called(session, reference).reporter.address
        if not address:
            raise Refused(f"{reference} has no reporter with an address: nothing is sealed to them")
        _take_from_mails(session, place, keyring, reference, wanted, address)
    key = _usable(keyring, wanted, place)
    if not key.belongs_to(address):
        raise Refused(f"{wanted} does not name the reporter's address: ask for a key that does")
    with place.database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        hold(session, ticket)
        if ticket.reporter.fingerprint == wanted:
            raise Refused(f"{wanted} is the key of {reference} already")
        ticket.reporter.fingerprint = wanted
        ticket.record("key_pinned", by=by, at=place.clock(), because=f"key {wanted}")
    print(f"pinned for the reporter of {reference}: {wanted}; mail from now on is sealed to it")


def _take_from_mails(
    session: Session, place: Records, keyring: Keyring, reference: str, wanted: str, address: str
) -> None:
    """Take a key that was refused out of the mails that brought it, unless it is here."""
    if keyring.facts(wanted) is not None:
        return
    limits = Limits(**place.config.limits.model_dump())
    theirs = select(LedgerEntry).join(Ticket, LedgerEntry.ticket_id == Ticket.id)
    for entry in session.scalars(theirs.where(Ticket.reference == reference)):
        for offered in open_letter(entry.raw, keyring, limits=limits).keys:
            if offered.fingerprints == (wanted,):
                keyring.take_in(offered.octets, only_address=address)
                return
