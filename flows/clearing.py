"""What was forgotten leaves the mailbox as well: the copies that lie in its folders are deleted there.

The ledger forgets first and for good. A mailbox that is away keeps its copies until the next audit, which
tries again; each message is looked for by its bytes, so that nothing else is ever deleted.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence

from ..mailbox.errors import MailboxError
from ..mailbox.imap import IntakeMailbox
from ..models.forgetting import Erased, forget_late_copies, to_be_cleared, were_cleared
from .installation import Installation


def clear_away(place: Installation) -> list[str]:
    """Delete what was forgotten from the mailbox; gives what is left to do, in words without a report."""
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
