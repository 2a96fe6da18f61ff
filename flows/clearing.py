"""What was forgotten leaves the mailbox and the keyring as well: copies of messages, keys of reporters.

The ledger forgets first and for good. A mailbox that is away keeps its copies until the next audit, which
tries again; each message is looked for by its bytes, so that nothing else is ever deleted. Of the keyring
only what came with a forgotten ticket is deleted, and that nothing needs any more.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence

from ..mailbox.errors import MailboxError
from ..mailbox.imap import IntakeMailbox
from ..models.brought_keys import (
    anything_to_be_judged,
    are_gone,
    keys_of_tickets,
    keys_to_go,
    pinned_keys,
)
from ..models.forgetting import Erased, forget_late_copies, to_be_cleared, were_cleared
from ..models.rota_file import RotaFile
from ..models.vault import vault
from .installation import Installation


def clear_away(place: Installation) -> list[str]:
    """Delete what was forgotten from mailbox and keyring; gives what is left to do, without names."""
    return [*_clear_mailbox(place), *_clear_keyring(place)]


def _clear_mailbox(place: Installation) -> list[str]:
    with place.database.unit_of_work() as session:
        late = forget_late_copies(session, now=place.clock())
    if late:
        place.database.empty_log()
    with place.database.reading() as session:
        erased = to_be_cleared(session)
    if not erased:
        return []
    try:
        with IntakeMailbox(place.imap) as mailbox:
            for folder in _folders(place, mailbox):
                if mailbox.examine(folder, to_delete=True) is not None:
                    mailbox.delete(list(_copies(mailbox, erased)))
    except MailboxError as error:
        return [f"{len(erased)} forgotten messages may still lie in the mailbox ({type(error).__name__})"]
    with place.database.unit_of_work() as session:
        were_cleared(session, [one.number for one in erased], now=place.clock())
    return []


def _clear_keyring(place: Installation) -> list[str]:
    """Delete the keys that came with forgotten tickets, unless anything pins them.

    While a message waits to be judged nothing goes: it may pin a key that it found in the ring.
    """
    with place.database.reading() as session:
        to_go = keys_to_go(session)
        if not to_go or anything_to_be_judged(session):
            return []
        pinned, of_tickets = pinned_keys(session), keys_of_tickets(session)
    waiting = {digest for digest, gone_at in to_go.items() if gone_at is None} - of_tickets
    try:
        kept = pinned | _keys_in_settings(place)
        known = {vault.keyed_digest(key.fingerprint): key.fingerprint for key in place.keyring.all_keys()}
        useless = [digest for digest in waiting & known.keys() if known[digest] not in kept]
        left = {digest for digest in useless if not place.keyring.take_out(known[digest])}
        place.keyring.drop_backup()
    except MailboxError as error:
        return [f"{len(waiting)} forgotten keys may still be in the keyring ({type(error).__name__})"]
    with place.database.unit_of_work() as session:
        are_gone(session, to_go.keys() - left, now=place.clock())
    return [f"{len(left)} forgotten keys are still in the keyring"] if left else []


def _keys_in_settings(place: Installation) -> set[str]:
    """Our own keys, and those of everybody whom settings and rota name."""
    config, now, rota = place.config, place.clock(), place.promise.rota
    people = [config.ibd, *config.triage, config.lead, config.on_call, config.ciso, *config.rota.people]
    shifts = rota.rota(now).shifts if isinstance(rota, RotaFile) else ()
    own = {key.fingerprint for key in place.keyring.own_keys()}
    return own | {one.fingerprint for one in (*people, *(shift.person for shift in shifts)) if one}


def _folders(place: Installation, mailbox: IntakeMailbox) -> list[str]:
    """The inbox is looked at as well: a message may have been put back there."""
    folders = [place.imap.inbox, place.imap.archive, place.imap.quarantine]
    junk = mailbox.junk_folder()
    return [*folders, junk] if junk else folders


def _copies(mailbox: IntakeMailbox, erased: Sequence[Erased]) -> Iterator[int]:
    """The messages of the open folder that have exactly these bytes.

    Only what has the size of one, or arrived when one did, is fetched: servers may tell a wrong size.
    """
    digests: dict[object, set[str]] = defaultdict(set)
    for one in erased:
        digests[one.size].add(one.digest)
        digests[one.arrived_at].add(one.digest)
    for message in mailbox.waiting():
        wanted = digests[message.size] | digests[message.arrived_at]
        raw = mailbox.fetch(message.uid) if wanted else None
        if raw is not None and hashlib.sha256(raw).hexdigest() in wanted:
            yield message.uid
