"""The intake flow in a process of its own, without Prefect, for benchmarks to look at from outside.

    python -m meldbalie.tests.benchmarks.unattended CONFIGURATION MINUTES

Prints its peak memory in KiB when it begins and when it ends, which with 0 minutes is after one round.
"""

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from meldbalie.flows import intake as intakes
from meldbalie.flows.installation import Installation, install
from meldbalie.settings import use
from meldbalie.tests.flows.dying import take_in


def main(configuration: str, minutes: str) -> None:
    """Be the poller."""
    place = install(use(Path(configuration)), clock=lambda: datetime.now(UTC))
    work(place)
    print(_peak(), flush=True)
    intakes.intake.fn(minutes=float(minutes))
    print(_peak(), flush=True)


def work(place: Installation) -> None:
    """Let the flow of this process work there, and show nothing in Prefect."""
    intakes.installation = lambda: place
    intakes.take_in = take_in


@contextmanager
def poller(configuration: Path, minutes: float) -> Generator["subprocess.Popen[str]"]:
    """Such a process, begun; it is ended afterwards."""
    command = [sys.executable, "-m", __spec__.name, str(configuration), str(minutes)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _peak() -> int:
    """Peak memory in KiB; getrusage would count what the process that started this one has (seen)."""
    told = Path("/proc/self/status").read_text(encoding="ascii")
    return int(told.partition("VmHWM:")[2].split()[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
