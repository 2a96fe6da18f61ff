"""Audit: mailbox, ledger, tickets and outbox are compared, and whatever differs is alarmed.

It mends two things only: a message that the ledger lacks is taken in, and what was forgotten leaves
mailbox and keyring. Everything else that it finds is for a human, who is told once, in kinds and numbers.
Any number of audits may run at once.
"""

from collections.abc import Collection
from datetime import timedelta

from prefect import flow

from ..models.alarms import NOTICES, Look, take_note, tell_of_alarms
from ..models.auditing import look_at_bytes, look_at_histories, look_at_records
from ..models.leases import did_work, take_lease
from .audit_folders import look_at_mailbox
from .clearing import clear_away
from .discretion import WorkFailed, discreet
from .installation import Installation, installation

NAME = "audit"


@flow(name=NAME, flow_run_name=NAME)
def audit() -> int:
    """Compare everything; fails with kinds and numbers when anything is wrong."""
    with discreet(NAME):
        place = installation()
        wrong = [f"{len(look.wrong)} {look.kind.value}" for look in wrong_in(compare(place))]
        wrong += clear_away(place)
    if wrong:
        raise WorkFailed(f"{NAME}: " + ", ".join(wrong))
    return 0


def compare(place: Installation, *, whole: bool = False, takes_all: bool = False) -> list[Look]:
    """Look at everything, raise and settle alarms, tell the handlers what is new; gives what was seen.

    ``whole`` looks at all of what is otherwise looked at in slices or since the last time;
    ``takes_all`` takes in every message that the ledger lacks, however many there are.
    """
    now, config = place.clock(), place.config.audit
    before = now - timedelta(minutes=config.patience_minutes)
    turn = None if whole else int(now.timestamp() // (config.every_minutes * 60))
    looks = look_at_mailbox(place, before=before, whole=whole, takes_all=takes_all)
    with place.database.reading() as session:
        looks += look_at_records(session, before=before, now=now)
        looks += [look_at_bytes(session, turn), look_at_histories(session, turn)]
    with place.database.unit_of_work() as session:
        if take_note(session, looks, now=now):
            tell_of_alarms(session, place.promise, now=now)
        take_lease(session, NAME, holder=NAME, now=now, lasting=timedelta())  # so that there is a row
        did_work(session, NAME, until=now + 2 * timedelta(minutes=config.every_minutes))
    return looks


def wrong_in(looks: Collection[Look]) -> list[Look]:
    """What differs, without what merely asks for a look."""
    return [look for look in looks if look.wrong and look.kind not in NOTICES]
