"""What the database itself refuses of the directory of owners."""

from datetime import date

import pytest
from meldbalie.models.owners import Asset, AssetKind, Owner, Source
from meldbalie.models.session import Database
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError


def _owner(name: str = "Web") -> Owner:
    return Owner(name=name, address="web@voorbeeld.example")


def _asset(owner: Owner, source: Source = Source.IMPORTED) -> Asset:
    return Asset(owner=owner, kind=AssetKind.HOST, value="www.voorbeeld.nl", source=source)


def test_an_owner_has_a_name_of_its_own(database: Database) -> None:
    with pytest.raises(IntegrityError), database.unit_of_work() as session:
        session.add_all([_owner(), _owner()])


def test_an_asset_is_imported_once_and_entered_by_hand_once(database: Database) -> None:
    with database.unit_of_work() as session:
        session.add_all([_asset(_owner("Web")), _asset(_owner("Net"), Source.MANUAL)])

    with pytest.raises(IntegrityError), database.unit_of_work() as session:
        session.add(_asset(_owner("Mail")))


def test_an_asset_cannot_end_before_it_starts(database: Database) -> None:
    asset = _asset(_owner())
    asset.valid_from, asset.valid_until = date(2026, 11, 22), date(2026, 11, 21)

    with pytest.raises(IntegrityError), database.unit_of_work() as session:
        session.add(asset)


def test_an_asset_may_be_valid_for_one_day(database: Database) -> None:
    with database.unit_of_work() as session:
        asset = _asset(_owner())
        asset.valid_from = asset.valid_until = date(2026, 11, 21)
        session.add(asset)

    with database.reading() as session:
        assert session.scalars(select(Asset)).one().valid_until == date(2026, 11, 21)


def test_an_owner_who_has_assets_is_not_removed(database: Database) -> None:
    with database.unit_of_work() as session:
        session.add(_asset(_owner()))

    with pytest.raises(IntegrityError), database.unit_of_work() as session:
        session.execute(text("DELETE FROM owners"))


def test_kinds_and_sources_are_stored_as_words(database: Database) -> None:
    with database.unit_of_work() as session:
        session.add(_asset(_owner()))

    with database.reading() as session:
        assert tuple(session.execute(text("SELECT kind, source FROM assets")).one()) == ("host", "imported")
