"""Live through a whole simulated year on a real database, look at it, and say what it came to.

    python -m meldbalie.tests.year.whole                    3,000 reports: half on SQLite, half on PostgreSQL
    python -m meldbalie.tests.year.whole --on postgresql --reports 500 --seed 7

On PostgreSQL two sweepers work at once. It ends with 1 when anything is wrong, and keeps SQLite's file.
"""

import argparse
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet
from meldbalie.models.session import Database
from meldbalie.models.tables import Base
from meldbalie.models.vault import vault
from meldbalie.tests.postgres import HASTY, SETTINGS, running_server
from meldbalie.tests.year.checking import Check, Findings
from meldbalie.tests.year.living import Diary, Year
from meldbalie.tests.year.script import make_script

MOST_SHOWN = 40
#: Within what reports are to be answered on each database, and how many sweep.
KINDS = {"sqlite": ("5d", 1), "postgresql": ("5wd", 2)}
KILLS = 0.03  # of all that is ordered


@dataclass(frozen=True)
class Lived:
    """A year that is over."""

    diary: Diary
    found: Findings

    def __str__(self) -> str:
        """What it came to."""
        lived = (f"{number:,} {what}" for what, number in sorted(self.diary.counted.items()))
        found = (f"{number:,} {what}" for what, number in sorted(self.found.counted.items()))
        return f"{self.diary.seconds:.0f} s: {', '.join([*lived, *found])}"


def live_and_look(
    database: Database, *, seed: int, tickets: int, response: str, sweepers: int, kills: float = KILLS
) -> Lived:
    """Live through a year on an empty database with our tables, then look at it."""
    script = make_script(seed, tickets, response=response)
    diary = Year(script, database, sweepers=sweepers, kills=kills).live()
    return Lived(diary, Check(script, database, diary).look())


@contextmanager
def _database(kind: str) -> Generator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{Path(tempfile.mkdtemp(prefix='year-')) / 'meldbalie.db'}"
        return
    with running_server((*SETTINGS, *HASTY)) as server, server.new_database() as name:
        yield server.url(name)


def main() -> int:
    """Live through what the arguments ask for."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--on", choices=KINDS, action="append")
    asked.add_argument("--reports", type=int, default=3000)
    asked.add_argument("--seed", type=int, default=2026)
    args = asked.parse_args()
    kinds = args.on or list(KINDS)
    return max(_year(kind, args.reports // len(kinds), args.seed) for kind in kinds)


def _year(kind: str, reports: int, seed: int) -> int:
    """Live through one year and tell of it; 1 when anything is wrong."""
    vault.unlock([Fernet.generate_key().decode()])
    response, sweepers = KINDS[kind]
    with _database(kind) as url:
        database = Database(url)
        Base.metadata.create_all(database.engine)
        lived = live_and_look(database, seed=seed, tickets=reports, response=response, sweepers=sweepers)
        database.close()
        print(f"{kind}, seed {seed}, {lived}")
        for line in lived.found.wrong[:MOST_SHOWN]:
            print(f"  {line}")
        print(f"  {url}: {len(lived.found.wrong) or 'nothing'} wrong", flush=True)
    return 1 if lived.found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
