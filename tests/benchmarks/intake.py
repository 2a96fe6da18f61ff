"""How many messages a second become tickets, against what gpg alone needs for the same messages.

    python -m meldbalie.tests.benchmarks.intake --messages 200

Real Dovecot, real gpg, SQLite with every commit on the disk, and the functions that the intake flow
calls; Prefect is left out, since it adds the same to every message. The floor is one bare
``gpg --decrypt`` a message, with as many at once, and without IMAP, MIME, database or anybody to tell.
It is measured before and after, because machines have moods: believe the ratio, not the seconds.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from meldbalie.flows.filing import file_entry
from meldbalie.flows.intake import put_away, take_waiting
from meldbalie.flows.shifts import Shift
from meldbalie.mailbox.imap import IntakeMailbox
from meldbalie.models import ledger
from meldbalie.tests.benchmarks.workbench import report, say, timed, workbench
from meldbalie.tests.flows.world import World

Thing = TypeVar("Thing")
ARMOUR = re.compile(rb"-----BEGIN PGP MESSAGE-----.*?-----END PGP MESSAGE-----\r?\n", re.DOTALL)
MOST = 5000
WORKERS = (1, 2)
GPG_SECONDS = 30.0


def main(words: list[str] | None = None) -> int:
    """Measure and print; 1 when a message did not become a ticket."""
    args = _arguments(words)
    with workbench() as world:
        say(f"{args.messages} sealed and signed reports, {'each' if args.key else 'none'} with a key:")
        for workers in WORKERS:
            measure(world, args.messages, workers, key=args.key)
        return int(len(world.tickets()) != args.messages * len(WORKERS))


def measure(world: World, number: int, workers: int, *, key: bool) -> None:
    """Print what so many reports cost, bare and whole, with so many at once."""
    start = len(world.tickets())
    reports = [report(world, start + each, key=key) for each in range(number)]
    for each in reports:
        world.arrives(each)
    world.present.passes(minutes=5)
    bare = partial(_at_once, partial(decrypt, world.people.desk.home), reports, workers)
    before = timed(bare)
    steps = _take_in(world, workers)
    floor = (before + timed(bare)) / 2
    whole = sum(steps.values())
    say(f"{workers} at once: {number / whole:.1f} a second; gpg alone {number / floor:.1f} a second")
    for step, seconds in {"all of it": whole, **steps}.items():
        each = 1000 * seconds / number
        say(f"  {step:<24} {each:8.2f} ms a message, {seconds / floor:5.2f} times gpg alone")


def decrypt(home: Path, sealed: bytes) -> None:
    """Let gpg open a report and throw the text away."""
    armour = ARMOUR.search(sealed)
    assert armour is not None
    subprocess.run(
        ["gpg", "--homedir", str(home), "--batch", "--quiet", "--decrypt"],
        input=armour[0],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,  # 2 where it does not know the signer
        timeout=GPG_SECONDS,
    )


def _take_in(world: World, workers: int) -> dict[str, float]:
    """Take in what waits, as the flow does; gives the seconds that each step took."""
    place = world.place
    with IntakeMailbox(place.imap) as mailbox, Shift("intake", place, minutes=0) as shift:
        assert shift.is_ours()
        taking = timed(lambda: take_waiting(place, mailbox, shift))
        with place.database.reading() as session:
            entries = ledger.undecided(session, place.clock())
        filing = timed(lambda: _at_once(lambda entry: file_entry(place, entry), entries, workers))
        putting_away = timed(lambda: put_away(place, mailbox))
    return {"into the ledger": taking, "opened, judged, filed": filing, "put away": putting_away}


def _at_once(work: Callable[[Thing], object], things: Iterable[Thing], workers: int) -> None:
    with ThreadPoolExecutor(workers) as threads:
        list(threads.map(work, things))


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
