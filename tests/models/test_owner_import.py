"""The import makes the imported part of the directory what the file says, or changes nothing."""

import argparse
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from meldbalie.models.owner_commands import add_owner_arguments, run_owner_import, run_route
from meldbalie.models.owner_file import OwnerFileRefused
from meldbalie.models.owner_import import Counts, ImportReport, import_owners
from meldbalie.models.owners import Asset, AssetKind, Owner, Source
from meldbalie.models.session import Database
from meldbalie.models.ticket import Ticket
from sqlalchemy import event, select, text
from sqlalchemy.orm import Session

TODAY = date(2026, 11, 21)
KEY = "0123456789ABCDEF0123456789ABCDEF01234567"
WEB_AND_NET = ("Web,web@x.example,www.a.nl", "Web,web@x.example,*.a.nl", "Net,net@x.example,203.0.113.0/24")


def _file(*lines: str, header: str = "owner,address,asset") -> bytes:
    return "\n".join([header, *lines]).encode()


def _import(database: Database, csv_bytes: bytes, *, only_check: bool = False) -> ImportReport:
    with database.unit_of_work() as session:
        return import_owners(session, csv_bytes, on=TODAY, only_check=only_check)


def _told(report: ImportReport) -> tuple[str, ...]:
    return tuple(str(remark) for remark in report.remarks)


def _directory(database: Database) -> Sequence[tuple[Any, ...]]:
    listed = select(
        Asset.id, Owner.name, Owner.address, Owner.fingerprint, Asset.kind, Asset.value, Asset.source
    )
    with database.reading() as session:
        rows = session.execute(listed.join(Asset.owner).order_by(Asset.id))
        return [tuple(row) for row in rows]


def _assets(database: Database) -> list[tuple[str, str]]:
    return sorted((row[1], row[5]) for row in _directory(database))


def _owners(database: Database) -> dict[str, str]:
    with database.reading() as session:
        return {owner.name: owner.fingerprint for owner in session.scalars(select(Owner))}


def test_a_first_import_adds_owners_and_assets(database: Database) -> None:
    report = _import(database, _file(*WEB_AND_NET))

    assert (report.owners, report.assets) == (Counts(2, 0, 0, 0), Counts(3, 0, 0, 0))
    assert _assets(database) == [("Net", "203.0.113.0/24"), ("Web", "a.nl"), ("Web", "www.a.nl")]
    assert {row[6] for row in _directory(database)} == {Source.IMPORTED}


def test_the_same_file_again_changes_nothing_and_says_so(database: Database) -> None:
    _import(database, _file(*WEB_AND_NET))
    before = _directory(database)

    report = _import(database, _file(*reversed(WEB_AND_NET)))

    assert report.changed_nothing
    assert (report.owners, report.assets) == (Counts(0, 0, 0, 2), Counts(0, 0, 0, 3))
    assert _directory(database) == before


def test_a_file_that_is_only_checked_is_told_and_not_taken(database: Database) -> None:
    _import(database, _file(*WEB_AND_NET))
    before = _directory(database)

    report = _import(database, _file("Net,net@x.example,www.a.nl", "Mail,m@x.example,b.nl"), only_check=True)

    assert (report.owners, report.assets) == (Counts(1, 0, 1, 1), Counts(1, 1, 2, 0))
    assert _directory(database) == before


def test_what_the_file_no_longer_lists_goes_away(database: Database) -> None:
    _import(database, _file(*WEB_AND_NET))

    report = _import(database, _file("Net,net@x.example,www.a.nl"))

    assert (report.owners, report.assets) == (Counts(0, 0, 1, 1), Counts(0, 1, 2, 0))
    assert _assets(database) == [("Net", "www.a.nl")]
    assert list(_owners(database)) == ["Net"]


def test_validity_is_imported_and_what_has_ended_is_told(database: Database) -> None:
    header = "owner,address,asset,valid_from,valid_until"
    _import(database, _file("Web,web@x.example,a.nl,,", header=header))

    report = _import(database, _file("Web,web@x.example,a.nl,2026-01-01,2026-11-20", header=header))

    assert report.assets == Counts(0, 1, 0, 0)
    assert _told(report) == ("assets that ended before 2026-11-21 and route nothing: 1",)
    with database.reading() as session:
        asset = session.scalars(select(Asset)).one()
        assert (asset.valid_from, asset.valid_until) == (date(2026, 1, 1), date(2026, 11, 20))


def test_manual_assets_are_never_touched(database: Database) -> None:
    with database.unit_of_work() as session:
        hand = Owner(name="Hand", address="hand@x.example")
        web = Owner(name="Web", address="web@x.example")
        session.add(Asset(owner=hand, kind=AssetKind.HOST, value="www.a.nl", source=Source.MANUAL))
        session.add(Asset(owner=web, kind=AssetKind.HOST, value="b.nl", source=Source.MANUAL))
    before = _directory(database)

    _import(database, _file(*WEB_AND_NET, "Hand,hand@x.example,c.nl"))
    _import(database, _file("Net,net@x.example,203.0.113.0/24"))

    assert [row for row in _directory(database) if row[6] is Source.MANUAL] == before
    assert sorted(_owners(database)) == ["Hand", "Net", "Web"]


def test_an_owner_without_assets_whom_no_file_ever_listed_stays(database: Database) -> None:
    with database.unit_of_work() as session:
        session.add(Owner(name="Supplier", address="s@x.example"))

    _import(database, _file(*WEB_AND_NET))

    assert "Supplier" in _owners(database)


def test_an_owner_whom_a_ticket_names_stays_without_assets(
    database: Database, new_ticket: Callable[[Session], Ticket]
) -> None:
    _import(database, _file(*WEB_AND_NET))
    with database.unit_of_work() as session:
        new_ticket(session).owner = session.scalars(select(Owner).where(Owner.name == "Web")).one()

    report = _import(database, _file("Net,net@x.example,203.0.113.0/24"))

    assert report.owners == Counts(0, 0, 0, 1)
    assert _told(report) == ("'Web' has no asset any more and stays: tickets name it",)
    assert sorted(_owners(database)) == ["Net", "Web"]


def test_an_owner_to_whom_a_ticket_is_being_routed_stays(
    postgres_database: Database, new_ticket: Callable[[Session], Ticket]
) -> None:
    _import(postgres_database, _file(*WEB_AND_NET))

    with ThreadPoolExecutor(1) as thread:
        with postgres_database.unit_of_work() as session:
            new_ticket(session).owner = session.scalars(select(Owner).where(Owner.name == "Web")).one()
            session.flush()
            importing = thread.submit(_import, postgres_database, _file("Net,net@x.example,b.nl"))
            waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            while not session.scalar(waiting) and not importing.done():
                pass
        report = importing.result()

    assert _told(report) == ("'Web' has no asset any more and stays: tickets name it",)


def test_a_changed_address_and_a_changed_key_are_told_in_words(database: Database) -> None:
    header = "owner,address,asset,fingerprint"
    _import(database, _file("Web,web@x.example,a.nl,", header=header))

    report = _import(database, _file(f"Web,new@x.example,a.nl,{KEY}", header=header))

    assert report.owners == Counts(0, 1, 0, 0)
    assert _told(report) == (
        "'Web' gets mail at another address: new@x.example, no longer web@x.example",
        f"the pinned key of 'Web' changes: {KEY}, no longer no key",
    )
    assert _owners(database) == {"Web": KEY}


def test_only_a_file_with_the_column_takes_a_pinned_key_away(database: Database) -> None:
    header = "owner,address,asset,fingerprint"
    _import(database, _file(f"Web,web@x.example,a.nl,{KEY}", header=header))

    without_column = _import(database, _file("Web,new@x.example,a.nl"))
    assert _told(without_column) == (
        "'Web' gets mail at another address: new@x.example, no longer web@x.example",
    )
    assert _owners(database) == {"Web": KEY}

    emptied = _import(database, _file("Web,new@x.example,a.nl,", header=header))
    assert _told(emptied) == (f"the pinned key of 'Web' changes: no key, no longer {KEY}",)
    assert _owners(database) == {"Web": ""}


def test_one_bad_line_keeps_the_whole_file_out(database: Database) -> None:
    _import(database, _file(*WEB_AND_NET))
    before = _directory(database)

    with pytest.raises(OwnerFileRefused, match=r"line 3, asset '\*\.nl'"):
        _import(database, _file("Mail,m@x.example,b.nl", "Mail,m@x.example,*.nl"))

    assert _directory(database) == before


def test_what_the_caller_holds_is_read_anew_after_an_import(database: Database) -> None:
    _import(database, _file("Web,web@x.example,a.nl"))

    with database.unit_of_work() as session:
        web = session.scalars(select(Owner)).one()
        assert [asset.value for asset in web.assets] == ["a.nl"]
        import_owners(session, _file("Web,new@x.example,b.nl"), on=TODAY)
        assert web.address == "new@x.example"
        assert [asset.value for asset in web.assets] == ["b.nl"]


def test_imports_at_the_same_time_wait_for_each_other(database: Database) -> None:
    start = Barrier(4)

    def one(_: int) -> ImportReport:
        start.wait()
        return _import(database, _file(*WEB_AND_NET))

    with ThreadPoolExecutor(4) as threads:
        reports = list(threads.map(one, range(4)))

    assert sorted(report.owners.added for report in reports) == [0, 0, 0, 2]
    assert len(_assets(database)) == 3


def test_many_lines_are_written_in_few_statements(database: Database) -> None:
    lines = [f"Team {n % 50},team{n % 50}@x.example,host{n}.voorbeeld.nl" for n in range(20_000)]
    statements: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        statements.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    _import(database, _file(*lines))
    report = _import(database, _file(lines[0]))

    assert report.assets == Counts(0, 0, 19_999, 1)
    assert report.owners == Counts(0, 0, 49, 1)
    assert 10 < len(statements) < 30


def _arguments(*given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_owner_arguments(parser)
    return parser.parse_args(given)


def test_the_import_command_says_what_changed(
    sqlite_database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "owners.csv"
    file.write_bytes(_file(*WEB_AND_NET))

    codes = [
        run_owner_import(_arguments(str(file), "--check"), sqlite_database, TODAY),
        run_owner_import(_arguments(str(file)), sqlite_database, TODAY),
        run_owner_import(_arguments(str(file)), sqlite_database, TODAY),
    ]

    assert codes == [0, 0, 0]
    assert capsys.readouterr().out.splitlines() == [
        "the file can be taken; nothing was changed yet",
        "owners: 2 added, 0 changed, 0 removed, 0 kept",
        "assets: 3 added, 0 changed, 0 removed, 0 kept",
        "the file was taken",
        "owners: 2 added, 0 changed, 0 removed, 0 kept",
        "assets: 3 added, 0 changed, 0 removed, 0 kept",
        "the directory says already what the file says: nothing changes",
        "owners: 0 added, 0 changed, 0 removed, 2 kept",
        "assets: 0 added, 0 changed, 0 removed, 3 kept",
    ]


def test_the_import_command_says_why_a_file_is_refused(
    sqlite_database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, missing = tmp_path / "owners.csv", tmp_path / "missing.csv"
    file.write_bytes(_file("Web,web@x.example,*.nl"))

    codes = [run_owner_import(_arguments(str(path)), sqlite_database, TODAY) for path in (file, missing)]

    said = capsys.readouterr()
    assert (codes, said.out) == ([1, 1], "")
    assert (
        f"{file} cannot be taken; nothing was changed:\nline 2, asset '*.nl': what lies under it" in said.err
    )
    assert f"{missing} cannot be read (No such file or directory): give a CSV file" in said.err


def test_the_route_command_prints_a_line_for_each_target(
    sqlite_database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    _import(sqlite_database, _file(*WEB_AND_NET))

    code = run_route(["https://www.a.nl/x", "b.nl", "10.0.0.0/8"], sqlite_database, TODAY)
    nobody = run_route(["b.nl"], sqlite_database, TODAY)

    assert (code, nobody) == (0, 1)
    assert capsys.readouterr().out.splitlines() == [
        "Web <web@x.example>: www.a.nl is listed by name (imported)",
        "triage team: no owner is known for b.nl: the triage team takes it",
        "triage team: 10.0.0.0/8 is a range of addresses, not one target: the triage team takes it",
        "triage team: no owner is known for b.nl: the triage team takes it",
    ]
