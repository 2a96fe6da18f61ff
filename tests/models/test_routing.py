"""Who answers for what: the most exact asset that is in force, manual before imported."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import pytest
from meldbalie.models.owners import Asset, AssetKind, Owner, Source
from meldbalie.models.routing import VALUES_PER_QUERY, Route, route
from meldbalie.models.session import Database
from sqlalchemy import event, insert, text
from sqlalchemy.orm import Session

HOST, SUFFIX, CIDR = AssetKind.HOST, AssetKind.SUFFIX, AssetKind.CIDR
TODAY = date(2026, 11, 21)
DAY = timedelta(days=1)


def _asset(
    session: Session,
    owner: str,
    kind: AssetKind,
    value: str,
    source: Source = Source.IMPORTED,
    valid: tuple[date | None, date | None] = (None, None),
) -> None:
    known = session.query(Owner).filter_by(name=owner).one_or_none()
    known = known or Owner(name=owner, address=f"{owner.lower()}@voorbeeld.example")
    start, end = valid
    asset = Asset(owner=known, kind=kind, value=value, source=source, valid_from=start, valid_until=end)
    session.add(asset)


def _answer(database: Database, *targets: str, on: date = TODAY) -> Route:
    with database.reading() as session:
        return route(session, targets, on=on)


def _owner_of(database: Database, target: str, on: date = TODAY) -> str | None:
    found = _answer(database, target, on=on)
    return found.owner.name if found.owner else None


@pytest.fixture
def directory(database: Database) -> Database:
    """Owners of nested domains and nested ranges."""
    with database.unit_of_work() as session:
        _asset(session, "Town", SUFFIX, "voorbeeld.nl")
        _asset(session, "Shop", SUFFIX, "winkel.voorbeeld.nl")
        _asset(session, "Web", HOST, "www.voorbeeld.nl")
        _asset(session, "Net", CIDR, "203.0.113.0/24")
        _asset(session, "Lab", CIDR, "203.0.113.8/29")
        _asset(session, "One", CIDR, "203.0.113.9/32")
        _asset(session, "Six", CIDR, "2001:db8::/32")
        _asset(session, "Lan", CIDR, "2001:db8:1::/48")
    return database


@pytest.mark.parametrize(
    ("target", "owner", "because"),
    [
        ("voorbeeld.nl", "Town", "voorbeeld.nl is listed with all under it (imported)"),
        ("mail.voorbeeld.nl", "Town", "mail.voorbeeld.nl lies under *.voorbeeld.nl (imported)"),
        ("https://www.voorbeeld.nl/x", "Web", "www.voorbeeld.nl is listed by name (imported)"),
        ("a.www.voorbeeld.nl", "Town", "a.www.voorbeeld.nl lies under *.voorbeeld.nl (imported)"),
        (
            "a.winkel.voorbeeld.nl",
            "Shop",
            "a.winkel.voorbeeld.nl lies under *.winkel.voorbeeld.nl (imported)",
        ),
        ("203.0.113.1", "Net", "203.0.113.1 lies in 203.0.113.0/24 (imported)"),
        ("203.0.113.10", "Lab", "203.0.113.10 lies in 203.0.113.8/29 (imported)"),
        ("::ffff:203.0.113.9", "One", "203.0.113.9 lies in 203.0.113.9/32 (imported)"),
        ("[2001:db8:1::7]:443", "Lan", "2001:db8:1::7 lies in 2001:db8:1::/48 (imported)"),
        ("2001:db8:2::7", "Six", "2001:db8:2::7 lies in 2001:db8::/32 (imported)"),
    ],
)
def test_the_most_exact_asset_decides(directory: Database, target: str, owner: str, because: str) -> None:
    found = _answer(directory, target)

    assert found.owner is not None
    assert found.asset is not None
    assert (found.owner.name, found.because, found.also) == (owner, because, ())
    assert found.asset.owner is found.owner


@pytest.mark.parametrize(
    "target", ["nietvoorbeeld.nl", "voorbeeld.nl.elders.example", "nl", "203.0.114.1", "2001:db9::1"]
)
def test_what_only_resembles_an_asset_has_no_owner(directory: Database, target: str) -> None:
    found = _answer(directory, target)

    assert (found.owner, found.asset, found.target) == (None, None, None)
    assert found.because == f"no owner is known for {target}: the triage team takes it"


def test_manual_beats_imported_where_both_are_equally_exact(database: Database) -> None:
    with database.unit_of_work() as session:
        _asset(session, "File", SUFFIX, "voorbeeld.nl")
        _asset(session, "Hand", SUFFIX, "voorbeeld.nl", Source.MANUAL)
        _asset(session, "Hand", CIDR, "203.0.113.0/24", Source.MANUAL)
        _asset(session, "File", CIDR, "203.0.113.0/24")

    assert _owner_of(database, "www.voorbeeld.nl") == "Hand"
    assert _owner_of(database, "203.0.113.9") == "Hand"


def test_more_exact_beats_manual(database: Database) -> None:
    with database.unit_of_work() as session:
        _asset(session, "Hand", SUFFIX, "voorbeeld.nl", Source.MANUAL)
        _asset(session, "File", HOST, "www.voorbeeld.nl")

    assert _owner_of(database, "www.voorbeeld.nl") == "File"


def test_an_asset_counts_on_its_first_and_its_last_day_and_not_beyond(database: Database) -> None:
    with database.unit_of_work() as session:
        _asset(session, "Host", HOST, "www.voorbeeld.nl", valid=(TODAY, TODAY + DAY))
        _asset(session, "Town", SUFFIX, "voorbeeld.nl", valid=(None, TODAY + DAY))

    days = [TODAY - DAY, TODAY, TODAY + DAY, TODAY + 2 * DAY]

    assert [_owner_of(database, "www.voorbeeld.nl", day) for day in days] == ["Town", "Host", "Host", None]


def test_a_manual_asset_that_has_ended_leaves_the_imported_one(database: Database) -> None:
    with database.unit_of_work() as session:
        _asset(session, "Hand", HOST, "www.voorbeeld.nl", Source.MANUAL, valid=(None, TODAY - DAY))
        _asset(session, "File", HOST, "www.voorbeeld.nl")

    assert _owner_of(database, "www.voorbeeld.nl") == "File"


def test_of_several_targets_the_first_with_an_owner_decides_and_others_are_named(directory: Database) -> None:
    targets = [
        "elders.example",
        "10.0.0.0/8",
        "mail.voorbeeld.nl",
        "www.voorbeeld.nl",
        "ftp.voorbeeld.nl",
        "203.0.113.1",
    ]

    found = _answer(directory, *targets)

    assert found.owner is not None
    assert (found.owner.name, found.target) == ("Town", "mail.voorbeeld.nl")
    assert found.also == (("www.voorbeeld.nl", "Web"), ("203.0.113.1", "Net"))


@pytest.mark.parametrize(
    ("targets", "because"),
    [
        ([], "the report names no target"),
        (["", "  "], "the target is empty"),
        (["10.0.0.0/8"], "10.0.0.0/8 is a range of addresses, not one target"),
        (["10.0.0.0/8", "a.example"], "no owner is known for a.example"),
        (["a.example", "b.example"], "no owner is known for a.example and b.example"),
        (["a.example", "b.example", "A.example."], "no owner is known for a.example and b.example"),
        (["a.b", "c.d", "e.f", "g.h", "i.j"], "no owner is known for a.b, c.d, e.f and 2 more"),
    ],
)
def test_what_has_no_owner_goes_to_the_triage_team(
    directory: Database, targets: Sequence[str], because: str
) -> None:
    found = _answer(directory, *targets)

    assert (found.owner, found.also) == (None, ())
    assert found.because == f"{because}: the triage team takes it"


def test_very_many_targets_are_looked_up_in_several_queries(directory: Database) -> None:
    targets = [f"host{number}.elders.example" for number in range(VALUES_PER_QUERY)]

    with directory.reading() as session, _statements(session) as asked:
        found = route(session, [*targets, "www.voorbeeld.nl"], on=TODAY)

    assert found.owner is not None
    assert found.owner.name == "Web"
    assert len(asked) == 2


@pytest.mark.parametrize("target", ["a.b.c.host7.voorbeeld9.nl", "2001:db8::9", "203.0.113.9"])
def test_one_query_by_index_answers_from_fifty_thousand_assets(database: Database, target: str) -> None:
    with database.unit_of_work() as session:
        _fill(session, 50_000)
    with database.unit_of_work() as session:
        session.execute(text("ANALYZE"))

    with database.reading() as session:
        with _statements(session) as asked:
            route(session, [target, "www.voorbeeld.nl"], on=TODAY)
        plan = _plan(session, *asked[0])

    assert len(asked) == 1
    assert "ix_assets_value" in plan
    assert "Seq Scan on assets" not in plan
    assert "SCAN assets" not in plan


def _fill(session: Session, assets: int) -> None:
    session.execute(
        insert(Owner),
        [{"id": 1 + n, "name": f"Team {n}", "address": "t@voorbeeld.example"} for n in range(100)],
    )
    rows = [
        {"owner_id": 1 + n % 100, "kind": kind, "value": value}
        for n in range(assets // 2)
        for kind, value in [
            (HOST, f"host{n}.voorbeeld{n % 500}.nl"),
            (CIDR, f"10.{n // 250}.{n % 250}.0/24"),
        ]
    ]
    session.execute(insert(Asset), rows)


@contextmanager
def _statements(session: Session) -> Generator[list[tuple[str, Any]]]:
    asked: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        asked.append((statement, parameters))

    connection = session.connection()
    event.listen(connection, "before_cursor_execute", note)
    yield asked
    event.remove(connection, "before_cursor_execute", note)


def _plan(session: Session, statement: str, parameters: Any) -> str:
    explain = "EXPLAIN" if session.get_bind().dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    rows = session.connection().exec_driver_sql(f"{explain} {statement}", parameters)
    return "\n".join(str(row[-1]) for row in rows)
