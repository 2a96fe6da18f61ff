"""The import of the owner directory: the file becomes what is imported, and nothing else is touched.

Imported assets that the file no longer lists go away; manual assets stay as they are. An owner who
loses the last asset that way goes too, unless tickets name it. A file that cannot be taken whole
changes nothing, and the same file again changes nothing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import delete, exists, insert, select, text, update
from sqlalchemy.orm import Session

from .absences import Absence
from .hosts import quoted
from .owner_file import ListedAsset, ListedOwner, OwnerFile, read_owner_file
from .owners import Asset, AssetKind, Owner, Source
from .ticket import Ticket

ROWS_PER_STATEMENT = 5_000  # SQLite takes 32,766 parameters

T = TypeVar("T")


@dataclass(frozen=True)
class Counts:
    """What an import does to the rows of one table."""

    added: int
    changed: int
    removed: int
    kept: int

    def __str__(self) -> str:
        """In words."""
        return f"{self.added} added, {self.changed} changed, {self.removed} removed, {self.kept} kept"


@dataclass(frozen=True)
class Remark:
    """Something that an operator should know; the values in it are for whoever has the file."""

    said: str
    values: str = ""

    def __str__(self) -> str:
        """All of it."""
        return f"{self.said}: {self.values}" if self.values else self.said


@dataclass(frozen=True)
class ImportReport:
    """What an import did, and what an operator should know of it."""

    owners: Counts
    assets: Counts
    remarks: tuple[Remark, ...]

    @property
    def changed_nothing(self) -> bool:
        """Whether the directory said already what the file says."""
        counts = (self.owners, self.assets)
        return not any(count.added or count.changed or count.removed for count in counts)


class _KnownOwner(NamedTuple):
    """An owner who is in the directory."""

    id: int
    address: str
    fingerprint: str


class _KnownAsset(NamedTuple):
    """An imported asset that is in the directory."""

    id: int
    owner: str
    valid_from: date | None
    valid_until: date | None


@dataclass(frozen=True)
class _Plan:
    """Everything that an import will write."""

    new_owners: list[ListedOwner]
    changed_owners: list[dict[str, Any]]
    leaving_owners: list[int]
    new_assets: list[tuple[AssetKind, str]]
    changed_assets: list[tuple[int, ListedAsset]]
    leaving_assets: list[int]
    remarks: list[Remark]


def import_owners(session: Session, csv_bytes: bytes, *, on: date, only_check: bool = False) -> ImportReport:
    """Make the imported part of the directory what the file says; with ``only_check`` just tell.

    Raises :class:`OwnerFileRefused` with an error for everything that is wrong, having changed nothing.
    """
    file = read_owner_file(csv_bytes)
    _wait_for_other_imports(session)
    plan = _compare(session, file, on)
    if not only_check:
        _carry_out(session, file, plan)
    return ImportReport(_owner_counts(file, plan), _asset_counts(file, plan), tuple(plan.remarks))


def _wait_for_other_imports(session: Session) -> None:
    """Let one import run at a time; routing and new tickets are not held up."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE owners, assets IN SHARE ROW EXCLUSIVE MODE"))


def _compare(session: Session, file: OwnerFile, on: date) -> _Plan:
    session.flush()
    plan = _Plan([], [], [], [], [], [], [])
    _compare_owners(session, file, plan)
    left_behind = _compare_assets(session, file, plan)
    _decide_who_leaves(session, left_behind, plan)
    ended = sum(1 for asset in file.assets.values() if asset.valid_until and asset.valid_until < on)
    if ended:
        plan.remarks.append(Remark(f"assets that ended before {on} and route nothing: {ended}"))
    return plan


def _compare_owners(session: Session, file: OwnerFile, plan: _Plan) -> None:
    rows = session.execute(select(Owner.name, Owner.id, Owner.address, Owner.fingerprint))
    known = {name: _KnownOwner(key, address, fingerprint) for name, key, address, fingerprint in rows}
    for listed in file.owners.values():
        was = known.get(listed.name)
        if was is None:
            plan.new_owners.append(listed)
        elif remarks := list(_owner_remarks(was, listed)):
            pinned = was.fingerprint if listed.fingerprint is None else listed.fingerprint
            plan.changed_owners.append({"id": was.id, "address": listed.address, "fingerprint": pinned})
            plan.remarks.extend(remarks)


def _owner_remarks(was: _KnownOwner, listed: ListedOwner) -> Iterator[Remark]:
    name = quoted(listed.name)
    if listed.address != was.address:
        yield Remark(f"{name} gets mail at another address", f"{listed.address}, no longer {was.address}")
    if listed.fingerprint is not None and listed.fingerprint != was.fingerprint:
        before, after = was.fingerprint or "no key", listed.fingerprint or "no key"
        yield Remark(f"the pinned key of {name} changes", f"{after}, no longer {before}")


def _compare_assets(session: Session, file: OwnerFile, plan: _Plan) -> set[str]:
    """Compare the assets, and give the owners who lose one and are not in the file."""
    known = _imported_assets(session)
    for listing, listed in file.assets.items():
        was = known.get(listing)
        if was is None:
            plan.new_assets.append(listing)
        elif was[1:] != (listed.owner, listed.valid_from, listed.valid_until):
            plan.changed_assets.append((was.id, listed))
    plan.leaving_assets.extend(was.id for listing, was in known.items() if listing not in file.assets)
    return {was.owner for was in known.values()} - file.owners.keys()


def _imported_assets(session: Session) -> dict[tuple[AssetKind, str], _KnownAsset]:
    imported = (
        select(Asset.kind, Asset.value, Asset.id, Owner.name, Asset.valid_from, Asset.valid_until)
        .join(Asset.owner)
        .where(Asset.source == Source.IMPORTED)
    )
    return {
        (kind, value): _KnownAsset(key, owner, start, end)
        for kind, value, key, owner, start, end in session.execute(imported)
    }


def _decide_who_leaves(session: Session, names: Iterable[str], plan: _Plan) -> None:
    """Find the owners who have nothing left; those whom tickets name stay.

    Their rows are locked first, so that a ticket which is being routed to one of them is seen.
    """
    for part in _parts(sorted(names)):
        session.execute(select(Owner.id).where(Owner.name.in_(part)).with_for_update())
        has_manual = exists().where(Asset.owner_id == Owner.id, Asset.source == Source.MANUAL)
        has_tickets = exists().where(Ticket.owner_id == Owner.id)
        rows = select(Owner.id, Owner.name, has_tickets).where(Owner.name.in_(part), ~has_manual)
        for owner_id, name, is_named in session.execute(rows.order_by(Owner.name)):
            if is_named:
                plan.remarks.append(
                    Remark(f"{quoted(name)} has no asset any more and stays: tickets name it")
                )
            else:
                plan.leaving_owners.append(owner_id)


def _carry_out(session: Session, file: OwnerFile, plan: _Plan) -> None:
    if plan.new_owners:
        session.execute(insert(Owner), [_owner_row(listed) for listed in plan.new_owners])
    if plan.changed_owners:
        session.execute(update(Owner), plan.changed_owners)
    ids = {row.name: row.id for row in session.execute(select(Owner.name, Owner.id))}
    for part in _parts(plan.new_assets):
        session.execute(insert(Asset), [_asset_row(listing, file, ids) for listing in part])
    for part in _parts(plan.changed_assets):
        session.execute(update(Asset), [{"id": asset} | _said(listed, ids) for asset, listed in part])
    for part in _parts(plan.leaving_assets):
        gone = delete(Asset).where(Asset.id.in_(part))
        session.execute(gone, execution_options={"synchronize_session": False})
    for part in _parts(plan.leaving_owners):
        session.execute(update(Absence).where(Absence.deputy_id.in_(part)).values(deputy_id=None))
        session.execute(delete(Absence).where(Absence.owner_id.in_(part)))
        gone = delete(Owner).where(Owner.id.in_(part))
        session.execute(gone, execution_options={"synchronize_session": False})
    session.expire_all()


def _owner_row(listed: ListedOwner) -> dict[str, Any]:
    return {"name": listed.name, "address": listed.address, "fingerprint": listed.fingerprint or ""}


def _asset_row(listing: tuple[AssetKind, str], file: OwnerFile, ids: dict[str, int]) -> dict[str, Any]:
    kind, value = listing
    said = _said(file.assets[listing], ids)
    return {"kind": kind, "value": value, "source": Source.IMPORTED} | said


def _said(listed: ListedAsset, ids: dict[str, int]) -> dict[str, Any]:
    return {
        "owner_id": ids[listed.owner],
        "valid_from": listed.valid_from,
        "valid_until": listed.valid_until,
    }


def _owner_counts(file: OwnerFile, plan: _Plan) -> Counts:
    added, changed = len(plan.new_owners), len(plan.changed_owners)
    return Counts(added, changed, len(plan.leaving_owners), len(file.owners) - added - changed)


def _asset_counts(file: OwnerFile, plan: _Plan) -> Counts:
    added, changed = len(plan.new_assets), len(plan.changed_assets)
    return Counts(added, changed, len(plan.leaving_assets), len(file.assets) - added - changed)


def _parts(rows: list[T]) -> Iterator[list[T]]:
    for start in range(0, len(rows), ROWS_PER_STATEMENT):
        yield rows[start : start + ROWS_PER_STATEMENT]
