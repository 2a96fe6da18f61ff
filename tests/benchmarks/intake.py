"""How fast intake is, from the mailbox to the ticket, against what gpg alone needs for the same messages.

    python -m meldbalie.tests.benchmarks.intake --messages 200

Real Dovecot, real gpg, SQLite with every commit on the disk, and the functions that the intake flow
calls; Prefect is left out, since it adds the same to every message. The floor is one bare
``gpg --decrypt`` a message, without IMAP, MIME, database or anybody to tell. It is measured before
and after, because machines have moods: believe the ratio, not the seconds.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from meldbalie.flows.filing import file_entry
from meldbalie.flows.installation import Installation
from meldbalie.flows.intake import put_away, take_waiting
from meldbalie.flows.operator.demo_files import ADDRESSES, PASSWORD, make_people
from meldbalie.flows.operator.mailserver import LocalMailServer
from meldbalie.flows.shifts import Shift
from meldbalie.mailbox.imap import IntakeMailbox
from meldbalie.models import ledger
from meldbalie.tests.flows.world import REPORT, Present, World, make_world
from meldbalie.tests.prefect_server import PrefectServer

Thing = TypeVar("Thing")
ARMOUR = re.compile(rb"-----BEGIN PGP MESSAGE-----.*?-----END PGP MESSAGE-----\r?\n", re.DOTALL)
MOST = 5000
GPG_SECONDS = 30.0


@dataclass(frozen=True)
class Took:
    """Seconds that each part took."""

    taking: float
    filing: float
    putting_away: float

    @property
    def whole(self) -> float:
        """From the mailbox to the ticket and back."""
        return self.taking + self.filing + self.putting_away


def main(words: list[str] | None = None) -> int:
    """Measure and print; 1 when a message did not become a ticket."""
    args = _arguments(words)
    directory = Path(tempfile.mkdtemp(prefix="mbb"))
    directory.chmod(0o755)
    try:
        say("making keys and starting Dovecot")
        people = make_people(directory)
        with LocalMailServer(directory / "mailserver", addresses=ADDRESSES, password=PASSWORD) as mail:
            present = Present(datetime.now(UTC))
            nowhere = PrefectServer(4200, directory / "prefect", directory / "log")
            place = make_world(directory, people, mail, nowhere, present)
            world = World(place, people, mail, present, directory / "meldbalie.toml")
            measure(world, args.messages, key=args.key)
            place.keyring.stop()
            place.database.close()
            return int(len(world.tickets()) != args.messages)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def measure(world: World, number: int, *, key: bool) -> None:
    """Print what so many reports cost, bare and whole."""
    reports = [_report(world, each, key=key) for each in told(range(number), "sealing reports", number)]
    for report in reports:
        world.arrives(report)
    home = world.people.desk.home
    decrypt(home, reports[0])
    before = timed(lambda: _decrypt_all(home, reports))
    took = take_in_all(world.place, number)
    after = timed(lambda: _decrypt_all(home, reports))
    floor = (before + after) / 2
    size = sum(map(len, reports)) / number / 1024
    say(f"{number} sealed and signed reports of {size:.1f} KiB, {'each' if key else 'none'} with a key")
    for what, seconds in (
        ("gpg --decrypt alone, before", before),
        ("gpg --decrypt alone, after", after),
        ("mailbox to ticket", took.whole),
        ("  into the ledger", took.taking),
        ("  opened, judged, filed", took.filing),
        ("  put away", took.putting_away),
    ):
        say(f"{what:<28} {1000 * seconds / number:8.2f} ms a message {number / seconds:9.1f} /s")
    say(f"mailbox to ticket takes {took.whole / floor:.2f} times the floor")


def take_in_all(place: Installation, number: int) -> Took:
    """Take in what waits, as the flow does."""
    with IntakeMailbox(place.imap) as mailbox, Shift("intake", place, minutes=0) as shift:
        assert shift.is_ours()
        taking = timed(lambda: take_waiting(place, mailbox, shift))
        with place.database.reading() as session:
            entries = ledger.undecided(session, place.clock())
        filing = timed(lambda: [file_entry(place, one) for one in told(entries, "filing", number)])
        return Took(taking, filing, timed(lambda: put_away(place, mailbox)))


def decrypt(home: Path, report: bytes) -> None:
    """Let gpg open a report and throw the text away."""
    armour = ARMOUR.search(report)
    assert armour is not None
    subprocess.run(
        ["gpg", "--homedir", str(home), "--batch", "--quiet", "--decrypt"],
        input=armour[0],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,  # 2 where it does not know the signer
        timeout=GPG_SECONDS,
    )


def _decrypt_all(home: Path, reports: list[bytes]) -> None:
    for report in told(reports, "gpg --decrypt alone", len(reports)):
        decrypt(home, report)


def _report(world: World, number: int, *, key: bool) -> bytes:
    padding = "\n".join(f"GET /zoeken?q={number}-{line} HTTP/1.1 200 {line * number}" for line in range(60))
    return world.reports(f"{REPORT}\n{padding}\n", key=key)


def timed(work: Callable[[], object]) -> float:
    """The seconds that a piece of work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def told(things: Iterable[Thing], what: str, number: int) -> Iterator[Thing]:
    """The same things, with a line of progress at each fifth of them."""
    for done, thing in enumerate(things):
        if done % max(1, number // 5) == 0:
            say(f"{what}: {done} of {number}")
        yield thing


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def _arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="meldbalie.tests.benchmarks.intake", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--messages", type=_number, default=200, help=f"how many, up to {MOST}")
    parser.add_argument("--key", action="store_true", help="each report brings its sender's public key")
    return parser.parse_args(words)


def _number(text: str) -> int:
    number = int(text)
    if not 0 < number <= MOST:
        raise argparse.ArgumentTypeError(f"give a number from 1 to {MOST}")
    return number


if __name__ == "__main__":
    sys.exit(main())
