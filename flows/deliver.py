"""Deliver: every mail of the outbox leaves once, sealed to its one recipient.

The only place that sends mail. A mail is claimed in one transaction, leaves, and is recorded in
the next; what cannot be sent is tried again with growing pauses and then parked where a handler
sees it. While no server is to be reached all of it waits, for as long as it takes. Where our own
installation is at fault (a wrong password, no TLS, no gpg) the mail waits, and the run fails, for
Prefect to show. Only the row's number passes through Prefect.
"""

import logging
from datetime import timedelta

from prefect import flow, task

from ..mailbox import smtp
from ..mailbox.compose import UnfitDraft, plain, sealed
from ..mailbox.errors import CannotSeal, MailboxError, MailRefused, SealRefusal, ServerUnreachable
from ..models.alarms import AlarmKind, Look, take_note, tell_of_alarms
from ..models.calendar_versions import plan_now
from ..models.delivery import (
    anything_due,
    claim_next,
    put_off_all,
    was_delivered,
    was_held,
    was_held_back,
    was_hindered,
    was_not_delivered,
)
from ..models.outbox import Mail, MailKind
from ..models.restraint import Limits, Most, why_held_back
from ..models.rung_mails import call_off, hold_until_open, is_needless
from ..settings import retry_waits
from .discretion import discreet
from .installation import Installation, installation
from .mails import Letter, letter
from .shifts import Shift, begin_again
from .spoken import Withheld

LOG = logging.getLogger(__name__)
PAUSE_SECONDS = 1.0
OUTAGE = timedelta(minutes=1)  # until the server is looked for again
WRITTEN_BY_OTHERS = frozenset(
    {MailKind.OWNER_REPORT, MailKind.HANDLER_REPORT, MailKind.IBD_COPY, MailKind.HELD_COPY, MailKind.MESSAGE}
)
#: What is wrong with a recipient's key; when sealing fails otherwise, we are at fault.
NO_USABLE_KEY = frozenset(
    {SealRefusal.UNKNOWN_KEY, SealRefusal.EXPIRED, SealRefusal.REVOKED, SealRefusal.NO_ENCRYPTION_KEY}
)


@flow(name="deliver", flow_run_name="deliver", on_crashed=[begin_again])
def deliver(minutes: float | None = None) -> int:
    """Send what is due, for a shift or (``minutes`` 0) until nothing is; gives how many left."""
    with discreet("deliver"):
        place, sent = installation(), 0
        with Shift("deliver", place, minutes=minutes) as shift:
            for _ in shift.turns(pause=PAUSE_SECONDS):
                with shift.enduring():
                    while shift.is_ours() and (number := _claim(place)) is not None:
                        sent += send_mail(number)
                    shift.worked()
        return sent


@task(task_run_name="mail {number}")
def send_mail(number: int) -> bool:
    """Send one claimed mail; ``True`` when a server has taken it."""
    with discreet(f"mail {number}"):
        return send(installation(), number)


def _claim(place: Installation) -> int | None:
    now = place.clock()
    with place.database.reading() as session:
        if not anything_due(session, now):
            return None
    with place.database.unit_of_work() as session:
        return claim_next(session, now)


def send(place: Installation, number: int) -> bool:
    """Seal and send one claimed mail and record what came of it.

    Raises what another mail may meet as well, or what nobody foresaw.
    """
    if _is_called_off(place, number) or _waits_for_opening(place, number) or _is_held_back(place, number):
        return False
    try:
        was_sealed = _seal_and_send(place, number)
    except ServerUnreachable as error:
        if _is_server_away(place):
            return _put_off(place, number, type(error).__name__)
        return _failed(place, number, type(error).__name__, for_good=False)
    except (MailRefused, UnfitDraft) as error:
        return _failed(place, number, type(error).__name__, for_good=True)
    except Withheld as withheld:
        return _held(place, number, withheld.problem)
    except MailboxError as error:
        _hindered(place, number, type(error).__name__)
        raise
    except Exception as error:
        _failed(place, number, type(error).__name__, for_good=False)
        raise
    with place.database.unit_of_work() as session:
        mail = session.get_one(Mail, number)
        was_delivered(session, mail, place.promise, sealed=was_sealed, now=place.clock())
        take_note(session, [Look(AlarmKind.MAIL_SERVER_AWAY)], now=place.clock())
    return True


def _is_called_off(place: Installation, number: int) -> bool:
    """Let a mail of a rung be that nobody needs any more: its clock stopped while it waited."""
    with place.database.reading() as session:
        if not is_needless(session, session.get_one(Mail, number)):
            return False
    with place.database.unit_of_work() as session:
        return call_off(session, session.get_one(Mail, number), now=place.clock())


def _waits_for_opening(place: Installation, number: int) -> bool:
    """Let a mail of a rung wait that was held for office hours, and would leave after them."""
    with place.database.reading() as session:
        if session.get_one(Mail, number).not_before is None:
            return False
    with place.database.unit_of_work() as session:
        calendar = plan_now(session, place.promise).calendar
        return hold_until_open(session, session.get_one(Mail, number), calendar, now=place.clock())


def _is_held_back(place: Installation, number: int) -> bool:
    """Park a mail that would keep a loop going, or that nobody would get."""
    loops = place.config.loops
    limits = Limits(
        per_ticket=[Most(one.mails, timedelta(minutes=one.minutes)) for one in loops.per_ticket],
        per_address=[Most(one.mails, timedelta(minutes=one.minutes)) for one in loops.per_address],
    )
    with place.database.reading() as session:
        problem = why_held_back(session, session.get_one(Mail, number), limits)
    if problem is None:
        return False
    with place.database.unit_of_work() as session:
        mail = session.get_one(Mail, number)
        was_held_back(session, mail, problem, place.promise, now=place.clock())
    return True


def _is_server_away(place: Installation) -> bool:
    """Whether it is the server that is out of reach, rather than this mail that it will not take now."""
    try:
        smtp.check(place.smtp)
    except MailboxError:
        return True
    return False


def _put_off(place: Installation, number: int, problem: str) -> bool:
    """Let all mail wait while the server is out of reach: that is no mail's fault, and no try counts."""
    LOG.warning("the mail server is out of reach (%s); all mail waits", problem)
    now, away = place.clock(), Look(AlarmKind.MAIL_SERVER_AWAY, wrong=frozenset({problem}))
    with place.database.unit_of_work() as session:
        was_hindered(session, session.get_one(Mail, number), problem, now=now, wait=OUTAGE)
        if take_note(session, [away], now=now):
            tell_of_alarms(session, place.promise, now=now)
        session.flush()
        put_off_all(session, now + OUTAGE)
    return False


def _seal_and_send(place: Installation, number: int) -> bool:
    written = _letter(place, number, sealed=True)
    raw = _sealed(place, written)
    was_sealed = raw is not None
    if raw is None:
        written = _letter(place, number, sealed=False)
        raw = plain(written.draft)
    smtp.send(raw, sender=written.bounces_to, recipient=written.draft.recipient, via=place.smtp)
    return was_sealed


def _letter(place: Installation, number: int, *, sealed: bool) -> Letter:
    with place.database.unit_of_work() as session:
        return letter(place, session, session.get_one(Mail, number), sealed=sealed)


def _sealed(place: Installation, written: Letter) -> bytes | None:
    """The sealed mail, or ``None`` without a usable key. We never sign what others wrote."""
    if not written.fingerprint:
        return None
    signed_by = None if written.kind in WRITTEN_BY_OTHERS else place.config.pgp.fingerprint
    try:
        return sealed(
            written.draft,
            outer_subject=written.outer_subject,
            keyring=place.keyring,
            to=written.fingerprint,
            signed_by=signed_by,
        )
    except CannotSeal as error:
        if error.reason not in NO_USABLE_KEY:
            raise
        return None


def _failed(place: Installation, number: int, problem: str, *, for_good: bool) -> bool:
    with place.database.unit_of_work() as session:
        was_not_delivered(
            session,
            session.get_one(Mail, number),
            problem,
            place.promise,
            waits=retry_waits(place.config),
            for_good=for_good,
            now=place.clock(),
        )
    return False


def _held(place: Installation, number: int, problem: str) -> bool:
    with place.database.unit_of_work() as session:
        was_held(session, session.get_one(Mail, number), problem, place.promise, now=place.clock())
    return False


def _hindered(place: Installation, number: int, problem: str) -> None:
    with place.database.unit_of_work() as session:
        was_hindered(session, session.get_one(Mail, number), problem, now=place.clock())
