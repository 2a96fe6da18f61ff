"""Likely duplicates: which earlier tickets a new report may be the same as, by a measure of our own.

A sketch of each report lies sealed: its words (:mod:`.likeness_words`), targets, assets and reporter as
keyed digests. What is alike is found by marks: rows in the clear that are keyed digests themselves, of a
target, an asset, a reporter, or of some of the words. Whoever steals the database sees by them which tickets
share something, and not what. A search takes the latest few of each mark and compares those, so that it
costs the same however many tickets there are.

What is compared, and from where on it is suggested, stands in :func:`why_alike`.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ForeignKey, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from .base import Base
from .likeness_words import words_of
from .routing import assets_of
from .states import CloseReason
from .suggestions import Suggestion, main_ticket, suggest
from .threads import MOST_NAMED, Named
from .ticket import Ticket
from .vault import SealedJson, vault

#: A ticket that was closed longer ago is suggested no more.
REMEMBERED = timedelta(days=90)
#: How many words of a report are kept: all of most, a fair sample of a long one.
MOST_WORDS = 256
#: Fewer say too little to be compared.
FEWEST_WORDS = 8
#: From where on texts are alike: by one reporter, about one system, near it, and whatever they are about.
BY_ONE_REPORTER, ABOUT_ONE_SYSTEM, NEARBY, NEARLY_THE_SAME = 0.35, 0.20, 0.45, 0.70
MOST_TARGETS = 10
#: So many of the latest tickets with a mark are compared, and so many in all.
LATEST, MOST_COMPARED = 20, 60
#: Texts share a mark if the words that come first in three orders are the same (of twelve times three).
BANDS, ROWS = 12, 3
#: So many tickets of an earlier version get their sketch when a new one does.
AT_ONCE = 10
_PRIME = (1 << 61) - 1
_FACTORS = [int.from_bytes(hashlib.sha256(b"%d" % order).digest()[:7]) for order in range(BANDS * ROWS)]


class Sketch(Base):
    """What a ticket is compared by."""

    __tablename__ = "sketches"

    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), primary_key=True)
    traits: Mapped[dict[str, list[int]]] = mapped_column(SealedJson)


class Mark(Base):
    """Something that tickets may share, as a keyed digest by which they are found."""

    __tablename__ = "marks"
    __table_args__ = (UniqueConstraint("mark", "ticket_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), index=True)
    mark: Mapped[str]


@dataclass(frozen=True)
class Traits:
    """A report as it is compared: all keyed digests."""

    words: frozenset[int]
    hosts: frozenset[int]
    assets: frozenset[int]
    reporter: frozenset[int]

    def likeness(self, other: "Traits") -> float:
        """How much of the words is in both: 0.0 nothing, 1.0 everything (Jaccard).

        Of long texts only the words with the lowest digests are kept, of both the same sample.
        """
        if min(len(self.words), len(other.words)) < FEWEST_WORDS:
            return 0.0
        sample = frozenset(sorted(self.words | other.words)[:MOST_WORDS])
        return len(self.words & other.words & sample) / len(sample)


def why_alike(one: Traits, other: Traits) -> tuple[float, str] | None:
    """How likely two tickets are the same, the best first when sorted downwards, and why, as a code.

    One reporter writes alike of whatever it is, so that it takes more for theirs to be the same. What says
    nearly the same of another system is a form letter, and one reporter knows which system they mean:
    neither is suggested, nor is an asset of many hosts by itself.
    """
    alike = one.likeness(other)
    by_one = bool(one.reporter & other.reporter)
    if one.hosts & other.hosts:
        if alike >= (BY_ONE_REPORTER if by_one else ABOUT_ONE_SYSTEM):
            return (2 + alike, "same_reporter") if by_one else (1 + alike, "same_target")
    elif not (one.hosts and other.hosts):
        if alike >= NEARLY_THE_SAME:
            return alike, "same_text"
    elif one.assets & other.assets and not by_one and NEARBY <= alike < NEARLY_THE_SAME:
        return alike, "same_asset"
    return None


def suggest_what_is_alike(
    session: Session, ticket: Ticket, named: Iterable[Named], *, on: date, now: datetime
) -> None:
    """Suggest for a new ticket those that it names and those that are like it; ``on`` is the local day."""
    traits = note_likeness(session, ticket, on=on)
    suggest(session, ticket, tickets_alike(session, ticket, traits, named=named, now=now), now=now)
    sketch_earlier(session, on=on)


def note_likeness(session: Session, ticket: Ticket, *, on: date) -> Traits:
    """Keep what a ticket is compared by; marks of it are found from now on."""
    traits = _traits_of(session, ticket, on=on)
    kept = {name: sorted(digests) for name, digests in vars(traits).items()}
    session.add(Sketch(ticket_id=ticket.id, traits=kept))
    session.add_all(Mark(ticket_id=ticket.id, mark=mark) for mark in _marks_of(traits))
    return traits


def tickets_alike(
    session: Session, ticket: Ticket, traits: Traits, *, named: Iterable[Named], now: datetime
) -> list[Named]:
    """The tickets that a new one may belong to: those that it names, then those that are like it, best first.

    A ticket that was joined, or may belong to another one that is like it, does not count beside that one.
    """
    found = {one.ticket.id: one for one in named if _may_still_be(session, one, traits)}
    known = {ticket.id, ticket.linked_to, *found}
    graded = [
        (grade, main_ticket(session, other), why)
        for other, theirs in _candidates(session, ticket, traits)
        if (judged := why_alike(traits, theirs)) is not None
        for grade, why in [judged]
    ]
    best: dict[int, Named] = {}
    for _, other, why in sorted(graded, key=lambda one: (-one[0], one[1].id)):
        if other.id not in known and _counts_still(other, now=now):
            best.setdefault(other.id, Named(other, why))
    alike = _without_followers(session, best)
    return [*found.values(), *alike][:MOST_NAMED]


def sketch_earlier(session: Session, *, on: date) -> int:
    """Sketch a few tickets that have none yet, the latest first: those of an earlier version.

    Tickets are opened one after another, and each has its sketch from the start.
    """
    first = session.scalar(select(func.min(Sketch.ticket_id)))
    without = select(Ticket).where(Ticket.id < first) if first else select(Ticket)
    earlier = session.scalars(without.order_by(Ticket.id.desc()).limit(AT_ONCE)).all()
    for ticket in earlier:
        note_likeness(session, ticket, on=on)
    return len(earlier)


def _traits_of(session: Session, ticket: Ticket, *, on: date) -> Traits:
    """A host that nobody answers for is a link to elsewhere, where the report names one of ours as well."""
    owned = assets_of(session, [target.value for target in ticket.targets[:MOST_TARGETS]], on=on)
    ours = {host: asset for host, asset in owned.items() if asset}
    hosts = {host.removeprefix("www.") for host in ours or owned}
    who, report = ticket.reporter, ticket.report
    people = [f"address {who.address.lower()}"] if who.address else []
    people += [f"key {who.fingerprint}"] if who.fingerprint else []
    words = sorted(_number(f"word {word}") for word in words_of(f"{report.subject}\n{report.text}"))
    return Traits(
        words=frozenset(words[:MOST_WORDS]),
        hosts=frozenset(_number(f"host {host}") for host in hosts),
        assets=frozenset(_number(f"asset {asset.kind} {asset.value}") for asset in ours.values() if asset),
        reporter=frozenset(_number(one) for one in people),
    )


def _number(text: str) -> int:
    return int(vault.keyed_digest(f"likeness: {text}")[:8], 16)


def _marks_of(traits: Traits) -> list[str]:
    """By what a ticket is found, what tells most first; of a digest in a sketch its mark tells nothing."""
    shared = [f"{name} {one}" for name in ("hosts", "reporter", "assets") for one in getattr(traits, name)]
    if len(traits.words) >= FEWEST_WORDS:
        shared += _bands(traits.words)
    return list(dict.fromkeys(vault.keyed_digest(f"mark: {one}")[:32] for one in shared))


def _bands(words: Iterable[int]) -> Iterator[str]:
    """The words that come first in some orders: texts share them the likelier, the more they are alike."""
    for band in range(BANDS):
        orders = _FACTORS[band * ROWS : (band + 1) * ROWS]
        first = [min(factor * word % _PRIME for word in words) for factor in orders]
        yield f"words {band} {first}"


def _candidates(session: Session, ticket: Ticket, traits: Traits) -> list[tuple[Ticket, Traits]]:
    """Earlier tickets with a mark of this one, with their traits."""
    numbers: dict[int, None] = {}
    for mark in _marks_of(traits):
        latest = select(Mark.ticket_id).where(Mark.mark == mark, Mark.ticket_id < ticket.id)
        numbers |= dict.fromkeys(session.scalars(latest.order_by(Mark.ticket_id.desc()).limit(LATEST)))
    rows = select(Ticket, Sketch.traits).join(Sketch, Sketch.ticket_id == Ticket.id)
    found = session.execute(rows.where(Ticket.id.in_(list(numbers)[:MOST_COMPARED]))).tuples()
    return [
        (other, Traits(**{name: frozenset(digests) for name, digests in kept.items()}))
        for other, kept in found
    ]


def _may_still_be(session: Session, named: Named, traits: Traits) -> bool:
    """Whether a ticket of the same sender and subject is not about another system."""
    if named.why != "sender":
        return True
    kept = session.get(Sketch, named.ticket.id)
    theirs = frozenset(kept.traits["hosts"]) if kept else frozenset[int]()
    return not (theirs and traits.hosts) or bool(theirs & traits.hosts)


def _counts_still(other: Ticket, *, now: datetime) -> bool:
    if other.close_reason is CloseReason.SPAM:
        return False
    return other.closed_at is None or other.closed_at > now - REMEMBERED


def _without_followers(session: Session, best: Mapping[int, Named]) -> Sequence[Named]:
    following = select(Suggestion.ticket_id).where(
        Suggestion.ticket_id.in_(best), Suggestion.other_id.in_(best), Suggestion.settled_at.is_(None)
    )
    followers = set(session.scalars(following))
    return [one for number, one in best.items() if number not in followers]
