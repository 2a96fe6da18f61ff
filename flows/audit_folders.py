"""The audit of the mailbox: every message that lies there, in whichever folder, is in the ledger.

Rules, filters and people move mail before we read it. Outside the inbox a message is known by what it
is, not by where it lies; one that the ledger lacks is taken in, so that it becomes a ticket after all.

Of the spam folder only what is encrypted is taken in, because nobody seals spam to our key. The rest
is counted and told to the handlers once a day: to open it unasked would send receipts to forged
addresses and advertisements to the IBD, and a human sees at a glance what is a report.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from ..mailbox.errors import MailboxError
from ..mailbox.imap import IntakeMailbox, Waiting
from ..models import ledger
from ..models.alarms import AlarmKind, Look, open_alarms
from ..models.audited import audited_up_to, note_audited
from ..models.auditing import look_at_inbox
from .installation import Installation
from .taking import take

#: Messages of one folder that are compared in one go; the next audit goes on behind them.
MOST_COMPARED = 2000
BATCH = 100
_SEALED = re.compile(rb"multipart/encrypted|application/pgp-encrypted|-----BEGIN PGP MESSAGE-----", re.I)


@dataclass
class Compared:
    """What the comparison of folders found so far."""

    taken_in: set[str] = field(default_factory=set[str])
    too_many: set[str] = field(default_factory=set[str])
    junk: int = 0


def look_at_mailbox(place: Installation, *, before: datetime, whole: bool, takes_all: bool) -> list[Look]:
    """Compare every folder with the ledger: what is new in it since the last time, or ``whole``.

    A mailbox that cannot be read is an alarm, and nothing else is said about it.
    """
    try:
        with IntakeMailbox(place.imap) as mailbox:
            looks = _look_at_inbox(place, mailbox, before)
            looks += _look_elsewhere(place, mailbox, whole=whole, takes_all=takes_all)
    except MailboxError as error:
        return [Look(AlarmKind.MAILBOX_CLOSED, frozenset({type(error).__name__}))]
    return [*looks, Look(AlarmKind.MAILBOX_CLOSED)]


def _look_at_inbox(place: Installation, mailbox: IntakeMailbox, before: datetime) -> list[Look]:
    """What lies there longer than the intake needs is taken in and told of, also what cannot be had.

    A server may list a message and give no byte of it; who lists another size than it delivers has its
    message in the ledger all the same.
    """
    where = _place_of(place, place.imap.inbox, mailbox.uidvalidity)
    old = [message for message in mailbox.waiting() if message.arrived_at < before]
    with place.database.reading() as session:
        entered = ledger.entered(session, where, old)
    left = [message for message in old if message.uid not in entered]
    taken = [message for message in left if take(place, mailbox, where, message) is not None]
    not_given = [message for message in left if message not in taken and mailbox.fetch(message.uid) is None]
    with place.database.reading() as session:
        entered = ledger.entered(session, where, not_given)  # by an intake that was quicker
        not_put_away = look_at_inbox(session, where, before=before)
    told = [*taken, *(message for message in not_given if message.uid not in entered)]
    about = frozenset(f"{where.uidvalidity}-{message.uid}" for message in told)
    return [Look(AlarmKind.LEFT_IN_INBOX, about), not_put_away]


def _look_elsewhere(
    place: Installation, mailbox: IntakeMailbox, *, whole: bool, takes_all: bool
) -> list[Look]:
    compared = Compared()
    folders = {"archive": place.imap.archive, "quarantine": place.imap.quarantine}
    if (junk := mailbox.junk_folder()) is not None:
        folders["junk"] = junk
    for role, folder in folders.items():
        uidvalidity = mailbox.examine(folder)
        if uidvalidity is not None:
            where = _place_of(place, folder, uidvalidity)
            _compare(place, mailbox, where, role, compared, whole=whole, takes_all=takes_all)
    return [
        Look(AlarmKind.NOT_IN_LEDGER, frozenset(compared.taken_in)),
        Look(AlarmKind.MANY_NOT_IN_LEDGER, frozenset(compared.too_many)),
        _look_at_junk(place, compared.junk),
    ]


def _compare(
    place: Installation,
    mailbox: IntakeMailbox,
    where: ledger.Place,
    role: str,
    compared: Compared,
    *,
    whole: bool,
    takes_all: bool,
) -> None:
    """Compare the folder that is open, and move its mark as far as all is known."""
    with place.database.reading() as session:
        mark = 0 if whole else audited_up_to(session, where)
    there = mailbox.waiting(above=mark, most=None if whole else MOST_COMPARED)
    unknown = list(_unknown(place, mailbox, there))
    if role == "junk":
        compared.junk += sum(not is_sealed for _, is_sealed in unknown)
        unknown = [(message, is_sealed) for message, is_sealed in unknown if is_sealed]
    upper = max((message.uid for message in there), default=0)
    if len(unknown) > place.config.audit.most_taken_in and not takes_all:
        compared.too_many.add(role)
        upper = unknown[0][0].uid - 1
    else:
        numbers = [take(place, mailbox, where, message, lies_away=True) for message, _ in unknown]
        compared.taken_in.update(str(number) for number in numbers if number is not None)
    if upper:
        with place.database.unit_of_work() as session:
            note_audited(session, where, upper)


def _unknown(
    place: Installation, mailbox: IntakeMailbox, there: list[Waiting]
) -> Iterator[tuple[Waiting, bool]]:
    """The messages that the ledger lacks, and whether each is sealed; one at a time is in memory."""
    for start in range(0, len(there), BATCH):
        some: list[tuple[Waiting, str, bool]] = []
        for message in there[start : start + BATCH]:
            raw = mailbox.fetch(message.uid)
            if raw is not None:
                some.append((message, ledger.identity_of(raw), _SEALED.search(raw) is not None))
        with place.database.reading() as session:
            known = ledger.known_identities(session, [identity for _, identity, _ in some])
        yield from ((message, is_sealed) for message, identity, is_sealed in some if identity not in known)


def _look_at_junk(place: Installation, new: int) -> Look:
    """One alarm a day, however much spam it brings."""
    today = place.promise.local_day(place.clock()).isoformat()
    with place.database.reading() as session:
        was_told = today in open_alarms(session).get(AlarmKind.JUNK, [])
    return Look(AlarmKind.JUNK, frozenset({today} if new or was_told else ()))


def _place_of(place: Installation, folder: str, uidvalidity: int) -> ledger.Place:
    account = place.imap
    return ledger.Place(f"{account.user}@{account.host}/{folder}", uidvalidity)
