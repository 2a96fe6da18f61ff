"""Today's duty, as a page: who is on call, and whatever waits for somebody, each with what to do about it.

Numbers, states, dates, codes, and the names of owners, handlers and others of the organisation. What is
told in words of time would change every minute, so instants are told.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..mailbox.wording import alarm_in_words
from ..models.absences import absences_ahead, who_hears
from ..models.alarms import open_alarms
from ..models.clocks import ClockKind
from ..models.desk import DeskRun
from ..models.forgetting import forget_due
from ..models.leases import Lease
from ..models.outbox import MailKind, MailState
from ..models.quarantine import in_quarantine
from ..models.rota import Rota
from ..models.rota_file import RotaFile
from ..models.ticket import Ticket
from ..models.unanswered import unanswered
from ..models.waiting import (
    KEPT_FOR_DAYS,
    Due,
    Stuck,
    asked_for,
    clocks_ahead,
    stuck_mails,
    undecided,
    unseen_rungs,
)
from .artifacts import link, page, plain
from .clock_words import title
from .desk import local
from .installation import Records
from .key_watch import INTAKE, WatchedKey
from .open_tickets import mail_in_words
from .saved_links import OPEN_TICKETS, deployments_by_hand, run_address
from .watching import PATIENCE, SWEEP, WORKED_ON_END

MOST = 20  # of a section
MOST_NAMED = 5  # of what an alarm is about
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Section:
    """One thing that may wait, what to do about it, and what waits."""

    name: str
    to_do: str
    lines: Sequence[str]


def duty(place: Records, session: Session, keys: Sequence[WatchedKey]) -> str:
    """The page as it stands now, in markdown."""
    return "\n".join(_lines(place, session, keys))


def _lines(place: Records, session: Session, keys: Sequence[WatchedKey]) -> Iterator[str]:
    today = place.promise.local_day(place.clock())
    yield f"# Today's duty: {today:%A} {today.day} {today:%B %Y}"
    yield "\n## On call\n"
    yield from (f"- {line}" for line in (*_on_call(place), *_away(place, session)))
    sections = list(_sections(place, session, keys))
    for one in sections:
        if one.lines:
            yield f"\n## {one.name}: {len(one.lines)}\n\n{one.to_do}\n"
            yield from (f"- {line}" for line in one.lines[:MOST])
        if len(one.lines) > MOST:
            yield f"- and {len(one.lines) - MOST} more"
    nothing = [one.name.lower() for one in sections if not one.lines]
    if len(nothing) == len(sections):
        yield "\n**Nothing to do.**"
    if nothing:
        yield f"\nNothing of: {', '.join(nothing)}."


def _on_call(place: Records) -> Iterator[str]:
    now, promise = place.clock(), place.promise
    known = promise.rota.rota(now) if isinstance(promise.rota, RotaFile) else promise.rota
    rota = known if isinstance(known, Rota) else Rota()
    person = rota.on_duty(now)
    if person is None and promise.on_call:
        yield f"**{plain(promise.on_call.name)}**, as the settings say"
    elif person is None and rota.shifts:
        instead = promise.lead.name if promise.lead else "the handlers"
        yield f"**Nobody by the rota**; {plain(instead)} will be told: complete the rota"
    elif person is None:
        yield "Nobody is configured: set `on_call`, or `rota.file`"
    else:
        yield f"**{plain(person.name)}**"
    if (change := _change(rota, now)) is not None:
        after = rota.on_duty(change)
        yield f"From {local(place, change)} on: {plain(after.name) if after else '**nobody by the rota**'}"


def _change(rota: Rota, now: datetime) -> datetime | None:
    """When somebody else is on duty; ``None`` when nobody knows."""
    person = rota.on_duty(now)
    edges = {edge for shift in rota.shifts for edge in (shift.begins_at, shift.ends_at) if edge > now}
    return next((edge for edge in sorted(edges) if rota.on_duty(edge) != person), None)


def _away(place: Records, session: Session) -> Iterator[str]:
    today = place.promise.local_day(place.clock())
    for absence in absences_ahead(session, today):
        if absence.first_day <= today:
            hears = who_hears(session, absence.owner, on=today).who
            instead = f"{plain(hears.name)} hears" if hears else "the handlers hear"
            until = f"{absence.last_day:%a %d %b}"
            yield f"{plain(absence.owner.name)} is away until {until} included; {instead} of its clocks"


def _sections(place: Records, session: Session, keys: Sequence[WatchedKey]) -> Iterator[Section]:
    yield from _clocks(place, session)
    yield Section(
        "Deadlines that nobody has seen",
        "Open the link in the mail of the deadline; else the next rung tells more people.",
        [
            f"{_run(place, one.reference, one.run_id)} {plain(title(one.kind))}, rung {plain(one.rung)}:"
            f" to be seen by {local(place, one.at)}"
            for one in unseen_rungs(session)
        ],
    )
    yield Section(
        "Reporters who wrote and were not answered yet",
        "`meldbalie show` prints what they wrote; answer in the form of the ticket, or by mail.",
        list(_wrote_last(place, session)),
    )
    yield _quarantine(place, session)
    yield from _mails(place, session)
    yield from _decisions(place, session)
    yield Section(
        "Keys that end or are of no use",
        "Ask for a new one, `meldbalie keys import` it and pin it; for the intake `meldbalie keys rotate`.",
        [_key(place, one) for one in keys if one.trouble],
    )
    yield Section(
        "Alarms",
        "What to do stands beside it; it goes when a later look finds it mended.",
        [_alarm(kind, about) for kind, about in open_alarms(session).items()],
    )
    yield Section(
        "Kept long enough, to be forgotten",
        f"Closed {KEPT_FOR_DAYS} days ago or earlier. Start {link('`forget`', deployments_by_hand(place))}"
        " without numbers, and confirm it by the link in your mail; the log names what cannot be forgotten.",
        forget_due(session, place.clock(), KEPT_FOR_DAYS),
    )
    yield Section(
        "Flows without a sign of life",
        "See whether `meldbalie up` runs, and what the runs of the flow say.",
        list(_silent_flows(place, session)),
    )


def _clocks(place: Records, session: Session) -> Iterator[Section]:
    now = place.clock()
    ahead = clocks_ahead(session, now + DAY)
    overdue = [one for one in ahead if one.at <= now]
    soon = [one for one in ahead if now < one.at <= now + DAY and one.kind != ClockKind.SHARE]
    laws = [one for one in ahead if one.is_of_a_law and one.at > now + DAY]
    to_do = f"Open its run and do what the clock asks; {link('all by due date', page(place, OPEN_TICKETS))}."
    yield Section("Overdue", to_do, [_due(place, one) for one in overdue])
    yield Section("Due within 24 hours", to_do, [_due(place, one) for one in soon])
    yield Section("Clocks of laws", "They run at night as well.", [_due(place, one) for one in laws])


def _due(place: Records, one: Due) -> str:
    handler = f", handled by {plain(one.handler)}" if one.handler else ""
    due = f"{plain(title(one.kind))}, due {local(place, one.at)}"
    return f"{_run(place, one.reference, one.run_id)} {due}: {plain(one.owner)}{handler}"


def _run(place: Records, reference: str, run_id: str | None) -> str:
    return link(reference, run_address(place, reference, run_id))


def _wrote_last(place: Records, session: Session) -> Iterator[str]:
    for at_work, number in unanswered(session):
        ticket, on = session.get_one(Ticket, at_work), session.get_one(Ticket, number)
        row = session.get(DeskRun, at_work)
        joined = "" if on is ticket else f": on {on.reference}, which was joined with it"
        yield f"{_run(place, ticket.reference, row.run_id if row else None)}{joined}"


def _quarantine(place: Records, session: Session) -> Section:
    return Section(
        "Quarantine",
        "`meldbalie quarantine` says why, and what can be done about each.",
        [f"message {one.id}, arrived {local(place, one.arrived_at)}" for one in in_quarantine(session)],
    )


def _mails(place: Records, session: Session) -> Iterator[Section]:
    stuck = stuck_mails(session, place.clock())
    yield Section(
        "Held copies and mails",
        "Look at the report (`meldbalie show`), then release the copy in the form of the ticket.",
        [_mail(place, one) for one in stuck if one.state is MailState.HELD],
    )
    yield Section(
        "Undelivered mail",
        "Mend the address or the key, then `meldbalie outbox --retry NUMBER`.",
        [_mail(place, one) for one in stuck if one.state is not MailState.HELD],
    )


def _mail(place: Records, one: Stuck) -> str:
    about = f"{_run(place, one.reference, one.run_id)} " if one.reference else ""
    why = plain((one.problem or "").replace("_", " "))
    what = mail_in_words(one.kind) + ("" if one.kind is MailKind.IBD_COPY else f" to the {one.party}")
    mail = f"mail {one.number}, {what}, written {local(place, one.at)}"
    return f"{about}{mail}{f': {why}' if why else ''}"


def _decisions(place: Records, session: Session) -> Iterator[Section]:
    asked = asked_for(session, place.clock())
    yield Section(
        "Acts to be confirmed",
        "Whoever asked for it opens the link in their sealed mail; else nothing is done.",
        [
            f"{_run(place, one.reference, one.run_id) if one.reference else 'several tickets'}"
            f" {plain(one.who)}: {plain(one.action)}, until {local(place, one.at)}"
            for one in asked
        ],
    )
    yield Section(
        "Matches to decide on",
        "Open its run: join the two, or keep them apart.",
        [
            f"{_run(place, reference, run_id)} may belong to {other}"
            for _, reference, run_id, other in undecided(session)
        ],
    )


def _silent_flows(place: Records, session: Session) -> Iterator[str]:
    signs = dict(session.execute(select(Lease.name, Lease.worked_until)).tuples().all())
    for name in (*WORKED_ON_END, SWEEP):
        sign, patience = signs.get(name), timedelta() if name == SWEEP else PATIENCE
        if sign is None or place.clock() > sign + patience:
            yield f"{name}: {f'none since {local(place, sign)}' if sign else 'none yet'}"


def _key(place: Records, one: WatchedKey) -> str:
    trouble = one.trouble
    whose = "The intake" if one.role == INTAKE else f"{plain(one.holder.name)} ({one.role.replace('_', ' ')})"
    what = (trouble.problem if trouble else "").replace("_", " ")
    when = f" {local(place, trouble.ends_at)}" if trouble and trouble.ends_at else ""
    return f"{whose}: {what}{when}"


def _alarm(kind: str, about: Sequence[str]) -> str:
    what, to_do = alarm_in_words(kind)
    named = ", ".join(plain(one) for one in about[:MOST_NAMED])
    more = f" and {len(about) - MOST_NAMED} more" if len(about) > MOST_NAMED else ""
    return f"**{what}**: {named}{more}. {to_do}"
