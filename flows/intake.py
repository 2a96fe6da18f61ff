"""Intake: every waiting message opens a ticket, joins one, is filed away, or is quarantined.

One message is one task run, and only its ledger number passes through Prefect: what Prefect is
given, Prefect stores. A message leaves the inbox after the database has it and what became of it,
so a run that dies half-way is simply run again.
"""

from prefect import flow, task

from ..mailbox.errors import ServerUnreachable
from ..mailbox.imap import IntakeMailbox
from ..models import ledger
from ..models.ledger import Verdict
from .automations import SignsOfLife
from .discretion import discreet
from .filing import file_entry, note_failure
from .installation import Installation, installation
from .shifts import Shift, begin_again, tell
from .taking import take

RECONNECT_SECONDS = 5.0


@flow(name="intake", flow_run_name="intake", on_crashed=[begin_again])
def intake(minutes: float | None = None) -> int:
    """Take in what waits, for a shift or (``minutes`` 0) once; gives how many messages were filed."""
    with discreet("intake"):
        place, filed = installation(), 0
        last, signs = set[int](), SignsOfLife(place)
        with Shift("intake", place, minutes=minutes) as shift:
            for _ in shift.turns(pause=RECONNECT_SECONDS):
                with shift.enduring():
                    filed += _at_the_mailbox(place, shift, last, signs)
        return filed


def _at_the_mailbox(place: Installation, shift: Shift, last: set[int], signs: SignsOfLife) -> int:
    filed = 0
    try:
        with IntakeMailbox(place.imap) as mailbox:
            for _ in shift.turns(pause=0):
                filed += _work_through(place, mailbox, shift, last)
                signs.give()
                if not shift.is_single:
                    mailbox.wait(place.config.imap.poll_seconds)
    except ServerUnreachable as error:
        if shift.is_single:
            raise
        tell(f"the intake mailbox is out of reach ({type(error).__name__}); trying again")
    return filed


def _work_through(place: Installation, mailbox: IntakeMailbox, shift: Shift, last: set[int]) -> int:
    take_waiting(place, mailbox, shift, last)
    filed = 0
    for number in _undecided(place):
        if not shift.is_ours():
            break
        state = take_in(number, return_state=True)
        filed += state.is_completed()
        if not state.is_completed():
            shift.ask_anew()
    put_away(place, mailbox)
    shift.worked()
    return filed


def take_waiting(
    place: Installation, mailbox: IntakeMailbox, shift: Shift, last: set[int] | None = None
) -> int:
    """Write every waiting message that the ledger does not have yet into it, each in one commit.

    ``last`` remembers the UIDs at which the connection broke or the database failed: they come after
    the others, which would otherwise wait behind them for ever.
    """
    last = set() if last is None else last
    where = _where(place, mailbox)
    waiting = mailbox.waiting()
    with place.database.reading() as session:
        entered = ledger.entered(session, where, waiting)
    taken = 0
    for message in sorted(waiting, key=lambda message: (message.uid in last, message.uid)):
        if message.uid not in entered and shift.is_ours():
            last.add(message.uid)
            with shift.enduring():
                taken += take(place, mailbox, where, message) is not None
                last.discard(message.uid)
    return taken


@task(task_run_name="message {number}")
def take_in(number: int) -> Verdict:
    """Decide what becomes of one message of the ledger, and do it, in one transaction."""
    with discreet(f"message {number}"):
        place = installation()
        try:
            verdict, _ = file_entry(place, number)
        except Exception as error:
            note_failure(place, number, error)
            raise
        return verdict


def put_away(place: Installation, mailbox: IntakeMailbox) -> int:
    """Move every decided message out of the inbox; one that is gone already does not matter."""
    where = _where(place, mailbox)
    with place.database.reading() as session:
        decided = ledger.not_put_away(session, where)
    if not decided:
        return 0
    in_quarantine = [uid for _, uid, verdict in decided if verdict is Verdict.QUARANTINED]
    in_archive = [uid for _, uid, verdict in decided if verdict is not Verdict.QUARANTINED]
    for uids, folder in ((in_archive, place.imap.archive), (in_quarantine, place.imap.quarantine)):
        if uids:
            mailbox.put_away(uids, folder)
    with place.database.unit_of_work() as session:
        ledger.were_put_away(session, [number for number, _, _ in decided], now=place.clock())
    return len(decided)


def _where(place: Installation, mailbox: IntakeMailbox) -> ledger.Place:
    account = place.imap
    return ledger.Place(f"{account.user}@{account.host}/{account.inbox}", mailbox.uidvalidity)


def _undecided(place: Installation) -> list[int]:
    with place.database.reading() as session:
        return ledger.undecided(session, place.clock())
