"""``keys rotate`` and ``keys retire``: a new intake key, with an overlap in which nobody loses a report.

The old key stays in the keyring for good: what is sealed to it opens, however late it comes. The new
one is certified by it, signs what leaves, and is what we publish.
"""

from datetime import timedelta

from sqlalchemy import select

from ...mailbox.keyring import Keyring
from ...mailbox.keys import KeyFacts
from ...models.errors import Refused
from ...models.published_keys import PublishedKey
from ...settings import config_file, use
from ..installation import Records
from ..publishing import publish_own_key
from .config_line import replace_value, write_over
from .init import PUBLIC_KEY
from .intake_key import try_key
from .keys_pin import normal

#: How long an earlier key is published at least: correspondents look keys up now and then.
OVERLAP = timedelta(days=30)


def rotate(place: Records, keyring: Keyring, *, days: int | None) -> None:
    """Make the next intake key, and put it into the configuration; run again, it goes on where it was."""
    config, now = place.config, place.clock()
    old = _current(place, keyring)
    new = _successor(place, keyring, old)
    if new is None:
        expires = now + timedelta(days=days) if days else None
        new = keyring.make_key(config.organisation.name, config.organisation.address, expires=expires)
        print(f"made: the intake key {new}")
    else:
        print(f"there already: the intake key {new}, which the configuration does not name yet")
    if problem := try_key(keyring, new).problem:
        raise Refused(f"the new key {new} cannot be used ({problem}): mend pgp.passphrase_file, then again")
    if keyring.certify(new, by=old.fingerprint):
        print(f"certified: by {old.fingerprint}")
    else:
        print(
            f"not certified: {old.fingerprint} cannot sign any more; tell the new fingerprint by other ways"
        )
    _put_into_configuration(place, keyring, old.fingerprint, new)


def retire(place: Records, keyring: Keyring, fingerprint: str, *, early: bool) -> None:
    """Publish an earlier intake key no longer."""
    old, current = normal(fingerprint), _current(place, keyring)
    if old == current.fingerprint:
        raise Refused(f"{old} is the intake key: meldbalie keys rotate makes its successor first")
    if old not in {key.fingerprint for key in keyring.own_keys()}:
        raise Refused(f"{old} is no key of ours; `meldbalie keys list` shows them")
    since = current.created_at
    if not early and place.clock() < since + OVERLAP:
        raise Refused(
            f"{current.fingerprint} was made on {since:%Y-%m-%d}, less than {OVERLAP.days} days ago, and"
            " reporters may not have it yet: wait, or give --early"
        )
    with place.database.unit_of_work() as session:
        published = session.get(PublishedKey, old)
        if published is not None:
            session.delete(published)
    print(f"retired: {old} is {'no longer published' if published else 'not published'}")
    print("  its secret half stays in the keyring, so that mail sealed to it still opens")


def _current(place: Records, keyring: Keyring) -> KeyFacts:
    named = place.config.pgp.fingerprint
    found = next((key for key in keyring.own_keys() if key.fingerprint == named), None)
    if found is None:
        raise Refused(
            f"pgp.fingerprint = {named or 'nothing'} is no secret key in {place.config.pgp.home}:"
            " meldbalie init makes or imports one"
        )
    return found


def _successor(place: Records, keyring: Keyring, old: KeyFacts) -> str | None:
    """A key that an earlier rotation made and that never came into use."""
    address, now = place.config.organisation.address, place.clock()
    with place.database.reading() as session:
        in_use = {old.fingerprint, *session.scalars(select(PublishedKey.fingerprint))}
    newer = [
        key
        for key in keyring.own_keys()
        if key.belongs_to(address) and key.created_at >= old.created_at and key.can_encrypt(now)
        if key.fingerprint not in in_use
    ]
    return max(newer, key=lambda key: key.created_at).fingerprint if newer else None


def _put_into_configuration(place: Records, keyring: Keyring, old: str, new: str) -> None:
    file = config_file()
    if replace_value(file, "pgp", "fingerprint", old, new):
        print(f"changed: {file}: pgp.fingerprint")
    config = use(file)
    if config.pgp.fingerprint != new:
        print(f'to do: make pgp.fingerprint = "{new}", in {file} or in the environment, then once more:')
        print("  meldbalie keys warn, which publishes it")
        return
    publish_own_key(place.database, keyring, config, now=place.clock())
    print("published: the web app serves it; the old one by its fingerprint until it is retired")
    if PUBLIC_KEY.exists():
        write_over(PUBLIC_KEY, keyring.export_public(new))
        print(f"changed: {PUBLIC_KEY}")
    print("next:")
    print("  what runs takes it up within an hour, or at once when it is restarted")
    print(f"  tell the fingerprint {new} where you publish the old one, and to the IBD and the owners")
    print(f"  back up {config.pgp.home}")
    print(f"  after {OVERLAP.days} days or more: meldbalie keys retire {old}")
