"""One installation a test, with real parts; keys and the Prefect server are made once."""

import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from meldbalie.flows import installation as installations
from meldbalie.flows.desk import prefect_api as prefect_client
from meldbalie.flows.operator.demo_files import People, make_people
from meldbalie.flows.serving import deployments
from meldbalie.settings import CONFIG_VARIABLE, Settings, settings
from meldbalie.tests.flows.killing import Desk, make_desk
from meldbalie.tests.flows.world import Present, World, make_world, post_office
from meldbalie.tests.postgres import PostgresServer
from meldbalie.tests.prefect_server import PrefectServer


@pytest.fixture(scope="session")
def people_of_the_session() -> Generator[tuple[Path, People]]:
    """Everybody's keys."""
    directory = Path(tempfile.mkdtemp(prefix="mbk"))
    yield directory, make_people(directory)
    shutil.rmtree(directory, ignore_errors=True)


@cache
def all_deployments() -> set[str]:
    """The names of what has to be deployed."""
    return {made.name for made in deployments(Settings())}


def deploy(config: Settings) -> None:
    """Deploy everything, unless it stands on the server already: that takes longer than many a test."""
    with prefect_client() as client:
        there = {found.name for found in client.read_deployments()}
    if all_deployments() - there:
        for deployment in deployments(config):
            deployment.apply()


@pytest.fixture
def world(
    people_of_the_session: tuple[Path, People], prefect_api: PrefectServer, monkeypatch: pytest.MonkeyPatch
) -> Generator[World]:
    """A fresh installation: empty mailboxes, an empty database, the desk's keyring as it was pinned."""
    home, _ = people_of_the_session
    directory = Path(tempfile.mkdtemp(prefix="mbw"))
    directory.chmod(0o755)
    shutil.copytree(home / "keys", directory / "keys", ignore=shutil.ignore_patterns("S.*"))
    people = make_people(directory)
    mail = post_office(directory)
    present = Present()
    before = os.environ.get(CONFIG_VARIABLE)
    monkeypatch.setattr("meldbalie.models.pins.COST", 2**4)  # else each PIN takes a third of a second
    mail.start()
    try:
        place = make_world(directory, people, mail, prefect_api, present)
        monkeypatch.setattr(installations, "installation", lambda: place)
        for module in ("attend", "audit", "bulk", "dead_man", "deliver", "intake", "sweep", "reconcile"):
            monkeypatch.setattr(f"meldbalie.flows.{module}.installation", lambda: place)
        deploy(place.config)
        yield World(place, people, mail, present, directory / "meldbalie.toml")
        place.keyring.stop()
        place.database.close()
    finally:
        mail.kill()
        if before is None:
            os.environ.pop(CONFIG_VARIABLE, None)
        settings.cache_clear()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def home_of_all(people_of_the_session: tuple[Path, People]) -> Path:
    """Everybody's keys, and application keys that several installations have in common."""
    directory, _ = people_of_the_session
    (directory / "application.keys").write_text(Fernet.generate_key().decode())
    return directory


@pytest.fixture(params=["sqlite", "postgresql"])
def desk(request: pytest.FixtureRequest, home_of_all: Path) -> Generator[Desk]:
    """An installation without Prefect, whose intake may be killed, on either database."""
    with ExitStack() as stack:
        url = None
        if request.param == "postgresql":
            server: PostgresServer = request.getfixturevalue("postgres_server")
            url = server.url(stack.enter_context(server.new_database()))
        yield stack.enter_context(make_desk(home_of_all, url))
