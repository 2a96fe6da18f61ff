"""The migrations lead to the tables of the models, on both databases, whoever else migrates."""

import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from meldbalie.models import migrate as migrations
from meldbalie.models.migrate import DatabaseTooNew, NotOurTables, is_current, migrate, missing_revisions
from meldbalie.models.session import Database
from meldbalie.models.tables import Base
from meldbalie.tests.postgres import PostgresServer
from sqlalchemy import Engine, inspect, make_url, text

ALL_REVISIONS = [
    f"{number:04d}" for number in range(1, 1 + len(list((migrations.MIGRATIONS / "versions").glob("0*.py"))))
]

SEVERAL_AT_ONCE = """
import sys
from meldbalie.models.migrate import migrate
from meldbalie.models.session import Database
database = Database(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(*migrate(database))
"""


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/meldbalie.db"


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Generator[str]:
    with postgres_server.new_database() as name:
        yield postgres_server.url(name)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest):
    named = {"sqlite": "sqlite_url", "postgres": "postgres_url"}[request.param]
    database = Database(request.getfixturevalue(named))
    yield database
    database.close()


def constraints_of(engine: Engine) -> dict[str, object]:
    """What compare_metadata does not look at: checks, and which rows an index covers."""
    seen = inspect(engine)
    return {
        table: (
            sorted((check["name"], check["sqltext"]) for check in seen.get_check_constraints(table)),
            sorted((index["name"], rows_covered_by(index)) for index in seen.get_indexes(table)),
        )
        for table in seen.get_table_names()
        if table != "alembic_version"
    }


def rows_covered_by(index: Any) -> list[str]:
    return [str(option) for name, option in index["dialect_options"].items() if name.endswith("_where")]


def test_the_migrations_make_exactly_the_tables_of_the_models(database: Database):
    migrate(database)

    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_the_migrations_make_the_checks_and_partial_indexes_of_the_models(database: Database):
    migrate(database)
    migrated = constraints_of(database.engine)

    with database.engine.begin() as connection:
        Base.metadata.drop_all(connection)
        Base.metadata.create_all(connection)

    assert constraints_of(database.engine) == migrated


def test_a_database_is_current_once_every_revision_is_applied(database: Database):
    assert not is_current(database)
    assert missing_revisions(database) == ALL_REVISIONS

    applied = migrate(database)

    assert applied == ALL_REVISIONS
    assert is_current(database)
    assert migrate(database) == []


def test_a_database_of_a_newer_version_is_refused_and_left_alone(database: Database):
    migrate(database)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(DatabaseTooNew, match=r"revision 9999.*newer version"):
        migrate(database)
    with pytest.raises(DatabaseTooNew):
        is_current(database)


def test_the_refusal_of_a_newer_database_does_not_tell_its_password(postgres_url: str):
    address = make_url(postgres_url).set(password="hunter2")
    database = Database(address.render_as_string(hide_password=False))
    migrate(database)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(DatabaseTooNew) as refusal:
        migrate(database)

    assert "hunter2" not in str(refusal.value)
    database.close()


def test_tables_without_a_revision_are_refused(database: Database):
    with database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE tickets (id INTEGER PRIMARY KEY)"))

    with pytest.raises(NotOurTables, match="alembic_version"):
        migrate(database)

    assert inspect(database.engine).get_table_names() == ["tickets"]


def test_a_migration_that_fails_leaves_nothing_behind(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(migrations, "MIGRATIONS", with_one_more(tmp_path, "1 / 0"))

    with pytest.raises(ZeroDivisionError):
        migrate(database)

    assert inspect(database.engine).get_table_names() == []


def test_a_table_that_others_refer_to_is_rebuilt_with_its_rows(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    database = Database(sqlite_url)
    migrate(database)
    with database.engine.begin() as connection:
        connection.execute(text("INSERT INTO owners VALUES (1, 'Waterwerk', 'w@voorbeeld.example', '')"))
        connection.execute(
            text("INSERT INTO assets VALUES (1, 1, 'host', 'a.example', 'manual', NULL, NULL)")
        )
    rebuilt = "batch_alter_table('owners', recreate='always')"
    monkeypatch.setattr(
        migrations, "MIGRATIONS", with_one_more(tmp_path, f"with op.{rebuilt} as b: b.drop_column('address')")
    )

    assert migrate(database) == ["9999"]

    with database.engine.connect() as connection:
        assert connection.execute(text("SELECT * FROM owners")).all() == [(1, "Waterwerk", "")]
        assert connection.execute(text("SELECT owner_id FROM assets")).scalar() == 1
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
    database.close()


def test_a_database_is_migrated_once_when_several_processes_start_together(database: Database):
    url = database.engine.url.render_as_string(hide_password=False)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SEVERAL_AT_ONCE, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"

    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate() for process in processes]

    assert [problem for _, problem in said] == [""] * 4
    assert sorted(applied.split() for applied, _ in said) == [[], [], [], ALL_REVISIONS]


def test_references_are_checked_again_after_a_migration(sqlite_url: str):
    database = Database(sqlite_url)

    migrate(database)

    with database.engine.connect() as connection:
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
    database.close()


def with_one_more(directory: Path, change: str) -> Path:
    """A copy of the migrations with one after the last."""
    copied = directory / "migrations"
    for file in migrations.MIGRATIONS.rglob("*"):
        if file.suffix in {".py", ".mako"}:
            copy = copied / file.relative_to(migrations.MIGRATIONS)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
    (copied / "versions" / "9999_more.py").write_text(
        "from alembic import op\n"
        f"revision, down_revision = '9999', {ALL_REVISIONS[-1]!r}\n"
        f"def upgrade():\n    {change}\n"
    )
    return copied
