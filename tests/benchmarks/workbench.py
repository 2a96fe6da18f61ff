"""What the benchmarks share: installations with real Dovecot and gpg, a stopwatch, and plain words."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles

from meldbalie.flows.operator.demo_files import ADDRESSES, PASSWORD, make_people
from meldbalie.flows.operator.mailserver import LocalMailServer
from meldbalie.settings import CONFIG_VARIABLE, settings
from meldbalie.tests.flows.world import REPORT, Present, World, make_world, post_office
from meldbalie.tests.prefect_server import PrefectServer


@contextmanager
def workbench() -> Generator[World]:
    """A fresh installation without Prefect; every commit goes to the disk."""
    directory = Path(tempfile.mkdtemp(prefix="mbb"))
    directory.chmod(0o755)
    try:
        people = make_people(directory)
        with post_office(directory) as mail:
            present = Present(datetime.now(UTC))
            nowhere = PrefectServer(4200, directory / "prefect", directory / "log")
            place = make_world(directory, people, mail, nowhere, present)
            yield World(place, people, mail, present, directory / "meldbalie.toml")
            place.keyring.stop()
            place.database.close()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def records_room(database_url: str | None = None) -> Generator[World]:
    """A fresh installation without Prefect and without mail servers, on SQLite or on another database."""
    directory = Path(tempfile.mkdtemp(prefix="mbr"))
    before = os.environ.get(CONFIG_VARIABLE)
    mail = LocalMailServer(
        directory, addresses=ADDRESSES, password=PASSWORD, imap_port=143, smtp_port=25
    )  # it is never started
    present, nowhere = Present(), PrefectServer(4200, directory / "prefect", directory / "log")
    try:
        people = make_people(directory)
        place = make_world(directory, people, mail, nowhere, present, database_url=database_url)
        yield World(place, people, mail, present, directory / "meldbalie.toml")
        place.keyring.stop()
        place.database.close()
    finally:
        os.environ.pop(CONFIG_VARIABLE, None)
        os.environ.update({CONFIG_VARIABLE: before} if before else {})
        settings.cache_clear()
        shutil.rmtree(directory, ignore_errors=True)


def report(world: World, number: int, *, key: bool = False) -> bytes:
    """A sealed and signed report of some 4 KB, unlike any other."""
    padding = "\n".join(f"GET /zoeken?q={number}-{line} HTTP/1.1 200 {line * number}" for line in range(60))
    return world.reports(f"{REPORT}\n{padding}\n", key=key)


def timed(work: Callable[[], object]) -> float:
    """The seconds that a piece of work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def spread(seconds: Sequence[float]) -> str:
    """The median and the 95th percentile, in milliseconds."""
    most = quantiles(seconds, n=20)[-1]
    return f"median {1000 * median(seconds):.0f} ms, 95th percentile {1000 * most:.0f} ms"


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)
