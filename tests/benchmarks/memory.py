"""How much memory the largest message takes, at its peak, in a process that takes in nothing else.

    python -m meldbalie.tests.benchmarks.memory --megabytes 50

Twice: a sealed report with one file in it, and the same in the clear.
"""

import argparse
import os
import sys

from meldbalie.mailbox.compose import Draft, plain, sealed
from meldbalie.mailbox.keyring import Keyring
from meldbalie.models.ledger import LedgerEntry, Verdict
from meldbalie.tests.benchmarks.unattended import poller
from meldbalie.tests.benchmarks.workbench import say, workbench
from meldbalie.tests.flows.world import CVD, REPORT, World
from sqlalchemy import select

MEGABYTE = 2**20
#: What base64 makes of a file, twice where it is sealed; and room for headers.
GROWTH = {False: 1.37, True: 1.88}


def main(words: list[str] | None = None) -> int:
    """Measure and print; 1 when a message did not become a ticket."""
    parser = argparse.ArgumentParser(prog="meldbalie.tests.benchmarks.memory", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--megabytes", type=int, default=50, help="the size of the message")
    megabytes = parser.parse_args(words).megabytes
    with workbench() as world:
        for seals in (True, False):
            raw = _large(world, megabytes * MEGABYTE, seals=seals)
            world.arrives(raw)
            with poller(world.config_file, minutes=0) as process:
                before, after = (1024 * int(line) for line in process.stdout or ())
            size = len(raw) / MEGABYTE
            took = (after - before) / len(raw)
            kind, peak, bare = "sealed" if seals else "plain", after / MEGABYTE, before / MEGABYTE
            say(f"a {kind} message of {size:.1f} MB: {took:.1f} times its size on top of {bare:.0f} MB")
            say(f"  ({peak:.0f} MB at the peak)")
        with world.place.database.reading() as session:
            verdicts = session.scalars(select(LedgerEntry.verdict)).all()
        return int(verdicts != [Verdict.OPENED_TICKET] * 2)


def _large(world: World, size: int, *, seals: bool) -> bytes:
    reporter = world.people.reporter
    evidence = ("traffic.pcap", "application/octet-stream", os.urandom(int(size / GROWTH[seals])))
    draft = Draft(
        sender_name=reporter.name,
        sender=reporter.address,
        recipient=CVD,
        subject="XSS",
        body=REPORT,
        attachments=(evidence,),
        message_id=f"<{seals}@onderzoek.example>",
        date=world.present(),
    )
    if not seals:
        return plain(draft)
    with Keyring(reporter.home) as keyring:
        desk = world.people.desk.fingerprint
        return sealed(draft, outer_subject="...", keyring=keyring, to=desk, signed_by=reporter.fingerprint)


if __name__ == "__main__":
    sys.exit(main())
