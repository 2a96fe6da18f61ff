"""Likely duplicates are suggested: what is the same, by how much, and that form letters are left alone."""

import re
import time
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import combinations
from pathlib import Path

import pytest
from meldbalie.models import acts, joining, likeness
from meldbalie.models.filing import Received, open_ticket
from meldbalie.models.likeness import (
    Mark,
    Sketch,
    Traits,
    why_alike,
)
from meldbalie.models.likeness_words import LONGEST, words_of
from meldbalie.models.owners import Asset, AssetKind, Owner
from meldbalie.models.session import Database
from meldbalie.models.states import CloseReason
from meldbalie.models.suggestions import Suggestion, open_suggestions
from meldbalie.models.threads import Claims, Named, named_tickets
from meldbalie.models.ticket import ticket_called
from meldbalie.tests.models.reports import ARRIVED, PROMISE, REPORT, told
from sqlalchemy import delete, select, text

NOW = ARRIVED + timedelta(hours=1)
DAY = timedelta(days=1)
WRITTEN: Mapping[str, list[dict[str, str]]] = tomllib.loads(
    (Path(__file__).parent / "alike.toml").read_text("utf-8")
)
FIRST, SECOND, THIRD = (f"CVD-2026-000{number}" for number in (1, 2, 3))
SEARCH, SEARCH_AGAIN, SEARCH_IN_DUTCH = (WRITTEN["reports"][number] for number in (1, 0, 2))
SPF, SPF_IN_OTHER_WORDS, SPF_ELSEWHERE = (WRITTEN["reports"][number] for number in (8, 9, 10))


@pytest.fixture
def owned(database: Database) -> Database:
    """A desk whose owner answers for one large domain."""
    with database.unit_of_work() as session:
        web = Owner(name="Web", address="web@voorbeeld.example")
        web.assets = [Asset(kind=AssetKind.SUFFIX, value="voorbeeld.example")]
        session.add(web)
    return database


def received(written: Mapping[str, str]) -> Received:
    """A report of the corpus, as it was opened."""
    subject, _, body = written["text"].strip().partition("\n")
    return replace(
        REPORT,
        subject=subject,
        text=body,
        targets=(written["target"],) if written["target"] else (),
        name=None,
        address=written["reporter"],
        fingerprint=None,
        files=(),
    )


def opened(database: Database, *written: Mapping[str, str] | Received) -> list[str]:
    """Open a ticket for each, one after another."""
    with database.unit_of_work() as session:
        return [
            open_ticket(
                session, one if isinstance(one, Received) else received(one), PROMISE, now=NOW
            ).reference
            for one in written
        ]


def suggested(database: Database, reference: str) -> list[tuple[str, str]]:
    """What is suggested on a ticket: to which it may belong, and why."""
    with database.reading() as session:
        ticket = ticket_called(session, reference)
        return [(one.other.reference, one.why) for one in open_suggestions(session, ticket)]


def traits_of(database: Database, written: list[dict[str, str]]) -> list[Traits]:
    """Their sketches, as opening a ticket makes them."""
    opened(database, *written)
    with database.reading() as session:
        kept = session.scalars(select(Sketch).order_by(Sketch.ticket_id)).all()
        return [
            Traits(**{name: frozenset(those) for name, those in one.traits.items()})
            for one in kept[-len(written) :]
        ]


@pytest.mark.parametrize(
    ("half", "right", "wrong", "missed"),
    [
        ("reports", 12, 2, 2),  # the thresholds were chosen by these
        ("unseen", 6, 0, 2),  # written afterwards; nothing was changed by them
    ],
)
def test_so_many_duplicates_are_found_and_so_many_others(
    owned: Database, half: str, right: int, wrong: int, missed: int
) -> None:
    """Precision and recall over all pairs: 12/14 and 12/14, and 6/6 and 6/8."""
    written = WRITTEN[half]
    traits = traits_of(owned, written)

    pairs = [
        (one["problem"] == other["problem"], why_alike(mine, theirs) is not None)
        for (one, mine), (other, theirs) in combinations(zip(written, traits, strict=True), 2)
    ]

    assert pairs.count((True, True)) == right
    assert pairs.count((False, True)) == wrong
    assert pairs.count((True, False)) == missed


def test_what_another_reporter_says_in_other_words_is_suggested(owned: Database) -> None:
    opened(owned, SEARCH, SEARCH_AGAIN)

    assert suggested(owned, SECOND) == [(FIRST, "same_target")]
    with owned.reading() as session:
        assert told(ticket_called(session, SECOND))[:2] == ["opened", "suggested"]


def test_a_form_letter_about_other_systems_is_not_suggested(owned: Database) -> None:
    letters = [SPF | {"target": f"host{number}.voorbeeld.example"} for number in range(8)]
    letters += [one | {"reporter": f"hunter{number}@mail.example"} for number, one in enumerate(letters)]
    opened(owned, *letters)

    with owned.reading() as session:
        found = session.scalars(select(Suggestion)).all()
        assert {one.ticket.targets[0].value == one.other.targets[0].value for one in found} == {True}
        assert len(found) == 8  # the second letter about each system


def test_many_about_one_system_are_one_suggestion_each(owned: Database) -> None:
    numbers = opened(owned, *(SPF | {"reporter": f"hunter{n}@mail.example"} for n in range(5)))

    assert [suggested(owned, number) for number in numbers[1:]] == [[(FIRST, "same_target")]] * 4


def test_other_problems_of_one_system_are_not_suggested(owned: Database) -> None:
    forms = [one for one in WRITTEN["reports"] if one["target"].startswith("formulieren")]
    others = {one["problem"]: one for one in forms}
    numbers = opened(owned, *others.values())

    assert len(numbers) == 5
    assert [suggested(owned, number) for number in numbers] == [[]] * 5


def test_what_a_report_names_comes_first_and_three_are_the_most(owned: Database) -> None:
    opened(
        owned, *(SEARCH_AGAIN | {"target": f"h{n}.example", "reporter": f"{n}@x.example"} for n in range(4))
    )
    with owned.unit_of_work() as session:
        every = ", ".join(f"h{n}.example" for n in range(4))
        about_all = replace(received(SEARCH), targets=tuple(every.split(", ")))
        named = named_tickets(session, Claims(numbers=["CVD-2026-0003"]))
        open_ticket(session, about_all, PROMISE, now=NOW, may_belong_to=named)

    found = suggested(owned, "CVD-2026-0005")
    assert found[0] == ("CVD-2026-0003", "number")
    assert [why for _, why in found[1:]] == ["same_target", "same_target"]


def test_the_same_sender_and_subject_about_another_system_is_another_matter(owned: Database) -> None:
    opened(owned, SPF)
    with owned.unit_of_work() as session:
        first = ticket_called(session, FIRST)
        for target in ("elders.example", "www.voorbeeld.example"):
            later = received(SPF | {"target": target})
            open_ticket(session, later, PROMISE, now=NOW, may_belong_to=[Named(first, "sender")])

    assert suggested(owned, SECOND) == []
    assert suggested(owned, THIRD) == [(FIRST, "sender")]


def test_a_joined_ticket_leads_to_the_one_behind_it(owned: Database) -> None:
    opened(owned, SPF, SPF_IN_OTHER_WORDS)
    with owned.unit_of_work() as session:
        second = ticket_called(session, SECOND)
        joining.join(session, second, to=FIRST, by="Fatima", because="", promise=PROMISE, now=NOW)
    opened(owned, SPF_IN_OTHER_WORDS | {"reporter": "hunter9@mail.example"})

    assert suggested(owned, THIRD) == [(FIRST, "same_target")]


@pytest.mark.parametrize(
    ("reason", "days", "is_suggested"),
    [
        (CloseReason.NOT_REPRODUCIBLE, 89, True),
        (CloseReason.NOT_REPRODUCIBLE, 91, False),
        (CloseReason.SPAM, 1, False),
    ],
)
def test_a_closed_ticket_is_suggested_for_a_while_unless_it_was_spam(
    owned: Database, reason: CloseReason, days: int, is_suggested: bool
) -> None:
    opened(owned, SEARCH)
    by = {"by": "Fatima", "promise": PROMISE, "now": NOW}
    with owned.unit_of_work() as session:
        first = ticket_called(session, FIRST)
        acts.invalidate(session, first, because="Not seen.", **by)
        acts.close(session, first, reason=reason, because="", **by)
        open_ticket(session, received(SEARCH_AGAIN), PROMISE, now=NOW + days * DAY)

    assert bool(suggested(owned, SECOND)) is is_suggested


def test_what_no_sketch_was_made_of_gets_one_later_a_few_at_a_time(
    owned: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(likeness, "AT_ONCE", 2)
    opened(owned, SPF, SEARCH, SPF_ELSEWHERE)
    with owned.unit_of_work() as session:  # as an earlier version left them
        session.execute(delete(Mark))
        session.execute(delete(Sketch))

    opened(owned, SEARCH_IN_DUTCH)
    assert sketched(owned) == [2, 3, 4]
    opened(owned, SEARCH_AGAIN)
    assert sketched(owned) == [1, 2, 3, 4, 5]
    assert suggested(owned, "CVD-2026-0004") == []
    assert suggested(owned, "CVD-2026-0005") == [(SECOND, "same_target")]


def sketched(database: Database) -> list[int]:
    with database.reading() as session:
        return list(session.scalars(select(Sketch.ticket_id).order_by(Sketch.ticket_id)))


def test_the_database_tells_no_word_no_host_and_no_reporter(owned: Database) -> None:
    opened(owned, SEARCH, SEARCH_AGAIN)

    with owned.reading() as session:
        rows = [
            str(row)
            for name in ("marks", "sketches")
            for row in session.execute(text(f"SELECT * FROM {name}"))
        ]
        digests = {
            str(one)
            for kept in session.scalars(select(Sketch))
            for those in kept.traits.values()
            for one in those
        }
    everything = "\n".join(rows).casefold()
    assert len(rows) > 20
    assert [word for word in ("search", "xss", "formulieren", "raj", "bughunt") if word in everything] == []
    assert digests.isdisjoint(re.findall(r"\b\d+\b", everything))


def test_two_languages_and_the_shapes_of_mail_come_to_the_same_words() -> None:
    dutch, english = "SQL-injectie: formulier om te zoeken", "SQL injection: search form"
    assert words_of(dutch) == words_of(english) != frozenset()

    signed = f"{english}\n\nKind regards,\nRaj\nSenior researcher\nhttps://bughunt.example/raj"
    quoted = f"> older words of ours\n{english}\n-- \nRaj, bughunt.example"
    forwarded = f"{english}\n-----Original Message-----\nwhatever was written before"
    assert {words_of(one) for one in (signed, quoted, forwarded)} == {words_of(english)}
    assert words_of("at https://a.example/zoeken?q=1 and hxxps://b[.]example/zoeken?q=2") == words_of(
        "/zoeken?q"
    )
    assert words_of("mail raj@bughunt.example from 192.0.2.7 on www.voorbeeld.example") == words_of("mail")


@pytest.mark.parametrize("text", ["", "see attachment", "😀" * 50, "\ud800 broken", "a." * 5000])
def test_a_text_that_says_too_little_is_like_nothing(owned: Database, text: str) -> None:
    opened(owned, replace(received(SEARCH), text=text, subject="", targets=()))
    opened(owned, replace(received(SEARCH_AGAIN), text=text, subject="", targets=()))

    assert suggested(owned, SECOND) == []


@pytest.mark.parametrize(
    "hostile", ["a@", "/a", "a.", "-----BEGIN PGP ", "http://", "andere ", "a-", "reset"]
)
def test_a_hostile_text_costs_no_more_than_its_length(hostile: str) -> None:
    def worked(times: int) -> float:
        before = time.process_time()
        words_of(hostile * times)
        return time.process_time() - before

    short = LONGEST // len(hostile)
    assert worked(short * 20) < 20 * (worked(short) + 0.05)
