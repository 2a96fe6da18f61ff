"""Lives through the simulated year: from instant to instant, with a clock that only this moves.

A sweep is due every five minutes. Only those are run at which something is to be done, and a few at
which nothing is: the others would find nothing, since a sweep only sees rows whose instant has come.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random

from meldbalie.models.clocks import Clock
from meldbalie.models.outbox import Mail, MailState
from meldbalie.models.session import Database
from meldbalie.models.ticket import Ticket
from meldbalie.tests.year.desks import BEGIN, END, SWEEP
from meldbalie.tests.year.playing import NOTES, PLAYED, TO_BE_SEEN
from meldbalie.tests.year.script import Act, Script
from meldbalie.tests.year.working import Desk, Order, Workers
from sqlalchemy import func, select

TICK = timedelta(microseconds=1)
ACTING = 0  # the worker that acts; the others sweep
LESSONS = 100
#: What is done while a sweep is at work is dated so long after it at most.
RACING = timedelta(seconds=20)


@dataclass
class Diary:
    """What the year saw, apart from what stands in the database."""

    swept: set[datetime] = field(default_factory=set[datetime])
    missed: list[tuple[datetime, datetime]] = field(default_factory=list[tuple[datetime, datetime]])
    counted: Counter[str] = field(default_factory=Counter[str])
    seconds: float = 0.0

    def next_sweep(self, instant: datetime) -> datetime:
        """The first sweep at or after an instant that came to its end."""
        at = grid(instant)
        for begin, end in self.missed:
            if begin <= at < end:
                at = grid(end)
        return at


def grid(instant: datetime) -> datetime:
    """The first instant at or after this one at which a sweep is due."""
    return BEGIN + -((BEGIN - instant) // SWEEP) * SWEEP


@dataclass
class Year:
    """A database, the processes that work on it, and the present."""

    script: Script
    database: Database
    sweepers: int = 1
    kills: float = 0.03

    def __post_init__(self) -> None:
        """Begin with nothing."""
        self.diary = Diary(missed=list(self.script.without_sweeper))
        self._rng = Random(f"{self.script.seed} of the killer")
        self._desk = Desk(self.database, self.script.response)
        self._workers = Workers(self._desk)
        self._learned = 0
        self._ahead = list(reversed(self.script.acts))
        self._lasts, self._steps = dict[str, float](), dict[str, int]()
        self._swept_until = BEGIN - TICK
        self._to_follow = [BEGIN, self.script.later_settings_at, *self._idle_sweeps()]
        self._left_over = 0

    def live(self) -> Diary:
        """Live from the first instant to the last."""
        NOTES.create_all(self.database.engine)
        began, now = time.monotonic(), BEGIN
        try:
            while (now := self._next(now)) < END:
                self._at(now)
            self._sweep(END)
        finally:
            self._workers.stop()
        self.diary.seconds = time.monotonic() - began
        return self.diary

    def _idle_sweeps(self) -> list[datetime]:
        """Some sweeps that find nothing most of the time, and must then do nothing."""
        return [BEGIN + self._rng.random() * (END - BEGIN) for _ in range(20)]

    def _next(self, now: datetime) -> datetime:
        """The next instant at which anything is to be done."""
        acts = [self._ahead[-1].at] if self._ahead else []
        return max(now, min([END, self._next_sweep(now), *self._instants(now), *acts]))

    def _instants(self, now: datetime) -> tuple[datetime, datetime]:
        """When somebody says next that they saw a mail, and when the next mail is to leave."""
        with self.database.reading() as session:
            waiting = session.scalar(select(func.min(Mail.next_try_at)).where(_WAITING))
            claimed = session.scalar(select(func.min(Mail.claimed_until)).where(_SENDING))
            seen = session.scalar(select(func.min(TO_BE_SEEN.c.at)))
        at = datetime.fromtimestamp(seen, UTC) + TICK if seen is not None else END
        return at, max(min([END, *filter(None, (waiting, claimed))]), self._up_again(now) or now)

    def _next_sweep(self, now: datetime) -> datetime:
        with self.database.reading() as session:
            due = session.scalar(select(func.min(Clock.next_rung_at)))
        wanted = min([END, *self._to_follow, *([due] if due else [])])
        return self.diary.next_sweep(max(wanted, now, self._swept_until + TICK))

    def _up_again(self, now: datetime) -> datetime | None:
        """When the mail server is back; ``None`` while it is there."""
        return max((end for begin, end in self.script.without_mail if begin <= now < end), default=None)

    def _at(self, now: datetime) -> None:
        """Do what is to be done now."""
        while self._ahead and self._ahead[-1].at <= now:
            self._play(self._ahead.pop())
        seen, mail = self._instants(now)
        if seen <= now:
            self._until_done("see", now)
        if mail <= now or self._rng.random() < 0.01:
            self._until_done("deliver", now)
        if now == self._next_sweep(now):
            self._sweep(now)

    def _play(self, act: Act) -> None:
        self.diary.counted["acts"] += 1
        if act.verb == "own_days":
            self._to_follow.append(act.at)
        self._until_done("play", act.at, act)

    def _until_done(self, what: str, now: datetime, act: Act | None = None) -> None:
        """Order something, again and again while whoever does it is killed."""
        while self._begin(ACTING, what, now, act)() is None:
            pass

    def _sweep(self, now: datetime) -> None:
        """Sweep with all sweepers at once, while at times somebody else is at work on the same tickets."""
        raced = self._race(now)
        while True:
            answers = [self._begin(worker, "sweep", now) for worker in range(1, self.sweepers + 1)]
            if raced:
                answers.append(self._begin(ACTING, raced.what, now + RACING / 2, raced.act))
            done = [answer() for answer in answers]
            if raced and done.pop() is None:
                self._until_done(raced.what, now + RACING / 2, raced.act)
            raced = None
            self.diary.counted["sweeps"] += len(done)
            self.diary.swept.add(now)
            if any(done):
                break
            if now < END and self._rng.random() < 0.3:
                self.diary.missed.append((now, now + self._rng.randrange(1, 40) * SWEEP))
                return
        self._swept_until = now
        self._to_follow = [instant for instant in self._to_follow if instant > now]
        self._give_up_if_nothing_moves(now)

    def _race(self, now: datetime) -> Order | None:
        """Something about a ticket that is due now, which is done while it is swept."""
        if self._rng.random() < 0.7:
            return None
        with self.database.reading() as session:
            due = select(PLAYED.c.story).join(Ticket, Ticket.reference == PLAYED.c.opened).join(Clock)
            stories = set(session.scalars(due.where(Clock.next_rung_at <= now)))
        ahead = (act for act in reversed(self._ahead) if act.story in stories)
        act = next(ahead, None)
        if act is None or act.at > now + timedelta(days=30):
            return None
        self._ahead.remove(act)
        self.diary.counted["races"] += 1
        if act.verb in ("answer", "close") and self._up_again(now) is None:
            self._play(replace(act, at=now))
            return Order("deliver", now)
        return Order("play", now, act=replace(act, at=now + RACING / 2))

    def _give_up_if_nothing_moves(self, now: datetime) -> None:
        with self.database.reading() as session:
            left = session.scalar(select(func.count(Clock.id)).where(Clock.next_rung_at <= now))
        self._left_over = self._left_over + 1 if left else 0
        assert self._left_over < 20, f"{now}: {left} clocks are due, and {self._left_over} sweeps left them"

    def _begin(
        self, worker: int, what: str, now: datetime, act: Act | None = None
    ) -> Callable[[], bool | None]:
        """Order something, and at times let it die; what is given waits for the end: ``None`` if it died."""
        fate, dies_at, kill_after = self._rng.random(), None, None
        if fate < self.kills / 2:
            dies_at = self._rng.randrange(1, self._steps.get(what, 2000))
        elif fate < self.kills:
            kill_after = self._rng.random() * 1.3 * self._lasts.get(what, 0.02)
        later = now >= self.script.later_settings_at
        began = time.monotonic()
        order = Order(what, now, later, act, self._up_again(now) is None, dies_at)
        if self._learned < LESSONS:
            return self._learn(order)
        self._workers.order(worker, order)

        def wait() -> bool | None:
            answer = self._workers.answer(worker, kill_after)
            self.diary.counted["kills"] += answer is None
            if answer is None:
                return None
            assert not answer.failed, "\n".join(answer.failed)
            if dies_at:
                self._steps[what] = max(200, answer.steps)
            else:
                self._lasts[what] = time.monotonic() - began
            return True

        return wait

    def _learn(self, order: Order) -> Callable[[], bool]:
        """Do something in this process, so that those that are forked need not learn what it takes."""
        self._learned += 1
        answer = self._desk.obey(replace(order, dies_at=None))
        assert not answer.failed, answer.failed
        return lambda: True


_WAITING, _SENDING = Mail.state == MailState.WAITING, Mail.state == MailState.SENDING
