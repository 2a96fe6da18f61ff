"""The pages of the desk, read without Prefect: what is due, and whatever else waits for somebody."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from meldbalie.flows import key_watch
from meldbalie.flows.artifacts import plain
from meldbalie.flows.duty import MOST as MOST_LINES
from meldbalie.flows.duty import duty
from meldbalie.flows.installation import Records
from meldbalie.flows.key_ends import KeyTrouble
from meldbalie.flows.open_tickets import MOST, open_tickets
from meldbalie.flows.saved_links import deployments_by_hand, run_address, runs
from meldbalie.flows.watching import SWEEP, WORKED_ON_END
from meldbalie.models import acts
from meldbalie.models.absences import go_away
from meldbalie.models.alarms import AlarmKind, Look, take_note
from meldbalie.models.clock_rules import Statutory
from meldbalie.models.clocks import FiredRung
from meldbalie.models.confirmations import Confirmation
from meldbalie.models.desk import desk_run_of
from meldbalie.models.ladder import climb, due_clocks
from meldbalie.models.leases import Lease
from meldbalie.models.ledger import Place, Verdict, enter
from meldbalie.models.milestones import milestone
from meldbalie.models.outbox import Mail, MailKind, MailState
from meldbalie.models.promise import Correspondent, RungPlan
from meldbalie.models.rota import OnDuty, Rota
from meldbalie.models.session import Database
from meldbalie.models.severity import Severity
from meldbalie.models.states import CloseReason
from meldbalie.models.suggestions import Suggestion
from meldbalie.models.ticket import WaitingOn, ticket_called
from meldbalie.settings import Settings
from meldbalie.tests.models.conftest import (
    application_key,
    database,
    postgres_database,
    postgres_template,
    sqlite_database,
)
from meldbalie.tests.models.reports import (
    ANONYMOUS,
    ARRIVED,
    DAY,
    DUE,
    HOUR,
    LEAD,
    ON_CALL,
    PROMISE,
    add_owner,
    reported,
)
from sqlalchemy import event, select, update
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

__all__ = [
    "application_key",
    "database",
    "postgres_database",
    "postgres_template",
    "sqlite_database",
]

PIET, ANNA = (Correspondent(name, f"{name.lower()}@voorbeeld.example") for name in ("Piet", "Anna"))


def at(place: Records, instant: datetime) -> Records:
    """The same desk at another time."""
    return replace(place, clock=lambda: instant)


@pytest.fixture
def place(database: Database) -> Records:
    """A desk without tickets, an hour after the first report will have arrived; all flows work."""
    with database.unit_of_work() as session:
        for name in (*WORKED_ON_END, SWEEP):
            alive = {"holder": "somebody", "expires_at": DUE + 90 * DAY, "worked_until": DUE + 90 * DAY}
            session.add(Lease(name=name, **alive))
    return Records(Settings(), database, PROMISE, lambda: ARRIVED + HOUR / 2)


def the_open_tickets(place: Records) -> str:
    with place.database.reading() as session:
        return open_tickets(place, session)


def the_duty(place: Records, *keys: key_watch.WatchedKey) -> str:
    with place.database.reading() as session:
        return duty(place, session, keys)


def headings(markdown: str) -> list[str]:
    return [line.removeprefix("## ") for line in markdown.splitlines() if line.startswith("## ")]


def under(markdown: str, heading: str) -> list[str]:
    """The lines of a section that list something."""
    [section] = [part for part in markdown.split("\n## ")[1:] if part.startswith(heading)]
    return [line for line in section.splitlines() if line.startswith(("- ", "| [", "| CVD"))]


@contextmanager
def statements() -> Generator[list[str]]:
    """The statements that are executed meanwhile."""
    heard: list[str] = []

    def hear(_c: object, _cursor: object, statement: str, *_: object) -> None:
        heard.append(statement)

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        event.remove(Engine, "before_cursor_execute", hear)


def arrives(place: Records, *, at: datetime) -> str:
    return reported(place.database, replace(ANONYMOUS, arrived_at=at), place.promise, now=ARRIVED)


def answered(place: Records, reference: str) -> None:
    """The reporter, who left no address, is answered on the status page."""
    with place.database.unit_of_work() as session:
        acts.answer(
            session,
            ticket_called(session, reference),
            text="Dank.",
            fix_on=None,
            no_date_because="wordt bekeken",
            by="Fatima",
            promise=place.promise,
            now=place.clock(),
        )


def is_closed(place: Records, reference: str) -> None:
    """A handler could not confirm a report, and closes its ticket."""
    with place.database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        how: dict[str, Any] = {"by": "Fatima", "because": "x", "promise": place.promise, "now": place.clock()}
        acts.invalidate(session, ticket, **how)
        acts.close(session, ticket, reason=CloseReason.OUT_OF_SCOPE, **how)


def waits(place: Records, reference: str, on: WaitingOn) -> None:
    with place.database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        acts.wait(
            session, ticket, on=on, by="Fatima", because="vraag", promise=place.promise, now=place.clock()
        )


def test_open_tickets_stand_under_what_is_to_be_done_first(place: Records) -> None:
    place = replace(place, promise=replace(PROMISE, share=30 * DAY))
    arrived = {name: ARRIVED - days * DAY for name, days in (("late", 6), ("soon", 4), ("week", 1))}
    late, soon, week, fixed, asked, closed = (
        arrives(place, at=arrived.get(name, ARRIVED))
        for name in ("late", "soon", "week", "fixed", "asked", "closed")
    )
    for reference in (fixed, asked):
        answered(place, reference)
    waits(place, asked, WaitingOn.REPORTER)
    is_closed(place, closed)
    with place.database.unit_of_work() as session:
        ticket = ticket_called(session, soon)
        desk_run_of(session, ticket).run_id = "4711"
        ticket.handler, ticket.severity = "Fatima", Severity.HIGH
        session.execute(update(Suggestion).values(settled_at=ARRIVED))

    page = the_open_tickets(place)

    sections = ("Overdue", "Due soon", "Due within a week", "Answered and being fixed")
    waiting = "Answered and waiting for somebody"
    assert headings(page) == [f"{title}: 1" for title in (*sections, waiting)]
    for title, reference in zip((*sections, waiting), (late, soon, week, fixed, asked), strict=True):
        assert [reference in line for line in under(page, title)] == [True], title
    [row] = under(page, "Due soon")
    run = f"[{soon}]({run_address(place, soon, '4711')})"
    assert row == f"| {run} | answer Fri 20 Nov 14:05 |  | Received | handler | Web team | Fatima | high |"
    [row] = under(page, "Overdue")
    assert "| **overdue:** answer Wed 18 Nov 14:05 |" in row
    assert closed not in page


def test_what_waits_on_a_ticket_stands_beside_it(place: Records) -> None:
    first, second = (reported(place.database, now=ARRIVED) for _ in range(2))
    with place.database.unit_of_work() as session:
        copy = mail_of(session, first, MailKind.IBD_COPY)
        copy.state, copy.problem = MailState.HELD, "in_doubt"
        mail_of(session, first, MailKind.RECEIPT).state = MailState.PARKED
        session.execute(update(Suggestion).values(settled_at=None))
        if not session.scalars(select(Suggestion)).first():
            one, other = ticket_called(session, second), ticket_called(session, first)
            session.add(Suggestion(ticket=one, other=other, why="sender", made_at=ARRIVED))

    page = the_open_tickets(place)

    marks = {line.split("]")[0][3:]: line.split("|")[3].strip() for line in under(page, "Due")}
    assert marks == {first: "copy for the IBD held, receipt parked", second: f"may belong to {first}"}


def mail_of(session: Session, reference: str, kind: MailKind) -> Mail:
    ticket = ticket_called(session, reference)
    found = session.scalars(select(Mail).where(Mail.ticket_id == ticket.id, Mail.kind == kind)).first()
    assert found
    return found


def test_a_long_section_is_cut_and_leads_to_the_rest(place: Records) -> None:
    for _ in range(MOST + 3):
        reported(place.database, ANONYMOUS)
    overdue = at(place, DUE + HOUR)

    with statements() as many:
        page = the_open_tickets(overdue)

    assert headings(page) == [f"Overdue: {MOST + 3}"]
    assert len(under(page, "Overdue")) == MOST
    assert f"[and 3 more]({runs(place, states=['Overdue'])})" in page
    assert len(the_duty(overdue).splitlines()) < 6 * MOST_LINES
    for number in range(MOST):
        is_closed(overdue, f"CVD-2026-{number + 1:04}")
    with statements() as few:
        the_open_tickets(overdue)
    assert len(few) == len(many) <= 9


def test_no_ticket_is_open(place: Records) -> None:
    assert "No ticket is open." in the_open_tickets(place)


def test_with_nothing_to_do_the_page_of_the_day_says_so_and_what_it_looked_at(place: Records) -> None:
    page = the_duty(place)

    assert page.startswith("# Today's duty: Thursday 19 November 2026\n\n## On call\n\n- **On call**, as the")
    assert "**Nothing to do.**" in page
    assert "Nothing of: overdue, due within 24 hours, clocks of laws," in page
    assert headings(page) == ["On call"]


def test_nothing_changes_by_time_alone_until_something_falls_due(place: Records) -> None:
    reported(place.database, ANONYMOUS)
    with place.database.unit_of_work() as session:
        session.execute(update(Mail).values(state=MailState.SENT))

    for look in (the_duty, the_open_tickets):
        assert look(place) == look(at(place, place.clock() + timedelta(minutes=29)))
        assert look(place) != look(at(place, DUE))


def on_duty(place: Records, *shifts: tuple[int, int, Correspondent], **more: Any) -> list[str]:
    """What the page says of who is on call, with shifts in hours from now."""
    now = place.clock()
    rota = Rota(tuple(OnDuty(now + begin * HOUR, now + end * HOUR, who) for begin, end, who in shifts))
    return under(the_duty(replace(place, promise=replace(PROMISE, rota=rota, **more))), "On call")


def test_who_is_on_call_until_when_and_who_is_next(place: Records) -> None:
    assert on_duty(place) == ["- **On call**, as the settings say"]
    assert on_duty(place, on_call=None) == ["- Nobody is configured: set `on_call`, or `rota.file`"]
    assert on_duty(place, (-1, 4, PIET), (4, 9, PIET), (9, 20, ANNA)) == [
        "- **Piet**",
        "- From Thu 19 Nov 23:35 on: Anna",
    ]
    assert on_duty(place, (-1, 4, PIET)) == [
        "- **Piet**",
        "- From Thu 19 Nov 18:35 on: **nobody by the rota**",
    ]
    gap = "- **Nobody by the rota**; Team lead will be told: complete the rota"
    assert on_duty(place, (3, 4, PIET), on_call=None) == [gap, "- From Thu 19 Nov 17:35 on: Piet"]
    nobody = on_duty(place, (3, 4, PIET), on_call=None, lead=None)[0]
    assert nobody == "- **Nobody by the rota**; the handlers will be told: complete the rota"


def test_who_is_away_and_who_hears_instead(place: Records) -> None:
    today = place.promise.local_day(place.clock())
    with place.database.unit_of_work() as session:
        for name in ("Web team", "Net team", "Later team"):
            add_owner(session, name, f"{name.split()[0].lower()}@voorbeeld.example")
        go_away(session, "Web team", first_day=today, last_day=today + 3 * DAY, deputy="Net team")
        go_away(session, "Net team", first_day=today - DAY, last_day=today)
        go_away(session, "Later team", first_day=today + DAY, last_day=today + DAY)

    assert under(the_duty(place), "On call")[1:] == [
        "- Net team is away until Thu 19 Nov included; the handlers hear of its clocks",
        "- Web team is away until Sun 22 Nov included; the handlers hear of its clocks",
    ]


def test_the_page_of_the_day_names_what_is_due(place: Records) -> None:
    law = Statutory("early_warning", hours=72, starts_on="exploited", stops_on="authority_warned")
    with_law = replace(PROMISE, statutory=(law,))
    place = replace(place, promise=with_law)
    reference = reported(place.database, ANONYMOUS, with_law)
    with place.database.unit_of_work() as session:
        session.execute(update(Mail).values(state=MailState.SENT))
        ticket = ticket_called(session, reference)
        noted = {"what": "exploited", "happened_at": ARRIVED, "by": "Fatima", "because": ""}
        milestone(session, ticket, promise=with_law, now=ARRIVED, **noted)

    run = f"[{reference}]({run_address(place, reference, None)})"
    warning = f"- {run} Early warning, due Sun 22 Nov 14:05: Web team"
    assert under(the_duty(place), "Clocks of laws") == [warning]
    soon = the_duty(at(place, ARRIVED + 4 * DAY + HOUR))
    assert [line.split(") ")[1] for line in under(soon, "Due within 24 hours")] == [
        "Answer to the reporter, due Tue 24 Nov 14:05: Web team"
    ]
    assert len(under(soon, "Overdue")) == 2  # the law's, and the copy for the IBD


def test_the_page_of_the_day_names_mails_messages_and_alarms_by_number(place: Records) -> None:
    reference = reported(place.database)
    with place.database.unit_of_work() as session:
        session.execute(update(Mail).values(state=MailState.SENT))
        copy = mail_of(session, reference, MailKind.IBD_COPY)
        copy.state, copy.problem = MailState.HELD, "in_doubt"
        receipt = mail_of(session, reference, MailKind.RECEIPT)
        receipt.state, receipt.problem = MailState.PARKED, "RecipientRefused"
        entry = enter(
            session,
            Place("inbox", 1),
            7,
            b"?",
            message_id="<1@x>",
            arrived_at=ARRIVED,
            now=ARRIVED,
        )
        entry.verdict, entry.problem = Verdict.QUARANTINED, "CannotDecrypt"
        take_note(session, [Look(AlarmKind.MAIL_OVERDUE, frozenset({"12"}))], now=ARRIVED)
        numbers = copy.id, receipt.id

    page = the_duty(place)

    run = f"[{reference}]({run_address(place, reference, None)})"
    written = "written Thu 19 Nov 14:06"
    assert under(page, "Held") == [f"- {run} mail {numbers[0]}, copy for the IBD, {written}: in doubt"]
    assert under(page, "Undelivered") == [
        f"- {run} mail {numbers[1]}, receipt to the reporter, {written}: RecipientRefused"
    ]
    assert under(page, "Quarantine") == ["- message 1, arrived Thu 19 Nov 14:05"]
    [alarm] = under(page, "Alarms")
    assert ": 12. " in alarm
    assert "Nothing to do" not in page


def test_a_mail_of_a_closed_ticket_is_forgotten_after_a_month(place: Records) -> None:
    reference = reported(place.database)
    with place.database.unit_of_work() as session:
        session.execute(update(Mail).values(state=MailState.PARKED))
        ticket = ticket_called(session, reference)
        ticket.closed_at = ARRIVED

    assert "Undelivered" in the_duty(place)
    assert "## Undelivered" not in the_duty(at(place, ARRIVED + 31 * DAY))


def test_the_page_of_the_day_names_what_was_kept_long_enough(place: Records) -> None:
    kept, forgotten, _ = (reported(place.database, ANONYMOUS) for _ in range(3))
    for reference in (kept, forgotten):
        is_closed(place, reference)
    with place.database.unit_of_work() as session:
        ticket_called(session, forgotten).forgotten_at = place.clock()

    due = at(place, place.clock() + 90 * DAY)

    assert "## Kept long enough" not in the_duty(at(place, due.clock() - timedelta(seconds=1)))
    assert under(the_duty(due), "Kept long enough, to be forgotten: 1") == [f"- {kept}"]
    assert f"[`forget`]({deployments_by_hand(place)})" in the_duty(due)


def test_the_page_of_the_day_names_what_is_to_be_decided(place: Records) -> None:
    seen = RungPlan(0.5, ("lead",), acknowledge=HOUR)
    asking = replace(PROMISE, ladder=(seen, RungPlan(1.0, ("ciso",))))
    place = replace(place, promise=asking)
    first, second = (reported(place.database, ANONYMOUS, asking) for _ in range(2))
    half = ARRIVED + 2.5 * DAY
    with place.database.unit_of_work() as session:
        one, other = ticket_called(session, first), ticket_called(session, second)
        session.add_all(
            Confirmation(
                ticket=ticket,
                who="Fatima",
                action="close",
                wanted={},
                token_hash=str(number),
                made_at=ARRIVED,
                expires_at=half + (number - 1) * HOUR,
            )
            for number, ticket in enumerate((one, other, None))
        )
        session.execute(update(Suggestion).values(settled_at=ARRIVED))
        if (known := session.scalars(select(Suggestion)).first()) is None:
            session.add(Suggestion(ticket=other, other=one, why="sender", made_at=ARRIVED))
        else:
            known.settled_at = None
        for clock in due_clocks(session, half):
            climb(session, clock, asking, now=half)
        rungs = session.scalars(select(FiredRung).where(FiredRung.acknowledge_by.is_not(None))).all()
        assert len(rungs) == 2
        rungs[0].acknowledged_at = half

    page = the_duty(at(place, half + HOUR / 2))

    [unseen] = under(page, "Deadlines that nobody has seen")
    assert "Answer to the reporter, rung 50%: to be seen by" in unseen.replace("\\", "")
    assert [line.partition("Fatima")[1:] for line in under(page, "Acts to be confirmed")] == [
        ("Fatima", ": close, until Sun 22 Nov 03:05")
    ]
    assert "several tickets" in under(page, "Acts to be confirmed")[0]
    [match] = under(page, "Matches to decide on")
    assert match.endswith(f"may belong to {first}")


def test_keys_that_end_are_named_by_whose_they_are(place: Records) -> None:
    def key(role: str, holder: Correspondent, trouble: KeyTrouble | None) -> key_watch.WatchedKey:
        return key_watch.WatchedKey(role, holder, None, trouble)

    page = the_duty(
        place,
        key(key_watch.INTAKE, Correspondent("", ""), KeyTrouble("expires", DUE, 7)),
        key("on_call", ON_CALL, KeyTrouble("revoked")),
        key("lead", LEAD, None),
    )

    assert under(page, "Keys") == ["- The intake: expires Tue 24 Nov 14:05", "- On call (on call): revoked"]


def test_a_flow_without_a_sign_of_life_is_named(place: Records) -> None:
    with place.database.unit_of_work() as session:
        session.get_one(Lease, SWEEP).worked_until = ARRIVED
        session.get_one(Lease, "intake").worked_until = None
        session.get_one(Lease, "deliver").worked_until = place.clock() - timedelta(minutes=14)

    silent = under(the_duty(place), "Flows without a sign of life")

    assert silent == ["- intake: none yet", "- sweep: none since Thu 19 Nov 14:05"]


def test_a_name_is_read_as_it_is() -> None:
    assert plain("Web team & Co") == r"Web team \& Co"
    assert plain("a\n| b\u202e*") == r"a \| b \*"
    assert "http://" not in plain("http://evil.example").replace("\\", "")
    assert "www." not in plain("WWW.evil.example").lower().replace("\\", "")
    assert "a@" not in plain("a@evil.example").replace("\\", "")
