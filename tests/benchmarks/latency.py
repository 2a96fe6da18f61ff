"""How long a report takes from the mail server's "accepted" to a ticket, while the poller idles.

    python -m meldbalie.tests.benchmarks.latency --messages 30

Real SMTP, Dovecot, IDLE, gpg and SQLite, and the intake flow in a process of its own, without Prefect.
"""

import argparse
import sys
import time

from meldbalie.mailbox import smtp
from meldbalie.models.ticket import Ticket
from meldbalie.tests.benchmarks.unattended import poller
from meldbalie.tests.benchmarks.workbench import report, say, spread, workbench
from meldbalie.tests.flows.world import CVD, World
from sqlalchemy import func, select

LOOK_SECONDS = 0.005
PATIENCE_SECONDS = 60.0


def main(words: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="meldbalie.tests.benchmarks.latency", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--messages", type=int, default=30, help="how many, one after another")
    number = parser.parse_args(words).messages
    with workbench() as world, poller(world.config_file, minutes=60):
        _until_ticket(world, 0)  # the poller has begun
        took = [_until_ticket(world, each) for each in range(1, number + 1)]
    say(f"from SMTP accept to ticket, {number} reports one by one: {spread(took)}")
    return 0


def _until_ticket(world: World, number: int) -> float:
    place, raw = world.place, report(world, number)
    smtp.send(raw, sender=world.people.reporter.address, recipient=CVD, via=place.smtp)
    start = time.perf_counter()
    while time.perf_counter() - start < PATIENCE_SECONDS:
        with place.database.reading() as session:
            if session.scalars(select(func.count(Ticket.id))).one() > number:
                return time.perf_counter() - start
        time.sleep(LOOK_SECONDS)
    raise TimeoutError(f"no ticket within {PATIENCE_SECONDS:.0f} seconds")


if __name__ == "__main__":
    sys.exit(main())
