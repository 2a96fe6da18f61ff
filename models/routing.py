"""Routing: from what a report is about to who answers for it.

What is listed most exactly wins: a host by name before a domain with all under it, a longer domain
before a shorter one, a narrower address range before a wider one; then manual before imported. An
asset counts on the days from ``valid_from`` to ``valid_until``, both included. Of several targets
the first that has an owner decides, in the order in which the report names them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, joinedload

from .hosts import Address, Host, Unusable, normalise, parents_of, ranges_around
from .owners import Asset, AssetKind, Owner, Source

VALUES_PER_QUERY = 5_000  # SQLite takes 32,766 parameters, PostgreSQL 65,535

Listing = tuple[AssetKind, str]


@dataclass(frozen=True)
class Route:
    """Who answers for a report, and why; ``owner`` is ``None`` when the triage team takes it."""

    owner: Owner | None
    asset: Asset | None
    target: str | None
    because: str
    also: tuple[tuple[str, str], ...] = ()
    """The other targets that somebody else answers for, each with the name of that owner."""


def route(session: Session, targets: Sequence[str], *, on: date) -> Route:
    """Find the owner of the first target that has one on a day.

    One indexed query finds the assets of all targets, however many assets there are. Targets come
    back in the form that is compared. Never raises for what stands in a target.
    """
    places = list(dict.fromkeys(normalise(target) for target in targets))
    usable = {place: list(_listings(place)) for place in places if not isinstance(place, Unusable)}
    listed = _listed_assets(session, usable.values(), on)
    owned = [(place, asset) for place, may_be in usable.items() if (asset := _most_exact(may_be, listed))]
    if not owned:
        return Route(owner=None, asset=None, target=None, because=_nobody(places))
    place, asset = owned[0]
    others = [(str(other), its.owner.name) for other, its in owned[1:] if its.owner_id != asset.owner_id]
    return Route(asset.owner, asset, str(place), _reason(place, asset), tuple(others))


def assets_of(session: Session, targets: Sequence[str], *, on: date) -> dict[str, Asset | None]:
    """What each target falls under on a day, by the target in the form that is compared."""
    places = dict.fromkeys(normalise(target) for target in targets)
    may_be = {place: list(_listings(place)) for place in places if not isinstance(place, Unusable)}
    listed = _listed_assets(session, may_be.values(), on)
    return {str(place): _most_exact(listings, listed) for place, listings in may_be.items()}


def _listings(place: Host | Address) -> Iterator[Listing]:
    """Everything that the directory may list a place under, the most exact first."""
    if isinstance(place, Host):
        yield AssetKind.HOST, place.name
        for domain in parents_of(place.name):
            yield AssetKind.SUFFIX, domain
        return
    for network in ranges_around(place):
        yield AssetKind.CIDR, str(network)


def _listed_assets(
    session: Session, listings: Iterable[Sequence[Listing]], on: date
) -> Mapping[Listing, Asset]:
    values = sorted({value for of_one_place in listings for _, value in of_one_place})
    found: dict[Listing, Asset] = {}
    for start in range(0, len(values), VALUES_PER_QUERY):
        in_force = (
            select(Asset)
            .options(joinedload(Asset.owner, innerjoin=True))
            .where(Asset.value.in_(values[start : start + VALUES_PER_QUERY]))
            .where(or_(Asset.valid_from.is_(None), Asset.valid_from <= on))
            .where(or_(Asset.valid_until.is_(None), Asset.valid_until >= on))
        )
        for asset in session.scalars(in_force):
            known = found.get((asset.kind, asset.value))
            if known is None or known.source is not Source.MANUAL:
                found[asset.kind, asset.value] = asset
    return found


def _most_exact(listings: Sequence[Listing], listed: Mapping[Listing, Asset]) -> Asset | None:
    return next((listed[listing] for listing in listings if listing in listed), None)


def _reason(place: Host | Address, asset: Asset) -> str:
    return f"{place} {_how(place, asset)} ({asset.source.value})"


def _how(place: Host | Address, asset: Asset) -> str:
    if asset.kind is AssetKind.HOST:
        return "is listed by name"
    if asset.kind is AssetKind.SUFFIX:
        itself = str(place) == asset.value
        return "is listed with all under it" if itself else f"lies under *.{asset.value}"
    return f"lies in {asset.value}"


def _nobody(places: Sequence[Host | Address | Unusable]) -> str:
    unknown = [str(place) for place in places if not isinstance(place, Unusable)]
    wrong = [place.because for place in places if isinstance(place, Unusable)]
    if unknown:
        said = f"no owner is known for {_enumerated(unknown)}"
    elif wrong:
        said = _enumerated(wrong)
    else:
        said = "the report names no target"
    return f"{said}: the triage team takes it"


def _enumerated(things: Sequence[str], most: int = 3) -> str:
    named, more = list(things[:most]), len(things) - most
    if more > 0:
        return f"{', '.join(named)} and {more} more"
    return " and ".join([", ".join(named[:-1]), named[-1]]) if len(named) > 1 else named[0]
