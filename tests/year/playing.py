"""The acts of the simulated year, each with the product's own verb, in one transaction.

Together with an act it is noted that it was played, so that one whose process was killed is played
again if, and only if, nothing of it was committed.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from meldbalie.flows.installation import Records, working_time
from meldbalie.models import acts
from meldbalie.models.absences import go_away
from meldbalie.models.calendar_versions import make_version
from meldbalie.models.delivery import (
    bounced,
    claim_next,
    parked,
    try_again,
    was_delivered,
    was_hindered,
    was_not_delivered,
)
from meldbalie.models.errors import AnswerIncomplete, IllegalMove, Refused
from meldbalie.models.filing import Received, join_ticket, open_ticket
from meldbalie.models.holding import hold
from meldbalie.models.links import make_link
from meldbalie.models.milestones import milestone, withdraw_milestone
from meldbalie.models.outbox import Mail, MailKind, MailState
from meldbalie.models.owners import Asset, AssetKind, Owner
from meldbalie.models.restraint import BY_HAND
from meldbalie.models.rung_mails import acknowledge, acknowledge_by_reply, call_off, is_needless
from meldbalie.models.states import CloseReason
from meldbalie.models.threads import standing_of, thread_behind, thread_token
from meldbalie.models.ticket import Ticket, WaitingOn, ticket_called
from meldbalie.tests.year.desks import OWNERS, address_of
from meldbalie.tests.year.script import Act
from sqlalchemy import Column, Float, Integer, MetaData, String, Table, delete, insert, select
from sqlalchemy.orm import Session

NOTES = MetaData()
#: The acts that were played, with the ticket that each opened, or why the desk refused it.
PLAYED = Table(
    "played",
    NOTES,
    Column("number", Integer, primary_key=True),
    Column("story", Integer, index=True),
    Column("opened", String),
    Column("refused", String),
)
#: The mails of rungs whose recipients will say that they saw them, and when.
TO_BE_SEEN = Table(
    "to_be_seen",
    NOTES,
    Column("mail", Integer, primary_key=True),
    Column("token", String),
    Column("at", Float, index=True),
)
WAITS = [timedelta(minutes=minutes) for minutes in (1, 5, 15, 60)]
#: Mails that no clock waits for.
QUIET = frozenset({MailKind.HANDLER_REPORT, MailKind.OWNER_REPORT, MailKind.MESSAGE, MailKind.UNDELIVERED})
BY = "Fatima"


def play(place: Records, act: Act) -> None:
    """Play an act unless it was played; what the desk refuses has been played as well."""
    with place.database.reading() as session:
        if session.scalar(select(PLAYED.c.number).where(PLAYED.c.number == act.number)) is not None:
            return
    try:
        with place.database.unit_of_work() as session:
            opened = _VERBS[act.verb](place, session, act)
            session.execute(insert(PLAYED).values(number=act.number, story=act.story, opened=opened))
    except (Refused, IllegalMove, AnswerIncomplete) as refused:
        with place.database.unit_of_work() as session:
            told = str(refused)[:200]
            session.execute(insert(PLAYED).values(number=act.number, story=act.story, refused=told))


def _ticket(session: Session, act: Act) -> Ticket:
    opened = select(PLAYED.c.opened).where(PLAYED.c.story == act.story, PLAYED.c.opened.is_not(None))
    reference = session.scalar(opened)
    if reference is None:
        raise Refused("the report has not arrived yet")
    return ticket_called(session, reference)


def _arrive(place: Records, session: Session, act: Act) -> str:
    ticket = open_ticket(session, _received(act), place.promise, now=place.clock())
    if act.how["has_page"]:
        make_link(session, ticket, at=place.clock())
    return ticket.reference


def _received(act: Act) -> Received:
    named = act.how.get("named", True)
    return Received(
        arrived_at=act.how.get("arrived_at", act.at),
        subject="A report",
        text="It does what it should not.",
        targets=(act.how["host"],) if act.how.get("host") else (),
        name="Sanne" if named else None,
        address=f"sanne{act.story}@onderzoek.example" if named else None,
    )


def _further_message(place: Records, session: Session, act: Act) -> None:
    token = thread_token(session, _ticket(session, act), "reporter")
    session.flush()
    thread = thread_behind(session, [token])
    assert thread is not None
    join_ticket(session, _received(act), standing_of(session, thread), place.promise, now=place.clock())


def _answer(place: Records, session: Session, act: Act) -> None:
    days = act.how["days"]
    now = place.clock()
    acts.answer(
        session,
        _ticket(session, act),
        text="We look into it.",
        fix_on=None if days is None else place.promise.local_day(now) + timedelta(days=days),
        no_date_because="the supplier does not know yet" if days is None else "",
        by=BY,
        promise=place.promise,
        now=now,
    )


def _moves(verb: Callable[..., None]) -> Callable[[Records, Session, Act], None]:
    def move(place: Records, session: Session, act: Act) -> None:
        ticket = _ticket(session, act)
        verb(session, ticket, by=BY, because="it is so", promise=place.promise, now=place.clock())

    return move


def _wait(place: Records, session: Session, act: Act) -> None:
    on, ticket = WaitingOn(act.how["on"]), _ticket(session, act)
    acts.wait(session, ticket, on=on, by=BY, because="a log", promise=place.promise, now=place.clock())


def _assign(place: Records, session: Session, act: Act) -> None:
    acts.assign(session, _ticket(session, act), to=act.how["to"], by=BY, because="", now=place.clock())


def _close(place: Records, session: Session, act: Act) -> None:
    reason, ticket = CloseReason(act.how["reason"]), _ticket(session, act)
    acts.close(session, ticket, reason=reason, by=BY, because="", promise=place.promise, now=place.clock())


def _bounce(place: Records, session: Session, act: Act) -> None:
    """The last answer or closing that left comes back."""
    ticket = _ticket(session, act)
    hold(session, ticket)
    sent = select(Mail.id).where(
        Mail.ticket_id == ticket.id,
        Mail.kind.in_((MailKind.ANSWER, MailKind.STATE_CHANGED)),
        Mail.state == MailState.SENT,
    )
    number = session.scalars(sent.order_by(Mail.id.desc()).limit(1)).first()
    if number is None:
        raise Refused("nothing has left that could come back")
    bounced(session, ticket, "reporter", place.promise, now=place.clock(), number=number)


def _milestone(place: Records, session: Session, act: Act) -> None:
    now = place.clock()
    happened = now - act.how["ago"]
    what, ticket = act.how["what"], _ticket(session, act)
    milestone(session, ticket, what=what, happened_at=happened, by=BY, promise=place.promise, now=now)


def _withdraw(place: Records, session: Session, act: Act) -> None:
    what, ticket = act.how["what"], _ticket(session, act)
    withdraw_milestone(
        session, ticket, what=what, by=BY, because="an error", promise=place.promise, now=place.clock()
    )


def _owners(place: Records, session: Session, act: Act) -> None:
    for name, host in OWNERS.items():
        asset = Asset(kind=AssetKind.HOST, value=host)
        session.add(Owner(name=name, address=address_of(name), assets=[asset]))


def _away(place: Records, session: Session, act: Act) -> None:
    how = act.how
    go_away(session, how["owner"], first_day=how["first_day"], last_day=how["last_day"], deputy=how["deputy"])


def _own_days(place: Records, session: Session, act: Act) -> None:
    """Import the closed days as `calendar import` does; the next sweep winds the tickets."""
    make_version(
        session, working_time(place.config), place.promise, own_days=act.how["days"], by=BY, now=place.clock()
    )


def _send_again(place: Records, session: Session, act: Act) -> None:
    for number in parked(session):
        try_again(session, number, now=place.clock())


_VERBS: dict[str, Callable[[Records, Session, Act], Any]] = {
    "arrive": _arrive,
    "further_message": _further_message,
    "answer": _answer,
    "confirm": _moves(acts.confirm),
    "invalidate": _moves(acts.invalidate),
    "accept": _moves(acts.accept),
    "defer": _moves(acts.defer),
    "wait": _wait,
    "assign": _assign,
    "close": _close,
    "bounce": _bounce,
    "milestone": _milestone,
    "withdraw": _withdraw,
    "owners": _owners,
    "away": _away,
    "own_days": _own_days,
    "send_again": _send_again,
}


def deliver(place: Records, *, is_up: bool) -> None:
    """Let leave what is due, in the order of the deliver flow; while the server is down nothing does."""
    while (number := _claimed(place, is_up=is_up)) is not None:
        if number and not _called_off(place, number) and not _leaves(place, number, is_up=is_up):
            return


def _claimed(place: Records, *, is_up: bool) -> int | None:
    """Claim the next mail; what no clock waits for leaves at once, which is 0."""
    with place.database.unit_of_work() as session:
        number = claim_next(session, place.clock())
        if number is None or not is_up:
            return number
        mail = session.get_one(Mail, number)
        if mail.kind not in QUIET:
            return number
        was_delivered(session, mail, place.promise, sealed=True, now=place.clock())
        return 0


def _called_off(place: Records, number: int) -> bool:
    with place.database.reading() as session:
        if not is_needless(session, session.get_one(Mail, number)):
            return False
    with place.database.unit_of_work() as session:
        return call_off(session, session.get_one(Mail, number), now=place.clock())


def _leaves(place: Records, number: int, *, is_up: bool) -> bool:
    """A mail server takes nearly everything at once, some later, and some not at all."""
    now = place.clock()
    with place.database.unit_of_work() as session:
        mail = session.get_one(Mail, number)
        if not is_up:
            was_hindered(session, mail, "ServerUnreachable", now=now)
            return False
        luck = _luck(mail)
        if luck < 0.004 and mail.problem != BY_HAND:
            problem = "RecipientRefused"
            was_not_delivered(session, mail, problem, place.promise, waits=WAITS, for_good=True, now=now)
        elif luck < 0.03 and mail.tries < 3:
            problem = "ServerRefused"
            was_not_delivered(session, mail, problem, place.promise, waits=WAITS, for_good=False, now=now)
        else:
            _will_be_seen(session, mail, now)
            was_delivered(session, mail, place.promise, sealed=True, now=now)
    return True


def _luck(mail: Mail, salt: str = "") -> float:
    return int.from_bytes(sha256(f"{salt}{mail.once}".encode()).digest()[:4]) / 2**32


def _will_be_seen(session: Session, mail: Mail, now: datetime) -> None:
    token, luck = (mail.facts or {}).get("acknowledge"), _luck(mail, "seen")
    if token and luck < 0.5:
        at = now + timedelta(hours=1 + 10 * luck) * luck
        session.execute(insert(TO_BE_SEEN).values(mail=mail.id, token=token, at=at.timestamp()))


def see(place: Records) -> None:
    """Let the recipients of rungs say that they saw them, by the link or by a reply."""
    with place.database.reading() as session:
        due = select(TO_BE_SEEN).where(TO_BE_SEEN.c.at <= place.clock().timestamp()).order_by(TO_BE_SEEN.c.at)
        seen = session.execute(due).all()
    for mail_id, token, _ in seen:
        with place.database.unit_of_work() as session:
            mail = session.get_one(Mail, mail_id)
            if mail_id % 3:
                acknowledge(session, token, now=place.clock())
            elif mail.ticket is not None:
                hold(session, mail.ticket)
                acknowledge_by_reply(
                    session, mail.ticket, mail_id, mail.party, how="signed_reply", now=place.clock()
                )
            session.execute(delete(TO_BE_SEEN).where(TO_BE_SEEN.c.mail == mail_id))
