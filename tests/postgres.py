"""A real PostgreSQL server for the tests: private, in a temporary directory, on a Unix socket only.

``from meldbalie.tests.postgres import postgres_server`` in a conftest.py makes the fixture known.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

PROGRAMS = Path("/usr/lib/postgresql")  # where Debian and Ubuntu put them, a folder a version
UNPRIVILEGED = "postgres"  # the server refuses to run as root
SETTINGS = ("listen_addresses=",)
HASTY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")  # a crash may lose what was committed


@dataclass
class PostgresServer:
    """A running server; every database in it is somebody's own."""

    directory: Path
    settings: tuple[str, ...] = SETTINGS
    _numbers: Any = field(default_factory=count)

    def url(self, name: str) -> str:
        """The SQLAlchemy URL of one database."""
        return f"postgresql+psycopg://{UNPRIVILEGED}@/{name}?host={self.directory}"

    @contextmanager
    def new_database(self, template: str = "template0") -> Generator[str]:
        """The name of a new database, dropped in the end."""
        name = f"test_{next(self._numbers)}"
        self._say(f'CREATE DATABASE {name} TEMPLATE "{template}" ENCODING "UTF8"')
        try:
            yield name
        finally:
            self._say(f"DROP DATABASE {name} WITH (FORCE)")

    def start(self) -> None:
        """Start it; returns when it answers."""
        options = " ".join(["-k", str(self.directory), *(f"-c {setting}" for setting in self.settings)])
        self._control("start", "-l", self.directory / "log", "-o", options)

    def stop(self) -> None:
        """Stop it as a failure of its machine would."""  # pg_ctl stops the process that the directory names
        self._control("stop", "-m", "immediate")

    def _control(self, *order: str | Path) -> None:
        _run([_programs() / "pg_ctl", "-D", self.directory / "data", "-w", *order])

    def _say(self, statement: str) -> None:
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()


@pytest.fixture(scope="session")
def postgres_server() -> Generator[PostgresServer]:
    """A private PostgreSQL server for the whole test run."""
    with running_server((*SETTINGS, *HASTY)) as server:
        yield server


@pytest.fixture
def own_postgres_server() -> Generator[PostgresServer]:
    """A PostgreSQL server for one test, which may stop it."""
    with running_server() as server:
        yield server


@contextmanager
def running_server(settings: tuple[str, ...] = SETTINGS) -> Generator[PostgresServer]:
    """A private server, gone in the end."""
    directory = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path is at most 107 bytes
    if account := _account():
        os.chown(directory, account["user"], account["group"])
    try:
        initdb = _programs() / "initdb"
        locale = ("--no-locale", "--encoding=UTF8")  # else that of whoever runs the tests
        _run([initdb, "-D", directory / "data", "-U", UNPRIVILEGED, "-A", "trust", "-N", *locale])
        server = PostgresServer(directory, settings)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(directory)


def _programs() -> Path:
    versions = sorted(PROGRAMS.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not versions:
        pytest.fail(f"PostgreSQL is not installed ({PROGRAMS} has none): run `make system`", pytrace=False)
    return versions[-1].parent


def _account() -> dict[str, Any]:
    """Whom to run as, when that is not the account that runs the tests."""
    if os.geteuid() != 0:
        return {}
    try:
        entry = pwd.getpwnam(UNPRIVILEGED)
    except KeyError:
        pytest.fail(f"there is no account {UNPRIVILEGED} to run PostgreSQL: run `make system`", pytrace=False)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _run(command: list[str | Path]) -> None:
    with tempfile.TemporaryFile() as said:  # not a pipe: the server keeps it open
        done = subprocess.run(command, stdout=said, stderr=subprocess.STDOUT, cwd="/", **_account())
        said.seek(0)
        assert done.returncode == 0, f"{command[0]}: {said.read().decode()}"
