"""Our own public keys go where the web app reads them, so that it needs no keyring.

The key that the configuration names is the current one. Earlier ones stay until they are retired, so
that a mail signed before a rotation can still be checked. Written again it says the same.
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ..mailbox.keyring import Keyring
from ..models.published_keys import PublishedKey
from ..models.session import Database
from ..settings import Settings
from .installation import open_database
from .key_ends import end_of_sealing


def publish_at_start(config: Settings, *, now: datetime) -> bool:
    """Publish before anything runs, if there is a keyring here; no secret is needed for that."""
    if not config.pgp.home.is_dir():
        return False
    database = open_database(config)
    try:
        with Keyring(config.pgp.home, timeout=config.pgp.timeout_seconds) as keyring:
            return publish_own_key(database, keyring, config, now=now)
    finally:
        database.close()


def publish_own_key(database: Database, keyring: Keyring, config: Settings, *, now: datetime) -> bool:
    """Publish the intake key as it lies in the keyring; tells whether that changed anything."""
    fingerprint, address = config.pgp.fingerprint, config.organisation.address
    octets = keyring.export_for_publication(fingerprint, address)
    facts = keyring.facts(fingerprint)
    if not octets or facts is None:
        return False
    ends_at = end_of_sealing(facts)
    with database.reading() as session:
        current = _published(session)
    if current == {fingerprint: (address, octets, ends_at)}:
        return False
    published = PublishedKey(
        fingerprint=fingerprint,
        address=address,
        octets=octets,
        expires_at=ends_at,
        published_at=now,
        is_current=True,
    )
    try:
        with database.unit_of_work() as session:
            for other in session.scalars(select(PublishedKey).where(PublishedKey.fingerprint != fingerprint)):
                other.is_current = False
            session.merge(published)
    except IntegrityError:  # another process has published it for the first time
        return False
    return True


def _published(session: Session) -> dict[str, tuple[str, bytes, datetime | None]]:
    current = select(PublishedKey).where(PublishedKey.is_current)
    return {key.fingerprint: (key.address, key.octets, key.expires_at) for key in session.scalars(current)}
