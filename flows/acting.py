"""What handlers and owners can do to a ticket: one table, for the form, for mail and for confirmed acts.

An order says what is wanted and by whom. :func:`carry_out` looks its action up, refuses what the action
would make no use of, and calls the one verb in ``models/`` that does it, in the caller's transaction.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from ..models import acts, joining
from ..models.embargo import propose_embargo, propose_publication
from ..models.errors import Refused
from ..models.milestones import milestone, withdraw_milestone
from ..models.rating import rate
from ..models.severity import Severity
from ..models.states import CloseReason
from ..models.telling import note, tell_reporter
from ..models.ticket import Ticket, WaitingOn
from .answer_templates import text_with
from .installation import Records


class Action(StrEnum):
    """What can be done, as the form offers it."""

    ANSWER = "answer the reporter"
    ASK = "ask the reporter"
    TELL = "write to the reporter: no answer yet"
    NOTE = "note for the team"
    CONFIRM = "confirm"
    INVALIDATE = "not confirmed"
    ACCEPT = "accept: it will be fixed"
    DEFER = "put on hold"
    ASSIGN = "assign"
    RATE = "set the severity"
    MILESTONE = "note a milestone"
    WITHDRAW = "withdraw a milestone"
    WAIT = "wait for somebody, or go on"
    EMBARGO = "propose the embargo's end"
    LIFT = "lift the embargo"
    PUBLICATION = "propose publication"
    JOIN = "join: it belongs to another ticket"
    KEEP_APART = "keep apart: it belongs to no other ticket"
    RELEASE = "release the copy for the IBD"
    CLOSE = "close"


class Order(BaseModel):
    """What somebody wants to be done, checked by us: Prefect checks no more than the types of fields."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    action: Action
    who: str = Field(min_length=1)
    text: str = ""
    template: str = ""
    expected_fix_date: date | None = None
    no_date_because: str = ""
    assign_to: str = ""
    severity: Severity | None = None
    cvss_vector: str = ""
    belongs_to: str = ""
    close_reason: CloseReason | None = None
    milestone: str = ""
    happened_at: datetime | None = None
    wait_for: WaitingOn | None = None
    embargo_ends_at: datetime | None = None
    publish_on: date | None = None


#: The years of which days are told; what lies beyond is a slip of the pen.
FIRST_YEAR, LAST_YEAR = 2000, 2199


@dataclass(frozen=True)
class Doing:
    """An order that is being carried out."""

    place: Records
    session: Session
    ticket: Ticket
    order: Order
    now: datetime

    @property
    def who(self) -> dict[str, Any]:
        """Who does it, and when."""
        return {"by": self.order.who, "now": self.now}

    @property
    def because(self) -> dict[str, Any]:
        """Who does it, when and why."""
        return self.who | {"because": self.order.text}

    @property
    def move(self) -> dict[str, Any]:
        """The same, for what clocks follow."""
        return self.because | {"promise": self.place.promise}

    def local(self, instant: datetime) -> datetime:
        """A time without an offset is the organisation's own."""
        if instant.tzinfo:
            return instant
        return instant.replace(tzinfo=ZoneInfo(self.place.config.organisation.zone))


@dataclass(frozen=True)
class Deed:
    """How an action is done, which fields it makes use of, and whether who acts has to prove it."""

    do: Callable[[Doing], object]
    uses: frozenset[str]
    needs_proof: bool = False


def carry_out(
    place: Records, session: Session, ticket: Ticket, order: Order, *, proof: str = "", account: str = ""
) -> None:
    """Do what is ordered; raises :class:`Refused`.

    ``proof`` is how we know who acts, as a code for the history: ``pin``, ``link``, ``signature``;
    ``account`` is as whom the proxy in front of Prefect knows them.
    """
    deed = DEEDS[order.action]
    _refuse_what_would_be_lost(order, deed)
    _refuse_a_slip_of_the_pen(order)
    now = place.clock()
    if known := {name: value for name, value in (("proof", proof), ("account", account)) if value}:
        ticket.record("proved", by=order.who, at=now, action=order.action.value, **known)
    deed.do(Doing(place, session, ticket, order, now))


def needs_proof(order: Order) -> bool:
    """Whether an order has consequences that cannot be taken back, so that who acts has to prove it."""
    return DEEDS[order.action].needs_proof


def _refuse_what_would_be_lost(order: Order, deed: Deed) -> None:
    filled = {name for name, value in order if value and name not in ("action", "who")}
    if unused := sorted(name.replace("_", " ") for name in filled - deed.uses):
        raise Refused(
            f"{order.action.value!r} makes no use of {' and '.join(unused)}, and nothing was done:"
            " leave it empty, or do what it belongs to first"
        )


def _refuse_a_slip_of_the_pen(order: Order) -> None:
    """Refuse years that nobody means, and that calendars do not reach."""
    days = (order.expected_fix_date, order.publish_on, order.embargo_ends_at, order.happened_at)
    for day in days:
        if day is not None and not FIRST_YEAR <= day.year <= LAST_YEAR:
            raise Refused(
                f"the year {day.year} is a slip of the pen: give one from {FIRST_YEAR} to {LAST_YEAR}"
            )


def _answer(on: Doing) -> None:
    order = on.order
    acts.answer(
        on.session,
        on.ticket,
        text=_text(on, fix_on=order.expected_fix_date),
        fix_on=order.expected_fix_date,
        no_date_because=order.no_date_because,
        promise=on.place.promise,
        **on.who,
    )


def _text(on: Doing, *, fix_on: date | None = None) -> str:
    order, reference = on.order, on.ticket.reference
    return text_with(on.place.config, order.template, order.text, reference=reference, fix_on=fix_on)


def _tell(on: Doing, *, asks: bool) -> None:
    tell_reporter(on.session, on.ticket, text=_text(on), asks=asks, promise=on.place.promise, **on.who)


def _embargo(on: Doing) -> None:
    if on.order.embargo_ends_at is None:
        raise Refused("give the moment at which the embargo ends, or lift it")
    _keep_silent(on, until=on.local(on.order.embargo_ends_at))


def _keep_silent(on: Doing, *, until: datetime | None) -> None:
    how: dict[str, Any] = on.who | {"text": on.order.text, "promise": on.place.promise}
    propose_embargo(on.session, on.ticket, ends_at=until, **how)


def _publication(on: Doing) -> None:
    if on.order.publish_on is None:
        raise Refused("give the day on which something would be published")
    how: dict[str, Any] = on.who | {"text": on.order.text, "promise": on.place.promise}
    propose_publication(on.session, on.ticket, on=on.order.publish_on, **how)


def _rate(on: Doing) -> None:
    rate(on.session, on.ticket, severity=on.order.severity, vector=on.order.cvss_vector, **on.because)


def _milestone(on: Doing) -> None:
    happened_at = on.local(on.order.happened_at or on.now)
    milestone(on.session, on.ticket, what=on.order.milestone, happened_at=happened_at, **on.move)


def _wait(on: Doing) -> None:
    if on.order.wait_for is None:
        raise Refused("choose who is waited for: clocks stand still or run on by it")
    acts.wait(on.session, on.ticket, on=on.order.wait_for, **on.move)


def _close(on: Doing) -> None:
    if on.order.close_reason is None:
        raise Refused("choose the reason for closing: the reporter is told it")
    acts.close(on.session, on.ticket, reason=on.order.close_reason, **on.move)


def _uses(*names: str) -> frozenset[str]:
    return frozenset(names)


#: Every action. The text is the reason where it is not sent itself.
DEEDS: Mapping[Action, Deed] = {
    Action.ANSWER: Deed(_answer, _uses("template", "text", "expected_fix_date", "no_date_because")),
    Action.ASK: Deed(lambda on: _tell(on, asks=True), _uses("template", "text")),
    Action.TELL: Deed(lambda on: _tell(on, asks=False), _uses("template", "text")),
    Action.NOTE: Deed(lambda on: note(on.session, on.ticket, text=on.order.text, **on.who), _uses("text")),
    Action.CONFIRM: Deed(lambda on: acts.confirm(on.session, on.ticket, **on.move), _uses("text")),
    Action.INVALIDATE: Deed(lambda on: acts.invalidate(on.session, on.ticket, **on.move), _uses("text")),
    Action.ACCEPT: Deed(lambda on: acts.accept(on.session, on.ticket, **on.move), _uses("text")),
    Action.DEFER: Deed(lambda on: acts.defer(on.session, on.ticket, **on.move), _uses("text")),
    Action.ASSIGN: Deed(
        lambda on: acts.assign(
            on.session, on.ticket, to=on.order.assign_to, team=on.place.promise.triage, **on.because
        ),
        _uses("text", "assign_to"),
    ),
    Action.RATE: Deed(_rate, _uses("text", "severity", "cvss_vector")),
    Action.MILESTONE: Deed(_milestone, _uses("text", "milestone", "happened_at")),
    Action.WITHDRAW: Deed(
        lambda on: withdraw_milestone(on.session, on.ticket, what=on.order.milestone, **on.move),
        _uses("text", "milestone"),
    ),
    Action.WAIT: Deed(_wait, _uses("text", "wait_for")),
    Action.EMBARGO: Deed(_embargo, _uses("text", "embargo_ends_at")),
    Action.LIFT: Deed(lambda on: _keep_silent(on, until=None), _uses("text")),
    Action.PUBLICATION: Deed(_publication, _uses("text", "publish_on")),
    Action.JOIN: Deed(
        lambda on: joining.join(on.session, on.ticket, to=on.order.belongs_to, **on.move),
        _uses("text", "belongs_to"),
        needs_proof=True,
    ),
    Action.KEEP_APART: Deed(
        lambda on: joining.keep_apart(on.session, on.ticket, **on.because), _uses("text")
    ),
    Action.RELEASE: Deed(
        lambda on: acts.release_copy(on.session, on.ticket, **on.who), _uses(), needs_proof=True
    ),
    Action.CLOSE: Deed(_close, _uses("text", "close_reason"), needs_proof=True),
}
