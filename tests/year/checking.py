"""Looks at a year that was lived through: what should have fired did, once, in time, and told whom it should.

No act of the script is lost. It goes through each ticket's history in the order in which it was written,
knows at each point what is due next, and compares: with the history, with the rows of the rungs and
clocks, and with the mails.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile

from meldbalie.models.calendar import Duration, due
from meldbalie.models.calendar_versions import CalendarVersion
from meldbalie.models.clocks import Clock, FiredRung
from meldbalie.models.outbox import Mail, MailKind, MailState
from meldbalie.models.session import Database
from meldbalie.models.ticket import Event, Ticket, first_broken_link
from meldbalie.tests.year.desks import END, address_of, rota, settings_of
from meldbalie.tests.year.living import RACING, TICK, Diary
from meldbalie.tests.year.playing import PLAYED
from meldbalie.tests.year.reading import AMSTERDAM, Face, History, Step, Terms, ladder
from meldbalie.tests.year.script import Away, Script
from sqlalchemy import select
from sqlalchemy.orm import Session

ON_CALL = frozenset({address_of(name) for name in ("Piet", "Ria", "Reserve")})
AT_OPENING = Duration.parse("0bh")


@dataclass
class Findings:
    """What is wrong, a line each, and what was counted."""

    wrong: list[str] = field(default_factory=list[str])
    counted: Counter[str] = field(default_factory=Counter[str])


class Check:
    """The look at one year."""

    def __init__(self, script: Script, database: Database, diary: Diary) -> None:
        self.script, self.database, self.diary = script, database, diary
        self.config = settings_of(0, script.response)
        self.laws = {
            law.name: (law.hours, law.starts_on, law.stops_on) for law in self.config.clocks.statutory
        }
        self.duty = rota()
        self.found = Findings()

    def look(self) -> Findings:
        """Look at everything."""
        with self.database.reading() as session:
            versions = session.scalars(select(CalendarVersion).order_by(CalendarVersion.id))
            self.terms = [Terms.of(one.id, one.made_at, one.content) for one in versions]
            tickets = list(session.scalars(select(Ticket.id).order_by(Ticket.id)))
            played = set(session.scalars(select(PLAYED.c.number)))
        lost = {act.number for act in self.script.acts} - played
        self.found.wrong += [f"act {number} was lost" for number in sorted(lost)]
        for ticket_id in tickets:
            with self.database.reading() as session:
                self._look_at(session, session.get_one(Ticket, ticket_id))
        self.found.counted["tickets"] = len(tickets)
        return self.found

    def terms_at(self, instant: datetime) -> Terms:
        """What clocks are counted by at an instant."""
        held = [one for one in self.terms if one.since <= instant]
        return held[-1] if held else self.terms[0]

    def _look_at(self, session: Session, ticket: Ticket) -> None:
        rows = list(
            session.scalars(select(FiredRung).where(FiredRung.ticket_id == ticket.id).order_by(FiredRung.id))
        )
        mails = select(Mail).where(Mail.ticket_id == ticket.id, Mail.kind == MailKind.RUNG).order_by(Mail.id)
        one = _OneTicket(self, ticket, rows, list(session.scalars(mails)))
        one.go_through()
        one.compare_clocks(list(session.scalars(select(Clock).where(Clock.ticket_id == ticket.id))))
        if first_broken_link(ticket):
            one.wrong("its history is broken")


class _OneTicket:
    def __init__(
        self, check: Check, ticket: Ticket, rows: Sequence[FiredRung], mails: Sequence[Mail]
    ) -> None:
        self.check, self.ticket = check, ticket
        self.history = History(check.laws)
        self.rows = list(rows)
        self.passed: dict[tuple[str, int], list[FiredRung]] = defaultdict(list)
        self.left_out: dict[tuple[str, int], set[str]] = defaultdict(set)
        self.told: set[int] = set()
        self.seen: set[int] = set()
        self.mails: dict[str, list[Mail]] = defaultdict(list)
        self.called_off: Counter[int] = Counter()
        for mail in mails:
            self.mails[mail.once.split("/")[-2]].append(mail)
        self.of_rung = {row.id: list(self.mails.get(str(row.id), [])) for row in rows}

    def wrong(self, what: str) -> None:
        self.check.found.wrong.append(f"{self.ticket.reference}: {what}")

    def count(self, what: str) -> None:
        self.check.found.counted[what] += 1

    def go_through(self) -> None:
        """Follow the history, and see after each event that nothing was due before the next."""
        changes = [one.since for one in self.check.terms]
        before: datetime | None = None
        for event in self.ticket.history:
            self.count("events")
            if before is not None:
                for change in changes:
                    if before < change < event.at:
                        self._nothing_due(before, change)
                        before = change
                self._nothing_due(before, event.at)
            match event.kind:
                case "escalated":
                    self._fires(event)
                case "acknowledged":
                    self._is_acknowledged(event)
                case "called_off":
                    self._is_called_off(event)
                case "clock_moved":
                    self._is_moved(event)
                case _:
                    self.history.goes_on(event)
            before = max(before, event.at) if before else event.at
        assert before is not None
        for change in changes:
            if before < change:
                self._nothing_due(before, change)
                before = change
        self._nothing_due(before, END + RACING + TICK)
        self._nothing_more()

    def _running(self, at: datetime) -> Iterator[tuple[str, Face]]:
        for kind, face in self.history.faces(self.check.terms_at(at)).items():
            ends = kind in ("response", "update", "fix") and self.history.is_closed
            if face.stopped_at is None and face.paused_since is None and not ends:
                yield kind, face

    def _ahead(self, kind: str, face: Face) -> Iterator[Step]:
        passed = self.passed[kind, face.round]
        known = self.left_out[kind, face.round] | {row.rung for row in passed}
        last = max((row.due_at for row in passed), default=face.started_at)
        for step in ladder(self.check.config, kind, face):
            # A day that lies before what fired last is over: a new calendar may have made it earlier.
            if step.name not in known and not ("day" in step.name and step.at < last):
                yield step

    def _unheard(self, kind: str, face: Face) -> datetime | None:
        """When the last rung that fired has to be acknowledged by, unless it was."""
        passed = self.passed[kind, face.round]
        if not passed:
            return None
        last = passed[-1]
        return None if last.id in self.seen or last.was_superseded else last.acknowledge_by

    def _nothing_due(self, since: datetime, until: datetime) -> None:
        for kind, face in self._running(since):
            step = next(self._ahead(kind, face))
            unheard = self._unheard(kind, face)
            due_at = min(step.at, unheard) if unheard else step.at
            swept = self.check.diary.next_sweep(max(due_at, since))
            if swept + RACING < until:
                due_then = f"was due {due_at}, swept {swept}"
                self.wrong(f"{kind} {face.round} {step.name} {due_then}, and not fired by {until}")

    def _fires(self, event: Event) -> None:
        kind, rung = event.facts["clock"], event.facts["rung"]
        face = dict(self._running(event.at)).get(kind)
        if face is None:
            return self.wrong(f"{kind} {rung} fired at {event.at} although that clock does not run")
        if event.at not in self.check.diary.swept:
            self.wrong(f"{kind} {rung} fired at {event.at}, when nobody swept")
        due_now = list(takewhile(lambda step: step.at <= event.at, self._ahead(kind, face)))
        unheard = self._unheard(kind, face)
        if not due_now and unheard and unheard <= event.at:
            due_now = [self._instead(kind, face, unheard)]
            self.count("rungs for want of an answer")
        if not due_now or due_now[-1].name != rung:
            should = due_now[-1].name if due_now else "nothing"
            return self.wrong(f"{kind} {face.round} {rung} fired at {event.at} instead of {should}")
        for step in due_now:
            self._is_written(event, kind, face, step, is_last=step is due_now[-1])
        if event.facts["breached"] != (face.due_at <= event.at):
            self.wrong(f"{kind} {rung}: breached is {event.facts['breached']}")
        return None

    def _instead(self, kind: str, face: Face, unheard: datetime) -> Step:
        """What fires because nobody acknowledged the last rung: the next, or its people before it does."""
        step = next(self._ahead(kind, face))
        if step.at < face.due_at:
            return step
        name = f"{self.passed[kind, face.round][-1].rung}, not acknowledged"
        return Step(name, unheard, step.tell, None, step.is_loud)

    def _is_written(self, event: Event, kind: str, face: Face, step: Step, *, is_last: bool) -> None:
        """What fires has its row, once; of daily ones that passed in a long outage the last have."""
        known = (kind, face.round, step.name, event.at)
        rows = [row for row in self.rows if (row.kind, row.round, row.rung, row.fired_at) == known]
        rows = [row for row in rows if row.id not in self.told]
        if len(rows) != 1:
            self.left_out[kind, face.round].add(step.name)
            if rows or is_last or not step.day:
                self.wrong(f"{kind} {face.round} {step.name} has {len(rows)} rows")
            return
        by = self._answered_by(event.at, step) if is_last else None
        row = rows[0]
        written = (row.due_at, row.was_superseded, row.acknowledge_by)
        if (step.at, not is_last, by) != written:
            self.wrong(f"{kind} {face.round} {step.name} is {written}, expected {(step.at, not is_last, by)}")
        self.passed[kind, face.round].append(row)
        self.told.add(row.id)
        self.count("rungs that fired" if is_last else "rungs superseded")
        if is_last:
            self._tells(event, kind, step, self.mails.pop(str(row.id), []))

    def _answered_by(self, at: datetime, step: Step) -> datetime | None:
        """Until when a rung may be acknowledged; nobody has seen what waits for the opening."""
        if step.answer_within is None:
            return None
        reaches_somebody = any(self._is_loud(step, who) for who in self._people(step, at))
        return (at if reaches_somebody else self._opening(at)) + step.answer_within

    def _opening(self, at: datetime) -> datetime:
        """The instant itself in business hours, else when they begin; at closing time they are over."""
        opening = due(at + TICK, AT_OPENING, self.check.terms_at(at).calendar)
        return at if opening == at + TICK else opening

    def _is_loud(self, step: Step, recipient: str) -> bool:
        """Whether somebody is mailed in the middle of the night as well."""
        return step.is_loud or ("on_call" in step.tell and recipient in ON_CALL)

    def _tells(self, event: Event, kind: str, step: Step, mails: Sequence[Mail]) -> None:
        """One mail each to whom the rung names, at once or at the next opening."""
        expected = sorted(self._people(step, event.at))
        if sorted(mail.recipient for mail in mails) != expected:
            told = sorted(mail.recipient for mail in mails)
            self.wrong(f"{kind} {step.name} at {event.at} told {told} instead of {expected}")
        opening = self._opening(event.at)
        for mail in mails:
            self.count("mails of rungs")
            is_loud = self._is_loud(step, mail.recipient)
            if not is_loud and mail.not_before != opening:
                self.wrong(
                    f"{kind} {step.name} to {mail.recipient} waits for {mail.not_before}, not {opening}"
                )
            if is_loud and mail.not_before is not None:
                self.wrong(f"{kind} {step.name} to {mail.recipient} waits for {mail.not_before}")
            if not is_loud:
                self._left_in_hours(kind, step, mail)

    def _left_in_hours(self, kind: str, step: Step, mail: Mail) -> None:
        if mail.sent_at is None or mail.not_before is None:
            return
        if mail.sent_at < mail.not_before:
            self.wrong(
                f"{kind} {step.name} to {mail.recipient} left at {mail.sent_at}, before {mail.not_before}"
            )
        if self._opening(mail.sent_at) != mail.sent_at:
            self.count("mails that left outside business hours")

    def _people(self, step: Step, at: datetime) -> set[str]:
        """Whom a rung tells, by address."""
        people: set[str] = set()
        for role in step.tell:
            match role:
                case "owner":
                    people |= self._owner(at)
                case "on_call":
                    duty = self.check.duty.on_duty(at)
                    people.add(duty.address if duty else address_of("Reserve"))
                case "handlers":
                    people.add(address_of("Fatima"))
                case _:
                    people.add(address_of({"lead": "Lead", "ciso": "CISO"}[role]))
        return people or {address_of("Fatima")}

    def _owner(self, at: datetime) -> set[str]:
        name, asked = self.history.owner, list[str]()
        while name and (away := self._away(name, at)):
            asked.append(name)
            name = away.deputy if away.deputy not in asked else None
        if name:
            return {address_of(name)}
        return {address_of("Fatima")} if asked else set()

    def _away(self, name: str, at: datetime) -> Away | None:
        day = at.astimezone(AMSTERDAM).date()
        return next(
            (one for one in self.check.script.absences
             if one.owner == name and one.known_at <= at and one.first_day <= day <= one.last_day),
            None,
        )  # fmt: skip

    def _is_acknowledged(self, event: Event) -> None:
        told = (event.facts["clock"], event.facts["rung"], event.at)
        of = {row.id for row in self.rows if (row.kind, row.rung, row.acknowledged_at) == told}
        if len(of) != 1 or of <= self.seen:
            self.wrong(f"{told} was acknowledged, which {len(of)} rows say")
        self.seen |= of
        self.count("acknowledgements")

    def _is_moved(self, event: Event) -> None:
        """A clock that was overdue and is not any more: what fired from its old end on fires again."""
        kind, was = event.facts["clock"], datetime.fromisoformat(event.facts["from"])
        then = datetime.fromisoformat(event.facts["to"])
        face = self.history.faces(self.check.terms_at(event.at)).get(kind)
        if face is None or face.due_at != then:
            return self.wrong(f"{kind} was moved to {then}, but is due {face and face.due_at}")
        if was <= event.at < then:
            passed = self.passed[kind, face.round]
            for row in [row for row in passed if row.due_at >= was]:
                self._is_void(row, event.at)
        return None

    def _is_void(self, row: FiredRung, at: datetime) -> None:
        self.count("rungs void")
        if row.voided_at != at:
            self.wrong(f"{row.kind} {row.rung} of {row.fired_at} is void since {row.voided_at}, not {at}")
        self.passed[row.kind, row.round].remove(row)

    def _is_called_off(self, event: Event) -> None:
        """A mail is kept from leaving only where its clock runs no more, or again.

        A rung of which no mail leaves has not fired, and may again.
        """
        self.count("mails called off")
        told = (event.facts["clock"], event.facts["rung"])
        rows = [row for row in self.rows if (row.kind, row.rung) == told and row.id in self.told]
        of = next((row for row in reversed(rows) if self._is_left(row)), None)
        if of is None:
            return self.wrong(f"{told} was called off at {event.at}, but no mail was")
        face = dict(self._running(event.at)).get(of.kind)
        if face is not None and face.round == of.round:
            self.wrong(f"{told} was called off at {event.at} although that clock runs")
        self.called_off[of.id] += 1
        if self.called_off[of.id] == len(self.of_rung[of.id]) and of in self.passed[of.kind, of.round]:
            self._is_void(of, event.at)
        return None

    def _is_left(self, row: FiredRung) -> bool:
        """Whether one more of its mails was called off."""
        off = [mail for mail in self.of_rung[row.id] if mail.state is MailState.CALLED_OFF]
        return self.called_off[row.id] < len(off)

    def _nothing_more(self) -> None:
        """Each row and each mail belongs to a rung that the history tells of."""
        standing = {row.id for rows in self.passed.values() for row in rows}
        for row in self.rows:
            if row.id not in self.told:
                self.wrong(f"{row.kind} {row.rung} fired at {row.fired_at}, which the history does not tell")
            if row.acknowledged_at and row.id not in self.seen:
                self.wrong(f"{row.kind} {row.rung} was acknowledged, which the history does not tell")
            if (row.voided_at is None) != (row.id in standing):
                self.wrong(f"{row.kind} {row.rung} of {row.fired_at} is void since {row.voided_at}")
        for number, mails in self.mails.items():
            self.wrong(f"{len(mails)} mails of rung {number}, which did not fire")

    def compare_clocks(self, clocks: Sequence[Clock]) -> None:
        """The rows say what the history says."""
        latest = self.check.terms[-1]
        rows = {clock.kind: clock for clock in clocks}
        faces = self.history.faces(latest)
        if set(rows) != set(faces):
            self.wrong(f"has the clocks {sorted(rows)}, expected {sorted(faces)}")
        for kind in set(rows) & set(faces):
            self.count("clocks")
            self._compare(rows[kind], kind, faces[kind])

    def _compare(self, row: Clock, kind: str, face: Face) -> None:
        if face.stopped_at:
            terms = self.check.terms_at(face.stopped_at)
            face = self.history.faces(terms)[kind]
        else:
            terms = self.check.terms[-1]
        written = Face(row.round, row.started_at, row.due_at, row.stopped_at, row.paused_since)
        if written != face or row.calendar != terms.number:
            self.wrong(f"{kind} is {written} by {row.calendar}, expected {face} by {terms.number}")
        runs = dict(self._running(END)).get(kind)
        if runs is None:
            if row.next_rung_at is not None:
                self.wrong(f"{kind} does not run, and is to be looked at {row.next_rung_at}")
            return
        step, unheard = next(self._ahead(kind, runs)), self._unheard(kind, runs)
        passed = self.passed[kind, runs.round]
        may_be = {
            min(step.at, unheard) if unheard else step.at,
            passed[-1].acknowledge_by if passed else None,
        }
        if row.next_rung_at not in may_be:
            self.wrong(f"{kind} is to be looked at {row.next_rung_at}, expected one of {may_be}")
