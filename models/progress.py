"""How reporters of joined tickets stay informed: of the problem, on their own ticket, and of nobody else.

A ticket that was joined with another is closed, and what becomes of the problem happens on the other. Its
reporter is told each time that this stands differently: the state, why it was closed, the expected fix date,
when it was fixed, until when both keep silent, the day to publish on. What handlers write to the other
reporter stays there, and no word tells that there is one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from .filing import reporter_of
from .outbox import MailKind, write_mail
from .standing import FIX_DEPLOYED, standing_milestones
from .states import CloseReason, TicketState
from .suggestions import have_one_reporter, main_number, tickets_joined_with
from .ticket import Event, Ticket

S, R = TicketState, CloseReason

#: What the state of the problem means to whoever reported it as well: Dutch, English.
MEANINGS: Mapping[TicketState, tuple[str, str]] = {
    S.RECEIVED: ("Wij beoordelen het probleem.", "We are assessing the problem."),
    S.INVALID: (
        "Wij hebben het probleem nog niet kunnen bevestigen.",
        "We have not been able to confirm the problem so far.",
    ),
    S.VALID: (
        "Wij hebben het probleem bevestigd en bepalen hoe het wordt opgelost.",
        "We have confirmed the problem and decide how it will be fixed.",
    ),
    S.ACCEPTED: ("Er wordt aan een oplossing gewerkt.", "A fix is being worked on."),
    S.DEFERRED: ("Het oplossen is uitgesteld.", "The fix is on hold."),
    S.CLOSED: ("Wij zijn klaar met de behandeling.", "We have finished handling it."),
}
#: Reasons that would tell of the other report or of who sent it.
OF_ANOTHER = frozenset({R.DUPLICATE, R.WITHDRAWN, R.NO_RESPONSE, R.SPAM})
#: The events of what we propose about making things known.
PROPOSALS = ("embargo_proposed", "publication_proposed")
LIFTED = "lifted"
WITHDRAWN = "withdrawn"
#: What is said of a problem that is fixed and still open: Dutch, English.
FIXED = ("Het probleem is opgelost.", "The problem has been fixed.")


@dataclass(frozen=True)
class Progress:
    """How the problem behind a report stands: all that somebody else who reported it may know."""

    state: TicketState = TicketState.RECEIVED
    close_reason: CloseReason | None = None
    fix_on: date | None = None
    fixed_at: datetime | None = None
    embargo_ends_at: datetime | None = None
    publish_on: date | None = None

    @property
    def facts(self) -> dict[str, str]:
        """The same as a mail and the history hold it."""
        return {
            "state": self.state.value,
            "reason": self.close_reason.value if self.close_reason else "",
            "fix_on": str(self.fix_on or ""),
            "fixed_at": self.fixed_at.isoformat() if self.fixed_at else "",
            "embargo": self.embargo_ends_at.isoformat() if self.embargo_ends_at else "",
            "publish_on": str(self.publish_on or ""),
        }

    def news(self, before: "Progress", now: datetime) -> dict[str, str]:
        """What a mail says of it to somebody who was told another one before.

        What we propose is proposed once, and not when it has passed; what they were told of is taken back.
        """
        facts, ends_at, on = self.facts, self.embargo_ends_at, self.publish_on
        if ends_at == before.embargo_ends_at or (ends_at and ends_at <= now):
            facts["embargo"] = ""
        elif not ends_at:
            facts["embargo"] = LIFTED
        if before.fixed_at and not self.fixed_at and self.state is not TicketState.CLOSED:
            facts["fixed_at"] = WITHDRAWN
        if on == before.publish_on or (on and on < now.date()):
            facts["publish_on"] = ""
        return facts

    @classmethod
    def read(cls, facts: Mapping[str, str]) -> "Progress":
        """The progress that a mail or the history holds."""
        reason, fix_on = facts["reason"], facts["fix_on"]
        embargo, publish_on = facts.get("embargo", ""), facts.get("publish_on", "")  # not in version 0.1
        fixed_at = facts.get("fixed_at", "")
        return cls(
            TicketState(facts["state"]),
            CloseReason(reason) if reason else None,
            date.fromisoformat(fix_on) if fix_on else None,
            datetime.fromisoformat(fixed_at) if fixed_at not in ("", WITHDRAWN) else None,
            datetime.fromisoformat(embargo) if embargo not in ("", LIFTED) else None,
            date.fromisoformat(publish_on) if publish_on else None,
        )


def progress_behind(session: Session, ticket: Ticket) -> Progress | None:
    """How the problem stands that a joined ticket is about; ``None`` for a ticket that was not joined."""
    number = main_number(session, ticket.id)
    if number == ticket.id:
        return None
    columns = select(Ticket.id, Ticket.state, Ticket.close_reason, Ticket.expected_fix_on)
    return _as_told(session, *session.execute(columns.where(Ticket.id == number)).tuples().one())


def day_to_publish(on: date | None, embargo_ends_at: datetime | None, zone: tzinfo | None) -> date | None:
    """The day that was proposed to publish on, unless it lies before the end of the silence."""
    if on and embargo_ends_at and on < embargo_ends_at.astimezone(zone).date():
        return None
    return on


def pass_on(
    session: Session,
    ticket: Ticket,
    *,
    by: str,
    now: datetime,
    newly_joined: Sequence[Ticket] = (),
    reopens: Ticket | None = None,
) -> None:
    """Tell the reporters of the tickets joined with this one how it stands, if that is new to them.

    Hold the ticket first. Its own reporter has been told, also of a second report of theirs. What was said
    before to others is told to those that were ``newly_joined``; whoever was told of the one that this
    ``reopens`` goes on from there. Nothing waits for the joined tickets: mails
    are written on them, and nothing of theirs is changed.
    """
    session.flush()
    is_being_closed = ticket.state is TicketState.CLOSED and ticket.close_reason is None
    if is_being_closed or main_number(session, ticket.id) != ticket.id:
        return
    progress = _as_told(session, ticket.id, ticket.state, ticket.close_reason, ticket.expected_fix_on)
    joined = newly_joined or tickets_joined_with(session, ticket)
    told = [one for one in joined if not have_one_reporter(one, ticket)]
    before = Progress() if newly_joined else _last_told(session, reopens or ticket)
    if not told or progress == before:
        return
    numbers = ", ".join(one.reference for one in told)
    passed_on = ticket.record("passed_on", by=by, at=now, to=numbers, **progress.facts)
    for one in told:
        reporter = reporter_of(one)
        if reporter:
            write_mail(
                session,
                MailKind.PROGRESS,
                reporter,
                party="reporter",
                cause=f"{ticket.id}.{passed_on.seq}",
                now=now,
                ticket=one,
                facts=progress.news(before, now),
            )


def last_told_at(session: Session, ticket: Ticket) -> datetime | None:
    """When the reporter of a joined ticket could last learn something new of the problem."""
    told = select(Event.at).where(
        Event.ticket_id == main_number(session, ticket.id), Event.kind == "passed_on"
    )
    return session.scalar(told.order_by(Event.seq.desc()).limit(1))


def _as_told(
    session: Session, number: int, state: TicketState, reason: CloseReason | None, fix_on: date | None
) -> Progress:
    proposed = select(Event.kind, Event.facts).where(Event.ticket_id == number, Event.kind.in_(PROPOSALS))
    last = dict(session.execute(proposed.order_by(Event.seq)).tuples().all())
    embargo, publication = last.get("embargo_proposed"), last.get("publication_proposed")
    ends_at = embargo["ends_at"] if embargo else ""
    is_closed = state is TicketState.CLOSED
    return Progress(
        state,
        reason if is_closed and reason not in OF_ANOTHER else None,
        None if is_closed else fix_on,
        None if is_closed else standing_milestones(session, number).get(FIX_DEPLOYED),
        datetime.fromisoformat(ends_at).astimezone(UTC) if ends_at else None,
        date.fromisoformat(publication["on"]) if publication else None,
    )


def _last_told(session: Session, ticket: Ticket) -> Progress:
    told = select(Event.facts).where(Event.ticket_id == ticket.id, Event.kind == "passed_on")
    facts = session.scalar(told.order_by(Event.seq.desc()).limit(1))
    return Progress.read(facts) if facts else Progress()
